package budget

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/zoo"
	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/specs"
)

// TestSettle walks an interval past a bound, from below and from above.
func TestSettle(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, tc := range []struct {
		e       estimate
		atLeast bool
		want    Verdict
		gap     float64
		certain float64
	}{
		{estimate{value: 8, low: 7, high: 10}, false, Pass, 0, 0},
		{estimate{value: 9, low: 8, high: 11}, false, Uncertain, 0, 1},
		{estimate{value: 12, low: 10, high: 13}, false, Uncertain, 2, 3},
		{estimate{value: 12, low: 10.5, high: 14}, false, Fail, 2, 4},
		{estimate{value: 12, low: 10, high: 13}, true, Pass, 0, 0},
		{estimate{value: 11, low: 9, high: 13}, true, Uncertain, 0, 1},
		{estimate{value: 8, low: 7, high: 9}, true, Fail, 2, 3},
		{exactly(10), false, Pass, 0, 0},
		{exactly(10), true, Pass, 0, 0},
		{exactly(11), false, Fail, 1, 1},
		{estimate{value: 8, low: 8, high: inf}, false, Uncertain, 0, nan},
		{estimate{value: 11, low: 11, high: inf}, false, Fail, 1, nan},
		{noFigure("x"), false, Uncertain, nan, nan},
		{noFigure("x"), true, Uncertain, nan, nan},
		{estimate{value: 8, low: nan, high: 9}, false, Uncertain, 0, 0},
	} {
		v := LimitVerdict{Bound: 10, AtLeast: tc.atLeast}
		v.settle(tc.e)
		same := func(a costmodel.Optional, b float64) bool { return float64(a) == b || !a.Known() && math.IsNaN(b) }
		if v.Verdict != tc.want || !same(v.Gap, tc.gap) || !same(v.CertainGap, tc.certain) {
			t.Errorf("%+v at least %v: %s, gaps %v and %v; want %s, %v and %v", tc.e, tc.atLeast, v.Verdict, v.Gap, v.CertainGap, tc.want, tc.gap, tc.certain)
		}
	}
}

// writeBudget puts a budget into a new folder and loads it.
func writeBudget(t *testing.T, text string) *specs.Budget {
	t.Helper()
	name := filepath.Join(t.TempDir(), "budget.yaml")
	if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	b, err := LoadBudget(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestCheckAgainstPrediction: every figure is that of the prediction and of the report, per sample where it says so.
func TestCheckAgainstPrediction(t *testing.T) {
	b := writeBudget(t, `schema: onnxcost/budget/v1
device: jetson-tx1
models:
  - match: zoo:resnet18
    batch: [1, 4]
    limits: {energy: 1 J, energy_per_day: {at: 2 /s, max: 1 MJ}, latency: 1 s, throughput: 1 /s, power: 100 W, peak_memory: 1 GB, arena: 1 GB,
      peak_activations: 1 GB, params: 1 G, macs: 1 T, coverage: 1 %}
`)
	res, err := Check(context.Background(), b, CheckOptions{})
	if err != nil || len(res.Problems) > 0 {
		t.Fatal(err, res.Problems)
	}
	r, d := zooReport(t, "resnet18"), device(t, "jetson-tx1")
	got := map[string]float64{}
	for _, l := range res.Limits {
		got[fmt.Sprint(l.Limit, " ", l.Batch)] = float64(l.Value)
		if l.Verdict != Pass || l.Line == 0 {
			t.Errorf("%s %d: %s on line %d", l.Limit, l.Batch, l.Verdict, l.Line)
		}
		if l.Low > l.Value || l.Value > l.High || l.Device != "" && l.Limit != "peak_memory" && l.Low == l.High {
			t.Errorf("%s: %v in %v to %v", l.Limit, l.Value, l.Low, l.High)
		}
	}
	want := map[string]float64{"params 0": 11699112, "coverage 0": 1}
	for _, n := range []int64{1, 4} {
		p := predict(t, r, d, costmodel.Options{Batch: n})
		day, _ := p.EnergyPerDay(2)
		l, err := r.Liveness(p.Dims)
		if err != nil {
			t.Fatal(err)
		}
		for key, v := range map[string]float64{"energy": float64(p.EnergyPerSampleJ), "energy_per_day": day, "latency": p.LatencyS, "throughput": p.ThroughputPS,
			"power": float64(p.PowerW), "peak_memory": float64(p.PeakMemoryBytes), "peak_activations": float64(l.PeakBytes), "macs": 1814073344} {
			want[fmt.Sprint(key, " ", n)] = v
		}
		want[fmt.Sprint("arena ", n)] = got[fmt.Sprint("arena ", n)]
		if a := want[fmt.Sprint("arena ", n)]; !(a > 0 && a < float64(l.PeakBytes)) {
			t.Errorf("arena of %g bytes, live %d", a, l.PeakBytes)
		}
	}
	for k, v := range want {
		if math.Abs(got[k]-v) > 1e-9*v {
			t.Errorf("%s: got %g, want %g", k, got[k], v)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d limits, want %d", len(got), len(want))
	}
}

// TestCheckContributors: the parts of a failed limit are the largest, in order, and shares of the whole.
func TestCheckContributors(t *testing.T) {
	b := writeBudget(t, `schema: onnxcost/budget/v1
device: t4
models:
  - match: zoo:vgg16
    limits: {energy: 1 uJ, latency: 1 us, throughput: 1 M/s, peak_memory: 1 MB, arena: 1 kB, peak_activations: 1 kB, params: 1 k, macs: 1 M}
`)
	res, err := Check(context.Background(), b, CheckOptions{})
	if err != nil {
		t.Fatal(err)
	}
	first := map[string]string{"params": "classifier.0.weight", "macs": "", "peak_memory": "weights"}
	for _, l := range res.Limits {
		if l.Verdict != Fail || len(l.Contributors) == 0 || !(l.Gap > 0) {
			t.Errorf("%s: %s, %d contributors, gap %v", l.Limit, l.Verdict, len(l.Contributors), l.Gap)
			continue
		}
		if want := first[l.Limit]; want != "" && l.Contributors[0].Name != want && !strings.Contains(l.Contributors[0].Name, "fc6") && !strings.Contains(l.Contributors[0].Name, "classifier") {
			t.Errorf("%s: most in %s, want %s", l.Limit, l.Contributors[0].Name, want)
		}
		sum := 0.0
		for i, c := range l.Contributors {
			sum += c.Share
			if c.Name == "" || i > 0 && c.Value > l.Contributors[i-1].Value {
				t.Errorf("%s: contributor %d: %+v", l.Limit, i, c)
			}
		}
		if sum > 1+1e-9 {
			t.Errorf("%s: shares add up to %g", l.Limit, sum)
		}
	}
	if res.Fail != 8 || res.Pass+res.Unsure != 0 {
		t.Errorf("%d failed, %d uncertain, %d passed", res.Fail, res.Unsure, res.Pass)
	}
}

// TestCheckDayRate: a rate that the device cannot sustain fails whatever the energy; one within the interval is open.
func TestCheckDayRate(t *testing.T) {
	for rate, want := range map[string]Verdict{"10 /s": Pass, "40 /s": Uncertain, "100 /s": Fail} {
		b := writeBudget(t, "schema: onnxcost/budget/v1\ndevice: jetson-tx1\nmodels: [{match: zoo:resnet18, limits: {energy_per_day: {at: "+rate+", max: 10 MJ}}}]\n")
		res, err := Check(context.Background(), b, CheckOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if l := res.Limits[0]; l.Verdict != want {
			t.Errorf("%s: %s (%v in %v to %v, %s), want %s", rate, l.Verdict, l.Value, l.Low, l.High, l.Note, want)
		}
	}
}

// TestCheckUnknown: what is not known is never a pass. A model with an operator that nobody knows has lower bounds.
func TestCheckUnknown(t *testing.T) {
	b := writeBudget(t, "schema: onnxcost/budget/v1\nmodels: [{match: zoo:alexnet, limits: {macs: 1 T, params: 1 M, file_size: 1 GB, coverage: 100 %}}]\n")
	res, err := Check(context.Background(), b, CheckOptions{Open: func(name string) (*onnx.Model, error) {
		m, err := zoo.Build("alexnet", zoo.None)
		last := m.Graph.Nodes[len(m.Graph.Nodes)-1]
		last.OpType, last.Domain = "Mystery", "x.y"
		return m, err
	}})
	if err != nil || len(res.Problems) > 0 {
		t.Fatal(err, res)
	}
	got := map[string]Verdict{}
	for _, l := range res.Limits {
		got[l.Limit] = l.Verdict
		if !strings.Contains(l.Note, "Mystery") && l.Limit != "file_size" {
			t.Errorf("%s: note %q does not name the operator", l.Limit, l.Note)
		}
	}
	want := map[string]Verdict{"macs": Uncertain, "params": Fail, "file_size": Uncertain, "coverage": Fail}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestFileSize counts external data once per file, and says where it is absent.
func TestFileSize(t *testing.T) {
	m, err := zoo.Build("squeezenet1_1", zoo.None)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "w.bin"), make([]byte, 1000), 0o666); err != nil {
		t.Fatal(err)
	}
	r := zooReport(t, "squeezenet1_1")
	m.Path, m.FileBytes = filepath.Join(dir, "m.onnx"), 500
	for _, w := range m.Graph.Initializers[:4] {
		w.External = &onnx.External{Location: "w.bin"}
	}
	old := r.Model
	defer func() { r.Model = old }()
	r.Model = m
	s := &subject{report: r}
	if e, err := s.fileSize(); err != nil || e != exactly(1500) {
		t.Errorf("got %+v, %v; want 1500 bytes", e, err)
	}
	for i, w := range m.Graph.Initializers[4:6] {
		w.External = &onnx.External{Location: "gone.bin", Offset: int64(i) * 64, Length: 64, Absent: true}
	}
	e, err := s.fileSize()
	if err != nil || e.value != 1628 || e.low != 1628 || !math.IsInf(e.high, 1) {
		t.Errorf("got %+v, %v; want at least 1628 bytes", e, err)
	}
}

// TestCheckProblems: one model that fails does not stop the others, and a cancelled context stops everything.
func TestCheckProblems(t *testing.T) {
	b := writeBudget(t, `schema: onnxcost/budget/v1
models:
  - match: [zoo:alexnet, zoo:resnet18]
    dims: {seq: 3}
    limits: {macs: 1 T}
  - match: zoo:resnet18
    device: jetson-tx1
    precision: int4
    limits: {latency: 1 s}
  - match: zoo:enet
    limits: {macs: 1 T}
`)
	res, err := Check(context.Background(), b, CheckOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var at []string
	for _, p := range res.Problems {
		var located *specs.Error
		if !errors.As(p.Err, &located) {
			t.Errorf("%s: %v has no place", p.Model, p.Err)
			continue
		}
		at = append(at, fmt.Sprintf("%s %d:%d", p.Model, located.Line, located.Column))
	}
	if want := []string{"zoo:alexnet 4:17", "zoo:resnet18 4:17", "zoo:resnet18 6:5"}; !slices.Equal(at, want) {
		t.Errorf("problems at %v, want %v", at, want)
	}
	if len(res.Limits) != 1 || res.Limits[0].Model != "zoo:enet" {
		t.Errorf("judged %+v", res.Limits)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Check(ctx, b, CheckOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that the context is cancelled", err)
	}
	var opt *costmodel.OptionError
	if _, err := Check(context.Background(), b, CheckOptions{Models: []string{"zoo:vgg16"}}); !errors.As(err, &opt) {
		t.Errorf("got %v, want an OptionError for a model outside the budget", err)
	}
	if res, err := Check(context.Background(), b, CheckOptions{Models: []string{"zoo:ENet"}}); err != nil || len(res.Limits) != 1 {
		t.Errorf("got %+v, %v; want the one limit of enet", res, err)
	}
}
