package op

import (
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// Operators that were experimental in opset 1 and left the standard with opset 10. Converters of that time wrote them.

// cropShape cuts border = [left, top, right, bottom] off NCHW; with scale the result has the extents height, width.
func cropShape(c *Call) error {
	s, known, err := c.wantRank(0, 4, 4)
	if err != nil {
		return err
	}
	b := c.Ints("border")
	if len(b) != 4 {
		return c.errorf("attribute border has %d entries, want 4", len(b))
	}
	if !known {
		s = c.freshShape("crop", 4)
	}
	out := Shape{s[0], s[1], s[2].AddInt(-b[1] - b[3]), s[3].AddInt(-b[0] - b[2])}
	if scale := c.Ints("scale"); len(scale) == 2 {
		out[2], out[3] = dim.Const(scale[0]), dim.Const(scale[1])
	}
	c.Out[0].SetTensor(c.In[0].DType, out)
	return nil
}

// constantFillShape reads the shape from attribute shape, or from the input, as its elements with input_as_shape and
// as its extents without.
func constantFillShape(c *Call) error {
	dt := onnx.DType(c.Int("dtype", int64(onnx.Float32)))
	x := c.Input(0)
	extra := Consts(c.Ints("extra_shape")...)
	switch {
	case x == nil:
		c.Out[0].SetTensor(dt, Consts(c.Ints("shape")...))
	case c.Int("input_as_shape", 0) != 0:
		s, known, err := c.targetShape(0, "fill")
		if err != nil {
			return err
		}
		c.setOut(0, dt, append(s, extra...), known)
	default:
		c.setOut(0, dt, append(append(Shape{}, x.Shape...), extra...), x.Ranked)
	}
	return nil
}

// dynamicSliceShape is Slice as opset 10 has it: starts, ends and axes are inputs.
func dynamicSliceShape(c *Call) error {
	return sliceShape(&Call{Node: c.Node, Opset: 10, In: c.In, Out: c.Out, Engine: c.Engine})
}

var legacyRules = []Rule{
	{Op: "Affine", Since: 1, Shape: sameShape, Work: perOutput(2, 0), Memory: Stream, Class: Elementwise, InPlace: inputs(0),
		Doc: "αx + β: 2 operations"},
	{Op: "Scale", Since: 1, Shape: sameShape, Work: perOutput(1, 0), Memory: Stream, Class: Elementwise, InPlace: inputs(0),
		Doc: "s·x: 1 operation"},
	{Op: "ImageScaler", Since: 1, Shape: sameShape, Work: perOutput(2, 0), Memory: Stream, Class: Elementwise, InPlace: inputs(0),
		Doc: "s·x + bias per channel: 2 operations"},
	{Op: "ParametricSoftplus", Since: 1, Shape: sameShape, Work: perOutput(3, 2), Memory: Stream, Class: Elementwise, InPlace: inputs(0),
		Doc: "α·log(exp(βx) + 1): 3 operations, 2 special"},
	{Op: "ScaledTanh", Since: 1, Shape: sameShape, Work: perOutput(2, 1), Memory: Stream, Class: Elementwise, InPlace: inputs(0),
		Doc: "α·tanh(βx): 2 operations, 1 special"},
	{Op: "Crop", Since: 1, Shape: cropShape, Work: noWork, Memory: Indexed, Class: Movement, Traffic: touched,
		Doc: "moves elements; no arithmetic"},
	{Op: "DynamicSlice", Since: 1, Shape: dynamicSliceShape, Work: noWork, Memory: Indexed, Class: Movement, HostInputs: inputsFrom(1), Traffic: touched,
		Doc: movesDoc},
	{Op: "ConstantFill", Since: 1, Shape: constantFillShape, Work: noWork, Memory: Stream, Class: Movement, HostInputs: inputs(0),
		Doc: "writes one value; no arithmetic"},
}
