package dim

import (
	"cmp"
	"slices"
	"strings"
)

// Limits of a formula. What exceeds them carries ErrTooLarge.
const (
	maxTerms  = 4096    // terms of a sum
	maxDegree = 64      // of a monomial, an atom counting 1
	maxDepth  = 32      // atoms within atoms
	maxSize   = 1 << 15 // terms and atoms, those within atoms included
	maxPairs  = 1 << 16 // term by term multiplications of one product
	maxArgs   = 64      // arguments of a min or max
)

// expr holds the terms of a formula, the constant excepted; or a sticky error. It is immutable, and so is all below it:
// formulas share expressions, monomials and atoms freely.
type expr struct {
	terms []term // in the order of compareMono; no coefficient is 0
	size  int    // terms and atoms, those within atoms included
	*failure
}

// failure is a sticky error.
type failure struct {
	err  error
	word string // the text of err
}

// text is the word of a failure; "" for none.
func (f *failure) text() string {
	if f == nil {
		return ""
	}
	return f.word
}

// single is an expression of one term, which most are, in one allocation.
type single struct {
	expr
	term [1]term
}

func ofTerm(t term, size int) *expr {
	s := &single{expr{size: size}, [1]term{t}}
	s.terms = s.term[:]
	return &s.expr
}

// term is coef times a monomial.
type term struct {
	coef int64
	mono []factor // in the order of compareAtom; not empty
	deg  int      // the sum of the powers
}

type factor struct {
	a   *atom
	pow int // >= 1
}

type kind uint8

const (
	symbol kind = iota
	floor
	minimum
	maximum
)

// atom is what the polynomials are in: indivisible as far as products and sums are concerned.
type atom struct {
	kind  kind
	name  string   // of a symbol
	args  []Dim    // floor: numerator and divisor; min and max: their arguments, in the order of Compare
	rng   interval // what is provable with every symbol >= 1
	size  int
	depth int
}

func ofAtom(a *atom) Dim {
	return Dim{e: ofTerm(term{1, []factor{{a, 1}}, 1}, 1+a.size)}
}

// newAtom makes a floor, min or max of args.
func newAtom(k kind, args []Dim, rng interval) Dim {
	a := &atom{kind: k, args: args, rng: rng, size: 1, depth: 1}
	for _, d := range args {
		a.size++
		if d.e == nil {
			continue
		}
		a.size += d.e.size
		for _, t := range d.e.terms {
			for _, f := range t.mono {
				a.depth = max(a.depth, f.a.depth+1)
			}
		}
	}
	if a.depth > maxDepth || a.size > maxSize {
		return tooLarge
	}
	return ofAtom(a)
}

// polynomial returns the sum of c and terms, which are in canonical form already.
func polynomial(c int64, terms []term) Dim {
	if len(terms) == 0 {
		return Dim{c: c}
	}
	size := len(terms)
	for i := range terms {
		for _, f := range terms[i].mono {
			size += f.a.size
		}
		if terms[i].deg > maxDegree {
			return tooLarge
		}
	}
	if len(terms) > maxTerms || size > maxSize {
		return tooLarge
	}
	return Dim{c: c, e: &expr{terms: terms, size: size}}
}

// collect returns the sum of c and terms in any order, which it sorts in place.
func collect(c *wide, terms []term) Dim {
	slices.SortFunc(terms, func(a, b term) int { return compareMono(&a, &b) })
	n := 0
	for i := 0; i < len(terms); {
		var sum wide
		first := i
		for ; i < len(terms) && (i == first || compareMono(&terms[first], &terms[i]) == 0); i++ {
			sum.add(terms[i].coef)
		}
		coef, ok := sum.int64()
		if !ok {
			return overflow
		}
		if coef != 0 {
			terms[n] = term{coef, terms[first].mono, terms[first].deg}
			n++
		}
	}
	constant, ok := c.int64()
	if !ok {
		return overflow
	}
	return polynomial(constant, terms[:n:n])
}

// compareMono orders monomials as they are printed: by falling degree, then the one with more of the first atom. The
// order is compatible with multiplication, which the division in floor.go needs.
func compareMono(a, b *term) int {
	if a.deg != b.deg {
		return cmp.Compare(b.deg, a.deg)
	}
	for i := range min(len(a.mono), len(b.mono)) {
		fa, fb := a.mono[i], b.mono[i]
		if c := compareAtom(fa.a, fb.a); c != 0 {
			return c
		}
		if fa.pow != fb.pow {
			return cmp.Compare(fb.pow, fa.pow)
		}
	}
	return cmp.Compare(len(b.mono), len(a.mono))
}

// compareAtom orders symbols by name, then floors, minima and maxima by their arguments.
func compareAtom(a, b *atom) int {
	if a == b {
		return 0
	}
	if a.kind != b.kind {
		return cmp.Compare(a.kind, b.kind)
	}
	if a.kind == symbol {
		return strings.Compare(a.name, b.name)
	}
	return slices.CompareFunc(a.args, b.args, compare)
}

// compare orders formulas as the terms of a sum are printed: term by term, the constant being the last. It is not a
// comparison of values, for which see LessEq.
func compare(a, b Dim) int {
	switch {
	case a.e == nil && b.e == nil:
		return cmp.Compare(a.c, b.c)
	case a.e == nil:
		return 1
	case b.e == nil:
		return -1
	}
	if c := compareExpr(a.e, b.e); c != 0 {
		return c
	}
	return cmp.Compare(a.c, b.c)
}

// equalExpr reports whether a and b, of which at most one is nil, are the same form.
func equalExpr(a, b *expr) bool {
	return a != nil && b != nil && compareExpr(a, b) == 0
}

func compareExpr(a, b *expr) int {
	if a == b {
		return 0
	}
	if a.failure != nil || b.failure != nil {
		return strings.Compare(a.failure.text(), b.failure.text())
	}
	for i := range min(len(a.terms), len(b.terms)) {
		if c := compareMono(&a.terms[i], &b.terms[i]); c != 0 {
			return c
		}
		if c := cmp.Compare(a.terms[i].coef, b.terms[i].coef); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(b.terms), len(a.terms)) // the constant comes after any further term
}
