package costmodel_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/internal/bound"
	"github.com/onnxcost/onnxcost/specs"
)

// TestHostileGraphs predicts graphs that make rewrites slow where they compare each with each: within what the bytes
// of the file explain.
func TestHostileGraphs(t *testing.T) {
	const n = 20_000
	f32 := func(name string, dims ...int64) onnx.ValueInfo {
		vi := onnx.ValueInfo{Name: name, Type: &onnx.Type{Kind: onnx.KindTensor, DType: onnx.Float32, HasShape: true}}
		for _, d := range dims {
			vi.Type.Shape = append(vi.Type.Shape, onnx.Dimension{Value: d, HasValue: true})
		}
		return vi
	}
	relu := func(out, in string) *onnx.Node {
		return &onnx.Node{Name: out, OpType: "Relu", Inputs: []string{in}, Outputs: []string{out}}
	}
	many := func(make func(i int) *onnx.Node) (nodes []*onnx.Node, names []string) {
		for i := range n {
			nodes = append(nodes, make(i))
			names = append(names, nodes[i].Outputs[0])
		}
		return nodes, names
	}
	end := []onnx.ValueInfo{{Name: "y"}}
	users, usersOut := many(func(i int) *onnx.Node {
		return &onnx.Node{OpType: "Mul", Inputs: []string{"i", fmt.Sprint("x", i%2)}, Outputs: []string{fmt.Sprint("v", i)}}
	})
	distinct, distinctOut := many(func(i int) *onnx.Node {
		return &onnx.Node{OpType: "LeakyRelu", Inputs: []string{"x0"}, Outputs: []string{fmt.Sprint("v", i)},
			Attributes: []onnx.Attribute{{Name: "alpha", Type: onnx.AttrFloat, F: float32(i)}}}
	})
	chain, _ := many(func(i int) *onnx.Node { return relu(fmt.Sprint("v", i+1), fmt.Sprint("v", i)) })
	chain[0].Inputs[0], chain[n-1].Outputs[0] = "x0", "y"
	identities, _ := many(func(i int) *onnx.Node {
		return &onnx.Node{OpType: "Transpose", Inputs: []string{fmt.Sprint("v", i)}, Outputs: []string{fmt.Sprint("v", i+1)},
			Attributes: []onnx.Attribute{{Name: "perm", Type: onnx.AttrInts, Ints: []int64{1, 0}}}}
	})
	identities[0].Inputs[0], identities[n-1].Outputs[0] = "x0", "y"
	attrs := func() (list []onnx.Attribute) {
		for i := range n {
			list = append(list, onnx.Attribute{Name: fmt.Sprint("a", i), Type: onnx.AttrInt, I: 1})
		}
		return list
	}
	twin := func(out string) *onnx.Node {
		return &onnx.Node{OpType: "Relu", Inputs: []string{"x0"}, Outputs: []string{out}, Attributes: attrs()}
	}
	body := func(out string) *onnx.Graph {
		sum := &onnx.Node{OpType: "Sum", Inputs: distinctOut, Outputs: []string{out}}
		return &onnx.Graph{Name: out, Nodes: []*onnx.Node{sum}, Outputs: []onnx.ValueInfo{{Name: out}}}
	}
	equal, equalOut := many(func(i int) *onnx.Node { return relu(fmt.Sprint("v", i), "x0") })
	for name, nodes := range map[string][]*onnx.Node{
		"many duplicates": append(equal, &onnx.Node{OpType: "Sum", Inputs: equalOut, Outputs: []string{"y"}}),
		"one value with many users": append(append([]*onnx.Node{{OpType: "Identity", Inputs: []string{"x0"}, Outputs: []string{"i"}}}, users...),
			&onnx.Node{OpType: "Sum", Inputs: usersOut, Outputs: []string{"y"}}),
		"many inputs":              append(distinct[:n:n], &onnx.Node{OpType: "Sum", Inputs: distinctOut, Outputs: []string{"y"}}),
		"a long chain":             chain,
		"a chain of transposes":    identities,
		"twins of many attributes": {twin("p"), twin("q"), {OpType: "Add", Inputs: []string{"p", "q"}, Outputs: []string{"y"}}},
		"a body that takes many values": append(distinct[:n:n], &onnx.Node{OpType: "If", Inputs: []string{"c"}, Outputs: []string{"y"}, Attributes: []onnx.Attribute{
			{Name: "then_branch", Type: onnx.AttrGraph, G: body("a")}, {Name: "else_branch", Type: onnx.AttrGraph, G: body("b")}}}),
	} {
		c := onnx.ValueInfo{Name: "c", Type: &onnx.Type{Kind: onnx.KindTensor, DType: onnx.Bool, HasShape: true}}
		m := &onnx.Model{IRVersion: 8, Opsets: []onnx.OpsetID{{Version: 17}},
			Graph: &onnx.Graph{Name: "g", Inputs: []onnx.ValueInfo{f32("x0", 4, 4), f32("x1", 4, 4), c}, Nodes: nodes, Outputs: end}}
		data, err := onnx.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		r, err := analyzer.Analyze(context.Background(), m, analyzer.Options{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for runtime, device := range map[costmodel.Runtime]string{costmodel.Eager: "h100-sxm", costmodel.ORTCPU: "cpu-avx512",
			costmodel.ORTCUDA: "h100-sxm", costmodel.TensorRT: "h100-sxm", costmodel.Torch7: "jetson-tx1"} {
			d, err := specs.LoadDevice(device)
			if err != nil {
				t.Fatal(err)
			}
			t.Run(fmt.Sprintf("%s, %s", name, runtime), func(t *testing.T) {
				bound.Run(t, 4*len(data), func() { // kernels take more than nodes
					if _, err := costmodel.Predict(context.Background(), r, d, costmodel.Options{Runtime: runtime}); err != nil {
						t.Error(err)
					}
				})
			})
		}
	}
}
