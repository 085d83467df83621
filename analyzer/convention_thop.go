package analyzer

import "github.com/onnxcost/onnxcost/analyzer/dim"

// thopConvention: the tool hooks the modules of a PyTorch model and does not see what the model computes by functions.
// An ONNX graph cannot tell the two apart, so the table counts every operator that could be a hooked module.
var thopConvention = Convention{
	Name:   "thop",
	Unit:   "MACs",
	PerMAC: 1,
	Title:  "thop.profile (pytorch-OpCounter)",
	Source: "thop 0.1.1, thop/profile.py, vision/basic_hooks.py, vision/calc_func.py and rnn_hooks.py, 2022",
	Note: "Convolutions and linear layers without bias; a transposed convolution is counted over its output's extents. Batch, " +
		"layer and instance normalisation 4 per element, an average pool 1 per output element, a global (adaptive) average pool 1 " +
		"per input and 1 per output element, softmax 3 per element less 1 per distribution, PRelu 1; upsampling 1 (nearest), 5 " +
		"(linear), 11 (bilinear) or 259 (bicubic) per output element; recurrent layers with their biases and pointwise steps. " +
		"Activations, max pooling, element-wise arithmetic and products of two activations count 0. The tool hooks modules: " +
		"softmax, interpolation or pooling that the model called as a function counts 0 there and is counted here, as the graph " +
		"does not tell. A MatMul counts where its right operand is constant, as in a linear layer; weights that are dequantised on " +
		"the way do not. BatchNormalization folded into a convolution, and layer normalisation that the exporter took apart, no " +
		"longer show." + asExported,
	rules: countRules{
		"Conv":                  perMAC(1),
		"ConvTranspose":         thopConvTranspose,
		"Gemm":                  perMAC(1),
		"MatMul":                linearLayer(1),
		"BatchNormalization":    perInput(4),
		"LayerNormalization":    perInput(4),
		"InstanceNormalization": perInput(4),
		"PRelu":                 perInput(1),
		"Softmax":               thopSoftmax,
		"AveragePool":           perOutput(1),
		"GlobalAveragePool":     thopAdaptivePool,
		"Resize":                thopUpsample.count,
		"Upsample":              thopUpsample.count,
		"RNN":                   thopRecurrent(1, 0),
		"GRU":                   thopRecurrent(3, 4), // r⊙n, (1-z)⊙n, z⊙h and their sum
		"LSTM":                  thopRecurrent(4, 4), // f⊙c, i⊙g and their sum; o⊙tanh c

		"com.microsoft.FusedConv":   perMAC(1),
		"com.microsoft.FusedGemm":   perMAC(1),
		"com.microsoft.FusedMatMul": linearLayer(1),
	},
}

// thopConvTranspose uses the rule of convolutions: output elements · Cin/groups · kernel.
func thopConvTranspose(x *execution) dim.Dim {
	in, w := shapeOf(x.Input(0)), shapeOf(x.Input(1))
	groups := x.Int("group", 1)
	if len(in) < 3 || len(w) != len(in) || groups < 1 {
		return dim.Dim{}
	}
	return dim.Prod(elementsOf(x.output()), in[1].FloorDiv(dim.Const(groups)), w[2:].Elements())
}

// thopSoftmax: f exponentials, f-1 additions and f divisions for each distribution over f elements.
func thopSoftmax(x *execution) dim.Dim {
	return elementsOf(x.output()).MulInt(3).Sub(x.softmaxRows())
}

// thopAdaptivePool: input extents / output extents additions and a division per output element.
func thopAdaptivePool(x *execution) dim.Dim {
	return elementsOf(x.Input(0)).Add(elementsOf(x.output()))
}

var thopUpsample = interpolation{
	nearest: map[int]int64{3: 1, 4: 1, 5: 1},
	linear:  map[int]int64{3: 5, 4: 11}, // three spatial axes: "not implemented", 0
	cubic:   map[int]int64{4: 128 + 96 + 35},
}

// thopRecurrent: each gate has hidden·(input+hidden) products, an addition and, with a bias, two more per hidden
// element; pointwise counts the steps of the state update per hidden element.
func thopRecurrent(gates, pointwise int64) countRule {
	return func(x *execution) dim.Dim {
		g, known := x.recurrent()
		if !known {
			return dim.Dim{}
		}
		additions := int64(1)
		if x.Has(3) {
			additions = 3
		}
		perHidden := g.input.Add(g.hidden).AddInt(additions).MulInt(gates).AddInt(pointwise)
		return dim.Prod(g.steps, g.batch, g.directions, g.hidden, perHidden)
	}
}
