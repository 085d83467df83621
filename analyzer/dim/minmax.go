package dim

import "slices"

// extremum returns the minimum or maximum of args. The canonical form has no nested extremum of the same kind, no
// argument that another one makes superfluous, no part that all arguments share and no common factor:
// min(2*x + 3, 2*y + 1) is 2*min(x + 1, y) + 1.
func extremum(k kind, args []Dim) Dim {
	if f, bad := firstFailure(args...); bad {
		return f
	}
	args, ok := flatten(k, args)
	if !ok {
		return tooLarge
	}
	slices.SortFunc(args, compare)
	args = slices.CompactFunc(args, Dim.Equal)
	args = prune(k, args)
	if len(args) == 1 {
		return args[0]
	}
	if base, rest, ok := sharedPart(args); ok {
		return base.Add(extremum(k, rest))
	}
	if outer, rest, ok := sharedFactor(args); ok {
		return outer.Mul(extremum(k, rest))
	}
	rng := boundsOf(args[0])
	for _, d := range args[1:] {
		x := boundsOf(d)
		if k == minimum {
			rng = interval{min(rng.lo, x.lo), min(rng.hi, x.hi)}
		} else {
			rng = interval{max(rng.lo, x.lo), max(rng.hi, x.hi)}
		}
	}
	return newAtom(k, args, rng)
}

// flatten replaces f*min(a, b) + r among the arguments of a minimum by f*a + r and f*b + r, where f >= 0; and likewise
// for the maximum. ok is false where too many arguments result.
func flatten(k kind, args []Dim) (flat []Dim, ok bool) {
	pending := slices.Clone(args)
	slices.Reverse(pending)
	for len(pending) > 0 {
		d := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		if inner, outer, rest, nested := nestedExtremum(k, d); nested {
			for _, arg := range inner.args {
				part := arg.Mul(outer).Add(rest)
				if part.failed() {
					return nil, false
				}
				pending = append(pending, part)
			}
		} else {
			flat = append(flat, d)
		}
		if len(pending)+len(flat) > maxArgs {
			return nil, false
		}
	}
	return flat, true
}

// nestedExtremum writes d as inner*outer + rest, where inner is the only extremum of kind k among d's factors, it occurs
// once, and outer is not negative.
func nestedExtremum(k kind, d Dim) (inner *atom, outer, rest Dim, ok bool) {
	if d.e == nil {
		return nil, Dim{}, Dim{}, false
	}
	var at *term
	for i := range d.e.terms {
		for _, f := range d.e.terms[i].mono {
			if f.a.kind != k {
				continue
			}
			if inner != nil || f.pow != 1 {
				return nil, Dim{}, Dim{}, false
			}
			inner, at = f.a, &d.e.terms[i]
		}
	}
	if inner == nil {
		return nil, Dim{}, Dim{}, false
	}
	left, _ := quotientMono(at.mono, []factor{{inner, 1}})
	if outer = monomial(at.coef, left); intervalOf(outer).lo < 0 {
		return nil, Dim{}, Dim{}, false
	}
	rest = d.Sub(polynomial(0, []term{*at}))
	return inner, outer, rest, true
}

// prune drops the arguments that never decide: of two that are provably ordered one goes. The arguments are sorted, so
// what remains does not depend on the order in which they were given.
func prune(k kind, args []Dim) []Dim {
	dead := make([]bool, len(args))
	for i := range args {
		for j := i + 1; j < len(args) && !dead[i]; j++ {
			if dead[j] {
				continue
			}
			difference := args[j].Sub(args[i])
			switch {
			case atLeast(difference, 0):
				if k == minimum {
					dead[j] = true
				} else {
					dead[i] = true
				}
			case atLeast(args[i].Sub(args[j]), 0):
				if k == minimum {
					dead[i] = true
				} else {
					dead[j] = true
				}
			}
		}
	}
	n := 0
	for i, d := range args {
		if !dead[i] {
			args[n] = d
			n++
		}
	}
	return args[:n]
}

// sharedPart takes out of all arguments the least coefficient that each monomial has among them, the constant included;
// so arguments that differ by a common summand leave the same rest, in which no coefficient is negative.
func sharedPart(args []Dim) (base Dim, rest []Dim, ok bool) {
	constant := args[0].c
	var all []term
	for _, d := range args {
		constant = min(constant, d.c)
		if d.e != nil {
			all = append(all, d.e.terms...)
		}
	}
	slices.SortFunc(all, func(a, b term) int { return compareMono(&a, &b) })
	var shared []term
	for i := 0; i < len(all); {
		least, first := all[i], i
		for i++; i < len(all) && compareMono(&all[i], &least) == 0; i++ {
			least.coef = min(least.coef, all[i].coef)
		}
		if i-first < len(args) {
			least.coef = min(least.coef, 0) // an argument lacks the monomial
		}
		if least.coef != 0 {
			shared = append(shared, least)
		}
	}
	if base = polynomial(constant, shared); base.Is(0) || base.failed() {
		return Dim{}, nil, false
	}
	rest = make([]Dim, len(args))
	for i, d := range args {
		if rest[i] = d.Sub(base); rest[i].failed() {
			return Dim{}, nil, false
		}
	}
	return base, rest, true
}

// sharedFactor takes out the integer and the non-negative monomial that divide all arguments.
func sharedFactor(args []Dim) (outer Dim, rest []Dim, ok bool) {
	var g uint64
	for _, d := range args {
		g = contentOf(gcd(g, magnitude(d.c)), d)
	}
	k := int64OrOne(g)
	var mono []factor
	for _, f := range commonMonomial(args...) {
		if f.a.rng.lo >= 0 {
			mono = append(mono, f)
		}
	}
	if k == 1 && len(mono) == 0 {
		return Dim{}, nil, false
	}
	rest = make([]Dim, len(args))
	for i, d := range args {
		rest[i] = divideOut(d, k, mono)
	}
	return monomial(k, mono), rest, true
}
