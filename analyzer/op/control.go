package op

import (
	"fmt"
	"slices"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// If, and what all control flow shares: joining the types that different paths give one output.

// ifShape runs the branch that a known condition picks. Otherwise the costlier branch counts, the other is recorded
// beside it, and the outputs have the type that both branches share. Where they share no rank, one of them is assumed:
// see assumed.
func ifShape(c *Call) error {
	if _, err := c.want(0); err != nil {
		return err
	}
	if n, ok := scalar(c.In[0]); ok {
		if v, ok := toBool(n).Int64(); ok {
			name := "else_branch"
			if v != 0 {
				name = "then_branch"
			}
			b, err := inferBranch(c, name)
			if err != nil {
				return err
			}
			c.Engine.Run(b, dim.Const(1))
			for i, o := range c.Out {
				o.take(b.Outputs[i])
			}
			return nil
		}
	}
	then, err := inferBranch(c, "then_branch")
	if err != nil {
		return err
	}
	other, err := inferBranch(c, "else_branch")
	if err != nil {
		return err
	}
	if then.Invalid != other.Invalid { // a model that runs takes the branch that can
		if then.Invalid {
			then, other = other, then
		}
		for i, o := range c.Out {
			o.take(then.Outputs[i])
		}
		c.Engine.Run(then, dim.Const(1))
		c.Engine.Alternative(other)
		return nil
	}
	second := costlier(other.Work, then.Work)
	if !sameRanks(then.Outputs, other.Outputs) {
		second = c.Engine.Assume(assumeElse(c, then, other, second))
		b := then
		if second {
			b = other
		}
		for i, o := range c.Out {
			o.take(b.Outputs[i])
		}
	} else {
		for i, o := range c.Out {
			o.take(c.join(fmt.Sprintf("if_%d", i), then.Outputs[i], other.Outputs[i]))
		}
	}
	if second {
		then, other = other, then
	}
	c.Engine.Run(then, dim.Const(1))
	c.Engine.Alternative(other)
	return nil
}

// sameRanks reports whether no output is known to have another rank in the other branch.
func sameRanks(a, b []*Value) bool {
	for i := range a {
		if a[i].Ranked && b[i].Ranked && len(a[i].Shape) != len(b[i].Shape) {
			return false
		}
	}
	return true
}

// assumeElse picks the branch of which an If's outputs have the shapes where the branches differ in rank: the one that
// has the ranks that the file declares, else the one that the condition picks while no dimension is small, else the
// costlier one. The engine tries the other one where that does not go together with the rest of the graph.
func assumeElse(c *Call, then, other *Body, costlier bool) bool {
	fits := func(b *Body) bool {
		for i, v := range b.Outputs {
			if d := c.Engine.Declared(i); d != nil && d.Ranked && v.Ranked && len(d.Shape) != len(v.Shape) {
				return false
			}
		}
		return true
	}
	if a, b := fits(then), fits(other); a != b {
		return b
	}
	if n, ok := scalar(c.In[0]); ok {
		if holds, ok := predicateOf(n).at(997); ok {
			return !holds
		}
	}
	return costlier
}

func inferBranch(c *Call, name string) (*Body, error) {
	g, err := c.Graph(name)
	if err != nil {
		return nil, err
	}
	b, err := c.Engine.Infer(g, nil)
	if err != nil {
		return nil, err
	}
	if len(b.Outputs) != len(c.Out) {
		return nil, c.errorf("%s has %d outputs, want %d", name, len(b.Outputs), len(c.Out))
	}
	return b, nil
}

// costlier reports whether a has more FLOPs than b, or as many and more special evaluations. Formulas that cannot be
// ordered for every value of their symbols are compared with each symbol at 64.
func costlier(a, b Work) bool {
	for _, p := range [][2]dim.Dim{{a.FLOPs(), b.FLOPs()}, {a.Special, b.Special}} {
		if p[0].Equal(p[1]) {
			continue
		}
		if le, known := p[0].LessEq(p[1]); known {
			return !le
		}
		return typical(p[0]) > typical(p[1])
	}
	return false
}

func typical(d dim.Dim) int64 {
	env := dim.Env{}
	for _, s := range d.Symbols() {
		env[s] = 64
	}
	v, err := d.Eval(env)
	if err != nil {
		return 0
	}
	return v
}

// join is the most precise type that both values have; extents that differ become a fresh one. Elements stay where
// both sides agree.
func (c *Call) join(hint string, a, b *Value) *Value {
	v := &Value{}
	if a.Kind != b.Kind {
		if a.Kind == onnx.KindUnknown || b.Kind == onnx.KindUnknown {
			return v
		}
		return joinOptional(v, a, b)
	}
	v.SetType(a)
	v.Items, v.HasItems = nil, false
	switch a.Kind {
	case onnx.KindTensor:
		if a.Data != nil && sameData(a.Data, b.Data) {
			v.Data = a.Data
		}
		if a.DType != b.DType {
			v.DType = onnx.Undefined
		}
		if !a.Ranked || !b.Ranked || len(a.Shape) != len(b.Shape) {
			v.Ranked, v.Shape = false, nil
			return v
		}
		v.Shape = append(Shape{}, a.Shape...)
		for i, d := range a.Shape {
			if !d.Equal(b.Shape[i]) {
				v.Shape[i] = c.fresh(fmt.Sprintf("%s_%d", hint, i), dim.Max(d, b.Shape[i]))
			}
		}
	default:
		if a.HasItems && b.HasItems && len(a.Items) == len(b.Items) {
			for i := range a.Items {
				v.Items = append(v.Items, c.join(hint, a.Items[i], b.Items[i]))
			}
			v.HasItems = true
		}
		v.Elem = joined(a.Elem, b.Elem)
	}
	return v
}

// joinOptional is the type of a value that is an optional on one path and its element on the other.
func joinOptional(v, a, b *Value) *Value {
	if b.Kind == onnx.KindOptional {
		a, b = b, a
	}
	if a.Kind == onnx.KindOptional {
		v.Kind, v.Elem = onnx.KindOptional, joined(a.Elem, b)
	}
	return v
}

// sameData reports whether all elements are known to agree.
func sameData(a, b *Data) bool {
	if a == nil || b == nil {
		return a == b
	}
	return slices.Equal(a.Strs, b.Strs) && slices.EqualFunc(a.Nums, b.Nums, func(x, y Num) bool { return x.Equal(y) })
}

// sameType reports whether two values have the same type, items included.
func sameType(a, b *Value) bool {
	if a == nil || b == nil {
		return a == b
	}
	if a.Kind != b.Kind || a.DType != b.DType || a.Ranked != b.Ranked || !a.Shape.Equal(b.Shape) || a.HasItems != b.HasItems {
		return false
	}
	if a.HasItems {
		return slices.EqualFunc(a.Items, b.Items, sameType)
	}
	return sameType(a.Elem, b.Elem)
}

// bodyRuns counts how often each body runs, equal ones together.
type bodyRuns struct {
	bodies []*Body
	times  []int64
}

func (r *bodyRuns) add(b *Body) {
	if i := slices.IndexFunc(r.bodies, func(a *Body) bool { return sameBody(a, b) }); i >= 0 {
		r.times[i]++
		return
	}
	r.bodies = append(r.bodies, b)
	r.times = append(r.times, 1)
}

// sameBody reports whether two inferences of one graph came to the same work, traffic and types.
func sameBody(a, b *Body) bool {
	return a == b || a.Traffic.Equal(b.Traffic) && a.Work.MACs.Equal(b.Work.MACs) && a.Work.Vector.Equal(b.Work.Vector) && a.Work.Special.Equal(b.Work.Special) &&
		slices.EqualFunc(a.Outputs, b.Outputs, sameType)
}

func (r *bodyRuns) record(c *Call) {
	for i, b := range r.bodies {
		c.Engine.Run(b, dim.Const(r.times[i]))
	}
}

var controlRules = []Rule{
	{Op: "If", Since: 1, Shape: ifShape, Work: noWork, Memory: Control, Class: ControlFlow, HostInputs: inputs(0),
		Doc: "the branch of a known condition, else the costlier one; the other is reported beside it"},
	{Op: "Loop", Since: 1, Shape: loopShape, Work: noWork, Memory: Control, Class: ControlFlow, HostInputs: inputs(0, 1),
		Doc: "the body times the trip count; up to 64 trips are inferred one by one; a count that depends on data is a symbol"},
	{Op: "Scan", Since: 9, Shape: scanShape, Work: noWork, Memory: Control, Class: ControlFlow,
		Doc: "the body times the length of the scanned axis"},
	{Op: "Scan", Since: 8, Shape: scan8Shape, Work: noWork, Memory: Control, Class: ControlFlow, HostInputs: inputs(0),
		Doc: "the body times batch and sequence length; sequence_lens are taken for full"},
	{Op: "SequenceMap", Since: 17, Shape: sequenceMapShape, Work: noWork, Memory: Control, Class: ControlFlow,
		Doc: "the body for each item; an open number of items is a symbol"},
}
