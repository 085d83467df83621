package op

import (
	"fmt"

	"github.com/onnxcost/onnxcost/analyzer/dim"
)

// Slice in all its forms: attributes before opset 10, inputs from then on.

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
	x, err := c.want(0)
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
		c.Out[0].SetTensor(x.DType, c.freshShape("slice", len(x.Shape)))
		return nil
	}
	s := append(Shape{}, x.Shape...)
	for _, sp := range specs {
		if step, ok := sp.step.Int64(); ok && step == 0 {
			return c.errorf("the step along axis %d is 0", sp.axis)
		}
		n, _, ok := sliceExtent(x.Shape[sp.axis], sp)
		if !ok {
			n = c.fresh(fmt.Sprintf("slice_%d", sp.axis), x.Shape[sp.axis])
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
	if !x.Ranked || !x.MayHaveElems() {
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
