package costmodel

import "github.com/onnxcost/onnxcost/costmodel/plan"

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
