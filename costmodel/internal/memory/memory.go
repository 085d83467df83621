package memory

import (
	"fmt"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/costmodel/plan"
)

// Use is what a runtime needs to run a Plan once. All figures are bytes.
type Use struct {
	// WeightBytes is what the session holds before the first kernel: constants as the runtime keeps them, in its packed
	// form where it packs them.
	WeightBytes int64
	// ActivationBytes is the largest sum of what kernels have asked for at one time, weights and the caller's inputs
	// apart. ActivationLow and High bound it where a rule of the runtime is not known, and equal it where all are.
	ActivationBytes     int64
	ActivationLowBytes  int64
	ActivationHighBytes int64
	// InUseBytes is the largest sum of the allocator's blocks in use, temporary memory inside of kernels included;
	// HeldBytes is what the allocator has taken from the system by the end.
	InUseBytes int64
	HeldBytes  int64
	// PeakKernel is the position of the kernel at whose end ActivationBytes is reached first; -1 without one.
	PeakKernel int
	// Timeline is what has been asked for and not been given back when each kernel of the main graph is done, before its
	// inputs are freed.
	Timeline []int64
	// Unknown says which rules are not known, in a line each.
	Unknown []string
}

// PeakBytes is WeightBytes + ActivationBytes.
func (m *Use) PeakBytes() int64 { return m.WeightBytes + m.ActivationBytes }

// Options steer Memory. The zero value is one thread and the element sizes of the model.
type Options struct {
	// Threads is the number of threads inside an operator, which share workspaces of their own; 0 is 1.
	Threads int
	// Scale is the width of the predicted precision over that of the model's floating-point tensors; 0 is 1. Other tensors
	// keep their size.
	Scale float64
}

// scale is the factor on the size of a tensor of type t.
func (o Options) scale(t onnx.DType) float64 {
	switch t {
	case onnx.Float32, onnx.Float16, onnx.BFloat16:
		return o.Scale
	}
	return 1
}

// Of says what the runtime of a Plan needs under a binding of its free dimensions: for ort-cpu what its planner and
// its arena do, for eager the caching allocator of a framework, for torch7-cudnn5 modules that keep their outputs, for
// runtimes on accelerators a plan in one block with its bounds. It is safe for concurrent use. The error names the
// dimensions without a value, or a runtime without a memory model.
func Of(lowered *plan.Plan, env dim.Env, opt Options) (*Use, error) {
	if env == nil {
		env = lowered.Report.Dims
	}
	if opt.Threads <= 0 {
		opt.Threads = 1
	}
	if opt.Scale <= 0 {
		opt.Scale = 1
	}
	var m *Use
	var err error
	switch lowered.Runtime {
	case plan.ORTCPU:
		m, err = ortMemory(lowered, env, opt)
	case plan.Torch7:
		m, err = torch7Memory(lowered, env)
	case plan.Eager:
		m, err = eagerMemory(lowered, env, opt)
	case plan.ORTCUDA, plan.TensorRT:
		m, err = deviceMemory(lowered, env, opt)
	default:
		return nil, fmt.Errorf("runtime %s has no memory model", lowered.Runtime)
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

// sizeOf evaluates a size; unknown ones are 0 and noted.
func (m *Use) sizeOf(bytes dim.Dim, known bool, what string, env dim.Env) (int64, error) {
	if !known {
		m.unknown(fmt.Sprintf("the size of %s is not known", what))
		return 0, nil
	}
	n, err := bytes.Eval(env)
	if err != nil {
		return 0, fmt.Errorf("size of %s: %w", what, err)
	}
	return n, nil
}

// maxUnknown bounds the list of what is not known.
const maxUnknown = 8

func (m *Use) unknown(text string) {
	if len(m.Unknown) < maxUnknown {
		m.Unknown = append(m.Unknown, text)
	}
}
