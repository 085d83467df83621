package op

import (
	"fmt"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer/dim"
)

// convCase is a convolution with plain extents, and the oracle's view of it.
type convCase struct {
	batch, cin, cout, groups     int64
	in, kernel, strides, dilates []int64
	pads                         []int64 // begins, then ends
	autoPad                      string
	outPad                       []int64
	bias                         bool
}

func randomConv(rank int) convCase {
	r := caseSource
	k := convCase{groups: between(r, 1, 3), batch: between(r, 1, 2), bias: r.IntN(2) == 0}
	k.cin, k.cout = k.groups*between(r, 1, 2), k.groups*between(r, 1, 2)
	k.autoPad = []string{"", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"}[r.IntN(5)]
	k.pads = make([]int64, 2*rank)
	for a := range rank {
		k.kernel = append(k.kernel, between(r, 1, 3))
		k.dilates = append(k.dilates, between(r, 1, 2))
		k.strides = append(k.strides, between(r, 1, 3))
		reach := (k.kernel[a]-1)*k.dilates[a] + 1
		k.in = append(k.in, between(r, int(reach), int(reach)+5))
		k.outPad = append(k.outPad, between(r, 0, int(k.strides[a])-1))
		if k.autoPad == "" || k.autoPad == "NOTSET" {
			k.pads[a], k.pads[rank+a] = between(r, 0, 2), between(r, 0, 2)
		}
	}
	return k
}

var caseSource = seeded()

func (k convCase) attrs() attributes {
	as := attributes{"strides": k.strides, "dilations": k.dilates, "group": k.groups, "kernel_shape": k.kernel}
	if k.autoPad != "" {
		as["auto_pad"] = k.autoPad
	}
	if k.autoPad == "" || k.autoPad == "NOTSET" {
		as["pads"] = k.pads
	}
	return as
}

// values makes the tensor of extents a, b, then rest.
func values(a, b int64, rest []int64) *Value {
	return &Value{Kind: f32().Kind, DType: f32().DType, Ranked: true, Shape: append(Consts(a, b), Consts(rest...)...)}
}

// begins returns where the first window starts along every axis, and the extent of the padded input, as the text of
// the standard says for auto_pad.
func (k convCase) padded() (first, end []int64) {
	for a := range k.in {
		reach := (k.kernel[a]-1)*k.dilates[a] + 1
		begin, after := k.pads[a], k.pads[len(k.in)+a]
		if k.autoPad == "SAME_UPPER" || k.autoPad == "SAME_LOWER" {
			out := (k.in[a] + k.strides[a] - 1) / k.strides[a]
			total := max((out-1)*k.strides[a]+reach-k.in[a], 0)
			begin, after = total/2, total-total/2
			if k.autoPad == "SAME_LOWER" {
				begin, after = after, begin
			}
		}
		first, end = append(first, -begin), append(end, k.in[a]+after)
	}
	return first, end
}

// walk visits every index below extents.
func walk(extents []int64, visit func(idx []int64)) {
	idx := make([]int64, len(extents))
	n := int64(1)
	for _, e := range extents {
		n *= e
	}
	for range n {
		visit(idx)
		advance(idx, extents)
	}
}

// oracle slides the window over the padded input, counts the positions along each axis and every product of the loops.
func (k convCase) oracle() (out []int64, macs int64) {
	first, end := k.padded()
	for a := range k.in {
		n := int64(0)
		for at := first[a]; at+(k.kernel[a]-1)*k.dilates[a] < end[a]; at += k.strides[a] {
			n++
		}
		out = append(out, n)
	}
	for range k.batch {
		for range k.cout {
			walk(out, func([]int64) {
				for range k.cin / k.groups {
					walk(k.kernel, func([]int64) { macs++ })
				}
			})
		}
	}
	return out, macs
}

func TestConvAgainstLoops(t *testing.T) {
	for i := range 300 {
		k := randomConv(1 + i%3)
		out, macs := k.oracle()
		in := []*Value{values(k.batch, k.cin, k.in), values(k.cout, k.cin/k.groups, k.kernel)}
		if k.bias {
			in = append(in, f32(k.cout))
		}
		name := fmt.Sprintf("case %d %+v", i, k)
		c, w := apply(t, "Conv", latest, 1, k.attrs(), in...)
		want := values(k.batch, k.cout, out)
		if !c.Out[0].Shape.Equal(want.Shape) {
			t.Errorf("%s: got %v, want %v", name, c.Out[0], want)
		}
		wantConst(t, name+": MACs", w.MACs, macs)
		if elems, _ := want.Elements(); k.bias && !w.Vector.Equal(elems) || !k.bias && !w.Vector.Is(0) {
			t.Errorf("%s: got %v vector operations for the bias", name, w.Vector)
		}
		ct := w.Contraction[0]
		wantConst(t, name+": K", ct.K, k.cin/k.groups*dimProd(k.kernel))
		wantConst(t, name+": M", ct.M, k.batch*dimProd(out))
	}
}

func dimProd(xs []int64) int64 {
	p := int64(1)
	for _, x := range xs {
		p *= x
	}
	return p
}

// TestConvTransposeAgainstScatter scatters every input position through the kernel and takes the touched extent.
func TestConvTransposeAgainstScatter(t *testing.T) {
	for i := range 300 {
		k := randomConv(1 + i%3)
		same := k.autoPad == "SAME_UPPER" || k.autoPad == "SAME_LOWER"
		out := make([]int64, len(k.in))
		for a := range k.in {
			last := int64(-1)
			for p := range k.in[a] {
				for q := range k.kernel[a] {
					last = max(last, p*k.strides[a]+q*k.dilates[a])
				}
			}
			out[a] = last + 1 + k.outPad[a]
			if same { // cropped to in·stride where it is larger
				out[a] = min(out[a], k.in[a]*k.strides[a])
			} else {
				out[a] -= k.pads[a] + k.pads[len(k.in)+a]
			}
			if out[a] < 0 {
				out = nil
				break
			}
		}
		if out == nil {
			continue
		}
		macs := int64(0)
		for range k.batch * k.groups {
			for range k.cin / k.groups {
				walk(k.in, func([]int64) {
					for range k.cout / k.groups {
						walk(k.kernel, func([]int64) { macs++ })
					}
				})
			}
		}
		as := k.attrs()
		as["output_padding"] = k.outPad
		name := fmt.Sprintf("case %d %+v", i, k)
		c, w := apply(t, "ConvTranspose", latest, 1, as, values(k.batch, k.cin, k.in), values(k.cin, k.cout/k.groups, k.kernel))
		if want := values(k.batch, k.cout, out); !c.Out[0].Shape.Equal(want.Shape) {
			t.Errorf("%s: got %v, want %v", name, c.Out[0], want)
		}
		wantConst(t, name+": MACs", w.MACs, macs)
	}
}

func TestConvSymbolic(t *testing.T) {
	tests := []struct {
		name string
		op   string
		in   []*Value
		as   attributes
		out  string
		macs string
	}{
		{"batch", "Conv", []*Value{f32("batch", 3, 224, 224), f32(64, 3, 7, 7), f32(64)},
			attributes{"strides": []int64{2, 2}, "pads": []int64{3, 3, 3, 3}}, "float32[batch,64,112,112]", "118013952*batch"},
		{"spatial", "Conv", []*Value{f32(1, 8, "h", "w"), f32(4, 8, 3, 3)},
			attributes{"strides": []int64{2, 1}, "pads": []int64{1, 1, 1, 1}}, "float32[1,4,floor((h + 1)/2),w]", "288*w*floor((h + 1)/2)"},
		{"same", "Conv", []*Value{f32(1, 1, "t"), f32(2, 1, 5)},
			attributes{"strides": []int64{3}, "auto_pad": "SAME_LOWER"}, "float32[1,2,floor((t + 2)/3)]", "10*floor((t + 2)/3)"},
		{"depthwise", "Conv", []*Value{f32("n", 32, 10, 10), f32(32, 1, 3, 3)},
			attributes{"group": 32}, "float32[n,32,8,8]", "18432*n"},
		{"unknown input", "Conv", []*Value{unranked(), f32(32, 1, 3)}, nil, "float32[batch_1,32,spatial_0_2]", "96*batch_1*spatial_0_2"},
		{"unknown weights", "Conv", []*Value{f32(2, 6, 10), unranked()}, attributes{"kernel_shape": []int64{3}, "group": 2},
			"float32[2,channels_1,8]", "288*floor(channels_1/2)"},
		{"nothing known", "Conv", []*Value{unranked(), unranked()}, nil, "float32[?]", "0"},
		{"transposed", "ConvTranspose", []*Value{f32("n", 16, "h", "w"), f32(16, 4, 2, 2)},
			attributes{"strides": []int64{2, 2}}, "float32[n,4,2*h,2*w]", "256*h*n*w"},
		{"transposed, output shape", "ConvTranspose", []*Value{f32(1, 1, 3, 3), f32(1, 2, 3, 3)},
			attributes{"strides": []int64{3, 2}, "output_shape": []int64{10, 8}}, "float32[1,2,10,8]", "162"},
		{"transposed, whole output shape", "ConvTranspose", []*Value{f32(1, 1, 3, 3), f32(1, 2, 3, 3)},
			attributes{"strides": []int64{3, 2}, "output_shape": []int64{1, 2, 10, 8}}, "float32[1,2,10,8]", "162"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, w := apply(t, tt.op, 11, 1, tt.as, tt.in...)
			if got := types(c); got != tt.out {
				t.Errorf("got %s, want %s", got, tt.out)
			}
			if got := w.MACs.String(); got != tt.macs {
				t.Errorf("MACs: got %s, want %s", got, tt.macs)
			}
		})
	}
}

func TestConvErrors(t *testing.T) {
	img := func() *Value { return f32(1, 3, 8, 8) }
	tests := []struct {
		op   string
		in   []*Value
		as   attributes
		want string
	}{
		{"Conv", []*Value{img()}, nil, "input 1 is absent, want one"},
		{"Conv", []*Value{img(), f32(4, 3, 3)}, nil, "input 1 has rank 3, want 4"},
		{"Conv", []*Value{f32(1, 3), f32(4, 3, 3)}, nil, "input 0 has rank 2, want at least 3"},
		{"Conv", []*Value{img(), f32(4, 2, 3, 3)}, nil, "input 0 has 3 channels, want 2 (2 for each of 1 groups)"},
		{"Conv", []*Value{img(), f32(4, 1, 3, 3)}, attributes{"group": 3}, "input 1 has 4 output channels, want a multiple of the group count 3"},
		{"Conv", []*Value{img(), f32(4, 3, 3, 3)}, attributes{"group": 0}, "attribute group is 0, want at least 1"},
		{"Conv", []*Value{img(), f32(4, 3, 3, 3), f32(5)}, nil, "input 2 has 5 elements, want 4"},
		{"Conv", []*Value{img(), f32(4, 3, 3, 3)}, attributes{"kernel_shape": []int64{3, 5}},
			"attribute kernel_shape is 5 at place 1, but input 1 has extent 3 there"},
		{"Conv", []*Value{img(), f32(4, 3, 3, 3)}, attributes{"strides": []int64{2}}, "attribute strides has 1 entries, want 2"},
		{"Conv", []*Value{img(), f32(4, 3, 3, 3)}, attributes{"strides": []int64{2, 0}},
			"attribute strides has 0 at place 1, want 1 to 2147483648"},
		{"Conv", []*Value{img(), f32(4, 3, 3, 3)}, attributes{"auto_pad": "FULL"},
			`attribute auto_pad is "FULL", want NOTSET, SAME_UPPER, SAME_LOWER or VALID`},
		{"Conv", []*Value{img(), f32(4, 3, 9, 3)}, nil, "spatial axis 0: the window covers 9, the padded input only 8"},
		{"Conv", []*Value{img(), f32(4, 3, 3, 0)}, nil, "kernel has extent 0 at spatial axis 1, want at least 1"},
		{"ConvTranspose", []*Value{img(), f32(4, 2, 3, 3)}, nil, "input 0 has 3 channels, want 4"},
		{"ConvTranspose", []*Value{img(), f32(3, 2, 3, 3)}, attributes{"group": 2}, "input 1 has 3 input channels, want a multiple of the group count 2"},
		{"ConvTranspose", []*Value{img(), f32(3, 2, 3, 3)}, attributes{"pads": []int64{9, 0, 9, 0}}, "spatial axis 0: padding leaves an output of extent -8"},
		{"ConvTranspose", []*Value{img(), f32(3, 2, 3, 3)}, attributes{"output_shape": []int64{4}}, "attribute output_shape has 1 entries, want 2"},
	}
	for _, tt := range tests {
		if got := applyError(t, tt.op, latest, 1, tt.as, tt.in...); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.op, got, tt.want)
		}
	}
}

// TestWindowCeil compares the closed form of ceil_mode with the loop of its definition: windows start while they start
// inside the input or its front padding, and one that hangs over the end is kept.
func TestWindowCeil(t *testing.T) {
	r := seeded()
	for range 2000 {
		k := between(r, 1, 4)
		w := window{kernel: []dim.Dim{dim.Const(k)}, strides: []int64{between(r, 1, 4)}, dilations: []int64{between(r, 1, 2)},
			begin: []int64{between(r, 0, int(k)-1)}, end: []int64{between(r, 0, int(k)-1)}, ceil: true}
		reach := (k-1)*w.dilations[0] + 1
		in := between(r, int(reach), 12)
		want := int64(0)
		for at := -w.begin[0]; at < in; at += w.strides[0] {
			want++
			if at+reach >= in+w.end[0] { // this window reaches the end of the padded input
				break
			}
		}
		got, err := w.extent(0, dim.Const(in))
		if err != nil || !got.Is(want) {
			t.Fatalf("%+v over %d: got %v %v, want %d", w, in, got, err, want)
		}
	}
}
