package op

import (
	"math"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// The arithmetic of known elements. Every function returns the unknown Num where the result cannot be stated
// exactly; integer division and remainder follow ONNX (C semantics, truncating).

// maxDivisor bounds the denominators of operands, so that those of results stay exact in a float64.
const maxDivisor = 1 << 24

// arith applies exact rational arithmetic where an operand is a symbolic float, plain arithmetic otherwise.
func arith(a, b Num, ints func(x, y dim.Dim) Num, floats func(x, y float64) float64,
	rats func(xn dim.Dim, xd int64, yn dim.Dim, yd int64) Num) Num {
	if !a.Known() || !b.Known() {
		return Num{}
	}
	if a.kind == numInt && b.kind == numInt {
		return ints(a.d, b.d)
	}
	x, okX := a.Float64()
	y, okY := b.Float64()
	if okX && okY {
		return Float(floats(x, y))
	}
	xn, xd, ok1 := a.rational()
	yn, yd, ok2 := b.rational()
	if !ok1 || !ok2 || xd > maxDivisor || yd > maxDivisor {
		return Num{}
	}
	return rats(xn, xd, yn, yd)
}

func checked(d dim.Dim) Num {
	if d.Err() != nil {
		return Num{}
	}
	return Int(d)
}

func numAdd(a, b Num) Num {
	return arith(a, b, func(x, y dim.Dim) Num { return checked(x.Add(y)) },
		func(x, y float64) float64 { return x + y },
		func(xn dim.Dim, xd int64, yn dim.Dim, yd int64) Num {
			return ratio(xn.MulInt(yd).Add(yn.MulInt(xd)), xd*yd)
		})
}

func numSub(a, b Num) Num {
	return arith(a, b, func(x, y dim.Dim) Num { return checked(x.Sub(y)) },
		func(x, y float64) float64 { return x - y },
		func(xn dim.Dim, xd int64, yn dim.Dim, yd int64) Num {
			return ratio(xn.MulInt(yd).Sub(yn.MulInt(xd)), xd*yd)
		})
}

func numMul(a, b Num) Num {
	return arith(a, b, func(x, y dim.Dim) Num { return checked(x.Mul(y)) },
		func(x, y float64) float64 { return x * y },
		func(xn dim.Dim, xd int64, yn dim.Dim, yd int64) Num { return reduce(xn.Mul(yn), xd*yd) })
}

// numDiv divides; integers truncate towards zero. A symbolic integer quotient is floored, which is the same where
// neither operand is negative, as dimensions are.
func numDiv(a, b Num) Num {
	return arith(a, b, func(x, y dim.Dim) Num {
		xv, ok1 := x.Value()
		yv, ok2 := y.Value()
		switch {
		case ok2 && yv == 0:
			return Num{}
		case ok1 && ok2:
			if xv == math.MinInt64 && yv == -1 {
				return Num{}
			}
			return IntOf(xv / yv)
		}
		return checked(x.FloorDiv(y))
	},
		func(x, y float64) float64 { return x / y },
		func(xn dim.Dim, xd int64, yn dim.Dim, yd int64) Num {
			v, ok := yn.Value()
			switch {
			case ok && v > 0 && xd < 1<<31 && v < 1<<31:
				return reduce(xn.MulInt(yd), xd*v)
			case !ok: // (p/a)/(q/b) with symbolic q is exact only when the division is
				p, q := xn.MulInt(yd), yn.MulInt(xd)
				if r := p.FloorDiv(q); r.Mul(q).Equal(p) {
					return ratio(r, 1)
				}
			}
			return Num{}
		})
}

// reduce is ratio after dividing out a common factor of the denominator.
func reduce(n dim.Dim, den int64) Num {
	for _, f := range []int64{den, 2, 3, 5, 7} {
		for f > 1 && den%f == 0 {
			q := n.FloorDiv(dim.Const(f))
			if !q.MulInt(f).Equal(n) {
				break
			}
			n, den = q, den/f
		}
	}
	return ratio(n, den)
}

func numMod(a, b Num, fmod bool) Num {
	x, okX := a.Float64()
	y, okY := b.Float64()
	if a.kind == numInt && b.kind == numInt {
		xi, ok1 := a.d.Value()
		yi, ok2 := b.d.Value()
		switch {
		case ok2 && yi == 0:
			return Num{}
		case ok1 && ok2:
			r := xi % yi
			if !fmod && r != 0 && (r < 0) != (yi < 0) {
				r += yi // the sign of the divisor, as Python and ONNX's integer Mod
			}
			return IntOf(r)
		}
		return checked(a.d.Mod(b.d))
	}
	if okX && okY {
		r := math.Mod(x, y)
		if !fmod && r != 0 && (r < 0) != (y < 0) {
			r += y
		}
		return Float(r)
	}
	return Num{}
}

func numMin(a, b Num) Num { return extreme(a, b, dim.Min, math.Min) }
func numMax(a, b Num) Num { return extreme(a, b, dim.Max, math.Max) }

func extreme(a, b Num, ints func(a, b dim.Dim) dim.Dim, floats func(a, b float64) float64) Num {
	if !a.Known() || !b.Known() {
		return Num{}
	}
	if a.kind == numInt && b.kind == numInt {
		return checked(ints(a.d, b.d))
	}
	x, okX := a.Float64()
	y, okY := b.Float64()
	if okX && okY {
		return Float(floats(x, y))
	}
	return Num{}
}

func numNeg(a Num) Num { return numSub(IntOf(0), a) }

// numFloor, numCeil and numRound keep the element a float; a symbolic rational becomes an integral one.
func numFloor(a Num) Num {
	return rounding(a, math.Floor, func(n dim.Dim, d int64) dim.Dim { return n.FloorDiv(dim.Const(d)) })
}

func numCeil(a Num) Num {
	return rounding(a, math.Ceil, func(n dim.Dim, d int64) dim.Dim { return n.CeilDiv(dim.Const(d)) })
}

func rounding(a Num, float func(float64) float64, rat func(n dim.Dim, d int64) dim.Dim) Num {
	switch a.kind {
	case numFloat:
		return Float(float(a.f))
	case numInt:
		return a
	case numRational:
		return ratio(rat(a.d, int64(a.f)), 1)
	}
	return Num{}
}

// toInt converts to an integer type: truncation towards zero; symbolic rationals are floored (they are not negative).
func toInt(a Num) Num {
	switch a.kind {
	case numInt, numPredicate:
		return a
	case numFloat:
		if math.IsNaN(a.f) || math.Abs(a.f) >= 1<<63 {
			return Num{}
		}
		return IntOf(int64(math.Trunc(a.f)))
	case numRational:
		return Int(a.d.FloorDiv(dim.Const(int64(a.f))))
	}
	return Num{}
}

// toFloat converts to a floating-point type; a symbolic integer becomes a rational with denominator 1.
func toFloat(a Num) Num {
	if a.kind == numInt {
		return ratio(a.d, 1)
	}
	return a
}

// toBool converts to bool; unknown unless the element is provably zero or provably not.
func toBool(a Num) Num {
	if a.kind == numPredicate {
		return a
	}
	s, known := a.compare(IntOf(0))
	if !known {
		return Num{}
	}
	return boolOf(s != 0)
}

// roundTo is the element as type dt holds it: integers wrap around the width of the type, floats round to its mantissa.
// Symbolic elements stand for extents and stay.
func roundTo(dt onnx.DType, n Num) Num {
	switch n.kind {
	case numInt:
		v, ok := n.d.Value()
		bits := dt.Bits()
		if !ok || !dt.IsInteger() || bits >= 64 {
			return n
		}
		shift := uint(64 - bits)
		if isSigned(dt) {
			return IntOf(v << shift >> shift)
		}
		return IntOf(int64(uint64(v) << shift >> shift))
	case numFloat:
		switch dt {
		case onnx.Float32:
			return Float(float64(float32(n.f)))
		case onnx.Float16:
			return Float(roundMantissa(n.f, 11, -14, 65504))
		case onnx.BFloat16:
			return Float(roundMantissa(n.f, 8, -126, 0x1.fep127))
		}
	}
	return n
}

func isSigned(dt onnx.DType) bool {
	switch dt {
	case onnx.Int2, onnx.Int4, onnx.Int8, onnx.Int16, onnx.Int32, onnx.Int64:
		return true
	}
	return false
}

// roundMantissa rounds to even with the given precision in bits, least normal exponent and largest finite value.
func roundMantissa(f float64, precision, minExp int, largest float64) float64 {
	if f == 0 || math.IsInf(f, 0) || math.IsNaN(f) {
		return f
	}
	_, e := math.Frexp(f) // f = m·2^e with m in [0.5, 1)
	ulp := max(e-precision, minExp-precision+1)
	r := math.Ldexp(math.RoundToEven(math.Ldexp(f, -ulp)), ulp)
	if math.Abs(r) > largest {
		return math.Inf(cmpOrdered(f, 0))
	}
	return r
}
