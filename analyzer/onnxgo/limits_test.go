package onnxgo

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// declared is a tensor of the given type; a negative extent stands for a free dimension.
func declared(name string, dt onnx.DType, dims ...int64) onnx.ValueInfo {
	t := &onnx.Type{Kind: onnx.KindTensor, DType: dt, HasShape: true}
	for _, d := range dims {
		t.Shape = append(t.Shape, onnx.Dimension{Value: d, HasValue: d >= 0})
	}
	return onnx.ValueInfo{Name: name, Type: t}
}

// graphOf is a model from x to y, both float32 of 2×3.
func graphOf(nodes ...*onnx.Node) *onnx.Model {
	return &onnx.Model{IRVersion: 8, Opsets: []onnx.OpsetID{{Version: 17}}, Graph: &onnx.Graph{
		Nodes:  nodes,
		Inputs: []onnx.ValueInfo{declared("x", onnx.Float32, 2, 3)}, Outputs: []onnx.ValueInfo{declared("y", onnx.Float32, 2, 3)},
	}}
}

func relu() *onnx.Node {
	return &onnx.Node{Name: "n", OpType: "Relu", Inputs: []string{"x"}, Outputs: []string{"y"}}
}

// withWeight adds a constant to relu.
func withWeight(w *onnx.Tensor) *onnx.Model {
	m := graphOf(relu())
	m.Graph.Initializers = []*onnx.Tensor{w}
	return m
}

func withInput(vi onnx.ValueInfo) *onnx.Model {
	m := graphOf(relu())
	m.Graph.Inputs = []onnx.ValueInfo{vi}
	return m
}

func withAttr(op string, a onnx.Attribute) *onnx.Model {
	return graphOf(&onnx.Node{OpType: op, Inputs: []string{"x"}, Outputs: []string{"y"}, Attributes: []onnx.Attribute{a}})
}

// TestRefused asserts each limit that the package comment states, with the words of onnx-go v0.5.0: when one falls, the
// comment has to change.
func TestRefused(t *testing.T) {
	float32s := &onnx.Type{Kind: onnx.KindTensor, DType: onnx.Float32}
	body := &onnx.Graph{Name: "body", Nodes: []*onnx.Node{relu()}, Outputs: []onnx.ValueInfo{declared("y", onnx.Float32)}}
	sparse := &onnx.SparseTensor{Values: onnx.Float32Tensor("", []int64{1}, 1), Indices: onnx.Int64Tensor("", []int64{1}), Dims: []int64{2}}
	for name, c := range map[string]struct {
		m    *onnx.Model
		want string
	}{
		"If":                   {withAttr("If", onnx.Attribute{Name: "then_branch", Type: onnx.AttrGraph, G: body}), "AttributeProto_GRAPH not handled yet"},
		"attribute of tensors": {withAttr("Op", onnx.Attribute{Name: "a", Type: onnx.AttrTensors, Tensors: []*onnx.Tensor{onnx.Int64Tensor("", nil, 1)}}), "AttributeProto_TENSORS not handled yet"},
		"sparse constant":      {withAttr("Constant", onnx.Attribute{Name: "sparse_value", Type: onnx.AttrSparseTensor, SparseTensor: sparse}), "undefined attributeproto type"},
		"type attribute":       {withAttr("Optional", onnx.Attribute{Name: "type", Type: onnx.AttrTypeProto, TP: float32s}), "undefined attributeproto type"},
		"bool constant":        {withWeight(onnx.NewTensor("w", onnx.Bool, nil, []byte{1})), "Unable to decode data"},
		"8 bool constants":     {withWeight(onnx.NewTensor("w", onnx.Bool, []int64{8}, make([]byte, 8))), "panic: sanity check failed"},
		"int8 weights":         {withWeight(onnx.NewTensor("w", onnx.Int8, []int64{2}, make([]byte, 2))), "Unknown type int8: Not Yet Implemented"},
		"uint8 weights":        {withWeight(onnx.NewTensor("w", onnx.Uint8, []int64{2}, make([]byte, 2))), "Unknown type uint8: Not Yet Implemented"},
		"float16 weights":      {withWeight(onnx.NewTensor("w", onnx.Float16, []int64{2}, make([]byte, 4))), "type: FLOAT16: Not Yet Implemented"},
		"bfloat16 weights":     {withWeight(onnx.NewTensor("w", onnx.BFloat16, []int64{2}, make([]byte, 4))), "Unknown input type: BFLOAT16"},
		"strings":              {withWeight(onnx.StringTensor("w", []int64{1}, "a")), "Unknown type string: Not Yet Implemented"},
		"absent weights":       {withWeight(onnx.VirtualTensor("w", onnx.Float32, []int64{2})), "No data found"},
		"empty constant":       {withWeight(onnx.NewTensor("w", onnx.Float32, []int64{0}, nil)), "No data found"},
		"float16 input":        {withInput(declared("x", onnx.Float16, 2)), "type: FLOAT16: Not Yet Implemented"},
		"sequence input":       {withInput(onnx.ValueInfo{Name: "x", Type: &onnx.Type{Kind: onnx.KindSequence, Elem: float32s}}), "Unknown input type: UNDEFINED"},
		"input with extent 0":  {withInput(declared("x", onnx.Float32, 0, 3)), "panic: "},
		"graph without a node": {graphOf(), "Graph is empty"},
	} {
		if err := decode(New(), marshal(t, c.m)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.want)
		}
	}
}

// TestDropped asserts what gets through onnx-go but not whole.
func TestDropped(t *testing.T) {
	report := func(m *onnx.Model) (*analyzer.Report, error) {
		t.Helper()
		b := New()
		if err := decode(b, marshal(t, m)); err != nil {
			t.Fatal(err)
		}
		return b.Report(context.Background())
	}
	for name, c := range map[string]struct {
		m    *onnx.Model
		want string
	}{
		"attribute without its type": {withAttr("LeakyRelu", onnx.Attribute{Name: "alpha", F: 1}),
			`onnxgo: operator LeakyRelu "y": attribute alpha has no value: the file does not name its type`},
		"sparse initializer": {func() *onnx.Model {
			m := graphOf(&onnx.Node{OpType: "Add", Inputs: []string{"x", "w"}, Outputs: []string{"y"}})
			m.Graph.SparseInitializers = []*onnx.SparseTensor{{Values: onnx.Float32Tensor("w", []int64{1}, 1), Indices: onnx.Int64Tensor("", []int64{1}, 0), Dims: []int64{2}}}
			return m
		}(), `input 1 "w" is produced by no node`},
	} {
		if _, err := report(c.m); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.want)
		}
	}
	if _, err := New().Report(context.Background()); err == nil {
		t.Error("a backend that received nothing gave a report")
	}

	for name, m := range map[string]*onnx.Model{
		"free dimensions only": withInput(declared("x", onnx.Float32, -1, -1)),
		"no shape":             withInput(onnx.ValueInfo{Name: "x", Type: &onnx.Type{Kind: onnx.KindTensor, DType: onnx.Float32}}),
	} {
		r, err := report(m)
		if err != nil {
			t.Fatal(err)
		}
		if !r.LowerBound() || r.Inputs[0].Ranked {
			t.Errorf("%s: input passes for known: %v", name, r.Inputs[0].Shape)
		}
	}
	gelu := &onnx.Node{Name: "name", OpType: "Gelu", Domain: "com.microsoft", Inputs: []string{"x"}, Outputs: []string{"y"}}
	r, err := report(graphOf(gelu))
	if err != nil {
		t.Fatal(err)
	}
	if n := r.Nodes[0]; n.Op() != "Gelu" || n.Name != "y" {
		t.Errorf("got %s %q; the package comment says that domains and node names are lost", n.Op(), n.Name)
	}
}

// TestRoles tells inputs, weights, results and absent operands apart.
func TestRoles(t *testing.T) {
	m := graphOf(
		&onnx.Node{OpType: "Constant", Outputs: []string{"c"}, Attributes: []onnx.Attribute{{Name: "value", Type: onnx.AttrTensor, T: onnx.Int64Tensor("", []int64{2}, 3, 2)}}},
		&onnx.Node{OpType: "Add", Inputs: []string{"x", "w"}, Outputs: []string{"sum"}},
		&onnx.Node{OpType: "Clip", Inputs: []string{"sum", "", "limit"}, Outputs: []string{"clipped"}},
		&onnx.Node{OpType: "Dropout", Inputs: []string{"clipped"}, Outputs: []string{"kept", "mask"}, Attributes: []onnx.Attribute{{Name: "seed", Type: onnx.AttrInt, I: 1}}},
		&onnx.Node{OpType: "Reshape", Inputs: []string{"kept", "c"}, Outputs: []string{"y"}},
	)
	g := m.Graph
	g.Inputs = append(g.Inputs, declared("w", onnx.Float32, 3)) // as files of IR version 3 do
	g.ValueInfo = []onnx.ValueInfo{declared("limit", onnx.Float32), declared("x", onnx.Float32, 2, 3), declared("sum", onnx.Float32, 2, 3)}
	g.Initializers = []*onnx.Tensor{onnx.Float32Tensor("w", []int64{3}, 1, 2, 3), onnx.Float32Tensor("limit", nil, 6), onnx.Int64Tensor("unused", []int64{1}, 1)}
	b := New()
	if err := decode(b, marshal(t, m)); err != nil {
		t.Fatal(err)
	}
	got, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, v := range got.Graph.Inputs {
		lines = append(lines, fmt.Sprint("input ", v.Name))
	}
	for _, w := range got.Graph.Initializers {
		f, err := w.Float64s()
		lines = append(lines, fmt.Sprintf("weight %s %v%v = %v %v", w.Name, w.DType, w.Dims, f, err))
	}
	for _, n := range got.Graph.Nodes {
		lines = append(lines, fmt.Sprintf("%s %q -> %q", n.OpType, n.Inputs, n.Outputs))
	}
	for _, v := range got.Graph.Outputs {
		lines = append(lines, fmt.Sprint("output ", v.Name))
	}
	want := []string{
		"input x",
		"weight w float32[3] = [1 2 3] <nil>",
		"weight limit float32[] = [6] <nil>",
		"weight unused int64[1] = [1] <nil>",
		`Constant [] -> ["c"]`,
		`Add ["x" "w"] -> ["sum"]`,
		`Clip ["sum" "" "limit"] -> ["clipped"]`,
		`Dropout ["clipped"] -> ["kept" "mask"]`,
		`Reshape ["kept" "c"] -> ["y"]`,
		"output y",
	}
	if d := cmp.Diff(want, lines); d != "" {
		t.Errorf("model (-want +got):\n%s", d)
	}
}

// TestWeightsAreLetGo keeps the values that shape arithmetic needs and nothing of a weight.
func TestWeightsAreLetGo(t *testing.T) {
	const n = onnx.InlineLimit/4 + 1
	m := graphOf(&onnx.Node{OpType: "Add", Inputs: []string{"x", "w"}, Outputs: []string{"y"}})
	m.Graph.Initializers = []*onnx.Tensor{onnx.NewTensor("w", onnx.Float32, []int64{n, 1, 1}, make([]byte, 4*n))}
	b := New()
	if err := decode(b, marshal(t, m)); err != nil {
		t.Fatal(err)
	}
	got, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	if w := got.Graph.Initializers[0]; w.HasData() || w.Dims[0] != n {
		t.Errorf("weight: dims %v, data kept: %v", w.Dims, w.HasData())
	}
}

func TestInferOpset(t *testing.T) {
	node := func(op string, attrs ...string) *onnx.Node {
		n := &onnx.Node{OpType: op}
		for _, a := range attrs {
			n.Attributes = append(n.Attributes, onnx.Attribute{Name: a})
		}
		return n
	}
	for _, c := range []struct {
		nodes []*onnx.Node
		want  int64
	}{
		{[]*onnx.Node{node("Conv", "pads"), node("Softmax", "axis")}, latestOpset},
		{[]*onnx.Node{node("ReduceMean", "axes"), node("Squeeze", "axes")}, 12},
		{[]*onnx.Node{node("BatchNormalization", "spatial"), node("Pad", "pads")}, 8},
		{[]*onnx.Node{node("Add", "broadcast", "axis"), node("Reshape", "shape")}, 4},
	} {
		if got := inferOpset(c.nodes); got != c.want {
			t.Errorf("%s …: got opset %d, want %d", c.nodes[0].OpType, got, c.want)
		}
	}
	b := New()
	b.Opset = 9
	if err := decode(b, marshal(t, graphOf(relu()))); err != nil {
		t.Fatal(err)
	}
	if m, err := b.Model(); err != nil || m.Opsets[0].Version != 9 {
		t.Errorf("Backend.Opset 9: got %v, %v", m.Opsets, err)
	}
}
