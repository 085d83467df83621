package calibrate

import (
	"bytes"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/zoo"
	"github.com/onnxcost/onnxcost/calibrate/cuda"
	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/costmodel/form"
	"github.com/onnxcost/onnxcost/specs"
)

// TestProfileGPU fits what a fake card's sweep found: the card's own figures come back, shapes that no sweep has seen
// are foretold, and the profile predicts networks.
func TestProfileGPU(t *testing.T) {
	t.Parallel()
	f := newFakeCard(t)
	s, _, err := gatherFake(t, f, 11, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	d, notes, err := ProfileGPU(s, "fake-100")
	if err != nil {
		t.Fatal(err)
	}
	if len(notes) > 0 {
		t.Errorf("notes %q", notes)
	}
	near := func(what string, got, want, tolerance float64) {
		t.Helper()
		if math.Abs(got/want-1) > tolerance {
			t.Errorf("%s: got %.4g, the card has %.4g", what, got, want)
		}
	}
	time := func(p specs.DType) *specs.Fit {
		t.Helper()
		fit := d.FindFit(specs.FitKey{Measure: specs.MeasureTime, Form: form.FormGPU, Precision: p})
		if fit == nil || fit.Precision != p {
			t.Fatalf("no fit of time for %s", p)
		}
		return fit
	}
	memory := time(specs.FP16).Groups["memory"]
	near("DRAM", memory.Term("dram_bytes_per_s"), f.dram, 0.02)
	near("cache", memory.Term("cache_bytes_per_s"), f.cache, 0.06)
	near("usable cache", memory.Term("cache_bytes")/2, f.usable, 0.05)
	near("start", memory.Term("start_s"), f.start, 0.02)
	over := time(specs.FP16).Groups["overhead"]
	near("launch", over.Term("launch_s"), 2.4e-6, 0.02)
	near("gap", over.Term("gap_s"), f.gap, 0.6) // a difference of two noisy durations
	r := rand.New(rand.NewPCG(99, 1))
	for _, dt := range cuda.DTypes(f.info) {
		truth := f.products[dt]
		fit := time(specs.DType(dt))
		g := fit.Groups["product"]
		near(string(dt)+" rate", g.Term("flops_per_s"), truth.rate, 0.05)
		near(string(dt)+" start", g.Term("start_s"), truth.start, 0.05)
		near(string(dt)+" share", g.Term("traffic_share"), truth.share, 0.05)
		if e := g.Score.HeldOutMAPE; !(e > 0 && e < 0.03) {
			t.Errorf("%s: held-out error %.2f %%, want at most 3", dt, 100*e)
		}
		products, err := form.GPUProductsOf(g, float64(f.info.SMs))
		if err != nil {
			t.Fatal(err)
		}
		mem, err := form.GPUMemoryOf(memory)
		if err != nil {
			t.Fatal(err)
		}
		var sum float64
		const shapes = 200
		for i := range shapes {
			x := drawGEMM(r, dt, len(squares)+i, truth.rate*longestRun)
			padded := x
			if dt != cuda.FP32 {
				padded.N, padded.K = (x.N+7)/8*8, (x.K+7)/8*8
			}
			a, b, c := x.Sizes()
			n := float64(a + b + c)
			want := truth.start + math.Max(truth.seconds(padded, 120, f.dram), n/f.dram/truth.share)
			got := products.Seconds(float64(x.Batch), float64(x.M), float64(x.N), float64(x.K), mem.TrafficS(n, false), mem.DRAM)
			sum += math.Abs(got/want-1) / shapes
		}
		if sum > 0.06 {
			t.Errorf("%s: new shapes are %.1f %% off in the mean, want at most 6", dt, 100*sum)
		}
		t.Logf("%s: held out %.2f %%, new shapes %.2f %%, edge %.3g (%.3g), fill %.3g (%.3g), tail %.3g (%.3g), align %g", dt, 100*g.Score.HeldOutMAPE, 100*sum,
			g.Term("edge"), truth.edge, g.Term("fill"), truth.fill, g.Term("tail"), truth.tail, g.Term("align"))
		p := d.FindFit(specs.FitKey{Measure: specs.MeasurePower, Precision: specs.DType(dt)})
		if p == nil || p.Precision != specs.DType(dt) {
			t.Errorf("%s: no fit of power", dt)
			continue
		}
		near(string(dt)+" energy", p.Groups["net"].Term("j_per_op"), f.joulesOp[dt], 0.12)
		near("active", p.Groups["net"].Term("active_w"), f.activeW*2.11/2.81, 0.1) // of short kernels, with pauses between them
		near("energy of a byte", p.Groups["net"].Term("j_per_byte"), f.joulesByte, 0.15)
	}
	near("idle", d.Power.IdleW.Value, f.idleW, 0.025)
	near("limit", d.Power.LimitW.Value, 700, 0)
	checkPredicts(t, d, f)
}

// checkPredicts writes the profile, reads it back and predicts with it.
func checkPredicts(t *testing.T, d *specs.Device, f *fakeCard) {
	data, err := specs.MarshalDevice(d)
	if err != nil {
		t.Fatal(err)
	}
	back, err := specs.ParseDevice(data, "profile")
	if err != nil {
		t.Fatal(err)
	}
	m, err := zoo.Build("resnet50", zoo.None)
	if err != nil {
		t.Fatal(err)
	}
	r, err := analyzer.Analyze(t.Context(), m, analyzer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var last float64
	for _, p := range []specs.DType{specs.FP32, specs.TF32, specs.FP16} {
		got, err := costmodel.Predict(t.Context(), r, back, costmodel.Options{Runtime: costmodel.Eager, Precision: p, Batch: 64})
		if err != nil {
			t.Fatal(err)
		}
		roof := got.Baselines.Roofline.LatencyS
		if got.Provenance != specs.Calibrated || got.PowerProvenance != specs.Calibrated || !(got.LatencyS > roof/2) || got.LatencyS > 100*roof {
			t.Errorf("resnet50 in %s: %g s (%s), roofline %g s", p, got.LatencyS, got.Provenance, roof)
		}
		if !(got.LatencyLowS < got.LatencyS && got.LatencyS < got.LatencyHighS) || !(float64(got.PowerW) > f.idleW) {
			t.Errorf("resnet50 in %s: interval %g to %g around %g s, %g W", p, got.LatencyLowS, got.LatencyHighS, got.LatencyS, float64(got.PowerW))
		}
		if last > 0 && got.LatencyS >= last {
			t.Errorf("resnet50 in %s takes %g s, no less than the wider format's %g s", p, got.LatencyS, last)
		}
		last = got.LatencyS
	}
}

// TestProfileGPUFromFile refits the written samples: the same file gives the same profile.
func TestProfileGPUFromFile(t *testing.T) {
	t.Parallel()
	f := newFakeCard(t)
	s, _, err := gatherFake(t, f, 5, 20*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	s.Set("gpu", "NVIDIA H200") // 120 SMs: a part of one, so no data sheet
	var file bytes.Buffer
	if err := s.Write(&file); err != nil {
		t.Fatal(err)
	}
	var out [2][]byte
	back, err := ReadSamples(bytes.NewReader(file.Bytes()), "samples")
	if err != nil {
		t.Fatal(err)
	}
	for i, from := range []*Samples{back, s} {
		d, _, err := ProfileGPU(from, "part")
		if err != nil {
			t.Fatal(err)
		}
		if out[i], err = specs.MarshalDevice(d); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(out[0], out[1]) {
		t.Error("the profile of a sweep and that of its file differ")
	}
	if !IsGPU(s) || !bytes.Contains(out[0], []byte("fitted rate of an endless product")) {
		t.Error("want a device made of what was measured")
	}
	s.Set("gpu-sms", "132")
	d, _, err := ProfileGPU(s, "whole")
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range []string{"NVIDIA GH200 480GB", "NVIDIA H200 NVL"} {
		s.Set("gpu", other)
		if d, _, err := ProfileGPU(s, "other"); err != nil || d.Architecture == "Hopper GH100" {
			t.Errorf("%s was taken for an H200 (%v)", other, err)
		}
	}
	if d.Architecture != "Hopper GH100" || d.Kind != specs.Calibrated || d.Name != "whole" || d.Peak[specs.FP16].Value != 989.4e12 {
		t.Errorf("a card that is known: got %s, %s, %v", d.Architecture, d.Kind, d.Peak[specs.FP16])
	}
}

func TestProfileGPURefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ file, want string }{
		{"BenchmarkCUDA/class=gemm/dtype=fp16/batch=1/m=8/n=8/k=8 1 1 sec/op\n", "gpu-sms"},
		{"gpu-sms: 4\nBenchmarkCUDA/class=gemm/dtype=fp16/batch=1/m=0/n=8/k=8 1 1 sec/op\n", "m: want a whole number"},
		{"gpu-sms: 4\nBenchmarkCUDA/class=gemm/dtype=fp16/batch=1/m=8/n=8/k=8 1 1 ns/x\n", "want sec/op"},
		{"gpu-sms: 4\nBenchmarkCUDA/class=stream/kind=copy/bytes=x 1 1 sec/op\n", "bytes: want"},
		{"gpu-sms: 4\nBenchmarkCUDA/class=gemm/dtype=fp16/batch=1/m=8/n=8/k=8 1 1 sec/op\n", "0 samples of bandwidth"},
	} {
		s, err := ReadSamples(strings.NewReader(c.file), "f")
		if err != nil {
			t.Fatalf("%q: %v", c.file, err)
		}
		if _, _, err := ProfileGPU(s, "x"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v, want %q", c.file, err, c.want)
		}
	}
}
