package costmodel

import (
	"math"
	"slices"

	"github.com/onnxcost/onnxcost/specs"
)

// IntervalLevel is the probability that predictions state their interval for.
const IntervalLevel = 0.90

// residualInterval gives the factors of a fit's residuals at the level. Without residuals it is the priors' form range.
func residualInterval(r *specs.Residuals) (low, high float64) {
	if r == nil {
		return priors[priorForm].Low, priors[priorForm].High
	}
	tail := (1 - IntervalLevel) / 2
	return math.Exp(math.Min(0, r.Quantile(tail))), math.Exp(math.Max(0, r.Quantile(1-tail)))
}

// missingFactor bounds a kernel without a time model: what is known of it (its overhead and the bytes of known size) may
// be this many times too little, and it may also take as long as the median kernel that has one.
const missingFactor = 10

// missingSpan is what the kernels without a time model can add to the upper end, in seconds.
func missingSpan(loads []Load, times []KernelTime) float64 {
	var modelled []float64
	missing := false
	for i := range loads {
		if loads[i].Missing == "" {
			modelled = append(modelled, times[i].Seconds)
		} else {
			missing = true
		}
	}
	if !missing {
		return 0
	}
	var median float64
	if len(modelled) > 0 {
		slices.Sort(modelled)
		median = modelled[len(modelled)/2]
	}
	var span float64
	for i := range loads {
		if loads[i].Missing != "" {
			span += loads[i].Times * math.Max(missingFactor*times[i].Seconds, median)
		}
	}
	return span
}

// withWaits widens the factors on the kernels' times to those on the latency, of which a share is spent waiting for the
// host: that part is as uncertain as the overheads are.
func withWaits(low, high, share float64) (float64, float64) {
	if !(share > 0) {
		return low, high
	}
	waits := square(share * z90 * priors[priorOverhead].sigma())
	width := func(f float64) float64 { return math.Sqrt(square((1-share)*math.Log(f)) + waits) }
	return math.Exp(-width(low)), math.Exp(width(high))
}
