package op

import (
	"fmt"
	"strings"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// attentionLoops computes softmax(QKᵀ)V as loops over batch, query head, query, key and head elements, and counts the
// products and the scores.
func attentionLoops(batch, heads, q, past, kv, size, vSize int64) (macs, scores int64) {
	for range batch {
		for range heads {
			for range q {
				for range past + kv {
					scores++
					for range size {
						macs++
					}
				}
				for range vSize {
					for range past + kv {
						macs++
					}
				}
			}
		}
	}
	return macs, scores
}

func TestAttentionAgainstLoops(t *testing.T) {
	r := seeded()
	for i := range 200 {
		kvHeads := between(r, 1, 3)
		heads := kvHeads * between(r, 1, 3)
		batch, q, kv, size, vSize := between(r, 1, 2), between(r, 1, 4), between(r, 1, 4), between(r, 1, 4), between(r, 1, 4)
		past := int64(0)
		as := attributes{}
		in := []*Value{f32(batch, heads, q, size), f32(batch, kvHeads, kv, size), f32(batch, kvHeads, kv, vSize)}
		y := f32(batch, heads, q, vSize)
		if r.IntN(2) == 0 {
			as["q_num_heads"], as["kv_num_heads"] = heads, kvHeads
			in = []*Value{f32(batch, q, heads*size), f32(batch, kv, kvHeads*size), f32(batch, kv, kvHeads*vSize)}
			y = f32(batch, q, heads*vSize)
		}
		perScore, special := int64(4), int64(2) // scale and softmax
		in = append(in, nil)
		if r.IntN(2) == 0 {
			in[3] = f32(q, kv)
			perScore++
		}
		if r.IntN(2) == 0 {
			past = between(r, 1, 3)
			in = append(in, f32(batch, kvHeads, past, size), f32(batch, kvHeads, past, vSize))
		}
		if r.IntN(2) == 0 {
			as["is_causal"] = 1
			perScore++
		}
		if r.IntN(2) == 0 {
			as["softcap"] = 2.0
			perScore, special = perScore+2, special+1
		}
		what := fmt.Sprintf("case %d: %v %v", i, as, in)
		c, w := apply(t, "Attention", latest, 4, as, in...)
		total := past + kv
		want := fmt.Sprint(y, f32(batch, kvHeads, total, size), f32(batch, kvHeads, total, vSize), f32(batch, heads, q, total))
		if got := types(c); got != want {
			t.Errorf("%s: got %s, want %s", what, got, want)
		}
		macs, scores := attentionLoops(batch, heads, q, past, kv, size, vSize)
		wantConst(t, what+": MACs", w.MACs, macs)
		wantConst(t, what+": vector", w.Vector, scores*perScore)
		wantConst(t, what+": special", w.Special, scores*special)
	}
}

func TestAttentionSymbolic(t *testing.T) {
	as := attributes{"q_num_heads": 12, "kv_num_heads": 4}
	c, w := apply(t, "Attention", 24, 3, as, f32("b", "s", 768), f32("b", "s", 256), f32("b", "s", 256), nil,
		f32("b", 4, "past", 64), f32("b", 4, "past", 64))
	if got, want := types(c), "float32[b,s,768] float32[b,4,past + s,64] float32[b,4,past + s,64]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := w.MACs.String(), "1536*b*past*s + 1536*b*s^2"; got != want {
		t.Errorf("MACs: got %s, want %s", got, want)
	}
}

// TestFlexAttention runs the graphs that change scores: once over the whole tensor, or once for every score.
func TestFlexAttention(t *testing.T) {
	whole := &onnx.Graph{Name: "whole", Inputs: []onnx.ValueInfo{{Name: "scores"}}}
	each := &onnx.Graph{Name: "each", Inputs: make([]onnx.ValueInfo, 5)}
	mask := &onnx.Graph{Name: "mask", Inputs: make([]onnx.ValueInfo, 4)}
	as := attributes{"score_mod": whole, "mask_mod": mask, "prob_mod": each}
	c, r := newCall("ai.onnx.preview.FlexAttention", 1, 1, as, f32(2, 4, 3, 8), f32(2, 2, 5, 8), f32(2, 2, 5, 6))
	e := c.Engine.(*testEngine)
	var seen []string
	e.infer = func(g *onnx.Graph, in []*Value) (*Body, error) {
		seen = append(seen, g.Name+" "+in[0].String())
		return &Body{Name: g.Name}, nil
	}
	if err := r.Shape(c); err != nil {
		t.Fatal(err)
	}
	if got, want := types(c), "float32[2,4,3,6]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := strings.Join(seen, "; "), "whole float32[2,4,3,5]; mask int64[]; each float32[]"; got != want {
		t.Errorf("graphs: got %s, want %s", got, want)
	}
	if got, want := fmt.Sprint(e.ran), "[1 120 120]"; got != want {
		t.Errorf("runs: got %s, want %s", got, want)
	}
	macs, scores := attentionLoops(2, 4, 3, 0, 5, 8, 6)
	w := r.Work(c)
	wantConst(t, "MACs", w.MACs, macs)
	wantConst(t, "vector", w.Vector, scores*5) // scale, softmax, mask
	bad := &onnx.Graph{Inputs: make([]onnx.ValueInfo, 2)}
	if got, want := applyError(t, "ai.onnx.preview.FlexAttention", 1, 1, attributes{"score_mod": bad}, f32(2, 4, 3, 8), f32(2, 2, 5, 8), f32(2, 2, 5, 6)),
		"attribute score_mod is a graph with 2 inputs, want 1, 4 or 5"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// linearLoops runs the recurrence of LinearAttention: retrieval (delta rules), outer product, read.
func linearLoops(rule string, batch, steps, heads, kvHeads, qk, v int64) (macs, vector int64) {
	for range batch * steps {
		for range kvHeads {
			walk([]int64{qk, v}, func([]int64) {
				if strings.HasPrefix(rule, "gated") {
					vector++ // decay
				}
				if strings.HasSuffix(rule, "delta") {
					macs++ // Sᵀk
				}
				macs++ // S += k⊗v
			})
			if strings.HasSuffix(rule, "delta") {
				vector += 2 * v // difference, beta
			}
		}
		for range heads {
			walk([]int64{qk, v}, func([]int64) { macs++ }) // qᵀS
			vector += v                                    // scale
		}
	}
	return macs, vector
}

func TestLinearAttentionAgainstLoops(t *testing.T) {
	r := seeded()
	for i := range 60 {
		rule := []string{"linear", "gated", "delta", "gated_delta"}[i%4]
		kvHeads := between(r, 1, 3)
		heads := kvHeads * between(r, 1, 3)
		batch, steps, qk, v := between(r, 1, 2), between(r, 1, 4), between(r, 1, 4), between(r, 1, 4)
		in := []*Value{f32(batch, steps, heads*qk), f32(batch, steps, kvHeads*qk), f32(batch, steps, kvHeads*v), nil,
			f32(batch, steps, kvHeads), f32(batch, steps, kvHeads)}
		c, w := apply(t, "LinearAttention", latest, 2, attributes{"q_num_heads": heads, "kv_num_heads": kvHeads, "update_rule": rule}, in...)
		what := fmt.Sprintf("%s, %d over %d heads", rule, heads, kvHeads)
		if got, want := types(c), fmt.Sprint(f32(batch, steps, heads*v), f32(batch, kvHeads, qk, v)); got != want {
			t.Errorf("%s: got %s, want %s", what, got, want)
		}
		macs, vector := linearLoops(rule, batch, steps, heads, kvHeads, qk, v)
		wantConst(t, what+": MACs", w.MACs, macs)
		wantConst(t, what+": vector", w.Vector, vector)
	}
	c, w := apply(t, "com.microsoft.LinearAttention", 1, 2, attributes{"q_num_heads": 2, "kv_num_heads": 4, "update_rule": "linear", "state_window": 3},
		f32(1, 5, 16), f32(1, 5, 16), f32(1, 5, 12)) // each query head serves two value heads
	if got, want := types(c), "float32[1,5,12] float32[3,1,4,8,3]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	macs, _ := linearLoops("linear", 1, 5, 4, 4, 8, 3)
	wantConst(t, "MACs", w.MACs, macs)
}

func TestRotaryEmbedding(t *testing.T) {
	half := attributes{"rotary_embedding_dim": 4, "num_heads": 2}
	tests := []struct {
		op           string
		as           attributes
		in           []*Value
		out, vector  string
		read, caches string
	}{
		{"RotaryEmbedding", nil, []*Value{f32("b", 2, "s", 8), f32(50, 4), f32(50, 4), tensorOf(onnx.Int64, "b", "s")},
			"float32[b,2,s,8]", "48*b*s", "104*b*s", ""},
		{"RotaryEmbedding", half, []*Value{f32(1, 3, 16), f32(50, 2), f32(50, 2), tensorOf(onnx.Int64, 1, 3)}, "float32[1,3,16]", "72", "264", ""},
		{"com.microsoft.RotaryEmbedding", half, []*Value{f32(1, 3, 16), tensorOf(onnx.Int64, 1, 3), f32(50, 2), f32(50, 2)}, "float32[1,3,16]", "72", "264", ""},
	}
	for _, tt := range tests {
		c, w := apply(t, tt.op, latest, 1, tt.as, tt.in...)
		if got := types(c); got != tt.out {
			t.Errorf("%s: got %s, want %s", tt.op, got, tt.out)
		}
		if got := w.Vector.String(); got != tt.vector {
			t.Errorf("%s: vector: got %s, want %s", tt.op, got, tt.vector)
		}
		_, r := newCall(tt.op, latest, 1, nil)
		if read, _ := r.Traffic(c); read.String() != tt.read {
			t.Errorf("%s: read: got %v bytes, want %s", tt.op, read, tt.read)
		}
	}
}

func TestAttentionErrors(t *testing.T) {
	packed := attributes{"q_num_heads": 3, "kv_num_heads": 2}
	tests := []struct {
		op   string
		in   []*Value
		as   attributes
		want string
	}{
		{"Attention", []*Value{f32(1, 3)}, nil, "input 0 has rank 2, want 3 to 4"},
		{"Attention", []*Value{f32(1, 2, 8), f32(1, 2, 8), f32(1, 2, 8)}, nil, "attribute q_num_heads is 0, want at least 1"},
		{"Attention", []*Value{f32(1, 2, 8), f32(1, 2, 8), f32(1, 2, 8)}, packed, "input 0 has hidden size 8, want a multiple of its 3 heads"},
		{"Attention", []*Value{f32(1, 2, 9), f32(1, 2, 6), f32(1, 2, 6)}, packed, "3 query heads over 2 key heads, want a multiple"},
		{"Attention", []*Value{f32(1, 2, 3, 4), f32(1, 2, 3, 5), f32(1, 2, 3, 5)}, nil, "head size of input 1 is 5, want 4 as input 0"},
		{"Attention", []*Value{f32(1, 2, 3, 4), f32(1, 2, 3, 4), f32(1, 2, 3, 4), nil, f32(1, 2, 4)}, nil, "input 4 has rank 3, want 4"},
		{"LinearAttention", []*Value{f32(1, 2, 3, 4)}, nil, "input 0 has rank 4, want 3"},
		{"RotaryEmbedding", []*Value{f32(1, 2, 3, 4), f32(5, 2), f32(5, 2)}, attributes{"rotary_embedding_dim": 3}, "attribute rotary_embedding_dim is 3, want an even number"},
		{"com.microsoft.Attention", []*Value{f32(1, 2, 8), f32(7, 24)}, attributes{"num_heads": 2}, "input 1 has 7 rows, want 8 as input 0"},
		{"com.microsoft.MultiHeadAttention", []*Value{f32(1, 2, 3, 8)}, attributes{"num_heads": 2}, "input 0 has rank 4, want 3 or 5"},
		{"com.microsoft.GroupQueryAttention", []*Value{f32(1, 2, 8), f32(1, 2, 8), f32(1, 2, 8)}, attributes{"num_heads": 4}, "attribute kv_num_heads is 0, want at least 1"},
	}
	for _, tt := range tests {
		if got := applyError(t, tt.op, latest, 1, tt.as, tt.in...); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.op, got, tt.want)
		}
	}
}

// TestMicrosoftAttention states types and MACs of each form by hand: attention of N heads of size H is
// 2·batch·N·q·total·H.
func TestMicrosoftAttention(t *testing.T) {
	i32 := func(extents ...any) *Value { return tensorOf(onnx.Int32, extents...) }
	two := attributes{"num_heads": 2}
	tests := []struct {
		name string
		op   string
		as   attributes
		outs int
		in   []*Value
		out  string
		macs string
	}{
		{"projected", "Attention", two, 2, []*Value{f32("b", "s", 8), f32(8, 24), f32(24)},
			"float32[b,s,8] float32[2,b,2,s,4]", "16*b*s^2 + 192*b*s"},
		{"projected, past", "Attention", two, 2, []*Value{f32(1, 3, 8), f32(8, 24), f32(24), nil, f32(2, 1, 2, 5, 4)},
			"float32[1,3,8] float32[2,1,2,8,4]", fmt.Sprint(3*192 + 2*2*3*8*4)},
		{"projected, shared buffer", "Attention", attributes{"num_heads": 2, "past_present_share_buffer": 1}, 2,
			[]*Value{f32(1, 3, 8), f32(8, 24), f32(24), nil, f32(2, 1, 2, 50, 4), nil, knownScalar(onnx.Int32, IntOf(5))},
			"float32[1,3,8] float32[2,1,2,50,4]", fmt.Sprint(3*192 + 2*2*3*8*4)},
		{"projected, wider value", "Attention", attributes{"num_heads": 2, "qkv_hidden_sizes": []int64{8, 8, 12}}, 1,
			[]*Value{f32(1, 3, 8), f32(8, 28), f32(28)}, "float32[1,3,12]", fmt.Sprint(3*8*28 + 2*3*3*(4+6))},
		{"quantised", "QAttention", two, 1, []*Value{tensorOf(onnx.Uint8, 1, 3, 8), tensorOf(onnx.Int8, 8, 24), f32(24), f32(), f32()},
			"float32[1,3,8]", fmt.Sprint(3*192 + 2*2*3*3*4)},
		{"packed tokens", "PackedAttention", two, 1, []*Value{f32(5, 8), f32(8, 24), f32(24), i32(2, 4), i32(3)},
			"float32[5,8]", fmt.Sprint(5*192 + 2*2*2*4*4*4)},
		{"decoder", "DecoderMaskedSelfAttention", two, 2, []*Value{f32(1, 1, 8), f32(8, 24), f32(24), nil, f32(2, 1, 2, 5, 4), nil, i32(1)},
			"float32[1,1,8] float32[2,1,2,6,4]", fmt.Sprint(192 + 2*2*6*4)},

		{"multi-head", "MultiHeadAttention", two, 3, []*Value{f32("b", "s", 8), f32("b", "t", 8), f32("b", "t", 12)},
			"float32[b,s,12] float32[b,2,t,4] float32[b,2,t,6]", "20*b*s*t"},
		{"multi-head, packed", "MultiHeadAttention", two, 1, []*Value{f32(1, 3, 2, 3, 4)}, "float32[1,3,8]", fmt.Sprint(2 * 2 * 3 * 3 * 4)},
		{"multi-head, packed keys", "MultiHeadAttention", two, 1, []*Value{f32(1, 3, 8), f32(1, 5, 2, 2, 4)}, "float32[1,3,8]", fmt.Sprint(2 * 2 * 3 * 5 * 4)},
		{"multi-head, cached keys", "MultiHeadAttention", two, 1, []*Value{f32(1, 3, 8), f32(1, 2, 5, 4), f32(1, 2, 5, 4)}, "float32[1,3,8]", fmt.Sprint(2 * 2 * 3 * 5 * 4)},
		{"multi-head, past", "MultiHeadAttention", two, 2, []*Value{f32(1, 1, 8), f32(1, 1, 8), f32(1, 1, 8), nil, nil, nil, f32(1, 2, 5, 4), f32(1, 2, 5, 4)},
			"float32[1,1,8] float32[1,2,6,4]", fmt.Sprint(2 * 2 * 6 * 4)},
		{"decoder multi-head, packed", "DecoderMaskedMultiHeadAttention", two, 2, []*Value{f32(1, 1, 24), nil, nil, nil, nil, f32(1, 2, 5, 4), f32(1, 2, 5, 4)},
			"float32[1,1,8] float32[1,2,6,4]", fmt.Sprint(2 * 2 * 6 * 4)},
		{"packed multi-head", "PackedMultiHeadAttention", two, 1, []*Value{f32(5, 8), f32(5, 8), f32(5, 12), nil, i32(2, 4), i32(3)},
			"float32[5,12]", fmt.Sprint(2 * 2 * 4 * 4 * (4 + 6))},
		{"packed multi-head, one tensor", "PackedMultiHeadAttention", two, 1, []*Value{f32(5, 2, 3, 4), nil, nil, nil, i32(2, 4), i32(3)},
			"float32[5,8]", fmt.Sprint(2 * 2 * 2 * 4 * 4 * 4)},

		{"grouped", "GroupQueryAttention", attributes{"num_heads": 4, "kv_num_heads": 2}, 3,
			[]*Value{f32("b", "s", 32), f32("b", "s", 16), f32("b", "s", 16), f32("b", 2, "p", 8), f32("b", 2, "p", 8), i32("b"), i32()},
			"float32[b,s,32] float32[b,2,p + s,8] float32[b,2,p + s,8]", "64*b*p*s + 64*b*s^2"},
		{"grouped, known total", "GroupQueryAttention", attributes{"num_heads": 4, "kv_num_heads": 2}, 3,
			[]*Value{f32(1, 1, 32), f32(1, 1, 16), f32(1, 1, 16), f32(1, 2, 100, 8), f32(1, 2, 100, 8), i32(1), knownScalar(onnx.Int32, IntOf(7))},
			"float32[1,1,32] float32[1,2,100,8] float32[1,2,100,8]", fmt.Sprint(2 * 4 * 7 * 8)},
		{"grouped, packed, no past", "GroupQueryAttention", attributes{"num_heads": 4, "kv_num_heads": 2}, 3,
			[]*Value{f32(1, 5, 64), nil, nil, nil, nil, i32(1), i32()}, "float32[1,5,32] float32[1,2,5,8] float32[1,2,5,8]", fmt.Sprint(2 * 4 * 5 * 5 * 8)},
		{"grouped, 4-bit cache", "GroupQueryAttention", attributes{"num_heads": 4, "kv_num_heads": 2, "kv_cache_bit_width": 4}, 2,
			[]*Value{f32(1, 1, 32), f32(1, 1, 16), f32(1, 1, 16), tensorOf(onnx.Uint8, 1, 2, 9, 4), tensorOf(onnx.Uint8, 1, 2, 9, 4), i32(1), i32()},
			"float32[1,1,32] uint8[1,2,10,4]", fmt.Sprint(2 * 4 * 10 * 8)},
		{"paged", "PagedAttention", attributes{"num_heads": 4, "kv_num_heads": 2}, 2,
			[]*Value{f32(7, 32), f32(7, 16), f32(7, 16), f32(30, 16, 2, 8), f32(30, 16, 2, 8), i32(3), i32(2), i32(2, 3)},
			"float32[7,32] float32[30,16,2,8]", fmt.Sprint(2 * 4 * 7 * 48 * 8)},
		{"sparse", "SparseAttention", attributes{"num_heads": 4, "kv_num_heads": 2, "sparse_block_size": 16}, 2,
			[]*Value{f32(1, 3, 32), f32(1, 3, 16), f32(1, 3, 16), f32(1, 2, 64, 8), f32(1, 2, 64, 8), i32(1, 5), i32(1, 9), knownScalar(onnx.Int32, IntOf(40)), i32(1)},
			"float32[1,3,32] float32[1,2,64,8]", fmt.Sprint(2 * 4 * 3 * 40 * 8)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, w := apply(t, "com.microsoft."+tt.op, 1, tt.outs, tt.as, tt.in...)
			if got := types(c); got != tt.out {
				t.Errorf("got %s, want %s", got, tt.out)
			}
			if got := w.MACs.String(); got != tt.macs {
				t.Errorf("MACs: got %s, want %s", got, tt.macs)
			}
		})
	}
}

// TestGroupedRotation counts what GroupQueryAttention fuses around the attention.
func TestGroupedRotation(t *testing.T) {
	in := []*Value{f32(1, 3, 32), f32(1, 3, 16), f32(1, 3, 16), f32(1, 2, 5, 8), f32(1, 2, 5, 8), tensorOf(onnx.Int32, 1), tensorOf(onnx.Int32),
		weight(f32(4096, 4)), weight(f32(4096, 4))}
	plain := attributes{"num_heads": 4, "kv_num_heads": 2, "causal": 0}
	rotary := attributes{"num_heads": 4, "kv_num_heads": 2, "causal": 0, "do_rotary": 1}
	_, a := apply(t, "com.microsoft.GroupQueryAttention", 1, 3, plain, in...)
	c, b := apply(t, "com.microsoft.GroupQueryAttention", 1, 3, rotary, in...)
	wantConst(t, "scores", a.Vector, 4*4*3*8)
	wantConst(t, "rotated", b.Vector.Sub(a.Vector), 3*3*(4+2)*8)
	_, r := newCall("com.microsoft.GroupQueryAttention", 1, 3, nil)
	read, written := r.Traffic(c)
	// query, key, value, past of both, and a cache row of 4 for each of 3 positions
	wantConst(t, "read", read, 4*(96+48+48+2*80+2*12))
	wantConst(t, "written", written, 4*(96+2*128))
}

func TestRelativeBias(t *testing.T) {
	c, w := apply(t, "com.microsoft.RelativePositionBias", 1, 1, attributes{"max_distance": 128}, f32(32, 12),
		knownScalar(onnx.Int64, Int(dim.Symbol("s"))), knownScalar(onnx.Int64, Int(dim.Symbol("s"))))
	if got, want := types(c), "float32[1,12,s,s]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := w.Vector.String()+" "+w.Special.String(), "8*s^2 s^2"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	c, w = apply(t, "com.microsoft.GatedRelativePositionBias", 1, 1, attributes{"num_heads": 2},
		f32(1, 3, 8), f32(8), f32(1, 2, 3, 3), f32(4, 6), f32(6), f32(1, 2, 1, 1))
	if got, want := types(c), "float32[1,2,3,3]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	wantConst(t, "MACs", w.MACs, 1*2*3*4*6)
	c, _ = apply(t, "com.microsoft.RemovePadding", 1, 4, nil, f32("b", "s", 8), tensorOf(onnx.Int32, "b"))
	if got, want := types(c), "float32[tokens_1,8] int32[b,s] int32[b + 1] int32[1]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if upper := c.Engine.(*testEngine).bounds["tokens_1"]; upper.String() != "b*s" {
		t.Errorf("upper bound of the tokens: got %v, want b*s", upper)
	}
}
