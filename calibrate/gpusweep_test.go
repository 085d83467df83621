package calibrate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
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
	if f.opened && !f.closed {
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
	t.Parallel()
	f := newFakeCard(t)
	s, notes, err := gatherFake(t, f, 7, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if f.now > 60.5 {
		t.Errorf("took %.1f s of virtual time, want at most 60", f.now)
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
		if strings.Contains(n, "left out") && !strings.HasPrefix(n, "the time is short: mixed loops") || strings.Contains(n, "clocks changed") {
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
	t.Parallel()
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
	t.Parallel()
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
	// A card that others have almost filled: even the probe shrinks.
	f = newFakeCard(t)
	f.memory = 40 << 20
	s, notes, err = gatherFake(t, f, 1, 20*time.Second)
	if err != nil || count(s, classGEMM, "dtype", "fp32") < 5 || count(s, classStream, "", "") < 5 {
		t.Fatalf("40 MiB: got %v, %d products, notes %q", err, count(s, classGEMM, "", ""), notes)
	}
	for i := range s.Samples {
		if g, err := gemmOf(&s.Samples[i]); err == nil && s.Samples[i].Class == classGEMM {
			if a, b, d := g.Sizes(); a+b+d > 20<<20 {
				t.Errorf("40 MiB: %s was measured", s.Samples[i].Name())
			}
		}
	}
}

// TestGatherGPUCleansUp lets every kind of call fail, early and late, once out of memory and once for good, and cancels at
// moments all over a sweep: whatever happens, everything is given back (the fake card's Close counts), and samples that
// were complete are returned.
func TestGatherGPUCleansUp(t *testing.T) {
	t.Parallel()
	whole := newFakeCard(t)
	all, _, err := gatherFake(t, whole, 1, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	boom := cuda.NewError("cuFake", 719, "unspecified launch failure")
	for call, n := range whole.calls {
		for _, at := range []int{1, (n + 1) / 2, n} {
			f := newFakeCard(t)
			f.fail = func(c string, i int) error {
				if c == call && i >= at {
					return boom
				}
				return nil
			}
			s, _, err := gatherFake(t, f, 1, 5*time.Second)
			if !errors.Is(err, boom) && call != "graph" { // what cannot be recorded is timed in a stream
				t.Errorf("%s fails from call %d on: got %v", call, at, err)
			}
			if at == n && n > 10 && (s == nil || len(s.Samples) < len(all.Samples)/2) {
				t.Errorf("%s fails at the end: the samples are lost", call)
			}
		}
		f := newFakeCard(t)
		f.fail = func(c string, i int) error {
			if c == call && i == (n+1)/2 {
				return cuda.NewError("cuMemAlloc", 2, "out of memory")
			}
			return nil
		}
		if _, _, err := gatherFake(t, f, 1, 5*time.Second); err != nil && !cuda.OutOfMemory(err) {
			t.Errorf("%s is out of memory once: got %v", call, err)
		}
	}
	for at := 1; at < 40000; at = at*3 + 1 {
		f := newFakeCard(t)
		ctx, cancel := context.WithCancel(t.Context())
		launches := 0
		f.onCall = func() {
			if launches++; launches == at {
				cancel()
			}
		}
		s, _, err := GatherGPU(ctx, f, GPUOptions{Seed: 1, For: 5 * time.Second, clock: f, OpenMeter: func(string) (cuda.Meter, error) { return fakeMeter{f}, nil }})
		cancel()
		if launches >= at && !errors.Is(err, context.Canceled) || !f.closed || s == nil {
			t.Errorf("cancelled at launch %d of %d: got %v, closed %v", at, launches, err, f.closed)
		}
		if err := s.Write(&bytes.Buffer{}); err != nil {
			t.Errorf("cancelled at launch %d: the samples cannot be written: %v", at, err)
		}
	}
}

// TestGPUSweep checks what is drawn: every family of shapes, the ranges, an order that only the seed decides, and shapes
// that two cards have in common.
func TestGPUSweep(t *testing.T) {
	info := newFakeCard(t).info
	sweep := func(seed uint64, n int, rate float64) []gpuPoint {
		largest := map[cuda.DType]float64{}
		for _, d := range cuda.DTypes(info) {
			largest[d] = rate * longestRun
		}
		return gpuSweep(seed, info, n, largest)
	}
	points := sweep(1, 80, 800e12)
	families := map[string]int{}
	var low, high int64 = math.MaxInt64, 0
	square := map[int64]bool{}
	for i := range points {
		p := &points[i]
		if p.class != classGEMM {
			families[p.class+" "+p.kind]++
			if p.class == classStream {
				low, high = min(low, p.bytes), max(high, p.bytes)
			}
			continue
		}
		g := p.gemm
		families["gemm "+string(g.DType)]++
		switch {
		case g.Batch > 1:
			families["batched"]++
		case g.M == g.N && g.N == g.K:
			square[g.M] = true
		case g.M <= 64:
			families["skinny"]++
		case g.K%9 == 0:
			families["3x3 convolution"]++
		}
		if g.Batch > 512 || max(g.N, g.K) > 25*1024 || g.FLOPs() > 800e12*longestRun {
			t.Errorf("drew %+v", g)
		}
	}
	for _, name := range []string{"gemm fp32", "gemm tf32", "gemm fp16", "gemm bf16", "gemm int8", "gemm fp8"} {
		if families[name] != 80 {
			t.Errorf("%s: %d products, want 80", name, families[name])
		}
	}
	for _, name := range []string{"batched", "skinny", "3x3 convolution", "stream copy", "stream triad", "stream relu", "stream memcpy", "launch empty", "launch busy"} {
		if families[name] == 0 {
			t.Errorf("no %s", name)
		}
	}
	for _, n := range squares {
		if !square[n] {
			t.Errorf("no square of %d", n)
		}
	}
	if low > 2*streamLow || high < streamHigh/2 || high > streamHigh {
		t.Errorf("bandwidth from %d to %d bytes", low, high)
	}
	if !slices.Equal(points, sweep(1, 80, 800e12)) {
		t.Error("one seed gave two orders")
	}
	if slices.Equal(points, sweep(2, 80, 800e12)) {
		t.Error("two seeds gave one order")
	}
	common := 0
	for _, p := range sweep(1, 40, 300e12) { // a slower card, a shorter sweep
		if p.class == classGEMM && slices.Contains(points, p) {
			common++
		}
	}
	if common < 6*40*9/10 {
		t.Errorf("%d of %d products of a slower card are in the sweep of a faster one", common, 6*40)
	}
}

// TestBenchstatComparesCards runs the real tool on the samples of two cards.
func TestBenchstatComparesCards(t *testing.T) {
	t.Parallel()
	tool, err := exec.LookPath("benchstat")
	if err != nil {
		t.Skip("needs benchstat in PATH")
	}
	dir := t.TempDir()
	args := []string{"-ignore", "/mode,/cache"} // how a point was timed may differ
	for _, slower := range []float64{1, 1.5} {
		f := newFakeCard(t)
		f.info.Name = fmt.Sprintf("NVIDIA Fake %g", slower)
		f.slow = func(float64) float64 { return slower }
		s, _, err := gatherFake(t, f, 1, 15*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := s.Write(&b); err != nil {
			t.Fatal(err)
		}
		p := filepath.Join(dir, fmt.Sprintf("%g.txt", slower))
		if err := os.WriteFile(p, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, p)
	}
	out, err := exec.Command(tool, args...).CombinedOutput()
	if rows := strings.Count(string(out), "/class=gemm/dtype=fp16/"); err != nil || rows < 10 || !strings.Contains(string(out), "1.5.txt") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestGatherGPUFails(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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

// TestGatherGPUSlowCard runs on a card a hundred times slower: the sweep stays within its time.
func TestGatherGPUSlowCard(t *testing.T) {
	t.Parallel()
	f := newFakeCard(t)
	f.info.Major, f.info.Minor, f.info.SMs, f.info.L2Bytes, f.memory = 6, 1, 10, 1<<20, 4<<30
	f.dram, f.cache, f.usable = 80e9, 200e9, 512<<10
	f.products = map[cuda.DType]fakeProducts{cuda.FP32: {1.7e12, 5e-6, 6, 30, 1.5, 0.9}}
	s, _, err := gatherFake(t, f, 1, 30*time.Second)
	if err != nil || f.now > 31 {
		t.Fatalf("got %v after %.1f s", err, f.now)
	}
	if n := count(s, classGEMM, "dtype", "fp32"); n < 12 {
		t.Errorf("%d products, want at least 12", n)
	}
}
