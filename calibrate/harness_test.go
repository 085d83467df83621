package calibrate

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestMedianAndQuantile(t *testing.T) {
	for _, c := range []struct {
		v    []float64
		p    float64
		want float64
	}{
		{[]float64{3}, 0.5, 3}, {[]float64{4, 1}, 0.5, 2.5}, {[]float64{5, 1, 3}, 0.5, 3}, {[]float64{1, 2, 3, 4, 5}, 0.1, 1.4},
		{[]float64{1, 2, 3, 4, 5}, 1, 5}, {[]float64{1, 2, 3, 4, 5}, 0, 1},
	} {
		if got := quantile(c.v, c.p); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("quantile %g of %v: got %g, want %g", c.p, c.v, got, c.want)
		}
	}
	if v := median(nil); !math.IsNaN(v) {
		t.Errorf("median of nothing: got %g, want NaN", v)
	}
}

// TestMedianInterval draws from a distribution whose median is known: the interval has to hold it as often as it says,
// and to need six values for 95 %.
func TestMedianInterval(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const trials = 4000
	for _, n := range []int{6, 15, 40} {
		held := 0
		for range trials {
			v := make([]float64, n)
			for i := range v {
				v[i] = r.ExpFloat64()
			}
			lo, hi, ok := medianInterval(v, 0.95)
			if !ok {
				t.Fatalf("no interval of %d values", n)
			}
			if lo <= math.Ln2 && math.Ln2 <= hi {
				held++
			}
		}
		if share := float64(held) / trials; share < 0.94 {
			t.Errorf("%d values: the interval held the median in %.3f of trials, want at least 0.95", n, share)
		}
	}
	if _, _, ok := medianInterval([]float64{1, 2, 3, 4, 5}, 0.95); ok {
		t.Error("five values gave an interval of 95 %: their range holds the median in 93.75 % of cases")
	}
}

func TestSpearman(t *testing.T) {
	if got := spearman([]float64{1, 2, 3, 4}, []float64{10, 20, 40, 80}); got != 1 {
		t.Errorf("same order: got %g, want 1", got)
	}
	if got := spearman([]float64{1, 2, 3}, []float64{3, 2, 1}); got != -1 {
		t.Errorf("opposite order: got %g, want -1", got)
	}
	if got, want := spearman([]float64{1, 2, 2, 3}, []float64{1, 2, 3, 4}), 0.9486832980505138; math.Abs(got-want) > 1e-12 {
		t.Errorf("ties: got %g, want %g", got, want)
	}
}

// TestTimeTakesTurns checks the order of runs, not their length: every round has a burst of each subject, and the order
// differs from round to round and not from seed to seed.
func TestTimeTakesTurns(t *testing.T) {
	order := func(seed uint64) []int {
		var seen []int
		var subjects []subject
		for i := range 4 {
			subjects = append(subjects, subject{Name: string(rune('a' + i)), Run: func() error {
				if len(seen) == 0 || seen[len(seen)-1] != i {
					seen = append(seen, i)
				}
				return nil
			}})
		}
		timings, err := timeInTurns(context.Background(), subjects, Rules{MinRuns: 1, Rounds: 3, Share: time.Nanosecond, Warmup: 2, Seed: seed}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range timings {
			if len(x.Bursts) != 3 || x.Runs != 3 || !(x.Median > 0) || x.Best > x.Median || x.P10 > x.P90 {
				t.Errorf("%s: got %+v, want three bursts of one run", x.Name, x)
			}
		}
		return seen
	}
	if a, b := order(1), order(1); !slices.Equal(a, b) {
		t.Errorf("the same seed gave %v and %v", a, b)
	}
	if a, b := order(1), order(3); slices.Equal(a, b) {
		t.Errorf("seeds 1 and 3 gave the same order %v", a)
	}
}

func TestTimeStopsAndFails(t *testing.T) {
	broken := errors.New("broken")
	n := 0
	ctx, cancel := context.WithCancel(context.Background())
	timings, err := timeInTurns(ctx, []subject{
		{"fails", func() error { return broken }},
		{"stops", func() error {
			if n++; n == 50 {
				cancel()
			}
			return nil
		}},
	}, Rules{MinRuns: 1000, MinTime: time.Hour, Rounds: 1 << 30, Share: time.Hour, Seed: 1}, nil)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want the context's error", err)
	}
	if !errors.Is(timings[0].Err, broken) || timings[0].Runs != 0 {
		t.Errorf("a subject that fails: got %+v", timings[0])
	}
	if timings[1].Runs == 0 || len(timings[1].Warnings) == 0 {
		t.Errorf("a subject that was stopped: got %+v, want its runs and a warning that they are few", timings[1])
	}
}

func TestTimingSeesLoadAndDrift(t *testing.T) {
	bursts := func(medians ...float64) (s turns) {
		for _, m := range medians {
			s.bursts = append(s.bursts, Burst{Median: m, P10: m, P90: m, Runs: 10})
			for range 10 {
				s.runs = append(s.runs, m)
			}
		}
		return s
	}
	timings := make([]Timing, 3)
	finish(timings, []turns{bursts(1, 1.001, 0.999, 1), bursts(1, 2, 2, 2, 2), bursts(1, 1.1, 1.2, 1.3, 1.4, 1.5)}, DefaultRules(time.Second, 1))
	for i, want := range []int{0, 1, 1} {
		if got := len(timings[i].Warnings); got < want || want == 0 && got > 0 {
			t.Errorf("case %d: got warnings %q, want at least %d", i, timings[i].Warnings, want)
		}
	}
	if timings[1].Best != 1 || timings[1].Median != 2 {
		t.Errorf("best %g, median %g, want 1 and 2", timings[1].Best, timings[1].Median)
	}
	if d := timings[2].Drift; math.Abs(d-(1.45/1.05-1)) > 1e-12 {
		t.Errorf("drift: got %g", d)
	}
}

// TestDisagreeing names the points that a second pass goes back to, the worst first.
func TestDisagreeing(t *testing.T) {
	point := func(n string) Micro { return Micro{"gemv", []Param{{"n", n}}} }
	s := &Samples{}
	add := func(n string, seconds ...float64) {
		for _, v := range seconds {
			x := point(n).Sample()
			x.Params = append(slices.Clone(x.Params), Param{"threads", "2"})
			x.Values = []Value{{v, UnitSeconds}}
			if v < 0 { // disturbed
				x.Values = []Value{{-v, UnitSeconds}, {1.5, UnitDisturbance}}
			}
			s.Samples = append(s.Samples, x)
		}
	}
	add("1", 1.5, 1.0, 1.01, 1.7) // two rounds agree, whatever the others say
	add("2", 1.0, 1.2, 1.3)
	add("3", 2.0)
	add("4", 1.0, 1.0)
	add("5", 1.0, 1.9)
	add("7", 1.0, -1.0)
	var got []string
	for _, b := range disagreeing(s, []Micro{point("1"), point("2"), point("3"), point("4"), point("5"), point("6"), point("7")}) {
		got = append(got, b.Params[0].Value)
	}
	if want := []string{"3", "7", "5", "2"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestNothingIsAffordableLate: a sweep that took longer than it should measures nothing once more.
func TestNothingIsAffordableLate(t *testing.T) {
	m := server()
	g := &gather{o: SweepOptions{For: time.Second, clock: m}, begin: m.now.Add(-time.Minute)}
	g.pass(time.Second)
	if n := g.affordable(); n != 0 {
		t.Errorf("a minute late: time for %d points, want none", n)
	}
}
