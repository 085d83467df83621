package dim

import "slices"

// Eval returns the value of d with the symbols bound by env, which may hold further ones. The error is an *UnboundError
// that names the missing symbols, ErrOverflow where a term or the sum does not fit int64, ErrDivideByZero, or the error
// that sticks to d.
func (d Dim) Eval(env Env) (int64, error) {
	v, status := d.eval(env)
	switch status {
	case unbound:
		missing := slices.DeleteFunc(d.Symbols(), func(name string) bool {
			_, ok := env[name]
			return ok
		})
		return 0, &UnboundError{Symbols: missing}
	case overflowed:
		return 0, ErrOverflow
	case dividedByZero:
		return 0, ErrDivideByZero
	case sticking:
		return 0, d.e.err
	}
	return v, nil
}

type evalStatus uint8

const (
	evaluated evalStatus = iota
	unbound
	overflowed
	dividedByZero
	sticking
)

// eval is Eval without the making of an error, so that it never allocates.
func (d Dim) eval(env Env) (int64, evalStatus) {
	if d.e == nil {
		return d.c, evaluated
	}
	if d.e.failure != nil {
		return 0, sticking
	}
	var sum wide
	sum.add(d.c)
	for i := range d.e.terms {
		v, status := d.e.terms[i].eval(env)
		if status != evaluated {
			return 0, status
		}
		sum.add(v)
	}
	v, ok := sum.int64()
	if !ok {
		return 0, overflowed
	}
	return v, evaluated
}

func (t *term) eval(env Env) (int64, evalStatus) {
	product, fits, zero := t.coef, true, false
	for _, f := range t.mono {
		v, status := f.a.eval(env)
		if status != evaluated {
			return 0, status
		}
		zero = zero || v == 0
		for range f.pow {
			if !fits {
				break
			}
			product, fits = mulInt(product, v)
		}
	}
	switch {
	case zero: // whatever overflowed before it
		return 0, evaluated
	case !fits:
		return 0, overflowed
	}
	return product, evaluated
}

func (a *atom) eval(env Env) (int64, evalStatus) {
	if a.kind == symbol {
		v, ok := env[a.name]
		if !ok {
			return 0, unbound
		}
		return v, evaluated
	}
	best, status := a.args[0].eval(env)
	for _, arg := range a.args[1:] {
		if status != evaluated {
			return 0, status
		}
		var v int64
		v, status = arg.eval(env)
		if status != evaluated {
			return 0, status
		}
		switch a.kind {
		case floor:
			if v == 0 {
				return 0, dividedByZero
			}
			var ok bool
			if best, ok = floorDivInt(best, v); !ok {
				return 0, overflowed
			}
		case minimum:
			best = min(best, v)
		default:
			best = max(best, v)
		}
	}
	return best, evaluated
}
