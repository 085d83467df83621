package calibrate

import (
	"bytes"
	"flag"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onnxcost/onnxcost/specs"
)

var update = flag.Bool("update", false, "rewrite testdata/fake-card.txt")

// recordedCard is the fake card's samples, as a file, for tests here and elsewhere that need a GPU's samples.
const recordedCard = "testdata/fake-card.txt"

// recorded reads the file; -update makes it by a sweep of the fake card.
func recorded(t *testing.T) *Samples {
	t.Helper()
	if *update {
		s, _, err := gatherFake(t, newFakeCard(t), 1, 30*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		s.Config = slices.DeleteFunc(s.Config, func(p Param) bool {
			return !strings.HasPrefix(p.Key, "gpu") && !slices.Contains([]string{"backend", "cuda", "cublaslt", "driver", "seed", "date", "anchor-spread", "recheck-drift", "power-source"}, p.Key)
		})
		s.Set("not-measured", "made by the fake card of the tests, whose times are formulas; it describes no GPU")
		var b bytes.Buffer
		if err := s.Write(&b); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(recordedCard, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Open(recordedCard)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s, err := ReadSamples(f, recordedCard)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestFitPointsGPU sets the recorded card beside its fit: every sample is a point or counted in a note, work and roofs
// are those of the card, and a profile that lacks a format says what it leaves out.
func TestFitPointsGPU(t *testing.T) {
	t.Parallel()
	s, card := recorded(t), newFakeCard(t)
	if !strings.Contains(s.Get("not-measured"), "fake card") || !strings.Contains(s.Get("gpu"), "Fake") {
		t.Error("the file does not say that nothing was measured")
	}
	d, _, err := ProfileGPU(s, "fake-100")
	if err != nil {
		t.Fatal(err)
	}
	f, err := FitPoints(t.Context(), s, d)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for i := range s.Samples {
		if x := &s.Samples[i]; x.Class == classGEMM || x.Class == classStream {
			names[x.Name()] = true
		}
	}
	if len(f.Points) != len(names) || len(f.Power) != count(s, classPower, "", "") || len(f.Roofs) != 6 {
		t.Errorf("%d points, %d power states and %d roofs of %d microbenchmarks, %d power states and 6 formats", len(f.Points), len(f.Power), len(f.Roofs), len(names), count(s, classPower, "", ""))
	}
	if !slices.Contains(f.Notes, "5 samples of launches are left out: each is a constant of the profile by itself") {
		t.Errorf("notes %q", f.Notes)
	}
	for _, p := range f.Points {
		if e := math.Abs(p.FittedS/p.MeasuredS - 1); e > 0.03 && p.Group != groupMemcpy {
			t.Errorf("%s: fitted %.3g s, measured %.3g", p.Name, p.FittedS, p.MeasuredS)
		}
	}
	for _, p := range f.Power {
		if e := math.Abs(p.FittedW/p.MeasuredW - 1); e > 0.03 {
			t.Errorf("%s: fitted %.1f W, measured %.1f", p.Name, p.FittedW, p.MeasuredW)
		}
	}
	at := slices.IndexFunc(f.Points, func(p FittedPoint) bool { return p.Name == "fp16 2048×2048×2048" })
	if at < 0 || f.Points[at].FLOPs != 2*2048*2048*2048 || f.Points[at].Bytes != 3*2048*2048*2 || f.Points[at].Group != "fp16" {
		t.Errorf("no square of 2048 in FP16, or not its work: %+v", f.Points[max(0, at)])
	}
	for _, r := range f.Roofs {
		for dt, p := range card.products {
			if string(dt) == r.Name && (math.Abs(r.FLOPs/p.rate-1) > 0.1 || math.Abs(r.BytesPerS/card.dram-1) > 0.03 || r.SheetFLOPs != 0) {
				t.Errorf("roof %+v of a card of %g FLOP/s and %g B/s without a data sheet", r, p.rate, card.dram)
			}
		}
	}
	d.Fits = slices.DeleteFunc(d.Fits, func(f specs.Fit) bool { return f.Precision == specs.FP8 })
	less, err := FitPoints(t.Context(), s, d)
	if err != nil || len(less.Points) >= len(f.Points) || !slices.ContainsFunc(less.Notes, func(n string) bool { return strings.Contains(n, "products in fp8 are left out") }) {
		t.Errorf("without FP8: %v, %q", err, less.Notes)
	}
	d.Fits = nil
	if _, err := FitPoints(t.Context(), s, d); err == nil {
		t.Error("a profile without fits was evaluated")
	}
}

// TestFitPointsORT: a profile says of the microbenchmarks what the fit said that it was made from.
func TestFitPointsORT(t *testing.T) {
	t.Parallel()
	s := invented(t, usual, 0.02, 3)
	d, err := ProfileORT(t.Context(), s, "invented")
	if err != nil {
		t.Fatal(err)
	}
	points, err := ortPoints(s)
	if err != nil {
		t.Fatal(err)
	}
	f, err := FitPoints(t.Context(), s, d)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Points) != len(points) || len(f.Roofs) != 1 {
		t.Fatalf("%d points of %d, %d roofs, notes %q", len(f.Points), len(points), len(f.Roofs), f.Notes)
	}
	var mape float64
	groups := map[string]int{}
	for i, p := range f.Points {
		if p.MeasuredS != points[i].Seconds {
			t.Errorf("%s: measured %g s, the sample has %g", p.Name, p.MeasuredS, points[i].Seconds)
		}
		mape += math.Abs(math.Log(p.FittedS/p.MeasuredS)) / float64(len(points))
		groups[p.Group]++
	}
	if math.Abs(mape-d.Fits[0].Score.MAPE) > 0.002 {
		t.Errorf("the profile is %.2f %% off its samples, its fit was %.2f %%", 100*mape, 100*d.Fits[0].Score.MAPE)
	}
	for _, g := range []string{"convolution", "product", "recurrent", "elementwise", "reduction", "movement", "chains"} {
		if groups[g] < 5 {
			t.Errorf("%d points of group %s", groups[g], g)
		}
		delete(groups, g)
	}
	roof, peak := f.Roofs[0], d.Peak[specs.FP32].Value/d.Compute.Units.Value
	if len(groups) > 0 || roof.Name != "1 thread" || math.Abs(roof.FLOPs/peak-1) > 0.01 || !(roof.BytesPerS > 0) {
		t.Errorf("other groups %v, roof %+v, peak of a core %g", groups, roof, peak)
	}
	d.Fits[0].Threads = 2
	if f, err := FitPoints(t.Context(), s, d); err != nil || len(f.Points) > 0 || len(f.Notes) != 1 {
		t.Errorf("a profile of another number of threads: %v, %+v", err, f)
	}
}
