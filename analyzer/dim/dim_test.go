package dim

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"testing"
)

func parse(t testing.TB, s string) Dim {
	t.Helper()
	d, err := Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestCanonical has one line per rule of the canonical form.
func TestCanonical(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		// sums, products, order of terms
		{"batch*4089184256", "4089184256*batch"},
		{"9216*batch*seq^2 + 56623104*seq*batch", "9216*batch*seq^2 + 56623104*batch*seq"},
		{"3 + b - a + a*b*2 + b**2", "2*a*b + b^2 - a + b + 3"},
		{"(a + b)^3", "a^3 + 3*a^2*b + 3*a*b^2 + b^3"},
		{"(a + b)*(a - b)", "a^2 - b^2"},
		{"x - x", "0"},
		{"-(x - 1)", "-x + 1"},
		{"-x^2", "-x^2"},
		{"9223372036854775807*x + -9223372036854775808*y", "9223372036854775807*x + -9223372036854775808*y"},
		// division: what divides comes out, the rest is in lowest terms
		{"x*12//4", "3*x"},
		{"floor((5*x + 7)/2)", "2*x + floor((x + 1)/2) + 3"},
		{"floor((h + 2*3 - 7)/2) + 1", "floor((h + 1)/2)"},
		{"floor(-x/2)", "-x + floor(x/2)"},
		{"floor(x/-2)", "-x + floor(x/2)"},
		{"floor((2*x + 1)/4)", "floor(x/2)"},
		{"floor((4*x + 2)/(8*y))", "floor(x/(2*y))"},
		{"floor((4*x + 2)/(8*y - 4*z))", "floor((2*x + 1)/(4*y - 2*z))"},
		{"floor((4*x + 7)/8)", "floor((x + 1)/2)"},
		{"floor(x*y/(x*z))", "floor(y/z)"},
		{"floor((x*y + y)/(2*y))", "floor((x + 1)/2)"},
		{"floor((b*h + b + 3)/(h + 1))", "b + floor(3/(h + 1))"},
		{"floor((h*x + x)/(2*h + 2))", "floor(x/2)"},
		{"(b*h + b)/(h + 1)", "b"},
		{"b*s*768/(b*s*12)", "64"},
		{"(x^3 + 1)/(x + 1)", "x^2 - x + 1"},
		{"(a*c + a*d + b*c + b*d)/(c + d)", "a + b"},
		{"h//(h + 1)", "0"},
		{"-3//(4*h)", "-1"},
		{"(x + 1)//(2*x + 5)", "0"},
		{"floor(floor(x/3)/2)", "floor(x/6)"},
		{"floor((floor((h + 1)/2) + 1)/2)", "floor((h + 3)/4)"},
		{"floor((floor(h/2) + w)/3)", "floor((h + 2*w)/6)"},
		{"floor(floor(seq/chunk)/batch)", "floor(seq/(batch*chunk))"},
		{"floor(h/2 - 1/2) + 1", "floor((h + 1)/2)"},
		{"floor(a/2 + b/3)", "floor((3*a + 2*b)/6)"},
		{"floor(a/b/c)", "floor(a/(b*c))"},
		{"ceil(x/2)", "floor((x + 1)/2)"},
		{"ceil(x/-2)", "-x + floor((x + 1)/2)"},
		{"ceil(b*h/h)", "b"},
		{"ceil(a/(b - c))", "-floor(-a/(b - c))"},
		{"mod(4*x, 2)", "0"},
		{"x % 8", "x - 8*floor(x/8)"},
		{"(x + 8) % 8", "x - 8*floor(x/8)"},
		{"x % -2", "-x + 2*floor(x/2)"},
		// extrema
		{"min(4, batch)", "min(batch, 4)"},
		{"max(b, a, b) + 3", "max(a, b) + 3"},
		{"max(a + 3, b + 3)", "max(a, b) + 3"},
		{"min(2*x + 3, 2*y + 1)", "2*min(x + 1, y) + 1"},
		{"min(b*x, b*y)", "b*min(x, y)"},
		{"max(seq - 4, 0)", "max(seq, 4) - 4"},
		{"min(min(a, b) + 1, c)", "min(a + 1, b + 1, c)"},
		{"min(2*min(a, b), c)", "min(2*a, 2*b, c)"},
		{"min(1, seq)", "1"},
		{"max(batch, 1)", "batch"},
		{"max(x + 1, x)", "x + 1"},
		{"max(x^2, x)", "x^2"},
		{"min(max(x, y), x)", "x"},
		{"min(x//2, x)", "floor(x/2)"},
		{"max(x%8, 8)", "8"},
		{"min(x%8, 7)", "x - 8*floor(x/8)"},
		{"max(min(seq, 4) - seq, 0)", "0"},
		{"max(y//x*x, y)", "y"},
		{"Max(1, s0 - 1) + Min(s0, 2)", "min(s0, 2) + max(s0, 2) - 1"},
		// names
		{`"batch-size" * "min"`, `"batch-size"*"min"`},
		{`a.b_1 + "a b" + "overflow" + "1st"`, `"1st" + "a b" + a.b_1 + "overflow"`},
		{`"plain" + "\u00e9\xff"`, `plain + "é\xff"`},
		{`min + max(Min, 1)`, `Min + "min"`},
	} {
		d := parse(t, c.in)
		if got := d.String(); got != c.want {
			t.Errorf("%s: got %s, want %s", c.in, got, c.want)
		}
	}
}

// TestLimits checks what sticks at the edges of int64, of the divisors and of the sizes.
func TestLimits(t *testing.T) {
	const maxInt, minInt = math.MaxInt64, math.MinInt64
	c, x, y := Const, Symbol("x"), Symbol("y")
	many := make([]Dim, 65)
	for i := range many {
		many[i] = Symbol("s" + c(int64(i)).String())
	}
	sum := Sum(many...)
	deep, wide := x, x
	for i := range 40 {
		deep = Symbol("z").FloorDiv(deep.Add(y))
		wide = wide.Add(Symbol("v" + c(int64(i)).String())).FloorDiv(wide.Add(y))
	}
	for _, tc := range []struct {
		name string
		got  Dim
		want string
		err  error
	}{
		{"max+1", c(maxInt).Add(c(1)), "overflow", ErrOverflow},
		{"max+0", c(maxInt).Add(c(0)), "9223372036854775807", nil},
		{"min+max", c(minInt).Add(c(maxInt)), "-1", nil},
		{"min-1", c(minInt).Sub(c(1)), "overflow", ErrOverflow},
		{"0-min", c(0).Sub(c(minInt)), "overflow", ErrOverflow},
		{"-1-min", c(-1).Sub(c(minInt)), "9223372036854775807", nil},
		{"-min", c(minInt).Neg(), "overflow", ErrOverflow},
		{"max.AddInt(1)", c(maxInt).AddInt(1), "overflow", ErrOverflow},
		{"(x+max).AddInt(1)", x.AddInt(maxInt).AddInt(1), "overflow", ErrOverflow},
		{"min*-1", c(minInt).Mul(c(-1)), "overflow", ErrOverflow},
		{"-1*min", c(-1).MulInt(minInt), "overflow", ErrOverflow},
		{"min*1", c(minInt).Mul(c(1)), "-9223372036854775808", nil},
		{"2^31*2^31", c(1 << 31).Mul(c(1 << 31)), "4611686018427387904", nil},
		{"-2^32*2^31", c(-1 << 32).Mul(c(1 << 31)), "-9223372036854775808", nil},
		{"2^32*2^31", c(1 << 32).Mul(c(1 << 31)), "overflow", ErrOverflow},
		{"2^62 pow 2", c(1 << 62).Pow(2), "overflow", ErrOverflow},
		{"-1 pow 63", c(-1).Pow(63), "-1", nil},
		{"-2 pow 63", c(-2).Pow(63), "-9223372036854775808", nil},
		{"2 pow 63", c(2).Pow(63), "overflow", ErrOverflow},
		{"min//-1", c(minInt).FloorDiv(c(-1)), "overflow", ErrOverflow},
		{"min/^-1", c(minInt).CeilDiv(c(-1)), "overflow", ErrOverflow},
		{"min%-1", c(minInt).Mod(c(-1)), "0", nil},
		{"min//min", c(minInt).FloorDiv(c(minInt)), "1", nil},
		{"max//min", c(maxInt).FloorDiv(c(minInt)), "-1", nil},
		{"max/^min", c(maxInt).CeilDiv(c(minInt)), "0", nil},
		{"max%min", c(maxInt).Mod(c(minInt)), "-1", nil},
		{"-7//2", c(-7).FloorDiv(c(2)), "-4", nil},
		{"-7/^2", c(-7).CeilDiv(c(2)), "-3", nil},
		{"-7%2", c(-7).Mod(c(2)), "1", nil},
		{"7%-2", c(7).Mod(c(-2)), "-1", nil},
		{"1//0", c(1).FloorDiv(c(0)), "divide_by_zero", ErrDivideByZero},
		{"x/^(x-x)", x.CeilDiv(x.Sub(x)), "divide_by_zero", ErrDivideByZero},
		{"x%0", x.Mod(c(0)), "divide_by_zero", ErrDivideByZero},
		{"max*x+x", x.MulInt(maxInt).Add(x), "overflow", ErrOverflow},
		{"min*x-x", x.MulInt(minInt).Sub(x), "overflow", ErrOverflow},
		{"-(min*x)", x.MulInt(minInt).Neg(), "overflow", ErrOverflow},
		{"0-min*x", c(0).Sub(x.MulInt(minInt)), "overflow", ErrOverflow},
		{"-x-min*x", x.Neg().Sub(x.MulInt(minInt)), "9223372036854775807*x", nil},
		{"max*x*2y", x.MulInt(maxInt).Mul(y.MulInt(2)), "overflow", ErrOverflow},
		{"x//min", x.FloorDiv(c(minInt)), "overflow", ErrOverflow},
		{"min*x//max", x.MulInt(minInt).FloorDiv(c(maxInt)), "-2*x + floor(9223372036854775806*x/9223372036854775807)", nil},
		{"sum in any order", Sum(c(maxInt), c(maxInt), x, c(minInt), c(minInt), c(2)), "x", nil},
		{"overflow sticks in 0*", x.AddInt(maxInt).AddInt(1).MulInt(0), "overflow", ErrOverflow},
		{"overflow sticks in //", x.FloorDiv(overflow), "overflow", ErrOverflow},
		{"overflow sticks in min", Min(x, overflow), "overflow", ErrOverflow},
		{"the first error stays", divideByZero.Add(overflow), "divide_by_zero", ErrDivideByZero},
		{"x^64", x.Pow(64), "x^64", nil},
		{"x^65", x.Pow(65), "too_large", ErrTooLarge},
		{"x^-1", x.Pow(-1), "too_large", ErrTooLarge},
		{"x^64*x", x.Pow(64).Mul(x), "too_large", ErrTooLarge},
		{"(65 symbols)^2", c(int64(len(sum.Pow(2).e.terms))), "2145", nil},
		{"(65 symbols)^3", sum.Pow(3), "too_large", ErrTooLarge},
		{"min of 65", extremum(minimum, many), "too_large", ErrTooLarge},
		{"40 nested floors", deep, "too_large", ErrTooLarge},
		{"text that doubles 40 times", wide, "too_large", ErrTooLarge},
		{"no name", Symbol(""), "unnamed", ErrUnnamed},
	} {
		if got := tc.got.String(); got != tc.want || !errors.Is(tc.got.Err(), tc.err) {
			t.Errorf("%s: got %.60s, %v, want %s, %v", tc.name, got, tc.got.Err(), tc.want, tc.err)
		}
	}
}

func TestBounds(t *testing.T) {
	const free = "" // no bound
	for _, c := range []struct{ formula, lo, hi string }{
		{"7", "7", "7"},
		{"x", "1", free},
		{"2*x*y - 3", "-1", free},
		{"3 - x", free, "2"},
		{"x - y", free, free},
		{"x^2 - x", "0", free},
		{"x*y - x - y", "-1", free},
		{"floor((x + 1)/2)", "1", free},
		{"floor(x/y)", "0", free},
		{"floor(-1/(x*y - x + 1))", "-1", "-1"},
		{"min(x, 4)", "1", "4"},
		{"max(x, 4)", "4", free},
		{"4*x - x*min(y, 4)", "0", free},
		{"x % 8", "0", "7"},
		{"x % y", "0", free},
		{"x - floor(x/2)", "1", free},
		{"max(min(seq, 9) - 3, 0)", "0", "6"},
		{"x^2 - 4*x + 5", free, free}, // is at least 1, which is not found
		{"9223372036854775807*x*y", "9223372036854775806", free},
	} {
		lo, hi, loOK, hiOK := parse(t, c.formula).Bounds()
		text := func(v int64, ok bool) string {
			if !ok {
				return free
			}
			return Const(v).String()
		}
		if text(lo, loOK) != c.lo || text(hi, hiOK) != c.hi {
			t.Errorf("%s: got [%s, %s], want [%s, %s]", c.formula, text(lo, loOK), text(hi, hiOK), c.lo, c.hi)
		}
	}
	for _, c := range []struct{ a, b, want string }{
		{"3", "4", "yes"}, {"4", "3", "no"}, {"1", "x", "yes"}, {"x", "1", "?"}, {"x + 1", "x", "no"},
		{"x", "x*y", "yes"}, {"x*y", "x", "?"}, {"0", "x", "yes"}, {"x", "0", "no"}, {"x//3", "x//2", "yes"},
		{"x//2", "x", "yes"}, {"x%y", "y - 1", "yes"}, {"min(a, b)", "max(a, b)", "yes"}, {"a + b", "max(a, b)", "no"},
		{"max(a, b)", "a + b", "yes"},
	} {
		got := "?"
		if result, known := parse(t, c.a).LessEq(parse(t, c.b)); known {
			got = map[bool]string{true: "yes", false: "no"}[result]
		}
		if got != c.want {
			t.Errorf("%s <= %s: got %s, want %s", c.a, c.b, got, c.want)
		}
	}
	if _, known := overflow.LessEq(Const(1)); known {
		t.Error("overflow <= 1 is said to be known")
	}
}

func TestSymbolsAndBinding(t *testing.T) {
	d := parse(t, "3*batch*floor((h + 1)/stride) + min(seq, w) - batch")
	if got, want := d.Symbols(), []string{"batch", "h", "seq", "stride", "w"}; !slices.Equal(got, want) {
		t.Errorf("Symbols: got %v, want %v", got, want)
	}
	for _, c := range []struct {
		env  Env
		want string
	}{
		{nil, d.String()},
		{Env{"unrelated": 1}, d.String()},
		{Env{"stride": 1}, "3*batch*h + 2*batch + min(seq, w)"},
		{Env{"stride": 2, "h": 7}, "11*batch + min(seq, w)"},
		{Env{"batch": 2, "w": 1}, "6*floor((h + 1)/stride) - 1"},
		{Env{"stride": 0}, "divide_by_zero"},
		{Env{"batch": math.MaxInt64}, "overflow"},
		{Env{"batch": 8, "h": 224, "stride": 2, "seq": 5, "w": 9}, "2685"},
	} {
		if got := d.Bind(c.env).String(); got != c.want {
			t.Errorf("%v bound to %v: got %s, want %s", d, c.env, got, c.want)
		}
	}
	swapped := subst(parse(t, "a + 2*b + floor(a/b)"), map[string]Dim{"a": Symbol("b"), "b": Symbol("a")})
	if got, want := swapped.String(), "2*a + b + floor(b/a)"; got != want {
		t.Errorf("exchanged symbols: got %s, want %s", got, want)
	}
	var missing *UnboundError
	if _, err := d.Eval(Env{"h": 1, "batch": 1}); !errors.As(err, &missing) || !slices.Equal(missing.Symbols, []string{"seq", "stride", "w"}) {
		t.Errorf("Eval without seq, stride, w: got %v", err)
	}
	if _, err := parse(t, "x//y").Eval(Env{"x": 1, "y": 0}); !errors.Is(err, ErrDivideByZero) {
		t.Errorf("x//y at y = 0: got %v", err)
	}
	if _, err := parse(t, "x*y").Eval(Env{"x": 1 << 40, "y": 1 << 40}); !errors.Is(err, ErrOverflow) {
		t.Errorf("x*y at 2^80: got %v", err)
	}
	if v, err := parse(t, "x*y*z").Eval(Env{"x": 1 << 40, "y": 1 << 40}.with("z", 0)); v != 0 || err != nil {
		t.Errorf("x*y*z at z = 0: got %d, %v", v, err)
	}
	if v, err := parse(t, "x^2 - x*y").Eval(Env{"x": 3e9, "y": 3e9}); v != 0 || err != nil {
		t.Errorf("x^2 - x*y with terms near the limit: got %d, %v", v, err)
	}
	if _, err := overflow.Eval(nil); !errors.Is(err, ErrOverflow) {
		t.Errorf("Eval of an overflow: got %v", err)
	}
}

// subst replaces symbols by formulas, all at once, where Bind replaces them by numbers.
func subst(d Dim, m map[string]Dim) Dim {
	return rebuild(d, func(name string) (Dim, bool) {
		by, ok := m[name]
		return by, ok
	})
}

func (env Env) with(name string, v int64) Env {
	env[name] = v
	return env
}

// TestCompare sorts as terms are printed.
func TestCompare(t *testing.T) {
	want := []string{"x^2", "x*y", "x + y", "x", "x + 1", "2*x", "y", "floor(x/2)", "max(x, 2)", "-1", "0", "12"}
	var ds []Dim
	for _, s := range want {
		ds = append(ds, parse(t, s))
	}
	slices.Reverse(ds)
	slices.SortFunc(ds, compare)
	for i, d := range ds {
		if d.String() != want[i] {
			t.Errorf("place %d: got %v, want %s", i, d, want[i])
		}
	}
}

func TestJSON(t *testing.T) {
	type shape struct{ Dims []Dim }
	in := shape{[]Dim{Const(-3), parse(t, `2*batch + "a<b"`), Const(math.MinInt64), overflow, divideByZero, {}}}
	data, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"Dims":[-3,"\"a\u003cb\" + 2*batch",-9223372036854775808,"overflow","divide_by_zero",0]}`
	if string(data) != want {
		t.Errorf("got %s, want %s", data, want)
	}
	var out shape
	if err := json.Unmarshal(data, &out); err != nil || !slices.EqualFunc(in.Dims, out.Dims, Dim.Equal) {
		t.Errorf("got %v, %v, want %v", out, err, in)
	}
	for _, bad := range []string{"1.5", "null", "true", "9223372036854775808", `"x +"`, `{}`, `"\ud800("`} {
		if err := json.Unmarshal([]byte(bad), new(Dim)); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
}

// TestCompareFailures: a Dim with a sticky error differs from every formula, and sorts the same way from both sides.
func TestCompareFailures(t *testing.T) {
	failed := Const(math.MaxInt64).Add(Const(1))
	for _, d := range []Dim{Const(1), Symbol("a"), Symbol("a").AddInt(1), Symbol("a").FloorDiv(Const(2)), Const(1).FloorDiv(Const(0))} {
		if failed.Equal(d) || d.Equal(failed) {
			t.Errorf("%v equals %v", failed, d)
		}
		if a, b := compare(failed, d), compare(d, failed); a == 0 || a != -b {
			t.Errorf("%v against %v: %d one way and %d the other", failed, d, a, b)
		}
	}
	if !failed.Equal(Const(math.MinInt64).Sub(Const(1))) {
		t.Error("two overflows differ")
	}
}
