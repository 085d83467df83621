package costmodel

import (
	"context"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/costmodel/form"
	"github.com/onnxcost/onnxcost/costmodel/plan"
	"github.com/onnxcost/onnxcost/specs"
)

// The parts of a prediction that package form makes.
type (
	Bound         = form.Bound
	Baselines     = form.Baselines
	Baseline      = form.Baseline
	Prior         = form.Prior
	OptionError   = form.OptionError
	PaperFit      = form.PaperFit
	PaperFitPoint = form.PaperFitPoint
)

// The bounds.
const (
	BoundCompute  = form.BoundCompute
	BoundMemory   = form.BoundMemory
	BoundOverhead = form.BoundOverhead
)

// CodeUnmeasured marks operators that no microbenchmark of the device's fit has run.
const CodeUnmeasured = form.CodeUnmeasured

// IntervalLevel is the probability that predictions state their interval for.
const IntervalLevel = form.IntervalLevel

// PowerReason says in a line what the power of a datasheet device rests on; NoPower why a prediction has no energy, and
// what gives it one.
const (
	PowerReason = form.PowerReason
	NoPower     = form.NoPower
)

// Priors is the table of assumptions behind every datasheet prediction.
func Priors() []Prior { return form.Priors() }

// FitPaper fits the time and the power of device d, the paper's board, to the published figures. Nothing is random.
func FitPaper(ctx context.Context, d *specs.Device) (*PaperFit, error) {
	return form.FitPaper(ctx, d, form.PaperTools{Bind: BindBatch, Lower: func(r *analyzer.Report) (*plan.Plan, error) {
		return Lower(r, plan.Torch7, nil)
	}})
}
