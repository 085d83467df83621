package op

import (
	"fmt"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// broadcast is the shape of an element-wise result under ONNX's multidirectional broadcasting (the standard's
// Broadcasting.md). Where two symbolic extents differ the result is their maximum, which is exact whenever the model
// is valid: then one of them is 1 or they are equal.
func broadcast(shapes ...Shape) (Shape, error) {
	rank := 0
	for _, s := range shapes {
		rank = max(rank, len(s))
	}
	out := make(Shape, rank)
	for i := range out {
		d := dim.Const(1)
		for _, s := range shapes {
			j := i - (rank - len(s))
			if j < 0 {
				continue
			}
			var err error
			if d, err = broadcastDim(d, s[j]); err != nil {
				return nil, fmt.Errorf("shapes %v do not broadcast: axis %d: %w", shapes, i, err)
			}
		}
		out[i] = d
	}
	return out, nil
}

func broadcastDim(a, b dim.Dim) (dim.Dim, error) {
	switch {
	case a.Equal(b), b.Is(1):
		return a, nil
	case a.Is(1):
		return b, nil
	}
	_, constA := a.Value()
	_, constB := b.Value()
	switch {
	case constA && constB:
		return a, fmt.Errorf("%v against %v, want equal or 1", a, b)
	case constA: // a is not 1, so b is 1 or a
		return a, nil
	case constB:
		return b, nil
	}
	return dim.Max(a, b), nil
}

// broadcastInputs is the broadcast shape of the given inputs (all when none are named); known is false where a rank
// is unknown.
func broadcastInputs(c *Call, idx ...int) (s Shape, known bool, err error) {
	var shapes []Shape
	if len(idx) == 0 {
		for i := range c.In {
			idx = append(idx, i)
		}
	}
	for _, i := range idx {
		v := c.Input(i)
		if v == nil {
			continue
		}
		if !v.Ranked {
			return nil, false, nil
		}
		shapes = append(shapes, v.Shape)
	}
	if len(shapes) == 0 {
		return nil, false, fmt.Errorf("no inputs, want at least one")
	}
	if len(shapes) == 1 {
		return shapes[0], true, nil
	}
	if len(shapes) == 2 && shapes[0].Equal(shapes[1]) {
		return shapes[0], true, nil
	}
	s, err = c.broadcast(shapes...)
	return s, err == nil, err
}

// setOut gives output i a type; a shape that is not known leaves the rank open.
func (c *Call) setOut(i int, dt onnx.DType, s Shape, known bool) {
	if i >= len(c.Out) {
		return
	}
	if known {
		c.Out[i].SetTensor(dt, s)
		return
	}
	c.Out[i].SetUnranked(dt)
}

// sameShape gives the first output the type of the first input.
func sameShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	c.Out[0].SetType(x)
	return nil
}

// sameShapeAs gives the first output the shape of the first input and a fixed element type.
func sameShapeAs(dt onnx.DType) func(*Call) error {
	return func(c *Call) error {
		x, err := c.want(0)
		if err != nil {
			return err
		}
		c.setOut(0, dt, x.Shape, x.Ranked)
		return nil
	}
}

// broadcastShape is the shape rule of variadic element-wise operators: element type of the first input.
func broadcastShape(c *Call) error { return broadcastTyped(c, 0) }

// broadcastTyped broadcasts all inputs to the element type of input i.
func broadcastTyped(c *Call, i int) error {
	x, err := c.want(i)
	if err != nil {
		return err
	}
	s, known, err := broadcastInputs(c)
	if err != nil {
		return err
	}
	c.setOut(0, x.DType, s, known)
	return nil
}

// broadcastShapeAs is broadcastShape with a fixed element type.
func broadcastShapeAs(dt onnx.DType) func(*Call) error {
	return func(c *Call) error {
		s, known, err := broadcastInputs(c)
		if err != nil {
			return err
		}
		c.setOut(0, dt, s, known)
		return nil
	}
}

// foldable returns the known elements of every present input and the constant number of elements of the first
// output; ok is false unless all are known and small.
func foldable(c *Call) (in [][]Num, n int64, ok bool) {
	out := c.Out[0]
	if !out.Ranked {
		return nil, 0, false
	}
	for _, v := range c.In {
		if v != nil && !v.MayHaveElems() {
			return nil, 0, false
		}
	}
	n, ok = out.Shape.Elements().Value()
	if !ok || n > maxElems {
		return nil, 0, false
	}
	in = make([][]Num, len(c.In))
	for i, v := range c.In {
		if v == nil {
			continue
		}
		if in[i] = v.Elems(); in[i] == nil {
			return nil, 0, false
		}
	}
	return in, n, true
}

// foldBroadcast folds an element-wise operator: f combines the elements of all inputs at one place.
func foldBroadcast(f func(args []Num) Num) func(*Call) {
	return func(c *Call) {
		in, n, ok := foldable(c)
		if !ok {
			return
		}
		shape, ok := intShape(c.Out[0].Shape)
		if !ok {
			return
		}
		strides := make([][]int64, len(in))
		for i, v := range c.In {
			if v == nil {
				continue // its argument stays unknown
			}
			s, ok := intShape(v.Shape)
			if !ok || !broadcastsTo(s, shape) {
				return
			}
			strides[i] = broadcastStrides(s, len(shape))
		}
		out := make([]Num, n)
		args := make([]Num, len(in))
		idx := make([]int64, len(shape))
		for k := range out {
			for i := range in {
				if in[i] == nil {
					continue
				}
				var at int64
				for a, x := range idx {
					at += x * strides[i][a]
				}
				args[i] = in[i][at]
			}
			out[k] = roundTo(c.Out[0].DType, f(args))
			advance(idx, shape)
		}
		c.Out[0].Data = &Data{Nums: out}
	}
}

// fold1 and fold2 fold unary and binary element-wise operators.
func fold1(f func(a Num) Num) func(*Call) {
	return foldBroadcast(func(a []Num) Num {
		if !a[0].Known() {
			return Num{}
		}
		return f(a[0])
	})
}

func fold2(f func(a, b Num) Num) func(*Call) {
	return foldBroadcast(func(a []Num) Num {
		if len(a) != 2 {
			return Num{}
		}
		return f(a[0], a[1])
	})
}

// foldChain folds a variadic operator by applying f from left to right.
func foldChain(f func(a, b Num) Num) func(*Call) {
	return foldBroadcast(func(a []Num) Num {
		r := a[0]
		for _, x := range a[1:] {
			r = f(r, x)
		}
		return r
	})
}

// intShape is the shape as plain integers; false where an extent is symbolic, or negative in a contradictory model.
func intShape(s Shape) ([]int64, bool) {
	out := make([]int64, len(s))
	for i, d := range s {
		v, ok := d.Value()
		if !ok || v < 0 {
			return nil, false
		}
		out[i] = v
	}
	return out, true
}

// rowMajor is the row-major stride of each axis.
func rowMajor(shape []int64) []int64 {
	st := make([]int64, len(shape))
	n := int64(1)
	for i := len(shape) - 1; i >= 0; i-- {
		st[i] = n
		n *= shape[i]
	}
	return st
}

// broadcastsTo reports whether shape broadcasts into the shape to without changing it.
func broadcastsTo(shape, to []int64) bool {
	lead := len(to) - len(shape)
	if lead < 0 {
		return false
	}
	for i, n := range shape {
		if n != 1 && n != to[lead+i] {
			return false
		}
	}
	return true
}

// broadcastStrides aligns shape to the right of rank axes; broadcast axes have stride 0.
func broadcastStrides(shape []int64, rank int) []int64 {
	out := make([]int64, rank)
	st := rowMajor(shape)
	for i := range shape {
		if shape[i] != 1 {
			out[rank-len(shape)+i] = st[i]
		}
	}
	return out
}

// advance steps a row-major index.
func advance(idx, shape []int64) {
	for a := len(idx) - 1; a >= 0; a-- {
		if idx[a]++; idx[a] < shape[a] {
			return
		}
		idx[a] = 0
	}
}
