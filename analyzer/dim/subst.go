package dim

import "slices"

// Env gives values to symbols by name.
type Env map[string]int64

// Bind replaces the symbols that env has by their values and brings the result to canonical form; the others stay.
func (d Dim) Bind(env Env) Dim {
	if d.e == nil || d.failed() || len(env) == 0 {
		return d
	}
	if v, status := d.eval(env); status == evaluated {
		return Dim{c: v}
	}
	return rebuild(d, func(name string) (Dim, bool) {
		v, ok := env[name]
		return Dim{c: v}, ok
	})
}

// rebuild replaces symbols, also those inside atoms.
func rebuild(d Dim, lookup func(name string) (Dim, bool)) Dim {
	done := map[*atom]replacement{} // the products of a total share few atoms
	var replace func(a *atom) (Dim, bool)
	replace = func(a *atom) (Dim, bool) {
		if a.kind == symbol {
			return lookup(a.name)
		}
		if r, ok := done[a]; ok {
			return r.by, r.changed
		}
		args := slices.Clone(a.args)
		r := replacement{}
		for i := range args {
			args[i] = substitute(args[i], replace)
			r.changed = r.changed || args[i] != a.args[i]
		}
		if r.changed {
			if a.kind == floor {
				r.by = floorDiv(args[0], args[1])
			} else {
				r.by = extremum(a.kind, args)
			}
		}
		done[a] = r
		return r.by, r.changed
	}
	return substitute(d, replace)
}

type replacement struct {
	by      Dim
	changed bool
}

// substitute replaces the atoms of d's terms for which replace says so. It returns d itself where there are none.
func substitute(d Dim, replace func(*atom) (Dim, bool)) Dim {
	if d.e == nil || d.failed() {
		return d
	}
	var kept []term
	var sum []Dim
	for _, t := range d.e.terms {
		product := Const(t.coef)
		var left []factor
		for _, f := range t.mono {
			if by, ok := replace(f.a); ok {
				product = product.Mul(by.Pow(f.pow))
			} else {
				left = append(left, f)
			}
		}
		if len(left) == len(t.mono) {
			kept = append(kept, t)
			continue
		}
		if len(left) > 0 {
			product = product.Mul(monomial(1, left))
		}
		sum = append(sum, product)
	}
	if len(sum) == 0 {
		return d
	}
	return Sum(append(sum, polynomial(d.c, kept))...)
}

// Symbols returns the names of the symbols in d, those inside atoms included: sorted and distinct.
func (d Dim) Symbols() []string {
	var names []string
	d.atoms(func(a *atom) bool {
		if a.kind == symbol {
			names = append(names, a.name)
		}
		return true
	})
	slices.Sort(names)
	return slices.Compact(names)
}

// atoms calls visit for all atoms in d until it returns false, and reports whether it never did.
func (d Dim) atoms(visit func(*atom) bool) bool {
	if d.e == nil {
		return true
	}
	for i := range d.e.terms {
		for _, f := range d.e.terms[i].mono {
			if !visit(f.a) {
				return false
			}
			for _, arg := range f.a.args {
				if !arg.atoms(visit) {
					return false
				}
			}
		}
	}
	return true
}
