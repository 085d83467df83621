package dim

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/onnxcost/onnxcost/internal/bound"
)

// FuzzDim parses any text. What it accepts has a text that reads back as the same Dim, and keeps its value under
// binding and substitution.
func FuzzDim(f *testing.F) {
	for _, s := range []string{
		"4089184256*batch", "floor((h + 2*3 - 7)/2) + 1", "9216*batch*seq^2 - 3", "min(a, 4) + max(b//2, c%3)",
		`"batch-size"*floor(a/(b + 1))`, "ceil(a*b/(2*a))", "-9223372036854775808*x + 1", "(a - b)**5 % (a + 1)",
		"floor(floor(a/b)/2)*floor(a/2)", "max(a - 4, 0)*b + min(a*b, a*c, 3*a)", "mod(a, b) // Min(c, 2)", "1//0",
	} {
		f.Add(s, int64(3), int64(5), int64(1))
	}
	f.Fuzz(func(t *testing.T, s string, a, b, c int64) {
		bound.Run(t, len(s), func() { exerciseDim(t, s, a, b, c) })
	})
}

// exerciseDim parses s and, where it is a formula, checks it with symbols bound to values made of a, b and c.
func exerciseDim(t *testing.T, s string, a, b, c int64) {
	d, err := Parse(s)
	if err != nil {
		var pe *ParseError
		if !errors.As(err, &pe) || pe.Offset < 0 || pe.Offset > len(s) {
			t.Fatalf("Parse(%q): %v", s, err)
		}
		return
	}
	checkInvariants(t, d)
	text := d.String()
	again, err := Parse(text)
	if err != nil || !d.Equal(again) || again.String() != text {
		t.Fatalf("Parse(%q) prints %q, which parses to %v, %v", s, text, again, err)
	}
	var decoded Dim
	if data, err := json.Marshal(d); err != nil || json.Unmarshal(data, &decoded) != nil || !decoded.Equal(d) {
		t.Fatalf("%q: JSON %s, %v gives %v", s, data, err, decoded)
	}
	values := []int64{1 + a&0xff, 1 + b&0xfff, 1 + c&0xf} // symbols are positive
	env, part, by := Env{}, Env{}, map[string]Dim{}
	for i, name := range d.Symbols() {
		env[name] = values[i%len(values)]
		if i%2 == 0 {
			part[name] = env[name]
		} else {
			by[name] = Symbol(name).AddInt(1)
		}
	}
	v, err := d.Eval(env)
	if err != nil {
		return // an overflow or a divisor that is 0 there
	}
	lo, hi, loOK, hiOK := d.Bounds()
	if (loOK && v < lo) || (hiOK && v > hi) {
		t.Fatalf("%q = %d at %v, outside of [%d, %d]", text, v, env, lo, hi)
	}
	if all := d.Bind(env); !all.Is(v) {
		t.Fatalf("%q = %d at %v, bound %v", text, v, env, all)
	}
	// The next forms may overflow or divide by 0 where d does not, and then say so.
	half := d.Bind(part)
	checkInvariants(t, half)
	if got, err := half.Eval(env); err == nil && got != v {
		t.Fatalf("%q = %d at %v, but %v, bound to %v, is %d", text, v, env, half, part, got)
	}
	for name := range by {
		env[name]--
		if env[name] < 1 {
			return
		}
	}
	if got, err := subst(d, by).Eval(env); err == nil && got != v {
		t.Fatalf("%q = %d, but %v at %v is %d", text, v, subst(d, by), env, got)
	}
}
