package op

import (
	"fmt"

	"github.com/onnxcost/onnxcost/analyzer/dim"
)

// Operators that move elements and compute nothing: transpose, join, cut, pick.

func transposeShape(c *Call) error {
	x, err := c.want(0)
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
	c.Out[0].keepCount(x)
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
	first, err := c.want(0)
	if err != nil {
		return err
	}
	var s Shape
	var along int
	for i := range c.In {
		v, err := c.want(i)
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
				return c.errorf("attribute axis is absent, want an axis")
			}
			if along, err = axis(c.Int("axis", def), len(v.Shape)); err != nil {
				return err
			}
			s = append(Shape{}, v.Shape...)
			continue
		}
		if len(v.Shape) != len(s) {
			return c.errorf("input %d has rank %d, want %d as input 0", i, len(v.Shape), len(s))
		}
		for a := range s {
			if a == along {
				s[a] = s[a].Add(v.Shape[a])
				continue
			}
			if s[a], err = c.sameDim(s[a], v.Shape[a]); err != nil {
				return c.errorf("input %d: axis %d: %w", i, a, err)
			}
		}
	}
	c.Out[0].SetTensor(first.DType, s)
	return nil
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
	x, err := c.want(0)
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

// splitParts are the sizes of the parts: those given, which have to add up, or equal ones.
func splitParts(c *Call, total dim.Dim, n int) ([]dim.Dim, error) {
	if v := c.Input(1); v != nil {
		ds, known, ok := v.dims()
		if ok && len(ds) != n {
			return nil, fmt.Errorf("input 1 has %d parts, want the number of outputs %d", len(ds), n)
		}
		parts := make([]dim.Dim, n)
		given := ok
		for i := range parts {
			if ok && known[i] {
				parts[i] = ds[i]
			} else {
				parts[i], given = c.fresh(fmt.Sprintf("split_%d", i), total), false
			}
		}
		if given {
			return parts, c.addUp(parts, total)
		}
		return parts, nil
	}
	if as := c.Ints("split"); as != nil {
		if len(as) != n {
			return nil, fmt.Errorf("attribute split has %d parts, want the number of outputs %d", len(as), n)
		}
		parts := Consts(as...)
		return parts, c.addUp(parts, total)
	}
	// equal parts; since opset 18 the last one may be smaller
	whole := int64(n)
	if c.Opset >= 18 && c.Node.Domain == "" {
		if !c.HasAttr("num_outputs") {
			return nil, fmt.Errorf("neither input split nor attribute num_outputs is present")
		}
		if whole = c.Int("num_outputs", 0); whole < int64(n) {
			return nil, fmt.Errorf("attribute num_outputs is %d, want at least the number of outputs %d", whole, n)
		}
	}
	k := dim.Const(whole)
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
			last := total.Sub(each.MulInt(whole - 1))
			if v, ok := last.Value(); ok && v < 1 { // as ONNX Runtime, which has no empty part here
				return nil, fmt.Errorf("extent %v does not split into %d parts: %v each leaves %d for the last", total, whole, each, v)
			}
			if whole == int64(n) {
				parts[n-1] = last
			}
		} else { // the model is valid only where it divides
			for i := range parts {
				parts[i] = total.FloorDiv(k)
			}
			c.equal(parts[0].Mul(k), total)
		}
	}
	return parts, nil
}

// addUp refuses parts that are negative or do not add up to the total.
func (c *Call) addUp(parts []dim.Dim, total dim.Dim) error {
	for i, p := range parts {
		if v, ok := p.Value(); ok && v < 0 {
			return fmt.Errorf("part %d is %d, want at least 0", i, v)
		}
	}
	sum := dim.Sum(parts...)
	have, ok1 := sum.Value()
	want, ok2 := total.Value()
	if ok1 && ok2 && have != want {
		return fmt.Errorf("the parts add up to %d, want %d", have, want)
	}
	c.equal(sum, total)
	return nil
}

func splitFold(c *Call) {
	x := c.In[0]
	if !x.Ranked || len(x.Shape) != 1 || !x.MayHaveElems() {
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

// gatherShape replaces one axis of the data by the shape of the indices.
func gatherShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	idx, err := c.want(1)
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
