package dim

import "slices"

// Total adds up many Dims without making one at every step. The zero value is an empty sum. Its verdict on overflow is
// that of Sum: only the result counts.
type Total struct {
	constant wide
	sums     []partial // in the order of compareMono
	failure  Dim       // the first Dim that carried a sticky error
	// recent says where terms met last have their partial sums: the sizes in a network are few and recur.
	recent [16]struct {
		term *term
		at   int
	}
}

// partial is the sum of the coefficients of one monomial.
type partial struct {
	term   // its coefficient is not used
	sum    wide
	nonneg bool // the monomial is provably at least 0
}

// Add adds d.
func (t *Total) Add(d Dim) { t.add(d, 1) }

// Sub subtracts d.
func (t *Total) Sub(d Dim) { t.add(d, -1) }

// AddTimes adds d as many times as times says, which is below 2^32.
func (t *Total) AddTimes(d Dim, times int64) { t.add(d, times) }

func (t *Total) add(d Dim, times int64) {
	if t.failure.failed() {
		return
	}
	if d.failed() {
		t.failure = d
		return
	}
	t.constant.addProduct(d.c, times)
	if d.e == nil {
		return
	}
	for i := range d.e.terms {
		x := &d.e.terms[i]
		if p := t.place(x); p != nil {
			p.sum.addProduct(x.coef, times)
		}
	}
}

// place finds the monomial of x, or makes room for it; nil where there are too many.
func (t *Total) place(x *term) *partial {
	last := &t.recent[uint64(x.coef)*0x9e3779b97f4a7c15>>60]
	if last.term == x {
		return &t.sums[last.at]
	}
	find := func() (int, bool) {
		return slices.BinarySearchFunc(t.sums, x, func(p partial, x *term) int { return compareMono(&p.term, x) })
	}
	at, found := find()
	if found {
		last.term, last.at = x, at
		return &t.sums[at]
	}
	clear(t.recent[:]) // what follows moves the sums
	if len(t.sums) >= maxTerms {
		t.sums = slices.DeleteFunc(t.sums, func(p partial) bool { return p.sum == wide{} })
		if len(t.sums) >= maxTerms/2 { // else every step could delete a single one
			t.failure = tooLarge
			return nil
		}
		at, _ = find()
	}
	t.sums = slices.Insert(t.sums, at, partial{term: *x, nonneg: monoInterval(x.mono).lo >= 0})
	return &t.sums[at]
}

// Dim returns the sum so far.
func (t *Total) Dim() Dim {
	if t.failure.failed() {
		return t.failure
	}
	c, ok := t.constant.int64()
	if !ok {
		return overflow
	}
	terms := make([]term, 0, len(t.sums))
	for i := range t.sums {
		p := &t.sums[i]
		coef, ok := p.sum.int64()
		if !ok {
			return overflow
		}
		if coef != 0 {
			terms = append(terms, term{coef, p.mono, p.deg})
		}
	}
	return polynomial(c, terms)
}

// Under reports whether the sum so far is at most o by comparing them term by term, while every symbol is >= 1. It does
// not allocate; false says nothing, see LessEq for more.
func (t *Total) Under(o Dim) bool {
	if t.failure.failed() || o.failed() {
		return false
	}
	if c, ok := t.constant.int64(); !ok || c > o.c {
		return false
	}
	var rest []term
	if o.e != nil {
		rest = o.e.terms
	}
	// only is a term that the sum does not have.
	only := func(x *term) bool { return x.coef > 0 && monoInterval(x.mono).lo >= 0 }
	for i := range t.sums {
		p := &t.sums[i]
		order := 1
		for len(rest) > 0 {
			if order = compareMono(&rest[0], &p.term); order >= 0 {
				break
			}
			if !only(&rest[0]) {
				return false
			}
			rest = rest[1:]
		}
		var most int64 // the coefficient in o
		if len(rest) > 0 && order == 0 {
			most, rest = rest[0].coef, rest[1:]
		}
		have, ok := p.sum.int64()
		if !ok || have > most || have < most && !p.nonneg {
			return false
		}
	}
	for i := range rest {
		if !only(&rest[i]) {
			return false
		}
	}
	return true
}
