// Package nnls fits coefficients that cannot be negative, such as costs, to observations by least squares. It solves small
// dense problems to the end, in the same order of steps at every run; it takes no constraint but x ≥ 0.
package nnls

import (
	"errors"
	"math"
)

const (
	// alike is the share of the largest gradient below which a gradient counts as 0.
	alike = 1e-10
	// dependent is the share of a column of unit length that must be left when the columns before it are taken out.
	dependent = 1e-13
)

// Solve minimises Σ_i w[i]·(Σ_j a[i][j]·x[j] − b[i])² over x ≥ 0 by the active-set method of Lawson and Hanson, Solving
// Least Squares Problems (1974), chapter 23, on the normal equations of columns scaled to unit length. a has one row for
// each observation; w may be nil for weights of 1. Columns of zeros get 0.
//
// start, where it is not nil, is a solution of a similar problem to begin with.
func Solve(a [][]float64, b, w, start []float64) ([]float64, error) {
	if len(a) == 0 || len(a) != len(b) || w != nil && len(w) != len(a) || start != nil && len(start) != len(a[0]) {
		return nil, errors.New("nnls: the numbers of rows, columns and weights do not fit")
	}
	eq := Normal(a, b, w)
	s := &state{Equations: eq, order: eq.order(), x: make([]float64, len(eq.Scale)), passive: make([]bool, len(eq.Scale))}
	if start != nil {
		for j, v := range start {
			if v > 0 && eq.Scale[j] > 0 {
				s.x[j], s.passive[j] = v*eq.Scale[j], true
			}
		}
		if !s.settle() {
			clear(s.x)
			clear(s.passive)
		}
	}
	s.improve()
	for j, scale := range eq.Scale {
		if scale > 0 {
			s.x[j] /= scale
		}
	}
	return s.x, nil
}

// Equations are AᵀWA and AᵀWb for columns divided by their length, which is Scale; columns of zeros have length 0.
type Equations struct {
	Gram         [][]float64
	Right, Scale []float64
}

// Normal makes the normal equations of rows under weights (nil for 1). Most of a row may be 0: it is passed over.
func Normal(a [][]float64, b, w []float64) Equations {
	cols := len(a[0])
	eq := Equations{Gram: make([][]float64, cols), Right: make([]float64, cols), Scale: make([]float64, cols)}
	cells := make([]float64, cols*cols)
	for j := range eq.Gram {
		eq.Gram[j] = cells[j*cols : (j+1)*cols]
	}
	var used []int
	for i, row := range a {
		used = used[:0]
		for j, v := range row {
			if v != 0 {
				used = append(used, j)
			}
		}
		weight := 1.0
		if w != nil {
			weight = w[i]
		}
		for n, j := range used {
			v := weight * row[j]
			eq.Right[j] += v * b[i]
			for _, k := range used[:n+1] {
				eq.Gram[j][k] += v * row[k]
			}
		}
	}
	for j := range cols {
		eq.Scale[j] = math.Sqrt(eq.Gram[j][j])
	}
	for j, s := range eq.Scale {
		if s == 0 {
			continue
		}
		eq.Right[j] /= s
		for k := range j + 1 {
			if eq.Scale[k] > 0 {
				eq.Gram[j][k] /= s * eq.Scale[k]
				eq.Gram[k][j] = eq.Gram[j][k]
			}
		}
	}
	return eq
}

// order are the columns in the order in which a factor of the Gram matrix stays sparse: those that have something in
// common with most others come last.
func (eq Equations) order() []int {
	var few, many []int
	for j, row := range eq.Gram {
		n := 0
		for _, v := range row {
			if v != 0 {
				n++
			}
		}
		if 2*n > len(row) {
			many = append(many, j)
		} else {
			few = append(few, j)
		}
	}
	return append(few, many...)
}

// state is a point on the way, in scaled coefficients; those that are not passive are held at 0.
type state struct {
	Equations
	order   []int
	x       []float64
	passive []bool
	room    []float64 // for factors
}

// settle moves x to the solution over the passive columns, letting go of those that would turn negative. It is false
// where they are linearly dependent.
func (s *state) settle() bool {
	for {
		z, ok := s.solve()
		if !ok {
			return false
		}
		step, limit := 1.0, -1
		for j, v := range z {
			if s.passive[j] && v <= 0 {
				if t := s.x[j] / (s.x[j] - v); limit < 0 || t < step {
					step, limit = math.Min(step, t), j
				}
			}
		}
		if limit < 0 {
			copy(s.x, z)
			return true
		}
		for j, v := range z {
			if s.passive[j] {
				s.x[j] += step * (v - s.x[j])
			}
			if s.passive[j] && (j == limit || v <= 0 && s.x[j] <= 1e-14) {
				s.x[j], s.passive[j] = 0, false
			}
		}
	}
}

// improve lets the coefficient in that helps most, until none does.
func (s *state) improve() {
	cols := len(s.x)
	dead := make([]bool, cols) // columns that cannot join the passive set
	tol := 0.0
	for _, r := range s.Right {
		tol = math.Max(tol, alike*math.Abs(r))
	}
	for range 3 * cols {
		best, at := tol, -1
		for j := range cols {
			if s.passive[j] || dead[j] || s.Scale[j] == 0 {
				continue
			}
			g := s.Right[j]
			for k, v := range s.Gram[j] {
				if s.passive[k] {
					g -= v * s.x[k]
				}
			}
			if g > best {
				best, at = g, j
			}
		}
		if at < 0 {
			return
		}
		s.passive[at] = true
		if !s.settle() {
			s.passive[at], s.x[at] = false, 0
		}
		dead[at] = !s.passive[at] // it came and went at once: rounding would bring it back for ever
	}
}

// solve solves the normal equations for the passive columns; the others are 0. ok is false where they are linearly
// dependent.
func (s *state) solve() (z []float64, ok bool) {
	var idx []int
	for _, j := range s.order {
		if s.passive[j] {
			idx = append(idx, j)
		}
	}
	l, first, ok := s.cholesky(idx)
	if !ok {
		return nil, false
	}
	n := len(idx)
	y := make([]float64, n)
	for i, j := range idx {
		y[i] = (s.Right[j] - dot(l[i*n+first[i]:i*n+i], y[first[i]:])) / l[i*n+i]
	}
	z = make([]float64, len(s.x))
	for i := n - 1; i >= 0; i-- {
		v := y[i] / l[i*n+i]
		z[idx[i]] = v
		for k := first[i]; k < i; k++ {
			y[k] -= l[i*n+k] * v
		}
	}
	return z, true
}

// cholesky is L with L·Lᵀ = the Gram matrix of some columns, row by row. Before first, a row of L is 0.
func (s *state) cholesky(idx []int) (l []float64, first []int, ok bool) {
	n := len(idx)
	if cap(s.room) < n*n {
		s.room = make([]float64, n*n)
	}
	l, first = s.room[:n*n], make([]int, n)
	for i, a := range idx {
		from := 0
		for from < i && s.Gram[a][idx[from]] == 0 {
			from++
		}
		first[i] = from
		row := l[i*n : i*n+n]
		clear(row[:from])
		for k := from; k < i; k++ {
			both := max(from, first[k])
			row[k] = s.Gram[a][idx[k]]
			if both < k {
				row[k] -= dot(l[k*n+both:k*n+k], row[both:])
			}
			row[k] /= l[k*n+k]
		}
		left := s.Gram[a][a] - dot(row[from:i], row[from:])
		if !(left > dependent) {
			return nil, nil, false
		}
		row[i] = math.Sqrt(left)
	}
	return l, first, true
}

// Inverse is the diagonal of the inverse of the Gram matrix: the variances of scaled coefficients, but for a factor. ok is
// false where columns are linearly dependent.
func (eq Equations) Inverse() (diagonal []float64, ok bool) {
	idx := eq.order()
	n := len(idx)
	l, _, ok := (&state{Equations: eq}).cholesky(idx)
	if !ok {
		return nil, false
	}
	diagonal = make([]float64, n)
	column := make([]float64, n)
	for j, at := range idx { // column j of L⁻¹; the inverse is L⁻ᵀ·L⁻¹
		for i := j; i < n; i++ {
			right := 0.0
			if i == j {
				right = 1
			}
			column[i] = (right - dot(l[i*n+j:i*n+i], column[j:])) / l[i*n+i]
			diagonal[at] += column[i] * column[i]
		}
	}
	return diagonal, true
}

// dot is Σ a[i]·b[i] over the length of a.
func dot(a, b []float64) float64 {
	b = b[:len(a)]
	var s float64
	for i, v := range a {
		s += v * b[i]
	}
	return s
}
