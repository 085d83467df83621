package dim

import "slices"

// extremum returns the minimum or maximum of args. The canonical form has no nested extremum of the same kind, no
// argument that another one makes superfluous, no part that all arguments share and no common factor:
// min(2*x + 3, 2*y + 1) is 2*min(x + 1, y) + 1.
//
// It reorders args in place.
func extremum(k kind, args []Dim) Dim {
	if f, bad := firstFailure(args...); bad {
		return f
	}
	if len(args) > maxArgs {
		return tooLarge
	}
	slices.SortFunc(args, compare)
	args = slices.CompactFunc(args, Dim.Equal)
	if left := prune(k, args); len(left) == 1 {
		return left[0]
	} else if len(left) < len(args) {
		return extremum(k, left) // until nothing goes, so that the form does not depend on how it came about
	}
	if base, rest, ok := sharedPart(args); ok {
		return base.Add(extremum(k, rest))
	}
	if outer, rest, ok := sharedFactor(args); ok {
		return outer.Mul(extremum(k, rest))
	}
	if flat := flatten(k, args); len(flat) > len(args) { // only now, so that a shared min(a, b) stays whole
		return extremum(k, flat)
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
// for the maximum. It returns args where that makes too many or too large ones.
func flatten(k kind, args []Dim) []Dim {
	var flat []Dim
	for i, d := range args {
		inner, outer, rest, nested := nestedExtremum(k, d)
		if !nested {
			flat = append(flat, d)
			continue
		}
		if len(flat)+len(inner.args)+len(args)-i-1 > maxArgs {
			return args
		}
		for _, arg := range inner.args {
			part := arg.Mul(outer).Add(rest)
			if part.failed() {
				return args
			}
			flat = append(flat, part)
		}
	}
	return flat
}

// nestedExtremum writes d as inner*outer + rest, where inner is an extremum of kind k and outer is not negative.
func nestedExtremum(k kind, d Dim) (inner *atom, outer, rest Dim, ok bool) {
	if d.e == nil {
		return nil, Dim{}, Dim{}, false
	}
	for i := range d.e.terms {
		for _, f := range d.e.terms[i].mono {
			if f.a.kind != k {
				continue
			}
			if outer, rest, ok = split(d, f.a); ok && intervalOf(outer).lo >= 0 {
				return f.a, outer, rest, true
			}
		}
	}
	return nil, Dim{}, Dim{}, false
}

// prune drops the arguments that never decide: of two that are provably ordered one goes. The arguments are sorted, so
// what remains does not depend on the order in which they were given.
func prune(k kind, args []Dim) []Dim {
	dead := make([]bool, len(args))
	work := pruneWork
	atLeastZero := func(d Dim) bool {
		pr := prover{work: min(proofWork, work)}
		before := pr.work
		ok := pr.provesAtLeast(d, 0)
		work -= before - pr.work
		return ok
	}
	for i := range args {
		for j := i + 1; j < len(args) && !dead[i]; j++ {
			if dead[j] {
				continue
			}
			difference := args[j].Sub(args[i])
			switch {
			case atLeastZero(difference):
				if k == minimum {
					dead[j] = true
				} else {
					dead[i] = true
				}
			case atLeastZero(args[i].Sub(args[j])):
				if k == minimum {
					dead[i] = true
				} else {
					dead[j] = true
				}
			}
		}
	}
	var left []Dim
	for i, d := range args {
		if !dead[i] {
			left = append(left, d)
		}
	}
	return left
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
