package costmodel

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/costmodel/form"
	"github.com/onnxcost/onnxcost/costmodel/internal/lower"
	"github.com/onnxcost/onnxcost/costmodel/plan"
	"github.com/onnxcost/onnxcost/specs"
)

// PredictSchema names the form of a list of predictions.
const PredictSchema = "onnxcost/predict/v1"

// The codes of a prediction's own diagnostics.
const (
	CodeNoTimeModel   = "no-time-model"
	CodeUpperBound    = "upper-bound"
	CodeExtrapolation = "extrapolation"
	CodeNoFit         = "no-fit"
	CodePowerCap      = "power-cap"
	CodeNoPower       = "no-power"
	CodePrecision     = "precision"
	CodeMemory        = "memory-capacity"
)

// Options steer a prediction. The zero value is the usual one: the device's default runtime, the precision of the
// model's own weights, all cores, the batch that the Report is bound to.
type Options struct {
	Runtime   plan.Runtime
	Precision specs.DType
	Threads   int   // CPUs: threads of the runtime; 0 for those of the device's fits, or all cores
	Batch     int64 // leading dimension of the inputs; 0 for what the Report is bound to
	Dims      dim.Env
	// NoKernels leaves the list of kernels out.
	NoKernels bool
}

// Predict says what one inference costs. It compiles the Report for the runtime and evaluates it once; use Compile and
// Predictor.At for sweeps. The error is an *OptionError where device, model and options do not fit together,
// dim.ErrOverflow where a figure does not fit 64 bits, or ctx's.
func Predict(ctx context.Context, r *analyzer.Report, d *specs.Device, o Options) (*Prediction, error) {
	p, err := Compile(ctx, r, d, o)
	if err != nil {
		return nil, err
	}
	return p.At(o.Batch, o.Dims)
}

// Predictor predicts one model on one device for any binding of the free dimensions. It is safe for concurrent use.
type Predictor struct {
	Plan      *plan.Plan
	Device    *specs.Device
	Runtime   plan.Runtime
	Precision specs.DType
	Threads   int

	fit         *specs.Fit
	model       form.Model
	power       form.Power
	ops         func(float64) float64
	share       float64 // of the device at work
	forms       []form.DemandFormula
	names       []kernelNames
	noKernels   bool
	binder      binder
	weightBytes float64
	actScale    float64
	quantised   bool
	diagnostics []analyzer.Diagnostic
	scratch     sync.Pool
}

// kernelNames are the texts of a kernel that do not depend on the binding.
type kernelNames struct {
	name, op, scope string
	nodes           []string
}

// scratch is the working memory of one evaluation.
type scratch struct {
	loads []form.Demand
	times []form.KernelTime
}

// DefaultRuntime is the runtime that a device is predicted for when none is asked: that of its fits, else the one that
// people meet it with.
func DefaultRuntime(d *specs.Device) plan.Runtime {
	for i := range d.Fits {
		if d.Fits[i].Measure == specs.MeasureTime && d.Fits[i].Runtime != "" {
			return plan.Runtime(d.Fits[i].Runtime)
		}
	}
	if d.Class == specs.CPU {
		return plan.ORTCPU
	}
	return plan.Eager
}

// Compile prepares a Report for a device: kernels, formulas, coefficients. Evaluating it is then cheap.
func Compile(ctx context.Context, r *analyzer.Report, d *specs.Device, o Options) (*Predictor, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p := &Predictor{Device: d, Runtime: o.Runtime, Precision: o.Precision, Threads: o.Threads, noKernels: o.NoKernels, share: 1}
	if p.Runtime == "" {
		p.Runtime = DefaultRuntime(d)
	}
	if p.Precision == "" {
		p.Precision = form.NativePrecision(r)
	}
	if err := p.threads(); err != nil {
		return nil, err
	}
	cpu, assumed := processorOf(d)
	lowered, err := lower.Lower(r, p.Runtime, cpu)
	if err != nil {
		return nil, err
	}
	p.Plan = lowered
	if assumed != "" && p.Runtime == plan.ORTCPU {
		p.note(CodeProcessor, assumed)
	}
	p.binder = newBinder(r)
	storage := p.Precision
	if p.quantised = form.Quantised(r); p.quantised && storage == specs.INT8 { // it is int8 already; what is float in it stays
		storage = form.NativePrecision(r)
	}
	p.weightBytes, p.actScale = form.WeightBytes(r, storage), form.ActivationScale(r, storage)
	p.forms, p.names = slices.Grow(p.forms, len(lowered.Kernels)), slices.Grow(p.names, len(lowered.Kernels))
	for _, k := range lowered.Kernels {
		p.forms = append(p.forms, form.NewDemandFormula(k, p.Precision, storage))
		p.names = append(p.names, namesOf(k))
	}
	if err := p.chooseModel(); err != nil {
		return nil, err
	}
	p.power = form.NewPower(d, p.Runtime, p.Precision, p.Threads, p.share)
	p.ops = form.OpsLine(d, p.fit, p.Precision, p.share)
	p.diagnose()
	p.scratch.New = func() any {
		return &scratch{loads: make([]form.Demand, len(p.forms)), times: make([]form.KernelTime, len(p.forms))}
	}
	return p, nil
}

// threads settles the number of threads: only processors made of cores are divided.
func (p *Predictor) threads() error {
	cores := p.Device.Compute.Units.Value
	switch {
	case p.Threads < 0:
		return &OptionError{Msg: fmt.Sprintf("threads %d: want at least 1", p.Threads)}
	case p.Device.Class != specs.CPU:
		if p.Threads > 0 {
			return &OptionError{Msg: fmt.Sprintf("threads %d: device %s is no CPU", p.Threads, p.Device.Name)}
		}
		return nil
	case p.Threads == 0:
		p.Threads = int(cores)
		if fitted := p.Device.FitThreads(string(p.Runtime)); len(fitted) > 0 {
			p.Threads = fitted[len(fitted)-1]
		}
	}
	p.share = math.Min(1, float64(p.Threads)/cores)
	return nil
}

// chooseModel takes the fit that serves the options, or the data sheet.
func (p *Predictor) chooseModel() (err error) {
	p.fit = form.FindFit(p.Device, p.Runtime, p.Precision, p.Threads)
	if p.fit != nil {
		p.model, err = form.NewFitted(form.Setup{Plan: p.Plan, Device: p.Device, Fit: p.fit, Precision: p.Precision, Threads: p.Threads})
		return err
	}
	if len(p.Device.Fits) > 0 {
		p.note(CodeNoFit, fmt.Sprintf("device %s has no fit for runtime %s, precision %s%s; predicted from its data sheet",
			p.Device.Name, p.Runtime, p.Precision, threadsText(p.Threads)))
	}
	p.model, err = form.NewDatasheet(p.Device, p.Runtime, p.Precision, p.Threads, p.weightBytes)
	return err
}

func threadsText(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" and %d threads", n)
}

func (p *Predictor) note(code, message string) {
	p.diagnostics = append(p.diagnostics, analyzer.Diagnostic{Severity: analyzer.SeverityNote, Code: code, Message: message})
}

// diagnose collects what is the same for every binding.
func (p *Predictor) diagnose() {
	p.diagnostics = append(p.diagnostics, p.Plan.Diagnostics...)
	for i := range p.forms {
		if f := &p.forms[i]; f.Missing != "" {
			p.diagnostics = append(p.diagnostics, analyzer.Diagnostic{Severity: analyzer.SeverityWarning, Code: CodeNoTimeModel,
				Node: f.Kernel.Name, Message: "no time model: " + f.Missing + "; its time is a lower bound and the interval is wider"})
		}
	}
	if p.Precision == specs.INT8 && !p.quantised {
		p.note(CodePrecision, "the model is not quantised: products, pooling, movement and plain arithmetic are counted in int8, normalisation and special functions in fp32, and the conversions between them not at all")
	}
	if !p.power.Known {
		p.note(CodeNoPower, "energy is unknown: "+NoPower)
	}
}

func namesOf(k *plan.Kernel) kernelNames {
	n := kernelNames{name: k.Name, op: k.FullOp(), nodes: []string{}}
	for _, x := range k.Nodes {
		n.nodes = append(n.nodes, x.Name)
	}
	if k.Anchor != nil {
		n.scope = analyzer.Scope(k.Anchor)
	}
	if n.name == "" {
		n.name = strings.Join(n.nodes, "+")
	}
	return n
}
