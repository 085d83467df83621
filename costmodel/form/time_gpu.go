package form

import (
	"fmt"
	"math"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/op"
	"github.com/onnxcost/onnxcost/costmodel/plan"
	"github.com/onnxcost/onnxcost/specs"
)

// gpuModel predicts kernels from FormGPU. What microbenchmarks of products and copies cannot tell (how much slower
// than its product a convolution is, and what a framework spends per operator) comes from the priors and the data sheet.
type gpuModel struct {
	*datasheetModel
	fit      *specs.Fit
	fitted   map[specs.DType]*GPUProducts
	fallback *GPUProducts
	memory   *GPUMemory
	conv     specs.Group
}

func newGPUModel(s Setup) (Model, error) {
	wrap := func(err error) error { return fmt.Errorf("device %s: fit %s: %w", s.Device.Name, s.Fit.Form, err) }
	base, err := NewDatasheet(s.Device, s.Plan.Runtime, s.Precision, 0, WeightBytes(s.Plan.Report, s.Precision))
	if err != nil {
		return nil, err
	}
	m := &gpuModel{datasheetModel: base, fit: s.Fit, fitted: map[specs.DType]*GPUProducts{}, conv: s.Fit.Groups[gpuConv]}
	units := s.Device.Compute.Units.Value
	if m.fallback, err = GPUProductsOf(s.Fit.Groups[gpuProduct], units); err != nil {
		return nil, wrap(err)
	}
	m.fitted[s.Precision] = m.fallback
	if m.memory, err = GPUMemoryOf(s.Fit.Groups[gpuMemory]); err != nil {
		return nil, wrap(err)
	}
	m.bw = m.memory.bandwidths()
	m.bw.resident = base.bw.resident && m.bw.cache > 0
	if s.Precision != specs.INT8 {
		// Networks that are quantised in part multiply in integers too.
		if f := s.Device.FindFit(specs.FitKey{Measure: specs.MeasureTime, Form: FormGPU, Runtime: s.Fit.Runtime, Precision: specs.INT8}); f != nil && f.Precision == specs.INT8 {
			g, err := GPUProductsOf(f.Groups[gpuProduct], units)
			if err != nil {
				return nil, wrap(err)
			}
			m.fitted[specs.INT8] = g
		}
	}
	if o, ok := s.Fit.Groups[gpuOverhead]; ok {
		m.gap = o.Term("gap_s")
		if s.Plan.Runtime != plan.Eager && s.Plan.Runtime != plan.Torch7 {
			m.dispatch = o.Term("launch_s")
		}
	}
	return m, nil
}

func (m *gpuModel) Times(loads []Demand, _ dim.Env, out []KernelTime) error {
	for i := range loads {
		out[i] = m.kernel(&loads[i])
	}
	return nil
}

// kernel is start + max(arithmetic, traffic).
func (m *gpuModel) kernel(l *Demand) KernelTime {
	switch l.Kernel.Kind {
	case plan.KindView, plan.KindHost, plan.KindControl, plan.KindContainer:
		return KernelTime{Group: gpuMemory}
	}
	traffic, _, cacheBytes := m.bw.seconds(l.Read, l.Written, l.Weights)
	t := KernelTime{Group: gpuMemory, Parts: new(priorShares), CacheBytes: cacheBytes}
	start, compute := m.memory.StartS, 0.0
	if len(l.Products) == 0 {
		if rest := l.FLOPs + specialFLOPs*l.Special; rest > 0 && m.vector > 0 {
			compute = rest / (m.vector * priors[priorVector].Value)
			if compute > traffic {
				t.Parts[priorVector] = compute
			}
		}
		return m.finish(t, start, compute, traffic)
	}
	g, ok := m.fitted[l.Precision]
	if !ok {
		g = m.fallback
	}
	t.Group = gpuProduct
	for i := range l.Products {
		p := &l.Products[i]
		if p.conv() && convClassOf(*p) == convDepthwise {
			slow, prior := m.multiplier(convDepthwise, priorDepthwise)
			sec := 2 * p.MACs() / (m.vector * priors[priorVector].Value)
			traffic /= slow
			compute += sec
			if prior {
				t.Parts[priorDepthwise] += math.Max(sec, traffic)
			}
			t.Group = gpuMemory
			continue
		}
		sec := m.product(g, p)
		if p.conv() {
			class := convClassOf(*p)
			by := priorCount
			switch class {
			case convDense:
				by = priorConv
			case convNarrow:
				by = priorNarrow
			}
			share, prior := m.multiplier(class, by)
			sec /= share
			if prior {
				t.Parts[by] += sec
			}
		}
		compute += sec
		start = g.StartS
	}
	if t.Group == gpuProduct {
		traffic /= g.TrafficShare
	}
	return m.finish(t, start, compute, traffic)
}

// multiplier is the rate of a class of convolutions relative to the same product, fitted or assumed.
func (m *gpuModel) multiplier(class convClass, by int) (share float64, prior bool) {
	if c, ok := m.conv.Terms[class.String()]; ok && c.Value > 0 {
		return c.Value, false
	}
	if by == priorCount {
		return 1, false
	}
	return priors[by].Value, true
}

// product is the arithmetic time of one contraction. Steps of a recurrence run one after the other.
func (m *gpuModel) product(g *GPUProducts, p *product) float64 {
	if p.Kind == op.RecurrentKind {
		return p.Batch*g.arithmetic(p.Groups, p.M, p.N, p.K, m.bw.dram) + math.Max(0, p.Batch-1)*g.StartS
	}
	return g.arithmetic(p.Batch*p.Groups, p.M, p.N, p.K, m.bw.dram)
}

func (m *gpuModel) finish(t KernelTime, start, compute, traffic float64) KernelTime {
	t.Seconds = start + math.Max(compute, traffic)
	switch {
	case start >= math.Max(compute, traffic):
		t.Bound = BoundOverhead
	case compute > traffic:
		t.Bound = BoundCompute
	default:
		t.Bound = BoundMemory
	}
	return t
}

// Interval mixes the residuals of the groups by their share of the time: what a fit gets wrong for one shape it gets
// wrong for its neighbours, so that the errors of a network's kernels do not average out. What rests on priors adds
// their uncertainty.
func (m *gpuModel) Interval(loads []Demand, times []KernelTime) (low, high float64) {
	var sum, logLow, logHigh float64
	var parts priorShares
	for i := range times {
		n := loads[i].Executions * times[i].Seconds
		if n <= 0 {
			continue
		}
		r := m.fit.Groups[times[i].Group].Residuals
		if r == nil {
			r = m.fit.Residuals
		}
		lo, hi := residualInterval(r)
		sum += n
		logLow += n * math.Log(lo)
		logHigh += n * math.Log(hi)
		if times[i].Parts != nil {
			for p, s := range times[i].Parts {
				parts[p] += loads[i].Executions * math.Min(s, times[i].Seconds)
			}
		}
	}
	if sum == 0 {
		return residualInterval(m.fit.Residuals)
	}
	var v float64
	for p, s := range parts {
		v += square(s / sum * z90 * priors[p].sigma())
	}
	return math.Exp(-math.Hypot(logLow/sum, math.Sqrt(v))), math.Exp(math.Hypot(logHigh/sum, math.Sqrt(v)))
}
