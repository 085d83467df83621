package analyzer

import (
	"slices"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/op"
)

// Convention is a way to count the operations of a graph: what one tool counts, so that its figures and ours can be
// held side by side. Each is a table from operator to formula, taken from the tool's source; an operator that is not
// in the table counts 0, because that is what the tool makes of it.
//
// A convention counts the graph as it is. Where the graph no longer shows what the tool would have seen (a
// BatchNormalization folded into the convolution before it, a layer normalisation taken apart), the Note says so and
// nothing is guessed.
type Convention struct {
	Name   string
	Unit   string // what the tool calls its figure: "MACs", "FLOPs" or "ops"
	PerMAC int64  // what one multiply-accumulate of a convolution or matrix product adds to the figure
	Title  string
	Source string // tool, file, version and year
	Note   string // what the table leaves out, and where the graph and the tool's view part

	rules     countRules
	other     countRule // operators that are not in rules; nil counts 0
	anyDomain bool      // the tool knows operators by name, whatever their domain
}

// Conventions returns the conventions, ours first, then by name.
func Conventions() []Convention {
	return []Convention{oursConvention, fvcoreConvention, onnxToolConvention, paperConvention, thopConvention, torchConvention}
}

// ConventionByName finds a convention.
func ConventionByName(name string) (Convention, bool) {
	all := Conventions()
	if i := slices.IndexFunc(all, func(c Convention) bool { return c.Name == name }); i >= 0 {
		return all[i], true
	}
	return Convention{}, false
}

// asExported ends the notes of the tools that watch a framework's model.
const asExported = " Count the model as it was exported: a graph that a runtime has optimised no longer shows all that the tool saw."

var oursConvention = Convention{
	Name:   "ours",
	Unit:   "MACs",
	PerMAC: 1,
	Title:  "onnxcost",
	Source: "the rules of this program",
	Note: "Convolutions, matrix products, attention and recurrent layers in all their forms; a bias addition is not a MAC. " +
		"Everything else is counted apart, as FLOPs and special operations.",
	other: perMAC(1),
}

// count is what one execution of n adds under the convention, as a formula in the free dimensions. The bodies of
// control flow are apart, as in Node.Work. Operands of unknown rank count 0, as everywhere in a Report that says its
// totals are lower bounds.
func (c Convention) count(n *Node) dim.Dim {
	name := n.Op()
	if c.anyDomain {
		name = n.Proto.OpType
	}
	rule := c.rules[name]
	if rule == nil {
		rule = c.other
	}
	if rule == nil || n.shapeArithmetic() {
		return dim.Dim{}
	}
	return rule(&execution{node: n, Call: op.Call{Node: n.Proto, Opset: n.Opset, In: n.Inputs, Out: n.Outputs}})
}

// shapeArithmetic reports whether the node's results follow from the shapes alone. Frameworks compute them outside the
// graph, with plain integers, so no tool counts them.
func (n *Node) shapeArithmetic() bool {
	if len(n.Outputs) == 0 {
		return false
	}
	for _, v := range n.Outputs {
		if v != nil && (v.Data == nil || v.DType.IsFloat() && len(v.Shape) > 0) {
			return false
		}
	}
	return true
}

// Recount adds the convention up over every executed node, times included.
func (r *Report) Recount(c Convention) dim.Dim {
	var total dim.Dim
	r.Walk(func(n *Node, times dim.Dim, _ int) { total = total.Add(c.count(n).Mul(times)) })
	return total
}

// countRules is the table of a convention, by operator as Node.Op names it.
type countRules map[string]countRule

// countRule counts one execution of a node.
type countRule func(*execution) dim.Dim

// execution is a node as the tables see it.
type execution struct {
	op.Call
	node *Node
}

// shapeOf returns the extents of a tensor; nil for a scalar and where the tensor is absent or its rank unknown.
func shapeOf(v *op.Value) op.Shape {
	if v == nil || !v.Ranked {
		return nil
	}
	return v.Shape
}

// elementsOf is the size of a tensor, 0 where it is absent or its rank unknown.
func elementsOf(v *op.Value) dim.Dim {
	if v == nil {
		return dim.Dim{}
	}
	n, _ := v.Elements()
	return n
}

// output is the first output, nil where it is absent.
func (x *execution) output() *op.Value {
	if len(x.Out) == 0 {
		return nil
	}
	return x.Out[0]
}

// weights reports whether input i is the same for every input of the model, as a layer's weights are.
func (x *execution) weights(i int) bool {
	v := x.Input(i)
	return v != nil && v.Const
}

// perMAC is k per multiply-accumulate.
func perMAC(k int64) countRule {
	return func(x *execution) dim.Dim { return x.node.Work.MACs.MulInt(k) }
}

// linearLayer is k per multiply-accumulate of a product whose right operand is weights: what a framework calls a linear or
// fully connected layer.
func linearLayer(k int64) countRule {
	return func(x *execution) dim.Dim {
		if !x.weights(1) {
			return dim.Dim{}
		}
		return x.node.Work.MACs.MulInt(k)
	}
}

// perOutput is k per element of the first output.
func perOutput(k int64) countRule {
	return func(x *execution) dim.Dim { return elementsOf(x.output()).MulInt(k) }
}

// perInput is k per element of the first input.
func perInput(k int64) countRule {
	return func(x *execution) dim.Dim { return elementsOf(x.Input(0)).MulInt(k) }
}

// interpolation says what a tool counts per output element of a Resize, by the rank of the image: 3, 4 or 5 for one,
// two or three spatial axes. Ranks that are absent count 0.
type interpolation struct{ nearest, linear, cubic map[int]int64 }

func (in interpolation) count(x *execution) dim.Dim {
	var weights map[int]int64
	switch x.Str("mode", "nearest") {
	case "nearest":
		weights = in.nearest
	case "linear", "bilinear": // bilinear: Upsample of opset 1
		weights = in.linear
	case "cubic":
		weights = in.cubic
	}
	out := x.output()
	return elementsOf(out).MulInt(weights[len(shapeOf(out))])
}

// softmaxRows is the number of distributions of a Softmax-like node. Up to opset 12 one distribution runs over all
// axes from the attribute on (default 1), from 13 on along one axis (default the last).
func (x *execution) softmaxRows() dim.Dim {
	s := shapeOf(x.output())
	if len(s) == 0 {
		return elementsOf(x.output())
	}
	def := int64(-1)
	if x.Opset < 13 {
		def = 1
	}
	axis := x.Int("axis", def)
	if axis < 0 {
		axis += int64(len(s))
	}
	if axis < 0 || axis > int64(len(s)) {
		return dim.Dim{}
	}
	rows := s[:axis].Elements()
	if x.Opset >= 13 && int(axis) < len(s) {
		rows = rows.Mul(s[axis+1:].Elements())
	}
	return rows
}

// recurrentLayer is the geometry of an RNN, GRU or LSTM node; known is false where an operand's rank is not.
type recurrentLayer struct{ steps, batch, directions, input, hidden dim.Dim }

// recurrent reads X (steps, batch, input; batch first under layout 1) and R (directions, gates·hidden, hidden).
func (x *execution) recurrent() (g recurrentLayer, known bool) {
	in, r := shapeOf(x.Input(0)), shapeOf(x.Input(2))
	if len(in) != 3 || len(r) != 3 {
		return g, false
	}
	g = recurrentLayer{steps: in[0], batch: in[1], input: in[2], directions: r[0], hidden: r[2]}
	if x.Int("layout", 0) != 0 {
		g.steps, g.batch = g.batch, g.steps
	}
	return g, true
}
