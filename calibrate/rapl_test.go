package calibrate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/zoo"
	"github.com/onnxcost/onnxcost/calibrate/internal/machine"
	"github.com/onnxcost/onnxcost/calibrate/ort"
	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/costmodel/form"
	"github.com/onnxcost/onnxcost/specs"
)

// fakeMachine is a clock, and a powercap tree whose counters advance with it: idle power while it sleeps, and what a load
// takes while that runs.
type fakeMachine struct {
	now    time.Time
	idleW  float64
	joules float64 // of all counters together
	files  fstest.MapFS
	shares map[string]float64 // of each counter's file; they add up to 1
	spans  map[string]uint64
	fail   error // of reading a counter
}

func (m *fakeMachine) Now() time.Time        { return m.now }
func (m *fakeMachine) Sleep(d time.Duration) { m.spend(d.Seconds(), 0) }

func (m *fakeMachine) spend(seconds, netJ float64) {
	m.now = m.now.Add(time.Duration(seconds * 1e9))
	m.joules += m.idleW*seconds + netJ
}

func (m *fakeMachine) ReadFile(name string) ([]byte, error) {
	if share, ok := m.shares[name]; ok {
		if m.fail != nil {
			return nil, m.fail
		}
		begin := m.spans[name] - 1e6 // a joule before the counter starts again
		return fmt.Appendf(nil, "%d\n", (begin+uint64(1e6*share*m.joules))%m.spans[name]), nil
	}
	return m.files.ReadFile(name)
}

func (m *fakeMachine) ReadDir(name string) ([]fs.DirEntry, error) { return m.files.ReadDir(name) }

// zone adds a directory of the powercap tree; one with a share has a counter.
func (m *fakeMachine) zone(dir, name string, share float64, files ...string) {
	if m.files == nil {
		m.files, m.shares, m.spans = fstest.MapFS{}, map[string]float64{}, map[string]uint64{}
	}
	path := powercap + "/" + dir + "/"
	const span = 65_532_610_987
	for i := 0; i < len(files); i += 2 {
		m.files[path+files[i]] = &fstest.MapFile{Data: []byte(files[i+1] + "\n")}
	}
	m.files[path+"name"] = &fstest.MapFile{Data: []byte(name + "\n")}
	m.files[path+"max_energy_range_uj"] = &fstest.MapFile{Data: fmt.Appendf(nil, "%d\n", uint64(span))}
	m.shares[path+"energy_uj"], m.spans[path+"energy_uj"] = share, span
}

// server is two packages with memory, and counters that are parts of others or show the same again.
func server() *fakeMachine {
	m := &fakeMachine{idleW: 20}
	limit := []string{"constraint_0_name", "long_term", "constraint_0_power_limit_uw", "95000000"}
	m.zone("intel-rapl:0", "package-0", 0.5, limit...)
	m.zone("intel-rapl:0:0", "core", 0.3)
	m.zone("intel-rapl:0:1", "dram", 0.125)
	m.zone("intel-rapl:1", "package-1", 0.25, limit...)
	m.zone("intel-rapl:1:0", "dram", 0.125)
	m.zone("intel-rapl:2", "psys", 1)
	m.zone("intel-rapl-mmio:0", "package-0", 0.5, limit...)
	m.files[powercap+"/intel-rapl/enabled"] = &fstest.MapFile{Data: []byte("1\n")}
	return m
}

func TestRAPL(t *testing.T) {
	m := server()
	r, err := openRAPL(m)
	if err != nil {
		t.Fatal(err)
	}
	if r.Covers() != specs.ScopePackageDRAM || r.LimitW() != 190 || len(r.zones) != 4 {
		t.Errorf("covers %s, limit %g W, %d counters, want package+dram, 190 W, 4", r.Covers(), r.LimitW(), len(r.zones))
	}
	for _, step := range []float64{1, 7, 250, 30000} { // every counter starts again on the way, the packages in the second step
		before := m.joules
		from, _ := r.Joules()
		m.joules += step
		to, err := r.Joules()
		if err != nil || math.Abs(to-from-step) > 1e-5 {
			t.Errorf("from %g J on: got %g J, %v, want %g", before, to-from, err, step)
		}
	}
	if w, err := r.idle(context.Background(), m, time.Second, time.Second); err != nil || math.Abs(w-20) > 1e-3 {
		t.Errorf("idle: got %g W, %v, want 20", w, err)
	}

	laptop := &fakeMachine{}
	laptop.zone("intel-rapl-mmio:0", "package-0", 1)
	if r, err = openRAPL(laptop); err != nil || r.Covers() != specs.ScopePackage || r.LimitW() != 0 {
		t.Fatalf("a package without a stated limit: got %+v, %v", r, err)
	}
	if _, err := r.idle(context.Background(), laptop, 0, time.Second); err == nil || !strings.Contains(err.Error(), "stands still") || r.Err() == nil {
		t.Errorf("a counter that does not move: got %v", err)
	}
}

// TestRAPLUnavailable: whatever is missing has its reason, and none is a counter of 0.
func TestRAPLUnavailable(t *testing.T) {
	secret := &fs.PathError{Op: "open", Path: "energy_uj", Err: fs.ErrPermission}
	for _, c := range []struct {
		name   string
		change func(m *fakeMachine)
		is     error
		want   string
	}{
		{"no powercap", func(m *fakeMachine) { m.files = fstest.MapFS{} }, errors.ErrUnsupported, "no counter of a processor package in /sys/class/powercap"},
		{"no package", func(m *fakeMachine) {
			for _, dir := range []string{"intel-rapl:0", "intel-rapl:1", "intel-rapl-mmio:0"} {
				m.zone(dir, "psys", 1)
			}
		}, errors.ErrUnsupported, "no counter"},
		{"for root only", func(m *fakeMachine) { m.fail = secret }, fs.ErrPermission, "/sys/class/powercap/intel-rapl:0/energy_uj needs permission"},
		{"gone", func(m *fakeMachine) { m.fail = fs.ErrNotExist }, fs.ErrNotExist, "energy_uj"},
		{"no range", func(m *fakeMachine) {
			m.files[powercap+"/intel-rapl:1/max_energy_range_uj"] = &fstest.MapFile{Data: []byte("0\n")}
		}, nil, "want the range of the counter"},
		{"no number", func(m *fakeMachine) {
			m.files[powercap+"/intel-rapl:1/max_energy_range_uj"] = &fstest.MapFile{Data: []byte("<none>\n")}
		}, nil, `"<none>": want a whole number`},
	} {
		m := server()
		c.change(m)
		r, err := openRAPL(m)
		if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %+v, %v, want %q", c.name, r, err, c.want)
		}
	}

	m := server()
	m.files[powercap+"/intel-rapl:0:1/max_energy_range_uj"] = &fstest.MapFile{Data: []byte("0\n")}
	if r, err := openRAPL(m); err != nil || len(r.zones) != 3 || len(r.Notes()) != 1 || !strings.Contains(r.Notes()[0], "memory is unavailable") {
		t.Errorf("memory without a counter: got %+v, %v, want the packages and a note", r, err)
	}
	m = server()
	r, err := openRAPL(m)
	if err != nil {
		t.Fatal(err)
	}
	m.fail = secret
	if _, err := r.Joules(); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("a counter that is closed later: got %v", err)
	}
	m.fail = nil
	if _, err := r.Joules(); !errors.Is(err, fs.ErrPermission) || r.Err() == nil {
		t.Errorf("after a failure: got %v, want it to last: what was missed is unknown", err)
	}
}

// load is a subject that takes seconds and joules.
type load struct {
	m             *fakeMachine
	seconds, netJ float64
}

func (l *load) Run() error   { l.m.spend(l.seconds, l.netJ); return nil }
func (l *load) Close() error { return nil }

// TestEnergyOfBursts: the energy of a run is that of whole bursts over all their runs; bursts that are too short for the
// counters have none; long ones do not lose a counter's range.
func TestEnergyOfBursts(t *testing.T) {
	m := server()
	r, err := openRAPL(m)
	if err != nil {
		t.Fatal(err)
	}
	usual, long := &load{m, 2e-3, 0.09}, &load{m, 600, 72000}
	rules := Rules{MinRuns: 4, Share: 60 * time.Millisecond, Rounds: 3, Warmup: 2, Seed: 1, RAPL: r, IdleW: m.idleW, clock: m}
	timings, err := timeInTurns(context.Background(), []subject{{"usual", usual.Run}, {"long", long.Run}}, rules, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []Energy{{0.13, 0.09, 65, 45}, {84000, 72000, 140, 120}} {
		got := timings[i].Energy
		if got == nil {
			t.Fatalf("%s: no energy", timings[i].Name)
		}
		for _, v := range [][2]float64{{got.Joules, want.Joules}, {got.NetJoules, want.NetJoules}, {got.Watts, want.Watts}, {got.NetWatts, want.NetWatts}} {
			if math.Abs(v[0]/v[1]-1) > 1e-3 {
				t.Errorf("%s: got %+v, want %+v", timings[i].Name, *got, want)
				break
			}
		}
	}
	short := &load{m, 1e-5, 1e-3}
	rules.Share = 3 * time.Millisecond
	if timings, err = timeInTurns(context.Background(), []subject{{"short", short.Run}}, rules, nil); err != nil || timings[0].Energy != nil || timings[0].Runs == 0 {
		t.Errorf("bursts of 1 ms: got %+v, %v, want times and no energy", timings[0], err)
	}
	m.fail = fs.ErrPermission
	if timings, err = timeInTurns(context.Background(), []subject{{"usual", usual.Run}}, rules, nil); err != nil || timings[0].Energy != nil || timings[0].Runs == 0 {
		t.Errorf("counters that fail: got %+v, %v, want times and no energy", timings[0], err)
	}
}

// The machine that TestPowerOfSweep measures: what operations and bytes cost there, and how long they take.
const (
	trueActiveW  = 11.0
	trueJPerOp   = 23e-12
	trueJPerByte = 310e-12
)

// sweepOn gathers a sweep on a fake machine.
func sweepOn(t *testing.T, m *fakeMachine, r *RAPL) (*Samples, []string) {
	t.Helper()
	generic, err := specs.LoadDevice("cpu-generic")
	if err != nil {
		t.Fatal(err)
	}
	here := &Samples{Config: conditions(machine.This())} // whose channel blocks the samples will name
	if generic.Processor, err = here.processor(); err != nil {
		t.Fatal(err)
	}
	open := func(ctx context.Context, b Micro, _ ort.Options) (runner, error) {
		model, err := b.Model()
		if err != nil {
			return nil, err
		}
		report, err := analyzer.Analyze(ctx, model, analyzer.Options{})
		if err != nil {
			return nil, err
		}
		p, err := costmodel.Predict(ctx, report, generic, costmodel.Options{Runtime: costmodel.ORTCPU, Threads: 1})
		if err != nil {
			return nil, err
		}
		var ops, moved float64
		for _, k := range p.Kernels {
			ops, moved = ops+k.FLOPs, moved+k.Bytes
		}
		s := 1e-6 + 0.5e-6*float64(len(p.Kernels)) + ops/40e9 + moved/12e9
		return &load{m, s, trueActiveW*s + trueJPerOp*ops + trueJPerByte*moved}, nil
	}
	samples, notes, err := GatherORT(context.Background(), &ort.Library{Version: "1.30.0"},
		SweepOptions{Threads: 1, Seed: 3, For: 60 * time.Second, Date: "2026-01-02", RAPL: r, clock: m, open: open})
	if err != nil {
		t.Fatal(err)
	}
	return samples, notes
}

// TestPowerOfSweep calibrates a machine whose energy per operation and byte is known.
func TestPowerOfSweep(t *testing.T) {
	t.Parallel()
	m := server()
	r, err := openRAPL(m)
	if err != nil {
		t.Fatal(err)
	}
	samples, notes := sweepOn(t, m, r)
	if samples.Get("power-source") != "rapl" || samples.Get("rapl-covers") != "package+dram" || samples.Get("rapl-limit-w") != "190" || len(notes) > 0 {
		t.Errorf("configuration %v, notes %q", samples.Config, notes)
	}
	d, err := ProfileORT(context.Background(), samples, "server")
	if err != nil {
		t.Fatal(err)
	}
	fit := d.FindFit(specs.FitKey{Measure: specs.MeasurePower, Form: form.FormPower, Runtime: "ort-cpu", Threads: 1, Precision: specs.FP32})
	if fit == nil || d.Power.IdleW == nil || d.Power.LimitW == nil || d.Power.Covers != specs.ScopePackageDRAM {
		t.Fatalf("power %+v, fit %+v", d.Power, fit)
	}
	near := func(what string, got, want, within float64) {
		if math.Abs(got/want-1) > within {
			t.Errorf("%s: got %g, want %g within %g %%", what, got, want, 100*within)
		}
	}
	g := fit.Groups["net"]
	near("idle", d.Power.IdleW.Value, m.idleW, 1e-3)
	near("active", g.Term("active_w"), trueActiveW, 0.01)
	near("joules per operation", g.Term("j_per_op"), trueJPerOp, 0.01)
	near("joules per byte", g.Term("j_per_byte"), trueJPerByte, 0.01)
	near("limit of the packages, and the mean of the memory", d.Power.LimitW.Value, 190+0.25*m.joules/m.now.Sub(time.Time{}).Seconds(), 0.005)
	if fit.Score.HeldOutMAPE > 0.01 || fit.Conditions.PowerLimitW != 190 {
		t.Errorf("score %+v, conditions %+v", fit.Score, fit.Conditions)
	}

	model, err := zoo.Build("resnet18", zoo.None)
	if err != nil {
		t.Fatal(err)
	}
	report, err := analyzer.Analyze(context.Background(), model, analyzer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := costmodel.Predict(context.Background(), report, d, costmodel.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := (m.idleW + trueActiveW) * p.LatencyS
	for _, k := range p.Kernels {
		want += trueJPerOp*k.FLOPs + trueJPerByte*k.Bytes
	}
	near("energy of resnet18", float64(p.EnergyJ), want, 0.01)
	if p.PowerProvenance != specs.Calibrated || p.PowerCovers != specs.ScopePackageDRAM {
		t.Errorf("provenance %s, covers %s", p.PowerProvenance, p.PowerCovers)
	}

	var text bytes.Buffer
	if err := samples.Write(&text); err != nil {
		t.Fatal(err)
	}
	again, err := ReadSamples(&text, "samples")
	if err != nil {
		t.Fatal(err)
	}
	d2, err := ProfileORT(context.Background(), again, "server")
	if err != nil {
		t.Fatal(err)
	}
	a, err1 := specs.MarshalDevice(d)
	b, err2 := specs.MarshalDevice(d2)
	if err := errors.Join(err1, err2); err != nil || !bytes.Equal(a, b) {
		t.Errorf("the samples written and read again give another profile (%v)", err)
	}
}

// TestSweepWithoutCounters: no counters, and counters that stand still, leave power out and say so in the samples.
func TestSweepWithoutCounters(t *testing.T) {
	still := server()
	still.idleW = 0
	r, err := openRAPL(still)
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]*RAPL{"none": nil, "still": r} {
		samples, notes := sweepOn(t, &fakeMachine{}, r)
		if samples.Get("power-source") != "unavailable" || slices.ContainsFunc(samples.Samples, func(s Sample) bool {
			_, ok := s.Value(UnitJoules)
			return ok || s.Backend == BackendRAPL
		}) {
			t.Errorf("%s: power-source %s, or samples with energy", name, samples.Get("power-source"))
		}
		if said := slices.ContainsFunc(notes, func(n string) bool { return strings.Contains(n, "energy is unavailable: the counter stands still") }); said != (r != nil) {
			t.Errorf("%s: notes %q", name, notes)
		}
	}
}
