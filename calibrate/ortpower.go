package calibrate

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/specs"
)

// BackendRAPL is the Backend of samples that the energy counters gave with nothing running. The energy of runs stands
// with their times.
const BackendRAPL = "RAPL"

// The configuration of samples that have energy.
const (
	keyPowerSource = "power-source" // rapl, or unavailable
	keyCovers      = "rapl-covers"  // a specs.PowerScope
	keyLimit       = "rapl-limit-w" // sustained limit of all packages
	keyDRAM        = "rapl-dram-w"  // mean power of the memory over the calibration
)

// The rhythm of idle power: one window for each block of the sweep, with the block's sessions loaded.
const (
	idleSettle = 100 * time.Millisecond
	idleWindow = 500 * time.Millisecond
)

// idle measures the power with nothing running; counters that fail are given up, and the notes say so once.
func (g *gather) idle(ctx context.Context) {
	r := g.o.RAPL
	if r == nil || r.Err() != nil || ctx.Err() != nil {
		return
	}
	w, err := r.idle(ctx, g.o.clock, idleSettle, min(idleWindow, g.o.For/50))
	if err != nil {
		return
	}
	g.samples.Samples = append(g.samples.Samples, Sample{Backend: BackendRAPL, Class: classPower,
		Params: []Param{{"kind", powerIdle}, {"threads", strconv.Itoa(g.o.Threads)}}, Runs: 1, Values: []Value{{w, UnitWatts}}})
}

// concludePower writes down what the energy is of, or that there is none.
func (g *gather) concludePower() {
	r := g.o.RAPL
	if r == nil || r.Err() != nil {
		g.samples.Set(keyPowerSource, "unavailable")
		if r != nil {
			g.notes = append(g.notes, fmt.Sprintf("energy is unavailable: %v", r.Err()))
		}
		return
	}
	g.samples.Set(keyPowerSource, "rapl")
	g.samples.Set(keyCovers, string(r.Covers()))
	if w := r.LimitW(); w > 0 {
		g.samples.Set(keyLimit, strconv.FormatFloat(w, 'f', -1, 64))
	}
	if t := g.o.clock.Now().Sub(g.begin).Seconds(); r.dramJ > 0 && t > 0 {
		g.samples.Set(keyDRAM, strconv.FormatFloat(digits(r.dramJ/t, 3), 'f', -1, 64))
	}
}

// minPowerPoints is the number of microbenchmarks with energy below which a fit of power says nothing.
const minPowerPoints = 20

// energyPoint is a microbenchmark with the energy of all its rounds.
type energyPoint struct {
	micro           Micro
	threads         int
	joules, seconds float64
	runs            float64
}

// energyPoints gathers the samples that have energy, in the order of first appearance.
func energyPoints(s *Samples) ([]energyPoint, error) {
	var points []energyPoint
	at := map[string]int{}
	for i := range s.Samples {
		x := &s.Samples[i]
		j, hasJ := x.Value(UnitJoules)
		w, hasW := x.Value(UnitWatts)
		threads, ok := x.Int("threads")
		if x.Backend != BackendORT || !hasJ || !hasW || !ok {
			continue
		}
		name := x.Name()
		k, seen := at[name]
		if !seen {
			k = len(points)
			at[name] = k
			points = append(points, energyPoint{micro: Micro{x.Class, x.Params}, threads: int(threads)})
		}
		p := &points[k]
		n := float64(x.Runs)
		p.joules, p.seconds, p.runs = p.joules+n*j, p.seconds+n*j/w, p.runs+n
	}
	return points, nil
}

// addPower adds what the samples say of power to a device that has its fits of time: idle power and limit, and a fit for
// every number of threads with enough energy. Samples without energy leave the device as it is.
func addPower(ctx context.Context, s *Samples, d *specs.Device) error {
	var idle []float64
	for i := range s.Samples {
		x := &s.Samples[i]
		if kind, _ := x.Param("kind"); x.Backend == BackendRAPL && x.Class == classPower && kind == powerIdle {
			if w, ok := x.Value(UnitWatts); ok {
				idle = append(idle, w)
			}
		}
	}
	if len(idle) == 0 || s.Get(keyPowerSource) != "rapl" {
		return nil
	}
	idleW := median(idle)
	scope := specs.PowerScope(cmp.Or(s.Get(keyCovers), string(specs.ScopePackage)))
	power := specs.Power{Covers: scope, IdleW: &specs.Figure{Value: digits(idleW, 4), Estimate: "measured by RAPL with sessions loaded and nothing running"}}
	if limit, err := strconv.ParseFloat(s.Get(keyLimit), 64); err == nil && limit > 0 {
		why := "the packages' sustained limit as the kernel states it (constraint 0)"
		if dram, err := strconv.ParseFloat(s.Get(keyDRAM), 64); err == nil && dram > 0 {
			limit += dram
			why += fmt.Sprintf(", and %g W, the mean of the memory over the calibration, which it does not bind", dram)
		}
		power.LimitW = &specs.Figure{Value: digits(limit, 4), Estimate: why}
	}
	fits, err := fitORTPower(ctx, s, d, idleW)
	if err != nil {
		return err
	}
	d.Power = power
	d.Fits = append(d.Fits, fits...)
	return nil
}

// fitORTPower fits the power of every number of threads. Operations and bytes are those that predictions count.
func fitORTPower(ctx context.Context, s *Samples, d *specs.Device, idleW float64) ([]specs.Fit, error) {
	all, err := energyPoints(s)
	if err != nil {
		return nil, err
	}
	conditions, err := conditionsOf(s)
	if err != nil {
		return nil, err
	}
	if limit, err := strconv.ParseFloat(s.Get(keyLimit), 64); err == nil && limit > 0 {
		conditions.PowerLimitW = limit
	}
	var fits []specs.Fit
	for _, threads := range d.FitThreads(string(costmodel.ORTCPU)) {
		points := slices.DeleteFunc(slices.Clone(all), func(p energyPoint) bool { return p.threads != threads })
		if len(points) < minPowerPoints {
			continue
		}
		var states []powerPoint
		for i := range points {
			p, err := points[i].state(ctx, d)
			if err != nil {
				return nil, err
			}
			states = append(states, p)
		}
		power, err := fitPower(states, idleW)
		if err != nil {
			return nil, err
		}
		if power == nil {
			continue
		}
		f := power.fit(specs.FP32)
		f.Runtime, f.Threads, f.Conditions = string(costmodel.ORTCPU), threads, conditions
		f.Samples = &specs.Samples{Count: len(points), Digest: s.Digest()}
		f.Notes = []string{"energy by RAPL over whole rounds, whatever else the processors did included; a byte costs the same from caches and from memory"}
		for name, c := range f.Groups["net"].Terms {
			c.Value, c.SE = digits(c.Value, 6), digits(c.SE, 2)
			f.Groups["net"].Terms[name] = c
		}
		fits = append(fits, f)
	}
	return fits, nil
}

// state is a microbenchmark as a state of power.
func (p *energyPoint) state(ctx context.Context, d *specs.Device) (powerPoint, error) {
	sample := p.micro.Sample()
	out := powerPoint{name: sample.Name(), dtype: specs.FP32, seconds: p.seconds / p.runs, watts: p.joules / p.seconds}
	m, err := p.micro.Model()
	if err != nil {
		return out, err
	}
	r, err := analyzer.Analyze(ctx, m, analyzer.Options{})
	if err != nil {
		return out, fmt.Errorf("%s: %w", out.name, err)
	}
	pred, err := costmodel.Predict(ctx, r, d, costmodel.Options{Runtime: costmodel.ORTCPU, Precision: specs.FP32, Threads: p.threads})
	if err != nil {
		return out, fmt.Errorf("%s: %w", out.name, err)
	}
	for _, k := range pred.Kernels {
		out.ops += k.FLOPs
		out.bytes += k.Bytes
	}
	if math.IsNaN(out.ops) || math.IsNaN(out.bytes) {
		return out, fmt.Errorf("%s: operations or bytes are not known", out.name)
	}
	return out, nil
}
