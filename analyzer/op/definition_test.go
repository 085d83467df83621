package op

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// deformable is a deformable convolution as the documentation shows it.
var deformable = Definition{
	Domain: "my.company", Op: "DeformConv2d", Doc: "a deformable convolution",
	Inputs: []DefinedInput{
		{Name: "x", Shape: []string{"N", "C", "H", "W"}},
		{Name: "offset", Shape: []string{"N", "2*deform_groups*KH*KW", "OH", "OW"}},
		{Name: "weight", Shape: []string{"M", "C//groups", "KH", "KW"}},
		{Name: "bias", Shape: []string{"M"}, Optional: true},
	},
	Attributes: []DefinedAttribute{
		{Name: "stride", Default: []float64{1, 1}}, {Name: "pad", Default: []float64{0, 0}}, {Name: "dilation", Default: []float64{1, 1}},
		{Name: "groups", Default: []float64{1}}, {Name: "deform_groups", Default: []float64{1}},
	},
	Let: []DefinedSize{
		{Name: "OH", Is: "floor((H + 2*pad.0 - dilation.0*(KH - 1) - 1)/stride.0) + 1"},
		{Name: "OW", Is: "floor((W + 2*pad.1 - dilation.1*(KW - 1) - 1)/stride.1) + 1"},
		{Name: "taps", Is: "N*C*KH*KW*OH*OW"},
	},
	Outputs: []DefinedOutput{{Type: "x", Shape: []string{"N", "M", "OH", "OW"}}},
	Products: []DefinedProduct{{Kind: ConvKind, M: "N*OH*OW", N: "M//groups", K: "C//groups*KH*KW", Groups: "groups", Weight: "weight",
		Window: []string{"KH", "KW"}, Strides: []string{"stride.0", "stride.1"}}},
	Vector: "8*taps + bias.given*N*M*OH*OW",
}

// TestDefinition compares a definition of a deformable convolution with the standard's own rule.
func TestDefinition(t *testing.T) {
	r, errs := deformable.Compile()
	if errs != nil {
		t.Fatal(errs)
	}
	in := []*Value{f32("n", 8, "h", 20), f32("n", 18, dim.Symbol("h").AddInt(1).FloorDiv(dim.Const(2)), 10), weight(f32(16, 4, 3, 3)), weight(f32(16))}
	as := attributes{"stride": []int64{2, 2}, "pad": []int64{1, 1}, "groups": 2}
	c, _ := newCall("my.company.DeformConv2d", 1, 1, as, in...)
	if err := r.Shape(c); err != nil {
		t.Fatal(err)
	}
	w := checkedWork(t, "DeformConv2d", r.Work(c))
	standard, sw := apply(t, "DeformConv", latest, 1, attributes{"strides": []int64{2, 2}, "pads": []int64{1, 1, 1, 1}, "group": 2},
		in[0], in[2], in[1], in[3])
	if got, want := types(c), types(standard); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if !w.MACs.Equal(sw.MACs) {
		t.Errorf("MACs: got %v, want %v", w.MACs, sw.MACs)
	}
	for _, k := range []struct {
		as   attributes
		in   []*Value
		want string
	}{
		{as, []*Value{f32(1, 8, 20), in[1], in[2]}, "input 0 (x) has rank 3, want 4"},
		{as, []*Value{in[0], f32("n", 17, "oh", 10), in[2]}, "input 1 (offset): axis 1: extent 17, want 18"},
		{attributes{"stride": []int64{2}}, in, "attribute stride has 1 entries, want at least 2"},
		{attributes{"stride": []int64{0, 0}}, in, "let[0].is: formula"},
	} {
		c, _ := newCall("my.company.DeformConv2d", 1, 1, k.as, k.in...)
		err := r.Shape(c)
		if err == nil || !strings.Contains(err.Error(), k.want) {
			t.Errorf("got error %v, want %q", err, k.want)
		}
	}
	c, _ = newCall("my.company.DeformConv2d", 1, 1, as, unranked(), unranked(), unranked())
	if err := r.Shape(c); err != nil {
		t.Fatal(err)
	}
	if got := c.Out[0].Shape; len(got) != 4 || !strings.HasPrefix(got[0].String(), "N_") || !strings.HasPrefix(got[1].String(), "M_") {
		t.Errorf("of unknown ranks: got %v, want symbols of the names", got)
	}
}

// TestDefinitionNames evaluates every kind of name.
func TestDefinitionNames(t *testing.T) {
	d := Definition{Op: "Any", Inputs: []DefinedInput{{Name: "x", Shape: []string{"B", "...", "C"}}, {Name: "size", Values: true, Optional: true},
		{Name: "more", Shape: []string{"..."}, Variadic: true, Optional: true}},
		Attributes: []DefinedAttribute{{Name: "scale", Default: []float64{1.5}}, {Name: "mode", Default: []float64{1}, Words: map[string]int64{"none": 0, "all": 7}},
			{Name: "to", Default: []float64{float64(onnx.Float16)}}},
		Let: []DefinedSize{{Name: "kept", AtMost: "B*C"}},
		Outputs: []DefinedOutput{{Type: "to", Shape: []string{"B", "...", "floor(C*scale)"}}, {Like: "x", Type: "int64"}, {Type: "float32", Shape: []string{"kept", "size.value", "size.value.1"}},
			{Type: "x", Shape: []string{"x.elements", "x.bytes", "x.rank", "x.1", "size.given", "more.count", "more.elements", "mode", "scale.count"}}}}
	r, errs := d.Compile()
	if errs != nil {
		t.Fatal(errs)
	}
	for _, k := range []struct {
		as   attributes
		in   []*Value
		want string
	}{
		{nil, in(f32("b", 2, 3, 5)), "float16[b,2,3,7] int64[b,2,3,5] float32[kept_1,0,0] float32[30*b,120*b,4,2,0,0,0,1,1]"},
		{attributes{"scale": 0.1, "mode": "all", "to": 1}, in(f32("b", 20), known(3, 4), f32(), f32()), "float32[b,2] int64[b,20] float32[kept_1,3,4] float32[20*b,80*b,2,20,1,2,2,7,1]"},
		{attributes{"scale": 3.0, "mode": "none"}, in(f32(2, 4), tensorOf(onnx.Int64, 2)), "float16[2,12] int64[2,4] float32[kept_1,size_value_0_2,size_value_1_3] float32[8,32,2,4,1,0,0,0,1]"},
	} {
		c, _ := newCall("Any", 1, 4, k.as, k.in...)
		if err := r.Shape(c); err != nil {
			t.Errorf("%v: %v", k.want, err)
			continue
		}
		if got := types(c); got != k.want {
			t.Errorf("got  %s\nwant %s", got, k.want)
		}
	}
	c, _ := newCall("Any", 1, 1, attributes{"mode": "some"}, f32(1, 2))
	if err := r.Shape(c); err != nil {
		t.Errorf("an unused attribute with a word that it does not know: %v", err)
	}
	c, _ = newCall("Any", 1, 4, attributes{"mode": "some"}, f32(1, 2))
	if err := r.Shape(c); err == nil || !strings.Contains(err.Error(), `attribute mode is "some"`) {
		t.Errorf("got error %v, want the word that has no number", err)
	}
}

// TestDefinitionFaults: every fault is named with its place.
func TestDefinitionFaults(t *testing.T) {
	d := Definition{
		Since:      -1,
		Inputs:     []DefinedInput{{Name: "x.y"}, {Name: "x", Shape: []string{"N", "..."}, Variadic: true}, {Name: "x", Shape: []string{"floor", "M + +", "...", "..."}}},
		Attributes: []DefinedAttribute{{Name: "N"}, {Name: "x"}},
		Let:        []DefinedSize{{Name: "A", Is: "B + 1", AtMost: "2"}},
		Outputs:    []DefinedOutput{{}, {Like: "z"}, {Type: "float33", Shape: []string{"N", "Q"}}},
		Products:   []DefinedProduct{{M: "1", N: "1", Weight: "w"}},
		Vector:     "1 +",
	}
	_, errs := d.Compile()
	var got string
	for _, e := range errs {
		got += e.Error() + "\n"
	}
	for _, want := range []string{"op: want the operator's name", "since: want", `inputs[0].name: want a name`, "inputs[1].variadic: input x is not the last",
		"inputs[2].name: x is the name of an input already", "inputs[2].shape[1]: unknown name M", "attributes[1].name: x is the name", "let[0].is: unknown name B", "let[0].at_most: stands beside is",
		`inputs[2].shape[3]: a second "..."`, "outputs[0]: want like or shape", `outputs[1].like: no input "z"; want one of`,
		`outputs[2].type: want an element type`, "outputs[2].shape[1]: unknown name Q", "macs[0].k: want a formula", `macs[0].weight: no input "w"`, "vector: want an integer"} {
		if !strings.Contains(got, want) {
			t.Errorf("no fault %q in\n%s", want, got)
		}
	}
}

// TestDefinitionsNeverPanic gives every definition inputs of the ranks that it takes, with sizes and attributes of all kinds:
// what it accepts has known sizes of at least 0 and a work without overflow, or none.
func TestDefinitionsNeverPanic(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 18))
	sizes := []any{0, 1, 2, 3, 4, 7, 64, "p", "q", 1 << 40}
	numbers := []int64{-3, -1, 0, 1, 2, 3, 7, math.MaxInt64, math.MinInt64}
	accepted := 0
	for _, r := range Rules() {
		if r.defined == nil {
			continue
		}
		for range 150 {
			as := attributes{}
			for _, a := range r.defined.Attributes {
				pick := func() int64 { return numbers[rng.IntN(len(numbers))] }
				switch rng.IntN(6) {
				case 0:
					as[a.Name] = []int64{pick(), pick()}
				case 1:
					as[a.Name] = pick()
				case 2:
					as[a.Name] = []float64{0.5, 1.5, 1e30, math.Inf(1), math.NaN(), -2}[rng.IntN(6)]
				case 3:
					as[a.Name] = int64(1 + rng.IntN(4))
				}
			}
			var in []*Value
			for _, d := range r.defined.Inputs {
				if d.Optional && rng.IntN(2) == 0 {
					in = append(in, nil)
					continue
				}
				var dims []any
				for _, p := range d.Shape {
					for range 1 + rng.IntN(2)*len(strings.Trim(p, "_ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")) {
						dims = append(dims, sizes[rng.IntN(len(sizes))])
						if p != "..." {
							break
						}
					}
				}
				v := f32(dims...)
				switch rng.IntN(8) {
				case 0:
					v = unranked()
				case 1:
					v = known(numbers[rng.IntN(len(numbers))], 3)
				}
				in = append(in, v)
			}
			c, _ := newCall(r.Domain+"."+r.Op, r.Since, 1+rng.IntN(4), as, in...)
			if err := r.Shape(c); err != nil {
				continue
			}
			accepted++
			if slices.ContainsFunc(in, func(v *Value) bool { return v != nil && !v.Ranked }) {
				continue
			}
			r.Work(c)
			for i, o := range c.Out[:min(len(c.Out), len(r.defined.Outputs))] {
				for _, d := range o.Shape {
					if n, ok := d.Value(); ok && n < 0 {
						t.Errorf("%s: output %d is %v\n%s", r.Op, i, o, describeCall(c))
					}
				}
			}
		}
	}
	if accepted < 2000 {
		t.Errorf("%d of all calls accepted, want a test that gets somewhere", accepted)
	}
}
