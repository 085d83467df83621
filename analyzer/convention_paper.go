package analyzer

import (
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/op"
)

// paperConvention is torch-opCounter as it stood in the middle of 2016, with which Canziani, Paszke and Culurciello
// counted the operations of their Figure 2. Its faults of the time are part of the published figures, so they are part
// of the table: groups are ignored, every convolution has a bias, and a pooling layer counts one channel.
var paperConvention = Convention{
	Name:   "paper",
	Unit:   "ops",
	PerMAC: 2,
	Title:  "torch-opCounter",
	Source: "torch-opCounter, src/profiler.lua, mid-2016",
	Note: "The counter of arXiv:1605.07678, with its faults of the time. 2 per multiply-accumulate of a convolution as if it had " +
		"one group, and 1 per output element for a bias whether it has one or not (both until July 2017), except that a depthwise " +
		"convolution, which Torch wrote as parallel layers, counts one channel for each; fully connected layers 2 per weight and 1 " +
		"per bias; ReLU 1 per element, LogSoftMax 3, an addition of k activations k per element; a pooling window k² per output " +
		"position, of one channel only (until October 2016) and never rounding up. BatchNormalization counts 0 (\"can be " +
		"squashed\"). The tool stopped at modules that it had no handler for: LRN, SoftMax and PReLU, all in the paper's networks, " +
		"and transposed or dilated convolutions. The published figures fit 0 for LRN and SoftMax and 1 per element for PReLU; the " +
		"rest counts 0, a dilated convolution like another. Additions and multiplications by constants are the scale and shift of a " +
		"normalisation and count 0. Its figures are for batch 1; ours scale with the batch." + asExported,
	rules: countRules{
		"Conv":              paperConv,
		"Gemm":              paperLinear,
		"MatMul":            linearLayer(2), // a bias, an Add of a constant, does not show
		"Relu":              perInput(1),
		"PRelu":             perInput(1),
		"LogSoftmax":        perInput(3),
		"Add":               paperAddTable,
		"Sum":               paperAddTable,
		"ReduceSum":         paperSum,
		"MaxPool":           paperPool,
		"AveragePool":       paperPool,
		"GlobalAveragePool": paperGlobalPool,
		"GlobalMaxPool":     paperGlobalPool,
	},
}

// paperConv: Cout·OH·OW·(2·kh·kw·Cin + 1), Cin being all channels of the input. A depthwise convolution (one input
// channel a group) is the exception: Torch wrote it as parallel layers of one channel each, which the tool saw one by
// one; the stem of the paper's GoogLeNet is made so. Images only.
func paperConv(x *execution) dim.Dim {
	in, w := shapeOf(x.Input(0)), shapeOf(x.Input(1))
	if len(in) != 4 || len(w) != 4 {
		return dim.Dim{}
	}
	channels := in[1]
	if w[1].Is(1) {
		channels = w[1]
	}
	perOutput := dim.Prod(w[2], w[3], channels).MulInt(2).AddInt(1)
	return elementsOf(x.output()).Mul(perOutput)
}

// paperLinear: 2·weights + biases per sample.
func paperLinear(x *execution) dim.Dim {
	n := x.node.Work.MACs.MulInt(2)
	if x.Has(2) {
		n = n.Add(elementsOf(x.output()))
	}
	return n
}

// paperAddTable: elements times operands, for a sum of activations.
func paperAddTable(x *execution) dim.Dim {
	operands := int64(0)
	for i := range x.In {
		if x.Has(i) && !x.weights(i) {
			operands++
		}
	}
	if operands < 2 {
		return dim.Dim{}
	}
	return elementsOf(x.output()).MulInt(operands)
}

// paperSum: one addition for every element but those that start a sum.
func paperSum(x *execution) dim.Dim { return elementsOf(x.Input(0)).Sub(elementsOf(x.output())) }

// paperPool: batch·OH·OW·kh·kw with extents rounded down whatever the ceil_mode. Images only.
func paperPool(x *execution) dim.Dim {
	in, out, window := shapeOf(x.Input(0)), shapeOf(x.output()), x.Ints("kernel_shape")
	if len(in) != 4 || len(out) != 4 || len(window) != 2 {
		return dim.Dim{}
	}
	n := in[0].MulInt(window[0]).MulInt(window[1])
	for axis := range window {
		n = n.Mul(x.roundedDown(in[2+axis], out[2+axis], axis, window[axis]))
	}
	return n
}

// roundedDown is the extent of a pooling output along a spatial axis without ceil_mode; out where it is not in force.
func (x *execution) roundedDown(in, out dim.Dim, axis int, window int64) dim.Dim {
	if x.Int("ceil_mode", 0) == 0 {
		return out
	}
	if mode := x.Str("auto_pad", "NOTSET"); mode != "NOTSET" && mode != "" {
		return out
	}
	stride, pad := int64(1), int64(0)
	if s := x.Ints("strides"); len(s) == 2 && s[axis] > 0 {
		stride = s[axis]
	}
	if p := x.Ints("pads"); len(p) == 4 {
		pad = p[axis] + p[axis+2]
	}
	return in.AddInt(pad - window).FloorDiv(dim.Const(stride)).AddInt(1)
}

// paperGlobalPool is paperPool with a window as large as the input: batch·H·W.
func paperGlobalPool(x *execution) dim.Dim {
	in := shapeOf(x.Input(0))
	if len(in) != 4 {
		return dim.Dim{}
	}
	return op.Shape{in[0], in[2], in[3]}.Elements()
}
