package calibrate

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"github.com/onnxcost/onnxcost/internal/nnls"
)

// robustNNLS fits relative errors in the sense of least absolute deviations: rows are divided by b, and squares are
// weighted anew by the inverse of their residual, which approaches the sum of absolute values. Residuals below floor
// count alike, so that points that happen to fit do not take over. base (nil for 1) weighs rows beforehand; start may be
// nil; see nnls.Solve.
func robustNNLS(a *mat.Dense, b, base, start []float64, floor float64) (x, residuals, weights []float64, err error) {
	rows, _ := a.Dims()
	all := make([]int, a.RawMatrix().Cols)
	for j := range all {
		all[j] = j
	}
	rel, ones := relativeRows(a, b, all)
	x = start
	weights = make([]float64, rows)
	residuals = make([]float64, rows)
	for i := range weights {
		weights[i] = baseWeight(base, i)
	}
	for range 12 {
		if x, err = nnls.Solve(rel, ones, weights, x); err != nil {
			return nil, nil, nil, err
		}
		for i, row := range rel {
			fitted := 0.0
			for j, v := range row {
				fitted += v * x[j]
			}
			residuals[i] = fitted - 1
			off := math.Max(math.Abs(residuals[i]), floor)
			weights[i] = baseWeight(base, i) / off
		}
	}
	return x, residuals, weights, nil
}

// relativeRows are some columns of a divided by b, and what they are to give: 1 for each row.
func relativeRows(a *mat.Dense, b []float64, columns []int) (rel [][]float64, ones []float64) {
	rel, ones = make([][]float64, len(b)), make([]float64, len(b))
	for i := range rel {
		row := a.RawRowView(i)
		rel[i] = make([]float64, len(columns))
		for k, j := range columns {
			rel[i][k] = row[j] / b[i]
		}
		ones[i] = 1
	}
	return rel, ones
}

func baseWeight(base []float64, i int) float64 {
	if base == nil {
		return 1
	}
	return base[i]
}

// standardErrors are those of the positive coefficients under the last weights: σ²·(AᵀWA)⁻¹ with σ² from the weighted
// residuals; 0 for coefficients at their bound, which have no distribution to speak of.
func standardErrors(a *mat.Dense, b, x, residuals, weights []float64) []float64 {
	var idx []int
	for j, v := range x {
		if v > 0 {
			idx = append(idx, j)
		}
	}
	out := make([]float64, len(x))
	if len(idx) == 0 || len(b) <= len(idx) {
		return out
	}
	var sigma, wsum float64
	for i, w := range weights {
		sigma += w * residuals[i] * residuals[i]
		wsum += w
	}
	rel, ones := relativeRows(a, b, idx)
	eq := nnls.Normal(rel, ones, weights)
	inverse, ok := eq.Inverse()
	if !ok {
		return out
	}
	rows := float64(len(b))
	sigma *= rows / (rows - float64(len(idx))) / wsum
	mean := wsum / rows
	for k, j := range idx {
		if v := inverse[k]; v > 0 && eq.Scale[k] > 0 {
			out[j] = math.Sqrt(sigma*mean*v) / eq.Scale[k]
		}
	}
	return out
}
