package op

import (
	"math"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// bitCastShape reads the same bytes as another type of the same width.
func bitCastShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	dt := onnx.DType(c.Int("to", 0))
	if !dt.Known() {
		return c.errorf("attribute to is %d, want an element type", c.Int("to", 0))
	}
	if x.DType.Known() && x.DType.Bits() != dt.Bits() {
		return c.errorf("%v has %d bits, want the %d of %v", x.DType, x.DType.Bits(), dt.Bits(), dt)
	}
	c.setOut(0, dt, x.Shape, x.Ranked)
	return nil
}

func bitCastFold(c *Call) {
	nums := c.In[0].Elems()
	if nums == nil {
		return
	}
	from, to := c.In[0].DType, c.Out[0].DType
	out := make([]Num, len(nums))
	for i, n := range nums {
		out[i] = reinterpret(n, from, to)
	}
	c.Out[0].Data = &Data{Nums: out}
}

// reinterpret is one element under another type; unknown for the types whose bits are not at hand.
func reinterpret(n Num, from, to onnx.DType) Num {
	if _, ok := n.Float64(); !ok {
		return Num{} // symbolic
	}
	isInt := func(dt onnx.DType) bool { return dt.IsInteger() || dt == onnx.Bool }
	if isInt(from) && isInt(to) {
		return roundTo(to, n)
	}
	f, _ := n.Float64()
	v, _ := n.Int64()
	switch {
	case from == onnx.Float32 && isInt(to):
		return roundTo(to, IntOf(int64(math.Float32bits(float32(f)))))
	case from == onnx.Float64 && to == onnx.Int64:
		return IntOf(int64(math.Float64bits(f)))
	case isInt(from) && to == onnx.Float32:
		return Float(float64(math.Float32frombits(uint32(v))))
	case isInt(from) && to == onnx.Float64:
		return Float(math.Float64frombits(uint64(v)))
	}
	return Num{}
}

var bitCastRules = []Rule{
	{Op: "BitCast", Since: 26, Shape: bitCastShape, Work: noWork, Memory: View, Class: Movement, Fold: bitCastFold,
		Doc: "the same bytes under another type"},
}
