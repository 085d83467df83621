package costmodel

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/dim"
)

// binder gives the free dimensions of a Report values.
type binder struct {
	report  *analyzer.Report
	leading []string // symbols that are a leading dimension of an input
	fixed   int64    // the leading dimension where it is a number; 0 where inputs have none
}

// BindBatch is the binding of a batch where no device is asked, and the number of samples in it; 0 is the batch that the
// Report is bound to. Dimensions that depend on data have their upper bounds.
func BindBatch(r *analyzer.Report, batch int64) (dim.Env, int64, error) {
	b := newBinder(r)
	env, n, err := b.bind(batch, nil)
	if err == nil {
		env, _ = b.dataDims(env)
	}
	return env, n, err
}

// newBinder finds the symbols that a batch size binds.
func newBinder(r *analyzer.Report) binder {
	b := binder{report: r}
	for _, v := range r.Inputs {
		if !v.Ranked || len(v.Shape) == 0 {
			continue
		}
		if n, ok := v.Shape[0].Value(); ok {
			if b.fixed == 0 {
				b.fixed = n
			}
			continue
		}
		for _, s := range v.Shape[0].Symbols() {
			if !slices.Contains(b.leading, s) {
				b.leading = append(b.leading, s)
			}
		}
	}
	return b
}

// bind is the binding of one prediction: the Report's, then dims, then the batch.
func (b *binder) bind(batch int64, dims dim.Env) (dim.Env, int64, error) {
	r := b.report
	env := make(dim.Env, len(r.Dims)+len(dims)+1)
	for k, v := range r.Dims {
		env[k] = v
	}
	for k, v := range dims {
		env[k] = v
	}
	switch {
	case batch < 0:
		return nil, 0, &OptionError{Msg: fmt.Sprintf("batch %d: want at least 1", batch)}
	case len(b.leading) == 0:
		if batch > 0 && batch != b.fixed {
			return nil, 0, &OptionError{Msg: fmt.Sprintf("batch %d: the leading dimension of the inputs is fixed at %d; --shape gives another", batch, b.fixed)}
		}
		return env, max(1, b.fixed), nil
	case batch > 0:
		for _, s := range b.leading {
			env[s] = batch
		}
		env, err := b.settle(env)
		return env, batch, err
	}
	n, ok := env[b.leading[0]]
	if !ok {
		n = 1
	}
	env, err := b.settle(env)
	return env, max(1, n), err
}

// settle adds the dimensions that the model's requirements give, and refuses a binding that contradicts them.
func (b *binder) settle(env dim.Env) (dim.Env, error) {
	r := b.report
	env = r.Determine(env)
	if maps.Equal(env, r.Dims) { // what the analysis has found is in the Report
		return env, nil
	}
	if err := r.Check(env); err != nil {
		return nil, &OptionError{Msg: err.Error(), Err: err}
	}
	return env, nil
}

// dataDims gives extents that depend on data their upper bounds, and says which in a line.
func (b *binder) dataDims(env dim.Env) (dim.Env, []analyzer.Diagnostic) {
	bound, taken := b.report.Bounded(env)
	if len(taken) == 0 {
		return env, nil
	}
	at := "its bound"
	if len(taken) > 1 {
		at = "their bounds"
	}
	return bound, []analyzer.Diagnostic{{Severity: analyzer.SeverityNote, Code: CodeUpperBound, Node: taken[0].Node,
		Message: fmt.Sprintf("%s: taken at %s; %s", analyzer.DataSizes(taken, bound), at, analyzer.Family(taken))}}
}

// NeedDims turns a missing binding into an *OptionError that names all that are missing; other errors stay.
func NeedDims(err error, r *analyzer.Report, env dim.Env) error {
	var unbound *dim.UnboundError
	if errors.As(err, &unbound) && len(unbound.Symbols) > 0 {
		missing := r.Missing(env)
		if len(missing) == 0 {
			missing = unbound.Symbols
		}
		return &OptionError{Msg: analyzer.NeedDims("a time", missing).Error(), Err: unbound}
	}
	return err
}
