package form

import (
	"math"

	"github.com/onnxcost/onnxcost/specs"
)

// Baselines are what simpler models say of the same inference, so that a reader can see what the kernels earn.
type Baselines struct {
	Ops      Baseline `json:"ops"`
	Roofline Baseline `json:"roofline"`
}

// Baseline is one simple prediction.
type Baseline struct {
	LatencyS float64 `json:"latency_s"`
}

// opsEfficiency is the one number of the ops baseline on a device without fits: the share of peak at which whole
// networks run. The TX1 of arXiv:1605.07678 reaches 0.31 at batch 16 (ResNet-50: 8.21 G-Ops in 51.1 ms of 511 GFLOP/s).
const opsEfficiency = 0.31

// opsGroup is the group of a fitted form that holds the line of the ops baseline: seconds = fixed_s + s_per_op·ops.
const opsGroup = "ops"

// OpsLine is the paper's fourth finding as a model: time linear in operations, 2 for each multiply-accumulate. On a
// fitted device it is the line fitted to the same samples as the fit.
func OpsLine(d *specs.Device, fit *specs.Fit, p specs.DType, share float64) func(ops float64) float64 {
	if fit != nil {
		if g, ok := fit.Groups[opsGroup]; ok {
			fixed, per := g.Term("fixed_s"), g.Term("s_per_op")
			return func(ops float64) float64 { return fixed + per*ops }
		}
	}
	r, ok := d.PeakRate(p)
	if !ok {
		r, _ = d.PeakRate(specs.FP32)
	}
	return func(ops float64) float64 { return ops / (r.Value * share * opsEfficiency) }
}

// Roofline is the sum over kernels of max(FLOPs/peak, bytes/bandwidth), from the data sheet alone.
func Roofline(d *specs.Device, loads []Demand, share float64) float64 {
	var t float64
	for i := range loads {
		l := &loads[i]
		if l.Kernel.MovesNoData() {
			continue
		}
		r, ok := d.PeakRate(l.Precision)
		if !ok {
			r, _ = d.PeakRate(specs.FP32)
		}
		sec := l.Bytes() / d.Memory.BandwidthBytesPerS.Value
		if r.Value > 0 {
			sec = math.Max(sec, l.FLOPs/(r.Value*share))
		}
		t += l.Executions * sec
	}
	return t
}
