package calibrate

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// phases is a machine whose time passes only by what runs on it, and that is slower while slow says so.
type phases struct {
	now  time.Time
	slow func(sinceStart time.Duration) float64
}

func (m *phases) Now() time.Time        { return m.now }
func (m *phases) Sleep(d time.Duration) { m.now = m.now.Add(d) }

func (m *phases) run(d time.Duration) func() error {
	return func() error {
		m.now = m.now.Add(time.Duration(float64(d) * m.slow(m.now.Sub(time.Time{}))))
		return nil
	}
}

// TestProbe measures on a machine that is 2.5 times slower in phases: with a probe, the bursts of such a phase are known
// as disturbed and none of them decides; waiting keeps within the patience.
func TestProbe(t *testing.T) {
	const phase = 100 * time.Millisecond
	measure := func(with bool, patience time.Duration, slow func(time.Duration) float64) (Timing, time.Duration, *probe) {
		m := &phases{slow: slow}
		rules := Rules{MinRuns: 5, MinTime: time.Second, Share: 60 * time.Millisecond, Rounds: 6, Warmup: 1, Seed: 1, clock: m}
		if with {
			rules.probe = &probe{run: m.run(10 * time.Microsecond), patience: patience}
		}
		timings, err := timeInTurns(context.Background(), []subject{{"net", m.run(time.Millisecond)}, {"other", m.run(3 * time.Millisecond)}}, rules, nil)
		if err != nil || timings[0].Err != nil {
			t.Fatal(err, timings[0].Err)
		}
		return timings[0], m.now.Sub(time.Time{}), rules.probe
	}
	alternating := func(since time.Duration) float64 {
		if since/phase%2 == 1 {
			return 2.5
		}
		return 1
	}
	steady := func(time.Duration) float64 { return 2.5 }

	got, _, p := measure(true, time.Second, alternating)
	if d := got.Best; d < 0.999e-3 || d > 1.001e-3 || p.patience > 990*time.Millisecond {
		t.Errorf("best %g s with %v of patience left, want 1 ms and some waiting", d, p.patience)
	}
	for _, b := range got.Bursts {
		if b.Median > 1.1e-3 && b.calm() {
			t.Errorf("a burst of %g s is called calm, disturbance %g", b.Median, b.Disturbance)
		}
	}
	if got, took, p := measure(true, time.Second, steady); got.Best < 2.4e-3 || p.patience != time.Second || took > 400*time.Millisecond {
		t.Errorf("a machine that is never faster: best %g s, %v of patience left, took %v", got.Best, p.patience, took)
	}
	once := func(since time.Duration) float64 { // calm at the beginning only
		if since > 30*time.Millisecond {
			return 2.5
		}
		return 1
	}
	m := &phases{slow: steady}
	timings, err := timeInTurns(context.Background(), []subject{{"net", m.run(time.Millisecond)}},
		Rules{MinRuns: 5, Share: 20 * time.Millisecond, Rounds: 3, clock: m, probe: &probe{run: m.run(10 * time.Microsecond), known: 10e-6, patience: time.Second}}, nil)
	if err != nil || timings[0].Bursts[0].calm() || len(timings[0].Warnings) != 1 || m.now.Sub(time.Time{}) < time.Second {
		t.Errorf("a machine slower than it is known to be: got %+v after %v, want a warning after waiting (%v)", timings[0], m.now.Sub(time.Time{}), err)
	}
	got, took, p := measure(true, 50*time.Millisecond, once)
	if p.patience > 0 || took > 400*time.Millisecond || len(got.Bursts) < 3 {
		t.Errorf("no calm any more: %v of patience left, took %v, %d bursts; want it to be measured as it is", p.patience, took, len(got.Bursts))
	}
	if got, _, _ := measure(false, 0, alternating); got.Bursts[0].Disturbance != 0 || !got.Bursts[0].calm() {
		t.Errorf("without a probe: got %+v", got.Bursts[0])
	}
}

func TestBestIsOfCalmBursts(t *testing.T) {
	bursts := []Burst{{Median: 3, Disturbance: 1.01}, {Median: 2, Disturbance: 1.5}, {Median: 2.5, Disturbance: 1.1}}
	if got, _ := undisturbed(observations(bursts), 0); got != 2.5 {
		t.Errorf("got %g, want the lowest of the calm ones", got)
	}
	for i := range bursts {
		bursts[i].Disturbance = 2
	}
	if got, _ := undisturbed(observations(bursts), 0); got != 2 {
		t.Errorf("all disturbed: got %g, want the lowest of all", got)
	}
}

// TestProbeFails leaves the measurement alone.
func TestProbeFails(t *testing.T) {
	m := &phases{slow: func(time.Duration) float64 { return 1 }}
	p := &probe{run: func() error { return errors.New("broken") }, patience: time.Second}
	timings, err := timeInTurns(context.Background(), []subject{{"net", m.run(time.Millisecond)}},
		Rules{MinRuns: 1, Share: time.Millisecond, Rounds: 3, Warmup: 1, clock: m, probe: p}, nil)
	if err != nil || timings[0].Runs == 0 || timings[0].Bursts[0].Disturbance != 0 || p.err == nil {
		t.Errorf("got %+v, %v; probe's error %v", timings, err, p.err)
	}
}

func TestAffinities(t *testing.T) {
	if got := affinities([]int{2, 3, 0}); got != "4;1" {
		t.Errorf("affinities: got %q", got)
	}
	if got := affinities([]int{2}); got != "" {
		t.Errorf("affinities of one thread: got %q", got)
	}
}

// TestTakenBackToQuiet: on a machine that is never quiet, bursts that slow down with the probe give the time in quiet back,
// whatever each of them was slowed by; where a burst was quiet, it alone counts.
func TestTakenBackToQuiet(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	const follows = 0.8
	var all [][]observed
	var truth []float64
	for range 60 {
		own := math.Exp(-9 + 4*r.Float64())
		truth = append(truth, own)
		var bursts []observed
		for range 5 {
			d := 1.15 + 0.9*r.Float64()
			bursts = append(bursts, observed{own * math.Pow(d, follows) * math.Exp(0.03*r.NormFloat64()), d, 0})
		}
		all = append(all, bursts)
	}
	e := elasticity(all)
	if math.Abs(e-follows) > 0.05 {
		t.Errorf("times follow the probe by %.2f, want %.2f", e, follows)
	}
	var off []float64
	for i, b := range all {
		got, quiet := undisturbed(b, e)
		off = append(off, math.Abs(got/truth[i]-1))
		if quiet {
			t.Errorf("bursts %v: said to be quiet", b)
		}
	}
	if m := median(off); m > 0.03 {
		t.Errorf("half of the times are more than %.1f %% off", 100*m)
	}
	if got, quiet := undisturbed([]observed{{2, 1.5, 1.3}, {1.4, 1.05, 1.02}, {1.2, 1.3, 1.2}}, e); got != 1.4 || !quiet {
		t.Errorf("got %g, quiet %t, want that of the quiet burst, 1.4", got, quiet)
	}
	if e := elasticity(all[:5]); e != 0 {
		t.Errorf("of 25 bursts: %g, want 0, nothing known", e)
	}
}
