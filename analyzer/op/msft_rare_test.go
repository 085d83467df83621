package op

import (
	"testing"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// TestOrderedOperators: the 8-bit operators in layouts of cuBLASLt count as those in floats and to change the type.
func TestOrderedOperators(t *testing.T) {
	q := func(extents ...any) *Value { return tensorOf(onnx.Int8, extents...) }
	s := f32()
	runRuleCases(t, []ruleCase{
		{op: "com.microsoft.QOrderedMatMul", opset: 1, in: in(q("b", 3, 4), s, q(4, 5), s, s, f32(5)), want: "int8[b,3,5]", work: "60*b 75*b 0"},
		{op: "com.microsoft.QOrderedMatMul", opset: 1, in: in(q("b", 3, 4), s, q(5, 5), s, s), want: "error: input 2 has 5 rows, want 4"},
		{op: "com.microsoft.QOrderedGelu", opset: 1, in: in(q("b", 8), s, s), want: "int8[b,8]", work: "0 80*b 8*b"},
		{op: "com.microsoft.QOrderedLayerNormalization", opset: 1, in: in(q("b", 8), s, f32(8), nil, s), want: "int8[b,8]"},
		{op: "com.microsoft.QOrderedAttention", opset: 1, as: attributes{"num_heads": 2}, in: in(q("b", 3, 8), s, s, s, s, q(8, 4), q(8, 4), q(8, 6),
			s, s, s, f32(4), f32(4), f32(6), nil, nil, s, tensorOf(onnx.Int32, "b", 3)), want: "int8[b,3,6]", work: "426*b 372*b 36*b"},
		{op: "com.microsoft.QOrderedAttention", opset: 1, in: in(q(1, 3, 8), s, s, s, s, q(8, 4), q(8, 4), q(8, 6), s, s, s, f32(4), f32(4), f32(6), nil, nil, s), want: "error: attribute num_heads is absent"},
		{op: "com.microsoft.QOrderedLongformerAttention", opset: 1, as: attributes{"num_heads": 2, "window": 4},
			in: in(q(1, "s", 8), s, q(8, 24), s, f32(24), s, s, f32(1, "s"), q(8, 24), s, f32(24), s, tensorOf(onnx.Int32, 1, "s"), s), want: "int8[1,s,8]"},
		{op: "com.microsoft.QuantizeWithOrder", opset: 1, as: attributes{"order_input": 1, "order_output": 2}, in: in(f32("b", 3, 4), s), want: "int8[b,3,4]", work: "0 48*b 0"},
		{op: "com.microsoft.DequantizeWithOrder", opset: 1, as: attributes{"order_input": 2, "order_output": 1, "to": 10}, in: in(q("b", 4), s), want: "float16[b,4]", work: "0 4*b 0"},
		{op: "com.microsoft.DequantizeWithOrder", opset: 1, as: attributes{"order_input": 2, "order_output": 1}, in: in(q("b", 4), s), want: "error: attribute to is absent"},
		{op: "com.microsoft.QuantizeBFP", opset: 1, outs: 3, as: attributes{"bfp_type": 1}, in: in(f32("b", 4)), want: "uint8[packed_1] int64[2] int64[2]", work: "0 16*b 0"},
		{op: "com.microsoft.DequantizeBFP", opset: 1, as: attributes{"bfp_type": 1, "dtype": 10}, in: in(tensorOf(onnx.Uint8, "n"), known(3, 4), known(4, 1)), want: "float16[3,4]", work: "0 24 0"},
		{op: "com.microsoft.DequantizeBFP", opset: 1, in: in(tensorOf(onnx.Uint8, 2, 3), known(3, 4), known(4, 1)), want: "error: input 0 has rank 2, want 1"},
	})
	_, w := apply(t, "com.microsoft.QOrderedLongformerAttention", 1, 1, attributes{"num_heads": 2, "window": 4},
		q(1, "s", 8), s, q(8, 24), s, f32(24), s, s, f32(1, "s"), q(8, 24), s, f32(24), s, tensorOf(onnx.Int32, 1, "s"), s)
	if got, want := w.MACs.String(), "528*s"; got != want { // as LongformerAttention
		t.Errorf("MACs: got %s, want %s", got, want)
	}
}

// TestRareContrib are operators of com.microsoft that few files have.
func TestRareContrib(t *testing.T) {
	flag := func(b int64) *Value { return knownScalar(onnx.Bool, IntOf(b)) }
	decoder := func(past *Value, cross, cached *Value) []*Value {
		return in(f32("s", 2, 8), f32("t", 2, 8), f32(8, 8), f32(8, 16), f32(24), nil, past, past, cross, cached, flag(0), flag(0))
	}
	eight := attributes{"num_heads": 2}
	runRuleCases(t, []ruleCase{
		// Self attention without and with a cache of 5; cross attention without and with one. 128 MACs for each query's projection,
		// 256 for each key's, 16 for each score.
		{op: "com.microsoft.DecoderAttention", opset: 1, outs: 3, as: eight, in: decoder(nil, flag(0), flag(0)), want: "float32[s,2,8] float32[2,2,s,4] float32[2,2,s,4]", work: "32*s^2 + 384*s 16*s^2 + 48*s 8*s^2"},
		{op: "com.microsoft.DecoderAttention", opset: 1, outs: 2, as: eight, in: decoder(f32(2, 2, 5, 4), flag(0), flag(1)), want: "float32[s,2,8] float32[2,2,s + 5,4]", work: "32*s^2 + 544*s 16*s^2 + 128*s 8*s^2 + 40*s"},
		{op: "com.microsoft.DecoderAttention", opset: 1, outs: 2, as: eight, in: decoder(nil, flag(1), flag(0)), want: "float32[s,2,8] float32[2,2,t,4]", work: "32*s*t + 128*s + 256*t 16*s*t + 16*s + 32*t 8*s*t"},
		{op: "com.microsoft.DecoderAttention", opset: 1, outs: 2, as: eight, in: decoder(f32(2, 2, 5, 4), flag(1), flag(1)), want: "float32[s,2,8] float32[2,2,5,4]", work: "288*s 96*s 40*s"},
		{op: "com.microsoft.DecoderAttention", opset: 1, outs: 2, as: eight, in: decoder(nil, tensorOf(onnx.Bool), tensorOf(onnx.Bool)), want: "float32[s,2,8] float32[2,2,max(s, t),4]"},
		{op: "com.microsoft.AttnLSTM", opset: 1, outs: 3, as: attributes{"hidden_size": 4}, in: in(f32(5, "b", 3), f32(1, 16, 9), f32(1, 16, 4), nil, nil, nil, nil, nil,
			f32(1, 4, 7), f32(1, 8, 7), f32(1, 7), f32("b", 6, 8), nil, f32(1, 12, 6)), want: "float32[5,1,b,4] float32[1,b,4] float32[1,b,4]",
			// 5·(16·13) of the cell; keys 6·8·7; per step the query 4·7, scores 6·7, context 6·8, attention layer 12·6
			work: "2326*b 580*b 430*b"},
		{op: "com.microsoft.SparseToDenseMatMul", opset: 1, as: attributes{"transA": 1}, in: in(f32(4, "m"), f32(4, 5)), want: "float32[m,5]", work: "20*m 0 0"},
		{op: "com.microsoft.SparseToDenseMatMul", opset: 1, in: in(f32(4, 3), f32(4, 5)), want: "error: input 1 has 4 rows, want 3"},
		{op: "com.microsoft.EngramGate", opset: 1, in: in(f32("b", 3, 4, 8), f32("b", 3, 4, 8), f32("b", 3, 8), f32(4, 8), f32(4, 8)), want: "float32[b,3,4,8]", work: "0 1176*b 84*b"},
		{op: "com.microsoft.EngramGate", opset: 1, in: in(f32(1, 3, 4, 8), f32(1, 3, 4, 8), f32(1, 3, 9), f32(4, 8), f32(4, 8)), want: "error: input 2 (value): axis 2: extent 9, want 8"},
		{op: "com.microsoft.NGramHashMapping", opset: 1, outs: 3, as: attributes{"max_ngram_size": 3, "n_head_per_ngram": 2}, in: in(tensorOf(onnx.Int64, "b", 5), known(1, 2, 3), known(5, 7, 11, 13)),
			want: "int64[b,5,4] int64[b,2] int32[b,2]", work: "0 60*b 0"}, // 8 and 4 remainders for each of 5
		{op: "com.microsoft.VarlenNGramHashMapping", opset: 1, outs: 2, as: attributes{"max_ngram_size": 2, "n_head_per_ngram": 1}, in: in(tensorOf(onnx.Int64, "t"), known(1, 2), known(5), tensorOf(onnx.Int32, 4)),
			want: "int64[t,1] int64[3,1]", work: "0 4*t 0"},
		{op: "com.microsoft.VarlenCausalConvWithState", opset: 1, outs: 3, as: attributes{"activation": "silu", "dilation": 2, "state_update_capacity": 4},
			in: in(f32("t", 8), f32(8, 1, 3), tensorOf(onnx.Int32, 4), f32(8), f32(3, 8, 4)), want: "float32[t,8] float32[3,8,4] float32[3,4,8]", work: "24*t 32*t 16*t"},
		{op: "com.microsoft.VarlenCausalConvWithState", opset: 1, in: in(f32("t", 8), f32(8, 1, 3), tensorOf(onnx.Int32, 4), nil, f32(3, 8, 3)), want: "error: input 4 (state): axis 2: extent 3, want 2"},
		{op: "com.microsoft.SampleOp", opset: 1, in: in(f32("b", 3)), want: "float32[b,3]", work: "0 0 0"},
	})
	if Opaque("com.microsoft", "EPContext") == "" || Opaque("", "Conv") != "" {
		t.Error("EPContext hides a compiled network, Conv nothing")
	}
}

// TestChannelsLastDomain: com.ms.internal.nhwc counts what the standard counts, with the channels last.
func TestChannelsLastDomain(t *testing.T) {
	two := attributes{"kernel_shape": []int64{3, 3}, "strides": []int64{2, 2}, "pads": []int64{1, 1, 1, 1}}
	fusedConv := attributes{"kernel_shape": []int64{3, 3}, "strides": []int64{2, 2}, "pads": []int64{1, 1, 1, 1}, "activation": "Relu"}
	const d = "com.ms.internal.nhwc."
	runRuleCases(t, []ruleCase{
		{op: d + "Conv", opset: 17, as: two, in: in(f32("n", 8, "w", 4), f32(6, 4, 3, 3), f32(6)), want: "float32[n,4,floor((w + 1)/2),6]"},
		{op: d + "Conv", opset: 1, as: fusedConv, in: in(f32(1, 8, 8, 4), f32(6, 4, 3, 3)), want: "float32[1,4,4,6]", work: "3456 96 0"},
		{op: d + "Conv", opset: 11, as: two, in: in(f32(1, 4, 8, 8), f32(6, 4, 3, 3)), want: "error: input 0 has 8 channels"},
		{op: d + "ConvTranspose", opset: 11, in: in(f32("n", 8, 8, 4), f32(4, 6, 2, 2)), want: "float32[n,9,9,6]"},
		{op: d + "MaxPool", opset: 12, outs: 2, as: two, in: in(f32("n", 8, 8, 4)), want: "float32[n,4,4,4] int64[n,4,4,4]"},
		{op: d + "AveragePool", opset: 11, as: two, in: in(f32("n", 9, 4)), want: "error: "},
		{op: d + "GlobalAveragePool", opset: 1, in: in(f32("n", "h", "w", 4)), want: "float32[n,1,1,4]"},
		{op: d + "LpPool", opset: 18, as: two, in: in(f32("n", 8, 8, 4)), want: "float32[n,4,4,4]"},
		{op: d + "BatchNormalization", opset: 15, in: in(f32("n", 8, 8, 4), f32(4), f32(4), f32(4), f32(4)), want: "float32[n,8,8,4]"},
		{op: d + "InstanceNormalization", opset: 6, in: in(f32("n", 8, 8, 4), f32(4), f32(4)), want: "float32[n,8,8,4]"},
		{op: d + "DepthToSpace", opset: 13, as: attributes{"blocksize": 2}, in: in(f32("n", 8, "w", 12)), want: "float32[n,16,2*w,3]"},
		{op: d + "SpaceToDepth", opset: 13, as: attributes{"blocksize": 2}, in: in(f32("n", 8, 6, 3)), want: "float32[n,4,3,12]"},
		{op: d + "GridSample", opset: 16, in: in(f32("n", 8, 8, 3), f32("n", 5, 6, 2)), want: "float32[n,5,6,3]"},
		{op: d + "LRN", opset: 13, as: attributes{"size": 3}, in: in(f32("n", 8, 8, 4)), want: "float32[n,8,8,4]"},
		{op: d + "Resize", opset: 19, in: in(f32("n", 8, 8, 4), nil, nil, known(1, 16, 16, 4)), want: "float32[1,16,16,4]"},
		{op: d + "QLinearConvTranspose", opset: 1, as: attributes{"strides": []int64{2, 2}}, in: in(tensorOf(onnx.Uint8, "n", 4, 4, 2), f32(), tensorOf(onnx.Uint8), tensorOf(onnx.Int8, 2, 3, 2, 2), f32(),
			knownScalar(onnx.Int8, IntOf(0)), f32(), tensorOf(onnx.Uint8)), want: "uint8[n,8,8,3]", work: "384*n 800*n 0"},
		{op: d + "QLinearConv", opset: 10, in: in(tensorOf(onnx.Uint8, "n", 4, 4, 2), f32(), tensorOf(onnx.Uint8), tensorOf(onnx.Int8, 3, 2, 1, 1), f32(), tensorOf(onnx.Int8), f32(), tensorOf(onnx.Uint8)), want: "uint8[n,4,4,3]"},
	})
}
