package op

import (
	"fmt"
	"slices"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// Scan and SequenceMap: bodies that run over the places of an axis or the items of a sequence.

// scanShape is the form since opset 9: the body takes (states…, slices…) and gives (states…, slices…).
func scanShape(c *Call) error {
	g, err := c.Graph("body")
	if err != nil {
		return err
	}
	scanned := int(c.Int("num_scan_inputs", 0))
	if scanned < 1 || scanned > len(c.In) {
		return c.errorf("attribute num_scan_inputs is %d, want 1 to %d", scanned, len(c.In))
	}
	states, outs := len(c.In)-scanned, len(c.Out)-(len(c.In)-scanned)
	if outs < 0 {
		return c.errorf("%d outputs, want at least the %d states", len(c.Out), states)
	}
	for _, a := range []struct {
		name string
		want int
	}{{"scan_input_axes", scanned}, {"scan_input_directions", scanned}, {"scan_output_axes", outs}, {"scan_output_directions", outs}} {
		if n := len(c.Ints(a.name)); c.HasAttr(a.name) && n != a.want {
			return c.errorf("attribute %s has %d entries, want %d", a.name, n, a.want)
		}
	}
	for i := range c.In {
		if _, err := c.want(i); err != nil {
			return err
		}
	}
	var length dim.Dim
	have := false
	parts := make([]*Value, scanned)
	for i := range parts {
		x := c.In[states+i]
		v := &Value{}
		v.SetUnranked(x.DType)
		parts[i] = v
		if !x.Ranked {
			continue
		}
		a, err := axis(listed(c.Ints("scan_input_axes"), i), len(x.Shape))
		if err != nil {
			return c.errorf("scan input %d: %w", i, err)
		}
		v.SetTensor(x.DType, slices.Delete(append(Shape{}, x.Shape...), a, a+1))
		if !have {
			length, have = x.Shape[a], true
		} else if length, err = c.sameDim(length, x.Shape[a]); err != nil {
			return c.errorf("scan input %d: %w", i, err)
		}
	}
	if !have {
		length = c.fresh("scan", dim.Dim{})
	}
	f := fixpoint{Call: c, graph: g, initial: c.In[:states], inputs: func(carried []*Value) []*Value {
		return append(carried, parts...)
	}}
	if err := f.run(); err != nil {
		return err
	}
	if len(f.body.Outputs) != len(c.Out) {
		return c.errorf("the body has %d outputs, want %d", len(f.body.Outputs), len(c.Out))
	}
	c.Engine.Run(f.body, length)
	for i := range states {
		c.Out[i].take(f.final(i, length))
	}
	for i := range outs {
		elem, out := f.body.Outputs[states+i], c.Out[states+i]
		if !elem.Ranked {
			out.SetUnranked(elem.DType)
			continue
		}
		a, err := axis(listed(c.Ints("scan_output_axes"), i), len(elem.Shape)+1)
		if err != nil {
			return c.errorf("scan output %d: %w", i, err)
		}
		out.SetTensor(elem.DType, slices.Insert(append(Shape{}, elem.Shape...), a, length))
	}
	return nil
}

// listed is entry i of an optional list, 0 where there is none.
func listed(xs []int64, i int) int64 {
	if i < len(xs) {
		return xs[i]
	}
	return 0
}

// scan8Shape is the form of opset 8: input 0 holds optional sequence lengths, every other input and every output has a
// leading batch axis, and scanned ones their sequence axis after it.
func scan8Shape(c *Call) error {
	g, err := c.Graph("body")
	if err != nil {
		return err
	}
	scanned := int(c.Int("num_scan_inputs", 0))
	states := len(c.In) - 1 - scanned
	outs := len(c.Out) - states
	if scanned < 1 || states < 0 || outs < 0 {
		return c.errorf("%d inputs, %d of them scanned, and %d outputs do not fit", len(c.In), scanned, len(c.Out))
	}
	batch, length := dim.Dim{}, dim.Dim{}
	haveBatch, haveLength := false, false
	inner := make([]*Value, len(c.In)-1)
	for i := range inner {
		x, err := c.want(i + 1)
		if err != nil {
			return err
		}
		inner[i] = &Value{}
		inner[i].SetUnranked(x.DType)
		lead := 1
		if i >= states {
			lead = 2
		}
		if !x.Ranked {
			continue
		}
		if len(x.Shape) < lead {
			return c.errorf("input %d has rank %d, want at least %d", i+1, len(x.Shape), lead)
		}
		batch, haveBatch = x.Shape[0], true
		if i >= states {
			length, haveLength = x.Shape[1], true
		}
		inner[i].SetTensor(x.DType, x.Shape[lead:])
	}
	if !haveBatch {
		batch = c.fresh("batch", dim.Dim{})
	}
	if !haveLength {
		length = c.fresh("scan", dim.Dim{})
	}
	f := fixpoint{Call: c, graph: g, initial: inner[:states], inputs: func(carried []*Value) []*Value {
		return append(carried, inner[states:]...)
	}}
	if err := f.run(); err != nil {
		return err
	}
	if len(f.body.Outputs) != len(c.Out) {
		return c.errorf("the body has %d outputs, want %d", len(f.body.Outputs), len(c.Out))
	}
	c.Engine.Run(f.body, batch.Mul(length))
	for i, out := range c.Out {
		v, lead := f.body.Outputs[i], Shape{batch, length}
		if i < states {
			v, lead = f.final(i, length), Shape{batch}
		}
		if !v.Ranked {
			out.SetUnranked(v.DType)
			continue
		}
		out.SetTensor(v.DType, append(lead, v.Shape...))
	}
	return nil
}

// sequenceMapShape runs the body once per item. Further sequences run along, tensors are the same for all items.
func sequenceMapShape(c *Call) error {
	g, err := c.Graph("body")
	if err != nil {
		return err
	}
	seq, err := c.wantSequence(0)
	if err != nil {
		return err
	}
	for i := range c.In {
		if _, err := c.want(i); err != nil {
			return err
		}
	}
	if !seq.HasItems || len(seq.Items) > maxUnroll && common(seq.Items).Kind != onnx.KindUnknown {
		return mapElements(c, g, seq)
	}
	items := make([][]*Value, len(c.Out))
	var runs bodyRuns
	var before []*Value
	var body *Body
	for k := range seq.Items {
		in := make([]*Value, len(c.In))
		for i, v := range c.In {
			in[i] = v
			if v.Kind == onnx.KindSequence {
				if v.HasItems && k >= len(v.Items) {
					return c.errorf("input %d has %d items, want %d", i, len(v.Items), len(seq.Items))
				}
				in[i] = asData(elementOf(v, k))
			}
			in[i].Elems() // a stored constant is read here or never
		}
		if body == nil || !slices.EqualFunc(before, in, sameInput) {
			if body, err = inferItem(c, g, in); err != nil {
				return err
			}
		}
		before = in
		runs.add(body)
		for i := range items {
			items[i] = append(items[i], body.Outputs[i])
		}
	}
	if body == nil { // no items: the types all the same
		if body, err = inferItem(c, g, elementsOf(c.In)); err != nil {
			return err
		}
	}
	runs.record(c)
	for i, o := range c.Out {
		o.setItems(items[i], body.Outputs[i])
	}
	return nil
}

func inferItem(c *Call, g *onnx.Graph, in []*Value) (*Body, error) {
	b, err := c.Engine.Infer(g, in)
	if err != nil {
		return nil, err
	}
	if len(b.Outputs) != len(c.Out) {
		return nil, fmt.Errorf("the body has %d outputs, want %d", len(b.Outputs), len(c.Out))
	}
	return b, nil
}

// sameInput reports whether inference would come to the same with either value.
func sameInput(a, b *Value) bool {
	return a == b || sameType(a, b) && a.Data == nil && b.Data == nil && !a.MayHaveElems() && !b.MayHaveElems()
}

// elementOf is item k of a sequence, or its element type; nil where nothing is known.
func elementOf(v *Value, k int) *Value {
	if v.HasItems && k < len(v.Items) {
		return v.Items[k]
	}
	return v.Elem
}

func elementsOf(in []*Value) []*Value {
	out := slices.Clone(in)
	for i, v := range in {
		if v.Kind == onnx.KindSequence {
			out[i] = v.Elem
		}
	}
	return out
}

// mapElements infers the body once for a number of items that is open or large.
func mapElements(c *Call, g *onnx.Graph, seq *Value) error {
	in := elementsOf(c.In)
	b, err := inferItem(c, g, in)
	if err != nil {
		return err
	}
	times := dim.Const(int64(len(seq.Items)))
	if !seq.HasItems {
		times = c.fresh("items", dim.Dim{})
	}
	c.Engine.Run(b, times)
	for i, o := range c.Out {
		o.SetSequence(b.Outputs[i])
	}
	return nil
}
