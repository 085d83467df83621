package onnx

import (
	"encoding/binary"
	"math"
)

// floatAt returns element i of packed values of a floating-point type.
func floatAt(raw []byte, i int, dt DType) float64 {
	switch dt {
	case Float64:
		return math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:]))
	case Float32:
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:])))
	case BFloat16:
		return float64(math.Float32frombits(uint32(binary.LittleEndian.Uint16(raw[2*i:])) << 16))
	case Float16:
		return minifloats[Float16].value(binary.LittleEndian.Uint16(raw[2*i:]))
	case Float4E2M1:
		return minifloats[Float4E2M1].value(uint16(nibble(raw, i)))
	case Float8E8M0: // a power of two, no sign, no mantissa
		if raw[i] == 0xff {
			return math.NaN()
		}
		return math.Ldexp(1, int(raw[i])-127)
	default:
		return minifloats[dt].value(uint16(raw[i]))
	}
}

// minifloat describes a small floating-point type: one sign bit, exponent, mantissa. Sources: IEEE 754 for float16;
// the ONNX technical page "Float stored in 8 bits" for float8; OCP Microscaling Formats 1.0 for e2m1.
type minifloat struct {
	exponent, mantissa, bias int
	special                  specials
}

// specials says which codes are not numbers.
type specials uint8

const (
	finite      specials = iota // none
	ieee                        // largest exponent: infinities and NaN
	nanTop                      // largest magnitude: NaN, no infinities
	nanNegative                 // the code of negative zero: NaN, no infinities
)

var minifloats = [...]minifloat{
	Float16:        {5, 10, 15, ieee},
	Float8E4M3FN:   {4, 3, 7, nanTop},
	Float8E4M3FNUZ: {4, 3, 8, nanNegative},
	Float8E5M2:     {5, 2, 15, ieee},
	Float8E5M2FNUZ: {5, 2, 16, nanNegative},
	Float4E2M1:     {2, 1, 1, finite},
}

func (m minifloat) value(code uint16) float64 {
	sign := code >> (m.exponent + m.mantissa) & 1
	e := int(code>>m.mantissa) & (1<<m.exponent - 1)
	frac := int(code) & (1<<m.mantissa - 1)
	topE, topFrac := 1<<m.exponent-1, 1<<m.mantissa-1
	var v float64
	switch {
	case m.special == ieee && e == topE:
		v = math.Inf(1)
		if frac != 0 {
			v = math.NaN()
		}
	case m.special == nanTop && e == topE && frac == topFrac, m.special == nanNegative && sign == 1 && e == 0 && frac == 0:
		v = math.NaN()
	case e == 0:
		v = math.Ldexp(float64(frac), 1-m.bias-m.mantissa)
	default:
		v = math.Ldexp(float64(frac+1<<m.mantissa), e-m.bias-m.mantissa)
	}
	if sign == 1 {
		return -v
	}
	return v
}
