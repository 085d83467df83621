package calibrate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/onnxcost/onnxcost/calibrate/cuda"
	"github.com/onnxcost/onnxcost/calibrate/internal/machine"
)

// GPUOptions steer GatherGPU.
type GPUOptions struct {
	Card     int
	Seed     uint64
	For      time.Duration // the whole of it: products, bandwidth, launches and power
	Date     string        // YYYY-MM-DD, for the record
	Progress func(Progress)
	// OpenMeter opens the sensors of the card at a PCI address; nil, or an error, leaves power out of the samples.
	OpenMeter func(pci string) (cuda.Meter, error)

	clock hostClock // nil for the wall's
}

// powerShare is the part of the time that goes to power states.
const powerShare = 0.4

// anchorEvery is how many points lie between two measurements of the anchor.
const anchorEvery = 25

// GatherGPU measures a card: products of every format that it has, bandwidth, launches and power. It stops when ctx
// ends or the card fails, and then returns the samples so far with the error; the card is given back in every case.
// Points that the card refuses are left out and named in the notes.
func GatherGPU(ctx context.Context, d cuda.Driver, o GPUOptions) (s *Samples, notes []string, err error) {
	if o.clock == nil {
		o.clock = wallClock{}
	}
	g := &gpuGather{o: o, begin: o.clock.Now(), samples: &Samples{}}
	card, err := openCard(d, o.Card, o.clock)
	if err != nil {
		return nil, nil, err
	}
	g.card = card
	defer func() { err = errors.Join(err, card.Close()) }()
	g.openMeter()
	if g.meter != nil {
		defer g.meter.Close()
	}
	g.configure(d)
	err = g.measure(ctx)
	g.conclude()
	return g.samples, g.notes, err
}

// gpuGather is the state of a sweep.
type gpuGather struct {
	o        GPUOptions
	card     *gpuCard
	meter    cuda.Meter
	begin    time.Time
	samples  *Samples
	notes    []string
	rates    map[cuda.DType]float64 // FLOP/s of the probe
	limit    int64                  // bytes that a point may use
	done     int
	total    int
	anchors  []float64
	first    map[string]float64 // medians of the first time round, for the re-checks
	rechecks []float64
	few      int // samples of few batches or of a wide interval
	tooLarge int // points that no memory is free for
	throttle []string
	temps    []float64
	clocks   []float64
	limitW   float64
}

func (g *gpuGather) note(format string, args ...any) {
	g.notes = append(g.notes, fmt.Sprintf(format, args...))
}

func (g *gpuGather) openMeter() {
	if g.o.OpenMeter == nil {
		return
	}
	m, err := g.o.OpenMeter(g.card.ctx.Info().PCI)
	if err != nil {
		g.note("power is unavailable: %v", err)
		return
	}
	g.meter = m
}

// configure writes down what the samples are of.
func (g *gpuGather) configure(d cuda.Driver) {
	g.samples.Config = conditions(machine.This())
	i := g.card.ctx.Info()
	version, cublas := d.Versions()
	number := func(key string, v float64) {
		if v > 0 {
			g.samples.Set(key, strconv.FormatFloat(v, 'f', -1, 64))
		}
	}
	g.samples.Set("backend", "cuda")
	g.samples.Set("gpu", strings.TrimSpace(i.Name))
	g.samples.Set("gpu-capability", fmt.Sprintf("%d.%d", i.Major, i.Minor))
	number("gpu-sms", float64(i.SMs))
	number("gpu-clock-hz", i.ClockHz)
	number("gpu-memory-clock-hz", i.MemoryClockHz)
	number("gpu-bus-bits", float64(i.BusBits))
	number("gpu-memory-bytes", float64(i.MemoryBytes))
	number("gpu-l2-bytes", float64(i.L2Bytes))
	if i.Integrated {
		g.samples.Set("gpu-integrated", "1")
	}
	g.samples.Set("cuda", version)
	g.samples.Set("cublaslt", cublas)
	if g.meter != nil {
		g.samples.Set("driver", g.meter.DriverVersion())
	}
	g.samples.Set("seed", strconv.FormatUint(g.o.Seed, 10))
	g.samples.Set("date", g.o.Date)
	g.look()
}

// look reads the card's state between measurements.
func (g *gpuGather) look() {
	if g.meter == nil {
		return
	}
	s := g.meter.State()
	if s.TemperatureC > 0 {
		g.temps = append(g.temps, s.TemperatureC)
	}
	if s.SMClockHz > 0 {
		g.clocks = append(g.clocks, s.SMClockHz)
	}
	g.limitW = max(g.limitW, s.LimitW)
	for _, r := range s.Throttle {
		if !slices.Contains(g.throttle, r) {
			g.throttle = append(g.throttle, r)
		}
	}
}

// left is the time that remains.
func (g *gpuGather) left() time.Duration { return g.o.For - g.o.clock.Now().Sub(g.begin) }

func (g *gpuGather) measure(ctx context.Context) error {
	free, err := g.card.ctx.FreeMemory()
	if err != nil {
		return err
	}
	g.limit = int64(float64(free) * 0.45)
	powerTime := time.Duration(0)
	if g.meter != nil {
		powerTime = time.Duration(float64(g.o.For) * powerShare)
		if err := g.idle(ctx, powerTime); err != nil {
			return err
		}
	}
	info := g.card.ctx.Info()
	if err := g.probe(ctx, info); err != nil {
		return err
	}
	timing := g.left() - powerTime
	perDType := int(math.Max(12, math.Min(80, 40*timing.Seconds()/36)))
	largest := map[cuda.DType]float64{}
	for d, rate := range g.rates {
		largest[d] = rate * longestRun
	}
	points := gpuSweep(g.o.Seed, info, perDType, largest)
	again := g.again(points)
	g.total = len(points) + len(again)
	g.first = map[string]float64{}
	if err := g.points(ctx, append(points, again...), len(points), powerTime); err != nil {
		return err
	}
	if g.meter != nil {
		return g.power(ctx)
	}
	return nil
}

// again picks a twentieth of the points, at random, to be measured once more at the end.
func (g *gpuGather) again(points []gpuPoint) []gpuPoint {
	r := rand.New(rand.NewPCG(g.o.Seed, 0x616761696e))
	var out []gpuPoint
	for _, i := range r.Perm(len(points))[:max(3, len(points)/20)] {
		out = append(out, points[i])
	}
	return out
}

// probe estimates the rate of every format and finds out which of them the card multiplies at all.
func (g *gpuGather) probe(ctx context.Context, info cuda.Info) error {
	g.rates = map[cuda.DType]float64{}
	for _, d := range cuda.DTypes(info) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var err error
		for n := int64(probeSide); n >= probeSide/8; n /= 2 {
			if err = g.probeOne(ctx, d, n); !cuda.OutOfMemory(err) {
				break
			}
		}
		switch {
		case cuda.Unsupported(err), cuda.OutOfMemory(err):
			g.note("%s is left out: %v", d, err)
		case err != nil:
			return err
		}
	}
	if len(g.rates) == 0 {
		return errors.New("the card multiplies none of the formats")
	}
	return nil
}

// probeSide is the size of the square product that the rates are estimated by, where the card has memory for it.
const probeSide = 2048

func (g *gpuGather) probeOne(ctx context.Context, d cuda.DType, n int64) error {
	p := gpuPoint{class: classGEMM, gemm: cuda.GEMM{DType: d, Batch: 1, M: n, N: n, K: n}}
	w, err := g.card.work(&p, g.limit)
	if err != nil {
		return err
	}
	t, err := w.measure(ctx, "", time.Millisecond)
	if err = errors.Join(err, w.Close()); err != nil {
		return err
	}
	g.rates[d] = p.gemm.FLOPs() / t.median
	return nil
}

// anchor is the product that is measured again and again: the same work shows what the clocks do.
func (g *gpuGather) anchor(ctx context.Context) error {
	d := cuda.FP32
	if g.rates[cuda.FP16] > 0 {
		d = cuda.FP16
	}
	p := gpuPoint{class: classGEMM, gemm: cuda.GEMM{DType: d, Batch: 1, M: 4096, N: 4096, K: 4096}}
	for p.gemm.M > 512 && (p.gemm.FLOPs() > g.rates[d]*longestRun || g.tooMuch(&p)) {
		p.gemm.M, p.gemm.N, p.gemm.K = p.gemm.M/2, p.gemm.N/2, p.gemm.K/2
	}
	w, err := g.card.work(&p, g.limit)
	if err != nil {
		return err
	}
	t, err := w.measure(ctx, "", 30*time.Millisecond)
	if err = errors.Join(err, w.Close()); err != nil {
		return err
	}
	g.anchors = append(g.anchors, t.median)
	g.look()
	return nil
}

// points measures the points in order; those from again on are re-checks.
func (g *gpuGather) points(ctx context.Context, points []gpuPoint, again int, reserve time.Duration) error {
	for i := range points {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		left := g.left() - reserve
		if left <= 0 {
			g.note("the time is over: %d of %d points are left out", len(points)-i, len(points))
			return nil
		}
		if i%anchorEvery == 0 {
			if err := g.anchor(ctx); err != nil && !cuda.OutOfMemory(err) {
				return err
			}
		}
		if g.o.Progress != nil {
			g.o.Progress(Progress{What: points[i].what(), Done: g.done, Total: g.total, Left: max(0, g.left())})
		}
		share := left / time.Duration(len(points)-i)
		if err := g.point(ctx, &points[i], share, i >= again); err != nil {
			return err
		}
		g.done++
	}
	return nil
}

func (p *gpuPoint) what() string {
	if p.class == classGEMM {
		return "products " + string(p.gemm.DType)
	}
	return map[string]string{classStream: "bandwidth", classLaunch: "launches"}[p.class]
}

// tooMuch reports whether a point needs more memory than one may take.
func (g *gpuGather) tooMuch(p *gpuPoint) bool { return p.need()+workspaceFor(g.limit) > g.limit }

// point measures one point. Memory that is not to be had and products that the library refuses do not stop the sweep.
func (g *gpuGather) point(ctx context.Context, p *gpuPoint, share time.Duration, recheck bool) error {
	if g.tooMuch(p) {
		g.tooLarge++
		return nil
	}
	w, err := g.card.work(p, g.limit)
	switch {
	case cuda.OutOfMemory(err):
		g.limit = min(g.limit, p.need()+workspaceFor(g.limit)) / 2
		g.note("%s is left out: %v; points that need more than %d bytes are left out too", p.sample(p.cold).Name(), err, g.limit)
		return nil
	case cuda.Unsupported(err):
		g.note("%s is left out: %v", p.sample(p.cold).Name(), err)
		return nil
	case err != nil:
		return err
	}
	var t gpuTiming
	if p.mode == modeHost {
		t, err = w.measureHost(ctx, share)
	} else {
		t, err = w.measure(ctx, p.mode, share)
	}
	cold := w.cold
	if cerr := w.Close(); cerr != nil {
		return errors.Join(err, cerr)
	}
	switch {
	case cuda.Unsupported(err), cuda.OutOfMemory(err):
		g.note("%s is left out: %v", p.sample(cold).Name(), err)
		return nil
	case err != nil:
		return err
	case ctx.Err() != nil && t.batches < 5:
		return ctx.Err() // half a point is none
	}
	g.record(p, t, cold, recheck)
	return nil
}

// record writes a sample.
func (g *gpuGather) record(p *gpuPoint, t gpuTiming, cold, recheck bool) {
	s := p.sample(cold)
	if p.class != classLaunch {
		s.Params = append(s.Params, Param{"mode", t.mode})
	}
	s.Runs = t.runs
	s.Values = []Value{{t.median, UnitSeconds}, {t.p10, UnitLow}, {t.p90, UnitHigh}}
	g.samples.Samples = append(g.samples.Samples, s)
	if t.batches < 10 || t.spread > 0.03 {
		g.few++
	}
	name := s.Name()
	if v, ok := g.first[name]; recheck && ok {
		g.rechecks = append(g.rechecks, math.Abs(t.median/v-1))
	} else {
		g.first[name] = t.median
	}
}

// conclude writes what is known only at the end, and says what would spoil the fit.
func (g *gpuGather) conclude() {
	g.look()
	span := func(key string, v []float64) {
		if len(v) > 0 {
			g.samples.Set(key, fmt.Sprintf("%g %g", slices.Min(v), slices.Max(v)))
		}
	}
	span("gpu-temperature-c", g.temps)
	span("gpu-clock-seen-hz", g.clocks)
	if g.limitW > 0 {
		g.samples.Set("gpu-power-limit-w", strconv.FormatFloat(g.limitW, 'f', -1, 64))
	}
	if g.meter != nil {
		slices.Sort(g.throttle)
		g.samples.Set("gpu-throttle", cmp.Or(strings.Join(g.throttle, " "), "none"))
	}
	if len(g.anchors) > 1 {
		v := (slices.Max(g.anchors) - slices.Min(g.anchors)) / median(g.anchors)
		g.samples.Set("anchor-spread", strconv.FormatFloat(v, 'f', 4, 64))
		if v > 0.05 {
			g.note("the same product took between %.3g and %.3g s in the course of the sweep: the clocks changed (%s)", slices.Min(g.anchors), slices.Max(g.anchors), cmp.Or(strings.Join(g.throttle, " "), "no reason given"))
		}
	}
	if len(g.rechecks) > 0 {
		d := median(g.rechecks)
		g.samples.Set("recheck-drift", strconv.FormatFloat(d, 'f', 4, 64))
		if d > 0.02 {
			g.note("points measured again at the end differ by %.1f %% in the median", 100*d)
		}
	}
	if g.tooLarge > 0 {
		g.note("%d points are left out: each needs more than the %d bytes of the card's memory that a point may take of what is free", g.tooLarge, g.limit)
	}
	if g.few > 0 {
		g.note("%d of %d samples have fewer than ten batches or a median known to worse than 3 %%", g.few, len(g.samples.Samples))
	}
}
