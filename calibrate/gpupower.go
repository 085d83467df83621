package calibrate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/onnxcost/onnxcost/calibrate/cuda"
)

// UnitInstantWatts is the mean of instantaneous power readings over the window of a power sample.
const UnitInstantWatts = "instant-watts"

// The kinds of power samples.
const (
	powerIdle    = "idle"
	powerCompute = "compute"
	powerMemory  = "memory"
	powerMixed   = "mixed"
	// powerLight is one short kernel after the other: what being active costs, apart from operations and bytes.
	powerLight = "light"
)

// The rhythm of power measurements. The energy counter moves about every 100 ms, so that windows of seconds that begin
// and end where it moves are known to a few percent; polling faster than 50 ms disturbs the sensor.
const (
	pollEvery   = 50 * time.Millisecond
	powerWarmup = 600 * time.Millisecond
	usualWindow = 2500 * time.Millisecond
	leastWindow = 1000 * time.Millisecond
	mostWindow  = 5000 * time.Millisecond
	// prepareLoop is what a loop takes beside its window: preparation, and the wait for the counter.
	prepareLoop = powerWarmup + 300*time.Millisecond
	mostTrials  = 3
	// feedSeconds is the length of a batch; two are in flight, so that the card never waits for a poll.
	feedSeconds = 25e-3
	// gapLimit is the difference between counter and instantaneous power that is flagged.
	gapLimit = 0.05
)

// window is what the sensors said over a while.
type window struct {
	seconds float64
	joules  float64 // by the counter, or power integrated where there is none
	counter bool
	instant float64 // mean of the power readings in watts; 0 without
	samples int
}

func (w *window) watts() float64 { return w.joules / w.seconds }

// watch reads the sensors for at least length while feed keeps the card busy; feed is called again and again and takes
// less than a poll's time. The window begins and ends where the counter moves.
func (g *gpuGather) watch(ctx context.Context, length time.Duration, feed func() error) (w window, err error) {
	clock := g.o.clock
	var lastPoll time.Time
	var startE, lastE float64
	var startT, endT time.Time
	var endE, integral, readings float64
	var steps line // the moments at which the counter was seen to have moved
	var lastP float64
	_, hasCounter := g.meter.EnergyJ()
	limit := clock.Now().Add(length + 5*time.Second)
	for {
		if ctx.Err() != nil {
			return w, ctx.Err()
		}
		if err := feed(); err != nil {
			return w, err
		}
		now := clock.Now()
		if wait := pollEvery - now.Sub(lastPoll); !lastPoll.IsZero() && wait > 0 {
			continue
		}
		e, ok := g.meter.EnergyJ()
		if hasCounter != ok {
			return w, fmt.Errorf("%w: the energy counter comes and goes", errNoSensor)
		}
		p, _, hasPower := g.meter.PowerW()
		now = clock.Now()
		moved := !hasCounter || !lastPoll.IsZero() && e != lastE
		switch {
		case startT.IsZero() && moved:
			startT, startE = now, e
			steps.add(0, 0)
		case !startT.IsZero():
			if hasPower {
				readings += p
				integral += (p + lastP) / 2 * now.Sub(lastPoll).Seconds()
				w.samples++
			}
			if moved {
				steps.add(now.Sub(startT).Seconds(), e-startE)
			}
			if now.Sub(startT) >= length && moved {
				endT, endE = now, e
			}
		}
		lastPoll, lastE, lastP = now, e, p
		if !endT.IsZero() {
			break
		}
		if now.After(limit) {
			return w, fmt.Errorf("%w: the energy counter did not move within %s", errNoSensor, length+5*time.Second)
		}
	}
	w.seconds, w.counter = endT.Sub(startT).Seconds(), hasCounter
	if w.samples > 0 {
		w.instant = readings / float64(w.samples)
	}
	switch {
	case hasCounter:
		// A poll sees a step late by up to its interval. The line through all steps averages that out.
		w.joules = endE - startE
		if slope, ok := steps.slope(); ok {
			w.joules = slope * w.seconds
		}
	case w.samples > 0:
		w.joules = integral
	default:
		return w, fmt.Errorf("%w: neither an energy counter nor power", errNoSensor)
	}
	return w, nil
}

// line sums up points for the straight line through them.
type line struct{ n, x, y, xx, xy float64 }

func (l *line) add(x, y float64) {
	l.n++
	l.x += x
	l.y += y
	l.xx += x * x
	l.xy += x * y
}

// slope is that of the least squares; ok is false below four points.
func (l *line) slope() (float64, bool) {
	d := l.n*l.xx - l.x*l.x
	if l.n < 4 || d <= 0 {
		return 0, false
	}
	return (l.n*l.xy - l.x*l.y) / d, true
}

var errNoSensor = errors.New("no sensor of use")

// recordPower writes a window down. second is the duration of one run, 0 for idleness.
func (g *gpuGather) recordPower(s Sample, w window, second float64) {
	s.Backend, s.Class = BackendCUDA, classPower
	s.Runs = 1
	s.Values = []Value{{w.watts(), UnitWatts}}
	if second > 0 {
		s.Runs = max(1, int(w.seconds/second))
		s.Values = append(s.Values, Value{second, UnitSeconds}, Value{w.watts() * second, UnitJoules})
	}
	if w.instant > 0 {
		s.Values = append(s.Values, Value{w.instant, UnitInstantWatts})
	}
	g.samples.Samples = append(g.samples.Samples, s)
	source := "energy-counter"
	if !w.counter {
		source = "integrated-power"
	}
	g.samples.Set("power-source", source)
	if gap := w.instant/w.watts() - 1; w.counter && w.instant > 0 && math.Abs(gap) > gapLimit {
		g.note("%s: instantaneous power is %+.0f %% off the energy counter: %.1f W and %.1f W", s.Name(), 100*gap, w.instant, w.watts())
	}
}

// unavailable gives power up, and says so once.
func (g *gpuGather) unavailable(err error) error {
	g.note("power is unavailable: %v", err)
	g.meter.Close()
	g.meter = nil
	g.samples.Set("power-source", "unavailable")
	return nil
}

// idle measures the card with the context alive and nothing to do.
func (g *gpuGather) idle(ctx context.Context, budget time.Duration) error {
	if g.o.Progress != nil {
		g.o.Progress(Progress{What: "idle power", Left: max(0, g.left())})
	}
	if err := g.card.ctx.Synchronize(); err != nil {
		return err
	}
	g.o.clock.Sleep(min(time.Second, budget/20))
	w, err := g.watch(ctx, max(leastWindow, min(usualWindow, budget/8)), func() error {
		g.o.clock.Sleep(pollEvery / 5)
		return nil
	})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return g.unavailable(err)
	case !(w.joules > 0):
		return g.unavailable(errors.New("the energy counter stands still"))
	}
	g.recordPower(Sample{Params: []Param{{"kind", powerIdle}}}, w, 0)
	return nil
}

// powerState is a steady loop.
type powerState struct {
	kind  string
	dtype cuda.DType
}

// power measures the steady loops in random order, as often as the time allows.
func (g *gpuGather) power(ctx context.Context) error {
	states := []powerState{{kind: powerMemory}, {kind: powerLight}}
	var extra []powerState
	for _, d := range cuda.DTypes(g.card.ctx.Info()) {
		if g.rates[d] > 0 {
			states = append(states, powerState{powerCompute, d})
			if d == cuda.FP32 || d == cuda.FP16 {
				states = append(states, powerState{powerMixed, d})
			} else {
				extra = append(extra, powerState{powerMixed, d})
			}
		}
	}
	const perState = usualWindow + prepareLoop
	// What bytes cost is common to all formats, so that mixed loops of the others only confirm it.
	if g.left() >= perState*time.Duration(len(states)+len(extra)) {
		states = append(states, extra...)
	} else if len(extra) > 0 {
		g.note("the time is short: mixed loops of products and traffic in %d of %d formats are left out", len(extra), len(g.rates))
	}
	trials := int(g.left() / (perState * time.Duration(len(states))))
	trials = min(mostTrials, max(1, trials))
	over, done := 0, 0
	r := rand.New(rand.NewPCG(g.o.Seed, 0x706f776572))
	for range trials {
		for _, i := range r.Perm(len(states)) {
			left, rest := g.left(), trials*len(states)-done
			done++
			if left < leastWindow+prepareLoop {
				over++
				continue
			}
			if g.o.Progress != nil {
				g.o.Progress(Progress{What: fmt.Sprintf("power %s %s", states[i].kind, states[i].dtype), Done: g.done, Total: g.total, Left: max(0, left)})
			}
			length := max(leastWindow, min(mostWindow, left/time.Duration(rest)-prepareLoop))
			if err := g.steady(ctx, states[i], length); err != nil {
				if errors.Is(err, errNoSensor) {
					return g.unavailable(err)
				}
				return err
			}
			g.look()
		}
	}
	if over > 0 {
		g.note("the time is over: %d of %d power states are left out", over, trials*len(states))
	}
	return nil
}

// steadyRun bounds one run of a steady loop, so that polls find the card's queue short.
const steadyRun = 15e-3

// loop prepares the work of a state and the parameters of its sample.
func (g *gpuGather) loop(s powerState) (*gpuWork, []Param, error) {
	params := []Param{{"kind", s.kind}}
	memoryBytes := int64(1 << 30)
	for memoryBytes > g.limit/4 && memoryBytes > 1<<20 {
		memoryBytes /= 2
	}
	memoryBytes = memoryBytes / 192 * 192
	if s.kind == powerMemory {
		w, err := g.card.streamWork(streamTriad, memoryBytes, true, g.limit)
		return w, append(params, Param{"bytes", strconv.FormatInt(memoryBytes, 10)}), err
	}
	if s.kind == powerLight {
		const small = 192 << 10 // in any cache
		w, err := g.card.streamWork(streamRelu, small, false, g.limit)
		return w, append(params, Param{"bytes", strconv.Itoa(small)}, Param{"cache", cacheWord(false)}), err
	}
	n := int64(8192)
	for 2*math.Pow(float64(n), 3) > g.rates[s.dtype]*steadyRun && n > 512 || 12*n*n > g.limit/4 && n > 512 {
		n /= 2
	}
	p := gpuPoint{class: classGEMM, gemm: cuda.GEMM{DType: s.dtype, Batch: 1, M: n, N: n, K: n}}
	w, err := g.card.work(&p, g.limit)
	if err != nil {
		return nil, nil, err
	}
	params = append(params, p.sample(false).Params[:5]...)
	if s.kind != powerMixed {
		return w, params, nil
	}
	// Half of the time products, half traffic, at the card's stated bandwidth.
	i := g.card.ctx.Info()
	bw := 2 * i.MemoryClockHz * float64(i.BusBits) / 8
	if bw <= 0 {
		bw = 500e9
	}
	bytes := int64(math.Min(float64(memoryBytes), bw*p.gemm.FLOPs()/g.rates[s.dtype]))
	bytes = max(192<<10, bytes/192*192)
	m, err := g.card.streamWork(streamTriad, bytes, true, g.limit)
	if err != nil {
		return nil, nil, errors.Join(err, w.Close())
	}
	product, traffic := w.run, m.run
	w.buffers = append(w.buffers, m.buffers...)
	w.run = func(i int) error {
		if err := product(i); err != nil {
			return err
		}
		return traffic(i)
	}
	return w, append(params, Param{"bytes", strconv.FormatInt(bytes, 10)}), nil
}

// steady runs a loop, first to warm up, then for a window.
func (g *gpuGather) steady(ctx context.Context, s powerState, length time.Duration) (err error) {
	w, params, err := g.loop(s)
	if cuda.OutOfMemory(err) || cuda.Unsupported(err) {
		g.note("power %s %s is left out: %v", s.kind, s.dtype, err)
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	f, err := newFeeder(w)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for until := g.o.clock.Now().Add(powerWarmup); g.o.clock.Now().Before(until); {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := f.feed(); err != nil {
			return err
		}
	}
	g.look() // with work in flight, when the reasons for slow clocks show
	f.reset()
	win, err := g.watch(ctx, length, f.feed)
	if err != nil {
		return err
	}
	if err := f.drain(); err != nil {
		return err
	}
	if f.runs == 0 || !(win.joules > 0) {
		g.note("power %s %s is left out: no run ended within the window, or no energy was counted", s.kind, s.dtype)
		return nil
	}
	g.recordPower(Sample{Params: params}, win, f.seconds/float64(f.runs))
	return nil
}

// feeder keeps two batches of a work in flight and times each.
type feeder struct {
	w       *gpuWork
	per     int // runs in a batch
	events  []cuda.Event
	pending int // batches in flight
	next    int // event of the next batch's end
	at      int // run
	seconds float64
	runs    int
	fresh   bool // the next end closes no timed batch
}

func newFeeder(w *gpuWork) (*feeder, error) {
	f := &feeder{w: w, fresh: true}
	t, err := w.card.between(func() error { return w.repeat(0, 2) })
	if err != nil {
		return nil, err
	}
	f.per = max(1, min(400, int(feedSeconds/math.Max(t/2, 1e-6))))
	for range 4 {
		e, err := w.card.ctx.Event()
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		f.events = append(f.events, e)
	}
	return f, nil
}

// feed fills the queue up to two batches and waits for the older one.
func (f *feeder) feed() error {
	for f.pending < 2 {
		if err := f.w.repeat(f.at, f.per); err != nil {
			return err
		}
		f.at += f.per
		if err := f.w.card.stream.Record(f.events[f.next%len(f.events)]); err != nil {
			return err
		}
		f.next++
		f.pending++
	}
	return f.take()
}

// take waits for the oldest batch and adds its duration: from the end of the one before to its own.
func (f *feeder) take() error {
	i := f.next - f.pending
	e := f.events[i%len(f.events)]
	if err := e.Synchronize(); err != nil {
		return err
	}
	if !f.fresh && i > 0 {
		t, err := e.Since(f.events[(i-1)%len(f.events)])
		if err != nil {
			return err
		}
		f.seconds += t
		f.runs += f.per
	}
	f.fresh = false
	f.pending--
	return nil
}

// reset forgets the durations so far.
func (f *feeder) reset() { f.seconds, f.runs = 0, 0 }

// drain waits for what is in flight.
func (f *feeder) drain() error {
	for f.pending > 0 {
		if err := f.take(); err != nil {
			return err
		}
	}
	return nil
}

func (f *feeder) Close() error {
	errs := []error{f.w.card.stream.Synchronize()}
	for _, e := range f.events {
		errs = append(errs, e.Close())
	}
	return errors.Join(errs...)
}
