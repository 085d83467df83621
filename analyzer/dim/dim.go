package dim

// Dim is a symbolic integer in canonical form. It is immutable, and its zero value is the constant 0. Compare Dims with
// Equal: == compares representations.
type Dim struct {
	c int64 // the constant term
	e *expr // the other terms, or the sticky error; nil for a constant
}

// Const returns the constant v.
func Const(v int64) Dim { return Dim{c: v} }

// Symbol returns the symbol of the given name, which stands for an integer >= 1. Names are compared byte by byte. The
// empty name gives a Dim that carries ErrUnnamed.
func Symbol(name string) Dim {
	if name == "" {
		return unnamed
	}
	return ofAtom(&atom{kind: symbol, name: name, rng: interval{1, unboundedAbove}, size: 1})
}

// Value returns the value of a constant; ok is false for anything else, a sticky error included.
func (d Dim) Value() (v int64, ok bool) { return d.c, d.e == nil }

// Is reports whether d is the constant v.
func (d Dim) Is(v int64) bool { return d.e == nil && d.c == v }

// IsConst reports whether d is a constant.
func (d Dim) IsConst() bool { return d.e == nil }

// Err returns the error that sticks to d: ErrOverflow, ErrDivideByZero, ErrTooLarge, ErrUnnamed or nil.
func (d Dim) Err() error {
	if !d.failed() {
		return nil
	}
	return d.e.err
}

// Add returns d + o.
func (d Dim) Add(o Dim) Dim {
	if d.e == nil && o.e == nil {
		if s := d.c + o.c; (s > d.c) == (o.c > 0) {
			return Dim{c: s}
		}
	}
	return addPoly(d, o)
}

// Sub returns d - o.
func (d Dim) Sub(o Dim) Dim {
	if d.e == nil && o.e == nil {
		if s := d.c - o.c; (s < d.c) == (o.c > 0) {
			return Dim{c: s}
		}
	}
	return subPoly(d, o)
}

// Mul returns d * o.
func (d Dim) Mul(o Dim) Dim {
	if d.e == nil && o.e == nil {
		if p, ok := mulInt(d.c, o.c); ok {
			return Dim{c: p}
		}
	}
	return mulPoly(d, o)
}

// Neg returns -d.
func (d Dim) Neg() Dim { return scale(d, -1) }

// AddInt returns d + v. It does not allocate.
func (d Dim) AddInt(v int64) Dim {
	s, ok := addInt(d.c, v)
	switch {
	case d.failed():
		return d
	case !ok:
		return overflow
	}
	return Dim{c: s, e: d.e}
}

// MulInt returns d * v.
func (d Dim) MulInt(v int64) Dim { return scale(d, v) }

// Pow returns d to the power n >= 0; d.Pow(0) is 1. Powers beyond the limits, and negative ones, give ErrTooLarge.
func (d Dim) Pow(n int) Dim {
	if d.failed() {
		return d
	}
	if n < 0 || (n > maxDegree && !d.IsConst()) {
		return tooLarge
	}
	if d.IsConst() && (d.c >= -1 && d.c <= 1) { // the only bases with powers that neither grow nor need n steps
		if n > 1 {
			n = 2 - n%2
		}
	}
	result := Const(1)
	for range min(n, maxDegree) { // 2^64 has overflown already
		result = result.Mul(d)
	}
	return result
}

// Sum returns the sum of ds; the empty sum is 0. Its verdict on overflow does not depend on the order of ds.
func Sum(ds ...Dim) Dim {
	switch len(ds) {
	case 0:
		return Dim{}
	case 1:
		return ds[0]
	case 2:
		return ds[0].Add(ds[1])
	}
	return sumPoly(ds)
}

// Prod returns the product of ds; the empty product is 1.
func Prod(ds ...Dim) Dim {
	p, constant := Const(1), Const(1)
	for _, d := range ds { // the constants by themselves, so that the others are scaled once
		if d.e == nil {
			constant = constant.Mul(d)
		} else {
			p = p.Mul(d)
		}
	}
	return p.Mul(constant)
}

// FloorDiv returns d / o rounded towards minus infinity, like Python's //.
func (d Dim) FloorDiv(o Dim) Dim {
	if d.e == nil && o.e == nil && d.c >= 0 && o.c > 0 {
		return Dim{c: d.c / o.c}
	}
	return floorDiv(d, o)
}

// CeilDiv returns d / o rounded towards plus infinity, as floor((d + o - 1)/o) where o is positive.
func (d Dim) CeilDiv(o Dim) Dim { return ceilDiv(d, o) }

// Mod returns d - o*floor(d/o), which has the sign of o, like Python's %.
func (d Dim) Mod(o Dim) Dim {
	if d.e == nil && o.e == nil && d.c >= 0 && o.c > 0 {
		return Dim{c: d.c % o.c}
	}
	return mod(d, o)
}

// Min returns the smaller of a and b.
func Min(a, b Dim) Dim {
	if a.e == nil && b.e == nil {
		return Dim{c: min(a.c, b.c)}
	}
	return extremum(minimum, []Dim{a, b})
}

// Max returns the larger of a and b.
func Max(a, b Dim) Dim {
	if a.e == nil && b.e == nil {
		return Dim{c: max(a.c, b.c)}
	}
	return extremum(maximum, []Dim{a, b})
}

// Equal reports whether d and o have the same canonical form. Two Dims with the same sticky error are equal.
func (d Dim) Equal(o Dim) bool {
	return d.c == o.c && (d.e == o.e || equalExpr(d.e, o.e))
}
