package calibrate

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/costmodel/form"
)

// TestSweepModels analyses every model of three sweeps: the graphs make sense to the analyzer, whose shapes agree with
// the declared output of one element, and names give the same models back.
func TestSweepModels(t *testing.T) {
	perClass := map[string]int{}
	for seed := uint64(1); seed <= 3; seed++ {
		for _, b := range Sweep(seed, 0.1) {
			perClass[b.Class]++
			m, err := b.Model()
			if err != nil {
				t.Fatalf("%s: %v", b.Sample().Name(), err)
			}
			r, err := analyzeMicro(context.Background(), m)
			if err != nil {
				t.Fatalf("%s: %v", b.Sample().Name(), err)
			}
			r.Diagnostics = slices.DeleteFunc(r.Diagnostics, func(d analyzer.Diagnostic) bool {
				return b.Class == "nonmaxsuppression" && d.Code == "free-dim" || b.Class == "ifoverhead" && d.Code == "branch"
			})
			if r.LowerBound() || len(r.Diagnostics) > 0 {
				t.Errorf("%s: %v", b.Sample().Name(), r.Diagnostics)
			}
			if n, _ := r.Outputs[0].Elements(); !n.Is(1) || len(r.Outputs) != 1 {
				t.Errorf("%s: output of %s elements, want 1", b.Sample().Name(), n)
			}
		}
	}
	for _, c := range microClasses {
		if perClass[c.name] < 15 {
			t.Errorf("class %s: %d points in three sweeps, want at least 15", c.name, perClass[c.name])
		}
	}
}

// unmeasured are the groups of the unseen networks that no class has. The list may only shrink.
var unmeasured = map[string]bool{"PRelu_scalar": true, "ReorderOutput_nhwc": true}

// TestClassesMeasureGroups: whatever a kernel of the unseen networks is counted as, some microbenchmark runs, except for
// what unmeasured names.
func TestClassesMeasureGroups(t *testing.T) {
	groups := func(p *costmodel.Plan) map[string]bool {
		terms, err := form.ORTTerms(p, p.Report.Dims, form.ORTCache{}, 1)
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]bool{}
		for _, list := range terms {
			for _, x := range list {
				out[x.Group] = true
			}
		}
		return out
	}
	measured := map[string]bool{}
	for _, b := range Sweep(1, 0.5) {
		m, err := b.Model()
		if err != nil {
			t.Fatal(err)
		}
		maps.Copy(measured, groups(planOf(t, m, avx512)))
	}
	met := map[string]bool{}
	for name, n := range unseenNetworks {
		for g := range groups(planOf(t, n.build(), avx512)) {
			if met[g] = true; !measured[g] && !unmeasured[g] {
				t.Errorf("%s: no class has the group %s", name, g)
			}
		}
	}
	for g := range unmeasured {
		if !met[g] || measured[g] {
			t.Errorf("group %s: met by an unseen network %v, measured by a class %v, want true and false", g, met[g], measured[g])
		}
	}
}

func TestMicroIsDeterministic(t *testing.T) {
	if d := cmp.Diff(Sweep(7, 0.3), Sweep(7, 0.3)); d != "" {
		t.Errorf("the same seed gave two sweeps:\n%s", d)
	}
	if cmp.Equal(Sweep(7, 0.3), Sweep(8, 0.3)) {
		t.Error("two seeds gave the same sweep")
	}
	b := Micro{"gemm", []Param{{"m", "4"}, {"k", "600"}, {"n", "700"}, {"t", "1"}, {"act", "1"}, {"depth", "2"}, {"threads", "3"}}}
	var files [2]bytes.Buffer
	for i := range files {
		m, err := b.Model()
		if err != nil {
			t.Fatal(err)
		}
		if err := onnx.Encode(&files[i], m); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(files[0].Bytes(), files[1].Bytes()) {
		t.Error("the same parameters gave two files")
	}
}

func TestMicroRefusesNames(t *testing.T) {
	gemm := func(m, k, n string) []Param {
		return []Param{{"m", m}, {"k", k}, {"n", n}, {"t", "0"}, {"act", "0"}, {"depth", "1"}}
	}
	for _, b := range []Micro{
		{"nothing", nil},
		{"gemm", gemm("4", "600", "x")},
		{"gemm", gemm("-4", "600", "700")},
		{"gemm", gemm("4", "4194304", "4194304")},
		{"gemm", gemm("4", "600", "99999999")},
		{"gemm", gemm("4", "600", "700")[:5]},
		{"chainunary", []Param{{"depth", "100000"}}},
		{"conv3x3", nil},
	} {
		if _, err := b.Model(); err == nil {
			t.Errorf("%v: got a model, want an error", b)
		}
	}
}

// TestMicroOfEarlierSamples: names of samples from before a class had a parameter still stand for a model.
func TestMicroOfEarlierSamples(t *testing.T) {
	m, err := Micro{"resizenearest", []Param{{"c", "12"}, {"h", "25"}, {"w", "25"}, {"mode", "2"}}}.Model()
	if err != nil {
		t.Fatal(err)
	}
	scales, err := m.Graph.Initializers[0].Float64s()
	if want := []float64{1, 1, 2, 2}; err != nil || !slices.Equal(scales, want) {
		t.Errorf("scales %v (%v), want %v", scales, err, want)
	}
}
