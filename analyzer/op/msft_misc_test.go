package op

import (
	"testing"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// TestGatedDeltaNet has a state for each value head; its form with batch and sequence apart is the recurrence of
// LinearAttention.
func TestGatedDeltaNet(t *testing.T) {
	in := []*Value{f32(2, 5, 2, 8), f32(2, 5, 2, 8), f32(2, 5, 4, 3), nil, f32(2, 5, 4), f32(2, 5, 4)}
	c, w := apply(t, "com.microsoft.GatedDeltaNet", 1, 2, nil, in...)
	if got, want := types(c), "float32[2,5,4,3] float32[2,4,3,8]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	macs, vector := linearLoops("gated_delta", 2, 5, 4, 4, 8, 3)
	wantConst(t, "MACs", w.MACs, macs)
	wantConst(t, "vector", w.Vector, vector)
	wantConst(t, "exponentials of the decay", w.Special, 40)

	_, w = apply(t, "com.microsoft.GatedDeltaNet", 1, 2, attributes{"qk_l2_norm": 1, "beta_activation": "sigmoid", "gate_activation": "qwen"}, in...)
	wantConst(t, "vector with norm, sigmoid and gate", w.Vector, vector+3*2*160+2*40+3*40)
	wantConst(t, "special with norm, sigmoid and gate", w.Special, 40+2*2*20+2*40+2*40)

	packed := []*Value{f32("tokens", 2, 8), f32("tokens", 2, 8), f32("tokens", 4, 3), tensorOf(onnx.Int32, 4)}
	c, w = apply(t, "com.microsoft.GatedDeltaNet", 1, 3, attributes{"update_rule": "linear", "state_update_capacity": 2}, packed...)
	if got, want := types(c), "float32[tokens,4,3] float32[3,4,3,8] float32[3,64]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := w.MACs.String(), "192*tokens"; got != want { // 2·4 heads·24 elements
		t.Errorf("MACs: got %s, want %s", got, want)
	}
	if got, want := applyError(t, "com.microsoft.GatedDeltaNet", 1, 1, nil, f32(5, 3, 8), f32(5, 3, 8), f32(5, 4, 8)),
		"4 query heads over 3 key heads, want a multiple"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLongformerAttention(t *testing.T) {
	c, w := apply(t, "com.microsoft.LongformerAttention", 1, 1, attributes{"num_heads": 2, "window": 4},
		f32(1, "s", 8), f32(8, 24), f32(24), f32(1, "s"), f32(8, 24), f32(24), tensorOf(onnx.Int32, 1, "s"))
	if got, want := types(c), "float32[1,s,8]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := w.MACs.String(), "528*s"; got != want { // 2 projections of 192 and 2·2 heads·9 keys·4
		t.Errorf("MACs: got %s, want %s", got, want)
	}
}

// TestQuantizedEmbedding reads one byte per element of each table's row.
func TestQuantizedEmbedding(t *testing.T) {
	ids := func() *Value { return tensorOf(onnx.Int32, 2, 5) }
	table := func(rows int) *Value { return weight(tensorOf(onnx.Uint8, rows, 8)) }
	in := []*Value{ids(), ids(), table(30522), table(512), table(2), tensorOf(onnx.Uint8, 8), tensorOf(onnx.Uint8, 8), nil, f32(), f32(), f32(), f32(), f32()}
	c, w := apply(t, "com.microsoft.QEmbedLayerNormalization", 1, 2, nil, in...)
	if got, want := types(c), "float32[2,5,8] int32[2]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	// 80 elements: two sums, normalisation 7, three rows to dequantise; 10 rows of statistics; gamma and beta
	wantConst(t, "vector", w.Vector, 80*(2+7+6)+10*3+2*16)
	_, r := newCall("com.microsoft.QEmbedLayerNormalization", 1, 1, nil)
	read, _ := r.Traffic(c)
	wantConst(t, "read", read, 2*40+3*80+16+5*4)
}

// TestBlockGather reads packed rows: 6 ids of 128 values at 4 bits, and the 4 scales of each row.
func TestBlockGather(t *testing.T) {
	c, _ := apply(t, "com.microsoft.GatherBlockQuantized", 1, 1, attributes{"bits": 4, "block_size": 32, "quantize_axis": 1},
		weight(tensorOf(onnx.Uint8, 1000, 64)), tensorOf(onnx.Int64, 2, 3), weight(f32(1000, 4)))
	_, r := newCall("com.microsoft.GatherBlockQuantized", 1, 1, nil)
	read, written := r.Traffic(c)
	wantConst(t, "read", read, 6*8+6*64+6*4*4)
	wantConst(t, "written", written, 6*128*4)
	if n, ok := r.Params(c, 0); !ok || !n.Is(128000) {
		t.Errorf("params: got %v, want 128000", n)
	}
}

// TestWordConvEmbedding counts the filter at every place of every word, beside the loops of the runtime.
func TestWordConvEmbedding(t *testing.T) {
	const words, length, filters, window, size = 6, 9, 5, 3, 4
	in := []*Value{tensorOf(onnx.Int32, words, length), f32(filters, 1, window, size), f32(filters), f32(100, size)}
	c, w := apply(t, "com.microsoft.WordConvEmbedding", 1, 1, nil, in...)
	if got, want := types(c), "float32[6,5]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	var macs, places int64
	for range words {
		for at := 0; at+window <= length; at++ {
			for range filters {
				places++
				macs += window * size
			}
		}
	}
	wantConst(t, "MACs", w.MACs, macs)
	wantConst(t, "vector", w.Vector, 2*places)
	wantConst(t, "special", w.Special, places)
	_, r := newCall("com.microsoft.WordConvEmbedding", 1, 1, nil)
	read, written := r.Traffic(c)
	wantConst(t, "read", read, 4*(words*length+filters*window*size+filters)+4*words*length*size)
	wantConst(t, "written", written, 4*words*filters)

	c, _ = apply(t, "com.microsoft.WordConvEmbedding", 1, 1, nil, tensorOf(onnx.Int32, "words", 9), f32(5, 1, 3, 4), f32(5), f32(100, 4))
	if got, want := types(c), "float32[words,5]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestUnloadedContrib: operators of com.microsoft that the CPU provider has no kernel for, or that only its own graphs
// have. Shapes are written from what the operators do; no kernel here confirms them.
func TestUnloadedContrib(t *testing.T) {
	half := func(extents ...any) *Value { return tensorOf(onnx.Float16, extents...) }
	fp8 := func(extents ...any) *Value { return tensorOf(onnx.Float8E4M3FN, extents...) }
	runRuleCases(t, []ruleCase{
		{op: "com.microsoft.ComplexMulConj", opset: 1, in: in(f32("b", 3, 2), f32(3, 2)), want: "float32[b,3,2]", work: "0 18*b 0"},
		{op: "com.microsoft.FusedMatMulActivation", opset: 1, as: attributes{"activation": "Relu", "alpha": 0.5}, in: in(f32("b", 3, 4), f32("b", 4, 5)),
			want: "float32[b,3,5]", work: "60*b 30*b 0"},
		{op: "com.microsoft.GemmFastGelu", opset: 1, in: in(half("b", 3, 4), half(4, 5), half(5)), want: "float16[b,3,5]", work: "60*b 135*b 15*b"},
		{op: "com.microsoft.GemmFloat8", opset: 1, as: attributes{"transB": 1, "dtype": int(onnx.Float16)}, in: in(fp8("m", 4), fp8(5, 4), nil, f32(1), f32(1), f32(1)),
			want: "float16[m,5]", work: "20*m 0 0"},
		{op: "com.microsoft.GemmFloat8", opset: 1, in: in(fp8(3, 4), fp8(5, 4)), want: "error: "},
		{op: "com.microsoft.MatMulInteger16", opset: 1, in: in(tensorOf(onnx.Uint16, "m", 4), tensorOf(onnx.Uint16, 4, 5)), want: "uint32[m,5]", work: "20*m 0 0"},
		{op: "com.microsoft.RestorePadding", opset: 1, in: in(f32("tokens", 8), tensorOf(onnx.Int32, "b", "s")), want: "float32[b,s,8]", work: "0 0 0"},
		{op: "com.microsoft.RestorePadding", opset: 1, in: in(f32("b", "s", 8), tensorOf(onnx.Int32, "b", "s")), want: "error: input 0 has rank 3, want 2"},
		{op: "com.microsoft.BitmaskBiasDropout", opset: 1, outs: 2, in: in(f32("b", 48), f32(48), f32("b", 48)), want: "float32[b,48] uint32[b + floor((b + 1)/2)]", work: "0 96*b 0"},
		{op: "com.microsoft.LayerNormalization", opset: 1, in: in(half("b", 8), half(8), half(8)), want: "float16[b,8]"},
		{op: "com.microsoft.SimplifiedLayerNormalization", opset: 1, in: in(half("b", 8), half(8)), want: "float16[b,8]"},
		{op: "com.microsoft.nchwc.AveragePool", opset: 1, as: attributes{"kernel_shape": []int64{3, 3}, "strides": []int64{2, 2}, "pads": []int64{1, 1, 1, 1}},
			in: in(f32("n", 16, "h", 7)), want: "float32[n,16,floor((h + 1)/2),4]"},
		{op: "com.microsoft.nchwc.GlobalMaxPool", opset: 1, in: in(f32("n", 16, "h", "w")), want: "float32[n,16,1,1]"},
	})
}
