package op

import (
	"fmt"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// Operators that make values from types, and those that give a tensor another shape without touching its elements.

// shapeShape is Shape: a vector with one element per axis of [start, end).
func shapeShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	if !x.Ranked {
		c.Out[0].SetTensor(onnx.Int64, Shape{c.fresh("rank", dim.Dim{})})
		return nil
	}
	s := x.Shape[shapeRange(c, len(x.Shape)).lo:shapeRange(c, len(x.Shape)).hi]
	c.Out[0].SetTensor(onnx.Int64, Consts(int64(len(s))))
	nums := make([]Num, len(s))
	for i, d := range s {
		nums[i] = Int(d)
	}
	c.Out[0].Data = &Data{Nums: nums}
	return nil
}

type span struct{ lo, hi int }

// shapeRange clamps Shape's start and end (opset 15) to the rank.
func shapeRange(c *Call, rank int) span {
	at := func(name string, def int64) int {
		v := c.Int(name, def)
		if v < 0 {
			v += int64(rank)
		}
		return int(min(max(v, 0), int64(rank)))
	}
	lo, hi := at("start", 0), at("end", int64(rank))
	return span{lo, max(lo, hi)}
}

// sizeShape is Size: the number of elements as a scalar.
func sizeShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	c.Out[0].SetTensor(onnx.Int64, Shape{})
	if n, ok := x.Elements(); ok {
		c.Out[0].Data = &Data{Nums: []Num{Int(n)}}
	}
	return nil
}

// targetShape reads input i as a shape. Single unknown entries become fresh extents; known is false where not even
// the rank is known. Negative constants are an error.
func (c *Call) targetShape(i int, hint string) (s Shape, known bool, err error) {
	v, err := c.want(i)
	if err != nil {
		return nil, false, err
	}
	if ds, ok, okAll := v.dims(); okAll {
		s = make(Shape, len(ds))
		for k, d := range ds {
			if !ok[k] {
				s[k] = c.fresh(fmt.Sprintf("%s_%d", hint, k), dim.Dim{})
				continue
			}
			if n, isConst := d.Value(); isConst && n < 0 {
				return nil, false, fmt.Errorf("input %d asks for extent %d, want at least 0", i, n)
			}
			s[k] = d
		}
		return s, true, nil
	}
	if v.Ranked && len(v.Shape) == 1 {
		if n, ok := v.Shape[0].Value(); ok && n <= 64 {
			return c.freshShape(hint, int(n)), true, nil
		}
	}
	return nil, false, nil
}

// identityShape hands type, elements and provenance on.
func identityShape(c *Call) error {
	if err := sameShape(c); err != nil {
		return err
	}
	c.Out[0].Data = c.In[0].Data
	if c.In[0].Tensor != nil && c.In[0].MayHaveElems() {
		c.Out[0].Tensor = c.In[0].Tensor
	}
	return nil
}

// sameElementType: a conversion to the type that the elements have.
func sameElementType(in, out *Value) bool { return in.DType == out.DType && out.DType.Bits() > 0 }

// sameExtents: an expansion by nothing.
func sameExtents(in, out *Value) bool { return in.Ranked && out.Ranked && in.Shape.Equal(out.Shape) }

// reshapeShape is Reshape: 0 copies an extent (unless allowzero), one -1 takes what is left.
func reshapeShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	var target []Num
	if a := c.Node.Attr("shape"); a != nil && len(c.In) < 2 { // opset 1
		target = intNums(a.Ints)
	} else {
		v, err := c.want(1)
		if err != nil {
			return err
		}
		if target = v.Elems(); target == nil {
			s, known, err := c.targetShape(1, "reshape")
			if err != nil {
				return err
			}
			c.setOut(0, x.DType, s, known)
			c.Out[0].keepCount(x)
			return nil
		}
	}
	s, err := reshape(c, x, target)
	if err != nil {
		return err
	}
	c.Out[0].SetTensor(x.DType, s)
	c.Out[0].keepCount(x)
	return nil
}

func reshape(c *Call, x *Value, target []Num) (Shape, error) {
	s := make(Shape, len(target))
	rest, unknown := -1, 0
	known := dim.Const(1)
	for i, n := range target {
		d, ok := n.Dim()
		v, isConst := d.Value()
		switch {
		case !ok:
			unknown++
			rest = i
			continue
		case isConst && v == 0 && c.Int("allowzero", 0) == 0:
			if !x.Ranked {
				unknown++
				rest = i
				continue
			}
			if i >= len(x.Shape) {
				return nil, fmt.Errorf("target %d copies axis %d of an input of rank %d", i, i, len(x.Shape))
			}
			d = x.Shape[i]
		case isConst && v == -1:
			unknown++
			rest = i
			continue
		case isConst && v < -1:
			return nil, fmt.Errorf("target %d is %d, want at least -1", i, v)
		}
		s[i] = d
		known = known.Mul(d)
	}
	total, haveTotal := x.Elements()
	if unknown == 1 && haveTotal {
		if known.Is(0) {
			s[rest] = dim.Const(0)
			return s, nil
		}
		q := total.FloorDiv(known)
		if q.Err() != nil {
			return nil, q.Err()
		}
		if tv, ok := total.Value(); ok {
			if kv, ok := known.Value(); ok && tv%kv != 0 {
				return nil, fmt.Errorf("%d elements do not divide into %v", tv, targetText(target))
			}
		}
		s[rest] = q
		c.equal(q.Mul(known), total)
		return s, nil
	}
	for i := range s {
		if unknown > 0 && isOpen(target[i], x, i) {
			s[i] = c.fresh(fmt.Sprintf("reshape_%d", i), dim.Dim{})
		}
	}
	if unknown == 0 && haveTotal {
		tv, ok1 := total.Value()
		kv, ok2 := known.Value()
		if ok1 && ok2 && tv != kv {
			return nil, fmt.Errorf("%d elements do not fit %v", tv, targetText(target))
		}
		c.equal(known, total)
	}
	return s, nil
}

// isOpen reports whether a target entry is left to inference.
func isOpen(n Num, x *Value, i int) bool {
	d, ok := n.Dim()
	return !ok || d.Is(-1) || d.Is(0) && !x.Ranked
}

func targetText(target []Num) string {
	s := make(Shape, len(target))
	for i, n := range target {
		d, ok := n.Dim()
		if !ok {
			d = dim.Symbol("?")
		}
		s[i] = d
	}
	return s.String()
}

// flattenShape is Flatten: axes before axis form the rows, the others the columns.
func flattenShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	if !x.Ranked {
		c.Out[0].SetTensor(x.DType, c.freshShape("flatten", 2))
		return nil
	}
	a := c.Int("axis", 1)
	if a < 0 {
		a += int64(len(x.Shape))
	}
	if a < 0 || a > int64(len(x.Shape)) {
		return c.errorf("axis %d is outside rank %d", c.Int("axis", 1), len(x.Shape))
	}
	c.Out[0].SetTensor(x.DType, Shape{x.Shape[:a].Elements(), x.Shape[a:].Elements()})
	return nil
}

// axesInput reads axes from input i, else from the attribute. given is false where neither is there; known is false
// where the input's elements are not known.
func (c *Call) axesInput(i int) (as []int64, given, known bool) {
	if v := c.Input(i); v != nil {
		as, known = v.Int64s()
		return as, true, known
	}
	if a := c.Node.Attr("axes"); a != nil {
		return a.Ints, true, true
	}
	return nil, false, true
}

// squeezeShape drops axes of 1: those given, or all of them where none is given. An empty list of axes gives none: ONNX
// Runtime takes it for an absent one, and it is the runtime's shape that a report is about; the standard does not say.
func squeezeShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	as, given, known := c.axesInput(1)
	if !known || !x.Ranked {
		if n := c.Input(1); !known && x.Ranked && n != nil && n.Ranked && len(n.Shape) == 1 {
			if k, ok := n.Shape[0].Value(); ok && k > 0 && k <= int64(len(x.Shape)) {
				c.Out[0].SetTensor(x.DType, c.freshShape("squeeze", len(x.Shape)-int(k)))
				c.Out[0].keepCount(x)
				return nil
			}
		}
		c.Out[0].SetUnranked(x.DType)
		return nil
	}
	drop := make([]bool, len(x.Shape))
	if given && len(as) > 0 {
		idx, err := axes(as, len(x.Shape))
		if err != nil {
			return err
		}
		for _, a := range idx {
			if v, ok := x.Shape[a].Value(); ok && v != 1 {
				return c.errorf("axis %d has extent %d, want 1", a, v)
			}
			drop[a] = true
		}
	} else {
		for a, d := range x.Shape {
			drop[a] = d.Is(1)
		}
	}
	s := make(Shape, 0, len(x.Shape))
	for a, d := range x.Shape {
		if !drop[a] {
			s = append(s, d)
		}
	}
	c.Out[0].SetTensor(x.DType, s)
	return nil
}

func unsqueezeShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	as, given, known := c.axesInput(1)
	if !given {
		return c.errorf("no axes, want an input or an attribute")
	}
	if !known || !x.Ranked {
		if n := c.Input(1); !known && x.Ranked && n != nil && n.Ranked && len(n.Shape) < 2 {
			if k, ok := n.Shape.Elements().Value(); ok && k <= 64 { // axes of 1, in places that the run decides
				c.Out[0].SetTensor(x.DType, c.freshShape("unsqueeze", len(x.Shape)+int(k)))
				c.Out[0].keepCount(x)
				return nil
			}
		}
		c.Out[0].SetUnranked(x.DType)
		return nil
	}
	rank := len(x.Shape) + len(as)
	idx, err := axes(as, rank)
	if err != nil {
		return err
	}
	s := make(Shape, rank)
	added := make([]bool, rank)
	for _, a := range idx {
		added[a] = true
	}
	k := 0
	for a := range s {
		if added[a] {
			s[a] = dim.Const(1)
			continue
		}
		s[a] = x.Shape[k]
		k++
	}
	c.Out[0].SetTensor(x.DType, s)
	return nil
}

// sameElementsFold hands known elements on: the order is unchanged.
func sameElementsFold(c *Call) {
	x, out := c.In[0], c.Out[0]
	if x == nil || !x.MayHaveElems() || x.Elems() == nil && x.Data == nil {
		return
	}
	if n, ok := out.Elements(); ok {
		if v, ok := n.Value(); ok && v != int64(max(len(x.Data.Nums), len(x.Data.Strs))) {
			return // a reshape that does not fit
		}
	}
	out.Data = x.Data
}

func expandShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	target, known, err := c.targetShape(1, "expand")
	if err != nil {
		return err
	}
	if !known || !x.Ranked {
		c.Out[0].SetUnranked(x.DType)
		return nil
	}
	s, err := c.broadcast(x.Shape, target)
	if err != nil {
		return err
	}
	c.Out[0].SetTensor(x.DType, s)
	return nil
}

func expandFold(c *Call) {
	out := c.Out[0]
	if !out.Ranked || !c.In[0].MayHaveElems() {
		return
	}
	shape, ok := intShape(out.Shape)
	if !ok {
		return
	}
	n, ok := out.Shape.Elements().Value()
	src, ok2 := intShape(c.In[0].Shape)
	nums := c.In[0].Elems()
	if !ok || !ok2 || n > maxElems || nums == nil {
		return
	}
	st := broadcastStrides(src, len(shape))
	res := make([]Num, n)
	idx := make([]int64, len(shape))
	for k := range res {
		var at int64
		for a, x := range idx {
			at += x * st[a]
		}
		res[k] = nums[at]
		advance(idx, shape)
	}
	out.Data = &Data{Nums: res}
}

var shapeRules = []Rule{
	{Op: "Shape", Since: 1, Doc: "known from the type",
		Shape: shapeShape, Work: noWork, Memory: Host, Class: ShapeOp, HostInputs: inputs(0)},
	{Op: "Size", Since: 1, Doc: "known from the type",
		Shape: sizeShape, Work: noWork, Memory: Host, Class: ShapeOp, HostInputs: inputs(0)},
	{Op: "Constant", Since: 1, Doc: "stored in the model",
		Shape: constantShape, Work: noWork, Memory: Host, Class: ShapeOp},
	{Op: "ConstantOfShape", Since: 9, Doc: "writes one value; no arithmetic",
		Shape: constantOfShapeShape, Work: noWork, Memory: Stream, Class: Movement,
		HostInputs: inputs(0)},
	{Op: "EyeLike", Since: 9, Doc: "writes zeros and ones; no arithmetic",
		Shape: eyeLikeShape, Work: noWork, Memory: Stream, Class: Movement, HostInputs: inputs(0),
		Fold: eyeLikeFold},
	{Op: "Range", Since: 11, Doc: "start + i·delta: 2 per element",
		Shape: rangeShape, Work: perOutput(2, 0), Memory: Stream, Class: Movement, HostInputs: inputs(0, 1, 2)},
	{Op: "Identity", Since: 1, Doc: "a view",
		Shape: identityShape, Work: noWork, Memory: View, Class: Movement},
	{Op: "Cast", Since: 1, Doc: "a conversion per element, none where the type stays",
		Shape: castShape, Work: castWork, Memory: Stream, Class: Elementwise, InPlace: inputs(0), NoOp: sameElementType, Fold: castFold},
	{Op: "CastLike", Since: 15, Doc: "a conversion per element, none where the type stays",
		Shape: castLikeShape, Work: castWork, Memory: Stream, Class: Elementwise, InPlace: inputs(0), NoOp: sameElementType,
		HostInputs: inputs(1), Fold: castFold},
	{Op: "Reshape", Since: 5, Doc: "a view",
		Shape: reshapeShape, Work: noWork, Memory: View, Class: Movement, HostInputs: inputs(1), Fold: sameElementsFold},
	{Op: "Reshape", Since: 1, Doc: "a view",
		Shape: reshapeShape, Work: noWork, Memory: View, Class: Movement, Fold: sameElementsFold},
	{Op: "Flatten", Since: 1, Doc: "a view",
		Shape: flattenShape, Work: noWork, Memory: View, Class: Movement, Fold: sameElementsFold},
	{Op: "Squeeze", Since: 1, Doc: "a view",
		Shape: squeezeShape, Work: noWork, Memory: View, Class: Movement, HostInputs: inputs(1), Fold: sameElementsFold},
	{Op: "Unsqueeze", Since: 1, Doc: "a view",
		Shape: unsqueezeShape, Work: noWork, Memory: View, Class: Movement, HostInputs: inputs(1), Fold: sameElementsFold},
	{Op: "Expand", Since: 8, Doc: "moves elements; no arithmetic",
		Shape: expandShape, Work: noWork, Memory: Stream, Class: Movement, HostInputs: inputs(1), NoOp: sameExtents, Fold: expandFold},
}
