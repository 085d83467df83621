package dim

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// String returns the canonical text, which Parse reads back: the terms of highest degree first and the constant last, as
// in 9216*batch*seq^2 + 64*seq + 3. A sticky error prints as overflow, divide_by_zero, too_large or unnamed.
func (d Dim) String() string {
	if d.e == nil {
		return strconv.FormatInt(d.c, 10)
	}
	return string(d.appendText(nil))
}

func (d Dim) appendText(dst []byte) []byte {
	if d.failed() {
		return append(dst, d.e.word...)
	}
	if d.e == nil {
		return strconv.AppendInt(dst, d.c, 10)
	}
	for i := range d.e.terms {
		t := &d.e.terms[i]
		coef := t.coef
		switch {
		case i == 0:
		case coef < 0 && coef != math.MinInt64: // whose magnitude is no int64
			dst = append(dst, " - "...)
			coef = -coef
		default:
			dst = append(dst, " + "...)
		}
		dst = appendTerm(dst, coef, t.mono)
	}
	switch {
	case d.c == 0:
	case d.c < 0 && d.c != math.MinInt64:
		dst = strconv.AppendInt(append(dst, " - "...), -d.c, 10)
	default:
		dst = strconv.AppendInt(append(dst, " + "...), d.c, 10)
	}
	return dst
}

func appendTerm(dst []byte, coef int64, mono []factor) []byte {
	switch coef {
	case 1:
	case -1:
		dst = append(dst, '-')
	default:
		dst = append(strconv.AppendInt(dst, coef, 10), '*')
	}
	for i, f := range mono {
		if i > 0 {
			dst = append(dst, '*')
		}
		dst = f.a.appendText(dst)
		if f.pow > 1 {
			dst = strconv.AppendInt(append(dst, '^'), int64(f.pow), 10)
		}
	}
	return dst
}

func (a *atom) appendText(dst []byte) []byte {
	switch a.kind {
	case symbol:
		return append(dst, quoteName(a.name)...)
	case floor:
		dst = append(dst, "floor("...)
		dst = a.args[0].appendOperand(dst, isSingleTerm(a.args[0]))
		dst = append(dst, '/')
		dst = a.args[1].appendOperand(dst, isDivisor(a.args[1]))
		return append(dst, ')')
	case minimum:
		dst = append(dst, "min("...)
	default:
		dst = append(dst, "max("...)
	}
	for i, arg := range a.args {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = arg.appendText(dst)
	}
	return append(dst, ')')
}

// appendOperand appends d, in parentheses unless it is bare.
func (d Dim) appendOperand(dst []byte, bare bool) []byte {
	if bare {
		return d.appendText(dst)
	}
	return append(d.appendText(append(dst, '(')), ')')
}

func isSingleTerm(d Dim) bool {
	return d.e == nil || (len(d.e.terms) == 1 && d.c == 0)
}

// isDivisor reports whether d needs no parentheses after a slash.
func isDivisor(d Dim) bool {
	if d.e == nil {
		return d.c >= 0
	}
	return isSingleTerm(d) && d.e.terms[0].coef == 1 && len(d.e.terms[0].mono) == 1
}

// quoteName returns the name of a symbol as it stands in a formula: in quotes unless it is an identifier of letters,
// digits, underscores and dots that does not start with a digit or a dot and is not a reserved word.
func quoteName(name string) string {
	if _, reserved := failureOf(name); reserved || !isIdentifier(name) {
		return strconv.Quote(name)
	}
	switch name {
	case "floor", "ceil", "min", "max", "mod":
		return strconv.Quote(name)
	}
	return name
}

func isIdentifier(s string) bool {
	for i := range len(s) {
		if !isLetter(s[i]) && (i == 0 || !isDigit(s[i]) && s[i] != '.') {
			return false
		}
	}
	return s != ""
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// MarshalJSON writes a constant as a number and anything else as the canonical text.
func (d Dim) MarshalJSON() ([]byte, error) {
	if d.e == nil {
		return strconv.AppendInt(nil, d.c, 10), nil
	}
	return json.Marshal(d.String())
}

// UnmarshalJSON reads an integer, or a text as Parse does. The words of the sticky errors are read without an error.
func (d *Dim) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] != '"' {
		v, err := strconv.ParseInt(string(data), 10, 64)
		if err != nil {
			return fmt.Errorf("dim: want an integer or a formula in quotes, have %.40s", data)
		}
		*d = Const(v)
		return nil
	}
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("dim: %w", err)
	}
	if f, ok := failureOf(text); ok {
		*d = f
		return nil
	}
	v, err := Parse(text)
	if err != nil {
		return err
	}
	*d = v
	return nil
}
