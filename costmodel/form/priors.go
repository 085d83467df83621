package form

import "math"

// Prior is what a prediction assumes of every device that nobody has measured: one number, its 90 % range, and why.
// The table is short on purpose. No number in it was fitted to a device or a network that the tests judge it on.
type Prior struct {
	Name   string  `json:"name"`
	Value  float64 `json:"value"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	Unit   string  `json:"unit"`
	Reason string  `json:"reason"`
}

// The priors by index.
const (
	priorMatrix = iota
	priorVector
	priorCPU
	priorConv
	priorNarrow
	priorDRAM
	priorCache
	priorDepthwise
	priorOverhead
	priorForm
	priorCount
)

// priorShares divides a kernel's seconds among the priors that they rest on.
type priorShares [priorCount]float64

var priors = [priorCount]Prior{
	priorMatrix: {"matrix-peak", 0.80, 0.68, 0.90, "of peak",
		"best large FP16/BF16 products reach 80.1 % (H100 SXM) to 85.9 % (A100 SXM) of peak: S. Bekman, Machine Learning Engineering Open Book, 2024, table of maximum achievable matmul FLOPS; GeForce cards are not in it"},
	priorVector: {"vector-peak", 0.80, 0.60, 0.95, "of peak",
		"SGEMM without matrix units: 70 to 90 % with vendor libraries, 98 % with hand-written assembly (J. Lai, A. Seznec, CGO 2013; S. Gray, maxas, 2014)"},
	priorCPU: {"cpu-peak", 0.65, 0.40, 0.90, "of peak",
		"CPU kernels at network shapes; packing, edges and clocks that fall under wide vectors take the rest; estimate"},
	priorConv: {"convolution", 0.80, 0.55, 1.0, "of a product's rate",
		"implicit GEMM gathers its rows by window and recomputes addresses, which a plain product does not; estimate"},
	priorNarrow: {"narrow-convolution", 0.60, 0.30, 0.90, "of a product's rate",
		"fewer than 16 input channels per group (stems, grouped convolutions): vector loads and matrix fragments are partly empty beyond the padding that is counted; estimate"},
	priorDRAM: {"dram", 0.88, 0.78, 0.95, "of peak",
		"STREAM-like kernels sustain 80 to 93 % of the stated bandwidth of GPUs (T. Deakin, J. Price, M. Martineau, S. McIntosh-Smith, BabelStream, 2018)"},
	priorCache: {"cache", 0.70, 0.45, 0.95, "of peak",
		"last-level cache bandwidths in the device files are estimates or upper limits themselves; estimate"},
	priorDepthwise: {"depthwise", 0.60, 0.35, 0.85, "of a copy's bandwidth",
		"a depthwise convolution reads each input several times from cache and does too little arithmetic to hide it; estimate"},
	priorOverhead: {"overhead", 1.0, 0.6, 1.7, "of the stated overhead",
		"launch and dispatch depend on the host and the versions of driver and framework"},
	priorForm: {"form", 1.0, 0.75, 1.33, "of the predicted time",
		"what the formulas leave out: algorithm choices, clocks, cache conflicts; one kernel's error is mostly its neighbours' too"},
}

// Priors is the table of assumptions behind every datasheet prediction.
func Priors() []Prior { return append([]Prior(nil), priors[:]...) }

// z90 is the quantile of the normal distribution that leaves 5 % on each side.
const z90 = 1.6449

// sigma is the standard deviation of the prior's logarithm, its range read as 90 %.
func (p Prior) sigma() float64 { return math.Log(p.High/p.Low) / (2 * z90) }
