package onnxgo_test

import (
	"context"
	"fmt"
	"log"

	"github.com/owulveryck/onnx-go"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	costonnx "github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/onnxgo"
	"github.com/onnxcost/onnxcost/analyzer/op"
	"github.com/onnxcost/onnxcost/analyzer/zoo"
)

// A program that decodes with onnx-go asks for the cost of its model. The zoo's models leave the batch free, which
// onnx-go drops, so the program says the shape of the input.
func Example() {
	source, err := zoo.Build("resnet18", zoo.None)
	if err != nil {
		log.Fatal(err)
	}
	data, err := costonnx.Marshal(source)
	if err != nil {
		log.Fatal(err)
	}

	b := onnxgo.New()
	m := onnx.NewModel(b)
	if err := m.UnmarshalBinary(data); err != nil {
		log.Fatal(err)
	}
	b.Options.Shapes = map[string]op.Shape{"input": {dim.Symbol("batch"), dim.Const(3), dim.Const(224), dim.Const(224)}}
	r, err := b.Report(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("MACs:  ", r.Totals().MACs)
	fmt.Println("params:", r.Totals().TrainableParams)
	// Output:
	// MACs:   1814073344*batch
	// params: 11689512
}
