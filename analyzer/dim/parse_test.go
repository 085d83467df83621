package dim

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestParseErrors(t *testing.T) {
	for _, c := range []struct {
		in     string
		offset int
		msg    string
		is     error
	}{
		{"", 0, "want an integer, a name or a parenthesis, have the end", nil},
		{"3 + ", 4, "want an integer, a name or a parenthesis, have the end", nil},
		{"2x", 1, `want an operator or the end, have "x"`, nil},
		{"a b", 2, `want an operator or the end, have "b"`, nil},
		{"(a", 2, `want ")", have the end`, nil},
		{"a)", 1, `want an operator or the end, have ")"`, nil},
		{"x/2 + 1", 1, "want a division without remainder; use // or floor(a/b)", nil},
		{"floor(min(x/2, 3))", 11, "want a division without remainder; use // or floor(a/b)", nil},
		{"floor(x/2 % 3)", 10, "want integers on both sides of %, have a fraction", nil},
		{"1 + sqrt(3)", 4, "want one of the functions floor, ceil, min, max, mod, have sqrt", nil},
		{"mod(x)", 0, "want 2 arguments of mod, have 1", nil},
		{"min()", 4, `want an integer, a name or a parenthesis, have ")"`, nil},
		{"x^y", 2, `want an exponent, an integer from 0 to 64, have "y"`, nil},
		{"2^3^2", 3, `want parentheses around a power of a power, have "^"`, nil},
		{"x ? 1", 2, "want a formula, have character '?'", nil},
		{"\xff", 0, "want a formula, have character '�'", nil},
		{`"x`, 0, "want a formula, have a quoted name without end or with a bad escape", nil},
		{`1 + ""`, 4, "want a formula, have an empty name", nil},
		{"9223372036854775808", 0, "want an integer that fits int64, have 9223372036854775808", ErrOverflow},
		{"9223372036854775807 + 1", 0, "dim: int64 overflow", ErrOverflow},
		{"-x*9223372036854775807*y*2", 24, "dim: int64 overflow", ErrOverflow},
		{"1//0", 1, "dim: division by zero", ErrDivideByZero},
		{"floor(1/(x - x))", 7, "dim: division by zero", ErrDivideByZero},
		{"x + overflow", 4, "dim: int64 overflow", ErrOverflow},
		{"x^65", 1, "dim: formula too large", ErrTooLarge},
		{"(a+b+c+d+e+f+g+h)^60", 17, "dim: formula too large", ErrTooLarge},
		{strings.Repeat("(", 1000), 128, "want at most 128 nested parentheses and signs", ErrTooLarge},
		{strings.Repeat("x", 1<<20+1), 0, "want at most 1048576 bytes, have 1048577", ErrTooLarge},
	} {
		d, err := Parse(c.in)
		var pe *ParseError
		if !errors.As(err, &pe) {
			t.Errorf("%.40q: got %v, %v, want an error", c.in, d, err)
			continue
		}
		if pe.Offset != c.offset || pe.Msg != c.msg || !errors.Is(err, c.is) && c.is != nil || !errors.Is(d.Err(), c.is) {
			t.Errorf("%.40q: got offset %d, %s (%v), want offset %d, %s (%v)", c.in, pe.Offset, pe.Msg, d.Err(), c.offset, c.msg, c.is)
		}
	}
}

// TestParseHostile checks that no short text asks for a long computation.
func TestParseHostile(t *testing.T) {
	poly := "(a+b+c+d+e+f)^6"
	for name, text := range map[string]string{
		"parentheses":        strings.Repeat("(", 1<<19),
		"signs":              strings.Repeat("-", 1<<20-1) + "x",
		"long sum":           strings.Repeat("x+", 1<<18) + "x",
		"distinct symbols":   distinct("+", 1<<16),
		"product":            distinct("*", 1<<16),
		"powers":             strings.Repeat(poly+"*", 1000) + "1",
		"many powers":        strings.Repeat(poly+"-", 1<<15) + "1",
		"divisions":          strings.Repeat("floor("+poly+"/(a+b))-", 1<<14) + "1",
		"exact divisions":    strings.Repeat("(a^64-b^64)/(a-b)-", 1<<14) + "1",
		"extrema":            strings.Repeat("max("+poly+",a^5-"+poly+",b-3*min(c,d))-", 1<<13) + "1",
		"nested extrema":     strings.Repeat("min(a,b+", 100) + "c" + strings.Repeat(")", 100),
		"sums of extrema":    "min(0," + distinctExtrema(60) + ")",
		"arguments":          "min(" + distinct(",", 1<<16) + ")",
		"nested floors":      strings.Repeat("floor((a+", 100) + "c" + strings.Repeat(")/(b+1))", 100),
		"fractions":          "floor(" + strings.Repeat("1/(a+b)+1/(c+d)+", 1<<12) + "1)",
		"mod of mod":         strings.Repeat("(x*x+", 60) + "y" + strings.Repeat(")%(x+3)", 60),
		"digits":             strings.Repeat("9", 1<<20),
		"quotes":             strings.Repeat(`"\"`, 1<<18),
		"exponents of units": strings.Repeat("(-1)^9223372036854775807+", 1<<14) + "1",
	} {
		start := time.Now()
		d, err := Parse(text)
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%s: took %v, %.60s, %.60v", name, took, d, err)
		} else {
			t.Logf("%s: %v, %.40s, %.80v", name, took.Round(time.Millisecond), d, err)
		}
	}
}

func distinct(separator string, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(separator)
		}
		b.WriteString("s" + Const(int64(i)).String())
	}
	return b.String()
}

func distinctExtrema(n int) string {
	var b strings.Builder
	for i := range n {
		v := Const(int64(i)).String()
		b.WriteString("+min(a" + v + ", b" + v + ")")
	}
	return b.String()
}
