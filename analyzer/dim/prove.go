package dim

// Limits of a proof. They bound the time of the construction of a min, max or floor.
const (
	proofWork      = 256  // terms and atoms of the formulas that are looked at
	pruneWork      = 4096 // the same, for all arguments of a min or max together
	maxShiftTerms  = 16
	maxShiftDegree = 4
)

// prover finds lower bounds of formulas. What it proves holds for all symbols >= 1; it does not find every bound.
type prover struct {
	work int // what is left of proofWork
}

// atLeast reports whether d >= v is provable.
func atLeast(d Dim, v int64) bool {
	pr := prover{work: proofWork}
	return pr.provesAtLeast(d, v)
}

func (pr *prover) provesAtLeast(d Dim, v int64) bool {
	switch {
	case d.failed():
		return false
	case d.e == nil:
		return d.c >= v
	}
	return pr.lower(d, v) >= v
}

// boundsOf returns the best interval that the prover finds.
func boundsOf(d Dim) interval {
	if d.e == nil {
		return between(d.c, d.c)
	}
	pr := prover{work: proofWork}
	x := intervalOf(d)
	x.lo = max(x.lo, pr.lower(d, unboundedAbove))
	if negated := d.Neg(); !negated.failed() {
		pr.work = proofWork
		if lo := pr.lower(negated, unboundedAbove); lo != unboundedBelow {
			x.hi = min(x.hi, -lo)
		}
	}
	return between(x.lo, x.hi)
}

// lower returns a lower bound of d, or unboundedBelow. It stops at the first that reaches goal.
func (pr *prover) lower(d Dim, goal int64) int64 {
	best := intervalOf(d).lo
	if d.e == nil || best >= goal || pr.work < d.e.size || !promising(d) {
		return best
	}
	pr.work -= d.e.size
	best = max(best, shifted(d))
	if best >= goal {
		return best
	}
	return max(best, pr.relaxed(d, goal))
}

// promising reports whether terms of d can compensate one another, so that more than intervalOf is to be had.
func promising(d Dim) bool {
	terms := d.e.terms
	for i := range terms {
		if terms[i].coef < 0 {
			return true
		}
		for _, f := range terms[i].mono {
			if f.a.kind != symbol && (len(terms) > 1 || terms[i].deg > 1) {
				return true // h*floor(4/h) is at least 4 - h + 1
			}
		}
	}
	return false
}

// shifted replaces every atom by its least value plus a new non-negative unknown: seq^2 - seq becomes u^2 + u, where no
// coefficient is negative and so the constant is a lower bound. An atom that occurs in negative terms only is replaced by
// its greatest value less such an unknown.
func shifted(d Dim) int64 {
	terms := d.e.terms
	if terms[0].deg < 2 || terms[0].deg > maxShiftDegree || len(terms) > maxShiftTerms {
		return unboundedBelow // for degree 1 the interval is the best bound already
	}
	moved := substitute(d, func(a *atom) (Dim, bool) {
		switch {
		case a.rng.hi != unboundedAbove && onlyNegative(terms, a):
			return ofAtom(a).Neg().AddInt(a.rng.hi), true
		case a.rng.lo != unboundedBelow:
			return ofAtom(a).AddInt(a.rng.lo), true
		}
		return overflow, true // unbounded: ends the proof
	})
	if moved.failed() {
		return unboundedBelow
	}
	if moved.e != nil {
		for i := range moved.e.terms {
			if moved.e.terms[i].coef < 0 {
				return unboundedBelow
			}
		}
	}
	return moved.c
}

// onlyNegative reports whether every term that contains a has a negative coefficient.
func onlyNegative(terms []term, a *atom) bool {
	for i := range terms {
		for _, f := range terms[i].mono {
			if terms[i].coef > 0 && compareAtom(f.a, a) == 0 {
				return false
			}
		}
	}
	return true
}

// relaxed replaces one floor, min or max of d by what bounds it, and bounds the result.
func (pr *prover) relaxed(d Dim, goal int64) int64 {
	seen := 0
	for i := range d.e.terms {
		for _, f := range d.e.terms[i].mono {
			if f.a.kind == symbol {
				continue
			}
			if seen++; seen > 4 {
				return unboundedBelow
			}
			outer, rest, ok := split(d, f.a)
			if !ok {
				continue
			}
			if f.a.kind != floor {
				return pr.relaxedExtremum(f.a, outer, rest, goal)
			}
			if bound := pr.relaxedFloor(f.a, outer, rest, goal); bound != unboundedBelow {
				return bound
			}
		}
	}
	return unboundedBelow
}

// split writes d as a*outer + rest; ok is false where d is not linear in a.
func split(d Dim, a *atom) (outer, rest Dim, ok bool) {
	var with, without []term
	constant := int64(0)
	one := []factor{{a, 1}}
	for _, t := range d.e.terms {
		left, has := quotientMono(t.mono, one)
		switch {
		case !has:
			without = append(without, t)
		case len(left) == 0:
			constant = t.coef
		default:
			for _, f := range left {
				if compareAtom(f.a, a) == 0 {
					return Dim{}, Dim{}, false
				}
			}
			with = append(with, term{t.coef, left, t.deg - 1})
		}
	}
	return polynomial(constant, with), polynomial(d.c, without), true
}

// relaxedFloor uses (p - q + 1)/q <= floor(p/q) <= p/q for a positive q: q*(floor(p/q)*outer + rest) is at least
// p*outer + q*rest where outer <= 0, and (p - q + 1)*outer + q*rest where outer >= 0.
func (pr *prover) relaxedFloor(a *atom, outer, rest Dim, goal int64) int64 {
	p, q := a.args[0], a.args[1]
	if intervalOf(q).lo < 1 {
		return unboundedBelow
	}
	sign := intervalOf(outer)
	switch {
	case sign.hi <= 0:
	case sign.lo >= 0:
		p = p.Sub(q).AddInt(1)
	default:
		return unboundedBelow
	}
	scaled := p.Mul(outer).Add(q.Mul(rest))
	if scaled.failed() {
		return unboundedBelow
	}
	if k, ok := q.Value(); ok {
		lo := pr.lower(scaled, satMul(goal, k))
		if lo == unboundedBelow {
			return lo
		}
		up, _ := floorDivInt(-lo, k)
		return -up // the bounded value is an integer, so its bound rounds up
	}
	if exact, ok := divExact(scaled, q); ok {
		return pr.lower(exact, goal)
	}
	if pr.lower(scaled, 0) >= 0 {
		return 0
	}
	return unboundedBelow
}

// relaxedExtremum uses that a min or max is one of its arguments, so that the least of the cases is a bound. Where the
// sign of outer makes every case a bound by itself, as for -min(x, y) >= -x, the greatest of them is.
func (pr *prover) relaxedExtremum(a *atom, outer, rest Dim, goal int64) int64 {
	sign := intervalOf(outer)
	each := (a.kind == minimum && sign.hi <= 0) || (a.kind == maximum && sign.lo >= 0)
	best := int64(unboundedAbove)
	if each {
		best = unboundedBelow
	}
	for _, arg := range a.args {
		lo := int64(unboundedBelow)
		if d := arg.Mul(outer).Add(rest); !d.failed() {
			lo = pr.lower(d, goal)
		}
		if each {
			if best = max(best, lo); best >= goal {
				return best
			}
		} else if best = min(best, lo); best == unboundedBelow {
			return best
		}
	}
	return best
}
