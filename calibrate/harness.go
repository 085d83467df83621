package calibrate

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"github.com/onnxcost/onnxcost/calibrate/internal/machine"
)

// A subject is something to time.
type subject struct {
	Name string
	Run  func() error // once
}

// Rules say when a subject has been measured enough. The zero value is not useful; see DefaultRules.
type Rules struct {
	MinRuns int           // timed runs
	MinTime time.Duration // timed in all
	Spread  float64       // half-width of the 95 % interval of the median, relative to it
	Share   time.Duration // time after which a subject is done whatever its spread
	Rounds  int           // bursts that a share is cut into: subjects take turns, so that drift hits all alike
	Warmup  int           // untimed runs before the first burst; every later burst begins with one
	Seed    uint64        // of the order of the subjects within a round

	RAPL  *RAPL   // read around every burst; nil leaves energy out
	IdleW float64 // what the counters showed before, with nothing running

	clock  hostClock     // nil for the wall's
	cpus   []int         // the first is the calling thread's; nil leaves it to the system
	settle time.Duration // before a burst, for the threads of the subject before it to go to sleep
	probe  *probe        // nil for none
}

// DefaultRules are nvbench's, shortened: ten runs, 0.2 s and 1 %, or the share of the time.
func DefaultRules(share time.Duration, seed uint64) Rules {
	return Rules{MinRuns: 10, MinTime: 200 * time.Millisecond, Spread: 0.01, Share: share, Rounds: 6, Warmup: 2, Seed: seed}
}

// A Timing is what was seen of a subject.
type Timing struct {
	Name   string
	Bursts []Burst // in the order of time
	Runs   int     // timed
	// Median, P10, P90 are seconds of one run, over all runs; Lo and Hi the 95 % interval of the median.
	Median, P10, P90, Lo, Hi float64
	// Spread is the half-width of the interval relative to the median.
	Spread float64
	// Best is the time in quiet: the lowest median of a burst that nothing was seen to disturb. Other processes only ever
	// add time, and on a shared machine they come and go in phases longer than a burst. Where every burst was disturbed it
	// is their median, each taken back by how much longer the probe took beside it.
	Best float64
	// Drift is the median of the last third of the bursts relative to that of the first, less 1; 0 below three bursts.
	Drift    float64
	Energy   *Energy // nil where it was not counted
	Warnings []string
	Err      error // the run that failed; the timing is then empty
}

// A Burst is one turn of a subject: consecutive timed runs.
type Burst struct {
	Median, P10, P90 float64 // seconds
	Runs             int
	Energy           *Window // nil where it was not counted
	// Disturbance is how much longer than in calm a probe took before or after the burst, at least 1; 0 without a probe.
	Disturbance float64
	// Around is the geometric mean of how much longer it took before and after; 0 without a probe.
	Around        float64
	before, after float64 // readings of the probe, in seconds
}

// calm reports whether nothing was seen to disturb the burst.
func (b *Burst) calm() bool { return b.Disturbance <= disturbed }

// A Window is what the energy counters showed over a burst, its untimed runs included.
type Window struct {
	Joules, Seconds float64
	Runs            int
}

// Energy is what one run takes, the mean over whole bursts.
type Energy struct {
	Joules    float64 // of everything that the counters see, idle power included
	NetJoules float64 // above the idle power
	Watts     float64 // mean power, idle power included
	NetWatts  float64
}

// maxBurst bounds the runs of a burst; beyond it they say nothing new.
const maxBurst = 2000

// timeInTurns runs the subjects in turns, round by round in random order, until each has been measured enough. When ctx
// ends it returns what there is, together with ctx's error; a subject without a single timed run then has Runs 0. A
// subject whose run fails is left out from then on, with its Err.
func timeInTurns(ctx context.Context, subjects []subject, rules Rules, progress func(done, total int)) ([]Timing, error) {
	if rules.clock == nil {
		rules.clock = wallClock{}
	}
	timings := make([]Timing, len(subjects))
	state := make([]turns, len(subjects))
	for i := range subjects {
		timings[i].Name = subjects[i].Name
	}
	r := rand.New(rand.NewPCG(rules.Seed, 0x7472696d))
	runtime.LockOSThread() // a move to another thread between runs would show in the spread
	defer runtime.UnlockOSThread()
	if len(rules.cpus) > 0 {
		defer machine.Pin(rules.cpus[0])()
	}
	var last *turns // whose latest burst waits for the reading after it
	for left := len(subjects); left > 0; {
		left = 0
		for _, i := range r.Perm(len(subjects)) {
			t, s := &timings[i], &state[i]
			if s.done {
				continue
			}
			if ctx.Err() == nil {
				before := frame(ctx, last, rules)
				t.Err = s.turn(ctx, subjects[i].Run, rules)
				if last = s; t.Err == nil {
					s.latest().before = before
				}
			}
			if ctx.Err() != nil {
				finish(timings, state, rules)
				return timings, ctx.Err()
			}
			if s.done = t.Err != nil || s.enough(rules); !s.done {
				left++
			}
		}
		if progress != nil {
			progress(len(subjects)-left, len(subjects))
		}
	}
	frame(ctx, last, rules)
	finish(timings, state, rules)
	return timings, nil
}

// frame reads the probe between two bursts: after the latest of last, nil for none, and, when the machine is calm or there
// is no more patience, before the next, which it returns.
func frame(ctx context.Context, last *turns, rules Rules) float64 {
	rules.clock.Sleep(rules.settle)
	after, before := rules.probe.await(ctx, rules.clock)
	if b := last.latest(); b != nil {
		b.after = after
	}
	return before
}

// turns is the state of one subject while the rounds go on.
type turns struct {
	bursts []Burst
	runs   []float64
	total  float64 // seconds timed
	spent  time.Duration
	warm   bool
	done   bool
}

// latest is the last burst; nil before the first.
func (s *turns) latest() *Burst {
	if s == nil || len(s.bursts) == 0 {
		return nil
	}
	return &s.bursts[len(s.bursts)-1]
}

// turn is one burst: warm-up runs, then timed ones for a round's part of the share.
func (s *turns) turn(ctx context.Context, run func() error, rules Rules) error {
	clock := rules.clock
	begin := clock.Now()
	defer func() { s.spent += clock.Now().Sub(begin) }()
	count := rules.RAPL.count(clock)
	warmup := 1
	if !s.warm {
		warmup = max(1, rules.Warmup)
	}
	for range warmup {
		if err := run(); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
		count.poll(clock.Now())
	}
	s.warm = true
	part := rules.Share / time.Duration(max(1, rules.Rounds))
	first := len(s.runs)
	for n := 0; n == 0 || n < maxBurst && clock.Now().Sub(begin) < part; n++ {
		start := clock.Now()
		err := run()
		end := clock.Now()
		d := end.Sub(start).Seconds()
		if err != nil {
			return err
		}
		s.runs = append(s.runs, d)
		s.total += d
		if ctx.Err() != nil {
			break
		}
		count.poll(end)
	}
	burst := s.runs[first:]
	energy := count.window(clock, warmup+len(burst))
	s.bursts = append(s.bursts, Burst{Median: median(burst), P10: quantile(burst, 0.1), P90: quantile(burst, 0.9), Runs: len(burst), Energy: energy})
	return nil
}

// enough reports whether the rules let a subject go.
func (s *turns) enough(rules Rules) bool {
	if s.spent >= rules.Share && len(s.bursts) >= min(3, rules.Rounds) {
		return true
	}
	if len(s.runs) < rules.MinRuns || s.total < rules.MinTime.Seconds() || len(s.bursts) < min(3, rules.Rounds) {
		return false
	}
	lo, hi, ok := medianInterval(s.runs, 0.95)
	return ok && (hi-lo)/2 <= rules.Spread*median(s.runs)
}

// finish sums up what was seen.
func finish(timings []Timing, state []turns, rules Rules) {
	var seen [][]observed
	for i := range timings {
		rules.probe.judge(state[i].bursts)
		seen = append(seen, observations(state[i].bursts))
	}
	follow := elasticity(seen)
	for i := range timings {
		t, s := &timings[i], &state[i]
		if t.Err != nil {
			continue
		}
		t.Bursts, t.Runs = s.bursts, len(s.runs)
		if t.Runs == 0 {
			continue
		}
		t.Median, t.P10, t.P90 = median(s.runs), quantile(s.runs, 0.1), quantile(s.runs, 0.9)
		var ok bool
		t.Lo, t.Hi, ok = medianInterval(s.runs, 0.95)
		t.Spread = (t.Hi - t.Lo) / 2 / t.Median
		t.Best, _ = undisturbed(seen[i], follow)
		t.Drift = drift(s.bursts)
		t.Energy = energyOf(s.bursts, rules.IdleW)
		if !ok || t.Runs < rules.MinRuns {
			t.Warnings = append(t.Warnings, fmt.Sprintf("only %d runs, want %d", t.Runs, rules.MinRuns))
		}
		if ok && t.Spread > 3*rules.Spread {
			t.Warnings = append(t.Warnings, fmt.Sprintf("the median is known to ±%.1f %% only: another process, or changing clocks", 100*t.Spread))
		}
		if t.Median > 1.1*t.Best {
			t.Warnings = append(t.Warnings, fmt.Sprintf("the median is %.0f %% above the best burst: the machine was busy with something else", 100*(t.Median/t.Best-1)))
		}
		if least := slices.MinFunc(t.Bursts, func(a, b Burst) int { return cmp.Compare(a.Disturbance, b.Disturbance) }); !least.calm() {
			t.Warnings = append(t.Warnings, fmt.Sprintf("the machine was never calm: a small kernel took %.0f %% longer than it has been seen to", 100*(least.Disturbance-1)))
		}
		if limit := max(0.03, 2*t.Spread); math.Abs(t.Drift) > limit {
			t.Warnings = append(t.Warnings, fmt.Sprintf("the last rounds are %+.1f %% off the first", 100*t.Drift))
		}
	}
}

// observations are the bursts without their runs.
func observations(bursts []Burst) []observed {
	out := make([]observed, len(bursts))
	for i, b := range bursts {
		out[i] = observed{b.Median, b.Disturbance, b.Around}
	}
	return out
}

// drift compares the last third of the bursts with the first.
func drift(bursts []Burst) float64 {
	n := len(bursts) / 3
	if n == 0 {
		return 0
	}
	part := func(b []Burst) float64 {
		v := make([]float64, len(b))
		for i := range b {
			v[i] = b[i].Median
		}
		return median(v)
	}
	return part(bursts[len(bursts)-n:])/part(bursts[:n]) - 1
}

// energyOf adds the windows of bursts up; nil where none has one.
func energyOf(bursts []Burst, idleW float64) *Energy {
	var sum Window
	for _, b := range bursts {
		if b.Energy != nil {
			sum.Joules, sum.Seconds, sum.Runs = sum.Joules+b.Energy.Joules, sum.Seconds+b.Energy.Seconds, sum.Runs+b.Energy.Runs
		}
	}
	if sum.Runs == 0 {
		return nil
	}
	e := &Energy{Joules: sum.Joules / float64(sum.Runs), Watts: sum.Joules / sum.Seconds}
	e.NetWatts = e.Watts - idleW
	e.NetJoules = e.NetWatts * sum.Seconds / float64(sum.Runs)
	return e
}
