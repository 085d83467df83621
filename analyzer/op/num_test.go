package op

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// randomNum is a symbolic element that is not negative for symbols of at least 1: an integer, or a float made from one.
func randomNum(r *rand.Rand) Num {
	d := dim.Const(int64(r.IntN(5)))
	for _, s := range []string{"h", "w"} {
		d = d.Add(dim.Symbol(s).MulInt(int64(r.IntN(3))))
	}
	switch r.IntN(5) {
	case 0:
		return IntOf(int64(1 + r.IntN(9)))
	case 1:
		return Float([]float64{0.5, 2, 1.5, 0.25, 3, float64(float32(1) / 3)}[r.IntN(6)])
	case 2:
		return toFloat(Int(d))
	}
	return Int(d)
}

// evaluate binds the symbols of an element; the result is a plain one.
func evaluate(t *testing.T, n Num, env dim.Env) Num {
	if n.kind == numPredicate {
		v, ok := n.p.bind(env).value()
		if !ok {
			t.Fatalf("%v does not decide %v", env, n.p)
		}
		return boolOf(v)
	}
	if n.kind != numInt && n.kind != numRational {
		return n
	}
	v, err := n.d.Eval(env)
	if err != nil {
		t.Fatal(err)
	}
	if n.kind == numRational {
		return Float(float64(v) / n.f)
	}
	return IntOf(v)
}

// TestSymbolicArithmetic: what is known of a symbolic result agrees, for every binding, with the arithmetic of the bound
// operands.
func TestSymbolicArithmetic(t *testing.T) {
	binary := map[string]func(a, b Num) Num{"add": numAdd, "sub": numSub, "mul": numMul, "div": numDiv, "min": numMin, "max": numMax,
		"mod":   func(a, b Num) Num { return numMod(a, b, false) },
		"equal": equalFold, "less": lessThan, "not less": func(a, b Num) Num { return notFold(lessThan(a, b)) },
		"either":  func(a, b Num) Num { return joinPredicates(anyHolds, lessThan(a, b), lessThan(b, a)) },
		"neither": func(a, b Num) Num { return notFold(joinPredicates(anyHolds, lessThan(a, b), lessThan(b, a))) },
		"both":    func(a, b Num) Num { return joinPredicates(allHold, lessThan(IntOf(3), a), notFold(equalFold(a, b))) }}
	unary := map[string]func(a Num) Num{"floor": numFloor, "ceil": numCeil, "int": toInt, "float": toFloat, "bool": toBool, "abs": numAbs, "sign": numSign, "none": same}
	r := seeded()
	known := map[string]int{}
	for range 4000 {
		a, b := randomNum(r), randomNum(r)
		for name, f := range binary {
			if s, ok := b.compare(IntOf(0)); (name == "div" || name == "mod") && (!ok || s <= 0) {
				continue // a divisor that may be 0
			}
			for outer, g := range unary {
				if outer != "none" && name == "sub" {
					continue // differences may be negative, for which rounding is not promised
				}
				x := roundTo(onnx.Float32, f(a, b))
				if x.Known() {
					x = g(x)
				}
				if !x.Known() {
					continue
				}
				known[name]++
				for range 4 {
					env := dim.Env{"h": int64(1 + r.IntN(40)), "w": int64(1 + r.IntN(40))}
					want := g(roundTo(onnx.Float32, f(evaluate(t, a, env), evaluate(t, b, env)))) // as a runtime would
					got := evaluate(t, x, env)
					p, ok1 := got.Float64()
					q, ok2 := want.Float64()
					if !ok1 || !ok2 || math.Abs(p-q) > 1e-5*math.Max(1, math.Abs(q)) {
						t.Fatalf("%s(%s(%v, %v)) is %v; at %v that is %v, want %v", outer, name, a, b, x, env, p, q)
					}
				}
			}
		}
	}
	for name := range binary {
		if known[name] < 1000 {
			t.Errorf("only %d results of %s were known", known[name], name)
		}
	}
}

// TestRoundTo compares with the conversions of the language.
func TestRoundTo(t *testing.T) {
	r := seeded()
	for range 2000 {
		v := int64(r.Uint64()) >> r.IntN(60)
		for dt, want := range map[onnx.DType]int64{onnx.Int8: int64(int8(v)), onnx.Uint8: int64(uint8(v)), onnx.Int16: int64(int16(v)),
			onnx.Int32: int64(int32(v)), onnx.Uint32: int64(uint32(v)), onnx.Int64: v, onnx.Int4: int64(int8(v<<4) >> 4), onnx.Uint4: v & 15} {
			if got, _ := roundTo(dt, IntOf(v)).Int64(); got != want {
				t.Fatalf("%d as %v: got %d, want %d", v, dt, got, want)
			}
		}
		f := r.NormFloat64() * math.Ldexp(1, r.IntN(40)-20)
		if got, _ := roundTo(onnx.Float32, Float(f)).Float64(); got != float64(float32(f)) {
			t.Fatalf("%v as float32: got %v, want %v", f, got, float32(f))
		}
		if got, _ := roundTo(onnx.BFloat16, Float(f)).Float64(); got != bfloat16(f) {
			t.Fatalf("%v as bfloat16: got %v, want %v", f, got, bfloat16(f))
		}
	}
	for f, want := range map[float64]float64{0.1: 0.0999755859375, 65504: 65504, 65519: 65504, 65520: math.Inf(1), -1e9: math.Inf(-1),
		0x1p-24: 0x1p-24, 0x1p-25: 0, 0x1.8p-25: 0x1p-24, 2049: 2048, 2051: 2052} {
		if got, _ := roundTo(onnx.Float16, Float(f)).Float64(); got != want {
			t.Errorf("%v as float16: got %v, want %v", f, got, want)
		}
	}
}

// bfloat16 rounds by the bits of a float32: half of the last place is added, less one where the last bit is even.
func bfloat16(f float64) float64 {
	bits := math.Float32bits(float32(f))
	bits += 0x7fff + bits>>16&1
	return float64(math.Float32frombits(bits &^ 0xffff))
}

func TestSimpleFraction(t *testing.T) {
	for _, k := range []struct {
		f    float64
		p, q int64
	}{{0.7, 7, 10}, {1.0 / 3, 1, 3}, {2.0 / 3, 2, 3}, {1.2, 6, 5}, {0.8, 4, 5}, {1.0 / 12345, 1, 12345}, {2.4, 12, 5}, {-0.3, -3, 10}, {1.0 / 224, 1, 224}, {0.35, 7, 20}} {
		p, q, ok := simpleFraction(float64(float32(k.f)))
		if !ok || p != k.p || q != k.q {
			t.Errorf("%v: got %d/%d, want %d/%d", k.f, p, q, k.p, k.q)
		}
	}
	for _, f := range []float64{math.Pi, math.E, 0.12345678, math.Inf(1), math.NaN(), 0} {
		if p, q, ok := simpleFraction(f); ok {
			t.Errorf("%v is taken for %d/%d", f, p, q)
		}
	}
}
