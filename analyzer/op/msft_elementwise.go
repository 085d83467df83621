package op

import (
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// Element-wise operators of com.microsoft, and the quantised forms that ONNX Runtime's quantisation tool writes. Their
// operations are counted from the documented formulas; that the runtime looks the results of 8-bit functions up in
// tables of 256 entries is not.

// ms is a row of com.microsoft: streaming, one version.
func ms(r Rule) Rule {
	r.Domain, r.Since = msDomain, 1
	if r.Memory == 0 {
		r.Memory = Stream
	}
	return r
}

// msElementwise keeps the shape of input 0 and may overwrite it.
func msElementwise(name string, vector, special int64, doc string) Rule {
	return ms(Rule{Op: name, Shape: sameShape, Work: perOutput(vector, special), Class: Elementwise, InPlace: inputs(0), Doc: doc})
}

// optionalAdd adds an operation per output element for each of the listed inputs that is present.
func optionalAdd(w func(*Call) Work, optional ...int) func(*Call) Work {
	return func(c *Call) Work {
		total := w(c)
		for _, i := range optional {
			if c.Has(i) {
				total = total.plus(perElement(c.Out[0], 1, 0).Vector, dim.Dim{})
			}
		}
		return total
	}
}

// maskedShape adds a mask output: bool, or 32 elements to a word.
func maskedShape(dt onnx.DType) func(*Call) error {
	return func(c *Call) error {
		if err := sameShape(c); err != nil {
			return err
		}
		x := c.In[0]
		s := x.Shape
		if dt == onnx.Uint32 && x.Ranked {
			s = Shape{x.Shape.Elements().CeilDiv(dim.Const(32))}
		}
		c.setOut(1, dt, s, x.Ranked)
		return nil
	}
}

// biasSplitGeluShape halves the last axis.
func biasSplitGeluShape(c *Call) error {
	x, known, err := c.wantRank(0, 1, -1)
	if err != nil {
		return err
	}
	var s Shape
	if known {
		s = append(append(s, x[:len(x)-1]...), x[len(x)-1].FloorDiv(dim.Const(2)))
	}
	c.setOut(0, c.typeOf(0), s, known)
	return nil
}

// dropoutBiasWork counts the Dropout fusions in inference: the bias and, where present, the residual (input 2).
func dropoutBiasWork(c *Call) Work { return optionalAdd(perOutput(1, 0), 2)(c) }

// qlinearBroadcast is the shape rule of quantised element-wise operators over the listed inputs.
func qlinearBroadcast(over ...int) func(*Call) error {
	return func(c *Call) error {
		if _, err := c.want(over[0]); err != nil {
			return err
		}
		s, known, err := broadcastInputs(c, over...)
		if err != nil {
			return err
		}
		c.setOut(0, c.typeOf(over[len(over)-1]), s, known)
		return nil
	}
}

// mulIntegerShape accumulates in int32.
func mulIntegerShape(c *Call) error {
	if err := qlinearBroadcast(0, 2)(c); err != nil {
		return err
	}
	c.Out[0].DType = onnx.Int32
	return nil
}

// mulIntegerWork: a product per output element, and the zero points.
func mulIntegerWork(c *Call) Work {
	return perElement(c.Out[0], 1, 0).plus(offsets(c, [2]int{0, 1}, [2]int{2, 3}), dim.Dim{})
}

// qlinearConcatShape joins inputs 2, 5, 8…, each followed by its scale and zero point.
func qlinearConcatShape(c *Call) error {
	zero, err := c.want(1)
	if err != nil {
		return err
	}
	var parts []*Value
	for i := 2; i < len(c.In); i += 3 {
		v, err := c.want(i)
		if err != nil {
			return err
		}
		parts = append(parts, v)
	}
	if len(parts) == 0 {
		return c.errorf("no tensor to join, want input 2")
	}
	joined := &Call{Node: c.Node, Opset: 13, In: parts, Out: c.Out, Engine: c.Engine}
	if err := concatShape(joined); err != nil {
		return err
	}
	c.Out[0].DType = zero.DType
	return nil
}

// concatScales are the scales and zero points of QLinearConcat: every input but each third from 2 on.
var concatScales = func() uint64 {
	m := ^uint64(0)
	for i := 2; i < 63; i += 3 {
		m &^= 1 << i
	}
	return m &^ (1 << 63)
}()

// qlinearSoftmaxAxis hands the attribute opset on to Softmax.
func qlinearSoftmaxShape(c *Call) error {
	return softmaxShape(&Call{Node: c.Node, Opset: c.Int("opset", 13), In: c.In, Out: c.Out, Engine: c.Engine})
}

// qlinear is a quantised unary operator: dequantise, the function, requantise.
func qlinear(name string, shape func(*Call) error, vector, special int64) Rule {
	return ms(Rule{Op: name, Shape: shape, Work: perOutput(dequantizing+vector+requantize, special), Class: Elementwise,
		InPlace: inputs(0), Scales: inputsFrom(1), Doc: "2 to dequantise, the function, 4 to requantise"})
}

var msElementwiseRules = []Rule{
	msElementwise("Gelu", 4, 1, "0.5·x·(1+erf(x/√2))"),
	ms(Rule{Op: "FastGelu", Shape: sameShape, Work: optionalAdd(perOutput(8, 1), 1), Class: Elementwise, InPlace: inputs(0),
		Doc: "the tanh form of Gelu, 8 and a tanh; 1 for the bias"}),
	msElementwise("BiasGelu", 5, 1, "Gelu and 1 for the bias"),
	msElementwise("QuickGelu", 4, 2, "x·sigmoid(αx)"),
	ms(Rule{Op: "BiasSplitGelu", Shape: biasSplitGeluShape, Work: perOutput(7, 1), Class: Elementwise,
		Doc: "per output element the bias of both halves (2), Gelu (4 and erf), product (1)"}),
	msElementwise("BiasAdd", 2, 0, "bias and residual"),
	ms(Rule{Op: "BiasDropout", Shape: maskedShape(onnx.Bool), Work: dropoutBiasWork, Class: Elementwise, InPlace: inputs(0),
		HostInputs: inputs(3, 4), Doc: "inference: 1 for the bias, 1 for the residual"}),
	ms(Rule{Op: "BitmaskBiasDropout", Shape: maskedShape(onnx.Uint32), Work: dropoutBiasWork, Class: Elementwise, InPlace: inputs(0),
		HostInputs: inputs(3, 4), Doc: "inference: 1 for the bias, 1 for the residual"}),
	ms(Rule{Op: "BitmaskDropout", Shape: maskedShape(onnx.Uint32), Work: noWork, Memory: View, Class: Movement,
		HostInputs: inputs(1, 2), Doc: "identity in inference"}),
	ms(Rule{Op: "BiasSoftmax", Shape: sameShape, Work: perOutput(4, 2), Class: Normalization, Doc: "1 for the bias; " + docSoftmax}),
	ms(Rule{Op: "GatedAdd", Shape: sameShape, Work: perOutput(2, 0), Class: Elementwise, InPlace: inputs(0), Doc: "product and sum"}),
	ms(Rule{Op: "ComplexMul", Shape: broadcastShape, Work: perOutput(3, 0), Class: Elementwise, Doc: "6 per complex product, which is 3 per element"}),
	ms(Rule{Op: "ComplexMulConj", Shape: broadcastShape, Work: perOutput(3, 0), Class: Elementwise, Doc: "6 per complex product, which is 3 per element"}),
	ms(Rule{Op: "MulInteger", Shape: mulIntegerShape, Work: mulIntegerWork, Class: Elementwise, QuantInputs: inputs(0, 2), Scales: inputs(1, 3), Doc: "a product; " + docZeroPoint}),

	ms(Rule{Op: "QLinearAdd", Shape: qlinearBroadcast(0, 3), Work: perOutput(2*dequantizing+1+requantize, 0), Class: Elementwise,
		QuantInputs: inputs(0, 3), Scales: inputs(1, 2, 4, 5, 6, 7), InPlace: inputs(0, 3),
		Doc: "2 to dequantise each operand, the sum, 4 to requantise"}),
	ms(Rule{Op: "QLinearMul", Shape: qlinearBroadcast(0, 3), Work: perOutput(2+1+requantize, 0), Class: Elementwise,
		QuantInputs: inputs(0, 3), Scales: inputs(1, 2, 4, 5, 6, 7), InPlace: inputs(0, 3),
		Doc: "1 for the zero point of each operand, the product, 4 to requantise"}),
	qlinear("QLinearSigmoid", sameShape, 2, 2),
	qlinear("QLinearLeakyRelu", sameShape, 2, 0),
	qlinear("QLinearSoftmax", qlinearSoftmaxShape, 3, 2),
	ms(Rule{Op: "QLinearWhere", Shape: qlinearBroadcast(0, 1, 4), Work: perOutput(1+dequantizing+requantize, 0), Class: Elementwise,
		QuantInputs: inputs(1, 4), Scales: inputs(2, 3, 5, 6, 7, 8), Doc: "the selection, 2 to dequantise, 4 to requantise"}),
	ms(Rule{Op: "QLinearConcat", Shape: qlinearConcatShape, Work: perOutput(dequantizing+requantize, 0), Class: Movement,
		Scales: concatScales, Doc: "2 to dequantise and 4 to requantise each element"}),
}
