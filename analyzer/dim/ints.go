package dim

import (
	"math"
	"math/bits"
)

func addInt(a, b int64) (int64, bool) {
	s := a + b
	return s, (s > a) == (b > 0)
}

func mulInt(a, b int64) (int64, bool) {
	if int64(int32(a)) == a && int64(int32(b)) == b {
		return a * b, true
	}
	hi, lo := bits.Mul64(magnitude(a), magnitude(b))
	if hi != 0 {
		return 0, false
	}
	if (a < 0) != (b < 0) {
		return int64(-lo), lo <= 1<<63
	}
	return int64(lo), lo <= math.MaxInt64
}

func negInt(a int64) (int64, bool) { return -a, a != math.MinInt64 }

// floorDivInt is the quotient rounded towards minus infinity; b is not 0. It overflows for MinInt64 / -1 only.
func floorDivInt(a, b int64) (int64, bool) {
	if b == -1 {
		return negInt(a)
	}
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q, true
}

func magnitude(a int64) uint64 {
	if a < 0 {
		return -uint64(a)
	}
	return uint64(a)
}

// gcd is the greatest common divisor of the magnitudes, and 0 for two zeros.
func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// wide is a 128-bit sum: adding int64 values to it in any order gives the same verdict on overflow.
type wide struct {
	hi int64
	lo uint64
}

func (w *wide) add(v int64) {
	var carry uint64
	w.lo, carry = bits.Add64(w.lo, uint64(v), 0)
	w.hi += v>>63 + int64(carry)
}

func (w *wide) int64() (int64, bool) {
	return int64(w.lo), w.hi == int64(w.lo)>>63
}

// addProduct adds v*k, where the magnitude of k is below 2^32.
func (w *wide) addProduct(v, k int64) {
	hi, lo := bits.Mul64(magnitude(v), magnitude(k))
	var carry uint64
	if (v < 0) != (k < 0) {
		w.lo, carry = bits.Sub64(w.lo, lo, 0)
		w.hi -= int64(hi) + int64(carry)
		return
	}
	w.lo, carry = bits.Add64(w.lo, lo, 0)
	w.hi += int64(hi) + int64(carry)
}
