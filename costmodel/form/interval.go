package form

import (
	"fmt"
	"maps"
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

// The features of a whole inference whose range among its samples a fit may state in the domain of a group.
const (
	domainBatch = "network_batch"
	domainMACs  = "network_macs"
)

// Extrapolation says in which way an inference lies outside of what the fit's samples covered; "" where it does not.
func Extrapolation(f *specs.Fit, batch, macs float64) string {
	if f == nil {
		return ""
	}
	for _, name := range slices.Sorted(maps.Keys(f.Groups)) {
		d := f.Groups[name].Domain
		if r, ok := d[domainBatch]; ok && (batch < r.Min || batch > r.Max) {
			return fmt.Sprintf("batch %g is outside of the fit's samples, %g to %g", batch, r.Min, r.Max)
		}
		if r, ok := d[domainMACs]; ok && (macs < r.Min || macs > r.Max) {
			return fmt.Sprintf("%.3g MACs are outside of the fit's samples, %.3g to %.3g", macs, r.Min, r.Max)
		}
	}
	return ""
}

// missingFactor bounds a kernel without a time model: what is known of it (its overhead and the bytes of known size) may
// be this many times too little, and it may also take as long as the median kernel that has one.
const missingFactor = 10

// MissingSpan is what the kernels without a time model can add to the upper end, in seconds.
func MissingSpan(loads []Demand, times []KernelTime) float64 {
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
			span += loads[i].Executions * math.Max(missingFactor*times[i].Seconds, median)
		}
	}
	return span
}

// WithWaits widens the factors on the kernels' times to those on the latency, of which a share is spent waiting for the
// host: that part is as uncertain as the overheads are.
func WithWaits(low, high, share float64) (float64, float64) {
	if !(share > 0) {
		return low, high
	}
	waits := square(share * z90 * priors[priorOverhead].sigma())
	width := func(f float64) float64 { return math.Sqrt(square((1-share)*math.Log(f)) + waits) }
	return math.Exp(-width(low)), math.Exp(width(high))
}
