package analyzer

import (
	"strings"

	"github.com/onnxcost/onnxcost/analyzer/dim"
)

// The weights of onnx-tool: x86 vector instructions per evaluation.
const (
	toolAdd  = 1
	toolMul  = 1
	toolCmp  = 1
	toolDiv  = 4
	toolExp  = 32
	toolPow  = toolExp
	toolLog  = 43
	toolSin  = 39
	toolCos  = 39
	toolSqrt = 24
	toolTanh = toolExp + 2*toolAdd + toolDiv
	toolAtan = toolSqrt + 4*toolMul + toolDiv
)

// onnxToolConvention counts ONNX nodes, so it sees the same graph as we do.
var onnxToolConvention = Convention{
	Name:   "onnx-tool",
	Unit:   "MACs",
	PerMAC: 1,
	Title:  "onnx_tool.model_profile",
	Source: "onnx-tool 1.0, onnx_tool/node.py, 2026",
	Note: "Its MACs are vector instructions: a multiply-accumulate, an addition and a comparison are 1, a division 4, a square " +
		"root 24, an exponential 32, a logarithm 43, a sine 39, on every element. So a bias adds 1 per output element, " +
		"BatchNormalization counts 31 per element, softmax 36, Tanh 76, and a graph with BatchNormalization folded counts much less " +
		"than the same network without. A transposed convolution is counted over its output's extents; a pooling window with three " +
		"spatial axes counts its first extent only. Operators that the tool does not know (it warns) count 0, among them " +
		"GroupNormalization, RNN, GlobalMaxPool, LpPool and most activations of recent opsets; Erf, Where, Expand and data movement " +
		"are known and count 0. Earlier releases had other weights. Like the tool, we leave folded constants out.",
	anyDomain: true,
	rules: countRules{
		// contractions
		"Conv":          toolConv(1, 3),
		"ConvInteger":   toolConv(1, 0),
		"QLinearConv":   toolConv(3, 9),
		"ConvTranspose": toolConv(1, 3), // over the output's extents too
		"Gemm":          toolGemm,
		"MatMul":        toolMatMul,
		"MatMulInteger": toolMatMul,
		"QLinearMatMul": toolQLinearMatMul,
		"Einsum":        toolEinsum,
		"LSTM":          toolRecurrent(4, 4*toolAdd+3*toolExp+2*toolTanh+toolAdd+3*toolMul),
		"GRU":           toolRecurrent(3, 3*toolAdd+2*toolExp+toolTanh+2*toolAdd+3*toolMul),

		// windows, reductions, sampling
		"MaxPool":           toolPool,
		"AveragePool":       toolPool,
		"GlobalAveragePool": toolGlobalAverage,
		"ReduceMean":        perInput(toolAdd),
		"ReduceSum":         perInput(toolAdd),
		"ReduceProd":        perInput(toolMul),
		"ReduceMin":         perInput(toolCmp),
		"ReduceMax":         perInput(toolCmp),
		"ReduceL2":          perInput(toolAdd + toolSqrt),
		"CumSum":            perOutput(toolAdd),
		"NonZero":           perOutput(toolCmp),
		"Resize":            toolResize.count,
		"Upsample":          toolResize.count,

		// normalisation
		"BatchNormalization":    perOutput(2*toolAdd + toolSqrt + toolDiv + toolMul),
		"LayerNormalization":    toolLayerNorm,
		"InstanceNormalization": perOutputAndOperand(2*toolAdd + toolMul + toolDiv),
		"LRN":                   toolLRN,
		"Softmax":               perOutput(toolExp + toolDiv),
		"LogSoftmax":            perOutput(toolExp + toolDiv + toolAdd + toolLog),
		"Hardmax":               perOutput(toolAdd),
		"LpNormalization":       perOutput(toolExp + toolAdd),
		"QuantizeLinear":        perOutput(toolMul + toolAdd),
		"DequantizeLinear":      perOutput(toolMul + toolAdd),

		// arithmetic: per output element and operand beyond the first
		"Add": perOutputAndOperand(toolAdd),
		"Sub": perOutputAndOperand(toolAdd),
		"Mul": perOutputAndOperand(toolMul),
		"Div": perOutputAndOperand(toolDiv),
		"Mod": perOutputAndOperand(toolAdd),
		"Min": perOutputAndOperand(toolCmp),
		"Max": perOutputAndOperand(toolAdd),
		"Sum": toolSum,

		// functions of one operand
		"Abs":         perOutput(toolCmp),
		"Neg":         perOutput(toolCmp),
		"Sign":        perOutput(toolCmp),
		"Ceil":        perOutput(toolAdd),
		"Floor":       perOutput(toolCmp),
		"Round":       perOutput(toolCmp),
		"Reciprocal":  perOutput(toolDiv),
		"Sqrt":        perOutput(toolSqrt),
		"Pow":         perOutput(toolPow),
		"Exp":         perOutput(toolExp),
		"Log":         perOutput(toolLog),
		"Sin":         perOutput(toolSin),
		"Cos":         perOutput(toolCos),
		"Atan":        perOutput(2 * toolAtan), // counted twice, like Tanh
		"Tanh":        perOutput(2 * toolTanh),
		"Sigmoid":     perOutput(toolExp),
		"Relu":        perOutput(toolCmp),
		"Clip":        perOutput(2 * toolCmp),
		"LeakyRelu":   perOutput(toolMul + toolCmp),
		"PRelu":       perOutput(toolMul + toolCmp),
		"Elu":         perOutput(toolCmp + toolExp + toolAdd + toolMul),
		"Gelu":        perOutput(toolExp + 2*toolMul),
		"HardSigmoid": perOutput(toolMul + toolAdd + 2*toolCmp),
		"HardSwish":   perOutput(2*toolMul + toolAdd + 2*toolCmp),
		"Softplus":    perOutput(toolExp + toolAdd + toolLog),

		// comparisons
		"Equal":          perOutput(toolCmp),
		"Greater":        perOutput(toolCmp),
		"GreaterOrEqual": perOutput(toolCmp),
		"Less":           perOutput(toolCmp),
		"LessOrEqual":    perOutput(toolCmp),
		"And":            perOutput(toolCmp),
		"Or":             perOutput(toolCmp),
		"Xor":            perOutput(toolCmp),
		"Not":            perOutput(toolCmp),
	},
}

// operands is the number of inputs in the file, absent optional ones included.
func (x *execution) operands() int64 { return int64(len(x.Node.Inputs)) }

// perOutputAndOperand is k per element of the first output for each operand beyond the first, at least one.
func perOutputAndOperand(k int64) countRule {
	return func(x *execution) dim.Dim { return elementsOf(x.output()).MulInt(k * max(1, x.operands()-1)) }
}

// toolSum is perOutputAndOperand without the minimum: a Sum of one operand counts 0.
func toolSum(x *execution) dim.Dim {
	return elementsOf(x.output()).MulInt(toolAdd * (x.operands() - 1))
}

// toolConv: output elements times the extents of the weights (input w) but the first; an addition per output element
// where the node has withBias operands.
func toolConv(w int, withBias int64) countRule {
	return func(x *execution) dim.Dim {
		weights := shapeOf(x.Input(w))
		if len(weights) < 3 {
			return dim.Dim{}
		}
		per := weights[1:].Elements()
		if x.operands() == withBias {
			per = per.AddInt(toolAdd)
		}
		return elementsOf(x.output()).Mul(per)
	}
}

// toolGemm: output elements times the inner extent, and an addition per output element for the third operand.
func toolGemm(x *execution) dim.Dim {
	b := shapeOf(x.Input(1))
	if len(b) < 2 {
		return dim.Dim{}
	}
	inner := b[len(b)-2]
	if x.Int("transB", 0) != 0 {
		inner = b[len(b)-1]
	}
	return elementsOf(x.output()).Mul(x.withThird(inner))
}

// toolMatMul: the same without transposition; a vector on the right counts one per output element. Three operands, as
// a MatMulInteger with one zero point has, count an addition.
func toolMatMul(x *execution) dim.Dim {
	b, inner := shapeOf(x.Input(1)), dim.Const(1)
	if len(b) > 1 {
		inner = b[len(b)-2]
	}
	return elementsOf(x.output()).Mul(x.withThird(inner))
}

func (x *execution) withThird(inner dim.Dim) dim.Dim {
	if x.operands() == 3 {
		return inner.AddInt(toolAdd)
	}
	return inner
}

// toolQLinearMatMul: elements of the left operand times columns of the right one.
func toolQLinearMatMul(x *execution) dim.Dim {
	b := shapeOf(x.Input(3))
	if len(b) == 0 {
		return dim.Dim{}
	}
	return elementsOf(x.Input(0)).Mul(b[len(b)-1])
}

// toolEinsum is the product of the extents of all labels of the first two operands. The tool fails on an ellipsis and
// on a single operand; both count 0 here.
func toolEinsum(x *execution) dim.Dim {
	equation := strings.ReplaceAll(x.Str("equation", ""), " ", "")
	left, _, _ := strings.Cut(equation, "->")
	terms := strings.Split(left, ",")
	if len(terms) < 2 || len(x.In) < 2 {
		return dim.Dim{}
	}
	var labels []byte
	extents := map[byte]dim.Dim{}
	for i, term := range terms[:2] {
		s := shapeOf(x.Input(i))
		if len(s) != len(term) || strings.Contains(term, ".") {
			return dim.Dim{}
		}
		for k := range s {
			if _, seen := extents[term[k]]; !seen {
				labels = append(labels, term[k])
			}
			extents[term[k]] = s[k]
		}
	}
	n := dim.Const(1)
	for _, l := range labels {
		n = n.Mul(extents[l])
	}
	return n
}

// toolRecurrent: the weights, recurrent weights and biases once per step and sample, and pointwise per hidden element
// of one direction. The tool fails without a bias; we count none.
func toolRecurrent(gates, pointwise int64) countRule {
	return func(x *execution) dim.Dim {
		g, known := x.recurrent()
		if !known {
			return dim.Dim{}
		}
		perStep := dim.Prod(g.directions, g.hidden, g.input.Add(g.hidden)).MulInt(gates).Add(elementsOf(x.Input(3)))
		return dim.Prod(g.steps, g.batch, perStep.Add(g.hidden.MulInt(pointwise)))
	}
}

// toolPool: output elements times the window; of windows with three axes only the first extent.
func toolPool(x *execution) dim.Dim {
	window := x.Ints("kernel_shape")
	if len(window) == 0 {
		return dim.Dim{}
	}
	n := elementsOf(x.output()).MulInt(window[0])
	if len(window) == 2 {
		n = n.MulInt(window[1])
	}
	return n
}

// toolGlobalAverage: an addition per input element and a division per output element.
func toolGlobalAverage(x *execution) dim.Dim {
	return elementsOf(x.Input(0)).MulInt(toolAdd).Add(elementsOf(x.output()).MulInt(toolDiv))
}

// toolLayerNorm: 7 per element, and an addition, a root and a division for each position along the first normalised
// axis, which is the number of distributions where only the last axis is normalised.
func toolLayerNorm(x *execution) dim.Dim {
	s := shapeOf(x.Input(0))
	axis := x.Int("axis", -1)
	if axis < 0 {
		axis += int64(len(s))
	}
	if axis < 0 || axis >= int64(len(s)) {
		return dim.Dim{}
	}
	rows := s[:axis].Elements().Mul(s[axis+1:].Elements())
	return s.Elements().MulInt(3*toolMul + 4*toolAdd).Add(rows.MulInt(toolAdd + toolSqrt + toolDiv))
}

// toolLRN: the window's squares, and an addition, a power and a division.
func toolLRN(x *execution) dim.Dim {
	return elementsOf(x.output()).Mul(dim.Const(x.Int("size", 1)).MulInt(toolMul).AddInt(toolDiv + toolExp + toolAdd))
}

var toolResize = interpolation{
	linear: map[int]int64{1: 4, 2: 4, 3: 4, 4: 4, 5: 4},
	cubic:  map[int]int64{1: 8, 2: 8, 3: 8, 4: 8, 5: 8},
}
