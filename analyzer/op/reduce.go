package op

import (
	"fmt"
	"math"
	"slices"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// Reductions over any set of axes. The axes are an attribute until an opset of each operator's own, an input since.

// reduceCost is what a reduction computes: vector and special operations per input element, then per output element.
type reduceCost struct{ vectorIn, specialIn, vectorOut, specialOut int64 }

// reduction is the pair of rows of a Reduce operator whose axes are an input from opset axesInput on.
func reduction(name string, axesInput int64, cost reduceCost, doc string, fold func(group []Num) Num) []Rule {
	r := Rule{Op: name, Since: 1, Shape: reduceShape, Memory: Stream, Class: Reduction, Doc: doc,
		Work: func(c *Call) Work {
			w := perElement(c.In[0], cost.vectorIn, cost.specialIn)
			out := perElement(c.Out[0], cost.vectorOut, cost.specialOut)
			return w.plus(out.Vector, out.Special)
		}}
	if fold != nil {
		r.Fold = func(c *Call) { reduceFold(c, fold) }
	}
	later := r
	later.Since, later.HostInputs = axesInput, inputs(1)
	return []Rule{r, later}
}

// reducedAxes marks the axes that are reduced. No axes, or an empty list, mean all of them, or none with
// noop_with_empty_axes. known is false where the axes are an input whose elements are not known.
func reducedAxes(c *Call, rank int) (reduced []bool, known bool, err error) {
	as, given, known := c.axesInput(1)
	if !known {
		n := c.Input(1)
		if !n.Ranked || n.Shape.Elements().IsConst() && !n.Shape.Elements().Is(0) || !n.Shape.isConst() {
			return nil, false, nil
		}
		as = nil // an empty list has no elements to know
	}
	reduced = make([]bool, rank)
	if !given || len(as) == 0 {
		for i := range reduced {
			reduced[i] = c.Int("noop_with_empty_axes", 0) == 0
		}
		return reduced, true, nil
	}
	idx, err := axes(as, rank)
	if err != nil {
		return nil, false, err
	}
	for _, a := range idx {
		reduced[a] = true
	}
	return reduced, true, nil
}

func reduceShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	if !x.Ranked {
		c.Out[0].SetUnranked(x.DType)
		return nil
	}
	reduced, known, err := reducedAxes(c, len(x.Shape))
	if err != nil {
		return err
	}
	keep := c.Int("keepdims", 1) != 0
	if known {
		c.Out[0].SetTensor(x.DType, reducedShape(x.Shape, reduced, keep))
		return nil
	}
	if keep { // each axis is either kept or 1
		s := make(Shape, len(x.Shape))
		for i, d := range x.Shape {
			s[i] = d
			if !d.Is(1) {
				s[i] = c.fresh(fmt.Sprintf("reduce_%d", i), d)
			}
		}
		c.Out[0].SetTensor(x.DType, s)
		return nil
	}
	if n := c.Input(1); n.Ranked && len(n.Shape) == 1 {
		if k, ok := n.Shape[0].Value(); ok && k <= int64(len(x.Shape)) {
			c.Out[0].SetTensor(x.DType, c.freshShape("reduce", len(x.Shape)-int(k)))
			return nil
		}
	}
	c.Out[0].SetUnranked(x.DType)
	return nil
}

func reducedShape(s Shape, reduced []bool, keep bool) Shape {
	out := make(Shape, 0, len(s))
	for i, d := range s {
		switch {
		case !reduced[i]:
			out = append(out, d)
		case keep:
			out = append(out, dim.Const(1))
		}
	}
	return out
}

// reduceFold gathers the elements of each output place and hands them to fold.
func reduceFold(c *Call, fold func(group []Num) Num) {
	nums, shape, ok := c.In[0].table()
	if !ok || !c.Out[0].Ranked {
		return
	}
	reduced, known, err := reducedAxes(c, len(shape))
	if !known || err != nil || !slices.Contains(reduced, true) && len(shape) > 0 {
		return // without a reduction the operator still applies its element-wise part
	}
	n, ok := c.Out[0].Shape.Elements().Value()
	if !ok || n > maxElems {
		return
	}
	kept := make([]int64, len(shape)) // the shape with reduced axes of extent 1
	for i, d := range shape {
		kept[i] = d
		if reduced[i] {
			kept[i] = 1
		}
	}
	strides := rowMajor(kept)
	groups := make([][]Num, n)
	idx := make([]int64, len(shape))
	for _, x := range nums {
		var at int64
		for a, i := range idx {
			if !reduced[a] {
				at += i * strides[a]
			}
		}
		groups[at] = append(groups[at], x)
		advance(idx, shape)
	}
	out := make([]Num, n)
	for i, g := range groups {
		out[i] = roundTo(c.Out[0].DType, fold(g))
	}
	c.Out[0].Data = &Data{Nums: out}
}

// table returns the known elements of v with its shape as plain integers.
func (v *Value) table() (nums []Num, shape []int64, ok bool) {
	if v == nil || !v.Ranked || !v.MayHaveElems() {
		return nil, nil, false
	}
	shape, ok = intShape(v.Shape)
	if nums = v.Elems(); nums == nil || !ok {
		return nil, nil, false
	}
	return nums, shape, true
}

// chain folds a group from left to right, starting from the neutral element.
func chain(neutral Num, f func(a, b Num) Num) func([]Num) Num {
	return func(g []Num) Num {
		if len(g) == 0 {
			return neutral
		}
		r := g[0]
		for _, x := range g[1:] {
			r = f(r, x)
		}
		return r
	}
}

var sumOf = chain(IntOf(0), numAdd)

// mapped applies f to each element before the group is summed, and then finish to the sum.
func mapped(f func(Num) Num, finish func(Num) Num) func([]Num) Num {
	return func(g []Num) Num {
		m := make([]Num, len(g))
		for i, x := range g {
			if m[i] = f(x); !m[i].Known() {
				return Num{}
			}
		}
		return finish(sumOf(m))
	}
}

func same(n Num) Num { return n }

func square(n Num) Num { return numMul(n, n) }

// meanOf divides the sum; integer means truncate as the element type does.
func meanOf(g []Num) Num {
	if len(g) == 0 {
		return Num{}
	}
	return numDiv(sumOf(g), IntOf(int64(len(g))))
}

// extremeOf is the largest or smallest element; the value for an empty group depends on the element type.
func extremeOf(f func(a, b Num) Num) func([]Num) Num { return chain(Num{}, f) }

// argShape is ArgMax and ArgMin: the position along one axis.
func argShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	if !x.Ranked {
		c.Out[0].SetUnranked(onnx.Int64)
		return nil
	}
	a, err := axis(c.Int("axis", 0), len(x.Shape))
	if err != nil {
		return err
	}
	reduced := make([]bool, len(x.Shape))
	reduced[a] = true
	c.Out[0].SetTensor(onnx.Int64, reducedShape(x.Shape, reduced, c.Int("keepdims", 1) != 0))
	return nil
}

// argFold finds the position of the element that sign says comes first: +1 for the largest, -1 for the smallest.
func argFold(sign int) func(*Call) {
	return func(c *Call) {
		nums, shape, ok := c.In[0].table()
		if !ok {
			return
		}
		a, err := axis(c.Int("axis", 0), len(shape))
		if err != nil || shape[a] == 0 {
			return
		}
		last := c.Int("select_last_index", 0) != 0
		out := make([]Num, 0, len(nums)/int(max(shape[a], 1)))
		complete := true
		lines(shape, a, func(first, step int64) {
			best := int64(0)
			for i := int64(1); i < shape[a]; i++ {
				s, known := nums[first+i*step].compare(nums[first+best*step])
				complete = complete && known
				if s == sign || s == 0 && last {
					best = i
				}
			}
			out = append(out, IntOf(best))
		})
		if complete && len(nums) > 0 {
			c.Out[0].Data = &Data{Nums: out}
		}
	}
}

// lines visits every line of a row-major tensor along axis a: fn gets the place of its first element and the step to
// the next one. Lines come in row-major order of the other axes; an empty tensor has none, whatever its other extents.
func lines(shape []int64, a int, fn func(first, step int64)) {
	if slices.Contains(shape, 0) {
		return
	}
	inner, outer := int64(1), int64(1)
	for _, d := range shape[a+1:] {
		inner *= d
	}
	for _, d := range shape[:a] {
		outer *= d
	}
	for o := range outer {
		for i := range inner {
			fn(o*shape[a]*inner+i, inner)
		}
	}
}

// cumulativeFold runs f along the axis of input 1, attributes exclusive and reverse as the standard has them.
func cumulativeFold(neutral Num, f func(a, b Num) Num) func(*Call) {
	return func(c *Call) {
		nums, shape, ok := c.In[0].table()
		at := c.Input(1).Elems()
		if !ok || len(at) != 1 {
			return
		}
		v, ok := at[0].Int64()
		a, err := axis(v, len(shape))
		if !ok || err != nil {
			return
		}
		exclusive, reverse := c.Int("exclusive", 0) != 0, c.Int("reverse", 0) != 0
		out := make([]Num, len(nums))
		lines(shape, a, func(first, step int64) {
			acc := neutral
			if c.In[0].DType.IsFloat() {
				acc = toFloat(neutral)
			}
			for i := range shape[a] {
				k := first + i*step
				if reverse {
					k = first + (shape[a]-1-i)*step
				}
				if exclusive {
					out[k] = acc
				}
				acc = roundTo(c.In[0].DType, f(acc, nums[k]))
				if !exclusive {
					out[k] = acc
				}
			}
		})
		c.Out[0].Data = &Data{Nums: out}
	}
}

// topKShape replaces one axis by k: an attribute in opset 1, an input later.
func topKShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	if !x.Ranked {
		c.setOut(0, x.DType, nil, false)
		c.setOut(1, onnx.Int64, nil, false)
		return nil
	}
	a, err := axis(c.Int("axis", -1), len(x.Shape))
	if err != nil {
		return err
	}
	k, err := topK(c, x.Shape[a])
	if err != nil {
		return err
	}
	s := append(Shape{}, x.Shape...)
	s[a] = k
	c.setOut(0, x.DType, s, true)
	c.setOut(1, onnx.Int64, s, true)
	return nil
}

func topK(c *Call, extent dim.Dim) (dim.Dim, error) {
	if a := c.Node.Attr("k"); a != nil && len(c.In) < 2 {
		return dim.Const(a.I), nil
	}
	v, err := c.want(1)
	if err != nil {
		return dim.Dim{}, err
	}
	if e := v.Elems(); len(e) == 1 {
		if k, ok := e[0].Dim(); ok {
			if n, isConst := k.Value(); isConst && n < 0 {
				return dim.Dim{}, fmt.Errorf("k is %d, want at least 0", n)
			}
			have, ok1 := extent.Value()
			if n, ok2 := k.Value(); ok1 && ok2 && n > have {
				return dim.Dim{}, fmt.Errorf("k is %d, want at most the %d elements of the axis", n, have)
			}
			return k, nil
		}
	}
	return c.fresh("topk", extent), nil
}

// topKFold sorts each line; equal elements keep the lower index first, as the standard asks.
func topKFold(c *Call) {
	nums, shape, ok := c.In[0].table()
	if !ok || !c.Out[0].Ranked {
		return
	}
	outShape, ok := intShape(c.Out[0].Shape)
	a, err := axis(c.Int("axis", -1), len(shape))
	if !ok || err != nil || outShape[a] > shape[a] {
		return
	}
	n, ok := c.Out[0].Shape.Elements().Value()
	if !ok || n > maxElems {
		return
	}
	values, indices := make([]Num, n), make([]Num, n)
	sign := -1
	if c.Int("largest", 1) == 0 {
		sign = 1
	}
	complete := true
	var starts []int64
	lines(outShape, a, func(first, _ int64) { starts = append(starts, first) })
	line := 0
	lines(shape, a, func(first, step int64) {
		order := make([]int64, shape[a])
		for i := range order {
			order[i] = int64(i)
		}
		slices.SortStableFunc(order, func(i, j int64) int {
			s, known := nums[first+i*step].compare(nums[first+j*step])
			complete = complete && known
			return s * sign
		})
		if len(starts) > line {
			for i := range outShape[a] {
				values[starts[line]+i*step] = nums[first+order[i]*step]
				indices[starts[line]+i*step] = IntOf(order[i])
			}
		}
		line++
	})
	if !complete {
		return
	}
	c.Out[0].Data = &Data{Nums: values}
	if len(c.Out) > 1 {
		c.Out[1].Data = &Data{Nums: indices}
	}
}

var reduceRules = slices.Concat(
	reduction("ReduceSum", 13, reduceCost{vectorIn: 1}, "Σx", sumOf),
	reduction("ReduceMean", 18, reduceCost{vectorIn: 1, specialOut: 1}, "Σx/n: an addition per input, a division per output", meanOf),
	reduction("ReduceMax", 18, reduceCost{vectorIn: 1}, "max x", extremeOf(numMax)),
	reduction("ReduceMin", 18, reduceCost{vectorIn: 1}, "min x", extremeOf(numMin)),
	reduction("ReduceProd", 18, reduceCost{vectorIn: 1}, "Πx", chain(IntOf(1), numMul)),
	reduction("ReduceL1", 18, reduceCost{vectorIn: 2}, "Σ|x|", mapped(numAbs, same)),
	reduction("ReduceL2", 18, reduceCost{vectorIn: 2, specialOut: 1}, "√Σx²", mapped(square, float1(math.Sqrt))),
	reduction("ReduceSumSquare", 18, reduceCost{vectorIn: 2}, "Σx²", mapped(square, same)),
	reduction("ReduceLogSum", 18, reduceCost{vectorIn: 1, specialOut: 1}, "log Σx", mapped(same, float1(math.Log))),
	reduction("ReduceLogSumExp", 18, reduceCost{vectorIn: 1, specialIn: 1, specialOut: 1},
		"log Σexp(x); the shift by the maximum that kernels add is not counted", mapped(float1(math.Exp), float1(math.Log))),
	[]Rule{
		{Op: "ArgMax", Since: 1, Shape: argShape, Work: perInput(0, 1, 0), Memory: Stream, Class: Reduction, Fold: argFold(1),
			Doc: "a comparison per input element"},
		{Op: "ArgMin", Since: 1, Shape: argShape, Work: perInput(0, 1, 0), Memory: Stream, Class: Reduction, Fold: argFold(-1),
			Doc: "a comparison per input element"},
		{Op: "CumSum", Since: 11, Shape: sameShape, Work: perOutput(1, 0), Memory: Stream, Class: Reduction, HostInputs: inputs(1),
			InPlace: inputs(0), Fold: cumulativeFold(IntOf(0), numAdd), Doc: "an addition per element"},
		{Op: "CumProd", Since: 26, Shape: sameShape, Work: perOutput(1, 0), Memory: Stream, Class: Reduction, HostInputs: inputs(1),
			InPlace: inputs(0), Fold: cumulativeFold(IntOf(1), numMul), Doc: "a multiplication per element"},
		{Op: "TopK", Since: 10, Shape: topKShape, Work: perInput(0, 1, 0), Memory: Stream, Class: Reduction, HostInputs: inputs(1),
			Fold: topKFold, Doc: "one comparison per input element, the least a selection needs; sorting the k is not counted"},
		{Op: "TopK", Since: 1, Shape: topKShape, Work: perInput(0, 1, 0), Memory: Stream, Class: Reduction, Fold: topKFold,
			Doc: "one comparison per input element, the least a selection needs; sorting the k is not counted"},
	},
)
