package op

import (
	"fmt"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// TestPoolAgainstLoops slides the window and counts one operation for each of its places.
func TestPoolAgainstLoops(t *testing.T) {
	for i := range 200 {
		k := randomConv(1 + i%3)
		for a := range k.kernel { // padding is less than the kernel
			k.pads[a], k.pads[len(k.kernel)+a] = min(k.pads[a], k.kernel[a]-1), min(k.pads[len(k.kernel)+a], k.kernel[a]-1)
		}
		as := k.attrs()
		delete(as, "group")
		first, end := k.padded()
		var out []int64
		for a := range k.in {
			n := int64(0)
			for at := first[a]; at+(k.kernel[a]-1)*k.dilates[a] < end[a]; at += k.strides[a] {
				n++
			}
			out = append(out, n)
		}
		ops := int64(0)
		for range k.batch * k.cin {
			walk(out, func([]int64) { walk(k.kernel, func([]int64) { ops++ }) })
		}
		want := values(k.batch, k.cin, out)
		for _, name := range []string{"MaxPool", "AveragePool"} {
			c, w := apply(t, name, latest, 1, as, values(k.batch, k.cin, k.in))
			what := fmt.Sprintf("%s case %d %+v", name, i, k)
			if types(c) != want.String() {
				t.Errorf("%s: got %s, want %v", what, types(c), want)
			}
			wantConst(t, what, w.Vector, ops)
		}
	}
}

func TestPools(t *testing.T) {
	two := attributes{"kernel_shape": []int64{2, 2}, "strides": []int64{2, 2}}
	with := func(name string, v any) attributes {
		a := attributes{name: v}
		for k, x := range two {
			a[k] = x
		}
		return a
	}
	img := func() *Value { return f32("n", 3, "h", "w") }
	tests := []struct {
		name            string
		op              string
		as              attributes
		outs            int
		in              []*Value
		out             string
		vector, special string
	}{
		{"indices", "MaxPool", two, 2, []*Value{img()}, "float32[n,3,floor(h/2),floor(w/2)] int64[n,3,floor(h/2),floor(w/2)]", "12*n*floor(h/2)*floor(w/2)", "0"},
		{"ceil", "MaxPool", with("ceil_mode", 1), 1, []*Value{f32(1, 3, "h", 5)}, "float32[1,3,floor((h + 1)/2),3]", "36*floor((h + 1)/2)", "0"},
		{"ceil, all", "AveragePool", attributes{"kernel_shape": []int64{3}, "strides": []int64{2}, "ceil_mode": 1}, 1, []*Value{f32(1, 1, "h")},
			"float32[1,1,floor(h/2)]", "3*floor(h/2)", "0"},
		{"same", "AveragePool", with("auto_pad", "SAME_UPPER"), 1, []*Value{f32(1, 3, "h", 5)}, "float32[1,3,floor((h + 1)/2),3]", "36*floor((h + 1)/2)", "0"},
		{"p = 1", "LpPool", with("p", 1), 1, []*Value{f32(1, 1, 4, 4)}, "float32[1,1,2,2]", "32", "0"},
		{"p = 2", "LpPool", two, 1, []*Value{f32(1, 1, 4, 4)}, "float32[1,1,2,2]", "32", "4"},
		{"p = 3", "LpPool", with("p", 3), 1, []*Value{f32(1, 1, 4, 4)}, "float32[1,1,2,2]", "16", "20"},
		{"global", "GlobalAveragePool", nil, 1, []*Value{img()}, "float32[n,3,1,1]", "3*h*n*w", "0"},
		{"global p = 2", "GlobalLpPool", nil, 1, []*Value{f32(2, 3, 4)}, "float32[2,3,1]", "48", "6"},
		{"unpool", "MaxUnpool", two, 1, []*Value{img(), tensorOf(onnx.Int64, "n", 3, "h", "w")}, "float32[n,3,2*h,2*w]", "0", "0"},
		{"unpool to a shape", "MaxUnpool", two, 1, []*Value{f32(1, 1, 2, 2), tensorOf(onnx.Int64, 1, 1, 2, 2), known(1, 1, 5, 5)}, "float32[1,1,5,5]", "0", "0"},
		{"regions", "MaxRoiPool", attributes{"pooled_shape": []int64{2, 3}}, 1, []*Value{f32(1, 8, 10, 12), f32("r", 5)}, "float32[r,8,2,3]", "960*r", "0"},
		{"aligned regions", "RoiAlign", attributes{"output_height": 5, "output_width": 5, "sampling_ratio": 2}, 1,
			[]*Value{f32(1, 8, 10, 10), f32("r", 4), tensorOf(onnx.Int64, "r")}, "float32[r,8,5,5]", fmt.Sprint(25*4*(8*8+12), "*r"), "0"},
		{"aligned regions, adaptive", "RoiAlign", attributes{"output_height": 5, "output_width": 5}, 1,
			[]*Value{f32(1, 8, 10, 15), f32(3, 4), tensorOf(onnx.Int64, 3)}, "float32[3,8,5,5]", fmt.Sprint(3 * 25 * 2 * 3 * (8*8 + 12)), "0"},
		{"quantised", "com.microsoft.QLinearAveragePool", two, 1, []*Value{tensorOf(onnx.Uint8, 1, 3, 4, 4), f32(), nil, f32()}, "uint8[1,3,2,2]", "96", "0"},
		{"quantised, channels last", "com.microsoft.QLinearAveragePool", with("channels_last", 1), 1, []*Value{tensorOf(onnx.Uint8, 1, 4, 4, 3), f32(), nil, f32()},
			"uint8[1,2,2,3]", "96", "0"},
		{"quantised global", "com.microsoft.QLinearGlobalAveragePool", attributes{"channels_last": 1}, 1, []*Value{tensorOf(onnx.Uint8, 1, 4, 4, 3), f32(), nil, f32()},
			"uint8[1,1,1,3]", "60", "0"},
		{"channels last", "com.microsoft.NhwcMaxPool", two, 1, []*Value{tensorOf(onnx.Int8, 1, 4, 4, 3)}, "int8[1,2,2,3]", "48", "0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, w := apply(t, tt.op, latest, tt.outs, tt.as, tt.in...)
			if got := types(c); got != tt.out {
				t.Errorf("got %s, want %s", got, tt.out)
			}
			if got := w.Vector.String(); got != tt.vector {
				t.Errorf("vector: got %s, want %s", got, tt.vector)
			}
			if got := w.Special.String(); got != tt.special {
				t.Errorf("special: got %s, want %s", got, tt.special)
			}
		})
	}
}

func TestPoolErrors(t *testing.T) {
	tests := []struct {
		op   string
		in   []*Value
		as   attributes
		want string
	}{
		{"MaxPool", []*Value{f32(1, 2)}, attributes{"kernel_shape": []int64{2}}, "input 0 has rank 2, want at least 3"},
		{"MaxPool", []*Value{f32(1, 2, 3, 4)}, nil, "attribute kernel_shape is absent, want 2 extents"},
		{"MaxPool", []*Value{f32(1, 2, 3, 4)}, attributes{"kernel_shape": []int64{2}}, "attribute kernel_shape has 1 entries, want 2"},
		{"AveragePool", []*Value{f32(1, 2, 3)}, attributes{"kernel_shape": []int64{4}}, "spatial axis 0: the window covers 4, the padded input only 3"},
		{"GlobalMaxPool", []*Value{f32(1)}, nil, "input 0 has rank 1, want at least 2"},
		{"RoiAlign", []*Value{f32(1, 2, 3), f32(1, 4)}, nil, "input 0 has rank 3, want 4"},
		{"MaxRoiPool", []*Value{f32(1, 2, 3, 3), f32(1, 5)}, nil, "attribute pooled_shape has 0 entries, want 2"},
		{"MaxUnpool", []*Value{f32(1, 1, 2, 2), f32(1, 1, 2, 2), known(1, 1, 5)}, attributes{"kernel_shape": []int64{2, 2}}, "input 2 has 3 extents, want 4"},
	}
	for _, tt := range tests {
		if got := applyError(t, tt.op, latest, 1, tt.as, tt.in...); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.op, got, tt.want)
		}
	}
}
