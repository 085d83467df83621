package plots

import (
	"math"
	"os"
	"strings"
	"testing"

	"github.com/onnxcost/onnxcost/calibrate"
	"github.com/onnxcost/onnxcost/specs"
)

// someFitted are three products and a copy under two roofs, whose places are easily worked out.
func someFitted() (*Fitted, *specs.Device) {
	f := &Fitted{
		Points: []FittedPoint{
			{Name: "big", Group: "fp16", MeasuredS: 1e-2, FittedS: 1.02e-2, FLOPs: 8e12, Bytes: 1e10},
			{Name: "small", Group: "fp16", MeasuredS: 1e-5, FittedS: 1.5e-5, FLOPs: 1e8, Bytes: 1e7},
			{Name: "warm", Group: "fp32", MeasuredS: 1e-5, FittedS: 1e-5, FLOPs: 2e8, Bytes: 5e7, Warm: true},
			{Name: "copied", Group: "bandwidth", MeasuredS: 1e-3, FittedS: 1.001e-3, Bytes: 2e9},
		},
		Power: []FittedPower{{Name: "idle", Group: "idle", MeasuredW: 75, FittedW: 75}, {Name: "compute fp16", Group: "compute", MeasuredW: 600, FittedW: 590},
			{Name: "compute fp16", Group: "compute", MeasuredW: 604, FittedW: 590}},
		Roofs: []FittedRoof{
			{Name: "fp32", Group: "fp32", FLOPs: 50e12, BytesPerS: 2e12, CacheBytesPerS: 6e12, Source: "fitted"},
			{Name: "fp16", Group: "fp16", FLOPs: 800e12, BytesPerS: 2e12, CacheBytesPerS: 6e12, SheetFLOPs: 1000e12, Source: "fitted"},
		},
		Notes: []string{"5 samples of launches are left out"},
	}
	d := &specs.Device{Name: "some", Title: "Some card", Fits: []specs.Fit{
		{Measure: specs.MeasureTime, Precision: specs.FP16, Score: &specs.Score{HeldOutMAPE: 0.034, HeldOutCount: 2}, Conditions: &specs.Conditions{Date: "2026-11-22"}},
		{Measure: specs.MeasurePower, Precision: specs.FP16, Score: &specs.Score{HeldOutMAPE: 0.05, HeldOutCount: 3}},
		{Measure: specs.MeasurePower, Precision: specs.FP32, Score: &specs.Score{HeldOutMAPE: 0.05, HeldOutCount: 3}},
	}}
	return f, d
}

// three3 rounds to three digits, so that places compare.
func three3(v float64) float64 {
	p := math.Pow(10, math.Floor(math.Log10(v))-2)
	return math.Round(v/p) * p
}

// TestCalibrationPoints wants each sample where its work and times put it, ridges where the roofs meet, and the numbers
// of the captions.
func TestCalibrationPoints(t *testing.T) {
	f, d := someFitted()
	figs := Calibration(f, d, Style{})
	if len(figs) != 3 {
		t.Fatalf("%d figures, want time, roofline and power", len(figs))
	}
	for i, want := range []map[[2]float64]bool{ // hollow or not
		{{10, 10.2}: false, {0.01, 0.015}: false, {0.01, 0.01}: false, {1, 1}: false},
		{{800, 800}: false, {10, 10}: false, {4, 20}: true, {25, 50}: false, {400, 800}: false}, // marks, then ridges
		{{75, 75}: false, {600, 590}: false, {604, 590}: false},
	} {
		got := map[[2]float64]bool{}
		for _, b := range figs[i].Panels[0].marks {
			got[[2]float64{three3(b.x), three3(b.y)}] = b.hollow
		}
		if len(got) != len(want) {
			t.Errorf("%s: marks %v, want %v", figs[i].Name, got, want)
		}
		for at, hollow := range want {
			if h, ok := got[[2]float64{three3(at[0]), three3(at[1])}]; !ok || h != hollow {
				t.Errorf("%s: marks %v, want one at %v, hollow %v", figs[i].Name, got, at, hollow)
			}
		}
	}
	words := func(f *Figure) string {
		return f.Subtitle + " " + strings.Join(f.Findings, " ") + " " + strings.Join(f.Notes, " ")
	}
	for i, want := range [][]string{
		{"Some card, 2026-11-22.", "fp16 26.0 % (2)", "that had not seen them: fp16 3.4 % (2).", "5 samples of launches are left out."},
		{"Roofs, fitted: memory 2 TB/s; cache 6 TB/s; fp32 50 TFLOP/s, ridge at 25 FLOP/byte; fp16 800 TFLOP/s, ridge at 400 FLOP/byte (80 % of the data sheet's 1 PFLOP/s).",
			"1 of 3 marks lie more than 2 % above the slope of memory", "1 microbenchmarks without arithmetic"},
		{"that had not seen them: 5.0 % (3)."},
	} {
		for _, w := range want {
			if !strings.Contains(words(figs[i]), w) {
				t.Errorf("%s says %q, want %q", figs[i].Name, words(figs[i]), w)
			}
		}
	}
	empty := Calibration(&Fitted{}, d, Style{})
	if len(empty) != 2 {
		t.Fatalf("%d figures of nothing", len(empty))
	}
	for _, f := range empty {
		if !strings.Contains(words(f), "nothing to draw") {
			t.Errorf("%s of nothing says %q", f.Name, words(f))
		}
		lookAt(f)
	}
}

// TestCalibrationReadable looks at the pictures of a whole calibration, of the fake card that calibrate's tests record.
func TestCalibrationReadable(t *testing.T) {
	file, err := os.Open("../calibrate/testdata/fake-card.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	s, err := calibrate.ReadSamples(file, "fake-card.txt")
	if err != nil {
		t.Fatal(err)
	}
	d, _, err := calibrate.ProfileGPU(s, "fake-100")
	if err != nil {
		t.Fatal(err)
	}
	f, err := calibrate.FitPoints(t.Context(), s, d)
	if err != nil {
		t.Fatal(err)
	}
	own := Fitted{Notes: f.Notes}
	for _, p := range f.Points {
		own.Points = append(own.Points, FittedPoint(p))
	}
	for _, p := range f.Power {
		own.Power = append(own.Power, FittedPower(p))
	}
	for _, r := range f.Roofs {
		own.Roofs = append(own.Roofs, FittedRoof(r))
	}
	for _, st := range []Style{{}, {Theme: Dark, Palette: SafeColors}, {Width: 800, Height: 600}} {
		for _, fig := range Calibration(&own, d, st) {
			t.Run(fig.Name, func(t *testing.T) { checkReadable(t, fig) })
		}
	}
}
