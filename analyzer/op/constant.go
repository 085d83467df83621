package op

import (
	"math"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// Operators that make values from nothing but attributes and shapes: Constant, ConstantOfShape, EyeLike, Range.

// constantShape is Constant: the value is whichever attribute is present.
func constantShape(c *Call) error {
	out := c.Out[0]
	for i := range c.Node.Attributes {
		a := &c.Node.Attributes[i]
		switch a.Name {
		case "value":
			if a.T == nil {
				return c.errorf("attribute value is %d, want a tensor", a.Type)
			}
			return out.setStored(a.T)
		case "sparse_value":
			if a.SparseTensor == nil || a.SparseTensor.Values == nil {
				return c.errorf("attribute sparse_value holds no values")
			}
			out.SetTensor(a.SparseTensor.Values.DType, Consts(a.SparseTensor.Dims...))
			return nil
		case "value_int":
			out.SetTensor(onnx.Int64, Shape{})
			out.Data = &Data{Nums: []Num{IntOf(a.I)}}
			return nil
		case "value_ints":
			out.SetTensor(onnx.Int64, Consts(int64(len(a.Ints))))
			out.Data = &Data{Nums: intNums(a.Ints)}
			return nil
		case "value_float":
			out.SetTensor(onnx.Float32, Shape{})
			out.Data = &Data{Nums: []Num{Float(float64(a.F))}}
			return nil
		case "value_floats":
			out.SetTensor(onnx.Float32, Consts(int64(len(a.Floats))))
			nums := make([]Num, len(a.Floats))
			for i, f := range a.Floats {
				nums[i] = Float(float64(f))
			}
			out.Data = &Data{Nums: nums}
			return nil
		case "value_string":
			out.SetTensor(onnx.String, Shape{})
			out.Data = &Data{Strs: []string{a.S}}
			return nil
		case "value_strings":
			out.SetTensor(onnx.String, Consts(int64(len(a.Strings))))
			out.Data = &Data{Strs: a.Strings}
			return nil
		}
	}
	return c.errorf("no value attribute")
}

// setStored makes v the stored tensor t.
func (v *Value) setStored(t *onnx.Tensor) error {
	if _, err := t.Elements(); err != nil {
		return err
	}
	v.SetTensor(t.DType, Consts(t.Dims...))
	v.Tensor = t
	return nil
}

// SetStored makes v the stored tensor t; the error names negative or overflowing dims.
func (v *Value) SetStored(t *onnx.Tensor) error { return v.setStored(t) }

func intNums(xs []int64) []Num {
	nums := make([]Num, len(xs))
	for i, x := range xs {
		nums[i] = IntOf(x)
	}
	return nums
}

// constantOfShapeShape is ConstantOfShape: the input is the shape, the attribute value the one element.
func constantOfShapeShape(c *Call) error {
	s, known, err := c.targetShape(0, "shape")
	if err != nil {
		return err
	}
	dt := onnx.Float32
	a := c.Node.Attr("value")
	if a != nil && a.T != nil {
		dt = a.T.DType
	}
	c.setOut(0, dt, s, known)
	if !known || dt.IsFloat() && len(s) > 0 {
		return nil // weights, not shape arithmetic
	}
	n, ok := s.Elements().Value()
	if !ok || n > maxElems {
		return nil
	}
	fill := Float(0)
	if a != nil && a.T != nil {
		one := loadData(a.T)
		if one == nil || len(one.Nums) != 1 {
			return nil
		}
		fill = one.Nums[0]
	}
	nums := make([]Num, n)
	for i := range nums {
		nums[i] = fill
	}
	c.Out[0].Data = &Data{Nums: nums}
	return nil
}

// rangeShape is Range: max(ceil((limit - start)/delta), 0) elements.
func rangeShape(c *Call) error {
	var n [3]Num
	for i := range n {
		v, err := c.want(i)
		if err != nil {
			return err
		}
		if e := v.Elems(); len(e) == 1 {
			n[i] = e[0]
		}
	}
	out := c.Out[0]
	out.SetTensor(c.In[0].DType, Shape{rangeCount(c, n)})
	count, ok := out.Shape[0].Value()
	if !ok || count > maxElems || !n[0].Known() || !n[2].Known() {
		return nil
	}
	nums := make([]Num, count)
	for i := range nums {
		nums[i] = numAdd(n[0], numMul(IntOf(int64(i)), n[2]))
	}
	out.Data = &Data{Nums: nums}
	return nil
}

func rangeCount(c *Call, n [3]Num) dim.Dim {
	if a, ok := n[0].Float64(); ok {
		if b, ok := n[1].Float64(); ok {
			if d, ok := n[2].Float64(); ok && d != 0 {
				k := math.Ceil((b - a) / d)
				if k >= 0 && k < 1<<62 {
					return dim.Const(int64(k))
				} else if k < 0 {
					return dim.Const(0)
				}
			}
		}
	}
	start, ok1 := n[0].Dim()
	limit, ok2 := n[1].Dim()
	delta, ok3 := n[2].Int64()
	if !ok1 || !ok2 || !ok3 || delta == 0 {
		return c.fresh("range", dim.Dim{})
	}
	k := limit.Sub(start)
	if delta < 0 {
		k, delta = k.Neg(), -delta
	}
	k = k.CeilDiv(dim.Const(delta))
	return dim.Max(k, dim.Const(0))
}

func eyeLikeShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	if x.Ranked && len(x.Shape) != 2 {
		return c.errorf("input 0 has rank %d, want 2", len(x.Shape))
	}
	dt := onnx.DType(c.Int("dtype", int64(x.DType)))
	c.setOut(0, dt, x.Shape, x.Ranked)
	return nil
}
