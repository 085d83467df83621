package op

import "github.com/onnxcost/onnxcost/analyzer/onnx"

const msDomain = "com.microsoft"

// Quantisation between floats and small integers or small floats. Scales may be one for the tensor, one for each place
// of an axis, or one for each block of an axis; neither the output's shape nor the operations per element depend on it.

// quantizeShape: the element type is that of the zero point, else attribute output_dtype, else uint8.
func quantizeShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	dt := onnx.Uint8
	if zero := c.Input(2); zero != nil && zero.DType != onnx.Undefined {
		dt = zero.DType
	} else if to := onnx.DType(c.Int("output_dtype", 0)); to != onnx.Undefined {
		dt = to
	}
	if err := blockedScale(c, x); err != nil {
		return err
	}
	c.setOut(0, dt, x.Shape, x.Ranked)
	return nil
}

// dequantizeShape: the element type is attribute output_dtype (opset 23), else that of the scale.
func dequantizeShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	scale, err := c.want(1)
	if err != nil {
		return err
	}
	dt := scale.DType
	if to := onnx.DType(c.Int("output_dtype", 0)); to != onnx.Undefined {
		dt = to
	}
	if err := blockedScale(c, x); err != nil {
		return err
	}
	c.setOut(0, dt, x.Shape, x.Ranked)
	return nil
}

// blockedScale checks a blocked scale (attribute block_size): the rank of the input, one entry for each block.
func blockedScale(c *Call, x *Value) error {
	size := c.Int("block_size", 0)
	scale := c.Input(1)
	if size <= 0 || scale == nil || !scale.Ranked || !x.Ranked {
		return nil
	}
	if len(scale.Shape) != len(x.Shape) {
		return c.errorf("scale %v of blocks, want the rank of %v", scale.Shape, x.Shape)
	}
	a, err := axis(c.Int("axis", 1), len(x.Shape))
	if err != nil {
		return err
	}
	n, ok1 := x.Shape[a].Value()
	k, ok2 := scale.Shape[a].Value()
	if ok1 && ok2 && k != (n+size-1)/size {
		return c.errorf("%d scales along axis %d, want %d blocks of %d", k, a, (n+size-1)/size, size)
	}
	return nil
}

// dequantizeWork: (x - zero) · scale, one operation less without a zero point.
func dequantizeWork(c *Call) Work {
	if c.Has(2) {
		return perElement(c.Out[0], 2, 0)
	}
	return perElement(c.Out[0], 1, 0)
}

// dynamicQuantizeShape: the quantised tensor, its scale and its zero point.
func dynamicQuantizeShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	c.setOut(0, onnx.Uint8, x.Shape, x.Ranked)
	c.setOut(1, x.DType, Shape{}, true)
	c.setOut(2, onnx.Uint8, Shape{}, true)
	return nil
}

// quantize and dequantize are the rows of one domain.
func quantize(domain string, since int64) Rule {
	return Rule{Domain: domain, Op: "QuantizeLinear", Since: since, Shape: quantizeShape, Work: perOutput(3, 1), Memory: Stream,
		Class: Quantization, Scales: inputs(1, 2),
		Doc: "saturate(round(x/scale) + zero): 3 operations and a division per element"}
}

func dequantize(domain string, since int64) Rule {
	return Rule{Domain: domain, Op: "DequantizeLinear", Since: since, Shape: dequantizeShape, Work: dequantizeWork, Memory: Stream,
		Class: Quantization, QuantInputs: inputs(0), Scales: inputs(1, 2), KeepsWeights: true,
		Doc: "(x - zero)·scale: 2 operations per element, 1 without a zero point"}
}

var quantRules = []Rule{
	quantize("", 10),
	dequantize("", 10),
	quantize(msDomain, 1),
	dequantize(msDomain, 1),
	{Op: "DynamicQuantizeLinear", Since: 11, Shape: dynamicQuantizeShape, Work: perInput(0, 5, 1), Memory: Stream,
		Class: Quantization, Doc: "minimum, maximum, then saturate(round(x/scale) + zero): 5 operations and a division per element"},
}
