package costmodel

import (
	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/costmodel/internal/lower"
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
