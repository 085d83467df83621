package op

import (
	"fmt"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// TestDeformConvAgainstLoops samples every place of every window: the MACs of the convolution, the interpolation of
// each sampled value, and the place and corner weights of each moved window place.
func TestDeformConvAgainstLoops(t *testing.T) {
	r := seeded()
	for i := range 100 {
		groups, moved := between(r, 1, 2), between(r, 1, 2)
		batch, cin, cout := between(r, 1, 2), groups*moved*between(r, 1, 2), groups*between(r, 1, 2)
		kernel := []int64{between(r, 1, 3), between(r, 1, 3)}
		out := []int64{between(r, 1, 3), between(r, 1, 3)}
		in := []int64{kernel[0] + out[0] - 1, kernel[1] + out[1] - 1}
		places := kernel[0] * kernel[1]
		mask := r.IntN(2) == 0
		var macs, vector int64
		for range batch {
			walk(out, func([]int64) {
				for range cout {
					for range cin / groups {
						walk(kernel, func([]int64) { macs++ })
					}
				}
				walk(kernel, func([]int64) {
					for range moved {
						vector += 4 + 4 // two axes: coordinate, floor, both fractions
						vector += 4     // products of the four corner weights
					}
					for range cin {
						vector += 4 + 3 // four products, three sums
						if mask {
							vector++
						}
					}
				})
			})
		}
		args := []*Value{values(batch, cin, in), values(cout, cin/groups, kernel), values(batch, moved*places*2, out)}
		if mask {
			args = append(args, nil, values(batch, moved*places, out))
		}
		c, w := apply(t, "DeformConv", latest, 1, attributes{"group": groups, "offset_group": moved}, args...)
		what := fmt.Sprintf("case %d: %v", i, args)
		if want := values(batch, cout, out); types(c) != want.String() {
			t.Errorf("%s: got %s, want %v", what, types(c), want)
		}
		wantConst(t, what+": MACs", w.MACs, macs)
		wantConst(t, what+": vector", w.Vector, vector)
	}
}

// TestCausalConvAgainstLoops reads kernel elements for each channel and position.
func TestCausalConvAgainstLoops(t *testing.T) {
	r := seeded()
	for range 50 {
		batch, channels, length, k := between(r, 1, 3), between(r, 1, 4), between(r, 1, 6), between(r, 1, 5)
		macs := int64(0)
		walk([]int64{batch, channels, length, k}, func([]int64) { macs++ })
		c, w := apply(t, "CausalConvWithState", latest, 2, nil, f32(batch, channels, length), f32(channels, 1, k))
		if got, want := types(c), fmt.Sprint(f32(batch, channels, length), f32(batch, channels, k-1)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		wantConst(t, types(c), w.MACs, macs)
	}
	n := int64(2 * 6 * 5)
	c, w := apply(t, "com.microsoft.CausalConvWithState", 1, 2, attributes{"channels_last": 1, "dilation": 3, "state_window": 4, "activation": "silu"},
		f32(2, 5, 2, 3), f32(6, 1, 4), f32(6))
	if got, want := types(c), "float32[2,5,2,3] float32[4,2,9,2,3]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	wantConst(t, "MACs", w.MACs, 4*n)
	wantConst(t, "bias and silu", w.Vector, n+3*n)
	wantConst(t, "silu", w.Special, 2*n)
}

// TestConvForms gives each form of the family the same convolution: 2×6×5×5 by 4×3×3×3 in two groups, padded by 1.
func TestConvForms(t *testing.T) {
	const macs, elements = 2 * 4 * 25 * 3 * 9, 2 * 4 * 25
	as := func(more attributes) attributes {
		a := attributes{"group": 2, "pads": []int64{1, 1, 1, 1}}
		for k, v := range more {
			a[k] = v
		}
		return a
	}
	u8 := func(extents ...any) *Value { return tensorOf(onnx.Uint8, extents...) }
	i8 := func(extents ...any) *Value { return tensorOf(onnx.Int8, extents...) }
	zero := knownScalar(onnx.Uint8, IntOf(0))
	first, last := []any{2, 6, 5, 5}, []any{2, 5, 5, 6}
	tests := []struct {
		name   string
		op     string
		as     attributes
		in     []*Value
		out    string
		vector int64
	}{
		{"plain", "Conv", as(nil), []*Value{f32(first...), f32(4, 3, 3, 3), f32(4)}, "float32[2,4,5,5]", elements},
		{"integer", "ConvInteger", as(nil), []*Value{u8(first...), i8(4, 3, 3, 3), u8()}, "int32[2,4,5,5]", 300},
		{"integer without zero points", "ConvInteger", as(nil), []*Value{u8(first...), i8(4, 3, 3, 3), zero}, "int32[2,4,5,5]", 0},
		{"quantised", "QLinearConv", as(nil), []*Value{u8(first...), f32(), zero, i8(4, 3, 3, 3), f32(4), zero, f32(), i8(), tensorOf(onnx.Int32, 4)},
			"int8[2,4,5,5]", elements + 4*elements},
		{"quantised, channels last", "com.microsoft.QLinearConv", as(attributes{"channels_last": 1}),
			[]*Value{u8(last...), f32(), zero, i8(4, 3, 3, 3), f32(4), zero, f32(), u8()}, "uint8[2,5,5,4]", 4 * elements},
		{"fused", "com.microsoft.FusedConv", as(attributes{"activation": "Relu"}), []*Value{f32(first...), f32(4, 3, 3, 3), f32(4), f32(2, 4, 5, 5)},
			"float32[2,4,5,5]", 3 * elements},
		{"channels last", "com.microsoft.NhwcConv", as(nil), []*Value{f32(last...), f32(4, 3, 3, 3)}, "float32[2,5,5,4]", 0},
		{"fused, channels last", "com.microsoft.NhwcFusedConv", as(attributes{"activation": "Clip"}), []*Value{f32(last...), f32(4, 3, 3, 3)},
			"float32[2,5,5,4]", 2 * elements},
		{"blocked", "com.microsoft.nchwc.Conv", as(attributes{"activation": "Sigmoid"}), []*Value{f32(first...), f32(4, 3, 3, 3)}, "float32[2,4,5,5]", 2 * elements},
		{"dynamic pads", "com.microsoft.ConvTransposeWithDynamicPads", attributes{}, []*Value{f32(2, 9, 5, 5), f32(9, 4, 3, 3), known(1, 1, 1, 1), f32(4)},
			"float32[2,4,5,5]", elements},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, w := apply(t, tt.op, latest, 1, tt.as, tt.in...)
			if got := types(c); got != tt.out {
				t.Errorf("got %s, want %s", got, tt.out)
			}
			wantMACs := int64(macs)
			if tt.name == "dynamic pads" {
				wantMACs = 2 * 25 * 9 * 4 * 9
			}
			wantConst(t, "MACs", w.MACs, wantMACs)
			wantConst(t, "vector", w.Vector, tt.vector)
		})
	}
}

func TestBlockedLayout(t *testing.T) {
	tests := []struct {
		op   string
		as   attributes
		in   *Value
		want string
	}{
		{"ReorderInput", nil, f32("n", 24, "h", "w"), "float32[n,32,h,w]"},
		{"ReorderInput", attributes{"channels_last": 1}, f32("n", "h", "w", 24), "float32[n,32,h,w]"},
		{"ReorderOutput", attributes{"channels": 24}, f32("n", 32, "h", "w"), "float32[n,24,h,w]"},
		{"ReorderOutput", attributes{"channels": 24, "channels_last": 1}, f32("n", 32, "h", "w"), "float32[n,h,w,24]"},
		{"Upsample", attributes{"scales": []int64{1, 1, 2, 3}}, f32("n", 32, "h", "w"), "float32[n,32,2*h,3*w]"},
		{"MaxPool", attributes{"kernel_shape": []int64{2, 2}, "strides": []int64{2, 2}}, f32("n", 32, 8, 8), "float32[n,32,4,4]"},
		{"GlobalAveragePool", nil, f32("n", 32, "h", "w"), "float32[n,32,1,1]"},
	}
	for _, tt := range tests {
		c, _ := apply(t, nchwcDomain+"."+tt.op, 1, 1, tt.as, tt.in)
		if got := types(c); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.op, got, tt.want)
		}
	}
	if got, want := applyError(t, nchwcDomain+".ReorderOutput", 1, 1, nil, f32(1, 32, 2, 2)), "attribute channels is 0, want at least 1"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestConvSpecialErrors(t *testing.T) {
	tests := []struct {
		op   string
		in   []*Value
		as   attributes
		want string
	}{
		{"DeformConv", []*Value{f32(1, 2, 3, 3), f32(1, 2, 2, 2), f32(1, 4, 2, 2)}, nil, "input 2 has shape 1x4x2x2, want 1x8x2x2"},
		{"DeformConv", []*Value{f32(1, 2, 3, 3), f32(1, 2, 2, 2), f32(1, 8, 2, 2), nil, f32(1, 8, 2, 2)}, nil, "input 4 has shape 1x8x2x2, want 1x4x2x2"},
		{"CausalConvWithState", []*Value{f32(1, 2, 3), f32(3, 1, 2)}, nil, "input 0 has 2 channels, want 3"},
		{"CausalConvWithState", []*Value{f32(1, 2, 3), f32(2, 1, 2), nil, f32(1, 2, 2)}, nil, "input 3 has shape 1x2x2, want 1x2x1"},
		{"QLinearConv", []*Value{f32(1, 2, 3, 3), f32(), f32(), f32(1, 3, 2, 2)}, nil, "input 0 has 2 channels, want 3 (3 for each of 1 groups)"},
		{"com.microsoft.NhwcConv", []*Value{f32(1, 3, 3, 2), f32(1, 3, 2, 2)}, nil, "input 0 has 2 channels, want 3 (3 for each of 1 groups)"},
		{"com.microsoft.ConvTransposeWithDynamicPads", []*Value{f32(1, 2, 3, 3), f32(2, 3, 2, 2), known(1, 1)}, nil, "input 2 has 2 elements, want 4"},
	}
	for _, tt := range tests {
		if got := applyError(t, tt.op, latest, 1, tt.as, tt.in...); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.op, got, tt.want)
		}
	}
}
