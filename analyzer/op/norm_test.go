package op

import (
	"testing"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// normCase is an operator whose types and operations are stated by hand.
type normCase struct {
	name            string
	op              string
	opset           int64
	as              attributes
	outs            int
	in              []*Value
	out             string
	vector, special string
}

func (tt normCase) run(t *testing.T) {
	t.Helper()
	t.Run(tt.name, func(t *testing.T) {
		c, w := apply(t, tt.op, tt.opset, tt.outs, tt.as, tt.in...)
		if got := types(c); got != tt.out {
			t.Errorf("got %s, want %s", got, tt.out)
		}
		if got := w.Vector.String(); got != tt.vector {
			t.Errorf("vector: got %s, want %s", got, tt.vector)
		}
		if got := w.Special.String(); got != tt.special {
			t.Errorf("special: got %s, want %s", got, tt.special)
		}
		if !w.MACs.Is(0) {
			t.Errorf("MACs: got %v, want 0", w.MACs)
		}
	})
}

func TestNormalizations(t *testing.T) {
	bn := func() []*Value { return []*Value{f32("n", 3, "h", "w"), f32(3), f32(3), f32(3), f32(3)} }
	small := func() *Value { return f32(2, 4, 3, 5) } // 120 elements
	fp16 := func(extents ...any) *Value { return tensorOf(onnx.Float16, extents...) }
	for _, tt := range []normCase{
		{"batch", "BatchNormalization", 15, nil, 1, bn(), "float32[n,3,h,w]", "6*h*n*w", "0"},
		{"batch, training", "BatchNormalization", 15, attributes{"training_mode": 1}, 3, bn(), "float32[n,3,h,w] float32[3] float32[3]",
			"18*h*n*w + 18", "6"},
		{"batch, outputs train before opset 14", "BatchNormalization", 9, nil, 5, bn(),
			"float32[n,3,h,w] float32[3] float32[3] float32[3] float32[3]", "18*h*n*w + 18", "6"},
		{"batch, one channel", "BatchNormalization", 15, nil, 1, []*Value{f32("n"), f32(1), f32(1), f32(1), f32(1)}, "float32[n]", "2*n", "0"},
		{"batch, half input", "BatchNormalization", 15, attributes{"training_mode": 1}, 3,
			[]*Value{fp16(2, 3), fp16(3), fp16(3), f32(3), f32(3)}, "float16[2,3] float32[3] float32[3]", "54", "6"},
		{"lrn", "LRN", 13, attributes{"size": 5}, 1, []*Value{small()}, "float32[2,4,3,5]", "960", "240"},
		{"instance", "InstanceNormalization", 22, nil, 1, []*Value{small(), f32(4), f32(4)}, "float32[2,4,3,5]", "864", "16"},
		{"layer", "LayerNormalization", 17, attributes{"axis": 2}, 3, []*Value{small(), f32(3, 5), f32(3, 5)},
			"float32[2,4,3,5] float32[2,4,1,1] float32[2,4,1,1]", "864", "16"},
		{"layer without bias", "LayerNormalization", 17, nil, 1, []*Value{f32("b", "s", 768), f32(768)}, "float32[b,s,768]", "4611*b*s", "2*b*s"},
		{"layer, statistics in double", "LayerNormalization", 17, attributes{"stash_type": 11}, 2, []*Value{fp16(2, 3), fp16(3)}, "float16[2,3] float64[2,1]", "42", "4"},
		{"rms", "RMSNormalization", 23, nil, 1, []*Value{f32("b", "s", 768), f32(768)}, "float32[b,s,768]", "3074*b*s", "2*b*s"},
		{"rms, narrower scale", "RMSNormalization", 23, nil, 1, []*Value{f32(2, 3), fp16(3)}, "float16[2,3]", "28", "4"},
		{"rms of the runtime", "SimplifiedLayerNormalization", 14, nil, 2, []*Value{f32(2, 3), f32(3)}, "float32[2,3] float32[2,1]", "28", "4"},
		{"group", "GroupNormalization", 21, attributes{"num_groups": 2}, 1, []*Value{small(), f32(4), f32(4)}, "float32[2,4,3,5]", "852", "8"},
		{"group, opset 18", "GroupNormalization", 18, attributes{"num_groups": 2}, 1, []*Value{small(), f32(2), f32(2)}, "float32[2,4,3,5]", "852", "8"},
		{"l1", "LpNormalization", 22, attributes{"p": 1, "axis": 1}, 1, []*Value{small()}, "float32[2,4,3,5]", "240", "120"},
		{"l2", "LpNormalization", 22, attributes{"axis": 1}, 1, []*Value{small()}, "float32[2,4,3,5]", "240", "150"},
		{"mean and variance", "MeanVarianceNormalization", 13, nil, 1, []*Value{small()}, "float32[2,4,3,5]", "612", "8"},
		{"mean and variance of all", "MeanVarianceNormalization", 13, attributes{"axes": []int64{0, 1, 2, -1}}, 1, []*Value{small()}, "float32[2,4,3,5]", "603", "2"},
		{"softmax", "Softmax", 13, nil, 1, []*Value{f32("b", 10)}, "float32[b,10]", "30*b", "20*b"},
		{"log softmax, last axis", "LogSoftmax", 13, nil, 1, []*Value{small()}, "float32[2,4,3,5]", "480", "144"},
		{"log softmax as a matrix", "LogSoftmax", 11, nil, 1, []*Value{small()}, "float32[2,4,3,5]", "480", "122"},
		{"hardmax", "Hardmax", 13, nil, 1, []*Value{small()}, "float32[2,4,3,5]", "240", "0"},
		{"dropout", "Dropout", 7, nil, 2, []*Value{fp16(2, 3)}, "float16[2,3] float16[2,3]", "0", "0"},
		{"dropout, bool mask", "Dropout", 10, nil, 2, []*Value{f32(2, 3)}, "float32[2,3] bool[2,3]", "0", "0"},
		{"dropout, not training", "Dropout", 13, nil, 1, []*Value{f32(2, 3), nil, knownScalar(onnx.Bool, boolOf(false))}, "float32[2,3]", "0", "0"},
		{"dropout, training", "Dropout", 13, nil, 1, []*Value{f32(2, 3), nil, knownScalar(onnx.Bool, boolOf(true))}, "float32[2,3]", "12", "0"},

		{"skip layer", "com.microsoft.SkipLayerNormalization", 1, nil, 4, []*Value{f32("b", "s", 8), f32("b", "s", 8), f32(8), f32(8), f32(8)},
			"float32[b,s,8] float32[b,s,1] float32[b,s,1] float32[b,s,8]", "75*b*s", "2*b*s"},
		{"skip rms", "com.microsoft.SkipSimplifiedLayerNormalization", 1, nil, 1, []*Value{fp16("t", 8), fp16("t", 8), fp16(8)}, "float16[t,8]", "42*t", "2*t"},
		{"embeddings", "com.microsoft.EmbedLayerNormalization", 1, nil, 3,
			[]*Value{tensorOf(onnx.Int32, "b", "s"), tensorOf(onnx.Int32, "b", "s"), f32(30522, 8), f32(512, 8), f32(2, 8), f32(8), f32(8), tensorOf(onnx.Int32, "b", "s")},
			"float32[b,s,8] int32[b] float32[b,s,8]", "76*b*s", "2*b*s"},
		{"groups, channels last", "com.microsoft.GroupNorm", 1, attributes{"groups": 2, "activation": 1}, 1, []*Value{f32(2, 3, 5, 4), f32(4), f32(4)},
			"float32[2,3,5,4]", "1212", "248"},
		{"skip and groups", "com.microsoft.SkipGroupNorm", 1, attributes{"groups": 2}, 2, []*Value{f32(2, 3, 5, 4), f32(4), f32(4), f32(2, 4), f32(4)},
			"float32[2,3,5,4] float32[2,3,5,4]", "1092", "8"},
		{"gated rms", "com.microsoft.GatedRMSNorm", 1, nil, 1, []*Value{f32(2, 3, 8), f32(4), f32(2, 3, 8)}, "float32[2,3,8]", "408", "120"},
		{"bias and softmax", "com.microsoft.BiasSoftmax", 1, attributes{"axis": 1, "is_inner_broadcast": 1}, 1, []*Value{f32(2, 10), f32(1, 10)}, "float32[2,10]", "80", "40"},
	} {
		tt.run(t)
	}
}

func TestLossesAndOptimizers(t *testing.T) {
	scores, target := func() *Value { return f32(3, 5, 2) }, func() *Value { return tensorOf(onnx.Int64, 3, 2) }
	i64 := func() *Value { return tensorOf(onnx.Int64) }
	training := trainingDomain + "."
	for _, tt := range []normCase{
		{"nll, mean", "NegativeLogLikelihoodLoss", 22, nil, 1, []*Value{scores(), target()}, "float32[]", "12", "1"},
		{"nll, weighted mean", "NegativeLogLikelihoodLoss", 22, nil, 1, []*Value{scores(), target(), f32(5)}, "float32[]", "24", "1"},
		{"nll, weighted sum", "NegativeLogLikelihoodLoss", 22, attributes{"reduction": "sum"}, 1, []*Value{scores(), target(), f32(5)}, "float32[]", "18", "0"},
		{"nll, none", "NegativeLogLikelihoodLoss", 22, attributes{"reduction": "none"}, 1, []*Value{scores(), target()}, "float32[3,2]", "6", "0"},
		{"cross entropy", "SoftmaxCrossEntropyLoss", 13, nil, 2, []*Value{scores(), target()}, "float32[] float32[3,5,2]", "132", "37"},
		{"adagrad", training + "Adagrad", 1, nil, 4, []*Value{f32(), i64(), f32(2), f32(3), f32(2), f32(3), f32(2), f32(3)},
			"float32[2] float32[3] float32[2] float32[3]", "35", "10"},
		{"adam", training + "Adam", 1, nil, 3, []*Value{f32(), i64(), f32(4), f32(4), f32(4), f32(4)}, "float32[4] float32[4] float32[4]", "52", "8"},
		{"momentum", training + "Momentum", 1, attributes{"mode": "standard"}, 2, []*Value{f32(), i64(), f32(4), f32(4), f32(4)}, "float32[4] float32[4]", "28", "0"},
		{"nesterov", training + "Momentum", 1, attributes{"mode": "nesterov"}, 2, []*Value{f32(), i64(), f32(4), f32(4), f32(4)}, "float32[4] float32[4]", "36", "0"},
	} {
		tt.run(t)
	}
}

func TestMicrosoftElementwise(t *testing.T) {
	u8 := func(extents ...any) *Value { return tensorOf(onnx.Uint8, extents...) }
	q := func() []*Value { return []*Value{u8(2, 3), f32(), u8(), u8(3), f32(), u8(), f32(), u8()} }
	for _, tt := range []normCase{
		{"gelu", "com.microsoft.Gelu", 1, nil, 1, []*Value{f32("n", 4)}, "float32[n,4]", "16*n", "4*n"},
		{"fast gelu", "com.microsoft.FastGelu", 1, nil, 1, []*Value{f32("n", 4), f32(4)}, "float32[n,4]", "36*n", "4*n"},
		{"bias gelu", "com.microsoft.BiasGelu", 1, nil, 1, []*Value{f32("n", 4), f32(4)}, "float32[n,4]", "20*n", "4*n"},
		{"quick gelu", "com.microsoft.QuickGelu", 1, nil, 1, []*Value{f32("n", 4)}, "float32[n,4]", "16*n", "8*n"},
		{"split gelu", "com.microsoft.BiasSplitGelu", 1, nil, 1, []*Value{f32(2, 3, 8), f32(8)}, "float32[2,3,4]", "168", "24"},
		{"bias and residual", "com.microsoft.BiasAdd", 1, nil, 1, []*Value{f32(2, 3, 8), f32(8), f32(2, 3, 8)}, "float32[2,3,8]", "96", "0"},
		{"bias dropout", "com.microsoft.BiasDropout", 1, nil, 2, []*Value{f32(2, 40), f32(40), f32(2, 40)}, "float32[2,40] bool[2,40]", "160", "0"},
		{"bitmask dropout", "com.microsoft.BitmaskDropout", 1, nil, 2, []*Value{f32(2, 40)}, "float32[2,40] uint32[3]", "0", "0"},
		{"complex product", "com.microsoft.ComplexMul", 1, nil, 1, []*Value{f32(5, 2), f32(1, 2)}, "float32[5,2]", "30", "0"},
		{"product of bytes", "com.microsoft.MulInteger", 1, nil, 1, []*Value{u8(2, 3), u8(), u8(3), nil}, "int32[2,3]", "12", "0"},
		{"quantised sum", "com.microsoft.QLinearAdd", 1, nil, 1, q(), "uint8[2,3]", "54", "0"},
		{"quantised product", "com.microsoft.QLinearMul", 1, nil, 1, q(), "uint8[2,3]", "42", "0"},
		{"quantised sigmoid", "com.microsoft.QLinearSigmoid", 1, nil, 1, q()[:3], "uint8[2,3]", "48", "12"},
		{"quantised leaky relu", "com.microsoft.QLinearLeakyRelu", 1, nil, 1, q()[:3], "uint8[2,3]", "48", "0"},
		{"quantised softmax", "com.microsoft.QLinearSoftmax", 1, attributes{"opset": 12, "axis": 1}, 1, q()[:3], "uint8[2,3]", "54", "12"},
		{"quantised choice", "com.microsoft.QLinearWhere", 1, nil, 1, []*Value{tensorOf(onnx.Bool, 2, 1), u8(3), f32(), u8(), u8(1), f32(), u8(), f32(), u8()}, "uint8[2,3]", "42", "0"},
		{"quantised join", "com.microsoft.QLinearConcat", 1, attributes{"axis": 0}, 1, []*Value{f32(), u8(), u8(2, 3), f32(), u8(), u8("n", 3), f32(), u8()},
			"uint8[n + 2,3]", "18*n + 36", "0"},
		{"quantised mean", "com.microsoft.QLinearReduceMean", 1, attributes{"axes": []int64{1}, "keepdims": 0}, 1, q()[:5], "uint8[2]", "14", "0"},
		{"gates", "com.microsoft.LinearAttentionGate", 1, nil, 2, []*Value{f32(1, 2, 3), f32(3), f32(3), f32(1, 2, 3)}, "float32[1,2,3] float32[1,2,3]", "30", "24"},
		{"swiglu", "SwiGLU", 28, nil, 1, []*Value{f32(2, 3), f32(2, 3)}, "float32[2,3]", "30", "12"},
		{"rotation of both", "com.microsoft.GemmaRotaryEmbedding", 1, nil, 2, []*Value{f32(1, 3, 8), f32(1, 2, 3, 8), f32(1, 2, 3, 8), f32(1, 1, 3, 8), f32(1, 1, 3, 8)},
			"float32[1,2,3,8] float32[1,1,3,8]", "216", "48"},
	} {
		tt.run(t)
	}
}

// TestExperts counts the layers of MoE for every token and chosen expert, and reads only the experts that can be used.
func TestExperts(t *testing.T) {
	const experts, hidden, inter, k = 8, 16, 24, 2
	float := func(tokens int) []*Value {
		return []*Value{f32(1, tokens, hidden), f32(tokens, experts), f32(experts, 2*inter, hidden), f32(experts, 2*inter), f32(experts, hidden, inter)}
	}
	as := attributes{"k": k, "activation_type": "swiglu", "swiglu_fusion": 1}
	c, w := apply(t, "com.microsoft.MoE", 1, 1, as, float(3)...)
	if got, want := types(c), "float32[1,3,16]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	wantConst(t, "MACs", w.MACs, 3*k*(2*inter*hidden+hidden*inter))
	// bias of the first layer, activation, router, weighted sum
	wantConst(t, "vector", w.Vector, 3*k*2*inter+5*3*k*inter+3*3*experts+2*3*k*hidden)
	wantConst(t, "special", w.Special, 2*3*k*inter+2*3*experts)
	_, r := newCall("com.microsoft.MoE", 1, 1, nil)
	one := int64(4 * (2*inter*hidden + 2*inter + hidden*inter))
	for tokens, used := range map[int]int64{1: 2, 3: 6, 50: 8} {
		c, _ := apply(t, "com.microsoft.MoE", 1, 1, as, float(tokens)...)
		read, _ := r.Traffic(c)
		wantConst(t, "bytes read", read, used*one+4*int64(tokens)*(hidden+experts))
	}

	c, w = apply(t, "com.microsoft.QMoE", 1, 1, attributes{"k": 1, "activation_type": "silu"}, f32(5, hidden), f32(5, experts),
		tensorOf(onnx.Uint8, experts, inter, hidden/2), f32(experts, inter), nil, tensorOf(onnx.Uint8, experts, hidden, inter/2), f32(experts, hidden), nil,
		tensorOf(onnx.Uint8, experts, inter, hidden/2), f32(experts, inter))
	if got, want := types(c), "float32[5,16]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	wantConst(t, "quantised MACs", w.MACs, 5*3*inter*hidden)
	wantConst(t, "quantised vector", w.Vector, 5*3*inter*hidden*2+3*5*inter+3*5*experts+2*5*hidden)
}

func TestNormErrors(t *testing.T) {
	tests := []struct {
		op    string
		opset int64
		in    []*Value
		as    attributes
		want  string
	}{
		{"BatchNormalization", 15, []*Value{f32(1, 3, 4)}, nil, "input 1 is absent, want the scale"},
		{"BatchNormalization", 15, []*Value{f32(1, 3, 4), f32(3), f32(3), f32(4), f32(3)}, nil, "input 3 has 4 elements, want 3"},
		{"BatchNormalization", 15, []*Value{f32(), f32(1)}, nil, "input 0 has rank 0, want at least 1"},
		{"Softmax", 13, []*Value{f32(2, 3)}, attributes{"axis": 2}, "axis 2 is outside rank 2"},
		{"Softmax", 11, []*Value{f32(2, 3)}, attributes{"axis": 3}, "axis 3 is outside rank 2"},
		{"LayerNormalization", 17, []*Value{f32(2, 3), f32(2)}, nil, "input 1 has shape 2, want one that broadcasts to 2x3"},
		{"InstanceNormalization", 22, []*Value{f32(2, 3, 4), f32(4), f32(3)}, nil, "input 1 has 4 elements, want 3"},
		{"GroupNormalization", 21, []*Value{f32(2, 4, 4), f32(2), f32(2)}, attributes{"num_groups": 2}, "input 1 has 2 elements, want 4"},
		{"GroupNormalization", 21, []*Value{f32(2, 4, 4), f32(4), f32(4)}, attributes{"num_groups": 3}, "input 0 has 4 channels, want a multiple of the group count 3"},
		{"GroupNormalization", 21, []*Value{f32(2, 4, 4), f32(4), f32(4)}, nil, "attribute num_groups is 0, want at least 1"},
		{"MeanVarianceNormalization", 13, []*Value{f32(2, 3)}, attributes{"axes": []int64{0, 0}}, "axis 0 is given twice"},
		{"NegativeLogLikelihoodLoss", 22, []*Value{f32(3, 5, 2), f32(3, 3)}, nil, "input 1 has shape 3x3, want 3x2"},
		{"NegativeLogLikelihoodLoss", 22, []*Value{f32(3, 5), f32(3)}, attributes{"reduction": "max"}, `attribute reduction is "max", want none, mean or sum`},
		{trainingDomain + ".Adam", 1, []*Value{f32(), f32(), f32(2), f32(2), f32(2)}, nil, "5 inputs, want 2 and a multiple of 4"},
		{"com.microsoft.SkipLayerNormalization", 1, []*Value{f32(1, 2, 8), f32(1, 2, 8), f32(7)}, nil, "input 2 has 7 elements, want 8"},
		{"com.microsoft.QLinearConcat", 1, []*Value{f32(), f32()}, attributes{"axis": 0}, "no tensor to join, want input 2"},
		{"com.microsoft.MoE", 1, []*Value{f32(3, 4), f32(3, 2), f32(2, 4)}, nil, "input 2 has rank 2, want 3"},
	}
	for _, tt := range tests {
		if got := applyError(t, tt.op, tt.opset, 1, tt.as, tt.in...); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.op, got, tt.want)
		}
	}
}
