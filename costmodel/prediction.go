package costmodel

import (
	"fmt"
	"math"
	"strconv"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/costmodel/form"
	"github.com/onnxcost/onnxcost/costmodel/internal/memory"
	"github.com/onnxcost/onnxcost/costmodel/plan"
	"github.com/onnxcost/onnxcost/specs"
)

// Prediction is what one inference of a batch costs: seconds, joules, watts and bytes. The interval holds IntervalLevel
// of measurements, as far as residuals or priors tell.
type Prediction struct {
	Model     string       `json:"model"`
	Device    string       `json:"device"`
	Runtime   plan.Runtime `json:"runtime"`
	Precision specs.DType  `json:"precision"`
	Threads   int          `json:"threads,omitempty"`
	Batch     int64        `json:"batch"`
	Dims      dim.Env      `json:"dims"`

	LatencyS      float64 `json:"latency_s"` // of the whole batch
	LatencyLowS   float64 `json:"latency_low_s"`
	LatencyHighS  float64 `json:"latency_high_s"`
	IntervalLevel float64 `json:"interval_level"`
	ThroughputPS  float64 `json:"throughput_per_s"` // samples; 0 where LatencyS is 0

	EnergyJ          Optional `json:"energy_j"` // of the whole batch, idle power included
	EnergyLowJ       Optional `json:"energy_low_j"`
	EnergyHighJ      Optional `json:"energy_high_j"`
	EnergyPerSampleJ Optional `json:"energy_per_sample_j"`
	PowerW           Optional `json:"power_w"` // mean over the inference, idle included
	IdleW            Optional `json:"idle_w"`

	// PeakMemoryBytes is WeightMemoryBytes + ActivationMemoryBytes, which are those of the runtime (see Memory) in the
	// precision's element size. The low and high ends are those of the activations where rules of the runtime are not
	// known, and equal the figure where they are. AllocatorMemoryBytes is the most that the runtime's allocator has in use
	// for activations, rounding and workspaces inside of kernels included.
	PeakMemoryBytes           int64 `json:"peak_memory_bytes"`
	WeightMemoryBytes         int64 `json:"weight_memory_bytes"`
	ActivationMemoryBytes     int64 `json:"activation_memory_bytes"`
	ActivationMemoryLowBytes  int64 `json:"activation_memory_low_bytes"`
	ActivationMemoryHighBytes int64 `json:"activation_memory_high_bytes"`
	AllocatorMemoryBytes      int64 `json:"allocator_memory_bytes"`

	Baselines       Baselines             `json:"baselines"`
	Kernels         []KernelPrediction    `json:"kernels"`
	Provenance      specs.Kind            `json:"provenance"`
	PowerProvenance specs.Kind            `json:"power_provenance"`
	PowerCovers     specs.PowerScope      `json:"power_covers,omitempty"` // what joules and watts are of; "" where the device does not say
	Diagnostics     []analyzer.Diagnostic `json:"diagnostics"`
}

// KernelPrediction is one kernel's part. The times of all kernels add up to the latency: a kernel's time reaches from the
// end of the one before it to its own end, waits for the host included.
type KernelPrediction struct {
	Name    string   `json:"name"`
	Op      string   `json:"op"`
	Scope   string   `json:"scope"`
	Nodes   []string `json:"nodes"`
	Times   float64  `json:"times,omitempty"` // executions, where not 1
	StartS  float64  `json:"start_s"`
	TimeS   float64  `json:"time_s"`
	Bound   Bound    `json:"bound"`
	FLOPs   float64  `json:"flops"`
	Bytes   float64  `json:"bytes"`
	EnergyJ Optional `json:"energy_j"`
	// Unmodelled says that the time is a lower bound because the kernel has no time model.
	Unmodelled bool `json:"unmodelled,omitempty"`
}

// Optional is a figure that may be unknown, which is NaN here and null in JSON: never 0.
type Optional float64

// Unknown is the Optional without a value.
func Unknown() Optional { return Optional(math.NaN()) }

// Known reports whether there is a value.
func (o Optional) Known() bool { return !math.IsNaN(float64(o)) }

// MarshalJSON writes the number, or null.
func (o Optional) MarshalJSON() ([]byte, error) {
	if !o.Known() {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, float64(o), 'g', -1, 64), nil
}

// UnmarshalJSON reads a number or null.
func (o *Optional) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*o = Unknown()
		return nil
	}
	v, err := strconv.ParseFloat(string(data), 64)
	*o = Optional(v)
	return err
}

// EnergyPerDay is the joules of a day at a rate of samples per second: the inferences, and idle power for the rest of
// the time. ok is false where the energy is unknown or the device cannot keep up with the rate.
func (p *Prediction) EnergyPerDay(perS float64) (joules float64, ok bool) {
	const day = 86400
	busy := perS * p.LatencyS / float64(max(1, p.Batch))
	if !p.EnergyJ.Known() || busy > 1 || perS < 0 {
		return 0, false
	}
	return day * (perS*float64(p.EnergyPerSampleJ) + (1-busy)*float64(p.IdleW)), true
}

// EnergyPerMillion is the joules of a million samples, one batch after the other.
func (p *Prediction) EnergyPerMillion() Optional { return 1e6 * p.EnergyPerSampleJ }

// At evaluates the predictor for a batch size and further dimensions; 0 and nil take the Report's own bindings. The
// error is an *OptionError for dimensions without a value and for a batch that a fixed leading dimension rules out.
func (p *Predictor) At(batch int64, dims dim.Env) (*Prediction, error) {
	env, n, err := p.binder.bind(batch, dims)
	if err != nil {
		return nil, err
	}
	env, extra := p.binder.dataDims(env)
	s := p.scratch.Get().(*scratch)
	defer p.scratch.Put(s)
	for i := range p.forms {
		if err := p.forms[i].Eval(env, &s.loads[i]); err != nil {
			return nil, NeedDims(err, p.Plan.Report, env)
		}
	}
	if err := p.model.Times(s.loads, env, s.times); err != nil {
		return nil, err
	}
	out := &Prediction{Device: p.Device.Name, Runtime: p.Runtime, Precision: p.Precision, Threads: p.Threads, Batch: n, Dims: env,
		IntervalLevel: IntervalLevel, Provenance: specs.Datasheet, PowerProvenance: specs.Datasheet, PowerCovers: p.Device.Power.Covers}
	if p.fit != nil {
		out.Provenance = specs.Calibrated
	}
	if p.power.Calibrated {
		out.PowerProvenance = specs.Calibrated
	}
	out.Diagnostics = append(append(out.Diagnostics, p.diagnostics...), extra...)
	if err := p.memory(out, env); err != nil {
		return nil, err
	}
	p.spend(out, s, p.timeline(out, s))
	p.compare(out, s)
	out.Diagnostics = append(out.Diagnostics, form.Unmeasured(s.loads, s.times)...)
	if out.Diagnostics == nil {
		out.Diagnostics = []analyzer.Diagnostic{}
	}
	return out, nil
}

// memory is what the runtime needs.
func (p *Predictor) memory(out *Prediction, env dim.Env) error {
	m, err := memory.Of(p.Plan, env, memory.Options{Threads: p.Threads, Scale: p.actScale})
	if err != nil {
		return NeedDims(err, p.Plan.Report, env)
	}
	out.WeightMemoryBytes, out.ActivationMemoryBytes, out.PeakMemoryBytes = m.WeightBytes, m.ActivationBytes, m.PeakBytes()
	out.ActivationMemoryLowBytes, out.ActivationMemoryHighBytes = m.ActivationLowBytes, m.ActivationHighBytes
	out.AllocatorMemoryBytes = m.InUseBytes
	if have := p.Device.Memory.CapacityBytes.Value; float64(out.PeakMemoryBytes) > have {
		out.Diagnostics = append(out.Diagnostics, analyzer.Diagnostic{Severity: analyzer.SeverityWarning, Code: CodeMemory,
			Message: fmt.Sprintf("needs %d bytes, device %s has %.0f", out.PeakMemoryBytes, p.Device.Name, have)})
	}
	return nil
}

// timeline runs the kernels through host and device. The host issues one kernel after the other, dispatch seconds each;
// the device begins a kernel when it has been issued and the one before is done. So the latency is at least
// Σ time + (n-1)·gap and at least n·dispatch. The result is the seconds in which the device does nothing.
func (p *Predictor) timeline(out *Prediction, s *scratch) (waitS float64) {
	dispatch, gap := p.model.Host()
	if !p.noKernels {
		out.Kernels = make([]KernelPrediction, len(s.loads))
	} else {
		out.Kernels = []KernelPrediction{}
	}
	var issued, end, busy float64
	for i := range s.loads {
		l, t := &s.loads[i], &s.times[i]
		if l.Executions <= 0 {
			continue
		}
		issued += dispatch
		start := end
		if end > 0 {
			start += gap
		}
		start = math.Max(start, issued)
		last := start + t.Seconds
		if more := l.Executions - 1; more > 0 {
			last += more * math.Max(t.Seconds+gap, dispatch)
			issued += more * dispatch
		}
		waited := start - end + math.Max(0, l.Executions-1)*math.Max(gap, dispatch-t.Seconds)
		if waited > t.Seconds*l.Executions {
			t.Bound = BoundOverhead
		}
		if !p.noKernels {
			n := &p.names[i]
			k := KernelPrediction{Name: n.name, Op: n.op, Scope: n.scope, Nodes: n.nodes, StartS: end, TimeS: last - end, Bound: t.Bound,
				FLOPs: l.Executions * l.FLOPs, Bytes: l.Executions * l.Bytes(), EnergyJ: Unknown(), Unmodelled: l.Missing != ""}
			if l.Executions != 1 {
				k.Times = l.Executions
			}
			out.Kernels[i] = k
		}
		end, busy = last, busy+l.Executions*t.Seconds
	}
	out.LatencyS = end
	return max(0, end-busy)
}

// spend adds power and energy, and slows everything down where the limit binds.
func (p *Predictor) spend(out *Prediction, s *scratch, waitS float64) {
	out.EnergyJ, out.PowerW, out.IdleW, out.EnergyPerSampleJ = Unknown(), Unknown(), Unknown(), Unknown()
	out.EnergyLowJ, out.EnergyHighJ = Unknown(), Unknown()
	low, high := p.model.Interval(s.loads, s.times)
	low, high = form.WithWaits(low, high, waitS/out.LatencyS)
	span := form.MissingSpan(s.loads, s.times)
	stretch := 1.0
	if m := &p.power; m.Known {
		var dynamic float64
		for i := range s.loads {
			dynamic += s.loads[i].Executions * m.Dynamic(&s.loads[i], &s.times[i])
		}
		if stretch = m.Stretch(out.LatencyS, dynamic); stretch > 1 {
			out.Diagnostics = append(out.Diagnostics, analyzer.Diagnostic{Severity: analyzer.SeverityNote, Code: CodePowerCap,
				Message: fmt.Sprintf("would draw more than the limit of %.4g W; slowed down by %.3g", m.Limit, stretch)})
		}
		out.LatencyS *= stretch
		static := m.Idle + m.Active
		out.IdleW = Optional(m.Idle)
		out.EnergyJ = Optional(static*out.LatencyS + dynamic)
		out.EnergyPerSampleJ = out.EnergyJ / Optional(out.Batch)
		out.PowerW = out.IdleW // where nothing runs
		if out.LatencyS > 0 {
			out.PowerW = out.EnergyJ / Optional(out.LatencyS)
		}
		for i := range out.Kernels {
			k := &out.Kernels[i]
			k.StartS, k.TimeS = k.StartS*stretch, k.TimeS*stretch
			k.EnergyJ = Optional(static*k.TimeS + s.loads[i].Executions*m.Dynamic(&s.loads[i], &s.times[i]))
		}
	}
	out.LatencyLowS = out.LatencyS * low
	out.LatencyHighS = out.LatencyS*high + span*high*stretch
	if out.LatencyS > 0 {
		out.ThroughputPS = float64(out.Batch) / out.LatencyS
	}
	p.energyInterval(out)
}

// energyInterval combines the interval of the time with the spread of the power as independent factors.
func (p *Predictor) energyInterval(out *Prediction) {
	if !out.EnergyJ.Known() {
		return
	}
	if out.LatencyS <= 0 { // nothing runs
		out.EnergyLowJ, out.EnergyHighJ = out.EnergyJ, out.EnergyJ
		return
	}
	width := p.power.Width
	out.EnergyLowJ = out.EnergyJ * Optional(math.Exp(-width(out.LatencyLowS/out.LatencyS)))
	out.EnergyHighJ = out.EnergyJ * Optional(math.Exp(width(out.LatencyHighS/out.LatencyS)))
}

// compare adds the baselines.
func (p *Predictor) compare(out *Prediction, s *scratch) {
	var ops float64
	for i := range s.loads {
		ops += s.loads[i].Executions * 2 * s.loads[i].MACs
	}
	if text := form.Extrapolation(p.fit, float64(out.Batch), ops/2); text != "" {
		out.Diagnostics = append(out.Diagnostics, analyzer.Diagnostic{Severity: analyzer.SeverityWarning, Code: CodeExtrapolation,
			Message: text + "; the interval does not cover that"})
	}
	out.Baselines.Ops.LatencyS = p.ops(ops)
	out.Baselines.Roofline.LatencyS = form.Roofline(p.Device, s.loads, p.share)
}
