package form

import (
	"math"

	"github.com/onnxcost/onnxcost/costmodel/plan"
	"github.com/onnxcost/onnxcost/specs"
)

// FormPower is the form of power fits: net power = active + (ε_op·operations + ε_byte·bytes)/t, above the device's
// idle power. Group "net" has the terms active_w, j_per_op and j_per_byte.
const FormPower = "power/net/v1"

// The power priors: shares of the span between idle and limit. They are separate from the time priors because they
// are weaker: data sheets give two points, idle and limit.
const (
	powerActive  = 0.30 // clocks and caches awake, nothing computed yet
	powerCompute = 0.85 // arithmetic at peak: a large product at 80 % of peak then draws the limit, as such products do
	powerMemory  = 0.45 // traffic at peak: a copy draws about 70 % of the limit
	// powerCache is the energy of a byte from a cache as a part of one from main memory: 64 bits cost 0.1 nJ in a 1 MB
	// cache and 1.3 to 2.6 nJ in DRAM (M. Horowitz, Computing's Energy Problem, ISSCC 2014).
	powerCache = 0.06
	powerSigma = 0.20 // standard deviation of ln(measured/predicted) that is taken for them
)

// PowerReason says in a line what the power of a datasheet device rests on.
const PowerReason = "of the span from idle to limit, 30 % is drawn by being active, 85 % by arithmetic at peak, 45 % by memory traffic at peak, and a byte from a cache costs 6 % of one from memory; estimates, standard deviation 20 %"

// NoPower says why a prediction has no energy, and what gives it one.
const NoPower = "the device states no power; calibrate --idle-power 10W --max-power 65W takes the data sheet's where no energy counter can be read"

// Power turns time, operations and bytes into joules. Watts are those of what Power in the device file covers.
type Power struct {
	Known      bool
	Idle       float64
	Active     float64
	Limit      float64 // +Inf where the device states none
	perProduct map[specs.DType]float64
	perOther   float64 // per FLOP outside of products
	PerByte    float64
	sigma      float64
	Calibrated bool
}

// NewPower takes the fit of the runtime where there is one, and the priors otherwise. share is the part of the
// device that is at work: threads over cores.
func NewPower(d *specs.Device, rt plan.Runtime, p specs.DType, threads int, share float64) Power {
	m := Power{Limit: math.Inf(1), perProduct: map[specs.DType]float64{}}
	if d.Power.IdleW == nil {
		return m
	}
	m.Idle = d.Power.IdleW.Value
	if d.Power.LimitW != nil {
		m.Limit = d.Power.LimitW.Value
	}
	fit := d.FindFit(specs.FitKey{Measure: specs.MeasurePower, Form: FormPower, Runtime: string(rt), Threads: threads, Precision: p})
	if fit != nil {
		g := fit.Groups["net"]
		m.Known, m.Calibrated = true, true
		m.Active, m.PerByte, m.perOther = g.Term("active_w"), g.Term("j_per_byte"), g.Term("j_per_op")
		m.perProduct[p], m.perProduct[specs.INT8] = m.perOther, m.perOther
		if r := fit.Residuals; r != nil {
			m.sigma = (r.Quantile(0.95) - r.Quantile(0.05)) / (2 * z90)
		}
		return m
	}
	if d.Power.LimitW == nil {
		return m
	}
	span := (m.Limit - m.Idle) * share
	m.Known, m.sigma = true, powerSigma
	m.Active = powerActive * span
	for _, t := range []specs.DType{p, specs.INT8} {
		if r, ok := d.PeakRate(t); ok {
			m.perProduct[t] = powerCompute * (m.Limit - m.Idle) / r.Value
		}
	}
	m.perOther = powerCompute * (m.Limit - m.Idle) / vectorPeak(d, p)
	m.PerByte = powerMemory * (m.Limit - m.Idle) / d.Memory.BandwidthBytesPerS.Value
	return m
}

// Dynamic is the energy of one execution's operations and bytes.
func (m *Power) Dynamic(l *Demand, t *KernelTime) float64 {
	per, ok := m.perProduct[l.Precision]
	if !ok {
		per = m.perOther
	}
	return per*2*l.MACs + m.perOther*math.Max(0, l.FLOPs-2*l.MACs) + m.PerByte*(l.Bytes()-(1-powerCache)*t.CacheBytes)
}

// Width is half the interval of ln(energy), of an inference whose time lies within this ratio of the predicted one: time and
// power err independently.
func (m *Power) Width(ratio float64) float64 {
	return math.Sqrt(square(math.Log(ratio)) + square(z90*m.sigma))
}

// Stretch is the factor by which an inference of t seconds slows down so that its mean power stays at the limit:
// the dynamic energy is what it is, and only time can spread it. Where even an active device without work exceeds the
// limit, nothing is left to stretch.
func (m *Power) Stretch(t, dynamicJ float64) float64 {
	static := m.Idle + m.Active
	if t <= 0 || dynamicJ <= 0 || static >= m.Limit || static+dynamicJ/t <= m.Limit {
		return 1
	}
	return dynamicJ / (m.Limit - static) / t
}
