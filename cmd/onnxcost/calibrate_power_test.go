package main

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/onnxcost/onnxcost/calibrate"
	"github.com/onnxcost/onnxcost/specs"
)

// sweepSamples are samples of a sweep with made-up times, and energies of a machine that draws 8 W idle and 20 W at work.
func sweepSamples(energy bool) *calibrate.Samples {
	s := &calibrate.Samples{}
	for _, c := range [][2]string{{"cpu", "Some CPU"}, {"cores", "2"}, {"memory-bytes", "8589934592"}, {"cache-l2-bytes", "1048576"},
		{"cache-l3-bytes", "16777216"}, {"onnxruntime", "1.30.0"}, {"provider", "cpu"}, {"seed", "5"}} {
		s.Set(c[0], c[1])
	}
	for i, b := range calibrate.Sweep(5, 0.3) {
		x := b.Sample()
		x.Params = append(x.Params, calibrate.Param{Key: "threads", Value: "1"})
		x.Runs = 100
		t := 1e-6 * (1 + math.Abs(math.Sin(float64(i)))) // the fit need not be good
		x.Values = []calibrate.Value{{Value: t, Unit: calibrate.UnitSeconds}}
		if energy {
			x.Values = append(x.Values, calibrate.Value{Value: 20 * t, Unit: calibrate.UnitJoules}, calibrate.Value{Value: 20, Unit: calibrate.UnitWatts})
		}
		s.Samples = append(s.Samples, x)
	}
	if energy {
		s.Set("power-source", "rapl")
		s.Set("rapl-covers", string(specs.ScopePackage))
		s.Set("rapl-limit-w", "45")
		s.Samples = append(s.Samples, calibrate.Sample{Backend: calibrate.BackendRAPL, Class: "power", Runs: 1,
			Params: []calibrate.Param{{Key: "kind", Value: "idle"}, {Key: "threads", Value: "1"}}, Values: []calibrate.Value{{Value: 8, Unit: calibrate.UnitWatts}}})
	}
	return s
}

// calibrateFrom runs calibrate on samples and returns the profile and what it said.
func calibrateFrom(t *testing.T, s *calibrate.Samples, flags ...string) (path, said string) {
	t.Helper()
	dir := t.TempDir()
	var text bytes.Buffer
	if err := s.Write(&text); err != nil {
		t.Fatal(err)
	}
	samples := filepath.Join(dir, "samples.txt")
	if err := os.WriteFile(samples, text.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, "here.yaml")
	var out, errs bytes.Buffer
	if code := run(append([]string{"calibrate", "--from", samples, "-o", path}, flags...), strings.NewReader(""), &out, &errs); code != 0 {
		t.Fatalf("calibrate %q: exit %d, %s", flags, code, errs.String())
	}
	return path, errs.String()
}

var calibratedOnce struct {
	sync.Once
	data []byte
}

// calibrated is a calibrated profile without power.
func calibrated(t *testing.T) []byte {
	t.Helper()
	calibratedOnce.Do(func() {
		path, _ := calibrateFrom(t, sweepSamples(false))
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		calibratedOnce.data = data
	})
	return calibratedOnce.data
}

// TestPowerOfProfile: power that is measured, that the data sheet states, and that nobody knows are told apart, from the
// profile to the prediction and the budget.
func TestPowerOfProfile(t *testing.T) {
	type prediction struct {
		EnergyJ     *float64 `json:"energy_j"`
		IdleW       *float64 `json:"idle_w"`
		Provenance  string   `json:"power_provenance"`
		Covers      string   `json:"power_covers"`
		Diagnostics []struct{ Code, Message string }
	}
	of := func(profile string) prediction {
		var out, errs bytes.Buffer
		if code := run([]string{"predict", "zoo:squeezenet1_1", "--device", profile, "-o", "json"}, strings.NewReader(""), &out, &errs); code != 0 {
			t.Fatalf("exit %d, %s", code, errs.String())
		}
		var got struct{ Predictions []prediction }
		if err := json.Unmarshal(out.Bytes(), &got); err != nil || len(got.Predictions) != 1 {
			t.Fatalf("%v: %s", err, out.String())
		}
		return got.Predictions[0]
	}
	const way = "--idle-power 10W --max-power 65W"

	path, said := calibrateFrom(t, sweepSamples(true), "--idle-power", "3W")
	p := of(path)
	if p.EnergyJ == nil || p.IdleW == nil || *p.IdleW != 8 || p.Provenance != "calibrated" || p.Covers != "package" {
		t.Errorf("measured power: got %+v", p)
	}
	if !strings.Contains(said, "--idle-power is not needed: the calibration has 8 W") || !strings.Contains(said, "1 thread: power of the package, ") {
		t.Errorf("measured power: calibrate said %q", said)
	}

	path, said = calibrateFrom(t, sweepSamples(false), "--idle-power", "10W", "--max-power", "65W")
	p = of(path)
	if p.EnergyJ == nil || p.IdleW == nil || *p.IdleW != 10 || p.Provenance != "datasheet" || p.Covers != "" {
		t.Errorf("the data sheet's power: got %+v", p)
	}
	if d, err := specs.LoadDevice(path); err != nil || d.Power.LimitW == nil || d.Sources[d.Power.LimitW.Source].Title == "" || d.Power.LimitW.Where != "--max-power" {
		t.Errorf("the data sheet's limit has no source: %v", err)
	}
	if strings.Contains(said, "no power") {
		t.Errorf("the data sheet's power: calibrate said %q", said)
	}

	path, said = calibrateFrom(t, sweepSamples(false))
	p = of(path)
	if p.EnergyJ != nil || p.IdleW != nil || !strings.Contains(said, way) {
		t.Errorf("no power: got %+v, calibrate said %q", p, said)
	}
	named := false
	for _, d := range p.Diagnostics {
		named = named || strings.Contains(d.Message, way)
	}
	if !named {
		t.Errorf("no power: %+v does not name the way to get it", p.Diagnostics)
	}
	budget := filepath.Join(t.TempDir(), "budget.yaml")
	text := "schema: onnxcost/budget/v1\ndevice: " + path + "\nmodels:\n  - match: zoo:squeezenet1_1\n    limits: {energy: 1 J}\n"
	if err := os.WriteFile(budget, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if run([]string{"check", "--budget", budget}, strings.NewReader(""), &out, &errs); !strings.Contains(out.String(), "uncertain") || !strings.Contains(out.String(), way) {
		t.Errorf("check without power: %s%s", out.String(), errs.String())
	}

	for _, c := range [][3]string{{"--idle-power", "10", "want watts above 0"}, {"--max-power", "0W", "want watts above 0"}, {"--idle-power", "10 J", "want watts above 0"}} {
		errs.Reset()
		if code := run([]string{"calibrate", "--from", "none", "-o", "none.yaml", c[0], c[1]}, strings.NewReader(""), &out, &errs); code != exitMisuse || !strings.Contains(errs.String(), c[2]) {
			t.Errorf("%s %s: exit %d, %q", c[0], c[1], code, errs.String())
		}
	}
}

// TestEnergyOfMeasurements: columns and keys of energy are there only where it was measured.
func TestEnergyOfMeasurements(t *testing.T) {
	e := &calibrate.Energy{Joules: 0.65, NetJoules: 0.45, Watts: 65, NetWatts: 45}
	without := measurement{Model: "a.onnx", Batch: 1, Threads: 1, MedianS: 0.01, BestS: 0.01, Runs: 30, Warnings: []string{"the machine was busy"}}
	with := without
	with.measuredEnergy = newMeasuredEnergy(e, specs.ScopePackage)
	for _, c := range []struct {
		form string
		row  measurement
		want []string
		not  string
	}{
		{"csv", without, []string{"runs\n", "onnxcost: a.onnx, batch 1: the machine was busy"}, "energy"},
		{"csv", with, []string{"runs,energy_j,net_energy_j,power_w,net_power_w\n", ",0.65,0.45,65,45\n"}, "\x00"},
		{"json", without, []string{"warnings"}, "energy"},
		{"json", with, []string{`"energy_j": 0.65`, `"net_energy_j": 0.45`, `"power_w": 65`, `"net_power_w": 45`, `"power_covers": "package"`}, "\x00"},
		{"table", without, []string{"the machine was busy"}, "energy"},
		{"table", with, []string{"650 mJ", "450 mJ", "65.0 W", "of the package by RAPL"}, "\x00"},
	} {
		var out, errs bytes.Buffer
		if err := renderMeasurements(streams{nil, &out, &errs}, c.form, []measurement{c.row}); err != nil {
			t.Fatal(err)
		}
		text := out.String() + errs.String()
		for _, w := range c.want {
			if !strings.Contains(text, w) {
				t.Errorf("%s: got %q, want %q in it", c.form, text, w)
			}
		}
		if strings.Contains(text, c.not) {
			t.Errorf("%s: got %q, want no %s", c.form, text, c.not)
		}
	}
}
