package op

import "github.com/onnxcost/onnxcost/analyzer/onnx"

// Random numbers. The generator itself is not counted: it is a runtime's choice.

// randomShape reads shape and element type from the attributes.
func randomShape(c *Call) error {
	if !c.HasAttr("shape") {
		return c.errorf("attribute shape is absent, want the extents")
	}
	for i, n := range c.Ints("shape") {
		if n < 0 {
			return c.errorf("attribute shape: extent %d is %d, want at least 0", i, n)
		}
	}
	c.Out[0].SetTensor(onnx.DType(c.Int("dtype", int64(onnx.Float32))), Consts(c.Ints("shape")...))
	return nil
}

// randomLikeShape has the shape of the input and its element type unless the attribute names one.
func randomLikeShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	c.setOut(0, onnx.DType(c.Int("dtype", int64(x.DType))), x.Shape, x.Ranked)
	return nil
}

// multinomialShape: [batch, classes] → [batch, sample_size].
func multinomialShape(c *Call) error {
	s, known, err := c.wantRank(0, 2, 2)
	if err != nil {
		return err
	}
	if !known {
		s = c.freshShape("batch", 1)
	}
	out := append(Shape{s[0]}, Consts(c.Int("sample_size", 1))...)
	c.Out[0].SetTensor(onnx.DType(c.Int("dtype", int64(onnx.Int32))), out)
	return nil
}

const (
	normalDoc  = "Box-Muller and mean + scale·z: 2 operations and 2 special per element; the generator is not counted"
	uniformDoc = "low + (high-low)·u: 2 operations per element; the generator is not counted"
)

var randomRules = []Rule{
	{Op: "RandomNormal", Since: 1, Shape: randomShape, Work: perOutput(2, 2), Memory: Stream, Class: Other, Volatile: true, Doc: normalDoc},
	{Op: "RandomNormalLike", Since: 1, Shape: randomLikeShape, Work: perOutput(2, 2), Memory: Stream, Class: Other, Volatile: true,
		HostInputs: inputs(0), Doc: normalDoc},
	{Op: "RandomUniform", Since: 1, Shape: randomShape, Work: perOutput(2, 0), Memory: Stream, Class: Other, Volatile: true, Doc: uniformDoc},
	{Op: "RandomUniformLike", Since: 1, Shape: randomLikeShape, Work: perOutput(2, 0), Memory: Stream, Class: Other, Volatile: true,
		HostInputs: inputs(0), Doc: uniformDoc},
	{Op: "Multinomial", Since: 7, Shape: multinomialShape, Work: perInput(0, 1, 1), Memory: Stream, Class: Other, Volatile: true,
		Doc: "an exponential and a running sum per class; generator and search for each sample are not counted"},
	{Op: "Bernoulli", Since: 15, Shape: randomLikeShape, Work: perOutput(1, 0), Memory: Stream, Class: Other, Volatile: true,
		Doc: "a comparison per element; the generator is not counted"},
}
