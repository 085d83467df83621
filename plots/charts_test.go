package plots

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/zoo"
	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/specs"
)

func subject(t *testing.T, network, device string) (*Subject, *specs.Device) {
	t.Helper()
	d, err := specs.LoadDevice(device)
	if err != nil {
		t.Fatal(err)
	}
	m, err := zoo.Build(network, zoo.None)
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSubject(context.Background(), network, m, analyzer.Options{}, d, costmodel.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s, d
}

// ownCharts draws the tool's own charts for some models.
func ownCharts(t *testing.T, s Style) []*Figure {
	t.Helper()
	var out []*Figure
	var sweeps []Sweep
	for _, c := range [][2]string{{"resnet50", "jetson-tx1"}, {"vit_b_16", "h100-sxm"}, {"densenet121", "cpu-generic"}} {
		m, d := subject(t, c[0], c[1])
		p, err := m.Predictor.At(0, nil)
		if err != nil {
			t.Fatal(err)
		}
		mem, err := MemoryTimeline(m.Name, m.Report, s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, Roofline(m.Name, p, d, s), Layers(m.Name, p, d, s), mem)
	}
	var d *specs.Device
	for _, name := range []string{"resnet50", "vgg16", "mobilenet-v2"} {
		var m *Subject
		m, d = subject(t, name, "jetson-tx1")
		sw := Sweep{Name: name}
		for b := int64(1); b <= 256; b *= 2 {
			p, err := m.Predictor.At(b, nil)
			if err != nil {
				t.Fatal(err)
			}
			sw.Predictions = append(sw.Predictions, p)
		}
		sweeps = append(sweeps, sw)
	}
	out = append(out, Batch(sweeps, d, s), Batch(sweeps[:1], d, s))
	var ts []Tradeoff
	for _, n := range predicted(t).Networks {
		ts = append(ts, Tradeoff{n.Name, n.Paper, n.timeAt(1), n.Top1Percent})
	}
	ts = append(ts, Tradeoff{Name: "mine", Cost: 9, Value: math.NaN()})
	out = append(out, Pareto(ts, "Latency [ms]", "Top-1 accuracy [%]", "Predicted.", s))
	rng := rand.New(rand.NewPCG(3, 3))
	var pairs []Pair
	for i := range 60 {
		v := math.Exp(rng.NormFloat64()) * 5e-3
		pairs = append(pairs, Pair{fmt.Sprintf("sample %d", i), []string{"gemm", "conv3x3", "copy"}[i%3], v, v * math.Exp(0.08*rng.NormFloat64())})
	}
	return append(out, Validate(pairs[:12], "Made up.", s), Fit(pairs, "Made up.", s))
}

// TestChartsReadable looks at the tool's own charts.
func TestChartsReadable(t *testing.T) {
	for _, s := range []Style{{}, {Theme: Dark, Palette: SafeColors}, {Width: 800, Height: 600}} {
		for _, f := range ownCharts(t, s) {
			t.Run(f.Name, func(t *testing.T) { checkReadable(t, f) })
		}
	}
}

func TestDumpCharts(t *testing.T) {
	dir := os.Getenv("PLOTS_DUMP")
	if dir == "" {
		t.Skip("PLOTS_DUMP names no directory to write the figures to")
	}
	for _, theme := range Themes() {
		for i, f := range ownCharts(t, Style{Theme: theme}) {
			dump(t, dir, f, fmt.Sprintf("own-%s-%d", theme.Name, i))
		}
	}
}

// TestFrontier compares with the definition, on random points with ties.
func TestFrontier(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		ts := make([]Tradeoff, 1+rng.IntN(12))
		for i := range ts {
			ts[i] = Tradeoff{Name: fmt.Sprint(i), Cost: float64(rng.IntN(6)), Value: float64(rng.IntN(6))}
			if rng.IntN(10) == 0 {
				ts[i].Value = math.NaN()
			}
		}
		want := map[int]bool{}
		for i, a := range ts {
			ok := finite(a.Value)
			for _, b := range ts {
				if finite(b.Value) && b.Cost <= a.Cost && b.Value >= a.Value && (b.Cost < a.Cost || b.Value > a.Value) {
					ok = false
				}
			}
			if ok {
				want[i] = true
			}
		}
		got := map[int]bool{}
		for _, i := range frontier(ts) {
			got[i] = true
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%+v (-want +got):\n%s", ts, diff)
		}
	}
}
