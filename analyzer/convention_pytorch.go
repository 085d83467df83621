package analyzer

import "github.com/onnxcost/onnxcost/analyzer/dim"

// The two counters that watch PyTorch's operators while a model runs.

// torchConvention counts the aten operators of its registry: mm, addmm, bmm, baddbmm, convolution and the fused
// attention kernels, each 2·MACs; nothing else.
var torchConvention = Convention{
	Name:   "torch",
	Unit:   "FLOPs",
	PerMAC: 2,
	Title:  "torch.utils.flop_counter.FlopCounterMode",
	Source: "PyTorch, torch/utils/flop_counter.py, 2025",
	Note: "2 per multiply-accumulate of convolutions, matrix products and fused attention; biases, normalisation, activations and " +
		"pooling count 0. A transposed convolution is counted over its input's extents. A matrix times a vector counts 0: mv and " +
		"dot have no formula. Recurrent layers count 0, as the fused kernels of cuDNN and oneDNN do; PyTorch's unfused CPU path for " +
		"RNN and GRU would show their matrix products. Causal attention is counted in full. Attention on the CPU runs in a kernel of " +
		"its own, which the tool counts as 0 up to release 2.13. Quantised operators have no formula, so they count 0. Folding " +
		"BatchNormalization into a convolution changes nothing here." + asExported,
	rules: countRules{
		"Conv":          perMAC(2),
		"ConvTranspose": perMAC(2),
		"Gemm":          perMAC(2),
		"MatMul":        torchMatMul,
		"Einsum":        perMAC(2), // runs as bmm
		"Attention":     perMAC(2),

		// what runtimes write for the operators above
		"com.microsoft.FusedConv":           perMAC(2),
		"com.microsoft.FusedGemm":           perMAC(2),
		"com.microsoft.FusedMatMul":         perMAC(2),
		"com.microsoft.Attention":           perMAC(2),
		"com.microsoft.MultiHeadAttention":  perMAC(2),
		"com.microsoft.GroupQueryAttention": perMAC(2),
	},
}

// torchMatMul: torch.matmul runs as mm or bmm, which are counted, but as mv or dot where an operand is a vector; the
// exception is a vector on the left of a matrix, which becomes an mm of one row.
func torchMatMul(x *execution) dim.Dim {
	a, b := len(shapeOf(x.Input(0))), len(shapeOf(x.Input(1)))
	if b == 1 || a == 1 && b != 2 {
		return dim.Dim{}
	}
	return x.node.Work.MACs.MulInt(2)
}

// fvcoreConvention counts the operators of a traced model, one for a fused multiply-add.
var fvcoreConvention = Convention{
	Name:   "fvcore",
	Unit:   "FLOPs",
	PerMAC: 1,
	Title:  "fvcore.nn.FlopCountAnalysis",
	Source: "fvcore 0.1.5, fvcore/nn/flop_count.py and jit_handles.py, 2022",
	Note: "A fused multiply-add is one FLOP. BatchNormalization counts 2 per element (one scale and shift), layer, group and " +
		"instance normalisation 5, a global average pool 1 per input element, resizing of images 1 (nearest) or 4 (bilinear), grid " +
		"sampling 4 per output element. Every other operator is \"unsupported\": the tool lists it and counts 0, among them " +
		"activations, element-wise arithmetic, softmax, other pooling, recurrent layers and fused attention " +
		"(scaled_dot_product_attention), whose products are counted here only where the graph shows them as MatMul. " +
		"BatchNormalization folded into a convolution, and normalisation that the exporter took apart (LayerNormalization before " +
		"opset 17, GroupNormalization mostly still), no longer show and count as what they became. A global pool that the exporter " +
		"wrote as AveragePool counts 0. Einsum is exact here; fvcore rounds what it reads from numpy.einsum_path to a few digits." + asExported,
	rules: countRules{
		"Conv":                  perMAC(1),
		"ConvTranspose":         perMAC(1),
		"Gemm":                  perMAC(1),
		"MatMul":                fvcoreMatMul,
		"Einsum":                perMAC(1),
		"BatchNormalization":    fvcoreBatchNorm,
		"LayerNormalization":    perInput(5),
		"GroupNormalization":    perInput(5),
		"InstanceNormalization": perInput(5),
		"GlobalAveragePool":     fvcoreAdaptivePool,
		"Resize":                fvcoreResize,
		"Upsample":              fvcoreResize,
		"GridSample":            perOutput(4), // taken for bilinear whatever the mode

		"com.microsoft.FusedConv":   perMAC(1),
		"com.microsoft.FusedGemm":   perMAC(1),
		"com.microsoft.FusedMatMul": perMAC(1),
	},
}

// fvcoreMatMul: elements of the left operand times columns of the right one. Leading axes that only the right operand
// has are left out, as in the tool.
func fvcoreMatMul(x *execution) dim.Dim {
	b := shapeOf(x.Input(1))
	if len(b) < 2 { // the tool wants a matrix
		return x.node.Work.MACs
	}
	return elementsOf(x.Input(0)).Mul(b[len(b)-1])
}

// fvcoreBatchNorm: 2 per element with the stored statistics, 5 in training. ONNX has no form without scale and shift.
func fvcoreBatchNorm(x *execution) dim.Dim {
	if x.Int("training_mode", 0) != 0 {
		return perInput(5)(x)
	}
	return perInput(2)(x)
}

// fvcoreAdaptivePool: only the two-dimensional pool (adaptive_avg_pool2d) is counted.
func fvcoreAdaptivePool(x *execution) dim.Dim {
	if len(shapeOf(x.Input(0))) != 4 {
		return dim.Dim{}
	}
	return perInput(1)(x)
}

// fvcoreResize: upsample_nearest2d and upsample_bilinear2d; other ranks, modes and antialiasing are unsupported.
func fvcoreResize(x *execution) dim.Dim {
	if x.Int("antialias", 0) != 0 {
		return dim.Dim{}
	}
	return interpolation{nearest: map[int]int64{4: 1}, linear: map[int]int64{4: 4}}.count(x)
}
