package costmodel

import (
	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/costmodel/internal/lower"
	"github.com/onnxcost/onnxcost/costmodel/internal/memory"
	"github.com/onnxcost/onnxcost/costmodel/plan"
	"github.com/onnxcost/onnxcost/specs"
)

// What a runtime launches is described in package plan.
type (
	Plan        = plan.Plan
	Kernel      = plan.Kernel
	Runtime     = plan.Runtime
	RuntimeInfo = plan.RuntimeInfo
)

// MemoryUse is what a runtime needs to run a Plan once, MemoryOptions steer Memory.
type (
	MemoryUse     = memory.Use
	MemoryOptions = memory.Options
)

// The runtimes.
const (
	Eager    = plan.Eager
	ORTCPU   = plan.ORTCPU
	ORTCUDA  = plan.ORTCUDA
	TensorRT = plan.TensorRT
	Torch7   = plan.Torch7
)

// Runtimes lists the profiles, in the order in which help shows them.
func Runtimes() []RuntimeInfo { return plan.Runtimes() }

// ParseRuntime returns the runtime called name. The error lists the names.
func ParseRuntime(name string) (Runtime, error) { return plan.ParseRuntime(name) }

// CodeRuntimeGraph marks nodes that a runtime executes in a form that the Plan does not have.
const CodeRuntimeGraph = lower.CodeRuntimeGraph

// Lower turns the executed nodes of a Report into the kernels of a runtime. The kernels of CPU runtimes depend on the
// processor that the runtime's build meets; nil stands for specs.AssumedProcessor. The error is for a runtime that does
// not exist.
func Lower(r *analyzer.Report, rt Runtime, cpu *specs.Processor) (*Plan, error) {
	return lower.Lower(r, rt, cpu)
}

// Memory says what the runtime of a Plan needs under a binding of its free dimensions: for ort-cpu what its planner and
// its arena do, for eager the caching allocator of a framework, for torch7-cudnn5 modules that keep their outputs, for
// runtimes on accelerators a plan in one block with its bounds. It is safe for concurrent use. The error names the
// dimensions without a value, or a runtime without a memory model.
func Memory(p *Plan, env dim.Env, opt MemoryOptions) (*MemoryUse, error) {
	return memory.Of(p, env, opt)
}
