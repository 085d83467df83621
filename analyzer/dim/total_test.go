package dim

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// TestTotal holds Total to Sum on random expressions, and Under to LessEq.
func TestTotal(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	under := 0
	for range 2000 {
		var total Total
		var parts []Dim
		for range 1 + r.IntN(6) {
			d := randomTree(r, 2).build()
			switch r.IntN(4) {
			case 0:
				total.Sub(d)
				parts = append(parts, d.Neg())
			case 1:
				k := 1 + r.IntN(4)
				total.AddTimes(d, int64(k))
				for range k {
					parts = append(parts, d)
				}
			default:
				total.Add(d)
				parts = append(parts, d)
			}
		}
		want := Sum(parts...)
		got := total.Dim()
		if got.Err() == nil && !got.Equal(want) || (got.Err() == nil) != (want.Err() == nil) {
			t.Fatalf("%v: got %v, want %v", parts, got, want)
		}
		if got.Err() != nil {
			continue
		}
		for _, o := range []Dim{got, got.Add(Symbol("h")), got.AddInt(1), got.AddInt(-1), randomTree(r, 2).build(), got.Add(randomTree(r, 2).build())} {
			if !total.Under(o) {
				continue
			}
			under++
			if le, known := got.LessEq(o); !known || !le {
				t.Fatalf("%v is said to be under %v, LessEq says %t, %t", got, o, le, known)
			}
		}
		if !total.Under(got) {
			t.Fatalf("%v is not under itself", got)
		}
	}
	if under < 4000 {
		t.Errorf("only %d comparisons were decided", under)
	}
}

// TestTotalLimits: overflow on the way does not count, failures and too many monomials stick.
func TestTotalLimits(t *testing.T) {
	var over Total
	over.Add(Const(math.MaxInt64))
	over.Add(Const(1))
	if err := over.Dim().Err(); !errors.Is(err, ErrOverflow) {
		t.Errorf("MaxInt64 + 1: got %v, want overflow", err)
	}
	over.Sub(Const(2))
	if v, ok := over.Dim().Value(); !ok || v != math.MaxInt64-1 {
		t.Errorf("MaxInt64 + 1 - 2: got %v", over.Dim())
	}
	over.Add(Const(1).FloorDiv(Const(0)))
	over.Add(Symbol("x"))
	if err := over.Dim().Err(); !errors.Is(err, ErrDivideByZero) {
		t.Errorf("1//0: got %v, want a division by zero", err)
	}
	var wide, moving Total
	for i := range 2 * maxTerms {
		s := Symbol(fmt.Sprint("s", i))
		wide.Add(s)
		moving.Add(s)
		if i > 0 {
			moving.Sub(Symbol(fmt.Sprint("s", i-1)))
		}
	}
	if err := wide.Dim().Err(); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%d symbols: got %v, want too large", 2*maxTerms, err)
	}
	if want := Symbol(fmt.Sprint("s", 2*maxTerms-1)); !moving.Dim().Equal(want) {
		t.Errorf("a sum of one symbol at a time: got %v, want %v", moving.Dim(), want)
	}
}
