package op

import (
	"slices"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// Sequences and optionals. Where the content is known item by item the results are exact; otherwise the common type
// of the items is carried on.

// take makes v the value o: its type, elements and, where small, its stored constant.
func (v *Value) take(o *Value) {
	v.SetType(o)
	v.Data = o.Data
	if o.Tensor != nil && o.MayHaveElems() {
		v.Tensor = o.Tensor
	}
}

// wantSequence returns input i, which must not be known to be something else.
func (c *Call) wantSequence(i int) (*Value, error) {
	v, err := c.want(i)
	if err != nil {
		return nil, err
	}
	if v.Kind != onnx.KindSequence && v.Kind != onnx.KindUnknown {
		return nil, c.errorf("input %d is %v, want a sequence", i, v)
	}
	return v, nil
}

// setItems makes v a sequence of items; an empty one keeps the element type.
func (v *Value) setItems(items []*Value, elem *Value) {
	v.SetItems(onnx.KindSequence, items)
	if v.Elem == nil {
		v.Elem = elem
	}
}

// joined is the common type of two element types, either of which may be unknown.
func joined(a, b *Value) *Value {
	switch {
	case a == nil || a.Kind == onnx.KindUnknown:
		return b
	case b == nil || b.Kind == onnx.KindUnknown:
		return a
	}
	return common([]*Value{a, b})
}

func sequenceEmptyShape(c *Call) error {
	elem := &Value{}
	elem.SetUnranked(onnx.DType(c.Int("dtype", int64(onnx.Float32))))
	c.Out[0].setItems(nil, elem)
	return nil
}

func sequenceConstructShape(c *Call) error {
	for i := range c.In {
		if _, err := c.want(i); err != nil {
			return err
		}
	}
	if len(c.In) == 0 {
		return c.errorf("no inputs, want at least one")
	}
	c.Out[0].SetItems(onnx.KindSequence, slices.Clone(c.In))
	return nil
}

// sequenceIndex is the position in input i counted from the front, def where the input is absent; ok is false where it
// is not known. Positions up to last are valid.
func sequenceIndex(c *Call, i int, n, def, last int64) (at int64, ok bool, err error) {
	v := c.Input(i)
	if v == nil {
		return def, true, nil
	}
	num, _ := scalar(v)
	at, ok = num.Int64()
	if !ok {
		return 0, false, nil
	}
	p := at
	if p < 0 {
		p += n
	}
	if p < 0 || p > last {
		return 0, false, c.errorf("position %d is outside a sequence of %d", at, n)
	}
	return p, true, nil
}

func sequenceInsertShape(c *Call) error {
	seq, err := c.wantSequence(0)
	if err != nil {
		return err
	}
	x, err := c.want(1)
	if err != nil {
		return err
	}
	if !seq.HasItems {
		c.Out[0].SetSequence(joined(seq.Elem, x))
		return nil
	}
	n := int64(len(seq.Items))
	at, known, err := sequenceIndex(c, 2, n, n, n)
	if err != nil {
		return err
	}
	if !known { // all items look alike, or the order is open
		if e := common(append(slices.Clip(seq.Items), x)); e.Kind != onnx.KindTensor || !e.Ranked {
			c.Out[0].SetSequence(e)
			return nil
		}
		at = n
	}
	items := slices.Insert(slices.Clone(seq.Items), int(at), x)
	if !known {
		for i, it := range items { // which of them has which elements is open
			items[i] = &Value{}
			items[i].SetType(it)
		}
	}
	c.Out[0].setItems(items, seq.Elem)
	return nil
}

func sequenceEraseShape(c *Call) error {
	seq, err := c.wantSequence(0)
	if err != nil {
		return err
	}
	if !seq.HasItems {
		c.Out[0].SetSequence(seq.Elem)
		return nil
	}
	n := int64(len(seq.Items))
	if n == 0 {
		return c.errorf("the sequence is empty")
	}
	at, known, err := sequenceIndex(c, 1, n, n-1, n-1)
	if err != nil {
		return err
	}
	if !known {
		c.Out[0].SetSequence(common(seq.Items))
		return nil
	}
	c.Out[0].setItems(slices.Delete(slices.Clone(seq.Items), int(at), int(at)+1), seq.Elem)
	return nil
}

func sequenceAtShape(c *Call) error {
	seq, err := c.wantSequence(0)
	if err != nil {
		return err
	}
	if _, err := c.want(1); err != nil {
		return err
	}
	if seq.HasItems {
		n := int64(len(seq.Items))
		at, known, err := sequenceIndex(c, 1, n, 0, n-1)
		if err != nil {
			return err
		}
		if known {
			c.Out[0].take(seq.Items[at])
			return nil
		}
	}
	if seq.Elem != nil {
		c.Out[0].SetType(seq.Elem)
	}
	return nil
}

func sequenceLengthShape(c *Call) error {
	seq, err := c.wantSequence(0)
	if err != nil {
		return err
	}
	c.Out[0].SetTensor(onnx.Int64, Shape{})
	if seq.HasItems {
		c.Out[0].Data = &Data{Nums: []Num{IntOf(int64(len(seq.Items)))}}
	}
	return nil
}

// splitToSequenceShape cuts input 0 along axis: into single places, chunks of a given size, or parts of given sizes.
func splitToSequenceShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	if !x.Ranked {
		elem := &Value{}
		elem.SetUnranked(x.DType)
		c.Out[0].SetSequence(elem)
		return nil
	}
	a, err := axis(c.Int("axis", 0), len(x.Shape))
	if err != nil {
		return err
	}
	parts, known, err := sequenceParts(c, x.Shape[a])
	if err != nil {
		return err
	}
	drop := !c.Has(1) && c.Int("keepdims", 1) == 0
	part := func(d dim.Dim) *Value {
		s := append(Shape{}, x.Shape...)
		s[a] = d
		if drop {
			s = slices.Delete(s, a, a+1)
		}
		v := &Value{}
		v.SetTensor(x.DType, s)
		return v
	}
	if !known {
		d := dim.Const(1)
		if c.Has(1) {
			d = c.fresh("part", x.Shape[a])
		}
		c.Out[0].SetSequence(part(d))
		return nil
	}
	items := make([]*Value, len(parts))
	for i, d := range parts {
		items[i] = part(d)
	}
	c.Out[0].setItems(items, part(dim.Const(1)))
	splitItems(x, a, items)
	return nil
}

// maxItems bounds the items of a sequence that are listed one by one.
const maxItems = 1024

// sequenceParts is the extent of each part; known is false where their number is open.
func sequenceParts(c *Call, total dim.Dim) (parts []dim.Dim, known bool, err error) {
	size := dim.Const(1)
	if split := c.Input(1); split != nil {
		nums := split.Elems()
		switch {
		case !split.Ranked || nums == nil:
			return nil, false, nil
		case len(split.Shape) > 1 || len(split.Shape) == 0 && len(nums) != 1:
			return nil, false, c.errorf("split is %v, want a scalar or a vector", split)
		case len(split.Shape) == 1:
			for _, n := range nums {
				d, ok := n.Dim()
				if v, isConst := d.Value(); ok && isConst && v < 0 {
					return nil, false, c.errorf("a part of %d, want at least 0", v)
				}
				if !ok {
					d = c.fresh("part", total)
				}
				parts = append(parts, d)
			}
			return parts, true, nil
		}
		d, ok := nums[0].Dim()
		if !ok {
			return nil, false, nil
		}
		size = d
	}
	n, ok1 := total.Value()
	k, ok2 := size.Value()
	if ok2 && k < 1 {
		return nil, false, c.errorf("parts of %d, want at least 1", k)
	}
	if !ok1 || !ok2 || n/k > maxItems {
		return nil, false, nil
	}
	for left := n; left > 0; left -= min(k, left) {
		parts = append(parts, dim.Const(min(k, left)))
	}
	return parts, true, nil
}

// splitItems hands known elements to the parts.
func splitItems(x *Value, a int, items []*Value) {
	nums, shape, ok := x.table()
	if !ok || len(nums) == 0 {
		return
	}
	inner := product(shape[a+1:])
	outer := product(shape[:a])
	var at int64
	for _, it := range items {
		n, ok := it.Shape.Elements().Value()
		if !ok {
			return
		}
		rows := n / (outer * inner)
		if rows > shape[a]-at {
			return
		}
		part := make([]Num, 0, n)
		for o := range outer {
			from := (o*shape[a] + at) * inner
			part = append(part, nums[from:from+rows*inner]...)
		}
		it.Data = &Data{Nums: part}
		at += rows
	}
}

// concatFromSequenceShape joins the items along axis, along a new one with attribute new_axis.
func concatFromSequenceShape(c *Call) error {
	seq, err := c.wantSequence(0)
	if err != nil {
		return err
	}
	stack := c.Int("new_axis", 0) != 0
	elem := seq.Elem
	if seq.HasItems {
		elem = common(seq.Items)
	}
	dt := onnx.Undefined
	if elem != nil {
		dt = elem.DType
	}
	rank, ok := itemRank(seq)
	if !ok {
		c.Out[0].SetUnranked(dt)
		return nil
	}
	if stack {
		rank++
	}
	a, err := axis(c.Int("axis", 0), rank)
	if err != nil {
		return err
	}
	items := seq.Items
	if !seq.HasItems {
		items = []*Value{seq.Elem}
	}
	var s Shape
	for i, it := range items {
		part := it.Shape
		if stack {
			part = slices.Insert(slices.Clone(part), a, dim.Const(1))
		}
		if i == 0 {
			s = append(Shape{}, part...)
			continue
		}
		for k := range s {
			if k == a {
				s[k] = s[k].Add(part[k])
			} else if s[k], err = c.sameDim(s[k], part[k]); err != nil {
				return c.errorf("item %d: axis %d: %w", i, k, err)
			}
		}
	}
	if !seq.HasItems {
		s[a] = c.fresh("concat", dim.Dim{})
	}
	c.Out[0].SetTensor(dt, s)
	return nil
}

// itemRank is the common rank of the items; ok is false where it is unknown or there are none.
func itemRank(seq *Value) (rank int, ok bool) {
	if !seq.HasItems {
		return len(seq.elemShape()), seq.Elem != nil && seq.Elem.Ranked
	}
	for i, it := range seq.Items {
		if !it.Ranked || i > 0 && len(it.Shape) != rank {
			return 0, false
		}
		rank = len(it.Shape)
	}
	return rank, len(seq.Items) > 0
}

func (v *Value) elemShape() Shape {
	if v.Elem == nil {
		return nil
	}
	return v.Elem.Shape
}

// optionalShape wraps its input; without one it is empty and has the type of attribute type.
func optionalShape(c *Call) error {
	out := c.Out[0]
	if x := c.Input(0); x != nil {
		out.SetItems(onnx.KindOptional, []*Value{x})
		return nil
	}
	a := c.Node.Attr("type")
	if a == nil || a.TP == nil {
		return c.errorf("neither input nor attribute type, want one")
	}
	out.SetItems(onnx.KindOptional, nil)
	out.Elem = typeValue(a.TP)
	return nil
}

// typeValue is a value of a declared type; extents without a number leave the rank open.
func typeValue(t *onnx.Type) *Value {
	v := &Value{Kind: t.Kind, DType: t.DType}
	switch t.Kind {
	case onnx.KindTensor, onnx.KindSparseTensor:
		v.Ranked = t.HasShape
		for _, d := range t.Shape {
			if !d.HasValue {
				v.Ranked, v.Shape = false, nil
				break
			}
			v.Shape = append(v.Shape, dim.Const(d.Value))
		}
	case onnx.KindSequence, onnx.KindOptional, onnx.KindMap:
		if t.Elem != nil {
			v.Elem = typeValue(t.Elem)
		}
	}
	return v
}

// optionalGetShape unwraps an optional; since opset 18 anything else passes through.
func optionalGetShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	switch {
	case x.Kind != onnx.KindOptional:
		c.Out[0].take(x)
	case x.HasItems && len(x.Items) == 1:
		c.Out[0].take(x.Items[0])
	case x.HasItems:
		return c.errorf("the optional is empty")
	case x.Elem != nil:
		c.Out[0].SetType(x.Elem)
	}
	return nil
}

func optionalHasShape(c *Call) error {
	out := c.Out[0]
	out.SetTensor(onnx.Bool, Shape{})
	x := c.Input(0)
	switch {
	case x == nil:
		out.Data = &Data{Nums: []Num{boolOf(false)}}
	case x.Kind != onnx.KindOptional && x.Kind != onnx.KindUnknown:
		out.Data = &Data{Nums: []Num{boolOf(true)}}
	case x.HasItems:
		out.Data = &Data{Nums: []Num{boolOf(len(x.Items) > 0)}}
	}
	return nil
}

// copied is the traffic of an operator that copies one tensor and shares the rest of a sequence.
func copied(v func(*Call) *Value) func(*Call) (read, written dim.Dim) {
	return func(c *Call) (read, written dim.Dim) {
		if x := v(c); x != nil {
			read, _ = x.Bytes()
		}
		return read, read
	}
}

func container(op string, since int64, shape func(*Call) error, m Memory, doc string) Rule {
	return Rule{Op: op, Since: since, Shape: shape, Work: noWork, Memory: m, Class: Container, Doc: doc}
}

var containerRules = []Rule{
	container("SequenceEmpty", 11, sequenceEmptyShape, Host, "no tensors yet"),
	container("SequenceConstruct", 11, sequenceConstructShape, Stream, "copies the tensors"),
	{Op: "SequenceInsert", Since: 11, Shape: sequenceInsertShape, Work: noWork, Memory: Indexed, Class: Container,
		HostInputs: inputs(2), Traffic: copied(func(c *Call) *Value { return c.Input(1) }), Doc: "copies the new tensor, shares the others"},
	{Op: "SequenceErase", Since: 11, Shape: sequenceEraseShape, Work: noWork, Memory: Indexed, Class: Container,
		HostInputs: inputs(1), Traffic: copied(func(*Call) *Value { return nil }), Doc: "shares the tensors that stay"},
	{Op: "SequenceAt", Since: 11, Shape: sequenceAtShape, Work: noWork, Memory: Indexed, Class: Container,
		HostInputs: inputs(1), Traffic: copied(func(c *Call) *Value { return c.Out[0] }), Doc: "copies the tensor"},
	container("SequenceLength", 11, sequenceLengthShape, Host, "known from the items"),
	{Op: "SplitToSequence", Since: 11, Shape: splitToSequenceShape, Work: noWork, Memory: Stream, Class: Container,
		HostInputs: inputs(1), Traffic: copied(func(c *Call) *Value { return c.Input(0) }), Doc: "copies the parts"},
	{Op: "ConcatFromSequence", Since: 11, Shape: concatFromSequenceShape, Work: noWork, Memory: Stream, Class: Container,
		Traffic: copied(func(c *Call) *Value { return c.Out[0] }), Doc: "copies the items"},
	container("Optional", 15, optionalShape, View, "wraps its input"),
	container("OptionalGetElement", 15, optionalGetShape, View, "unwraps its input"),
	container("OptionalHasElement", 15, optionalHasShape, Host, "known from the type"),
}
