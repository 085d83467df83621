package analyzer_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// TestManyNodes: a graph whose names are looked up in parts is ordered, and refused, as a small one is.
func TestManyNodes(t *testing.T) {
	const many = 40_000
	chain := func(change func(nodes []*onnx.Node)) *onnx.Model {
		nodes := make([]*onnx.Node, many)
		for i := range nodes {
			nodes[i] = node(fmt.Sprintf("n%d: x%d = Relu(x%d)", i, i+1, i))
		}
		change(nodes)
		return model(&onnx.Graph{Inputs: []onnx.ValueInfo{tensorInfo("x0", onnx.Float32, 3, "n")}, Nodes: nodes, Outputs: outputs(fmt.Sprint("x", many))})
	}
	tests := []struct {
		name   string
		change func(nodes []*onnx.Node)
		want   string // of the error; "" where there is none
		note   bool   // that the nodes were sorted
	}{
		{"in order", func([]*onnx.Node) {}, "", false},
		{"two late nodes swapped", func(n []*onnx.Node) { n[35_000], n[35_001] = n[35_001], n[35_000] }, "", true},
		{"the first node last", func(n []*onnx.Node) { n[0], n[many-1] = n[many-1], n[0] }, "", true},
		{"inputs that nothing makes", func(n []*onnx.Node) { n[39_000].Inputs, n[31_000].Inputs = []string{"no"}, []string{"none"} },
			`node 31000 "n31000" (Relu): input 0 "none" is produced by no node`, false},
		{"a name made twice", func(n []*onnx.Node) { n[32_000].Outputs = []string{"x7"} }, `value "x7" is defined twice, the second time by node 32000`, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := analyzer.Analyze(context.Background(), chain(tt.change), analyzer.Options{})
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Fatalf("got %v, want %s", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := r.Totals().FLOPs.String(); len(r.Nodes) != many || got != "120000*n" {
				t.Errorf("got %d nodes and %s FLOPs, want %d and 120000*n", len(r.Nodes), got, many)
			}
			for i, n := range r.Nodes {
				if want := fmt.Sprint("n", i); n.Name != want {
					t.Fatalf("node %d: got %s, want %s", i, n.Name, want)
				}
			}
			if got := slices.Contains(codes(r), analyzer.CodeOrder); got != tt.note {
				t.Errorf("the order is noted: got %v, want %v", got, tt.note)
			}
		})
	}
}
