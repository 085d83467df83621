package costmodel

import "math"

// nonNegative solves min Σ_i w_i·(Σ_j a[i][j]·x[j] - 1)² for x ≥ floor by coordinate descent: rows are features divided
// by what was measured, so that errors are relative, and floors are what physics allows at best. It is deterministic
// and meant for a handful of coefficients.
func nonNegative(a [][]float64, w, floor []float64) []float64 {
	n := len(floor)
	gram := make([][]float64, n)
	right := make([]float64, n)
	for j := range n {
		gram[j] = make([]float64, n)
		for i, row := range a {
			right[j] += w[i] * row[j]
			for k := range n {
				gram[j][k] += w[i] * row[j] * row[k]
			}
		}
	}
	x := append([]float64(nil), floor...)
	for range 50000 {
		var moved float64
		for j := range n {
			if gram[j][j] == 0 {
				continue
			}
			g := right[j]
			for k := range n {
				g -= gram[j][k] * x[k]
			}
			next := math.Max(floor[j], x[j]+g/gram[j][j])
			// Steps count by what they change in the predictions, not by the unit of the coefficient.
			moved = math.Max(moved, math.Abs(next-x[j])*math.Sqrt(gram[j][j]))
			x[j] = next
		}
		if moved < 1e-13 {
			break
		}
	}
	return x
}

// fitRelative is nonNegative reweighted towards the least absolute relative error, so that a few points that follow
// another law (another algorithm, say) do not pull the rest.
func fitRelative(a [][]float64, floor []float64) []float64 {
	const alike = 0.01 // relative error below which points weigh the same
	w := make([]float64, len(a))
	for i := range w {
		w[i] = 1
	}
	var x []float64
	for range 20 {
		x = nonNegative(a, w, floor)
		for i, row := range a {
			w[i] = 1 / math.Max(alike, math.Abs(dot(row, x)-1))
		}
	}
	return x
}

func dot(a, b []float64) float64 {
	var s float64
	for i := range a {
		s += a[i] * b[i]
	}
	return s
}
