package op

import (
	"fmt"

	"github.com/onnxcost/onnxcost/analyzer/dim"
)

// Operators that repeat, reorder or mask elements in a pattern that the data does not change.

// tileShape multiplies each extent by its entry of the vector repeats.
func tileShape(c *Call) error { return tile(c, tileRepeats) }

// tileShape1 is the form before opset 6: scalars repeat and axis.
func tileShape1(c *Call) error { return tile(c, tileRepeats1) }

func tile(c *Call, repeats func(c *Call, rank int) ([]Num, error)) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	if !x.Ranked {
		c.Out[0].SetUnranked(x.DType)
		return nil
	}
	rs, err := repeats(c, len(x.Shape))
	if err != nil {
		return err
	}
	s := make(Shape, len(x.Shape))
	for i, d := range x.Shape {
		r, ok := rs[i].Dim()
		if !ok {
			s[i] = c.fresh(fmt.Sprintf("tile_%d", i), dim.Dim{})
			continue
		}
		s[i] = d.Mul(r)
	}
	c.Out[0].SetTensor(x.DType, s)
	return nil
}

func tileRepeats(c *Call, rank int) ([]Num, error) {
	v, err := c.want(1)
	if err != nil {
		return nil, err
	}
	nums := v.Elems()
	if nums == nil {
		return make([]Num, rank), nil
	}
	if len(nums) != rank {
		return nil, fmt.Errorf("%d repeats, want the rank %d", len(nums), rank)
	}
	return nums, nil
}

func tileRepeats1(c *Call, rank int) ([]Num, error) {
	repeats := make([]Num, rank)
	times, at := c.Input(1).Elems(), c.Input(2).Elems()
	if len(at) != 1 || len(times) != 1 {
		return repeats, nil
	}
	k, ok := at[0].Int64()
	if !ok {
		return repeats, nil
	}
	a, err := axis(k, rank)
	if err != nil {
		return nil, err
	}
	for i := range repeats {
		repeats[i] = IntOf(1)
	}
	repeats[a] = times[0]
	return repeats, nil
}

func tileFold(c *Call) {
	nums, shape, ok := c.In[0].table()
	if !ok {
		return
	}
	n, ok := c.Out[0].Shape.Elements().Value()
	outShape, ok2 := intShape(c.Out[0].Shape)
	if !ok || !ok2 || n > maxElems {
		return
	}
	strides := rowMajor(shape)
	c.Out[0].Data = &Data{Nums: each(outShape, n, func(idx []int64) Num {
		var at int64
		for a, i := range idx {
			at += i % shape[a] * strides[a]
		}
		return nums[at]
	})}
}

// each makes n elements in row-major order of shape.
func each(shape []int64, n int64, f func(idx []int64) Num) []Num {
	out := make([]Num, n)
	idx := make([]int64, len(shape))
	for k := range out {
		out[k] = f(idx)
		advance(idx, shape)
	}
	return out
}

// depthToSpaceShape moves blocksize² channels into each pixel.
func depthToSpaceShape(c *Call) error {
	return blockShape(c, func(s Shape, b dim.Dim) Shape {
		return Shape{s[0], s[1].FloorDiv(b.Mul(b)), s[2].Mul(b), s[3].Mul(b)}
	}, func(b int64) [4]int64 { return [4]int64{1, b * b, 1, 1} })
}

// spaceToDepthShape moves each block of pixels into channels.
func spaceToDepthShape(c *Call) error {
	return blockShape(c, func(s Shape, b dim.Dim) Shape {
		return Shape{s[0], s[1].Mul(b).Mul(b), s[2].FloorDiv(b), s[3].FloorDiv(b)}
	}, func(b int64) [4]int64 { return [4]int64{1, 1, b, b} })
}

// blockShape is f of the shape and the block size; blocks says what each axis has to be a multiple of.
func blockShape(c *Call, f func(s Shape, b dim.Dim) Shape, blocks func(b int64) [4]int64) error {
	b := c.Int("blocksize", 0)
	if b < 1 {
		return c.errorf("attribute blocksize is %d, want at least 1", b)
	}
	if b >= 1<<31 {
		return c.errorf("attribute blocksize is %d, want at most %d", b, int64(1<<31-1))
	}
	s, known, err := c.wantRank(0, 4, 4)
	if err != nil {
		return err
	}
	if !known {
		s = c.freshShape("nchw", 4)
	}
	for i, m := range blocks(b) {
		if n, ok := s[i].Value(); ok && n%m != 0 {
			return c.errorf("axis %d has size %d, want a multiple of %d", i, n, m)
		}
		if known && m > 1 {
			c.equal(s[i].FloorDiv(dim.Const(m)).MulInt(m), s[i])
		}
	}
	c.Out[0].SetTensor(c.In[0].DType, f(s, dim.Const(b)))
	return nil
}

// triluFold keeps the elements on one side of diagonal k and zeroes the rest.
func triluFold(c *Call) {
	nums, shape, ok := c.In[0].table()
	if !ok || len(shape) < 2 {
		return
	}
	var k int64
	if v := c.Input(1); v != nil {
		e := v.Elems()
		if len(e) != 1 {
			return
		}
		if k, ok = e[0].Int64(); !ok {
			return
		}
	}
	upper := c.Int("upper", 1) != 0
	at := -1
	c.Out[0].Data = &Data{Nums: each(shape, int64(len(nums)), func(idx []int64) Num {
		at++
		d := idx[len(idx)-1] - idx[len(idx)-2]
		if upper && d < k || !upper && d > k {
			return zeroLike(nums[at])
		}
		return nums[at]
	})}
}

// reverseSequenceFold reverses the first sequence_lens[b] elements along time_axis of each batch.
func reverseSequenceFold(c *Call) {
	nums, shape, ok := c.In[0].table()
	lens, ok2 := c.Input(1).Int64s()
	batch, time := c.Int("batch_axis", 1), c.Int("time_axis", 0)
	if !ok || !ok2 || min(batch, time) < 0 || max(batch, time) >= int64(len(shape)) || int64(len(lens)) != shape[batch] {
		return
	}
	strides := rowMajor(shape)
	c.Out[0].Data = &Data{Nums: each(shape, int64(len(nums)), func(idx []int64) Num {
		var at int64
		for a, i := range idx {
			if n := lens[idx[batch]]; int64(a) == time && i < n && n <= shape[time] {
				i = n - 1 - i
			}
			at += i * strides[a]
		}
		return nums[at]
	})}
}

// oneHotShape inserts an axis of extent depth.
func oneHotShape(c *Call) error {
	idx, err := c.want(0)
	if err != nil {
		return err
	}
	depth, err := c.want(1)
	if err != nil {
		return err
	}
	values, err := c.want(2)
	if err != nil {
		return err
	}
	if !idx.Ranked {
		c.Out[0].SetUnranked(values.DType)
		return nil
	}
	a, err := axis(c.Int("axis", -1), len(idx.Shape)+1)
	if err != nil {
		return err
	}
	d, ok := dim.Dim{}, false
	if e := depth.Elems(); len(e) == 1 {
		d, ok = toInt(e[0]).Dim()
	}
	if !ok {
		d = c.fresh("depth", dim.Dim{})
	}
	s := append(Shape{}, idx.Shape[:a]...)
	s = append(append(s, d), idx.Shape[a:]...)
	c.Out[0].SetTensor(values.DType, s)
	return nil
}

func oneHotFold(c *Call) {
	idx, shape, ok := c.In[0].table()
	values := c.In[2].Elems()
	if !ok || len(values) != 2 {
		return
	}
	a, err := axis(c.Int("axis", -1), len(shape)+1)
	n, ok := c.Out[0].Shape.Elements().Value()
	outShape, ok2 := intShape(c.Out[0].Shape)
	if err != nil || !ok || !ok2 || n > maxElems {
		return
	}
	depth := outShape[a]
	strides := rowMajor(shape)
	c.Out[0].Data = &Data{Nums: each(outShape, n, func(at []int64) Num {
		var from int64
		for i, p := range at {
			switch {
			case i < a:
				from += p * strides[i]
			case i > a:
				from += p * strides[i-1]
			}
		}
		hot, ok := toInt(idx[from]).Int64()
		switch {
		case !ok:
			return Num{}
		case hot == at[a] || hot+depth == at[a]:
			return values[1]
		}
		return values[0]
	})}
}

// eyeLikeFold has ones on diagonal k.
func eyeLikeFold(c *Call) {
	out := c.Out[0]
	shape, ok := intShape(out.Shape)
	if !out.Ranked || !ok || len(shape) != 2 || shape[0]*shape[1] > maxElems || out.DType.IsFloat() && shape[0]*shape[1] > maxFloats {
		return
	}
	k := c.Int("k", 0)
	one, zero := IntOf(1), IntOf(0)
	if out.DType.IsFloat() {
		one, zero = Float(1), Float(0)
	}
	out.Data = &Data{Nums: each(shape, shape[0]*shape[1], func(idx []int64) Num {
		if idx[1]-idx[0] == k {
			return one
		}
		return zero
	})}
}

// centerCropPadShape sets the extents of the listed axes, all by default.
func centerCropPadShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	if !x.Ranked {
		c.Out[0].SetUnranked(x.DType)
		return nil
	}
	changed := make([]int, len(x.Shape))
	for i := range changed {
		changed[i] = i
	}
	if as := c.Ints("axes"); as != nil {
		if changed, err = axes(as, len(x.Shape)); err != nil {
			return err
		}
	}
	target, known, err := c.targetShape(1, "crop")
	if err != nil {
		return err
	}
	if !known {
		target = c.freshShape("crop", len(changed))
	}
	if len(target) != len(changed) {
		return c.errorf("%d extents, want %d", len(target), len(changed))
	}
	s := append(Shape{}, x.Shape...)
	for i, a := range changed {
		s[a] = target[i]
	}
	c.Out[0].SetTensor(x.DType, s)
	return nil
}

var rearrangeRules = []Rule{
	{Op: "Tile", Since: 6, Shape: tileShape, Work: noWork, Memory: Stream, Class: Movement, HostInputs: inputsFrom(1), Fold: tileFold,
		Doc: "moves elements; no arithmetic"},
	{Op: "Tile", Since: 1, Shape: tileShape1, Work: noWork, Memory: Stream, Class: Movement, HostInputs: inputsFrom(1), Fold: tileFold,
		Doc: "moves elements along one axis; no arithmetic"},
	{Op: "DepthToSpace", Since: 1, Shape: depthToSpaceShape, Work: noWork, Memory: Stream, Class: Movement,
		Doc: "moves elements; no arithmetic"},
	{Op: "SpaceToDepth", Since: 1, Shape: spaceToDepthShape, Work: noWork, Memory: Stream, Class: Movement,
		Doc: "moves elements; no arithmetic"},
	{Op: "ReverseSequence", Since: 10, Shape: sameShape, Work: noWork, Memory: Stream, Class: Movement,
		Fold: reverseSequenceFold, Doc: "moves elements; no arithmetic"},
	{Op: "Trilu", Since: 14, Shape: sameShape, Work: noWork, Memory: Stream, Class: Movement, HostInputs: inputs(1), InPlace: inputs(0),
		Fold: triluFold, Doc: "moves elements; no arithmetic"},
	{Op: "OneHot", Since: 9, Shape: oneHotShape, Work: noWork, Memory: Stream, Class: Movement, HostInputs: inputs(1),
		Fold: oneHotFold, Doc: "writes the two values; no arithmetic"},
	{Op: "CenterCropPad", Since: 18, Shape: centerCropPadShape, Work: noWork, Memory: Indexed, Class: Movement, HostInputs: inputs(1),
		Traffic: touched, Doc: "moves elements; no arithmetic"},
}
