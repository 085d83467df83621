package specs

import (
	"sort"
	"strconv"
)

// Measure is what a fit predicts.
type Measure string

// The measures that fits exist for.
const (
	MeasureTime   Measure = "time"   // seconds
	MeasurePower  Measure = "power"  // watts
	MeasureEnergy Measure = "energy" // joules
	MeasureMemory Measure = "memory" // bytes
)

func (Measure) allowed() []string { return []string{"time", "power", "energy", "memory"} }

// A Fit is one set of coefficients: everything a form of the cost model needs
// to predict one measure, for one runtime, thread count and precision. A device
// has at most one fit of each combination.
type Fit struct {
	Measure Measure `spec:"measure,required"`
	// Form names the formula and its version, such as ort-cpu/linear/v2. The
	// cost model refuses forms it does not know.
	Form      string `spec:"form,required"`
	Runtime   string `spec:"runtime"`            // "" for any
	Threads   int    `spec:"threads" range:">0"` // 0 for any
	Precision DType  `spec:"precision"`          // "" for any
	// Groups are the parts of the form: kernel classes, gemm and copy, the
	// energy per operation by format.
	Groups map[string]Group `spec:"groups,required"`
	// Residuals of the whole fit, for groups that have none of their own.
	Residuals  *Residuals  `spec:"residuals,flow"`
	Score      *Score      `spec:"score,flow"`
	Samples    *Samples    `spec:"samples,flow"`
	Conditions *Conditions `spec:"conditions"`
	Notes      []string    `spec:"notes"`
}

// A Group is the coefficients of one part of a form.
type Group struct {
	Terms map[string]Coefficient `spec:"terms,flow"`
	// Lists are the discrete choices of a form, such as tile heights and widths
	// (equally long lists are columns).
	Lists map[string][]float64 `spec:"lists,flow"`
	// Domain is the range of each feature among the samples: outside it a
	// prediction is an extrapolation.
	Domain    map[string]Range `spec:"domain,flow"`
	Residuals *Residuals       `spec:"residuals,flow"`
	Score     *Score           `spec:"score,flow"`
	Samples   int              `spec:"samples" range:">0"` // how many the group was fitted to
}

// A Coefficient is a fitted number. In a file it is a plain number where it has
// no standard error.
type Coefficient struct {
	Value float64 `spec:"value,required,short"`
	SE    float64 `spec:"se" range:">=0"` // standard error; 0 where it was set, not fitted
	Unit  string  `spec:"unit"`           // such as s/MAC or J/B
}

// A Range is a closed interval.
type Range struct {
	Min float64 `spec:"min,required"`
	Max float64 `spec:"max,required"`
}

// Residuals are the quantiles of ln(measured/predicted), from which prediction
// intervals are made.
type Residuals struct {
	Count int `spec:"count,required" range:">0"`
	// P are probabilities in ascending order, Q the quantiles there.
	P []float64 `spec:"p,required"`
	Q []float64 `spec:"q,required"`
	// HeldOut says that the samples were not those of the fit.
	HeldOut bool `spec:"held_out"`
}

// Quantile interpolates the log-ratio at probability p, and takes the outermost
// stated quantile beyond the ends.
func (r *Residuals) Quantile(p float64) float64 {
	n := len(r.P)
	if n == 0 || len(r.Q) != n {
		return 0
	}
	i := sort.SearchFloat64s(r.P, p)
	switch {
	case i == 0:
		return r.Q[0]
	case i == n:
		return r.Q[n-1]
	}
	w := (p - r.P[i-1]) / (r.P[i] - r.P[i-1])
	return r.Q[i-1] + w*(r.Q[i]-r.Q[i-1])
}

// A Score is how good a fit is: mean absolute relative errors, 0.05 for 5 %.
type Score struct {
	MAPE         float64 `spec:"mape" range:">=0"`
	HeldOutMAPE  float64 `spec:"held_out_mape" range:">=0"`
	HeldOutCount int     `spec:"held_out_count" range:">=0"`
	HeldOut      string  `spec:"held_out"` // how samples were set apart
	Within10     float64 `spec:"within_10" range:">=0"`
	Spearman     float64 `spec:"spearman"`
}

// Samples identify the measurements behind a fit.
type Samples struct {
	Count  int    `spec:"count,required" range:">0"`
	Digest string `spec:"digest"` // sha256:… of the samples file
	Source string `spec:"source"` // key of Device.Sources where they were published
}

// Conditions are what the samples were measured under.
type Conditions struct {
	Date         string            `spec:"date"` // YYYY-MM-DD
	Host         string            `spec:"host"` // CPU model and operating system
	Device       string            `spec:"device"`
	Driver       string            `spec:"driver"`
	Libraries    map[string]string `spec:"libraries"`
	Seed         int               `spec:"seed"`
	CoreHz       float64           `spec:"core_hz" unit:"Hz" range:">0"`
	MemoryHz     float64           `spec:"memory_hz" unit:"Hz" range:">0"`
	PowerLimitW  float64           `spec:"power_limit_w" unit:"watts" range:">0"`
	TemperatureC *Range            `spec:"temperature_c,flow" unit:"degrees Celsius"`
	Throttling   []string          `spec:"throttling,flow"`
	Notes        []string          `spec:"notes"`
}

// Term gives a coefficient's value, and 0 where the group has none: an absent
// cost is no cost.
func (g Group) Term(name string) float64 { return g.Terms[name].Value }

// A FitKey selects a fit. Empty fields of a key match anything.
type FitKey struct {
	Measure   Measure
	Form      string
	Runtime   string
	Threads   int
	Precision DType
}

func (k FitKey) String() string {
	s := string(k.Measure) + " " + k.Form
	if k.Runtime != "" {
		s += " " + k.Runtime
	}
	if k.Threads > 0 {
		s += " threads=" + strconv.Itoa(k.Threads)
	}
	if k.Precision != "" {
		s += " " + string(k.Precision)
	}
	return s
}

// Key gives the combination that a fit is for.
func (f *Fit) Key() FitKey {
	return FitKey{f.Measure, f.Form, f.Runtime, f.Threads, f.Precision}
}

// FindFit gives the fit that serves a key: the one that agrees with it in most
// fields, a fit's empty fields serving any value. It is nil where none does.
func (d *Device) FindFit(key FitKey) *Fit {
	var best *Fit
	most := -1
	for i := range d.Fits {
		if n := d.Fits[i].serves(key); n > most {
			best, most = &d.Fits[i], n
		}
	}
	return best
}

// serves counts the fields in which a fit states what the key asks for, and is
// -1 where it states something else.
func (f *Fit) serves(key FitKey) int {
	n := 0
	for _, field := range []struct{ asked, stated string }{
		{string(key.Measure), string(f.Measure)},
		{key.Form, f.Form},
		{key.Runtime, f.Runtime},
		{threadsText(key.Threads), threadsText(f.Threads)},
		{string(key.Precision), string(f.Precision)},
	} {
		switch {
		case field.asked == "" || field.stated == "":
		case field.asked == field.stated:
			n++
		default:
			return -1
		}
	}
	return n
}

func threadsText(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// FitThreads lists the thread counts that fits of a runtime exist for,
// ascending and each once.
func (d *Device) FitThreads(runtime string) []int {
	seen := map[int]bool{}
	var out []int
	for i := range d.Fits {
		f := &d.Fits[i]
		if f.Runtime == runtime && f.Threads > 0 && !seen[f.Threads] {
			seen[f.Threads] = true
			out = append(out, f.Threads)
		}
	}
	sort.Ints(out)
	return out
}
