package op

import (
	"fmt"
	"math"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// Element-wise operators. The weights are arithmetic operations and special evaluations per output element, counted
// from the formula that the standard gives for the operator; comparisons and selections count one operation.

// opsDoc is a formula with what is counted of it per output element.
func opsDoc(formula string, vector, special int64) string {
	switch {
	case special == 0:
		return fmt.Sprintf("%s: %d per element", formula, vector)
	case vector == 0:
		return fmt.Sprintf("%s: %d special per element", formula, special)
	}
	return fmt.Sprintf("%s: %d and %d special per element", formula, vector, special)
}

const legacyDoc = "; the second input is broadcast into the first (attribute broadcast)"

// elementwise is a unary operator that keeps the element type.
func elementwise(name string, since int64, vector, special int64, formula string, fold func(Num) Num) Rule {
	r := Rule{Op: name, Since: since, Shape: sameShape, Work: perOutput(vector, special), Memory: Stream,
		OutWork: inputs(0), Class: Elementwise, InPlace: inputs(0), Doc: opsDoc(formula, vector, special)}
	if fold != nil {
		r.Fold = fold1(fold)
	}
	return r
}

// binary is an element-wise operator with numpy broadcasting.
func binary(name string, since int64, vector, special int64, formula string, fold func(a, b Num) Num) Rule {
	return Rule{Op: name, Since: since, Shape: broadcastShape, Work: perOutput(vector, special), Memory: Stream,
		OutWork: inputs(0, 1), Class: Elementwise, InPlace: inputs(0, 1), Fold: fold2(fold), Doc: opsDoc(formula, vector, special)}
}

// legacyBinary is the form before opset 7: the second input is broadcast into the first, whose shape the result has
// (attributes broadcast and axis).
func legacyBinary(name string, since int64, vector, special int64, formula string) Rule {
	return Rule{Op: name, Since: since, Shape: sameShape, Work: perOutput(vector, special), Memory: Stream,
		Class: Elementwise, InPlace: inputs(0), Doc: opsDoc(formula, vector, special) + legacyDoc}
}

// comparison is a binary operator with a bool result.
func comparison(name string, since int64, formula string, fold func(a, b Num) Num) Rule {
	return Rule{Op: name, Since: since, Shape: broadcastShapeAs(onnx.Bool), Work: perOutput(1, 0), Memory: Stream,
		Class: Elementwise, Fold: fold2(fold), Doc: opsDoc(formula, 1, 0)}
}

func logical(name, formula string, kind predicateKind) Rule {
	r := comparison(name, 7, formula, nil)
	r.Fold = logicFold(kind)
	return r
}

func legacyComparison(name string, since int64, formula string) Rule {
	return Rule{Op: name, Since: since, Shape: sameShapeAs(onnx.Bool), Work: perOutput(1, 0), Memory: Stream,
		Class: Elementwise, Doc: opsDoc(formula, 1, 0) + legacyDoc}
}

// variadic is an element-wise operator over any number of inputs: n-1 operations per element.
func variadic(name string, since int64, formula string, fold func(a, b Num) Num) Rule {
	return Rule{Op: name, Since: since, Shape: broadcastShape, Memory: Stream, Class: Elementwise, InPlace: inputs(0, 1),
		Doc:  formula + ": n-1 per element for n inputs",
		Fold: foldChain(fold), Work: func(c *Call) Work { return perElement(c.Out[0], int64(len(c.In)-1), 0) }}
}

func float1(f func(float64) float64) func(Num) Num {
	return func(a Num) Num {
		x, ok := a.Float64()
		if !ok {
			return Num{}
		}
		return Float(f(x))
	}
}

func numAbs(a Num) Num {
	if s, known := a.compare(IntOf(0)); known && s >= 0 {
		return a
	} else if known {
		return numNeg(a)
	}
	return Num{}
}

func numSign(a Num) Num {
	s, known := a.compare(IntOf(0))
	switch {
	case !known:
		return Num{}
	case a.kind == numInt:
		return IntOf(int64(s))
	}
	return Float(float64(s))
}

func numPow(a, b Num) Num {
	if e, ok := b.Int64(); ok && a.kind == numInt && e >= 0 && e <= 64 { // exact beyond 2^53
		r := IntOf(1)
		for range e {
			r = numMul(r, a)
		}
		return r
	}
	x, okX := a.Float64()
	y, okY := b.Float64()
	if okX && okY {
		r := math.Pow(x, y)
		if a.kind == numInt {
			return toInt(Float(r))
		}
		return Float(r)
	}
	if e, ok := b.Int64(); ok && e >= 1 && e <= 8 && a.Known() {
		r := a
		for range e - 1 {
			r = numMul(r, a)
		}
		return r
	}
	return Num{}
}

// equalFold also knows inequality that holds for every value of the symbols.
func equalFold(a, b Num) Num {
	if a.Equal(b) {
		return boolOf(true)
	}
	if a.provablyDifferent(b) {
		return boolOf(false)
	}
	if d, ok := difference(a, b); ok {
		return holdsIf(&predicate{kind: isZero, d: d})
	}
	return Num{}
}

// equalStringsFold is Equal of numbers, and of strings (opset 19) of one shape.
func equalStringsFold(c *Call) {
	a, b := c.Input(0).Strs(), c.Input(1).Strs()
	if a == nil || b == nil {
		fold2(equalFold)(c)
		return
	}
	if len(c.In) != 2 || len(a) != len(b) || !c.In[0].Shape.Equal(c.In[1].Shape) {
		return
	}
	out := make([]Num, len(a))
	for i := range a {
		out[i] = boolOf(a[i] == b[i])
	}
	c.Out[0].Data = &Data{Nums: out}
}

// testFloat makes a bool from a plain number; a symbolic one is finite.
func testFloat(f func(float64) bool) func(Num) Num {
	return func(a Num) Num {
		x, _ := a.Float64()
		return boolOf(f(x))
	}
}

func isInfFold(c *Call) {
	negative, positive := c.Int("detect_negative", 1) != 0, c.Int("detect_positive", 1) != 0
	fold1(testFloat(func(x float64) bool { return negative && math.IsInf(x, -1) || positive && math.IsInf(x, 1) }))(c)
}

// xorFold is a ≠ b of two bools.
func xorFold(a, b Num) Num {
	x, okX := a.Int64()
	y, okY := b.Int64()
	if !okX || !okY {
		return Num{}
	}
	return boolOf((x != 0) != (y != 0))
}

func notFold(a Num) Num { return holdsIf(predicateOf(a).not()) }

// bitShiftFold is BitShift; the direction is an attribute, so it is bound per call.
func bitShiftFold(c *Call) {
	left := c.Str("direction", "") == "LEFT"
	fold2(func(a, b Num) Num {
		x, okX := a.Int64()
		y, okY := b.Int64()
		if !okX || !okY || y < 0 || y > 63 {
			return Num{}
		}
		if left {
			return IntOf(x << uint(y))
		}
		return IntOf(int64(uint64(x) >> uint(y)))
	})(c)
}

func bitFold(f func(a, b int64) int64) func(a, b Num) Num {
	return func(a, b Num) Num {
		x, okX := a.Int64()
		y, okY := b.Int64()
		if !okX || !okY {
			return Num{}
		}
		return IntOf(f(x, y))
	}
}

func modFold(c *Call) {
	fmod := c.Int("fmod", 0) != 0
	fold2(func(a, b Num) Num { return numMod(a, b, fmod) })(c)
}

// clipFold bounds known elements by min and max (inputs since opset 11).
func clipFold(c *Call) {
	foldBroadcast(func(a []Num) Num {
		r := a[0]
		if c.Has(1) {
			r = numMax(r, a[1])
		}
		if c.Has(2) {
			r = numMin(r, a[2])
		}
		return r
	})(c)
}

// whereShape broadcasts condition and both choices; the element type is that of the choices.
func whereShape(c *Call) error { return broadcastTyped(c, 1) }

func whereFold(c *Call) {
	if len(c.In) != 3 {
		return
	}
	foldBroadcast(func(a []Num) Num {
		cond, ok := a[0].Int64()
		switch {
		case ok && cond != 0:
			return a[1]
		case ok:
			return a[2]
		case a[1].Equal(a[2]):
			return a[1]
		}
		return Num{}
	})(c)
}

var elementwiseRules = []Rule{
	// arithmetic
	binary("Add", 7, 1, 0, "a+b", numAdd), legacyBinary("Add", 1, 1, 0, "a+b"),
	binary("Sub", 7, 1, 0, "a-b", numSub), legacyBinary("Sub", 1, 1, 0, "a-b"),
	binary("Mul", 7, 1, 0, "a·b", numMul), legacyBinary("Mul", 1, 1, 0, "a·b"),
	binary("Div", 7, 0, 1, "a/b", numDiv), legacyBinary("Div", 1, 0, 1, "a/b"),
	{Op: "Mod", Since: 10, Doc: opsDoc("a mod b", 0, 1),
		Shape: broadcastShape, Work: perOutput(0, 1), Memory: Stream, Class: Elementwise,
		InPlace: inputs(0, 1), Fold: modFold},
	{Op: "Pow", Since: 7, Doc: opsDoc("a^b", 0, 1),
		Shape: broadcastShape, Work: perOutput(0, 1), Memory: Stream, Class: Elementwise,
		InPlace: inputs(0), Fold: fold2(numPow)},
	legacyBinary("Pow", 1, 0, 1, "a^b"),
	elementwise("Abs", 1, 1, 0, "|x|", numAbs), elementwise("Neg", 1, 1, 0, "-x", numNeg),
	elementwise("Sign", 9, 1, 0, "sign(x)", numSign),
	elementwise("Floor", 1, 1, 0, "floor(x)", numFloor), elementwise("Ceil", 1, 1, 0, "ceil(x)", numCeil),
	elementwise("Round", 11, 1, 0, "x rounded, halves to even", float1(math.RoundToEven)),
	elementwise("Reciprocal", 1, 0, 1, "1/x", func(a Num) Num { return numDiv(Float(1), a) }),
	elementwise("Sqrt", 1, 0, 1, "√x", float1(math.Sqrt)),
	elementwise("Exp", 1, 0, 1, "exp(x)", float1(math.Exp)), elementwise("Log", 1, 0, 1, "log(x)", float1(math.Log)),
	elementwise("Erf", 9, 0, 1, "erf(x)", float1(math.Erf)),
	elementwise("Sin", 7, 0, 1, "sin(x)", float1(math.Sin)), elementwise("Cos", 7, 0, 1, "cos(x)", float1(math.Cos)),
	elementwise("Tan", 7, 0, 1, "tan(x)", nil),
	elementwise("Asin", 7, 0, 1, "asin(x)", nil),
	elementwise("Acos", 7, 0, 1, "acos(x)", nil),
	elementwise("Atan", 7, 0, 1, "atan(x)", nil),
	elementwise("Sinh", 9, 0, 1, "sinh(x)", nil),
	elementwise("Cosh", 9, 0, 1, "cosh(x)", nil),
	elementwise("Asinh", 9, 0, 1, "asinh(x)", nil),
	elementwise("Acosh", 9, 0, 1, "acosh(x)", nil),
	elementwise("Atanh", 9, 0, 1, "atanh(x)", nil),
	variadic("Sum", 1, "Σ of the inputs", numAdd),
	variadic("Max", 1, "the largest of the inputs", numMax),
	variadic("Min", 1, "the least of the inputs", numMin),
	{Op: "Mean", Since: 1, Doc: "the mean of n inputs: n-1 operations, 1 special",
		Shape: broadcastShape, Memory: Stream, Class: Elementwise, InPlace: inputs(0, 1),
		Fold: foldBroadcast(meanOf),
		Work: func(c *Call) Work { return perElement(c.Out[0], int64(len(c.In)-1), 1) }},

	// activations
	elementwise("Relu", 1, 1, 0, "max(x, 0)", func(a Num) Num { return numMax(a, zeroLike(a)) }),
	elementwise("Sigmoid", 1, 2, 2, "1/(1+exp(-x))", nil),
	elementwise("Tanh", 1, 0, 1, "tanh(x)", float1(math.Tanh)),
	elementwise("LeakyRelu", 1, 2, 0, "x or αx", nil), elementwise("ThresholdedRelu", 10, 1, 0, "x or 0", nil),
	elementwise("HardSigmoid", 1, 4, 0, "max(0, min(1, αx+β))", nil),
	elementwise("HardSwish", 14, 5, 0, "x·max(0, min(1, x/6+1/2))", nil),
	elementwise("Elu", 1, 3, 1, "x or α(exp(x)-1)", nil),
	elementwise("Selu", 1, 4, 1, "γ·(x or α(exp(x)-1))", nil),
	elementwise("Celu", 12, 4, 2, "max(0, x) + min(0, α(exp(x/α)-1))", nil),
	elementwise("Softplus", 1, 1, 2, "log(1+exp(x))", nil), elementwise("Softsign", 1, 2, 1, "x/(1+|x|)", nil),
	elementwise("Shrink", 9, 3, 0, "x-bias, x+bias or 0", nil),
	{Op: "Gelu", Since: 20, Shape: sameShape, Memory: Stream, Class: Elementwise, InPlace: inputs(0), Work: geluWork,
		Doc: "0.5·x·(1+erf(x/√2)); with approximate=tanh the polynomial's operations are counted"},
	elementwise("Mish", 18, 2, 3, "x·tanh(log(1+exp(x)))", nil),
	elementwise("Swish", 24, 4, 2, "x·sigmoid(αx)", nil),
	{Op: "PRelu", Since: 1, Doc: opsDoc("x or slope·x", 2, 0),
		Shape: sameShape, Work: perOutput(2, 0), Memory: Stream, Class: Elementwise, InPlace: inputs(0)},
	{Op: "Clip", Since: 11, Doc: opsDoc("max(low, min(high, x))", 2, 0),
		Shape: sameShape, Work: perOutput(2, 0), Memory: Stream, Class: Elementwise,
		InPlace: inputs(0), HostInputs: inputsFrom(1), Fold: clipFold},
	{Op: "Clip", Since: 1, Doc: opsDoc("max(low, min(high, x))", 2, 0),
		Shape: sameShape, Work: perOutput(2, 0), Memory: Stream, Class: Elementwise, InPlace: inputs(0)},

	// comparison and logic
	{Op: "Equal", Since: 7, Doc: opsDoc("a=b", 1, 0),
		Shape: broadcastShapeAs(onnx.Bool), Work: perOutput(1, 0), Memory: Stream, Class: Elementwise,
		Fold: equalStringsFold},
	legacyComparison("Equal", 1, "a=b"),
	comparison("Greater", 7, "a>b", func(a, b Num) Num { return lessThan(b, a) }), legacyComparison("Greater", 1, "a>b"),
	comparison("Less", 7, "a<b", lessThan), legacyComparison("Less", 1, "a<b"),
	comparison("GreaterOrEqual", 12, "a≥b", func(a, b Num) Num { return notFold(lessThan(a, b)) }),
	comparison("LessOrEqual", 12, "a≤b", func(a, b Num) Num { return notFold(lessThan(b, a)) }),
	logical("And", "a and b", allHold), legacyComparison("And", 1, "a and b"),
	logical("Or", "a or b", anyHolds), legacyComparison("Or", 1, "a or b"),
	comparison("Xor", 7, "a xor b", xorFold), legacyComparison("Xor", 1, "a xor b"),
	{Op: "Not", Since: 1, Doc: opsDoc("not x", 1, 0),
		Shape: sameShape, Work: perOutput(1, 0), Memory: Stream, Class: Elementwise,
		InPlace: inputs(0), Fold: fold1(notFold)},
	{Op: "IsNaN", Since: 9, Doc: opsDoc("a test", 1, 0),
		Shape: sameShapeAs(onnx.Bool), Work: perOutput(1, 0), Memory: Stream, Class: Elementwise,
		Fold: fold1(testFloat(math.IsNaN))},
	{Op: "IsInf", Since: 10, Doc: opsDoc("a test", 1, 0),
		Shape: sameShapeAs(onnx.Bool), Work: perOutput(1, 0), Memory: Stream, Class: Elementwise,
		Fold: isInfFold},
	{Op: "Where", Since: 9, Doc: opsDoc("a or b", 1, 0),
		Shape: whereShape, Work: perOutput(1, 0), Memory: Stream, Class: Elementwise,
		InPlace: inputs(1, 2), Fold: whereFold},

	// bits
	{Op: "BitShift", Since: 11, Doc: opsDoc("a<<b or a>>b", 1, 0),
		Shape: broadcastShape, Work: perOutput(1, 0), Memory: Stream, Class: Elementwise,
		InPlace: inputs(0, 1), Fold: bitShiftFold},
	binary("BitwiseAnd", 18, 1, 0, "a&b", bitFold(func(a, b int64) int64 { return a & b })),
	binary("BitwiseOr", 18, 1, 0, "a|b", bitFold(func(a, b int64) int64 { return a | b })),
	binary("BitwiseXor", 18, 1, 0, "a^b (bits)", bitFold(func(a, b int64) int64 { return a ^ b })),
	elementwise("BitwiseNot", 18, 1, 0, "^x", func(a Num) Num {
		x, ok := a.Int64()
		if !ok {
			return Num{}
		}
		return IntOf(^x)
	}),
}

func zeroLike(a Num) Num {
	if a.kind == numInt {
		return IntOf(0)
	}
	return Float(0)
}

// geluWork: x·0.5·(1+erf(x·c)) is 4 operations and an erf; the tanh form adds the cubic, 8 and a tanh.
func geluWork(c *Call) Work {
	if c.Str("approximate", "none") == "tanh" {
		return perElement(c.Out[0], 8, 1)
	}
	return perElement(c.Out[0], 4, 1)
}
