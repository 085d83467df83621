package op

import (
	"slices"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// Operators whose extents depend on their data. With known elements the extent is exact; otherwise it is a fresh
// symbol with an upper bound.

// maxScan bounds the elements that are read for the sake of an extent.
const maxScan = 1 << 20

// scan returns the elements of v with its shape, reading more than shape arithmetic would.
func (v *Value) scan() (nums []Num, shape []int64, ok bool) {
	if v == nil || !v.Ranked {
		return nil, nil, false
	}
	shape, ok = intShape(v.Shape)
	if !ok {
		return nil, nil, false
	}
	nums = v.elems(maxScan)
	return nums, shape, nums != nil
}

// keep gives an output its elements unless they are too many to carry.
func (v *Value) keep(nums []Num) {
	if len(nums) <= maxElems {
		v.Data = &Data{Nums: nums}
	}
}

// nonZeroShape is NonZero: a column of coordinates for each element that is not zero.
func nonZeroShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	if !x.Ranked {
		c.Out[0].SetTensor(onnx.Int64, c.freshShape("nonzero", 2))
		return nil
	}
	rank := int64(len(x.Shape))
	nums, shape, ok := x.scan()
	var found [][]int64
	idx := make([]int64, rank)
	for _, n := range nums {
		s, known := n.compare(IntOf(0))
		ok = ok && known
		if s != 0 {
			found = append(found, slices.Clone(idx))
		}
		advance(idx, shape)
	}
	if !ok {
		c.Out[0].SetTensor(onnx.Int64, Shape{dim.Const(rank), c.placesOf(x, x.Shape.Elements())})
		return nil
	}
	c.Out[0].SetTensor(onnx.Int64, Consts(rank, int64(len(found))))
	out := make([]Num, 0, rank*int64(len(found)))
	for a := range rank {
		for _, at := range found {
			out = append(out, IntOf(at[a]))
		}
	}
	c.Out[0].keep(out)
	return nil
}

// compressShape keeps the slices along axis (of the flat input without one) whose condition holds.
func compressShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	cond, err := c.want(1)
	if err != nil {
		return err
	}
	if !x.Ranked {
		c.Out[0].SetUnranked(x.DType)
		if !c.HasAttr("axis") {
			c.Out[0].SetTensor(x.DType, c.freshShape("compress", 1))
		}
		return nil
	}
	s, a := Shape{x.Shape.Elements()}, 0
	if c.HasAttr("axis") {
		if a, err = axis(c.Int("axis", 0), len(x.Shape)); err != nil {
			return err
		}
		s = append(Shape{}, x.Shape...)
	}
	held, known := compressed(cond)
	if n, ok := s[a].Value(); ok { // a condition beyond the axis selects nothing
		held = slices.DeleteFunc(held, func(i int64) bool { return i >= n })
	}
	upper := s[a]
	if n, ok := cond.Elements(); ok {
		upper = dim.Min(upper, n)
	}
	s[a] = dim.Const(int64(len(held)))
	if !known {
		s[a] = c.fresh("compress", upper)
	}
	c.Out[0].SetTensor(x.DType, s)
	return nil
}

// compressed is the positions at which the condition holds.
func compressed(cond *Value) (held []int64, known bool) {
	nums, _, known := cond.scan()
	for i, n := range nums {
		s, ok := n.compare(IntOf(0))
		known = known && ok
		if s != 0 {
			held = append(held, int64(i))
		}
	}
	return held, known
}

func compressFold(c *Call) {
	nums, shape, ok := c.In[0].table()
	held, known := compressed(c.In[1])
	n, constant := c.Out[0].Shape.Elements().Value()
	if !ok || !known || !constant || n > maxElems {
		return
	}
	a := 0
	if c.HasAttr("axis") {
		a, _ = axis(c.Int("axis", 0), len(shape))
	} else {
		shape = []int64{int64(len(nums))}
	}
	if k := len(held); k > 0 && held[k-1] >= shape[a] {
		return
	}
	outShape := slices.Clone(shape)
	outShape[a] = int64(len(held))
	strides := rowMajor(shape)
	c.Out[0].Data = &Data{Nums: each(outShape, n, func(idx []int64) Num {
		var at int64
		for k, i := range idx {
			if k == a {
				i = held[i]
			}
			at += i * strides[k]
		}
		return nums[at]
	})}
}

// uniqueShape is Unique: values, first positions, inverse and counts, of slices along axis or of the flat input.
func uniqueShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	s, a := Shape{}, 0
	switch {
	case !c.HasAttr("axis") && x.Ranked:
		s = Shape{x.Shape.Elements()}
	case !c.HasAttr("axis"):
		s = c.freshShape("flat", 1)
	case !x.Ranked:
		c.Out[0].SetUnranked(x.DType)
		for i := 1; i < len(c.Out); i++ {
			c.Out[i].SetTensor(onnx.Int64, c.freshShape("unique", 1))
		}
		return nil
	default:
		if a, err = axis(c.Int("axis", 0), len(x.Shape)); err != nil {
			return err
		}
		s = append(s, x.Shape...)
	}
	inverse := s[a]
	groups, known := distinct(c, x, a)
	count := dim.Const(int64(len(groups)))
	if !known {
		count = c.fresh("unique", inverse)
	}
	s = append(Shape{}, s...)
	s[a] = count
	c.Out[0].SetTensor(x.DType, s)
	for i := 1; i < len(c.Out); i++ {
		c.Out[i].SetTensor(onnx.Int64, Shape{count})
	}
	if len(c.Out) > 2 {
		c.Out[2].SetTensor(onnx.Int64, Shape{inverse})
	}
	if known {
		uniqueData(c, x, a, groups)
	}
	return nil
}

// distinct groups the positions along axis a whose slices are equal: in order of the slices when sorted, of their
// first occurrence otherwise.
func distinct(c *Call, x *Value, a int) (groups [][]int64, known bool) {
	nums, shape, ok := x.scan()
	if strs := x.Strs(); strs != nil && !c.HasAttr("axis") {
		return group(int64(len(strs)), c.Int("sorted", 1) != 0, func(i, j int64) int { return cmpStrings(strs[i], strs[j]) }), true
	}
	if !ok {
		return nil, false
	}
	if !c.HasAttr("axis") {
		shape = []int64{int64(len(nums))}
	}
	if len(nums) == 0 && shape[a] > 0 { // without elements there is nothing to compare
		return nil, false
	}
	strides := rowMajor(shape)
	rest := slices.Clone(shape) // the shape of a slice
	rest[a] = 1
	var places []int64
	each(rest, product(rest), func(idx []int64) Num {
		var at int64
		for k, i := range idx {
			at += i * strides[k]
		}
		places = append(places, at)
		return Num{}
	})
	known = true
	compare := func(i, j int64) int {
		for _, p := range places {
			s, ok := nums[p+i*strides[a]].compare(nums[p+j*strides[a]])
			known = known && ok
			if s != 0 {
				return s
			}
		}
		return 0
	}
	groups = group(shape[a], c.Int("sorted", 1) != 0, compare)
	return groups, known
}

func cmpStrings(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// group sorts the positions 0…n-1 and joins equal neighbours.
func group(n int64, sorted bool, compare func(i, j int64) int) [][]int64 {
	order := make([]int64, n)
	for i := range order {
		order[i] = int64(i)
	}
	slices.SortStableFunc(order, compare)
	var groups [][]int64
	for i, p := range order {
		if i > 0 && compare(order[i-1], p) == 0 {
			last := len(groups) - 1
			groups[last] = append(groups[last], p)
			continue
		}
		groups = append(groups, []int64{p})
	}
	if !sorted {
		slices.SortFunc(groups, func(x, y []int64) int { return int(x[0] - y[0]) })
	}
	return groups
}

// uniqueData fills the elements of the outputs.
func uniqueData(c *Call, x *Value, a int, groups [][]int64) {
	first, counts := make([]Num, len(groups)), make([]Num, len(groups))
	n := 0
	for i, g := range groups {
		first[i], counts[i] = IntOf(g[0]), IntOf(int64(len(g)))
		n += len(g)
	}
	inverse := make([]Num, n)
	for i, g := range groups {
		for _, p := range g {
			inverse[p] = IntOf(int64(i))
		}
	}
	for i, nums := range [][]Num{first, inverse, counts} {
		if i+1 < len(c.Out) {
			c.Out[i+1].keep(nums)
		}
	}
	nums, shape, ok := x.scan()
	size, constant := c.Out[0].Shape.Elements().Value()
	if !ok || len(nums) == 0 || !constant || size > maxElems {
		return
	}
	if !c.HasAttr("axis") {
		shape = []int64{int64(len(nums))}
	}
	strides := rowMajor(shape)
	outShape, ok := intShape(c.Out[0].Shape)
	if !ok {
		return
	}
	c.Out[0].Data = &Data{Nums: each(outShape, size, func(idx []int64) Num {
		var at int64
		for k, i := range idx {
			if k == a {
				i = groups[i][0]
			}
			at += i * strides[k]
		}
		return nums[at]
	})}
}

var dynamicRules = []Rule{
	{Op: "NonZero", Since: 9, Shape: nonZeroShape, Work: perInput(0, 1, 0), Memory: Stream, Class: Movement,
		Doc: "a comparison per input element; the extent is exact for known elements, else a symbol bounded by the number of elements"},
	{Op: "Compress", Since: 9, Shape: compressShape, Work: noWork, Memory: Indexed, Class: Movement, Fold: compressFold,
		Traffic: touchedAndIndices(1), Doc: "moves elements; the extent is exact for a known condition, else a bounded symbol"},
	{Op: "Unique", Since: 11, Shape: uniqueShape, Work: perInput(0, 1, 0), Memory: Stream, Class: Reduction,
		Doc: "one comparison per input element, sorting not counted; the extent is exact for known elements, else a bounded symbol"},
	{Op: "NonMaxSuppression", Since: 10, Shape: nmsShape, Work: nmsWork, Memory: Stream, Class: Other, HostInputs: inputsFrom(2),
		Doc: "a comparison per score; the overlaps depend on the data and are not counted; the number of boxes is exact for known inputs, else a bounded symbol"},
}
