package op

import (
	"fmt"

	"github.com/onnxcost/onnxcost/analyzer/dim"
)

// padRule is a row of Pad. Amounts are the attribute paddings (opset 1) or pads (2), an input since 11; axes are an
// input since 18. A negative amount crops.
func padRule(since int64, host uint64) Rule {
	return Rule{Op: "Pad", Since: since, Shape: padShape, Work: noWork, Memory: Stream, Class: Movement, HostInputs: host,
		Fold: padFold, Doc: "moves elements; no arithmetic"}
}

// pads reads the amounts before and after each axis; an axis that is not listed has none. known is false where not
// even the padded axes are known. Single amounts may be unknown.
func pads(c *Call, rank int) (before, after []Num, known bool, err error) {
	var amounts []Num
	switch a := c.Node.Attr("pads"); {
	case a == nil && c.Node.Attr("paddings") != nil:
		amounts = intNums(c.Ints("paddings"))
	case a != nil && !c.Has(1):
		amounts = intNums(a.Ints)
	default:
		v, err := c.want(1)
		if err != nil {
			return nil, nil, false, err
		}
		amounts = v.Elems()
	}
	padded := make([]int, rank)
	for i := range padded {
		padded[i] = i
	}
	if v := c.Input(3); v != nil {
		as, ok := v.Int64s()
		if !ok {
			return nil, nil, false, nil
		}
		if padded, err = axes(as, rank); err != nil {
			return nil, nil, false, err
		}
	}
	if amounts == nil {
		amounts = make([]Num, 2*len(padded))
	}
	if len(amounts) != 2*len(padded) {
		return nil, nil, false, fmt.Errorf("%d pads, want 2 for each of %d axes", len(amounts), len(padded))
	}
	before, after = make([]Num, rank), make([]Num, rank)
	for i := range before {
		before[i], after[i] = IntOf(0), IntOf(0)
	}
	for i, a := range padded {
		before[a], after[a] = amounts[i], amounts[len(padded)+i]
	}
	return before, after, true, nil
}

func padShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	if !x.Ranked {
		c.Out[0].SetUnranked(x.DType)
		return nil
	}
	before, after, known, err := pads(c, len(x.Shape))
	if err != nil {
		return err
	}
	if !known {
		c.Out[0].SetTensor(x.DType, c.freshShape("pad", len(x.Shape)))
		return nil
	}
	s := make(Shape, len(x.Shape))
	for i, d := range x.Shape {
		b, ok1 := before[i].Dim()
		a, ok2 := after[i].Dim()
		if !ok1 || !ok2 {
			s[i] = c.fresh(fmt.Sprintf("pad_%d", i), dim.Dim{})
			continue
		}
		s[i] = d.Add(a).Add(b)
		if v, ok := s[i].Value(); ok && v < 0 {
			return c.errorf("axis %d: extent %v with pads %v and %v is %d, want at least 0", i, d, b, a, v)
		}
	}
	c.Out[0].SetTensor(x.DType, s)
	return nil
}

func padFold(c *Call) {
	nums, shape, ok := c.In[0].table()
	if !ok {
		return
	}
	before, _, known, err := pads(c, len(shape))
	outShape, ok := intShape(c.Out[0].Shape)
	n, ok2 := c.Out[0].Shape.Elements().Value()
	if !known || err != nil || !ok || !ok2 || n > maxElems {
		return
	}
	start := make([]int64, len(shape))
	for i := range start {
		if start[i], ok = before[i].Int64(); !ok {
			return
		}
	}
	source := padSource(c.Str("mode", "constant"))
	fill := padFill(c)
	strides := rowMajor(shape)
	out := make([]Num, n)
	idx := make([]int64, len(outShape))
	for k := range out {
		out[k] = fill
		var at int64
		inside := true
		for a, i := range idx {
			p, ok := source(i-start[a], shape[a])
			inside = inside && ok
			at += p * strides[a]
		}
		if inside {
			out[k] = nums[at]
		}
		advance(idx, outShape)
	}
	c.Out[0].Data = &Data{Nums: out}
}

// padSource maps a position relative to the input to the element it takes; ok is false for the fill value.
func padSource(mode string) func(p, n int64) (at int64, ok bool) {
	within := func(p, n int64) (int64, bool) { return p, p >= 0 && p < n }
	switch mode {
	case "reflect":
		return func(p, n int64) (int64, bool) {
			if n < 2 {
				return 0, n == 1
			}
			period := 2 * (n - 1)
			p = ((p % period) + period) % period
			return min(p, period-p), true
		}
	case "edge":
		return func(p, n int64) (int64, bool) { return max(min(p, n-1), 0), n > 0 }
	case "wrap":
		return func(p, n int64) (int64, bool) {
			if n == 0 {
				return 0, false
			}
			return ((p % n) + n) % n, true
		}
	}
	return within
}

// padFill is the value of constant mode: input 2 since opset 11, the attribute value before, zero by default.
func padFill(c *Call) Num {
	if v := c.Input(2); v != nil {
		if e := v.Elems(); len(e) == 1 {
			return e[0]
		}
		return Num{}
	}
	fill := Float(c.Float("value", 0))
	if !c.In[0].DType.IsFloat() {
		return toInt(fill)
	}
	return fill
}

var padRules = []Rule{
	padRule(1, 0),
	padRule(11, inputsFrom(1)),
}
