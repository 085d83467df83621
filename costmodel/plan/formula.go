package plan

import "github.com/onnxcost/onnxcost/analyzer/dim"

// Formula is a number that depends on the free dimensions; one that does not is evaluated once.
type Formula struct {
	value float64
	dim   dim.Dim
	fixed bool
}

// NewFormula is the value of d.
func NewFormula(d dim.Dim) Formula {
	if v, ok := d.Value(); ok {
		return Formula{value: float64(v), fixed: true}
	}
	return Formula{dim: d}
}

// Eval is the number under a binding. The error names dimensions without a value.
func (f *Formula) Eval(env dim.Env) (float64, error) {
	if f.fixed {
		return f.value, nil
	}
	v, err := f.dim.Eval(env)
	return float64(v), err
}
