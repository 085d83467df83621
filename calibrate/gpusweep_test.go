package calibrate

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onnxcost/onnxcost/calibrate/cuda"
)

// gatherFake runs a sweep on a fake card and checks that it left nothing behind.
func gatherFake(t testing.TB, f *fakeCard, seed uint64, length time.Duration) (*Samples, []string, error) {
	t.Helper()
	s, notes, err := GatherGPU(t.Context(), f, GPUOptions{Seed: seed, For: length, Date: "2026-11-22", clock: f,
		OpenMeter: func(pci string) (cuda.Meter, error) {
			if pci != f.info.PCI {
				t.Errorf("meter at %s", pci)
			}
			return fakeMeter{f}, nil
		}})
	if f.calls["open"] > 0 && !f.closed {
		t.Error("the context was not closed")
	}
	return s, notes, err
}

func count(s *Samples, class, key, value string) int {
	n := 0
	for i := range s.Samples {
		if v, _ := s.Samples[i].Param(key); s.Samples[i].Class == class && (key == "" || v == value) {
			n++
		}
	}
	return n
}

func TestGatherGPU(t *testing.T) {
	f := newFakeCard(t)
	s, notes, err := gatherFake(t, f, 7, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if f.now > 66 {
		t.Errorf("took %.1f s of virtual time, want about 60", f.now)
	}
	for _, d := range cuda.DTypes(f.info) {
		if n := count(s, classGEMM, "dtype", string(d)); n < 30 {
			t.Errorf("%s: %d products, want at least 30", d, n)
		}
		if n := count(s, classPower, "dtype", string(d)); n == 0 {
			t.Errorf("%s: no power", d)
		}
	}
	for _, c := range [][2]string{{"cache", "cold"}, {"cache", "warm"}} {
		if n := count(s, classStream, c[0], c[1]); n < 8 {
			t.Errorf("stream %s: %d samples, want at least 8", c[1], n)
		}
	}
	for _, mode := range []string{modeStream, modeGraph, modeHost} {
		if count(s, classLaunch, "mode", mode) == 0 {
			t.Errorf("no launches in mode %s", mode)
		}
	}
	for _, key := range []string{"gpu", "gpu-sms", "gpu-l2-bytes", "cuda", "cublaslt", "driver", "seed", "gpu-power-limit-w", "gpu-temperature-c", "gpu-throttle", "anchor-spread", "recheck-drift", "power-source"} {
		if s.Get(key) == "" {
			t.Errorf("no %s in the configuration", key)
		}
	}
	for _, n := range notes {
		if strings.Contains(n, "left out") || strings.Contains(n, "clocks changed") {
			t.Errorf("note %q", n)
		}
	}
	var first, again bytes.Buffer
	if err := s.Write(&first); err != nil {
		t.Fatal(err)
	}
	back, err := ReadSamples(bytes.NewReader(first.Bytes()), "samples")
	if err != nil {
		t.Fatal(err)
	}
	if err := back.Write(&again); err != nil || !bytes.Equal(first.Bytes(), again.Bytes()) {
		t.Errorf("the samples changed in writing and reading (%v)", err)
	}
}

// TestGatherGPUMeasures compares medians with what the card takes: events, batches, graphs and rotation leave no trace.
func TestGatherGPUMeasures(t *testing.T) {
	f := newFakeCard(t)
	f.noise = 0
	s, _, err := gatherFake(t, f, 3, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	worst := 0.0
	for i := range s.Samples {
		x := &s.Samples[i]
		sec, _ := x.Value(UnitSeconds)
		want := 0.0
		cache, _ := x.Param("cache")
		hit := func(bytes float64) float64 {
			if cache == "cold" {
				return 0
			}
			return math.Max(0, math.Min(1, 2-bytes/f.usable))
		}
		switch x.Class {
		case classGEMM:
			g, err := gemmOf(x)
			if err != nil {
				t.Fatal(err)
			}
			a, b, d := g.Sizes()
			bytes := float64((a+255)/256*256 + (b+255)/256*256 + (d+255)/256*256)
			h := hit(bytes)
			padded := g
			if g.DType != cuda.FP32 {
				padded.N, padded.K = (g.N+7)/8*8, (g.K+7)/8*8
			}
			p := f.products[g.DType]
			want = p.start + math.Max(p.seconds(padded, 120, f.dram), bytes*(h/f.cache+(1-h)/f.dram)/p.share)
		case classStream:
			n, _ := x.Int("bytes")
			h := hit(float64(n))
			want = f.start + float64(n)*(h/f.cache+(1-h)/f.dram)
		default:
			continue
		}
		if mode, _ := x.Param("mode"); mode == modeStream {
			want += f.gap
		}
		e := math.Abs(sec/want - 1)
		worst = math.Max(worst, e)
		if e > 0.015 {
			t.Errorf("%s: got %.4g s, the card takes %.4g", x.Name(), sec, want)
		}
	}
	t.Logf("largest error %.2f %%", 100*worst)
}

func TestGatherGPUOutOfMemory(t *testing.T) {
	f := newFakeCard(t)
	f.memory = 1 << 30
	s, notes, err := gatherFake(t, f, 1, 30*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(notes, func(n string) bool { return strings.Contains(n, "bytes of the card's memory") }) {
		t.Errorf("nothing was said of the large points: %q", notes)
	}
	if count(s, classGEMM, "", "") < 50 {
		t.Errorf("%d products, want the small ones", count(s, classGEMM, "", ""))
	}
	// Memory that is promised and then not to be had.
	f = newFakeCard(t)
	refused := 0
	f.fail = func(call string, n int) error {
		if call == "alloc" && f.used > 1<<29 {
			refused++
			return cuda.NewError("cuMemAlloc", 2, "out of memory")
		}
		return nil
	}
	if _, notes, err = gatherFake(t, f, 1, 30*time.Second); err != nil || refused == 0 {
		t.Fatalf("got %v after %d refusals, want the sweep to shrink", err, refused)
	}
	if !slices.ContainsFunc(notes, func(n string) bool { return strings.Contains(n, "points that need more than") }) {
		t.Errorf("nothing was said of the shrinking: %q", notes)
	}
}

func TestGatherGPUFails(t *testing.T) {
	f := newFakeCard(t)
	f.fail = func(call string, n int) error {
		if call == "gemm" && n > 3000 {
			return cuda.NewError("cublasLtMatmul", 13, "CUBLAS_STATUS_EXECUTION_FAILED")
		}
		return nil
	}
	s, _, err := gatherFake(t, f, 1, time.Minute)
	var e *cuda.Error
	if !errors.As(err, &e) || e.Code != 13 {
		t.Fatalf("got %v, want the library's error", err)
	}
	if s == nil || len(s.Samples) == 0 {
		t.Error("the samples before the failure are lost")
	}
	f = newFakeCard(t)
	f.lacks = map[cuda.DType]bool{cuda.FP8: true}
	s, notes, err := gatherFake(t, f, 1, time.Minute)
	if err != nil || count(s, classGEMM, "dtype", "fp8") > 0 || !slices.ContainsFunc(notes, func(n string) bool { return strings.HasPrefix(n, "fp8 is left out") }) {
		t.Errorf("without fp8: got %v, notes %q", err, notes)
	}
	f = newFakeCard(t)
	f.fail = func(call string, n int) error {
		if call == "module" {
			return cuda.NewError("cuModuleLoadDataEx", 218, "a PTX JIT compilation failed")
		}
		return nil
	}
	if _, _, err := gatherFake(t, f, 1, time.Minute); err == nil || !strings.Contains(err.Error(), "cuModuleLoadDataEx") {
		t.Errorf("got %v, want the function that failed", err)
	}
}

// TestGatherGPUInterrupted stops in the middle: the samples so far stay, the card is clean.
func TestGatherGPUInterrupted(t *testing.T) {
	for _, at := range []float64{5, 25, 50} {
		f := newFakeCard(t)
		ctx, cancel := context.WithCancel(t.Context())
		f.onCall = func() {
			if f.now > at {
				cancel()
			}
		}
		s, _, err := GatherGPU(ctx, f, GPUOptions{Seed: 1, For: time.Minute, clock: f, OpenMeter: func(string) (cuda.Meter, error) { return fakeMeter{f}, nil }})
		cancel()
		if !errors.Is(err, context.Canceled) || !f.closed {
			t.Errorf("at %g s: got %v, closed %v", at, err, f.closed)
		}
		if s == nil || len(s.Samples) == 0 || f.now > at+1 {
			t.Errorf("at %g s: %d samples, stopped at %.1f s", at, len(s.Samples), f.now)
		}
	}
}

func TestGatherGPUSeesThrottling(t *testing.T) {
	f := newFakeCard(t)
	f.slow = func(at float64) float64 {
		if at > 25 {
			return 1.2
		}
		return 1
	}
	s, notes, err := gatherFake(t, f, 1, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(notes, func(n string) bool { return strings.Contains(n, "the clocks changed (sw-power-cap)") }) ||
		!slices.ContainsFunc(notes, func(n string) bool { return strings.Contains(n, "measured again at the end differ") }) {
		t.Errorf("slower by a fifth from half-way on: notes %q, anchors %s", notes, s.Get("anchor-spread"))
	}
}

func TestGatherGPUPower(t *testing.T) {
	f := newFakeCard(t)
	s, notes, err := gatherFake(t, f, 1, 90*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	for i := range s.Samples {
		x := &s.Samples[i]
		if x.Class != classPower {
			continue
		}
		got, _ := x.Value(UnitWatts)
		sec, _ := x.Value(UnitSeconds)
		want := f.idleW
		switch kind, _ := x.Param("kind"); kind {
		case powerIdle:
		case powerLight:
			// The card pauses between kernels for the host.
			want += f.activeW * 2.11 / 2.81
		case powerMemory:
			n, _ := x.Int("bytes")
			want += f.activeW + float64(n)*f.joulesByte/sec
		default:
			g, err := gemmOf(x)
			if err != nil {
				t.Fatal(err)
			}
			n, _ := x.Int("bytes")
			a, b, d := g.Sizes()
			dyn := g.FLOPs()*f.joulesOp[g.DType] + float64(n)*f.joulesByte
			// The operands of large products come from memory; those of small ones from the cache.
			want += f.activeW + dyn/sec
			if float64(a+b+d) > 2*f.usable {
				want += float64(a+b+d) * f.joulesByte / sec
			}
		}
		if math.Abs(got/want-1) > 0.05 {
			t.Errorf("%s: got %.1f W, want %.1f", x.Name(), got, want)
		}
	}
	for _, n := range notes {
		if strings.Contains(n, "off the energy counter") {
			t.Errorf("note %q on a card whose sensors agree", n)
		}
	}
	if s.Get("power-source") != "energy-counter" {
		t.Errorf("power source %q", s.Get("power-source"))
	}
}

func TestGatherGPUSensors(t *testing.T) {
	f := newFakeCard(t)
	f.powerBias = 0.12
	_, notes, err := gatherFake(t, f, 1, 40*time.Second)
	flagged := 0
	for _, n := range notes {
		if strings.Contains(n, " % off the energy counter: ") {
			flagged++
		}
	}
	if err != nil || flagged < 8 {
		t.Errorf("sensors that disagree by 12 %%: got %v, notes %q", err, notes)
	}
	f = newFakeCard(t)
	f.noEnergy = true
	s, _, err := gatherFake(t, f, 1, 40*time.Second)
	if err != nil || s.Get("power-source") != "integrated-power" || count(s, classPower, "", "") < 5 {
		t.Errorf("without a counter: got %v, source %q", err, s.Get("power-source"))
	}
	f = newFakeCard(t)
	f.noEnergy, f.noPower = true, true
	s, notes, err = gatherFake(t, f, 1, 40*time.Second)
	if err != nil || s.Get("power-source") != "unavailable" || count(s, classPower, "", "") != 0 || !slices.ContainsFunc(notes, func(n string) bool { return strings.HasPrefix(n, "power is unavailable") }) {
		t.Errorf("without sensors: got %v, source %q, notes %q", err, s.Get("power-source"), notes)
	}
	f = newFakeCard(t)
	s, notes, err = GatherGPU(t.Context(), f, GPUOptions{Seed: 1, For: 20 * time.Second, clock: f,
		OpenMeter: func(string) (cuda.Meter, error) { return nil, errors.New("no NVML") }})
	if err != nil || count(s, classPower, "", "") != 0 || !slices.ContainsFunc(notes, func(n string) bool { return n == "power is unavailable: no NVML" }) {
		t.Errorf("without NVML: got %v, notes %q", err, notes)
	}
}

// TestGatherGPUSlowCard runs on a card a hundred times slower: the sweep stays within its time.
func TestGatherGPUSlowCard(t *testing.T) {
	f := newFakeCard(t)
	f.info.Major, f.info.Minor, f.info.SMs, f.info.L2Bytes, f.memory = 6, 1, 10, 1<<20, 4<<30
	f.dram, f.cache, f.usable = 80e9, 200e9, 512<<10
	f.products = map[cuda.DType]fakeProducts{cuda.FP32: {1.7e12, 5e-6, 6, 30, 1.5, 0.9}}
	s, _, err := gatherFake(t, f, 1, 30*time.Second)
	if err != nil || f.now > 40 {
		t.Fatalf("got %v after %.1f s", err, f.now)
	}
	if n := count(s, classGEMM, "dtype", "fp32"); n < 12 {
		t.Errorf("%d products, want at least 12", n)
	}
}
