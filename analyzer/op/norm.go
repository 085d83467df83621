package op

import (
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// Normalisations over channels, neighbours or an axis.

// batchNormShape: Y like X; the further outputs (statistics of training) have one element per channel, or the shape
// of the scale where the channels are not known.
func batchNormShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	if err := batchNormOutputs(c); err != nil {
		return err
	}
	c.Out[0].SetType(x)
	channels := Shape{dim.Const(1)} // a rank-1 input has one channel
	switch scale := c.Input(1); {
	case scale == nil:
		return c.errorf("input 1 is absent, want the scale")
	case x.Ranked && len(x.Shape) == 0:
		return c.errorf("input 0 has rank 0, want at least 1")
	case x.Ranked && len(x.Shape) > 1 && c.Int("spatial", 1) != 0:
		channels = Shape{x.Shape[1]}
		for i := 1; i < 5; i++ {
			if err := checkVector(c, i, x.Shape[1]); err != nil {
				return err
			}
		}
	case scale.Ranked:
		channels = scale.Shape
	}
	for i := 1; i < len(c.Out); i++ {
		dt := x.DType
		if v := c.Input(3); v != nil && c.Opset >= 14 { // the statistics keep their own type
			dt = v.DType
		}
		c.Out[i].SetTensor(dt, channels)
	}
	return nil
}

// batchNormOutputs refuses a number of outputs that is not that of inference (1) or of training: 3 since opset 14, where
// an attribute says which it is, and 5 before.
func batchNormOutputs(c *Call) error {
	n, training, want := 0, c.Int("training_mode", 0) != 0, 3
	for i, name := range c.Node.Outputs {
		if name != "" {
			n = i + 1
		}
	}
	if c.Opset < 14 {
		training, want = n > 1, 5
		if c.Int("is_test", 0) != 0 {
			training = false
		}
	}
	if !training {
		want = 1
	}
	if n != want {
		return c.errorf("has %s, want %d", plural(n, "output"), want)
	}
	return nil
}

// batchNormWork: with the stored statistics the operator is one scale and one shift per channel, 2 operations an
// element. In training it also sums the elements and their squared deviations (1 + 3) and updates the statistics.
func batchNormWork(c *Call) Work {
	n, ok := c.In[0].Elements()
	if !ok {
		return Work{}
	}
	training := c.Int("training_mode", 0) != 0
	if c.Opset < 14 {
		training = false
		for i := 1; i < len(c.Node.Outputs); i++ {
			training = training || c.HasOut(i)
		}
	}
	if !training {
		return Work{Vector: n.MulInt(2)}
	}
	channels := dim.Const(1)
	if s := c.In[0].Shape; len(s) > 1 {
		channels = s[1]
	}
	return Work{Vector: n.MulInt(6).Add(channels.MulInt(6)), Special: channels.MulInt(2)}
}

// lrnWork: x / (bias + alpha/size·Σx²)^beta with size neighbours in the sum: the square, size sums, scale and offset
// count size + 3, the power and the division are special.
func lrnWork(c *Call) Work { return perElement(c.Out[0], c.Int("size", 1)+3, 2) }

// softmaxAxis checks the attribute axis. Up to opset 12 the input is seen as a matrix whose rows begin at axis
// (default 1); from 13 on the operator runs along one axis (default the last). rows is the number of independent
// distributions.
func softmaxAxis(c *Call) (rows dim.Dim, known bool, err error) {
	x, err := c.want(0)
	if err != nil || !x.Ranked {
		return rows, false, err
	}
	rank := len(x.Shape)
	if c.Opset >= 13 {
		if rank == 0 { // a scalar is its own distribution
			return dim.Const(1), true, nil
		}
		a, err := axis(c.Int("axis", -1), rank)
		if err != nil {
			return rows, false, err
		}
		return dim.Prod(x.Shape[:a].Elements(), x.Shape[a+1:].Elements()), true, nil
	}
	a := c.Int("axis", 1)
	if a < 0 {
		a += int64(rank)
	}
	if a < 0 || a > int64(rank) {
		return rows, false, c.errorf("axis %d is outside rank %d", c.Int("axis", 1), rank)
	}
	return x.Shape[:a].Elements(), true, nil
}

func softmaxShape(c *Call) error {
	if _, _, err := softmaxAxis(c); err != nil {
		return err
	}
	return sameShape(c)
}

// logSoftmaxWork: x - max - log Σ exp(x - max): maximum, difference, sum and difference are 4, the exponential is
// special, and so is the logarithm of each row.
func logSoftmaxWork(c *Call) Work {
	w := perElement(c.Out[0], 4, 1)
	if rows, known, err := softmaxAxis(c); err == nil && known {
		w.Special = w.Special.Add(rows)
	}
	return w
}

// dropoutShape: the output is the input; the mask has the input's type up to opset 9 and is bool from 10 on.
func dropoutShape(c *Call) error {
	if err := sameShape(c); err != nil {
		return err
	}
	x := c.In[0]
	mask := onnx.Bool
	if c.Opset < 10 {
		mask = x.DType
	}
	c.setOut(1, mask, x.Shape, x.Ranked)
	return nil
}

// dropoutTrains reports whether a Dropout of opset 12 on drops anything: its third input is not known to be false.
func dropoutTrains(c *Call) bool {
	v := c.Input(2)
	if v == nil {
		return false
	}
	on := v.Elems()
	return len(on) != 1 || !on[0].Equal(IntOf(0))
}

// dropoutWork: nothing in inference; in training a comparison with a random number and a product per element.
func dropoutWork(c *Call) Work {
	if !dropoutTrains(c) {
		return Work{}
	}
	return perElement(c.Out[0], 2, 0)
}

// dropoutTraffic: in inference only a mask that is asked for moves.
func dropoutTraffic(c *Call) (read, written dim.Dim) {
	if c.HasOut(1) {
		written, _ = c.Out[1].Bytes()
	}
	if c.Opset >= 12 && dropoutTrains(c) {
		b, _ := c.In[0].Bytes()
		read, written = b, written.Add(b)
	}
	return read, written
}

const docSoftmax = "max, difference and sum: 3 per element; exp and division: 2 special"

var normRules = []Rule{
	{Op: "BatchNormalization", Since: 1, Shape: batchNormShape, Work: batchNormWork, Memory: Stream, Class: Normalization,
		InPlace: inputs(0), Statistics: inputs(3, 4),
		Doc: "one scale and shift per channel: 2 per element; in training 4 more for mean and variance, 6 and 2 special per channel"},
	{Op: "LRN", Since: 1, Shape: sameShape, Work: lrnWork, Memory: Stream, Class: Normalization,
		Doc: "size+3 per element (square, window sum, scale, offset); power and division: 2 special"},
	{Op: "Softmax", Since: 1, Shape: softmaxShape, Work: perOutput(3, 2), Memory: Stream, Class: Normalization, Doc: docSoftmax},
	{Op: "LogSoftmax", Since: 1, Shape: softmaxShape, Work: logSoftmaxWork, Memory: Stream, Class: Normalization,
		Doc: "max, two differences and a sum: 4 per element; exp per element and log per row: special"},
	{Op: "Hardmax", Since: 1, Shape: softmaxShape, Work: perOutput(2, 0), Memory: Stream, Class: Normalization,
		Doc: "2 comparisons per element: the maximum and its place"},
	{Op: "Dropout", Since: 12, Shape: dropoutShape, Work: dropoutWork, Memory: View, Class: Movement, HostInputs: inputs(1, 2),
		Traffic: dropoutTraffic, Doc: "identity in inference; 2 per element where training_mode is not known to be false"},
	{Op: "Dropout", Since: 1, Shape: dropoutShape, Work: noWork, Memory: View, Class: Movement, Traffic: dropoutTraffic,
		Doc: "identity in inference"},
}
