package analyzer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/zoo"
)

// outcome is all that an analysis says, as text.
func outcome(m *onnx.Model, opt analyzer.Options) string {
	r, err := analyzer.Analyze(context.Background(), m, opt)
	if err != nil {
		return err.Error()
	}
	data, err := json.Marshal(r.Summary("model", true))
	return fmt.Sprintf("%s %v", data, err)
}

// TestRepeatedNodes: a result that serves several nodes is what the rule says of each.
func TestRepeatedNodes(t *testing.T) {
	models := map[string]*onnx.Model{}
	for _, name := range zoo.Names() {
		m, err := zoo.Build(name, zoo.None)
		if err != nil {
			t.Fatal(err)
		}
		models[name] = m
	}
	for _, pattern := range []string{"models/*.onnx", "onnx-light/*.onnx", "onnx-node-tests/*/model.onnx"} {
		paths, err := filepath.Glob(shared(t, pattern))
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: %d models, error %v", pattern, len(paths), err)
		}
		for _, path := range paths {
			if m, err := onnx.Open(path); err == nil {
				models[path] = m
			}
		}
	}
	for name, m := range models {
		for _, opt := range []analyzer.Options{{}, {KeepFree: true}} {
			if got, want := outcome(m, opt), outcome(m, analyzer.AskAll(opt)); got != want {
				t.Errorf("%s, KeepFree %v: got %.2000s\nwant %.2000s", name, opt.KeepFree, got, want)
			}
		}
	}
}

// TestNearlyRepeatedNodes: nodes that differ in what their rule looks at do not share its result.
func TestNearlyRepeatedNodes(t *testing.T) {
	perm := func(v ...int64) onnx.Attribute { return onnx.Attribute{Name: "perm", Type: onnx.AttrInts, Ints: v} }
	tests := []struct {
		name  string
		nodes []*onnx.Node
		want  []string // type and bytes read, node by node
	}{
		{"attributes", []*onnx.Node{node("a = Transpose(x)", perm(0, 2, 1)), node("b = Transpose(x)", perm(2, 1, 0)), node("c = Transpose(x)")},
			[]string{"float32[2,n,3] 24*n", "float32[n,3,2] 24*n", "float32[n,3,2] 24*n"}},
		{"values", []*onnx.Node{node("a = Reshape(x, s1)"), node("b = Reshape(x, s2)"), node("c = Reshape(x, s1)")},
			[]string{"float32[6,n] 0", "float32[2,3*n] 0", "float32[6,n] 0"}},
		{"types", []*onnx.Node{node("a = Neg(x)"), node("b = Neg(h)"), node("c = Neg(x)")},
			[]string{"float32[2,3,n] 24*n", "float16[2,3,n] 12*n", "float32[2,3,n] 24*n"}},
		{"one value twice", []*onnx.Node{node("a = Add(x, y)"), node("b = Add(x, x)"), node("c = Add(y, x)")},
			[]string{"float32[2,3,n] 48*n", "float32[2,3,n] 24*n", "float32[2,3,n] 48*n"}},
		{"extents that depend on data", []*onnx.Node{node("a = NonZero(x)"), node("b = NonZero(x)")},
			[]string{"int64[3,nonzero] 24*n", "int64[3,nonzero_2] 24*n"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := &onnx.Graph{Nodes: tt.nodes,
				Inputs:       []onnx.ValueInfo{tensorInfo("x", onnx.Float32, 2, 3, "n"), tensorInfo("y", onnx.Float32, 2, 3, "n"), tensorInfo("h", onnx.Float16, 2, 3, "n")},
				Initializers: []*onnx.Tensor{onnx.Int64Tensor("s1", []int64{2}, 6, -1), onnx.Int64Tensor("s2", []int64{2}, 2, -1)},
				Outputs:      outputs("a", "b", "c")[:len(tt.nodes)]}
			r := run(t, model(g), analyzer.Options{KeepFree: true})
			for i, n := range r.Nodes {
				if got := fmt.Sprint(n.Outputs[0], " ", n.Read); got != tt.want[i] {
					t.Errorf("node %d: got %s, want %s", i, got, tt.want[i])
				}
			}
		})
	}
}
