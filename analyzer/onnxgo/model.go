package onnxgo

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gorgonia.org/tensor"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// Model returns the model received. Weights above onnx.InlineLimit bytes have type and dims only. An operation is
// called after its first output, because onnx-go passes no node names.
//
// The error says which attribute or operand cannot be translated.
func (b *Backend) Model() (*onnx.Model, error) {
	if len(b.calls) == 0 {
		return nil, fmt.Errorf("onnxgo: no operation was received; decode a model with onnx-go's UnmarshalBinary first")
	}
	t := translation{produced: map[string]bool{}, first: map[string]*value{}, firstProduced: int64(len(b.values))}
	for _, v := range b.values {
		if t.first[v.name] == nil {
			t.first[v.name] = v
		}
	}
	for _, c := range b.calls {
		for _, v := range c.outputs {
			t.produced[v.name] = true
			t.firstProduced = min(t.firstProduced, t.first[v.name].id)
		}
	}
	g := &onnx.Graph{}
	for _, c := range b.calls {
		n, err := t.node(c)
		if err != nil {
			return nil, fmt.Errorf("onnxgo: operator %s %q: %w", c.op.Name, c.outputs[0].name, err)
		}
		g.Nodes = append(g.Nodes, n)
	}
	for _, v := range b.values {
		if t.first[v.name] != v || t.produced[v.name] || v.name == "" {
			continue
		}
		switch {
		case t.isInput(v):
			g.Inputs = append(g.Inputs, b.input(v))
		case v.tensor != nil:
			w := *v.tensor
			w.Name = v.name
			g.Initializers = append(g.Initializers, &w)
		}
	}
	g.Outputs = t.outputs(b)
	opset := b.Opset
	if opset == 0 {
		opset = inferOpset(g.Nodes)
	}
	return &onnx.Model{Path: "onnx-go model", IRVersion: 8, Opsets: []onnx.OpsetID{{Version: opset}}, Graph: g}, nil
}

// translation tells the roles of values apart, which onnx-go does not. It announces, in this order: the graph's inputs,
// its value_info and its outputs, each with a tensor of the declared type; the initializers, each with its content; then
// the operations.
type translation struct {
	first         map[string]*value // by name: onnx-go makes a second node for a name that is declared twice
	produced      map[string]bool
	firstProduced int64 // the smallest ID of a value that an operation makes; some graph output has one
}

// isInput reports whether a value that no operation makes is an input of the graph and not an initializer: it is
// announced before all results, and only once. Files of IR version 3 announce initializers as inputs too.
func (t *translation) isInput(v *value) bool {
	return v.given || v.id < t.firstProduced && v.stored < 2
}

// input declares a graph input, without a shape where the caller's options give one, and where there are no dimensions:
// that is how a declaration without a shape arrives, and one of free dimensions only.
func (b *Backend) input(v *value) onnx.ValueInfo {
	vi := onnx.ValueInfo{Name: v.name}
	if v.tensor == nil {
		return vi
	}
	vi.Type = &onnx.Type{Kind: onnx.KindTensor, DType: v.tensor.DType}
	if _, ok := b.Options.Shapes[v.name]; ok || len(v.tensor.Dims) == 0 && !v.given {
		return vi
	}
	vi.Type.HasShape = true
	for _, d := range v.tensor.Dims {
		vi.Type.Shape = append(vi.Type.Shape, onnx.Dimension{Value: d, HasValue: true})
	}
	return vi
}

// outputs are the results that nobody uses. Where some were declared by the file, the others are second results that
// an operator has and the model does not want.
func (t *translation) outputs(b *Backend) []onnx.ValueInfo {
	used := map[string]bool{}
	for _, v := range b.values {
		for _, e := range v.in {
			used[b.values[e.to.ID()].name] = true
		}
	}
	var declared, all []onnx.ValueInfo
	for _, v := range b.values {
		if t.first[v.name] != v || !t.produced[v.name] || used[v.name] || v.name == "" {
			continue
		}
		all = append(all, onnx.ValueInfo{Name: v.name})
		if v.stored > 0 {
			declared = append(declared, onnx.ValueInfo{Name: v.name})
		}
	}
	if len(declared) > 0 {
		return declared
	}
	return all
}

func (t *translation) node(c call) (*onnx.Node, error) {
	n := &onnx.Node{Name: c.outputs[0].name, OpType: c.op.Name}
	for _, v := range c.outputs {
		n.Outputs = append(n.Outputs, v.name)
	}
	operands := slices.Clone(c.outputs[0].in)
	slices.SortStableFunc(operands, func(a, b edge) int { return cmp.Compare(a.weight, b.weight) })
	for i, e := range operands {
		if e.weight != float64(i) {
			return nil, fmt.Errorf("operand %d is missing", i)
		}
		n.Inputs = append(n.Inputs, e.to.(*value).name)
	}
	if len(operands) == 1 && t.isFake(operands[0].to.(*value)) {
		n.Inputs = nil
	}
	for _, name := range slices.Sorted(maps.Keys(c.op.Attributes)) {
		a, err := attribute(name, c.op.Attributes[name])
		if err != nil {
			return nil, err
		}
		n.Attributes = append(n.Attributes, a)
	}
	return n, nil
}

// isFake reports whether v is the operand NAME/input that onnx-go makes up for an operation that has none: Constant,
// RandomNormal.
func (t *translation) isFake(v *value) bool {
	return !t.produced[v.name] && v.tensor == nil && v.id > t.firstProduced && strings.HasSuffix(v.name, "/input")
}

func attribute(name string, v any) (onnx.Attribute, error) {
	a := onnx.Attribute{Name: name}
	switch v := v.(type) {
	case float32:
		a.Type, a.F = onnx.AttrFloat, v
	case int64:
		a.Type, a.I = onnx.AttrInt, v
	case string:
		a.Type, a.S = onnx.AttrString, v
	case []float32:
		a.Type, a.Floats = onnx.AttrFloats, v
	case []int64:
		a.Type, a.Ints = onnx.AttrInts, v
	case []string:
		a.Type, a.Strings = onnx.AttrStrings, v
	case tensor.Tensor:
		t, _, err := convert(v)
		if err != nil {
			return a, fmt.Errorf("attribute %s: %w", name, err)
		}
		a.Type, a.T = onnx.AttrTensor, t
	case struct{}:
		return a, fmt.Errorf("attribute %s has no value: the file does not name its type, which onnx-go needs; read the file with analyzer/onnx", name)
	default:
		return a, fmt.Errorf("attribute %s has the unknown type %T", name, v)
	}
	return a, nil
}
