package costmodel

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/costmodel/form"
	"github.com/onnxcost/onnxcost/costmodel/plan"
	"github.com/onnxcost/onnxcost/specs"
)

func predict(t testing.TB, r *analyzer.Report, d *specs.Device, o Options) *Prediction {
	t.Helper()
	p, err := Predict(context.Background(), r, d, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestPredictionAddsUp holds every built-in device to what must be true of any prediction.
func TestPredictionAddsUp(t *testing.T) {
	reports := map[string]*analyzer.Report{}
	for _, n := range []string{"resnet50", "vgg16", "mobilenet-v2", "vit_b_16", "alexnet"} {
		reports[n] = zooReport(t, n)
	}
	for _, name := range specs.DeviceNames() {
		d := device(t, name)
		for net, r := range reports {
			var before *Prediction
			for _, batch := range []int64{1, 2, 4, 16, 64} {
				p := predict(t, r, d, Options{Batch: batch})
				var time, energy float64
				for _, k := range p.Kernels {
					if k.TimeS < 0 || k.Bound == "" || math.Abs(k.StartS-time) > 1e-9*p.LatencyS {
						t.Errorf("%s %s: kernel %s starts at %g after %g, takes %g, bound %q", name, net, k.Name, k.StartS, time, k.TimeS, k.Bound)
					}
					time, energy = time+k.TimeS, energy+float64(k.EnergyJ)
				}
				near := func(what string, a, b float64) {
					if math.Abs(a-b) > 1e-6*math.Abs(b) {
						t.Errorf("%s %s batch %d: %s: %g, want %g", name, net, batch, what, a, b)
					}
				}
				near("times of the kernels", time, p.LatencyS)
				near("energies of the kernels", energy, float64(p.EnergyJ))
				near("power times time", float64(p.PowerW)*p.LatencyS, float64(p.EnergyJ))
				near("throughput", p.ThroughputPS*p.LatencyS, float64(batch))
				if !(0 < p.LatencyLowS && p.LatencyLowS < p.LatencyS && p.LatencyS < p.LatencyHighS) {
					t.Errorf("%s %s: interval %g to %g around %g", name, net, p.LatencyLowS, p.LatencyHighS, p.LatencyS)
				}
				if p.Provenance == specs.Datasheet && p.LatencyS < p.Baselines.Roofline.LatencyS*0.5 {
					t.Errorf("%s %s batch %d: %g s is under half the roofline %g", name, net, batch, p.LatencyS, p.Baselines.Roofline.LatencyS)
				}
				if float64(p.PowerW) > d.Power.LimitW.Value*(1+1e-9) {
					t.Errorf("%s %s: %g W above the limit", name, net, float64(p.PowerW))
				}
				if before != nil && p.LatencyS < before.LatencyS*(1-1e-9) {
					t.Errorf("%s %s: batch %d takes %g s, batch %d %g s", name, net, batch, p.LatencyS, before.Batch, before.LatencyS)
				}
				before = p
			}
		}
	}
}

// TestSmallerFormatsAreNotSlower: halving every tensor and at least doubling the peak cannot cost time.
func TestSmallerFormatsAreNotSlower(t *testing.T) {
	for _, name := range []string{"t4", "a100-sxm", "rtx-4090", "jetson-orin-nano"} {
		d := device(t, name)
		for _, net := range []string{"resnet50", "densenet121", "vit_b_16", "mobilenet-v2"} {
			r := zooReport(t, net)
			for _, batch := range []int64{1, 32} {
				slow := predict(t, r, d, Options{Precision: specs.FP32, Batch: batch, Runtime: plan.Eager})
				fast := predict(t, r, d, Options{Precision: specs.FP16, Batch: batch, Runtime: plan.Eager})
				if fast.LatencyS > slow.LatencyS*(1+1e-9) {
					t.Errorf("%s %s batch %d: fp16 takes %g s, fp32 %g s", name, net, batch, fast.LatencyS, slow.LatencyS)
				}
				if r := float64(fast.WeightMemoryBytes) / float64(slow.WeightMemoryBytes); math.Abs(r-0.5) > 1e-6 {
					t.Errorf("%s: fp16 weights %d bytes, fp32 %d", net, fast.WeightMemoryBytes, slow.WeightMemoryBytes)
				}
			}
		}
	}
}

// TestInt8 counts a network that is not quantised as if it were, and says what that leaves out.
func TestInt8(t *testing.T) {
	r := zooReport(t, "vit_b_16")
	half := predict(t, r, device(t, "a100-sxm"), Options{Precision: specs.FP16, Batch: 32})
	p := predict(t, r, device(t, "a100-sxm"), Options{Precision: specs.INT8, Batch: 32})
	if !hasCode(p, CodePrecision) || p.LatencyS >= half.LatencyS {
		t.Errorf("int8 takes %g s, fp16 %g s; %v", p.LatencyS, half.LatencyS, p.Diagnostics)
	}
	for i, k := range p.Kernels {
		if h := half.Kernels[i]; k.Op == "LayerNormalization" && k.Bytes <= h.Bytes || k.Op == "MatMul" && k.Bytes >= h.Bytes {
			t.Errorf("%s (%s) moves %g bytes, %g in fp16", k.Name, k.Op, k.Bytes, h.Bytes)
		}
	}
}

func TestThreads(t *testing.T) {
	r := zooReport(t, "resnet50")
	d := device(t, "cpu-avx512")
	last := math.Inf(1)
	for _, n := range []int{1, 2, 4, 16} {
		p := predict(t, r, d, Options{Runtime: plan.Eager, Threads: n})
		if p.Threads != n || p.LatencyS > last {
			t.Errorf("%d threads take %g s, fewer took %g s", n, p.LatencyS, last)
		}
		last = p.LatencyS
	}
}

// TestPowerCap gives a device a limit that its kernels exceed.
func TestPowerCap(t *testing.T) {
	r := zooReport(t, "vgg16")
	d := device(t, "t4")
	o := Options{Precision: specs.FP16, Batch: 32}
	free := predict(t, r, d, o)
	limit := *d.Power.LimitW
	limit.Value = float64(free.PowerW)
	m := form.Power{Known: true, Idle: 10, Active: 20, Limit: 50, PerByte: 1e-12}
	if s := m.Stretch(1, 60); s != 3 {
		t.Errorf("60 J within the 20 W that remain stretch one second by %g, want 3", s)
	}
	if s := m.Stretch(1, 20); s != 1 {
		t.Errorf("stretch %g at the limit, want 1", s)
	}
	if s := (&form.Power{Idle: 60, Limit: 50}).Stretch(1, 10); s != 1 {
		t.Errorf("stretch %g where idle alone exceeds the limit, want 1", s)
	}
	hot := device(t, "t4")
	hot.Kind, hot.Fits = specs.Calibrated, []specs.Fit{{Measure: specs.MeasurePower, Form: form.FormPower, Groups: map[string]specs.Group{
		"net": {Terms: map[string]specs.Coefficient{"active_w": {Value: 20}, "j_per_op": {Value: 3e-12}}}}}}
	capped := predict(t, r, hot, o)
	if math.Abs(float64(capped.PowerW)-hot.Power.LimitW.Value) > 1e-6 || capped.LatencyS <= free.LatencyS {
		t.Errorf("capped: %g W in %g s, want the limit of %g W in more than %g s", float64(capped.PowerW), capped.LatencyS, hot.Power.LimitW.Value, free.LatencyS)
	}
	if !hasCode(capped, CodePowerCap) || capped.PowerProvenance != specs.Calibrated || capped.Provenance != specs.Datasheet {
		t.Errorf("diagnostics %v, power %s, time %s", capped.Diagnostics, capped.PowerProvenance, capped.Provenance)
	}
}

func hasCode(p *Prediction, code string) bool {
	for _, d := range p.Diagnostics {
		if d.Code == code {
			return true
		}
	}
	return false
}

// TestUnknownKernel: an operator without a rule is a finding and widens the interval upwards; nothing is free.
func TestUnknownKernel(t *testing.T) {
	node := func(op, in, out string) *onnx.Node {
		return &onnx.Node{Name: op + out, OpType: op, Inputs: []string{in}, Outputs: []string{out}}
	}
	report := func(op string) *analyzer.Report {
		m := singleChain(t, node("Relu", "x", "a"), node(op, "a", "b"), node("Relu", "b", "y"))
		r, err := analyzer.Analyze(context.Background(), m, analyzer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	d := device(t, "t4")
	known, unknown := predict(t, report("Tanh"), d, Options{}), predict(t, report("Mystery"), d, Options{})
	if hasCode(known, CodeNoTimeModel) || !hasCode(unknown, CodeNoTimeModel) {
		t.Fatalf("diagnostics: known %v, unknown %v", known.Diagnostics, unknown.Diagnostics)
	}
	if a, b := unknown.LatencyHighS/unknown.LatencyS, known.LatencyHighS/known.LatencyS; a < 1.25*b {
		t.Errorf("the upper end is %.2f of the latency with an unknown kernel and %.2f without", a, b)
	}
	if unknown.LatencyLowS/unknown.LatencyS > 1 {
		t.Error("the lower end rose")
	}
	found := false
	for _, k := range unknown.Kernels {
		found = found || k.Op == "Mystery" && k.Unmodelled
	}
	if !found {
		t.Errorf("no kernel is marked: %+v", unknown.Kernels)
	}
}

// TestOptionErrors: what does not fit together is an OptionError that says what would.
func TestOptionErrors(t *testing.T) {
	r := zooReport(t, "alexnet")
	for _, c := range []struct {
		name, device, want string
		o                  Options
	}{
		{"batch", "t4", "batch -1: want at least 1", Options{Batch: -1}},
		{"threads on a GPU", "t4", "device t4 is no CPU", Options{Threads: 2}},
		{"threads", "cpu-generic", "want at least 1", Options{Threads: -1}},
		{"precision", "v100", "states no peak for it; it has fp32, fp16, int8", Options{Precision: specs.BF16}},
	} {
		_, err := Predict(context.Background(), r, device(t, c.device), c.o)
		var opt *OptionError
		if !errors.As(err, &opt) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an OptionError with %q", c.name, err, c.want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Predict(ctx, r, device(t, "t4"), Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestFreeDims: a dimension without a number is named, and a binding makes the prediction possible.
func TestFreeDims(t *testing.T) {
	m := singleChain(t, &onnx.Node{Name: "r", OpType: "Relu", Inputs: []string{"x"}, Outputs: []string{"y"}})
	m.Graph.Inputs[0].Type.Shape[1] = onnx.Dimension{Param: "width"}
	m.Graph.Outputs[0].Type.HasShape = false
	r, err := analyzer.Analyze(context.Background(), m, analyzer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = Predict(context.Background(), r, device(t, "t4"), Options{})
	var opt *OptionError
	if !errors.As(err, &opt) || !strings.Contains(err.Error(), "--dim width=N") {
		t.Fatalf("%v, want an OptionError that names width", err)
	}
	small, large := predict(t, r, device(t, "t4"), Options{Dims: dim.Env{"width": 10}}), predict(t, r, device(t, "t4"), Options{Dims: dim.Env{"width": 1 << 30}})
	if small.LatencyS >= large.LatencyS || large.Kernels[0].Bound != BoundMemory || small.Kernels[0].Bound != BoundOverhead {
		t.Errorf("width 10: %g s, %s; width 2^30: %g s, %s", small.LatencyS, small.Kernels[0].Bound, large.LatencyS, large.Kernels[0].Bound)
	}
}

// TestSweepMatchesBinding: evaluating a compiled plan for a batch is what binding the batch before the analysis gives.
func TestSweepMatchesBinding(t *testing.T) {
	m := zooReport(t, "resnet18").Model
	bound, err := analyzer.Analyze(context.Background(), m, analyzer.Options{Dims: map[string]int64{"batch": 8}})
	if err != nil {
		t.Fatal(err)
	}
	a := predict(t, zooReport(t, "resnet18"), tx1(t), Options{Batch: 8})
	b := predict(t, bound, tx1(t), Options{})
	if d := cmp.Diff(a, b); d != "" {
		t.Errorf("swept (-) and bound (+) differ:\n%s", d)
	}
}

// TestExtrapolation: outside of the samples of a fit the prediction says so.
func TestExtrapolation(t *testing.T) {
	r := zooReport(t, "resnet50")
	if p := predict(t, r, tx1(t), Options{Batch: 64}); hasCode(p, CodeExtrapolation) {
		t.Errorf("batch 64 is within the samples: %v", p.Diagnostics)
	}
	if p := predict(t, r, tx1(t), Options{Batch: 65}); !hasCode(p, CodeExtrapolation) {
		t.Error("batch 65 is beyond the samples, and nothing says so")
	}
}

func TestEnergyPerDay(t *testing.T) {
	p := &Prediction{Batch: 1, LatencyS: 0.1, ThroughputPS: 10, EnergyJ: 2, EnergyPerSampleJ: 2, IdleW: 4}
	if j, ok := p.EnergyPerDay(5); !ok || j != 86400*(5*2+0.5*4) {
		t.Errorf("%g, %v", j, ok)
	}
	if _, ok := p.EnergyPerDay(11); ok {
		t.Error("a rate above the throughput has no energy")
	}
	if p.EnergyPerMillion() != 2e6 {
		t.Errorf("%g J per million, want 2e6", float64(p.EnergyPerMillion()))
	}
}

// TestGoldenJSON pins the keys and the figures, to six digits because machines differ in the last bits.
func TestGoldenJSON(t *testing.T) {
	const path = "testdata/prediction.json"
	p := predict(t, zooReport(t, "squeezenet1_1"), device(t, "t4"), Options{Precision: specs.FP16, Runtime: plan.Eager, Batch: 4})
	p.Model = "zoo:squeezenet1_1"
	p.Kernels = p.Kernels[:3]
	data, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := json.Unmarshal(data, &tree); err != nil {
		t.Fatal(err)
	}
	data, err = json.MarshalIndent(roundTree(tree), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	data = append(data, '\n')
	if *update {
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff(string(mustRead(t, path)), string(data)); d != "" {
		t.Errorf("-want +got (-update rewrites %s):\n%s", path, d)
	}
	var back Prediction
	if err := json.Unmarshal(data, &back); err != nil || back.Model != p.Model || back.EnergyJ == 0 {
		t.Errorf("reading it back: %v, %+v", err, back)
	}
	if b, _ := Unknown().MarshalJSON(); string(b) != "null" {
		t.Errorf("unknown is written as %s", b)
	}
}

func roundTree(v any) any {
	switch v := v.(type) {
	case float64:
		if v == 0 {
			return v
		}
		scale := math.Pow(10, 5-math.Floor(math.Log10(math.Abs(v))))
		return math.Round(v*scale) / scale
	case []any:
		for i := range v {
			v[i] = roundTree(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = roundTree(v[k])
		}
	}
	return v
}

// BenchmarkPredictor evaluates a compiled ResNet-50 at changing batch sizes: what a sweep or a service pays.
func BenchmarkPredictor(b *testing.B) {
	r := zooReport(b, "resnet50")
	for _, name := range []string{"jetson-tx1", "rtx-4090"} {
		b.Run("device="+name, func(b *testing.B) {
			p, err := Compile(context.Background(), r, device(b, name), Options{})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			batch := int64(0)
			for b.Loop() {
				batch = batch%64 + 1
				if _, err := p.At(batch, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "predictions/s")
		})
	}
}

// singleChain is a model of one float input x and one output y, both batch×1000.
func singleChain(t *testing.T, nodes ...*onnx.Node) *onnx.Model {
	t.Helper()
	shape := func() *onnx.Type {
		return &onnx.Type{Kind: onnx.KindTensor, DType: onnx.Float32, HasShape: true, Shape: []onnx.Dimension{{Param: "batch"}, {Value: 1000, HasValue: true}}}
	}
	return &onnx.Model{IRVersion: 8, Opsets: []onnx.OpsetID{{Version: 17}}, Graph: &onnx.Graph{Name: "chain", Nodes: nodes,
		Inputs: []onnx.ValueInfo{{Name: "x", Type: shape()}}, Outputs: []onnx.ValueInfo{{Name: "y", Type: shape()}}}}
}

// TestPredictorsSideBySide: a predictor says the same whatever is compiled after it. Kernels of the CPU runtime keep the
// nodes of its optimised graph, which memory is predicted from.
func TestPredictorsSideBySide(t *testing.T) {
	d := device(t, "cpu-generic")
	compile := func(name string) *Predictor {
		p, err := Compile(context.Background(), zooReport(t, name), d, Options{Runtime: plan.ORTCPU})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	names := []string{"vit_b_16", "mobilenet-v2", "densenet121", "squeezenet1_1", "enet"}
	alone := map[string]*Prediction{}
	for _, n := range names {
		p, err := compile(n).At(8, nil)
		if err != nil {
			t.Fatal(err)
		}
		alone[n] = p
	}
	var together []*Predictor
	for _, n := range names {
		together = append(together, compile(n))
	}
	for i, n := range names {
		p, err := together[i].At(8, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(alone[n], p); diff != "" {
			t.Errorf("%s beside others (-alone +together):\n%s", n, diff)
		}
	}
}
