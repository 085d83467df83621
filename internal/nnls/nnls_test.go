package nnls

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestSolve compares with the conditions of optimality: no coefficient is negative, the gradient is 0 where one is
// positive and does not ask for more where one is 0.
func TestSolve(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for trial := range 50 {
		rows, cols := 5+r.IntN(30), 1+r.IntN(12)
		a := make([][]float64, rows)
		b, w := make([]float64, rows), make([]float64, rows)
		for i := range rows {
			a[i] = make([]float64, cols)
			for j := range cols {
				if r.IntN(4) > 0 {
					a[i][j] = r.NormFloat64() * math.Exp(3*float64(j%3))
				}
			}
			b[i], w[i] = r.NormFloat64(), 0.1+r.Float64()
		}
		var start []float64
		if trial%2 == 1 {
			start = make([]float64, cols)
			for j := range start {
				start[j] = r.Float64()
			}
		}
		x, err := Solve(a, b, w, start)
		if err != nil {
			t.Fatal(err)
		}
		for j := range cols {
			g, size := 0.0, 0.0
			for i := range rows {
				fitted := 0.0
				for k := range cols {
					fitted += a[i][k] * x[k]
				}
				g += w[i] * a[i][j] * (b[i] - fitted)
				size += w[i] * math.Abs(a[i][j]*b[i])
			}
			switch {
			case x[j] < 0:
				t.Fatalf("trial %d: coefficient %d is %g", trial, j, x[j])
			case x[j] > 0 && math.Abs(g) > 1e-8*size, x[j] == 0 && g > 1e-8*size:
				t.Fatalf("trial %d: coefficient %d is %g and its gradient %g", trial, j, x[j], g)
			}
		}
	}
	if _, err := Solve([][]float64{{0}, {0}}, []float64{1}, nil, nil); err == nil {
		t.Error("one observation for two rows was taken")
	}
}

// TestDependent has a column twice and one of zeros: the solution is that of the columns without them.
func TestDependent(t *testing.T) {
	x, err := Solve([][]float64{{1, 1, 0}, {2, 2, 0}, {3, 3, 0}}, []float64{2, 4, 6}, nil, nil)
	if err != nil || math.Abs(x[0]+x[1]-2) > 1e-12 || x[2] != 0 {
		t.Errorf("got %v, %v; want coefficients that add up to 2, and 0", x, err)
	}
	if _, ok := Normal([][]float64{{1, 1}, {2, 2}}, []float64{1, 1}, nil).Inverse(); ok {
		t.Error("a singular matrix has an inverse")
	}
}

// TestInverse compares with an inverse worked out by hand: of [[1, r], [r, 1]] the diagonal is 1/(1−r²).
func TestInverse(t *testing.T) {
	eq := Normal([][]float64{{3, 1}, {4, 0}}, []float64{1, 1}, nil)
	got, ok := eq.Inverse()
	for _, v := range got {
		if !ok || math.Abs(v-1/(1-0.36)) > 1e-12 {
			t.Errorf("got %v, want %v twice", got, 1/(1-0.36))
		}
	}
}
