package form

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/op"
	"github.com/onnxcost/onnxcost/costmodel/plan"
	"github.com/onnxcost/onnxcost/specs"
)

// datasheetModel predicts kernels from what the vendor states and the priors: no measurement of the device is in it.
type datasheetModel struct {
	device *specs.Device
	units  float64 // SMs, or the cores that the threads occupy
	cpu    bool
	// products gives the rate of matrix products by format; vector that of other arithmetic, in FLOP/s.
	products map[specs.DType]gemmRate
	vector   float64
	bw       bandwidths
	start    float64 // seconds in which a kernel fills and drains the device, or a CPU runtime finds the next node
	dispatch float64
	gap      float64
}

// Constants of the GPU model that no datasheet states. They shape small products only: a large one reaches the rate
// that the priors give.
const (
	edgeMatrix, edgeVector = 16, 4  // of A/(A+e), in elements
	fillMatrix, fillVector = 64, 16 // k0, in elements of K
	tailGPU                = 1      // a partial wave costs half of what is missing from it
	alignMatrix            = 8      // elements of a 16-byte load in fp16
	// startGPU: a kernel of no work takes 2 to 3 µs from first to last instruction on the device; the Volta figure beside
	// gap_s in the device files is 2.9 µs for a short one.
	startGPU = 2e-6
)

// NewDatasheet prepares a device for a runtime, precision and number of threads (CPUs; 0 for all cores).
// weights is all constant bytes of the plan, which decides whether they stay in the cache.
func NewDatasheet(d *specs.Device, rt plan.Runtime, p specs.DType, threads int, weights float64) (*datasheetModel, error) {
	m := &datasheetModel{device: d, units: d.Compute.Units.Value, cpu: d.Class == specs.CPU, products: map[specs.DType]gemmRate{}}
	share := 1.0
	if m.cpu {
		if threads > 0 {
			m.units = math.Min(float64(threads), m.units)
		}
		share = m.units / d.Compute.Units.Value
	}
	if _, ok := d.PeakRate(p); !ok {
		return nil, &OptionError{Msg: fmt.Sprintf("precision %s: device %s states no peak for it; it has %s", p, d.Name, strings.Join(peaks(d), ", "))}
	}
	for _, f := range []specs.DType{p, specs.INT8} {
		if r, ok := d.PeakRate(f); ok {
			m.products[f] = m.rate(r)
		}
	}
	m.vector = vectorPeak(d, p) * share
	dram := d.Memory.BandwidthBytesPerS.Value
	if m.cpu && d.Memory.UnitBandwidthBytesPerS != nil {
		dram = math.Min(dram, d.Memory.UnitBandwidthBytesPerS.Value*m.units)
	}
	m.bw.dram = dram * priors[priorDRAM].Value
	m.lastCache(share)
	m.bw.resident = weights > 0 && weights <= usableCache*m.bw.cacheBytes
	m.overheads(rt)
	return m, nil
}

// peaks lists the formats that a device has a peak for.
func peaks(d *specs.Device) []string {
	var names []string
	for _, t := range []specs.DType{specs.FP32, specs.TF32, specs.FP16, specs.BF16, specs.INT8} {
		if _, ok := d.PeakRate(t); ok {
			names = append(names, string(t))
		}
	}
	return names
}

func (m *datasheetModel) rate(r specs.Rate) gemmRate {
	per := r.Value / m.device.Compute.Units.Value
	switch {
	case m.cpu:
		return gemmRate{perUnit: per * priors[priorCPU].Value, path: r.Path}
	case r.Path == specs.Matrix:
		return gemmRate{per * priors[priorMatrix].Value * (largest + edgeMatrix) / largest, r.Path, edgeMatrix, fillMatrix, tailGPU, alignMatrix}
	}
	return gemmRate{per * priors[priorVector].Value * (largest + edgeVector) / largest, r.Path, edgeVector, fillVector, tailGPU, 1}
}

// vectorPeak is the rate of element-wise arithmetic: that of the format or, where only matrix units know it, of fp32.
func vectorPeak(d *specs.Device, p specs.DType) float64 {
	for _, t := range []specs.DType{p, specs.FP32} {
		if r, ok := d.PeakVector[t]; ok {
			return r.Value
		}
	}
	r, _ := d.PeakRate(p)
	return r.Value
}

// lastCache takes the outermost cache level with a bandwidth.
func (m *datasheetModel) lastCache(share float64) {
	for i := range slices.Backward(m.device.Caches) {
		c := &m.device.Caches[i]
		b, ok := m.device.TotalBandwidth(c)
		if !ok {
			continue
		}
		m.bw.cache, m.bw.cacheBytes = b*share*priors[priorCache].Value, m.device.TotalBytes(c)
		if c.Scope == specs.PerUnit {
			m.bw.cacheBytes *= share
		}
		m.bw.cache = math.Max(m.bw.cache, m.bw.dram)
		return
	}
}

// overheads takes the host's and the device's cost per kernel. An eager framework dispatches every operator; compiled
// runtimes only launch.
func (m *datasheetModel) overheads(rt plan.Runtime) {
	o := m.device.Overhead
	if m.cpu {
		m.start = o.DispatchS.Or(0)
		return
	}
	m.start, m.gap = startGPU, o.GapS.Or(0)
	if rt == plan.Eager || rt == plan.Torch7 {
		m.dispatch = o.DispatchS.Or(o.LaunchS.Or(0))
	} else {
		m.dispatch = o.LaunchS.Or(0)
	}
}

func (m *datasheetModel) Host() (dispatchS, gapS float64) { return m.dispatch, m.gap }

func (m *datasheetModel) Times(loads []Demand, _ dim.Env, out []KernelTime) error {
	for i := range loads {
		out[i] = m.kernel(&loads[i])
	}
	return nil
}

// kernel is max(arithmetic, traffic) after the start.
func (m *datasheetModel) kernel(l *Demand) KernelTime {
	switch l.Kernel.Kind {
	case plan.KindView, plan.KindHost, plan.KindControl, plan.KindContainer:
		return m.pack(0, priorCount, priorCount, 0, 0, 1)
	}
	memory, inCache, cacheBytes := m.bw.seconds(l.Read, l.Written, l.Weights)
	slow := 1.0
	compute, by, class := 0.0, priorCount, priorCount
	for i := range l.Products {
		p := &l.Products[i]
		c := convDense
		if p.conv() {
			if c = convClassOf(*p); c == convDepthwise {
				slow = priors[priorDepthwise].Value
			}
		}
		sec, rateOf, classOf := m.product(p, c, l.Precision)
		compute += sec
		by, class = rateOf, classOf
	}
	if rest := l.FLOPs - 2*l.MACs + specialFLOPs*l.Special; rest > 0 && m.vector > 0 {
		sec := rest / (m.vector * priors[priorVector].Value)
		if len(l.Products) == 0 {
			compute, by = sec, priorVector
		}
	}
	t := m.pack(compute, by, class, memory/slow, inCache/slow, slow)
	t.CacheBytes = cacheBytes
	return t
}

// specialFLOPs is what one exp, tanh, sqrt or division counts among other arithmetic: special-function units have a
// quarter of the lanes (CUDA C++ Programming Guide, table of arithmetic throughput: 16 a clock to 64 or 128).
const specialFLOPs = 8

// product is the arithmetic time of one contraction and the priors that it rests on.
func (m *datasheetModel) product(p *product, class convClass, f specs.DType) (sec float64, by, second int) {
	r, ok := m.products[f]
	if !ok {
		r = m.products[specs.INT8]
	}
	by, second = priorVector, priorCount
	switch {
	case m.cpu:
		by = priorCPU
	case r.path == specs.Matrix:
		by = priorMatrix
	}
	if p.MACs() == 0 { // of a tensor without elements
		return 0, by, second
	}
	if p.conv() && class == convDepthwise {
		// No matrix path: one multiply-add per lane and tap.
		return 2 * p.MACs() / (m.vector * priors[by].Value), by, priorDepthwise
	}
	batch, steps := p.Batch*p.Groups, 1.0
	if p.Kind == op.RecurrentKind {
		batch, steps = p.Groups, p.Batch
	}
	if m.cpu {
		a := p.M * p.N / (p.M + p.N)
		sec = 2 * steps * batch * p.M * p.N * p.K / (r.perUnit * m.units) * (a + edgeCPU) / a
	} else {
		sec = steps * gemmSeconds(r, m.units, batch, p.M, p.N, p.K, m.bw.dram)
		if steps > 1 {
			sec += steps * m.start
		}
	}
	if p.conv() {
		switch class {
		case convDense:
			return sec / priors[priorConv].Value, by, priorConv
		case convNarrow:
			return sec / priors[priorNarrow].Value, by, priorNarrow
		}
	}
	return sec, by, second
}

// edgeCPU is e of A/(A+e) for the register blocks of CPU kernels, about 6×16.
const edgeCPU = 4

// pack makes the kernel's time of its parts. Arithmetic and traffic overlap; the start does not.
func (m *datasheetModel) pack(compute float64, by, class int, memory, inCache, slow float64) KernelTime {
	t := KernelTime{Seconds: m.start + math.Max(compute, memory), Parts: new(priorShares)}
	t.Parts[priorOverhead] = m.start
	switch {
	case m.start >= math.Max(compute, memory):
		t.Bound = BoundOverhead
	case compute > memory:
		t.Bound = BoundCompute
	default:
		t.Bound = BoundMemory
	}
	if compute > memory {
		t.Parts[by] += compute
		if class != priorCount {
			t.Parts[class] += compute
		}
		return t
	}
	t.Parts[priorCache] += inCache
	t.Parts[priorDRAM] += memory - inCache
	if slow < 1 {
		t.Parts[priorDepthwise] += memory
	}
	return t
}

// Interval adds the priors' uncertainties up as independent ones, each weighed by the share of the time that rests on it.
func (m *datasheetModel) Interval(loads []Demand, times []KernelTime) (low, high float64) {
	var sum float64
	var parts priorShares
	for i := range times {
		if times[i].Parts == nil {
			continue
		}
		n := loads[i].Executions
		sum += n * times[i].Seconds
		for p, s := range times[i].Parts {
			parts[p] += n * s
		}
	}
	if sum == 0 {
		return priors[priorForm].Low, priors[priorForm].High
	}
	v := square(priors[priorForm].sigma())
	for p, s := range parts {
		v += square(s / sum * priors[p].sigma())
	}
	width := z90 * math.Sqrt(v)
	return math.Exp(-width), math.Exp(width)
}

func square(x float64) float64 { return x * x }
