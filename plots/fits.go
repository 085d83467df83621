package plots

import (
	"fmt"
	"math"
	"sort"
)

// A line is an ordinary least-squares line y = Intercept + Slope·x with the number of points behind it.
type line struct {
	Slope, Intercept, R2 float64
	N                    int
}

// leastSquares fits a line to the points whose coordinates are both numbers. ok is false for fewer than three points or
// for points without spread in x.
func leastSquares(xs, ys []float64) (l line, ok bool) {
	var x, y []float64
	for i := range xs {
		if finite(xs[i]) && finite(ys[i]) {
			x, y = append(x, xs[i]), append(y, ys[i])
		}
	}
	l.N = len(x)
	spread := products(x, x)
	if len(x) < 3 || spread == 0 {
		return l, false
	}
	l.Slope = products(x, y) / spread
	l.Intercept = mean(y) - l.Slope*mean(x)
	var residual float64
	for i := range x {
		d := y[i] - l.At(x[i])
		residual += d * d
	}
	l.R2 = 1 - residual/products(y, y)
	return l, true
}

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

// products is the sum of products of the deviations from the means: with itself, the values' variance times their number.
func products(x, y []float64) float64 {
	mx, my, sum := mean(x), mean(y), 0.0
	for i := range x {
		sum += (x[i] - mx) * (y[i] - my)
	}
	return sum
}

// correlation is Pearson's.
func correlation(x, y []float64) float64 {
	return products(x, y) / math.Sqrt(products(x, x)*products(y, y))
}

// At is the line's value.
func (l line) At(x float64) float64 { return l.Intercept + l.Slope*x }

// meanSD is the mean and the sample standard deviation of some values.
type meanSD struct {
	Mean, SD float64
	N        int
}

// meanSDOf leaves unknown values out.
func meanSDOf(values []float64) meanSD {
	var v []float64
	for _, x := range values {
		if finite(x) {
			v = append(v, x)
		}
	}
	if len(v) == 0 {
		return meanSD{math.NaN(), math.NaN(), 0}
	}
	return meanSD{mean(v), math.Sqrt(products(v, v) / float64(len(v)-1)), len(v)}
}

// errorStats sums up predictions against measurements: the mean absolute relative error, the share within ±10 % and the
// rank correlation. Pairs with an unknown are left out.
type errorStats struct {
	MAPE, Bias, Within10, Spearman float64
	N                              int
}

// errorsOf compares predicted with actual values.
func errorsOf(predicted, actual []float64) errorStats {
	var p, a []float64
	for i := range predicted {
		if finite(predicted[i]) && finite(actual[i]) && actual[i] > 0 {
			p, a = append(p, predicted[i]), append(a, actual[i])
		}
	}
	e := errorStats{N: len(p), Spearman: math.NaN()}
	if e.N == 0 {
		return e
	}
	for i := range p {
		rel := p[i]/a[i] - 1
		e.MAPE += math.Abs(rel) / float64(e.N)
		e.Bias += rel / float64(e.N)
		if math.Abs(rel) <= 0.10+1e-9 { // 1.1/1 - 1 is above 0.1 in floating point
			e.Within10 += 1 / float64(e.N)
		}
	}
	if e.N > 2 {
		e.Spearman = correlation(ranks(p), ranks(a))
	}
	return e
}

func (e errorStats) String() string {
	bias := 100 * e.Bias
	if math.Abs(bias) < 0.05 {
		bias = 0 // and not -0.0
	}
	s := fmt.Sprintf("mean absolute error %.1f %%, mean error %+.1f %%, %.0f %% of %d points within ±10 %%", 100*e.MAPE, bias, 100*e.Within10, e.N)
	if finite(e.Spearman) {
		s += fmt.Sprintf(", rank correlation %.3f", e.Spearman)
	}
	return s
}

// ranks are the ranks of values, ties sharing their mean rank.
func ranks(v []float64) []float64 {
	order := make([]int, len(v))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(i, j int) bool { return v[order[i]] < v[order[j]] })
	out := make([]float64, len(v))
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && v[order[j]] == v[order[i]] {
			j++
		}
		for k := i; k < j; k++ {
			out[order[k]] = float64(i+j-1) / 2
		}
		i = j
	}
	return out
}

// Values beyond this, or nearer to 0 than its inverse on a logarithmic axis, are no costs of any model: they count as
// unknown, so that no axis, tick or ratio overflows.
const extreme = 1e30

// finite says that a value can be drawn.
func finite(x float64) bool { return math.Abs(x) <= extreme }

// meanLogRatio is the mean of ln(x/y) over the pairs of positive numbers.
func meanLogRatio(x, y []float64) float64 {
	sum, n := 0.0, 0
	for i := range x {
		if x[i] > 0 && y[i] > 0 && finite(x[i]) && finite(y[i]) {
			sum += math.Log(x[i] / y[i])
			n++
		}
	}
	return sum / float64(n)
}
