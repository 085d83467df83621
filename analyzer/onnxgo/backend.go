package onnxgo

import (
	"context"
	"fmt"
	"slices"

	owulveryck "github.com/owulveryck/onnx-go"
	"gonum.org/v1/gonum/graph"
	"gonum.org/v1/gonum/graph/iterator"
	"gorgonia.org/tensor"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// Backend is an onnx-go backend that records the graph it is given. It receives one model, from one goroutine.
type Backend struct {
	// Opset is the version of ai.onnx by which operators are read. onnx-go does not pass it on; with 0 it is inferred
	// from the attributes that operators carry (see the package comment).
	Opset int64
	// Options go to analyzer.Analyze. Options.Shapes is the way to say what onnx-go drops: the shape of an input with
	// free dimensions.
	Options analyzer.Options

	values []*value // by ID
	calls  []call
}

var _ owulveryck.Backend = (*Backend)(nil)

// New returns an empty backend for onnx-go's NewModel.
func New() *Backend { return &Backend{} }

// call is one operation with the values it makes; the operands are the edges of the first of them.
type call struct {
	op      owulveryck.Operation
	outputs []*value
}

// value is a node of onnx-go's graph, which stands for a tensor and not for an operation.
type value struct {
	backend *Backend
	id      int64
	name    string
	tensor  *onnx.Tensor  // declared type and shape, and the values where they are few
	content tensor.Tensor // nil where it was dropped
	stored  int           // how many tensors onnx-go set before the first operation
	given   bool          // the program set a tensor afterwards
	in      []edge
}

// edge leads from a result to an operand; weight is the operand's position.
type edge struct {
	from, to graph.Node
	weight   float64
}

func (e edge) From() graph.Node         { return e.from }
func (e edge) To() graph.Node           { return e.to }
func (e edge) Weight() float64          { return e.weight }
func (e edge) ReversedEdge() graph.Edge { return edge{e.to, e.from, e.weight} }

// ID is the value's number in the order of arrival; the graph's inputs come first.
func (v *value) ID() int64           { return v.id }
func (v *value) SetName(name string) { v.name = name }
func (v *value) GetName() string     { return v.name }

// SetTensor takes over type and shape, and keeps the content where it is at most onnx.InlineLimit bytes: enough for
// shape arithmetic. Weights are let go.
func (v *value) SetTensor(t tensor.Tensor) error {
	c, small, err := convert(t)
	if err != nil {
		return fmt.Errorf("%q: %w", v.name, err)
	}
	v.tensor, v.content = c, nil
	if small {
		v.content = t
	}
	if len(v.backend.calls) == 0 {
		v.stored++
	} else {
		v.given = true
	}
	return nil
}

// GetTensor returns the content, nil where SetTensor did not keep it.
func (v *value) GetTensor() tensor.Tensor { return v.content }

// ApplyOperation records an operation and the values it makes.
func (b *Backend) ApplyOperation(op owulveryck.Operation, outputs ...graph.Node) error {
	c := call{op: op}
	for _, n := range outputs {
		v, ok := n.(*value)
		if !ok || v.backend != b {
			return fmt.Errorf("onnxgo: operator %s: output %v is not a node of this backend", op.Name, n)
		}
		c.outputs = append(c.outputs, v)
	}
	if len(c.outputs) == 0 {
		return fmt.Errorf("onnxgo: operator %s: no output, and onnx-go passes no operands without one", op.Name)
	}
	b.calls = append(b.calls, c)
	return nil
}

// CodeInputShape is the code of the note that Report adds for each input whose shape was taken as onnx-go gave it.
const CodeInputShape = "onnxgo-input-shape"

// Report analyses the model received. It fails where Model or analyzer.Analyze does.
func (b *Backend) Report(ctx context.Context) (*analyzer.Report, error) {
	m, err := b.Model()
	if err != nil {
		return nil, err
	}
	r, err := analyzer.Analyze(ctx, m, b.Options)
	if err != nil {
		return nil, err
	}
	for _, v := range r.Inputs {
		if _, told := b.Options.Shapes[v.Name]; told || b.isGiven(v.Name) {
			continue
		}
		shape := "without dimensions, so its shape is unknown"
		if v.Ranked {
			shape = "as " + v.Shape.String()
		}
		r.Diagnostics = append(r.Diagnostics, analyzer.Diagnostic{Severity: analyzer.SeverityNote, Code: CodeInputShape,
			Message: fmt.Sprintf("input %q arrived %s; onnx-go drops free dimensions, Options.Shapes gives the true shape", v.Name, shape)})
	}
	return r, nil
}

// isGiven reports whether the program set a tensor for the value called name.
func (b *Backend) isGiven(name string) bool {
	return slices.ContainsFunc(b.values, func(v *value) bool { return v.given && v.name == name })
}

// NewNode returns a node that AddNode makes part of the graph.
func (b *Backend) NewNode() graph.Node { return &value{backend: b, id: int64(len(b.values))} }

// AddNode panics where n is not the last node that NewNode made, or was added before.
func (b *Backend) AddNode(n graph.Node) {
	v, ok := n.(*value)
	if !ok || v.backend != b || v.id != int64(len(b.values)) {
		panic(fmt.Sprintf("onnxgo: AddNode: node %d is not the one that NewNode made last", n.ID()))
	}
	b.values = append(b.values, v)
}

// NewWeightedEdge makes an edge that SetWeightedEdge makes part of the graph.
func (b *Backend) NewWeightedEdge(from, to graph.Node, weight float64) graph.WeightedEdge {
	return edge{from, to, weight}
}

// SetWeightedEdge adds an edge; unlike gonum's own graphs it keeps parallel ones, so that x·x has two operands.
func (b *Backend) SetWeightedEdge(e graph.WeightedEdge) {
	from := b.value(e.From().ID())
	if from == nil || b.value(e.To().ID()) == nil {
		panic(fmt.Sprintf("onnxgo: SetWeightedEdge: edge from %d to %d leaves the graph", e.From().ID(), e.To().ID()))
	}
	from.in = append(from.in, edge{e.From(), e.To(), e.Weight()})
}

func (b *Backend) value(id int64) *value {
	if id < 0 || id >= int64(len(b.values)) {
		return nil
	}
	return b.values[id]
}

// Node returns the node with the given ID, nil where there is none.
func (b *Backend) Node(id int64) graph.Node {
	if v := b.value(id); v != nil {
		return v
	}
	return nil
}

// Nodes returns all nodes in the order of their IDs.
func (b *Backend) Nodes() graph.Nodes {
	return b.nodesWhere(func(*value) bool { return true })
}

// From returns the operands of the operation that makes a value.
func (b *Backend) From(id int64) graph.Nodes {
	return b.nodesWhere(func(v *value) bool { return b.HasEdgeFromTo(id, v.id) })
}

// To returns the values whose operations have the value as an operand.
func (b *Backend) To(id int64) graph.Nodes {
	return b.nodesWhere(func(v *value) bool { return b.HasEdgeFromTo(v.id, id) })
}

func (b *Backend) nodesWhere(ok func(*value) bool) graph.Nodes {
	var list []graph.Node
	for _, v := range b.values {
		if ok(v) {
			list = append(list, v)
		}
	}
	if len(list) == 0 {
		return graph.Empty
	}
	return iterator.NewOrderedNodes(list)
}

// HasEdgeBetween reports whether an edge connects the nodes in either direction.
func (b *Backend) HasEdgeBetween(x, y int64) bool {
	return b.HasEdgeFromTo(x, y) || b.HasEdgeFromTo(y, x)
}

// HasEdgeFromTo reports whether v is an operand of u's operation.
func (b *Backend) HasEdgeFromTo(u, v int64) bool { return b.WeightedEdge(u, v) != nil }

// Edge returns the edge from u to v, nil where there is none.
func (b *Backend) Edge(u, v int64) graph.Edge {
	if e := b.WeightedEdge(u, v); e != nil {
		return e
	}
	return nil
}

// WeightedEdge returns the first edge from u to v, nil where there is none.
func (b *Backend) WeightedEdge(u, v int64) graph.WeightedEdge {
	from := b.value(u)
	if from == nil {
		return nil
	}
	for _, e := range from.in {
		if e.to.ID() == v {
			return e
		}
	}
	return nil
}
