package calibrate

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onnxcost/onnxcost/calibrate/cuda"
)

func TestGatherGPUSeesThrottling(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
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
