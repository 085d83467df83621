package dim

// firstFailure returns the first of ds that carries a sticky error.
func firstFailure(ds ...Dim) (Dim, bool) {
	for _, d := range ds {
		if d.failed() {
			return d, true
		}
	}
	return Dim{}, false
}

func addPoly(a, b Dim) Dim { return merge(a, b, 1) }

func subPoly(a, b Dim) Dim { return merge(a, b, -1) }

// merge returns a + sign*b, where sign is 1 or -1.
func merge(a, b Dim, sign int64) Dim {
	if a.failed() {
		return a
	}
	if b.failed() {
		return b
	}
	var sum wide
	sum.add(a.c)
	sum.addProduct(b.c, sign)
	c, ok := sum.int64()
	if !ok {
		return overflow
	}
	switch {
	case b.e == nil:
		return Dim{c: c, e: a.e}
	case a.e == nil && sign == 1:
		return Dim{c: c, e: b.e}
	}
	var at []term
	if a.e != nil {
		at = a.e.terms
	}
	bt := b.e.terms
	terms := make([]term, 0, len(at)+len(bt))
	for len(at) > 0 || len(bt) > 0 {
		order := 0
		switch {
		case len(at) == 0:
			order = 1
		case len(bt) == 0:
			order = -1
		default:
			order = compareMono(&at[0], &bt[0])
		}
		if order < 0 {
			terms = append(terms, at[0])
			at = at[1:]
			continue
		}
		var coef wide
		coef.addProduct(bt[0].coef, sign)
		if order == 0 {
			coef.add(at[0].coef)
			at = at[1:]
		}
		v, ok := coef.int64()
		if !ok {
			return overflow
		}
		if v != 0 {
			terms = append(terms, term{v, bt[0].mono, bt[0].deg})
		}
		bt = bt[1:]
	}
	return polynomial(c, terms)
}

func sumPoly(ds []Dim) Dim {
	if f, bad := firstFailure(ds...); bad {
		return f
	}
	n := 0
	for _, d := range ds {
		if d.e != nil {
			n += len(d.e.terms)
		}
	}
	var c wide
	terms := make([]term, 0, n)
	for _, d := range ds {
		c.add(d.c)
		if d.e != nil {
			terms = append(terms, d.e.terms...)
		}
	}
	return collect(&c, terms)
}

// scale returns k*d.
func scale(d Dim, k int64) Dim {
	if d.failed() || k == 1 {
		return d
	}
	if k == 0 {
		return Dim{}
	}
	c, ok := mulInt(d.c, k)
	if !ok {
		return overflow
	}
	if d.e == nil {
		return Dim{c: c}
	}
	if len(d.e.terms) == 1 {
		t := d.e.terms[0]
		if t.coef, ok = mulInt(t.coef, k); !ok {
			return overflow
		}
		return Dim{c: c, e: ofTerm(t, d.e.size)}
	}
	terms := make([]term, len(d.e.terms))
	for i, t := range d.e.terms {
		coef, ok := mulInt(t.coef, k)
		if !ok {
			return overflow
		}
		terms[i] = term{coef, t.mono, t.deg}
	}
	return Dim{c: c, e: &expr{terms: terms, size: d.e.size}}
}

func mulPoly(a, b Dim) Dim {
	if a.failed() {
		return a
	}
	if b.failed() {
		return b
	}
	if a.e == nil {
		return scale(b, a.c)
	}
	if b.e == nil {
		return scale(a, b.c)
	}
	at, bt := a.e.terms, b.e.terms
	pairs := (len(at) + 1) * (len(bt) + 1)
	if pairs > maxPairs {
		return tooLarge
	}
	c, ok := mulInt(a.c, b.c)
	if !ok {
		return overflow
	}
	if len(at) == 1 && len(bt) == 1 && a.c == 0 && b.c == 0 {
		return mulTerms(&at[0], &bt[0])
	}
	factors := 0 // of all products together, so that one slice holds them
	for i := range at {
		factors += len(at[i].mono) * len(bt)
	}
	for i := range bt {
		factors += len(bt[i].mono) * len(at)
	}
	slab := make([]factor, 0, factors)
	terms := make([]term, 0, pairs-1)
	for i := range at {
		for j := range bt {
			coef, ok := mulInt(at[i].coef, bt[j].coef)
			if !ok {
				return overflow
			}
			start := len(slab)
			slab = appendProduct(slab, at[i].mono, bt[j].mono)
			terms = append(terms, term{coef, slab[start:len(slab):len(slab)], at[i].deg + bt[j].deg})
		}
		if terms, ok = appendScaled(terms, at[i:i+1], b.c); !ok {
			return overflow
		}
	}
	if terms, ok = appendScaled(terms, bt, a.c); !ok {
		return overflow
	}
	if (len(at) == 1 && a.c == 0) || (len(bt) == 1 && b.c == 0) {
		return polynomial(c, terms) // a monomial times a sum is in order already
	}
	var constant wide
	constant.add(c)
	return collect(&constant, terms)
}

// mulTerms is mulPoly for two monomials.
func mulTerms(a, b *term) Dim {
	coef, ok := mulInt(a.coef, b.coef)
	switch {
	case !ok:
		return overflow
	case a.deg+b.deg > maxDegree:
		return tooLarge
	}
	t := term{coef, appendProduct(make([]factor, 0, len(a.mono)+len(b.mono)), a.mono, b.mono), a.deg + b.deg}
	size := 1
	for _, f := range t.mono {
		size += f.a.size
	}
	if size > maxSize {
		return tooLarge
	}
	return Dim{e: ofTerm(t, size)}
}

// appendScaled appends k times each of from to terms.
func appendScaled(terms, from []term, k int64) ([]term, bool) {
	if k == 0 {
		return terms, true
	}
	for _, t := range from {
		coef, ok := mulInt(t.coef, k)
		if !ok {
			return nil, false
		}
		terms = append(terms, term{coef, t.mono, t.deg})
	}
	return terms, true
}

// appendProduct appends the product of two monomials to dst.
func appendProduct(dst, a, b []factor) []factor {
	for len(a) > 0 && len(b) > 0 {
		switch order := compareAtom(a[0].a, b[0].a); {
		case order < 0:
			dst = append(dst, a[0])
			a = a[1:]
		case order > 0:
			dst = append(dst, b[0])
			b = b[1:]
		default:
			dst = append(dst, factor{a[0].a, a[0].pow + b[0].pow})
			a, b = a[1:], b[1:]
		}
	}
	dst = append(dst, a...)
	return append(dst, b...)
}

// quotientMono returns the monomial a/b; ok is false where b does not divide a.
func quotientMono(a, b []factor) (quotient []factor, ok bool) {
	if len(b) > len(a) {
		return nil, false
	}
	quotient = make([]factor, 0, len(a))
	for _, f := range a {
		if len(b) > 0 && compareAtom(f.a, b[0].a) == 0 {
			f.pow -= b[0].pow
			b = b[1:]
			if f.pow < 0 {
				return nil, false
			}
			if f.pow == 0 {
				continue
			}
		}
		quotient = append(quotient, f)
	}
	return quotient, len(b) == 0
}

// monomial returns coef times mono, which may be empty.
func monomial(coef int64, mono []factor) Dim {
	if coef == 0 || len(mono) == 0 {
		return Dim{c: coef}
	}
	deg := 0
	for _, f := range mono {
		deg += f.pow
	}
	return polynomial(0, []term{{coef, mono, deg}})
}
