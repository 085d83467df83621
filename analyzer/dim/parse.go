package dim

import (
	"errors"
	"fmt"
	"math"
	"strconv"
)

// Limits of the text that Parse accepts.
const (
	maxLength  = 1 << 20 // bytes
	maxNesting = 128     // of parentheses and signs
	maxWork    = 1 << 21 // steps of the arithmetic, about
)

// ParseError says where a text is not a formula.
type ParseError struct {
	Text   string // what was parsed, shortened
	Offset int    // byte offset of what is wrong, in the whole text
	Msg    string // what was wanted and what is there
	Err    error  // ErrOverflow, ErrDivideByZero or ErrTooLarge where the arithmetic failed
}

func (e *ParseError) Error() string {
	return fmt.Sprintf("formula %q: offset %d: %s", e.Text, e.Offset, e.Msg)
}

// Unwrap returns the sticky error of the arithmetic, if that is what failed.
func (e *ParseError) Unwrap() error { return e.Err }

// Parse reads a formula of integers, symbols, parentheses, + - * // % ^ **, floor(a/b), ceil(a/b), min(a, ...),
// max(a, ...) and mod(a, b), also written Min, Max, Mod, FloorDiv(a, b) and CeilDiv(a, b). Within floor and ceil, / is the
// division of rational numbers, as in floor(h/2 - 1/2); elsewhere it has to leave no remainder. A name that is not a plain
// identifier stands in double quotes with the escapes of Go.
//
// Parse(d.String()) gives d. The error is a *ParseError. Where the arithmetic fails, as for 1//0, the Dim that comes with
// the error carries the sticky one.
func Parse(s string) (Dim, error) { return ParseWith(s, nil) }

// Names gives the value of a name in a formula as the fraction num/den, where den is positive and 1 for an integer; ok is
// false where it knows no such name.
type Names func(name string) (num, den Dim, ok bool)

// ParseWith is Parse with names that stand for other formulas, and for fractions, which only floor and ceil take. The
// values are in place before the arithmetic, so that they may be 0 or negative, unlike a symbol. names nil makes every
// name a symbol.
func ParseWith(s string, names Names) (Dim, error) {
	p := parser{text: s, names: names}
	if len(s) > maxLength {
		p.fail(0, fmt.Sprintf("want at most %d bytes, have %d", maxLength, len(s)), ErrTooLarge)
		return tooLarge, p.err
	}
	p.next()
	d := p.integer()
	if p.err == nil && p.tok.kind != tokenEnd {
		p.want("an operator or the end")
	}
	if p.err == nil {
		return d, nil
	}
	for _, f := range failures {
		if errors.Is(p.err.Err, f.err) {
			return Dim{e: f}, p.err
		}
	}
	return Dim{}, p.err
}

// fraction is num/den, which only floor and ceil take with a den other than 1.
type fraction struct{ num, den Dim }

type parser struct {
	text  string
	pos   int
	tok   token
	depth int
	work  int
	ratio bool // directly within floor or ceil, where / makes fractions
	names Names
	err   *ParseError
}

// next reads the next token. After an error there are no more.
func (p *parser) next() {
	if p.err != nil {
		p.tok = token{kind: tokenEnd, pos: p.tok.pos}
		return
	}
	p.tok, p.pos = scan(p.text, p.pos)
	if p.tok.kind == tokenBad {
		p.want("a formula")
	}
}

func (p *parser) fail(offset int, msg string, err error) {
	if p.err == nil {
		p.err = &ParseError{Text: shorten(p.text), Offset: offset, Msg: msg, Err: err}
		p.tok = token{kind: tokenEnd, pos: offset}
	}
}

func (p *parser) want(what string) {
	p.fail(p.tok.pos, "want "+what+", have "+p.tok.describe(), nil)
}

func (p *parser) isOp(op string) bool { return p.tok.kind == tokenOp && p.tok.text == op }

func (p *parser) expect(op string) {
	if !p.isOp(op) {
		p.want(strconv.Quote(op))
	}
	p.next()
}

// spend accounts for n steps of arithmetic, so that a short text cannot ask for a long computation.
func (p *parser) spend(n int) bool {
	if p.work += n; p.work > maxWork {
		p.fail(p.tok.pos, "the formula takes too long to bring to canonical form", ErrTooLarge)
	}
	return p.err == nil
}

// check records the sticky error of an operation at offset.
func (p *parser) check(offset int, d Dim) Dim {
	if err := d.Err(); err != nil {
		p.fail(offset, err.Error(), err)
	}
	return d
}

// terms is the number of terms of d, the constant included.
func terms(d Dim) int {
	if d.e == nil {
		return 1
	}
	return len(d.e.terms) + 1
}

func (p *parser) mul(offset int, a, b Dim) Dim {
	if !p.spend(min(terms(a)*terms(b), maxPairs)) {
		return Dim{}
	}
	return p.check(offset, a.Mul(b))
}

// divide accounts for one of FloorDiv, CeilDiv and Mod.
func (p *parser) divide(offset int, op func(a, b Dim) Dim, a, b Dim) Dim {
	steps := terms(a) + terms(b)
	if b.e != nil {
		steps += 16 * min(terms(a), maxDividendTerms) * min(terms(b), maxDivisorTerms)
	}
	if !p.spend(steps) {
		return Dim{}
	}
	return p.check(offset, op(a, b))
}

// integer parses a sum whose value is an integer by itself: outside floor and ceil.
func (p *parser) integer() Dim {
	outer := p.ratio
	p.ratio = false
	offset := p.tok.pos
	v := p.sum()
	p.ratio = outer
	if !v.den.Is(1) {
		p.fail(offset, "want a whole number, have a fraction; use floor(a/b) or ceil(a/b)", nil)
	}
	return v.num
}

// sum parses terms joined by + and -.
func (p *parser) sum() fraction {
	if p.depth++; p.depth > maxNesting {
		p.fail(p.tok.pos, fmt.Sprintf("want at most %d nested parentheses and signs", maxNesting), ErrTooLarge)
	}
	defer func() { p.depth-- }()
	offset := p.tok.pos
	parts := []fraction{p.product()}
	whole := parts[0].den.Is(1)
	for p.err == nil && (p.isOp("+") || p.isOp("-")) {
		minus := p.isOp("-")
		p.next()
		part := p.product()
		if minus {
			part.num = p.check(p.tok.pos, part.num.Neg())
		}
		whole = whole && part.den.Is(1)
		parts = append(parts, part)
	}
	if p.err != nil {
		return fraction{Dim{}, Const(1)}
	}
	if len(parts) == 1 {
		return parts[0]
	}
	if whole {
		return fraction{p.addAll(offset, parts), Const(1)}
	}
	total := parts[0]
	for _, part := range parts[1:] {
		if total.den.Equal(part.den) {
			total.num = p.addAll(offset, []fraction{total, part})
			continue
		}
		left, right := p.mul(offset, total.num, part.den), p.mul(offset, part.num, total.den)
		total = fraction{p.addAll(offset, []fraction{{num: left}, {num: right}}), p.mul(offset, total.den, part.den)}
	}
	return total
}

// addAll adds the numerators at once, so that a sum of n symbols does not take n^2 steps.
func (p *parser) addAll(offset int, parts []fraction) Dim {
	ds := make([]Dim, len(parts))
	n := 0
	for i, part := range parts {
		ds[i] = part.num
		n += terms(part.num)
	}
	if !p.spend(n) {
		return Dim{}
	}
	return p.check(offset, Sum(ds...))
}

// product parses factors joined by *, /, // and %.
func (p *parser) product() fraction {
	v := p.signed()
	for p.err == nil && p.tok.kind == tokenOp {
		op, offset := p.tok.text, p.tok.pos
		switch op {
		case "*", "/", "//", "%":
		default:
			return v
		}
		p.next()
		o := p.signed()
		if p.err != nil {
			return v
		}
		switch op {
		case "*":
			v = fraction{p.mul(offset, v.num, o.num), p.mul(offset, v.den, o.den)}
		case "/":
			v = p.slash(offset, v, o)
		case "//":
			v = fraction{p.divide(offset, Dim.FloorDiv, p.mul(offset, v.num, o.den), p.mul(offset, v.den, o.num)), Const(1)}
		case "%":
			if !v.den.Is(1) || !o.den.Is(1) {
				p.fail(offset, "want integers on both sides of %, have a fraction", nil)
				return v
			}
			v.num = p.divide(offset, Dim.Mod, v.num, o.num)
		}
	}
	return v
}

// slash divides exactly, or as fractions within floor and ceil.
func (p *parser) slash(offset int, v, o fraction) fraction {
	if p.ratio {
		if o.num.Is(0) {
			p.check(offset, divideByZero)
		}
		return fraction{p.mul(offset, v.num, o.den), p.mul(offset, v.den, o.num)}
	}
	exact := false
	q := p.divide(offset, func(a, b Dim) (q Dim) {
		q, exact = divExact(a, b)
		return q
	}, v.num, o.num)
	if !exact {
		p.fail(offset, "want a division without remainder; use // or floor(a/b)", nil)
	}
	return fraction{q, Const(1)}
}

// signed parses a factor with signs before it; as in Python they bind looser than a power.
func (p *parser) signed() fraction {
	negative, offset := false, p.tok.pos
	for p.isOp("+") || p.isOp("-") {
		if p.spend(1); p.isOp("-") {
			negative = !negative
		}
		p.next()
	}
	if negative && p.tok.kind == tokenNumber && p.tok.text == "9223372036854775808" {
		p.next() // the one integer whose magnitude is no int64
		return fraction{Const(math.MinInt64), Const(1)}
	}
	v := p.power()
	if negative {
		v.num = p.check(offset, v.num.Neg())
	}
	return v
}

// power parses a primary and its exponent.
func (p *parser) power() fraction {
	v := p.primary()
	if p.isOp("^") || p.isOp("**") {
		offset := p.tok.pos
		p.next()
		n, err := strconv.Atoi(p.tok.text)
		if p.tok.kind != tokenNumber || err != nil {
			p.want("an exponent, an integer from 0 to " + strconv.Itoa(maxDegree))
			return v
		}
		p.next()
		if p.isOp("^") || p.isOp("**") {
			p.want("parentheses around a power of a power")
			return v
		}
		v = fraction{p.pow(offset, v.num, n), p.pow(offset, v.den, n)}
	}
	return v
}

func (p *parser) pow(offset int, d Dim, n int) Dim {
	if d.IsConst() || n > maxDegree {
		return p.check(offset, d.Pow(n))
	}
	result := Const(1)
	for range n {
		if result = p.mul(offset, result, d); p.err != nil {
			break
		}
	}
	return result
}

// primary parses an integer, a name, a call or a formula in parentheses.
func (p *parser) primary() fraction {
	one := Const(1)
	t := p.tok
	switch t.kind {
	case tokenNumber:
		v, err := strconv.ParseInt(t.text, 10, 64)
		if err != nil {
			p.fail(t.pos, "want an integer that fits int64, have "+shorten(t.text), ErrOverflow)
			return fraction{Dim{}, one}
		}
		p.next()
		return fraction{Const(v), one}
	case tokenQuoted:
		p.next()
		return p.name(t)
	case tokenIdent:
		p.next()
		if p.isOp("(") {
			return fraction{p.call(t), one}
		}
		if f, ok := failureOf(t.text); ok {
			p.check(t.pos, f)
			return fraction{Dim{}, one}
		}
		return p.name(t)
	}
	if !p.isOp("(") {
		p.want("an integer, a name or a parenthesis")
		return fraction{Dim{}, one}
	}
	p.next()
	v := p.sum()
	p.expect(")")
	return v
}

// name is the value of a name: the symbol itself where nobody gives another.
func (p *parser) name(t token) fraction {
	if p.names == nil {
		return fraction{Symbol(t.text), Const(1)}
	}
	num, den, ok := p.names(t.text)
	if !ok {
		p.fail(t.pos, "unknown name "+shorten(t.text), nil)
		return fraction{Dim{}, Const(1)}
	}
	return fraction{p.check(t.pos, num), den}
}

// call parses the arguments of the function that name names; the current token is the parenthesis.
func (p *parser) call(name token) Dim {
	p.next()
	switch name.text {
	case "floor", "ceil":
		outer := p.ratio
		p.ratio = true
		v := p.sum()
		p.ratio = outer
		p.expect(")")
		if p.err != nil {
			return Dim{}
		}
		if name.text == "ceil" {
			return p.divide(name.pos, Dim.CeilDiv, v.num, v.den)
		}
		return p.divide(name.pos, Dim.FloorDiv, v.num, v.den)
	case "min", "Min", "max", "Max":
		args := p.arguments()
		if p.err != nil {
			return Dim{}
		}
		k := minimum
		if name.text == "max" || name.text == "Max" {
			k = maximum
		}
		return p.extremum(name.pos, k, args)
	}
	binary, ok := map[string]func(a, b Dim) Dim{
		"mod": Dim.Mod, "Mod": Dim.Mod, "FloorDiv": Dim.FloorDiv, "CeilDiv": Dim.CeilDiv,
	}[name.text]
	if !ok {
		p.fail(name.pos, "want one of the functions floor, ceil, min, max, mod, have "+shorten(name.text), nil)
		return Dim{}
	}
	args := p.arguments()
	if p.err == nil && len(args) != 2 {
		p.fail(name.pos, fmt.Sprintf("want 2 arguments of %s, have %d", name.text, len(args)), nil)
	}
	if p.err != nil {
		return Dim{}
	}
	return p.divide(name.pos, binary, args[0], args[1])
}

// arguments parses what stands between the parentheses of a call; each argument is an integer by itself.
func (p *parser) arguments() []Dim {
	args := []Dim{p.integer()}
	for p.isOp(",") {
		p.next()
		args = append(args, p.integer())
		if len(args) > maxArgs {
			p.fail(p.tok.pos, fmt.Sprintf("want at most %d arguments", maxArgs), ErrTooLarge)
		}
	}
	p.expect(")")
	return args
}

func (p *parser) extremum(offset int, k kind, args []Dim) Dim {
	n := 0
	for _, d := range args {
		n += terms(d)
	}
	if !p.spend(16 * n * len(args)) {
		return Dim{}
	}
	return p.check(offset, extremum(k, args))
}
