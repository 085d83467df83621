package form

import (
	"math"

	"github.com/onnxcost/onnxcost/internal/nnls"
)

// aboveFloors solves min Σ_i w_i·(Σ_j a[i][j]·x[j] - 1)² for x ≥ floor: rows are features divided by what was measured, so
// that errors are relative, and floors are what physics allows at best.
func aboveFloors(a [][]float64, w, floor []float64) ([]float64, error) {
	rest := make([]float64, len(a)) // of what was measured, beyond the floors
	for i, row := range a {
		rest[i] = 1 - dot(row, floor)
	}
	x, err := nnls.Solve(a, rest, w, nil)
	if err != nil {
		return nil, err
	}
	for j, f := range floor {
		x[j] += f
	}
	return x, nil
}

// fitRelative is aboveFloors reweighted towards the least absolute relative error, so that a few points that follow
// another law (another algorithm, say) do not pull the rest.
func fitRelative(a [][]float64, floor []float64) (x []float64, err error) {
	const alike = 0.01 // relative error below which points weigh the same
	w := make([]float64, len(a))
	for i := range w {
		w[i] = 1
	}
	for range 20 {
		if x, err = aboveFloors(a, w, floor); err != nil {
			return nil, err
		}
		for i, row := range a {
			w[i] = 1 / math.Max(alike, math.Abs(dot(row, x)-1))
		}
	}
	return x, nil
}

func dot(a, b []float64) float64 {
	var s float64
	for i := range a {
		s += a[i] * b[i]
	}
	return s
}
