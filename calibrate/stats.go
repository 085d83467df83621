package calibrate

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// median is the median of v, which need not be sorted and is left as it is; NaN for none.
func median(v []float64) float64 { return quantile(v, 0.5) }

// quantile is the p-quantile of v by linear interpolation between order statistics, for p in [0, 1]; NaN for no values.
func quantile(v []float64, p float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	s := slices.Clone(v)
	slices.Sort(s)
	return quantileSorted(s, p)
}

// quantileSorted interpolates at p·(n−1), the definition that gives the middle of two for the median.
func quantileSorted(s []float64, p float64) float64 {
	x := p * float64(len(s)-1)
	i := int(x)
	if i >= len(s)-1 {
		return s[len(s)-1]
	}
	f := x - float64(i)
	return s[i]*(1-f) + s[i+1]*f
}

// medianInterval is the interval between two order statistics that holds the median of the distribution with at least
// the given confidence, whatever the distribution (the binomial argument: the number of values below the median is
// Binomial(n, 1/2)). ok is false where v is too small to have one; the interval is then the range of v.
func medianInterval(v []float64, confidence float64) (lo, hi float64, ok bool) {
	n := len(v)
	if n == 0 {
		return math.NaN(), math.NaN(), false
	}
	s := slices.Clone(v)
	slices.Sort(s)
	below := distuv.Binomial{N: float64(n), P: 0.5}
	tail := (1 - confidence) / 2
	// The largest k for which the k-th smallest value exceeds the median with a probability of at most tail.
	k := 0
	for k < n/2 && below.CDF(float64(k)) <= tail {
		k++
	}
	if k == 0 {
		return s[0], s[n-1], false
	}
	return s[k-1], s[n-k], true
}

// spearman is the rank correlation of two lists of equal length; ties take their mean rank. NaN below two pairs.
func spearman(x, y []float64) float64 {
	if len(x) != len(y) || len(x) < 2 {
		return math.NaN()
	}
	return stat.Correlation(ranks(x), ranks(y), nil)
}

func ranks(v []float64) []float64 {
	order := make([]int, len(v))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case v[a] < v[b]:
			return -1
		case v[a] > v[b]:
			return 1
		}
		return 0
	})
	out := make([]float64, len(v))
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && v[order[j]] == v[order[i]] {
			j++
		}
		for _, k := range order[i:j] {
			out[k] = float64(i+j-1) / 2
		}
		i = j
	}
	return out
}
