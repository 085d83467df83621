package calibrate

import (
	"errors"
	"math"

	"gonum.org/v1/gonum/mat"
)

// nnls minimises |A·x − b|² over x ≥ 0 by the active-set method of Lawson and Hanson, Solving Least Squares Problems
// (1974), chapter 23, on the normal equations of columns scaled to unit length. a has one row per observation; weights
// (nil for 1) multiply the squares. Columns of zeros get 0.
//
// start, where it is not nil, is a solution of a similar problem to begin with.
func nnls(a *mat.Dense, b, weights, start []float64) ([]float64, error) {
	rows, cols := a.Dims()
	if rows != len(b) || weights != nil && len(weights) != rows || start != nil && len(start) != cols {
		return nil, errors.New("nnls: extents do not fit")
	}
	gram, right, scale := normalEquations(a, b, weights)
	x := make([]float64, cols)
	passive := make([]bool, cols)
	dead := make([]bool, cols) // columns that cannot join the passive set
	tol := 0.0
	for _, r := range right {
		tol = math.Max(tol, 1e-10*math.Abs(r))
	}
	// settle moves x to the solution over the passive columns, letting go of those that would turn negative. It is false
	// where they are linearly dependent.
	settle := func() bool {
		for {
			z, ok := solvePassive(gram, right, passive)
			if !ok {
				return false
			}
			step, limit := 1.0, -1
			for j := range cols {
				if passive[j] && z[j] <= 0 {
					if s := x[j] / (x[j] - z[j]); limit < 0 || s < step {
						step, limit = math.Min(step, s), j
					}
				}
			}
			if limit < 0 {
				copy(x, z)
				return true
			}
			for j := range cols {
				if passive[j] {
					x[j] += step * (z[j] - x[j])
				}
				if passive[j] && (j == limit || z[j] <= 0 && x[j] <= 1e-14) {
					x[j], passive[j] = 0, false
				}
			}
		}
	}
	if start != nil {
		for j := range cols {
			if start[j] > 0 && scale[j] > 0 {
				x[j], passive[j] = start[j]*scale[j], true
			}
		}
		if !settle() {
			clear(x)
			clear(passive)
		}
	}
	for range 3 * cols {
		best, at := tol, -1
		for j := range cols {
			if passive[j] || dead[j] || scale[j] == 0 {
				continue
			}
			g := right[j]
			for k := range cols {
				if passive[k] {
					g -= gram.At(j, k) * x[k]
				}
			}
			if g > best {
				best, at = g, j
			}
		}
		if at < 0 {
			break
		}
		passive[at] = true
		if !settle() {
			passive[at], x[at] = false, 0
		}
		dead[at] = !passive[at] // it came and went at once: rounding would bring it back for ever
	}
	for j := range x {
		if scale[j] > 0 {
			x[j] /= scale[j]
		}
	}
	return x, nil
}

// normalEquations are AᵀWA and AᵀWb for columns divided by their length.
func normalEquations(a *mat.Dense, b, weights []float64) (gram *mat.SymDense, right, scale []float64) {
	rows, cols := a.Dims()
	weighted := mat.NewDense(rows, cols, nil)
	rhs := mat.NewVecDense(rows, nil)
	scale = make([]float64, cols)
	for i := range rows {
		w := 1.0
		if weights != nil {
			w = math.Sqrt(weights[i])
		}
		rhs.SetVec(i, w*b[i])
		for j := range cols {
			v := w * a.At(i, j)
			weighted.Set(i, j, v)
			scale[j] += v * v
		}
	}
	for j := range cols {
		scale[j] = math.Sqrt(scale[j])
		if scale[j] == 0 {
			continue
		}
		for i := range rows {
			weighted.Set(i, j, weighted.At(i, j)/scale[j])
		}
	}
	gram = mat.NewSymDense(cols, nil)
	gram.SymOuterK(1, weighted.T())
	r := mat.NewVecDense(cols, nil)
	r.MulVec(weighted.T(), rhs)
	return gram, r.RawVector().Data, scale
}

// solvePassive solves the normal equations for the passive columns; the others are 0. ok is false where they are
// linearly dependent.
func solvePassive(gram *mat.SymDense, right []float64, passive []bool) ([]float64, bool) {
	var idx []int
	for j, p := range passive {
		if p {
			idx = append(idx, j)
		}
	}
	if len(idx) == 0 {
		return make([]float64, len(passive)), true
	}
	sub := subMatrix(gram, idx)
	var chol mat.Cholesky
	if !chol.Factorize(sub) || chol.Cond() > 1e13 {
		return nil, false
	}
	rhs := mat.NewVecDense(len(idx), nil)
	for i, j := range idx {
		rhs.SetVec(i, right[j])
	}
	var z mat.VecDense
	if err := chol.SolveVecTo(&z, rhs); err != nil {
		return nil, false
	}
	out := make([]float64, len(passive))
	for i, j := range idx {
		out[j] = z.AtVec(i)
	}
	return out, true
}

func subMatrix(m *mat.SymDense, idx []int) *mat.SymDense {
	sub := mat.NewSymDense(len(idx), nil)
	for i, a := range idx {
		for j := i; j < len(idx); j++ {
			sub.SetSym(i, j, m.At(a, idx[j]))
		}
	}
	return sub
}

// robustNNLS fits relative errors in the sense of least absolute deviations: rows are divided by b, and squares are
// weighted anew by the inverse of their residual, which approaches the sum of absolute values. Residuals below floor
// count alike, so that points that happen to fit do not take over. base (nil for 1) weighs rows beforehand; start may be
// nil; see nnls.
func robustNNLS(a *mat.Dense, b, base, start []float64, floor float64) (x, residuals, weights []float64, err error) {
	rows, cols := a.Dims()
	rel := mat.NewDense(rows, cols, nil)
	ones := make([]float64, rows)
	for i := range rows {
		ones[i] = 1
		for j := range cols {
			rel.Set(i, j, a.At(i, j)/b[i])
		}
	}
	x = start
	weights = make([]float64, rows)
	residuals = make([]float64, rows)
	for i := range weights {
		weights[i] = baseWeight(base, i)
	}
	for range 12 {
		if x, err = nnls(rel, ones, weights, x); err != nil {
			return nil, nil, nil, err
		}
		for i := range rows {
			fitted := 0.0
			for j := range cols {
				fitted += rel.At(i, j) * x[j]
			}
			residuals[i] = fitted - 1
			off := math.Max(math.Abs(residuals[i]), floor)
			weights[i] = baseWeight(base, i) / off
		}
	}
	return x, residuals, weights, nil
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
	rows, cols := a.Dims()
	var idx []int
	for j, v := range x {
		if v > 0 {
			idx = append(idx, j)
		}
	}
	out := make([]float64, cols)
	if len(idx) == 0 || rows <= len(idx) {
		return out
	}
	rel := mat.NewDense(rows, len(idx), nil)
	ones := make([]float64, rows)
	var sigma, wsum float64
	for i := range rows {
		for k, j := range idx {
			rel.Set(i, k, a.At(i, j)/b[i])
		}
		sigma += weights[i] * residuals[i] * residuals[i]
		wsum += weights[i]
	}
	gram, _, scale := normalEquations(rel, ones, weights)
	var chol mat.Cholesky
	if !chol.Factorize(gram) {
		return out
	}
	var inverse mat.SymDense
	if err := chol.InverseTo(&inverse); err != nil {
		return out
	}
	sigma *= float64(rows) / float64(rows-len(idx)) / wsum
	mean := wsum / float64(rows)
	for k, j := range idx {
		if v := inverse.At(k, k); v > 0 && scale[k] > 0 {
			out[j] = math.Sqrt(sigma*mean*v) / scale[k]
		}
	}
	return out
}
