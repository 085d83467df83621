package dim

import "math"

// An interval holds what is provable about a value: lo <= v <= hi. Its ends saturate, so that every arithmetic on them
// stays true; the ends of int64 mean that there is no bound.
type interval struct{ lo, hi int64 }

const (
	unboundedBelow = math.MinInt64
	unboundedAbove = math.MaxInt64
)

var anything = interval{unboundedBelow, unboundedAbove}

// between makes an interval of a true lower and a true upper bound. A lower bound that has saturated upwards must not
// read as "none above", so it gives up one.
func between(lo, hi int64) interval {
	return interval{min(lo, unboundedAbove-1), max(hi, unboundedBelow+1)}
}

func satAdd(a, b int64) int64 {
	s, ok := addInt(a, b)
	switch {
	case ok:
		return s
	case a > 0:
		return unboundedAbove
	}
	return unboundedBelow
}

func satMul(a, b int64) int64 {
	if a == 0 || b == 0 {
		return 0
	}
	endless := a == unboundedBelow || a == unboundedAbove || b == unboundedBelow || b == unboundedAbove
	if p, ok := mulInt(a, b); ok && !endless {
		return p
	}
	if (a < 0) == (b < 0) {
		return unboundedAbove
	}
	return unboundedBelow
}

func (x interval) add(y interval) interval {
	lo, hi := int64(unboundedBelow), int64(unboundedAbove)
	if x.lo != unboundedBelow && y.lo != unboundedBelow {
		lo = satAdd(x.lo, y.lo)
	}
	if x.hi != unboundedAbove && y.hi != unboundedAbove {
		hi = satAdd(x.hi, y.hi)
	}
	return between(lo, hi)
}

func (x interval) mul(y interval) interval {
	a, b, c, d := satMul(x.lo, y.lo), satMul(x.lo, y.hi), satMul(x.hi, y.lo), satMul(x.hi, y.hi)
	return between(min(a, b, c, d), max(a, b, c, d))
}

func (x interval) pow(n int) interval {
	result := x
	for range n - 1 {
		result = result.mul(x)
	}
	if n%2 == 0 {
		result.lo = max(result.lo, 0)
	}
	return result
}

func (t *term) interval() interval {
	x := between(t.coef, t.coef)
	return x.mul(monoInterval(t.mono))
}

func monoInterval(mono []factor) interval {
	x := interval{1, 1}
	for _, f := range mono {
		x = x.mul(f.a.rng.pow(f.pow))
	}
	return x
}

// intervalOf bounds d term by term, as if its terms were independent.
func intervalOf(d Dim) interval {
	x := between(d.c, d.c)
	if d.e == nil {
		return x
	}
	for i := range d.e.terms {
		x = x.add(d.e.terms[i].interval())
	}
	return x
}

// Bounds returns what is provable about the value of d while every symbol is >= 1: loOK says that it is at least lo, hiOK
// that it is at most hi. The bounds are true, not always tight.
func (d Dim) Bounds() (lo, hi int64, loOK, hiOK bool) {
	if d.e == nil {
		return d.c, d.c, true, true
	}
	if d.failed() {
		return 0, 0, false, false
	}
	x := boundsOf(d)
	if loOK = x.lo != unboundedBelow; loOK {
		lo = x.lo
	}
	if hiOK = x.hi != unboundedAbove; hiOK {
		hi = x.hi
	}
	return lo, hi, loOK, hiOK
}

// LessEq compares the values of d and o for every binding of the symbols to integers >= 1: known says that d <= o, or
// d > o, is provable for all of them.
func (d Dim) LessEq(o Dim) (result, known bool) {
	if d.e == nil && o.e == nil {
		return d.c <= o.c, true
	}
	if d.failed() || o.failed() {
		return false, false
	}
	if difference := o.Sub(d); atLeast(difference, 0) {
		return true, true
	}
	return false, atLeast(d.Sub(o), 1)
}

// positive reports whether d >= 1 is provable.
func positive(d Dim) bool { return atLeast(d, 1) }

// floorRange bounds floor(p/q).
func floorRange(p, q Dim) interval {
	if !positive(q) {
		return anything
	}
	x := boundsOf(p)
	if q.e != nil {
		switch {
		case x.lo >= 0 && atLeast(q.Sub(p), 1):
			return interval{0, 0}
		case x.hi < 0 && atLeast(q.Add(p), 0):
			return interval{-1, -1}
		}
	}
	y := boundsOf(q)
	y.lo = max(y.lo, 1) // proven above, where a goal may have led the prover further
	lo, hi := x.lo, x.hi
	if lo >= 0 {
		lo = divideEnd(lo, y.hi)
	} else if lo != unboundedBelow {
		lo = divideEnd(lo, y.lo)
	}
	if hi < 0 {
		hi = divideEnd(hi, y.hi)
	} else if hi != unboundedAbove {
		hi = divideEnd(hi, y.lo)
	}
	return between(lo, hi)
}

// divideEnd is floor(v/by) for a positive by, which may be unbounded.
func divideEnd(v, by int64) int64 {
	if by == unboundedAbove {
		return v >> 63 // the quotient tends to 0 from either side
	}
	q, _ := floorDivInt(v, by)
	return q
}
