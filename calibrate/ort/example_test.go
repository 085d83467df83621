package ort_test

import (
	"fmt"
	"math/rand/v2"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/calibrate/ort"
)

// One inference of a model with random input, on one thread, with the runtime's own profile of it.
func Example() {
	path, err := ort.Find("")
	if err != nil {
		fmt.Println(err)
		return
	}
	lib, err := ort.Open(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := onnx.Open("resnet50.onnx")
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := lib.NewSession(ort.SourceOf(m, "resnet50", "resnet50.onnx", nil), ort.Options{Threads: 1, Profile: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	x, err := ort.RandomTensor(onnx.Float32, []int64{1, 3, 224, 224}, 1, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := s.Bind(map[string]*ort.Tensor{"input": x}, nil); err != nil {
		fmt.Println(err)
		return
	}
	if err := s.Run(); err != nil {
		fmt.Println(err)
		return
	}
	p, err := s.CloseProfile()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, n := range p.Runs[0].Nodes {
		fmt.Println(n.Name, n.Op)
	}
}
