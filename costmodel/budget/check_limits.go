package budget

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/specs"
)

// subject is a model under one setting, with everything that limits are asked of.
type subject struct {
	report     *analyzer.Report
	env        dim.Env
	samples    int64
	prediction *costmodel.Prediction // nil without a device
	ratePerS   float64
	inBudget   bool // errors may speak of a budget's keys
}

const limitEnergyPerDay = "energy_per_day"

// limitKind is one key of a budget's limits: where its bound is, how the figure is found, and what makes it up.
type limitKind struct {
	key     string
	dim     specs.Dimension
	atLeast bool
	device  bool // only a prediction answers it
	batch   bool // it depends on the batch size, though on no device
	bound   func(*specs.Limits) *specs.Quantity
	measure func(*subject) (estimate, error)
	parts   func(*subject) []Contributor
}

var limitKinds = []limitKind{
	{key: "energy", dim: specs.DimEnergy, device: true, measure: (*subject).energy, parts: energyParts,
		bound: func(l *specs.Limits) *specs.Quantity { return l.Energy }},
	{key: limitEnergyPerDay, dim: specs.DimEnergy, device: true, measure: (*subject).dayEnergy, parts: energyParts,
		bound: func(l *specs.Limits) *specs.Quantity {
			if l.EnergyPerDay == nil {
				return nil
			}
			return &l.EnergyPerDay.Max
		}},
	{key: "latency", dim: specs.DimTime, device: true, measure: (*subject).latency, parts: timeParts,
		bound: func(l *specs.Limits) *specs.Quantity { return l.Latency }},
	{key: "throughput", dim: specs.DimRate, device: true, atLeast: true, measure: (*subject).throughput, parts: timeParts,
		bound: func(l *specs.Limits) *specs.Quantity { return l.Throughput }},
	{key: "power", dim: specs.DimPower, device: true, measure: (*subject).power, parts: energyParts,
		bound: func(l *specs.Limits) *specs.Quantity { return l.Power }},
	{key: "peak_memory", dim: specs.DimBytes, device: true, measure: (*subject).peakMemory, parts: memoryParts,
		bound: func(l *specs.Limits) *specs.Quantity { return l.PeakMemory }},
	{key: "arena", batch: true, dim: specs.DimBytes, measure: (*subject).arena, parts: arenaParts,
		bound: func(l *specs.Limits) *specs.Quantity { return l.Arena }},
	{key: "peak_activations", batch: true, dim: specs.DimBytes, measure: (*subject).peakActivations, parts: liveParts,
		bound: func(l *specs.Limits) *specs.Quantity { return l.PeakActivations }},
	{key: "params", dim: specs.DimParams, measure: (*subject).params, parts: paramParts,
		bound: func(l *specs.Limits) *specs.Quantity { return l.Params }},
	{key: "macs", batch: true, dim: specs.DimMACs, measure: (*subject).macs, parts: macParts,
		bound: func(l *specs.Limits) *specs.Quantity { return l.MACs }},
	{key: "file_size", dim: specs.DimBytes, measure: (*subject).fileSize, parts: constantParts,
		bound: func(l *specs.Limits) *specs.Quantity { return l.FileSize }},
	{key: "coverage", dim: specs.DimProportion, atLeast: true, measure: (*subject).coverage,
		bound: func(l *specs.Limits) *specs.Quantity { return l.Coverage }},
}

func (s *subject) latency() (estimate, error) {
	p := s.prediction
	return estimate{value: p.LatencyS, low: p.LatencyLowS, high: p.LatencyHighS}, nil
}

func (s *subject) throughput() (estimate, error) {
	p := s.prediction
	n := float64(p.Batch)
	if p.LatencyS == 0 {
		return estimate{value: math.Inf(1), low: math.Inf(1), high: math.Inf(1), note: "nothing runs on the device"}, nil
	}
	return estimate{value: p.ThroughputPS, low: n / p.LatencyHighS, high: n / p.LatencyLowS}, nil
}

func (s *subject) energy() (estimate, error) {
	p := s.prediction
	if !p.EnergyJ.Known() {
		return noFigure(costmodel.NoPower), nil
	}
	n := float64(p.Batch)
	return estimate{value: float64(p.EnergyJ) / n, low: float64(p.EnergyLowJ) / n, high: float64(p.EnergyHighJ) / n}, nil
}

// power has the part of the energy's interval that does not come from the time: both are independent factors.
func (s *subject) power() (estimate, error) {
	p := s.prediction
	if !p.PowerW.Known() {
		return noFigure(costmodel.NoPower), nil
	}
	if p.LatencyS == 0 {
		return estimate{value: float64(p.PowerW), low: float64(p.PowerW), high: float64(p.PowerW), note: "nothing runs on the device"}, nil
	}
	width := func(energy costmodel.Optional, latencyS float64) float64 {
		e, t := math.Log(float64(energy/p.EnergyJ)), math.Log(latencyS/p.LatencyS)
		return math.Sqrt(math.Max(0, e*e-t*t))
	}
	w := float64(p.PowerW)
	return estimate{value: w, low: w * math.Exp(-width(p.EnergyLowJ, p.LatencyLowS)), high: w * math.Exp(width(p.EnergyHighJ, p.LatencyHighS))}, nil
}

// dayEnergy is the energy of a day: idle power all the time, and for every sample what an inference takes beyond it. The
// interval is that of the inference with the idle part held fixed. A rate that the device cannot sustain breaks the
// limit whatever the energy is.
func (s *subject) dayEnergy() (estimate, error) {
	const day = 86400
	p := s.prediction
	n := float64(p.Batch)
	if s.ratePerS*p.LatencyLowS > n {
		return estimate{value: math.NaN(), low: math.Inf(1), high: math.Inf(1), note: "the device cannot keep up with the rate"}, nil
	}
	if !p.EnergyJ.Known() {
		return noFigure(costmodel.NoPower), nil
	}
	idle := float64(p.IdleW)
	at := func(energy costmodel.Optional) float64 {
		return day * (idle + s.ratePerS*math.Max(0, float64(energy)-idle*p.LatencyS)/n)
	}
	e := estimate{value: at(p.EnergyJ), low: at(p.EnergyLowJ), high: at(p.EnergyHighJ)}
	if s.ratePerS*p.LatencyHighS > n {
		e.high, e.note = math.Inf(1), "the device may not keep up with the rate"
	}
	return e, nil
}

// peakMemory has the interval of the activations: weights are exact.
func (s *subject) peakMemory() (estimate, error) {
	p := s.prediction
	e := s.atLeast(float64(p.PeakMemoryBytes), s.report.LowerBound())
	e.low -= float64(p.ActivationMemoryBytes - p.ActivationMemoryLowBytes)
	e.high += float64(p.ActivationMemoryHighBytes - p.ActivationMemoryBytes)
	return e, nil
}

// atLeast is an exact figure, or one that is only a lower bound because something could not be counted.
func (s *subject) atLeast(v float64, partial bool) estimate {
	e := exactly(v)
	if partial {
		e.high, e.note = math.Inf(1), "a lower bound: "+s.uncounted()
	}
	return e
}

func (s *subject) uncounted() string {
	if _, unknown := s.report.Coverage(); len(unknown) > 0 {
		return "no rule for " + strings.Join(unknown, ", ")
	}
	return "some nodes have unknown shapes"
}

func (s *subject) total(d dim.Dim) (float64, error) {
	v, err := d.Eval(s.env)
	if err != nil {
		var unbound *dim.UnboundError
		if errors.As(err, &unbound) {
			missing := s.report.Missing(s.env)
			if len(missing) == 0 {
				missing = unbound.Symbols
			}
			if !s.inBudget {
				return 0, &costmodel.OptionError{Msg: analyzer.NeedDims("a count", missing).Error(), Err: unbound}
			}
			what := "dimension"
			if len(missing) > 1 {
				what += "s"
			}
			return 0, &costmodel.OptionError{Msg: fmt.Sprintf("depends on the free %s %s; give dims: {%s: N} or --dim %s=N", what, strings.Join(missing, ", "), strings.Join(missing, ": N, "), strings.Join(missing, "=N --dim "))}
		}
		return 0, err
	}
	return float64(v), nil
}

func (s *subject) macs() (estimate, error) {
	v, err := s.total(s.report.Totals().MACs)
	return s.atLeast(v/float64(s.samples), s.report.LowerBound()), err
}

func (s *subject) params() (estimate, error) {
	v, err := s.total(s.report.Totals().Params)
	return s.atLeast(v, s.report.LowerBound()), err
}

func (s *subject) arena() (estimate, error) {
	a, err := s.report.Arena(s.env, analyzer.ArenaOptions{})
	if err != nil {
		return estimate{}, costmodel.NeedDims(err, s.report, s.env)
	}
	return s.atLeast(float64(a.Bytes), a.Partial), nil
}

func (s *subject) peakActivations() (estimate, error) {
	l, err := s.report.Liveness(s.env)
	if err != nil {
		return estimate{}, costmodel.NeedDims(err, s.report, s.env)
	}
	return s.atLeast(float64(l.PeakBytes), l.Partial), nil
}

func (s *subject) coverage() (estimate, error) {
	share, _ := s.report.Coverage()
	e := exactly(share)
	if share < 1 {
		e.note = s.uncounted()
	}
	return e, nil
}

// fileSize adds the files that hold weights to the model's own. A file that is absent counts what the model says of it.
func (s *subject) fileSize() (estimate, error) {
	m := s.report.Model
	if m.FileBytes == 0 {
		return noFigure("the model is not a file"), nil
	}
	size, seen, absent := float64(m.FileBytes), map[string]bool{}, map[string]float64{}
	for _, t := range m.Graph.Initializers {
		x := t.External
		if x == nil || seen[x.Location] {
			continue
		}
		info, err := os.Stat(filepath.Join(filepath.Dir(m.Path), filepath.FromSlash(x.Location)))
		if err == nil {
			seen[x.Location] = true
			size += float64(info.Size())
			continue
		}
		absent[x.Location] = math.Max(absent[x.Location], float64(x.Offset+max(0, x.Length)))
	}
	e := exactly(size)
	for _, n := range absent {
		e.value, e.low = e.value+n, e.low+n
		e.high, e.note = math.Inf(1), "a lower bound: external data is absent"
	}
	return e, nil
}

func kernelParts(s *subject, d specs.Dimension, value func(*costmodel.KernelPrediction) float64) []Contributor {
	var out []Contributor
	for i := range s.prediction.Kernels {
		k := &s.prediction.Kernels[i]
		out = append(out, Contributor{Name: k.Name, Op: k.Op, Value: value(k), Dimension: d})
	}
	return out
}

func timeParts(s *subject) []Contributor {
	return kernelParts(s, specs.DimTime, func(k *costmodel.KernelPrediction) float64 { return k.TimeS })
}

// energyParts is per sample, as limits on energy are.
func energyParts(s *subject) []Contributor {
	return kernelParts(s, specs.DimEnergy, func(k *costmodel.KernelPrediction) float64 { return float64(k.EnergyJ) / float64(s.samples) })
}

func memoryParts(s *subject) []Contributor {
	p := s.prediction
	return []Contributor{{Name: "weights", Value: float64(p.WeightMemoryBytes), Dimension: specs.DimBytes},
		{Name: "activations", Value: float64(p.ActivationMemoryBytes), Dimension: specs.DimBytes}}
}

// arenaParts are the buffers that live where the plan can go no lower.
func arenaParts(s *subject) []Contributor {
	a, err := s.report.Arena(s.env, analyzer.ArenaOptions{})
	if err != nil || a.BoundStep < 0 {
		return nil
	}
	var out []Contributor
	for _, b := range a.Live(a.BoundStep) {
		name := "workspace"
		if len(b.Values) > 0 {
			name = b.Values[0].Name
		}
		out = append(out, Contributor{Name: name, Value: float64(b.Bytes), Dimension: specs.DimBytes})
	}
	return out
}

func liveParts(s *subject) []Contributor {
	l, err := s.report.Liveness(s.env)
	if err != nil {
		return nil
	}
	var out []Contributor
	for _, v := range l.Live {
		out = append(out, Contributor{Name: v.Value.Name, Value: float64(v.Bytes), Dimension: specs.DimBytes})
	}
	return out
}

func weightParts(s *subject, d specs.Dimension, of func(*analyzer.Weight) dim.Dim) []Contributor {
	var out []Contributor
	for _, w := range s.report.Weights {
		if v, err := s.total(of(w)); err == nil {
			out = append(out, Contributor{Name: w.Value.Name, Value: v, Dimension: d})
		}
	}
	return out
}

func paramParts(s *subject) []Contributor {
	return weightParts(s, specs.DimParams, func(w *analyzer.Weight) dim.Dim { return w.Params })
}

func constantParts(s *subject) []Contributor {
	return weightParts(s, specs.DimBytes, func(w *analyzer.Weight) dim.Dim { return w.Bytes })
}

// macParts is per sample, as the limit is.
func macParts(s *subject) []Contributor {
	var out []Contributor
	s.report.Walk(func(n *analyzer.Node, times dim.Dim, _ int) {
		if v, err := s.total(n.Work.MACs.Mul(times)); err == nil {
			out = append(out, Contributor{Name: n.Name, Op: n.Op(), Value: v / float64(s.samples), Dimension: specs.DimMACs})
		}
	})
	return out
}
