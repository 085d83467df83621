package op

import (
	"math"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// maxElems bounds the tensors whose elements are carried through the analysis. Shape arithmetic works on a handful
// of elements; the bound leaves room for index tables without letting weights in.
const maxElems = 4096

// maxFloats bounds the stored float tensors whose elements are read: scales and scalars, never weights.
const maxFloats = 64

// Data holds the elements of a small tensor in row-major order: Nums for numbers and bools, Strs for strings.
type Data struct {
	Nums []Num
	Strs []string
}

type numKind uint8

const (
	numUnknown   numKind = iota // nothing known of this element
	numInt                      // the integer d; bool is 0 or 1
	numFloat                    // the float f
	numRational                 // d / f with a symbolic d and a positive integral f: a float made from a dimension
	numPredicate                // a bool that dimensions decide: p
)

// Num is one element: a symbolic integer, a float, a symbolic rational (height / 2.0), a bool that symbols decide, or
// unknown (the zero value).
type Num struct {
	d    dim.Dim
	f    float64
	p    *predicate
	kind numKind
}

// Int is the element with the integer value d.
func Int(d dim.Dim) Num { return Num{d: d, kind: numInt} }

// IntOf is Int of a plain integer.
func IntOf(v int64) Num { return Num{d: dim.Const(v), kind: numInt} }

// Float is the element with the float value f.
func Float(f float64) Num { return Num{f: f, kind: numFloat} }

// boolOf is 1 for true and 0 for false.
func boolOf(b bool) Num {
	if b {
		return IntOf(1)
	}
	return IntOf(0)
}

// Known reports whether the element has a value, symbolic or not.
func (n Num) Known() bool { return n.kind != numUnknown }

// Dim returns the element as a symbolic integer; a float counts when it is integral.
func (n Num) Dim() (dim.Dim, bool) {
	switch n.kind {
	case numInt:
		return n.d, true
	case numFloat:
		if n.f == math.Trunc(n.f) && math.Abs(n.f) < 1<<62 {
			return dim.Const(int64(n.f)), true
		}
	case numRational:
		q := n.d.FloorDiv(dim.Const(int64(n.f)))
		if q.MulInt(int64(n.f)).Equal(n.d) {
			return q, true
		}
	}
	return dim.Dim{}, false
}

// Int64 returns the element as a plain integer; false where it is symbolic, fractional or unknown.
func (n Num) Int64() (int64, bool) {
	d, ok := n.Dim()
	if !ok {
		return 0, false
	}
	return d.Value()
}

// Float64 returns the element as a plain float; false where it is symbolic or unknown.
func (n Num) Float64() (float64, bool) {
	switch n.kind {
	case numFloat:
		return n.f, true
	case numInt, numRational:
		v, ok := n.d.Value()
		if !ok {
			return 0, false
		}
		if n.kind == numRational {
			return float64(v) / n.f, true
		}
		return float64(v), true
	}
	return 0, false
}

// Equal reports whether both elements are known and provably the same.
func (n Num) Equal(o Num) bool {
	eq, known := n.compare(o)
	return known && eq == 0
}

// compare orders two elements where that can be proved for every value of the symbols.
func (n Num) compare(o Num) (sign int, known bool) {
	if n.kind == numPredicate || o.kind == numPredicate {
		return 0, n.kind == o.kind && n.p.equal(o.p)
	}
	if a, ok := n.Float64(); ok {
		if b, ok := o.Float64(); ok {
			if n.kind == numInt && o.kind == numInt { // exact beyond 2^53
				x, _ := n.d.Value()
				y, _ := o.d.Value()
				return cmpOrdered(x, y), true
			}
			if math.IsNaN(a) || math.IsNaN(b) {
				return 0, false
			}
			return cmpOrdered(a, b), true
		}
	}
	a, okA := n.Dim()
	b, okB := o.Dim()
	if !okA || !okB {
		return 0, false
	}
	if a.Equal(b) {
		return 0, true
	}
	if le, known := a.AddInt(1).LessEq(b); known && le {
		return -1, true
	}
	if le, known := b.AddInt(1).LessEq(a); known && le {
		return 1, true
	}
	return 0, false
}

func cmpOrdered[T int64 | float64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// provablyDifferent reports whether no value of the symbols makes the elements equal.
func (n Num) provablyDifferent(o Num) bool {
	s, known := n.compare(o)
	return known && s != 0
}

// rational returns the element as numerator over a positive denominator. A float has one where it is a dyadic fraction
// with a small denominator, or single precision of a simple fraction (1/3, 0.7), which is then what the exporter meant.
func (n Num) rational() (num dim.Dim, den int64, ok bool) {
	switch n.kind {
	case numInt:
		return n.d, 1, true
	case numRational:
		return n.d, int64(n.f), true
	case numFloat:
		for den := int64(1); den <= 1<<20; den *= 2 {
			if v := n.f * float64(den); v == math.Trunc(v) && math.Abs(v) < 1<<53 {
				return dim.Const(int64(v)), den, true
			}
		}
		p, q, ok := simpleFraction(n.f)
		return dim.Const(p), q, ok
	}
	return dim.Dim{}, 0, false
}

// maxDenominator bounds the fractions that a float is taken for; beyond it most floats would be near one by chance.
const maxDenominator = 1000

// simpleFraction finds p/q with the smallest q that rounds to f in single precision, by continued fractions. A
// reciprocal 1/q may have a larger q.
func simpleFraction(f float64) (p, q int64, ok bool) {
	near := func(x float64) bool { return math.Abs(x-f) <= 0x1p-24*math.Abs(f) }
	if r := math.Round(1 / f); f != 0 && math.Abs(r) < 1<<20 && r > 0 && near(1/r) {
		return 1, int64(r), true
	}
	if math.IsNaN(f) || math.Abs(f) >= 1<<20 || f == 0 {
		return 0, 0, false
	}
	p0, q0, p1, q1 := int64(1), int64(0), int64(math.Floor(f)), int64(1) // the last two convergents
	for rest := f - math.Floor(f); rest > 1e-12; {
		a := math.Floor(1 / rest)
		if a > maxDenominator {
			break
		}
		p0, q0, p1, q1 = p1, q1, int64(a)*p1+p0, int64(a)*q1+q0
		if q1 > maxDenominator {
			break
		}
		if near(float64(p1) / float64(q1)) {
			return p1, q1, true
		}
		rest = 1/rest - a
	}
	return 0, 0, false
}

// ratio makes num/den, a plain float or integer-valued rational where it can.
func ratio(num dim.Dim, den int64) Num {
	if v, ok := num.Value(); ok {
		return Float(float64(v) / float64(den))
	}
	return Num{d: num, f: float64(den), kind: numRational}
}

// Elems returns the known elements of v, reading a small stored constant on first use; nil where they are unknown.
// The result has one entry per element; single entries may still be unknown.
func (v *Value) Elems() []Num { return v.elems(maxElems) }

// elems is Elems with a bound of its own, for the few rules whose output shape depends on large constants (NonZero,
// Unique, Compress of a stored mask).
func (v *Value) elems(limit int64) []Num {
	if v == nil {
		return nil
	}
	if v.Data != nil {
		return v.Data.Nums
	}
	if v.Tensor == nil || v.Kind != onnx.KindTensor {
		return nil
	}
	if !v.small(limit) {
		return nil
	}
	v.Data = loadData(v.Tensor)
	if v.Data == nil {
		return nil
	}
	return v.Data.Nums
}

// small reports whether the stored tensor is worth reading.
func (v *Value) small(limit int64) bool {
	if limit == maxElems && v.Tensor.DType.IsFloat() {
		limit = maxFloats
	}
	n, err := v.Tensor.Elements()
	return err == nil && n <= limit
}

// MayHaveElems is a cheap test that Elems could succeed.
func (v *Value) MayHaveElems() bool {
	return v.Data != nil || v.Tensor != nil && v.small(maxElems)
}

// Strs returns the known strings of a string tensor; nil where unknown.
func (v *Value) Strs() []string {
	if v == nil || v.DType != onnx.String {
		return nil
	}
	v.elems(maxElems)
	if v.Data == nil {
		return nil
	}
	return v.Data.Strs
}

// loadData reads the elements of a stored tensor; nil where they cannot be read (external and absent, damaged).
func loadData(t *onnx.Tensor) *Data {
	switch {
	case t.DType == onnx.String:
		s, err := t.Strings()
		if err != nil {
			return nil
		}
		return &Data{Strs: s}
	case t.DType.IsFloat():
		f, err := t.Float64s()
		if err != nil {
			return nil
		}
		nums := make([]Num, len(f))
		for i, x := range f {
			nums[i] = Float(x)
		}
		return &Data{Nums: nums}
	case t.DType.IsInteger() || t.DType == onnx.Bool:
		ints, err := t.Int64s()
		if err != nil {
			return nil
		}
		nums := make([]Num, len(ints))
		for i, x := range ints {
			nums[i] = IntOf(x)
		}
		return &Data{Nums: nums}
	}
	return nil
}

// dims returns the elements of a known integer vector as dimensions; ok is false where v is not known at all.
// known[i] is false for single elements that are not.
func (v *Value) dims() (ds []dim.Dim, known []bool, ok bool) {
	nums := v.Elems()
	if nums == nil {
		return nil, nil, false
	}
	ds, known = make([]dim.Dim, len(nums)), make([]bool, len(nums))
	for i, n := range nums {
		ds[i], known[i] = n.Dim()
	}
	return ds, known, true
}

// Int64s returns the elements of a known integer tensor; ok is false unless every one is a plain integer.
func (v *Value) Int64s() (xs []int64, ok bool) {
	nums := v.Elems()
	if nums == nil {
		return nil, false
	}
	xs = make([]int64, len(nums))
	for i, n := range nums {
		if xs[i], ok = n.Int64(); !ok {
			return nil, false
		}
	}
	return xs, true
}
