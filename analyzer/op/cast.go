package op

import "github.com/onnxcost/onnxcost/analyzer/onnx"

// Cast and CastLike: the same elements in another type.

// castShape is Cast: attribute to is the element type.
func castShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	dt := onnx.DType(c.Int("to", 0))
	if a := c.Node.Attr("to"); a != nil && a.Type == onnx.AttrString { // opsets 1 to 5 name the type
		dt = legacyDTypes[a.S]
	}
	if !dt.Known() {
		return c.errorf("attribute to is %d, want an element type", c.Int("to", 0))
	}
	c.setOut(0, dt, x.Shape, x.Ranked)
	return nil
}

var legacyDTypes = map[string]onnx.DType{"FLOAT": onnx.Float32, "UINT8": onnx.Uint8, "INT8": onnx.Int8,
	"UINT16": onnx.Uint16, "INT16": onnx.Int16, "INT32": onnx.Int32, "INT64": onnx.Int64, "STRING": onnx.String,
	"BOOL": onnx.Bool, "FLOAT16": onnx.Float16, "DOUBLE": onnx.Float64, "UINT32": onnx.Uint32, "UINT64": onnx.Uint64,
	"COMPLEX64": onnx.Complex64, "COMPLEX128": onnx.Complex128}

func castLikeShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	like, err := c.want(1)
	if err != nil {
		return err
	}
	c.setOut(0, like.DType, x.Shape, x.Ranked)
	return nil
}

func castFold(c *Call) {
	x, out := c.In[0], c.Out[0]
	if !x.MayHaveElems() || x.DType == onnx.String || out.DType == onnx.String {
		return
	}
	nums := x.Elems()
	if nums == nil {
		return
	}
	conv := toFloat
	switch {
	case out.DType == onnx.Bool:
		conv = toBool
	case out.DType.IsInteger():
		conv = toInt
	case out.DType.Bits() < 16 || !out.DType.IsFloat():
		return // the roundings and saturations of small floats decide no extent; complex numbers have no elements here
	}
	res := make([]Num, len(nums))
	for i, n := range nums {
		res[i] = roundTo(out.DType, conv(n))
	}
	out.Data = &Data{Nums: res}
}

// castWork: a conversion is one operation an element, nothing where the type stays.
func castWork(c *Call) Work {
	if c.In[0].DType == c.Out[0].DType {
		return Work{}
	}
	return perElement(c.Out[0], 1, 0)
}
