package analyzer_test

import (
	"context"
	"fmt"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/zoo"
)

// A model is analysed once; another batch size is an evaluation. onnx.Open reads a file where zoo.Build makes a network.
func ExampleAnalyze() {
	m, err := zoo.Build("resnet50", zoo.None)
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := analyzer.Analyze(context.Background(), m, analyzer.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	t := r.Totals()
	macs, err := t.MACs.Eval(dim.Env{"batch": 8})
	fmt.Println(t.MACs, "MACs,", macs, "at batch 8,", t.Params, "parameters", err)
	// Output:
	// 4089184256*batch MACs, 32713474048 at batch 8, 25610152 parameters <nil>
}

// A Summary is a Report as programs read it, under the Report's bindings; what any node could not count in full is said.
func ExampleReport_Summary() {
	m, err := zoo.Build("mobilenet-v2", zoo.None)
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := analyzer.Analyze(context.Background(), m, analyzer.Options{Dims: map[string]int64{"batch": 2}})
	if err != nil {
		fmt.Println(err)
		return
	}
	s := r.Summary("mobilenet-v2", false)
	fmt.Println(s.Totals.MACs, "MACs of", s.Totals.Nodes, "nodes, lower bounds:", s.LowerBounds)
	fmt.Println("live at", s.Peak.Node, s.Peak.Bytes, "bytes")
	// Output:
	// 601548544 MACs of 152 nodes, lower bounds: false
	// live at /features/block2/expand/bn 19267584 bytes
}

// Groups adds nodes up by any key: here by operator.
func ExampleReport_Groups() {
	m, err := zoo.Build("alexnet", zoo.None)
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := analyzer.Analyze(context.Background(), m, analyzer.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, g := range r.Groups((*analyzer.Node).Op)[:2] {
		fmt.Println(g.Name, g.Nodes, g.MACs)
	}
	// Output:
	// Conv 5 665784864
	// Relu 7 0
}
