package onnx_test

import (
	"errors"
	"fmt"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// Open reads the graph and leaves the weights where they are.
func ExampleOpen() {
	m, err := onnx.Open("model.onnx")
	if err != nil {
		var damaged *onnx.FormatError
		if errors.As(err, &damaged) {
			fmt.Println("damaged:", damaged)
		}
		return
	}
	for _, n := range m.Graph.Nodes {
		fmt.Println(n.OpType, n.Inputs, n.Outputs)
	}
	for _, t := range m.Graph.Initializers {
		fmt.Println(t.Name, t.DType, t.Dims)
	}
}

// A damaged file is an error that says where, what, and what was wanted.
func ExampleDecode() {
	_, err := onnx.Decode([]byte{0x08, 0x09, 0x3a, 0x20, 0x0a}, "cut.onnx")
	fmt.Println(err)
	// Output: cut.onnx: offset 0x2: graph: truncated: want 32 bytes, have 1
}
