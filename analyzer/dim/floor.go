package dim

// Limits of the division by a sum. Beyond them floor(p/q) is kept as it stands.
const (
	maxDividendTerms = 256
	maxDivisorTerms  = 64
	maxDivisionSteps = 256
)

// leading returns the coefficient of the first term.
func leading(d Dim) int64 {
	if d.e == nil {
		return d.c
	}
	return d.e.terms[0].coef
}

// reduce divides p by q, whose leading coefficient is positive: p = s*q + r, where every term of r that q's leading
// monomial divides has a coefficient in [0, leading coefficient). Such an r is unique, since one polynomial is a Gröbner
// basis of the ideal it generates; so p and p + t*q leave the same r for every t. ok is false beyond the limits.
func reduce(p, q Dim) (s, r Dim, ok bool) {
	if q.e == nil || (len(q.e.terms) == 1 && q.c == 0) {
		s, r = reduceByMonomial(p, q)
		return s, r, !s.failed() && !r.failed()
	}
	if p.e == nil {
		return Dim{}, p, true
	}
	if len(p.e.terms) > maxDividendTerms || len(q.e.terms) > maxDivisorTerms {
		return Dim{}, p, false
	}
	lead := &q.e.terms[0]
	var rest []term
	work := p
	for steps := 0; work.e != nil; {
		t := work.e.terms[0]
		if mono, divides := quotientMono(t.mono, lead.mono); divides {
			if f, _ := floorDivInt(t.coef, lead.coef); f != 0 {
				m := monomial(f, mono)
				s = s.Add(m)
				work = work.Sub(m.Mul(q))
				if steps++; steps > maxDivisionSteps || s.failed() || work.failed() {
					return Dim{}, p, false
				}
				continue
			}
		}
		rest = append(rest, t)
		work = polynomial(work.c, work.e.terms[1:])
	}
	r = polynomial(work.c, rest)
	return s, r, !r.failed()
}

// reduceByMonomial is reduce for a constant q or a q of one term, where no term of p affects another.
func reduceByMonomial(p, q Dim) (s, r Dim) {
	k := leading(q)
	var mono []factor
	if q.e != nil {
		mono = q.e.terms[0].mono
	}
	var whole, rest []term
	sc, rc := int64(0), p.c
	if q.e == nil {
		sc, _ = floorDivInt(p.c, k) // k > 0 does not overflow
		rc = p.c - sc*k
	}
	if p.e == nil {
		return Dim{c: sc}, Dim{c: rc}
	}
	for _, t := range p.e.terms {
		left, divides := t.mono, true
		if mono != nil {
			left, divides = quotientMono(t.mono, mono)
		}
		if !divides {
			rest = append(rest, t)
			continue
		}
		f, _ := floorDivInt(t.coef, k)
		if t.coef -= f * k; t.coef != 0 {
			rest = append(rest, t)
		}
		switch {
		case f == 0:
		case len(left) == 0:
			sc = f // q's own monomial occurs once
		default:
			deg := t.deg
			if q.e != nil {
				deg -= q.e.terms[0].deg
			}
			whole = append(whole, term{f, left, deg})
		}
	}
	return polynomial(sc, whole), polynomial(rc, rest)
}

func divExact(p, q Dim) (Dim, bool) {
	if f, bad := firstFailure(p, q); bad {
		return f, false
	}
	if q.Is(0) {
		return divideByZero, false
	}
	if leading(q) < 0 {
		p, q = p.Neg(), q.Neg()
		if f, bad := firstFailure(p, q); bad {
			return f, false
		}
	}
	s, r, ok := reduce(p, q)
	if !ok || !r.Is(0) {
		return Dim{}, false
	}
	return s, true
}

// floorDiv returns floor(p/q): the part that divides, plus an atom for the rest in lowest terms.
func floorDiv(p, q Dim) Dim {
	if f, bad := firstFailure(p, q); bad {
		return f
	}
	if q.e == nil {
		switch {
		case q.c == 0:
			return divideByZero
		case q.c == 1:
			return p
		case p.e == nil:
			v, ok := floorDivInt(p.c, q.c)
			if !ok {
				return overflow
			}
			return Dim{c: v}
		}
	}
	var whole Dim
	for changed := true; changed; {
		if leading(q) < 0 {
			p, q = p.Neg(), q.Neg()
			if f, bad := firstFailure(p, q); bad {
				return f
			}
		}
		if s, r, ok := reduce(p, q); ok {
			whole, p = whole.Add(s), r
		}
		if p.Is(0) {
			return whole
		}
		if p, q, changed = cancel(p, q); !changed {
			p, q, changed = unnest(p, q)
		}
	}
	rng := floorRange(p, q)
	if rng.lo == rng.hi {
		return whole.AddInt(rng.lo)
	}
	return whole.Add(newAtom(floor, []Dim{p, q}, rng))
}

// cancel removes a common factor of p and q: an integer, a monomial, or a whole sum that divides the other side.
//
// Where q > 0 is provable the integer need not divide p's constant: floor((g*u + c)/(g*v)) = floor((u + floor(c/g))/v).
func cancel(p, q Dim) (Dim, Dim, bool) {
	g := contentOf(contentOf(magnitude(q.c), q), p)
	if p.c%int64OrOne(g) != 0 && !positive(q) {
		g = gcd(g, magnitude(p.c))
	}
	common := commonMonomial(p, q)
	if k := int64OrOne(g); k > 1 || len(common) > 0 {
		return divideOut(p, k, common), divideOut(q, k, common), true
	}
	if p.e == nil || q.e == nil {
		return p, q, false
	}
	if outer, inner := primitive(q); !inner.IsConst() {
		if s, r, ok := reduce(p, inner); ok && r.Is(0) {
			return s, outer, true
		}
	}
	if outer, inner := primitive(p); !inner.IsConst() {
		if s, r, ok := reduce(q, inner); ok && r.Is(0) {
			return outer, s, true
		}
	}
	return p, q, false
}

// int64OrOne returns g where it is an int64, and otherwise 1.
func int64OrOne(g uint64) int64 {
	if g == 0 || int64(g) < 0 {
		return 1
	}
	return int64(g)
}

// contentOf returns the greatest common divisor of g and the coefficients of d, the constant excepted.
func contentOf(g uint64, d Dim) uint64 {
	if d.e == nil {
		return g
	}
	for i := range d.e.terms {
		if g == 1 {
			break
		}
		g = gcd(g, magnitude(d.e.terms[i].coef))
	}
	return g
}

// commonMonomial returns the monomial that divides every term of ds: nil where one has a constant term.
func commonMonomial(ds ...Dim) []factor {
	var common []factor
	first := true
	for _, d := range ds {
		if d.c != 0 || d.e == nil {
			return nil
		}
		for i := range d.e.terms {
			if first {
				common, first = d.e.terms[i].mono, false
			} else {
				common = intersect(common, d.e.terms[i].mono)
			}
			if len(common) == 0 {
				return nil
			}
		}
	}
	return common
}

// intersect returns the greatest common divisor of two monomials.
func intersect(a, b []factor) []factor {
	var common []factor
	for len(a) > 0 && len(b) > 0 {
		switch order := compareAtom(a[0].a, b[0].a); {
		case order < 0:
			a = a[1:]
		case order > 0:
			b = b[1:]
		default:
			common = append(common, factor{a[0].a, min(a[0].pow, b[0].pow)})
			a, b = a[1:], b[1:]
		}
	}
	return common
}

// divideOut returns d/(k*mono), which is exact but for the constant: that is rounded down.
func divideOut(d Dim, k int64, mono []factor) Dim {
	c, _ := floorDivInt(d.c, k)
	if d.e == nil {
		return Dim{c: c}
	}
	terms := make([]term, 0, len(d.e.terms))
	for _, t := range d.e.terms {
		left := t.mono
		if len(mono) > 0 {
			left, _ = quotientMono(t.mono, mono)
		}
		if len(left) == 0 {
			c += t.coef / k // the constant was 0, or mono would be empty
			continue
		}
		deg := 0
		for _, f := range left {
			deg += f.pow
		}
		terms = append(terms, term{t.coef / k, left, deg})
	}
	return polynomial(c, terms)
}

// primitive splits a sum into the integer and monomial that divide it, and the rest, whose leading coefficient is
// positive. For a d of one term the rest is 1.
func primitive(d Dim) (outer, inner Dim) {
	if d.e == nil || (len(d.e.terms) == 1 && d.c == 0) {
		return d, Const(1)
	}
	k := int64OrOne(contentOf(magnitude(d.c), d))
	mono := commonMonomial(d)
	inner = divideOut(d, k, mono)
	if leading(inner) < 0 {
		k, inner = -k, inner.Neg()
		if inner.failed() {
			return d, Const(1)
		}
	}
	return monomial(k, mono), inner
}

// unnest merges a floor inside the numerator: floor((floor(x/a) + r)/q) = floor((x + a*r)/(a*q)) where q is a positive
// integer. With two such floors neither is merged; with r symbolic a has to be constant, or the merged form grows.
func unnest(p, q Dim) (Dim, Dim, bool) {
	if p.e == nil {
		return p, q, false
	}
	var inner *atom
	for i := range p.e.terms {
		t := &p.e.terms[i]
		if t.coef != 1 || t.deg != 1 || t.mono[0].a.kind != floor {
			continue
		}
		if inner != nil {
			return p, q, false
		}
		inner = t.mono[0].a
	}
	if inner == nil || !positive(q) {
		return p, q, false
	}
	rest := p.Sub(ofAtom(inner))
	x, a := inner.args[0], inner.args[1]
	if !a.IsConst() && !rest.Is(0) {
		return p, q, false
	}
	np, nq := x.Add(a.Mul(rest)), a.Mul(q)
	if _, bad := firstFailure(np, nq); bad {
		return p, q, false
	}
	return np, nq, true
}

func ceilDiv(p, q Dim) Dim {
	if f, bad := firstFailure(p, q); bad {
		return f
	}
	if p.e == nil && q.e == nil && q.c != 0 {
		v, ok := floorDivInt(p.c, q.c)
		if !ok {
			return overflow
		}
		if p.c%q.c != 0 {
			v++ // v is below the quotient, so it is not the largest integer
		}
		return Dim{c: v}
	}
	switch {
	case positive(q):
		return floorDiv(p.Add(q).AddInt(-1), q)
	case positive(q.Neg()):
		p, q = p.Neg(), q.Neg()
		return floorDiv(p.Add(q).AddInt(-1), q)
	}
	return floorDiv(p.Neg(), q).Neg()
}

func mod(p, q Dim) Dim {
	if f, bad := firstFailure(p, q); bad {
		return f
	}
	if p.e == nil && q.e == nil && q.c != 0 {
		r := p.c % q.c
		if r != 0 && (r < 0) != (q.c < 0) {
			r += q.c
		}
		return Dim{c: r}
	}
	return p.Sub(q.Mul(floorDiv(p, q)))
}
