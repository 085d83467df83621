package calibrate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/onnxcost/onnxcost/calibrate/internal/machine"
	"github.com/onnxcost/onnxcost/calibrate/ort"
)

// SweepOptions steer GatherORT.
type SweepOptions struct {
	Threads  int
	Seed     uint64
	For      time.Duration // the whole of it, loading included
	Provider string        // execution provider; "" for the CPU
	Date     string        // YYYY-MM-DD, for the record
	Progress func(Progress)
	RAPL     *RAPL // nil leaves energy out

	clock hostClock // nil for the wall's
	open  func(context.Context, Micro, ort.Options) (runner, error)
}

// runner is a session as the sweep needs it.
type runner interface {
	Run() error
	Close() error
}

// Progress is how far a measurement is.
type Progress struct {
	What        string // what is measured now
	Done, Total int
	Left        time.Duration // estimated
}

// The anchor is a microbenchmark that every block measures again: what it shows is the machine's drift.
var anchorMicro = Micro{"gemm", []Param{{"m", "96"}, {"k", "416"}, {"n", "416"}, {"t", "0"}, {"act", "0"}, {"depth", "1"}}}

// The microbenchmarks that are loaded at a time take turns, so that a disturbance, which lasts seconds, hits classes and
// shapes alike and leaves some of the rounds alone. All of them at once would not fit into the memory of a small
// machine: a block ends at blockSize models or at a share of the memory.
const (
	blockSize   = 100
	memoryShare = 1.0 / 8
)

// The first pass measures every point and takes this part of the time, in percent. The second goes back to the points
// whose rounds disagree: on a machine that is shared, whoever disturbed them is likely to be gone.
const firstPass = 65

// agreement is how close the two fastest rounds of a point have to be for it to be taken as undisturbed.
const agreement = 0.02

// GatherORT measures the microbenchmarks of a sweep in ONNX Runtime within the time given, in blocks of shapes drawn at
// random from all classes, and those that were disturbed a second time. Each round of a point is one sample. When ctx
// ends, it returns what has been measured with ctx's error; points that the runtime refuses are left out and named in the
// notes.
func GatherORT(ctx context.Context, lib *ort.Library, o SweepOptions) (*Samples, []string, error) {
	if o.Threads < 1 {
		return nil, nil, fmt.Errorf("%d threads, want at least 1", o.Threads)
	}
	if o.clock == nil {
		o.clock = wallClock{}
	}
	if o.open == nil {
		o.open = func(ctx context.Context, b Micro, options ort.Options) (runner, error) {
			return openMicro(ctx, lib, b, options, o.Seed)
		}
	}
	begin := o.clock.Now()
	scale := min(2, max(0.3, o.For.Seconds()/usualSweep.Seconds()))
	points := Sweep(o.Seed, scale)
	rnd := rand.New(rand.NewPCG(o.Seed, 0x7377656570))
	rnd.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })

	g := &gather{o: o, begin: begin, total: len(points), samples: newSamples(lib, o), cpus: cores().Place(o.Threads),
		options: runOptions(o.Threads, o.Provider)}
	if s, err := o.open(ctx, probeMicro, probeOptions(o.Threads, o.Provider)); err == nil {
		defer s.Close()
		g.probe = &probe{run: s.Run}
	}
	g.pass(o.For * firstPass / 100)
	if u := cores().Unlike(o.Threads); u != "" {
		g.notes = append(g.notes, u)
	}
	if o.RAPL != nil {
		g.notes = append(g.notes, o.RAPL.Notes()...)
	}
	err := g.blocks(ctx, points)
	if again := disagreeing(g.samples, points); err == nil && len(again) > 0 {
		g.pass(o.For)
		if n := g.affordable(); n < len(again) {
			again = again[:n]
		}
		g.total += len(again)
		err = g.blocks(ctx, again)
	}
	g.recordProbe()
	if d := g.anchorDrift(); d > 0.05 {
		g.notes = append(g.notes, fmt.Sprintf("the machine's speed varied by %.0f %% between the blocks of the sweep (median of the same product)", 100*d))
	}
	if took := o.clock.Now().Sub(begin); took > 2*o.For {
		g.notes = append(g.notes, fmt.Sprintf("the sweep took %s, not %s: to load a microbenchmark takes %s on this machine", took.Round(time.Second),
			o.For, (g.loading/time.Duration(max(1, g.loaded))).Round(time.Millisecond)))
	}
	g.samples.Set("anchor-spread", strconv.FormatFloat(g.anchorDrift(), 'f', 4, 64))
	g.concludePower()
	if len(g.samples.Samples) == 0 && err == nil {
		err = errors.New("ONNX Runtime ran none of the microbenchmarks")
	}
	return g.samples, g.notes, err
}

// blocks measures points, as many at a time as fit into memory.
func (g *gather) blocks(ctx context.Context, points []Micro) error {
	memory := cores().MemoryB
	for len(points) > 0 {
		n := blockLength(points, memory)
		if err := g.block(ctx, points[:n]); err != nil {
			return err
		}
		points = points[n:]
	}
	return nil
}

// disagreeing are the points whose two fastest calm rounds are too far apart, or that have less than two, the worst first.
func disagreeing(s *Samples, points []Micro) []Micro {
	times := map[string][]float64{}
	for i := range s.Samples {
		x := &s.Samples[i]
		if v, ok := x.Value(UnitSeconds); ok {
			if !x.calm() {
				v = math.Inf(1)
			}
			name := Micro{x.Class, x.Params}.itself().name()
			times[name] = append(times[name], v)
		}
	}
	gap := func(b Micro) float64 {
		v := times[b.name()]
		if len(v) == 0 {
			return 0 // refused
		}
		if len(v) == 1 {
			return math.Inf(1)
		}
		slices.Sort(v)
		if math.IsInf(v[1], 1) {
			return v[1]
		}
		return v[1]/v[0] - 1
	}
	var out []Micro
	for _, b := range points {
		if gap(b) > agreement {
			out = append(out, b)
		}
	}
	slices.SortStableFunc(out, func(a, b Micro) int { return cmp.Compare(gap(b), gap(a)) })
	return out
}

// leastShare is the time below which measuring a point once more is not worth loading it.
const leastShare = 30 * time.Millisecond

// affordable is how many points there is time for.
func (g *gather) affordable() int {
	return int(max(0, g.left()) / (leastShare + g.loading/time.Duration(max(1, g.loaded))))
}

// blockLength is how many of the points may be loaded together.
func blockLength(points []Micro, memory int64) int {
	room := float64(memory) * memoryShare
	n := 0
	for n < len(points) && n < blockSize {
		room -= 2.5 * points[n].weightBytes() // the runtime's copy, the packed form, and the file while it loads
		room -= 16 << 20                      // a session, and activations
		if n++; memory > 0 && room < 0 {
			break
		}
	}
	return n
}

// usualSweep is the length of time that the counts of the classes are made for.
const usualSweep = 60 * time.Second

func newSamples(lib *ort.Library, o SweepOptions) *Samples {
	s := &Samples{}
	s.Config = conditions(machine.This())
	s.Set("backend", "onnxruntime")
	s.Set("onnxruntime", lib.Version)
	if block, err := lib.ChannelBlock(); err == nil { // a library that cannot say is taken to be a public build
		s.Set(configBlock, strconv.Itoa(block))
	}
	s.Set("provider", cmp.Or(o.Provider, "cpu"))
	s.Set("go", runtime.Version())
	s.Set("seed", strconv.FormatUint(o.Seed, 10))
	s.Set("date", o.Date)
	return s
}

// gather is the state of a sweep.
type gather struct {
	o       SweepOptions
	begin   time.Time
	total   int
	done    int
	until   time.Duration // when the pass ends, from begin
	cpus    []int         // of the threads; nil leaves them to the system
	options ort.Options   // of every session but the probe's
	probe   *probe        // nil where the runtime does not run it
	loaded  int
	loading time.Duration // of the points done
	samples *Samples
	notes   []string
	anchors []float64
}

// waiting is the part of a pass, in percent, that may go by without a measurement while the machine is disturbed.
const waiting = 40

// pass begins a pass that ends at until.
func (g *gather) pass(until time.Duration) {
	g.until = until
	if g.probe != nil {
		g.probe.patience = g.left() * waiting / 100
	}
}

// block loads some points, lets them take turns, and records their rounds.
func (g *gather) block(ctx context.Context, points []Micro) error {
	var subjects []subject
	var loaded []Micro
	clock := g.o.clock
	start := clock.Now()
	defer func() { g.done += len(points) }()
	for _, b := range append([]Micro{anchorMicro}, points...) {
		if ctx.Err() != nil {
			break
		}
		s, err := g.o.open(ctx, b, g.options)
		if err != nil {
			g.notes = append(g.notes, fmt.Sprintf("%s is left out: %v", b.name(), err))
			continue
		}
		defer s.Close()
		subjects = append(subjects, subject{Name: b.Class, Run: s.Run})
		loaded = append(loaded, b)
	}
	g.loading += clock.Now().Sub(start)
	g.loaded += len(points)
	g.report(points)
	g.idle(ctx)
	rules := g.rules()
	timings, err := timeInTurns(ctx, subjects, rules, nil)
	for i, t := range timings {
		switch {
		case t.Err != nil:
			g.notes = append(g.notes, fmt.Sprintf("%s is left out: %v", t.Name, t.Err))
		case i == 0 && loaded[0].Class == anchorMicro.Class && slices.Equal(loaded[0].Params, anchorMicro.Params):
			if t.Runs > 0 {
				g.anchors = append(g.anchors, t.Best)
			}
		default:
			g.record(loaded[i], t)
		}
	}
	return err
}

// longestShare is the time beyond which a point gains nothing.
const longestShare = time.Second

// rules divide the time that is left among the points that are left.
func (g *gather) rules() Rules {
	left := g.left()
	points := g.total - g.done
	perLoad := g.loading / time.Duration(max(1, g.loaded))
	share := left/time.Duration(max(1, points)) - perLoad
	// The warm-up runs, the probe and the anchor take their part of a share.
	share = min(max(5*time.Millisecond, share*9/10-rounds*settleTime(g.o.Threads)), longestShare)
	return Rules{MinRuns: 10, MinTime: share, Spread: 0, Share: share, Rounds: rounds, Warmup: 1, Seed: g.o.Seed + uint64(g.done),
		RAPL: g.o.RAPL, clock: g.o.clock, cpus: g.cpus, settle: settleTime(g.o.Threads), probe: g.probe}
}

// rounds is the number of turns of a point in a pass.
const rounds = 4

func (g *gather) report(points []Micro) {
	if g.o.Progress == nil {
		return
	}
	var classes []string
	for _, b := range points {
		if !slices.Contains(classes, b.Class) {
			classes = append(classes, b.Class)
		}
	}
	slices.Sort(classes)
	g.o.Progress(Progress{What: strings.Join(classes, " "), Done: g.done, Total: g.total, Left: max(0, g.o.For-g.elapsed())})
}

// left is the time until the end of the pass.
func (g *gather) left() time.Duration { return g.until - g.elapsed() }

func (g *gather) elapsed() time.Duration { return g.o.clock.Now().Sub(g.begin) }

// sample is an empty sample of b with the number of threads.
func (g *gather) sample(b Micro) Sample {
	s := b.Sample()
	s.Params = append(slices.Clone(b.Params), Param{"threads", strconv.Itoa(g.o.Threads)})
	return s
}

// record makes a sample of every round.
func (g *gather) record(b Micro, t Timing) {
	for _, burst := range t.Bursts {
		s := g.sample(b)
		s.Runs = burst.Runs
		s.Values = []Value{{burst.Median, UnitSeconds}, {burst.P10, UnitLow}, {burst.P90, UnitHigh}}
		if burst.Disturbance > 0 {
			s.Values = append(s.Values, Value{burst.Disturbance, UnitDisturbance}, Value{burst.Around, UnitAround})
		}
		if w := burst.Energy; w != nil {
			s.Values = append(s.Values, Value{w.Joules / float64(w.Runs), UnitJoules}, Value{w.Joules / w.Seconds, UnitWatts})
		}
		g.samples.Samples = append(g.samples.Samples, s)
	}
}

// recordProbe makes a sample of what the probe took in calm, by which later measurements know the machine again.
func (g *gather) recordProbe() {
	level := g.probe.level()
	if level == 0 {
		return
	}
	s := g.sample(probeMicro)
	s.Runs = probeRuns * len(g.probe.readings)
	s.Values = []Value{{level, UnitSeconds}, {quantile(g.probe.readings, 0.1), UnitLow}, {quantile(g.probe.readings, 0.9), UnitHigh}}
	g.samples.Samples = append(g.samples.Samples, s)
}

// anchorDrift is the range of the anchor's times relative to their median, the outermost on either side left out
// where there are many.
func (g *gather) anchorDrift() float64 {
	if len(g.anchors) < 2 {
		return 0
	}
	return (quantile(g.anchors, 0.9) - quantile(g.anchors, 0.1)) / median(g.anchors)
}

// openMicro builds, loads and binds a microbenchmark.
func openMicro(ctx context.Context, lib *ort.Library, b Micro, o ort.Options, seed uint64) (*ort.Session, error) {
	m, err := b.Model()
	if err != nil {
		return nil, err
	}
	j := Job{Name: b.name(), Model: m}
	s, _, err := j.session(ctx, lib, o, 0, seed)
	return s, err
}
