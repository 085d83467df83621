package memory

import (
	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/costmodel/plan"
)

// deviceMemory bounds a runtime on an accelerator whose planner has not been checked: not below what the widest step of
// the graph needs when everything that may share memory does, not above the sum of live tensors when nothing does. The
// figure itself is a plan of the graph's activations in one block, which is what such runtimes aim at (TensorRT) or what
// their planners come to (ONNX Runtime on a device). Workspaces of convolutions and products are not in it.
func deviceMemory(plan *plan.Plan, env dim.Env, opt Options) (*Use, error) {
	r := plan.Report.Scaled(opt.scale)
	a, err := r.Arena(env, analyzer.ArenaOptions{Align: 256, Planner: analyzer.PlanBestFit})
	if err != nil {
		return nil, err
	}
	l, err := r.Liveness(env)
	if err != nil {
		return nil, err
	}
	m := &Use{PeakKernel: -1, WeightBytes: int64(weightBytesOf(r, opt)), ActivationBytes: a.Bytes,
		ActivationLowBytes: min(a.Bound, l.PeakBytes), ActivationHighBytes: max(a.Bytes, l.PeakBytes)}
	m.InUseBytes, m.HeldBytes = m.ActivationBytes, m.ActivationBytes
	m.unknown("what the runtime fuses out of memory, and its workspaces")
	return m, nil
}
