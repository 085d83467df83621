package op

import (
	"fmt"

	"github.com/onnxcost/onnxcost/analyzer/dim"
)

// Operators that move elements and compute nothing: transpose, join, cut, pick.

func transposeShape(c *Call) error {
	x, err := c.Want(0)
	if err != nil {
		return err
	}
	if !x.Ranked {
		c.Out[0].SetUnranked(x.DType)
		return nil
	}
	perm, err := permutation(c, len(x.Shape))
	if err != nil {
		return err
	}
	s := make(Shape, len(perm))
	for i, p := range perm {
		s[i] = x.Shape[p]
	}
	c.Out[0].SetTensor(x.DType, s)
	return nil
}

// permutation is the attribute perm, the reversal where it is absent.
func permutation(c *Call, rank int) ([]int, error) {
	if !c.HasAttr("perm") {
		p := make([]int, rank)
		for i := range p {
			p[i] = rank - 1 - i
		}
		return p, nil
	}
	p := c.Ints("perm")
	if len(p) != rank {
		return nil, fmt.Errorf("attribute perm has %d entries, want the rank %d", len(p), rank)
	}
	return axes(p, rank)
}

func transposeFold(c *Call) {
	in, n, ok := foldable(c)
	if !ok {
		return
	}
	src, ok := intShape(c.In[0].Shape)
	if !ok {
		return
	}
	perm, err := permutation(c, len(src))
	if err != nil {
		return
	}
	st := rowMajor(src)
	shape, strides := make([]int64, len(src)), make([]int64, len(src))
	for i, p := range perm {
		shape[i], strides[i] = src[p], st[p]
	}
	c.Out[0].Data = &Data{Nums: pick(in[0], n, shape, strides, 0)}
}

// pick reads n elements in row-major order of shape with the given strides and start.
func pick(src []Num, n int64, shape, strides []int64, start int64) []Num {
	out := make([]Num, n)
	idx := make([]int64, len(shape))
	for k := range out {
		at := start
		for a, x := range idx {
			at += x * strides[a]
		}
		out[k] = src[at]
		advance(idx, shape)
	}
	return out
}

// concatShape joins along axis; the extents of the other axes agree.
func concatShape(c *Call) error {
	first, err := c.Want(0)
	if err != nil {
		return err
	}
	var s Shape
	var along int
	for i := range c.In {
		v, err := c.Want(i)
		if err != nil {
			return err
		}
		if !v.Ranked {
			c.Out[0].SetUnranked(first.DType)
			return nil
		}
		if i == 0 {
			def := int64(1) // opset 1
			if c.Opset >= 4 && !c.HasAttr("axis") {
				return c.Errorf("attribute axis is absent, want an axis")
			}
			if along, err = axis(c.Int("axis", def), len(v.Shape)); err != nil {
				return err
			}
			s = append(Shape{}, v.Shape...)
			continue
		}
		if len(v.Shape) != len(s) {
			return c.Errorf("input %d has rank %d, want %d as input 0", i, len(v.Shape), len(s))
		}
		for a := range s {
			if a == along {
				s[a] = s[a].Add(v.Shape[a])
				continue
			}
			if s[a], err = sameDim(s[a], v.Shape[a]); err != nil {
				return c.Errorf("input %d: axis %d: %w", i, a, err)
			}
		}
	}
	c.Out[0].SetTensor(first.DType, s)
	return nil
}

// sameDim merges two extents that must be equal, keeping the more definite one.
func sameDim(a, b dim.Dim) (dim.Dim, error) {
	if a.Equal(b) {
		return a, nil
	}
	av, okA := a.Value()
	bv, okB := b.Value()
	switch {
	case okA && okB:
		return a, fmt.Errorf("extent %d, want %d", bv, av)
	case okB:
		return b, nil
	}
	return a, nil
}

func concatFold(c *Call) {
	in, n, ok := foldable(c)
	if !ok {
		return
	}
	along, err := axis(c.Int("axis", 1), len(c.Out[0].Shape))
	if err != nil {
		return
	}
	out := make([]Num, 0, n)
	if n == 0 {
		c.Out[0].Data = &Data{Nums: out}
		return
	}
	outer := int64(1)
	for _, d := range c.Out[0].Shape[:along] {
		v, _ := d.Value()
		outer *= v
	}
	for o := range outer {
		for _, e := range in {
			chunk := int64(len(e)) / max(outer, 1)
			out = append(out, e[o*chunk:(o+1)*chunk]...)
		}
	}
	c.Out[0].Data = &Data{Nums: out}
}

// splitShape cuts along axis into the parts that an input, an attribute or the number of outputs gives.
func splitShape(c *Call) error {
	x, err := c.Want(0)
	if err != nil {
		return err
	}
	n := len(c.Node.Outputs)
	if !x.Ranked {
		for i := range c.Out {
			c.Out[i].SetUnranked(x.DType)
		}
		return nil
	}
	along, err := axis(c.Int("axis", 0), len(x.Shape))
	if err != nil {
		return err
	}
	parts, err := splitParts(c, x.Shape[along], n)
	if err != nil {
		return err
	}
	for i := range c.Out {
		s := append(Shape{}, x.Shape...)
		s[along] = parts[i]
		c.Out[i].SetTensor(x.DType, s)
	}
	return nil
}

func splitParts(c *Call, total dim.Dim, n int) ([]dim.Dim, error) {
	if v := c.Input(1); v != nil {
		ds, known, ok := v.Dims()
		if ok && len(ds) != n {
			return nil, fmt.Errorf("input 1 has %d parts, want the number of outputs %d", len(ds), n)
		}
		parts := make([]dim.Dim, n)
		for i := range parts {
			if ok && known[i] {
				parts[i] = ds[i]
			} else {
				parts[i] = c.Fresh(fmt.Sprintf("split_%d", i), total)
			}
		}
		return parts, nil
	}
	if as := c.Ints("split"); as != nil {
		if len(as) != n {
			return nil, fmt.Errorf("attribute split has %d parts, want the number of outputs %d", len(as), n)
		}
		return Consts(as...), nil
	}
	// equal parts; since opset 18 the last one may be smaller
	k := dim.Const(int64(n))
	each := total.CeilDiv(k)
	parts := make([]dim.Dim, n)
	for i := range parts {
		parts[i] = each
	}
	if !each.Mul(k).Equal(total) {
		if v, ok := total.Value(); ok && c.Opset < 18 {
			return nil, fmt.Errorf("extent %d does not split into %d equal parts", v, n)
		}
		if c.Opset >= 18 {
			parts[n-1] = total.Sub(each.MulInt(int64(n - 1)))
		} else { // the model is valid only where it divides
			for i := range parts {
				parts[i] = total.FloorDiv(k)
			}
		}
	}
	return parts, nil
}

func splitFold(c *Call) {
	x := c.In[0]
	if !x.Ranked || len(x.Shape) != 1 || !x.mayHaveElems() {
		return
	}
	nums := x.Elems()
	var at int64
	for _, o := range c.Out {
		n, ok := o.Shape[0].Value()
		if nums == nil || !ok || n < 0 || n > int64(len(nums))-at {
			return
		}
		o.Data = &Data{Nums: nums[at : at+n]}
		at += n
	}
}

// sliceSpec is one axis of a Slice.
type sliceSpec struct {
	axis             int
	start, end, step Num
}

// sliceSpecs reads starts, ends, axes and steps from inputs (opset 10) or attributes. known is false where the axes
// themselves are not known.
func sliceSpecs(c *Call, rank int) (specs []sliceSpec, known bool, err error) {
	var starts, ends, steps []Num
	var as []int64
	if c.Opset < 10 {
		starts, ends, as = intNums(c.Ints("starts")), intNums(c.Ints("ends")), c.Ints("axes")
	} else {
		starts, ends = c.Input(1).Elems(), c.Input(2).Elems()
		if v := c.Input(3); v != nil {
			ok := false
			if as, ok = v.Int64s(); !ok {
				return nil, false, nil
			}
		}
		if v := c.Input(4); v != nil {
			steps = v.Elems()
		}
		if starts == nil || ends == nil { // lengths may still be known from the axes
			n := len(as)
			if as == nil {
				if v := c.Input(1); v == nil || !v.Ranked || len(v.Shape) != 1 {
					return nil, false, nil
				} else if k, ok := v.Shape[0].Value(); !ok {
					return nil, false, nil
				} else {
					n = int(min(k, int64(rank)))
				}
			}
			if starts == nil {
				starts = make([]Num, n)
			}
			if ends == nil {
				ends = make([]Num, n)
			}
		}
	}
	if as == nil {
		for i := range starts {
			as = append(as, int64(i))
		}
	}
	if len(ends) != len(starts) || len(as) != len(starts) || steps != nil && len(steps) != len(starts) {
		return nil, false, fmt.Errorf("%d starts, %d ends and %d axes, want as many of each", len(starts), len(ends), len(as))
	}
	idx, err := axes(as, rank)
	if err != nil {
		return nil, false, err
	}
	for i := range starts {
		sp := sliceSpec{axis: idx[i], start: starts[i], end: ends[i], step: IntOf(1)}
		if steps != nil {
			sp.step = steps[i]
		}
		specs = append(specs, sp)
	}
	return specs, true, nil
}

// sliceShape is Slice: negative positions count from the end, all are clamped to the extent.
func sliceShape(c *Call) error {
	x, err := c.Want(0)
	if err != nil {
		return err
	}
	if !x.Ranked {
		c.Out[0].SetUnranked(x.DType)
		return nil
	}
	specs, known, err := sliceSpecs(c, len(x.Shape))
	if err != nil {
		return err
	}
	if !known {
		c.Out[0].SetTensor(x.DType, c.FreshShape("slice", len(x.Shape)))
		return nil
	}
	s := append(Shape{}, x.Shape...)
	for _, sp := range specs {
		n, _, ok := sliceExtent(x.Shape[sp.axis], sp)
		if !ok {
			n = c.Fresh(fmt.Sprintf("slice_%d", sp.axis), x.Shape[sp.axis])
		}
		if n.Err() != nil {
			return n.Err()
		}
		s[sp.axis] = n
	}
	c.Out[0].SetTensor(x.DType, s)
	return nil
}

// sliceExtent is the number of elements that one axis keeps and the first position; ok is false where a bound is
// unknown or the step symbolic.
func sliceExtent(n dim.Dim, sp sliceSpec) (count, first dim.Dim, ok bool) {
	step, ok := sp.step.Int64()
	start, ok1 := sp.start.Dim()
	end, ok2 := sp.end.Dim()
	if !ok || !ok1 || !ok2 || step == 0 {
		return dim.Dim{}, dim.Dim{}, false
	}
	lo, hi := dim.Const(0), n
	if step < 0 {
		lo, hi = dim.Const(-1), n.AddInt(-1)
	}
	a, okA := clampPosition(start, n, dim.Const(0), hi)
	b, okB := clampPosition(end, n, lo, hi)
	if !okA || !okB {
		return dim.Dim{}, dim.Dim{}, false
	}
	if step > 0 {
		count = b.Sub(a).CeilDiv(dim.Const(step))
	} else {
		count = a.Sub(b).CeilDiv(dim.Const(-step))
	}
	return dim.Max(count, dim.Const(0)), a, true
}

// clampPosition makes a Slice position absolute and clamps it to [lo, hi]. The sign of a symbolic position must be
// provable from its bounds; ok is false where it is not.
func clampPosition(p, n, lo, hi dim.Dim) (dim.Dim, bool) {
	if v, ok := p.Value(); ok {
		switch {
		case v >= 1<<31-1: // "to the end" as exporters write it, far beyond any extent
			return hi, true
		case v < -(1 << 31):
			return lo, true
		case v < 0:
			p = p.Add(n)
		}
	} else {
		l, h, okL, okH := p.Bounds()
		switch {
		case okL && l >= 0:
		case okH && h < 0:
			p = p.Add(n)
		default:
			return dim.Dim{}, false
		}
	}
	return dim.Min(dim.Max(p, lo), hi), true
}

func sliceFold(c *Call) {
	x := c.In[0]
	if !x.Ranked || !x.mayHaveElems() {
		return
	}
	nums := x.Elems()
	src, ok := intShape(x.Shape)
	shape, ok2 := intShape(c.Out[0].Shape)
	n, ok3 := c.Out[0].Shape.Elements().Value()
	if nums == nil || !ok || !ok2 || !ok3 {
		return
	}
	specs, known, err := sliceSpecs(c, len(src))
	if err != nil || !known {
		return
	}
	st := rowMajor(src)
	start := int64(0)
	strides := append([]int64{}, st...)
	for _, sp := range specs {
		_, first, ok := sliceExtent(x.Shape[sp.axis], sp)
		f, ok2 := first.Value()
		step, ok3 := sp.step.Int64()
		if !ok || !ok2 || !ok3 {
			return
		}
		start += f * st[sp.axis]
		strides[sp.axis] = st[sp.axis] * step
	}
	if n == 0 {
		c.Out[0].Data = &Data{Nums: []Num{}}
		return
	}
	c.Out[0].Data = &Data{Nums: pick(nums, n, shape, strides, start)}
}

// gatherShape replaces one axis of the data by the shape of the indices.
func gatherShape(c *Call) error {
	x, err := c.Want(0)
	if err != nil {
		return err
	}
	idx, err := c.Want(1)
	if err != nil {
		return err
	}
	if !x.Ranked || !idx.Ranked {
		c.Out[0].SetUnranked(x.DType)
		return nil
	}
	a, err := axis(c.Int("axis", 0), len(x.Shape))
	if err != nil {
		return err
	}
	s := append(Shape{}, x.Shape[:a]...)
	s = append(s, idx.Shape...)
	s = append(s, x.Shape[a+1:]...)
	c.Out[0].SetTensor(x.DType, s)
	return nil
}

func gatherFold(c *Call) {
	in, n, ok := foldable(c)
	if !ok {
		return
	}
	src, ok := intShape(c.In[0].Shape)
	if !ok {
		return
	}
	a, err := axis(c.Int("axis", 0), len(src))
	if err != nil {
		return
	}
	if n == 0 { // the loops below run over axes, of which one is empty
		c.Out[0].Data = &Data{Nums: []Num{}}
		return
	}
	inner := int64(1)
	for _, v := range src[a+1:] {
		inner *= v
	}
	outer := int64(1)
	for _, v := range src[:a] {
		outer *= v
	}
	out := make([]Num, 0, n)
	for o := range outer {
		for _, ix := range in[1] {
			k, ok := ix.Int64()
			if !ok {
				for range inner {
					out = append(out, Num{})
				}
				continue
			}
			if k < 0 {
				k += src[a]
			}
			if k < 0 || k >= src[a] {
				c.Engine.Diagnose("index-range", fmt.Sprintf("index %d is outside extent %d", k, src[a]))
				return
			}
			at := (o*src[a] + k) * inner
			out = append(out, in[0][at:at+inner]...)
		}
	}
	c.Out[0].Data = &Data{Nums: out}
}

// touched is the traffic of operators that read just what they write, plus their index inputs: the rows a Gather
// touches, the part a Slice keeps.
func touched(c *Call) (read, written dim.Dim) {
	written, _ = c.Out[0].Bytes()
	read = written
	for _, o := range c.Out[1:] {
		if b, ok := o.Bytes(); ok {
			read, written = read.Add(b), written.Add(b)
		}
	}
	return read, written
}

// touchedAndIndices adds the bytes of input i, the indices.
func touchedAndIndices(i int) func(c *Call) (read, written dim.Dim) {
	return func(c *Call) (read, written dim.Dim) {
		read, written = touched(c)
		if v := c.Input(i); v != nil {
			if b, ok := v.Bytes(); ok {
				read = read.Add(b)
			}
		}
		return read, written
	}
}

var movementRules = []Rule{
	{Op: "Transpose", Since: 1, Doc: movesDoc,
		Shape: transposeShape, Work: noWork, Memory: Stream, Class: Movement, Fold: transposeFold},
	{Op: "Concat", Since: 1, Doc: movesDoc,
		Shape: concatShape, Work: noWork, Memory: Stream, Class: Movement, Fold: concatFold},
	{Op: "Split", Since: 1, Doc: movesDoc,
		Shape: splitShape, Work: noWork, Memory: Indexed, Class: Movement, HostInputs: inputs(1), Fold: splitFold, Traffic: touched},
	{Op: "Slice", Since: 1, Doc: movesDoc,
		Shape: sliceShape, Work: noWork, Memory: Indexed, Class: Movement, HostInputs: inputsFrom(1), Fold: sliceFold, Traffic: touched},
	{Op: "Gather", Since: 1, Doc: movesDoc,
		Shape: gatherShape, Work: noWork, Memory: Indexed, Class: Movement, Fold: gatherFold, Traffic: touchedAndIndices(1)},
}
