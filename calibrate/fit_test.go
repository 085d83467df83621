package calibrate

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/costmodel/form"
	"github.com/onnxcost/onnxcost/specs"
)

// TestRobustNNLSIgnoresOutliers has one observation in ten off by a factor of three.
func TestRobustNNLSIgnoresOutliers(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	const rows = 100
	want := []float64{2e-6, 3e-9}
	a, b := mat.NewDense(rows, 2, nil), make([]float64, rows)
	for i := range rows {
		a.Set(i, 0, 1)
		a.Set(i, 1, math.Exp(12*r.Float64()))
		b[i] = (want[0] + want[1]*a.At(i, 1)) * (1 + 0.01*r.NormFloat64())
		if i%10 == 0 {
			b[i] *= 3
		}
	}
	x, residuals, weights, err := robustNNLS(a, b, nil, nil, 0.01)
	if err != nil {
		t.Fatal(err)
	}
	se := standardErrors(a, b, x, residuals, weights)
	for j := range want {
		if math.Abs(x[j]/want[j]-1) > 0.02 {
			t.Errorf("coefficient %d: got %g, want %g", j, x[j], want[j])
		}
		if se[j] <= 0 || se[j] > 0.2*x[j] {
			t.Errorf("coefficient %d: standard error %g of %g", j, se[j], x[j])
		}
	}
}

// invented gives samples that a known machine would have given: every term costs what coefficient says, and rounds
// differ by noise.
func invented(t *testing.T, coefficient func(group, name string) float64, noise float64, seed uint64) *Samples {
	t.Helper()
	s := &Samples{Config: []Param{{"cpu", "Invented"}, {"vendor", "None"}, {"os", "linux/amd64"}, {"cores", "2"}, {"memory-bytes", "8589934592"},
		{"cache-l2-bytes", "1048576"}, {"cache-l3-bytes", "33554432"}, {"cache-l3-shared", "2"}, {"seed", "1"}, {"date", "2026-01-02"},
		{"onnxruntime", "1.30.0"}, {"provider", "cpu"}, {"anchor-spread", "0.02"}}}
	r := rand.New(rand.NewPCG(seed, 5))
	cache := cacheSizes(s)
	for _, b := range Sweep(1, 0.7) {
		m, err := b.Model()
		if err != nil {
			t.Fatal(err)
		}
		report, err := analyzeMicro(context.Background(), m)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := costmodel.Lower(report, costmodel.ORTCPU, avx512)
		if err != nil {
			t.Fatal(err)
		}
		terms, err := form.ORTTerms(plan, report.Dims, cache, 1)
		if err != nil {
			t.Fatal(err)
		}
		sec := coefficient(form.RunGroup, "runs")
		for i, list := range terms {
			times, err := plan.Kernels[i].Times.Eval(report.Dims)
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range list {
				if x.Value < 0 || math.IsNaN(x.Value) || math.IsInf(x.Value, 0) {
					t.Fatalf("%s: term %s.%s is %g", b.Sample().Name(), x.Group, x.Name, x.Value)
				}
				sec += float64(times) * x.Value * coefficient(x.Group, x.Name)
			}
		}
		for range 3 {
			x := b.Sample()
			x.Params = append(slices.Clone(x.Params), Param{"threads", "1"})
			x.Runs, x.Values = 10, []Value{{sec * math.Exp(noise*r.NormFloat64()), UnitSeconds}}
			s.Samples = append(s.Samples, x)
		}
	}
	return s
}

// usual is a machine whose every term costs about what terms of that sort cost.
func usual(group, name string) float64 {
	switch {
	case group == form.RunGroup:
		return 3e-6
	case group == form.NodeGroup:
		return 3e-7
	case group == form.TrafficGroup:
		return 5e-11
	case name == "calls":
		return 2e-7
	case strings.Contains(name, "macs"):
		return 1.5e-11
	}
	return 5e-11
}

// TestFitRecoversAMachine fits samples of an invented machine and predicts a network that is in no sample.
func TestFitRecoversAMachine(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := invented(t, usual, 0.01, 1)
	d, err := ProfileORT(ctx, s, "invented")
	if err != nil {
		t.Fatal(err)
	}
	f := &d.Fits[0]
	if f.Score.MAPE > 0.03 || f.Samples.Count < minFitPoints || f.Samples.Digest != s.Digest() || f.Conditions.Seed != 1 {
		t.Errorf("score %+v, samples %+v, conditions %+v", f.Score, f.Samples, f.Conditions)
	}
	for name, g := range f.Groups {
		for term, c := range g.Terms {
			if c.Value < 0 || math.IsNaN(c.SE) {
				t.Errorf("%s.%s is %+v", name, term, c)
			}
		}
	}
	data, err := specs.MarshalDevice(d)
	if err != nil {
		t.Fatal(err)
	}
	back, err := specs.ParseDevice(data, "invented.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"segmenter", "encoder2", "lstm-small", "mlp-wide"} {
		m := otherNetworks[name]()
		r, err := analyzer.Analyze(ctx, m, analyzer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		p, err := costmodel.Predict(ctx, r, back, costmodel.Options{Runtime: costmodel.ORTCPU, Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		terms, err := form.ORTTerms(mustLower(t, r, avx512), r.Dims, cacheSizes(s), 1)
		if err != nil {
			t.Fatal(err)
		}
		want := usual(form.RunGroup, "runs")
		for _, list := range terms {
			for _, x := range list {
				want += x.Value * usual(x.Group, x.Name)
			}
		}
		if e := math.Abs(p.LatencyS/want - 1); e > 0.1 {
			t.Errorf("%s: predicted %g s, the invented machine takes %g", name, p.LatencyS, want)
		}
		if p.LatencyLowS >= p.LatencyS || p.LatencyHighS <= p.LatencyS || p.Provenance != specs.Calibrated {
			t.Errorf("%s: interval %g to %g around %g, provenance %s", name, p.LatencyLowS, p.LatencyHighS, p.LatencyS, p.Provenance)
		}
	}
}

// planOf is the plan of a model on a processor.
func planOf(t *testing.T, m *onnx.Model, cpu *specs.Processor) *costmodel.Plan {
	t.Helper()
	r, err := analyzeMicro(context.Background(), m)
	if err != nil {
		t.Fatal(err)
	}
	return mustLower(t, r, cpu)
}

// avx512 is the processor of the recording.
var avx512 = &specs.Processor{Features: []specs.Feature{specs.AVX, specs.AVX2, specs.FMA, specs.AVX512F}}

func mustLower(t *testing.T, r *analyzer.Report, cpu *specs.Processor) *costmodel.Plan {
	t.Helper()
	p, err := costmodel.Lower(r, costmodel.ORTCPU, cpu)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestFitRefuses(t *testing.T) {
	few := &Samples{Config: []Param{{"cores", "2"}}, Samples: []Sample{{"ORT", "chainunary", []Param{{"depth", "4"}, {"threads", "1"}}, 3, []Value{{1e-6, UnitSeconds}}}}}
	if _, err := ProfileORT(context.Background(), few, "x"); err == nil || !strings.Contains(err.Error(), fmt.Sprint("want at least ", minFitPoints)) {
		t.Errorf("one sample: got %v", err)
	}
	few.Samples[0].Params = few.Samples[0].Params[:1]
	if _, err := ortPoints(few); err == nil {
		t.Error("a sample without threads was taken")
	}
	few.Samples[0].Backend = "CUDA"
	if _, err := ProfileORT(context.Background(), few, "x"); err == nil {
		t.Error("samples of another backend were taken")
	}
}

func TestValidate(t *testing.T) {
	v, err := Validate([]Row{
		{Measured: 1, Predicted: 1.05, Low: 0.9, High: 1.2, Ops: 2, Roofline: 0.5},
		{Measured: 2, Predicted: 1.5, Low: 1.4, High: 1.9, Ops: 2, Roofline: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		got, want float64
	}{{"MAPE", v.MAPE, 0.15}, {"within 10 %", v.Within10, 0.5}, {"Spearman", v.Spearman, 1}, {"coverage", v.Coverage, 0.5},
		{"ops", v.OpsMAPE, 0.5}, {"roofline", v.RooflineMAPE, 0.5}} {
		if math.Abs(c.got-c.want) > 1e-12 {
			t.Errorf("%s: got %g, want %g", c.name, c.got, c.want)
		}
	}
	if _, err := Validate(nil); err == nil {
		t.Error("no rows were judged")
	}
	if _, err := Validate([]Row{{Measured: 0, Predicted: 1}}); err == nil {
		t.Error("a measurement of 0 s was taken")
	}
}
