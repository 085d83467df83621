package costmodel

import (
	"errors"
	"fmt"
	"slices"
	"strings"

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
		b.dataDims(env)
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
		return env, batch, nil
	}
	n, ok := env[b.leading[0]]
	if !ok {
		n = 1
	}
	return env, max(1, n), nil
}

// dataDims gives extents that depend on data their upper bounds, and reports which.
func (b *binder) dataDims(env dim.Env) []analyzer.Diagnostic {
	var ds []analyzer.Diagnostic
	for _, s := range b.report.Symbols {
		if s.Input != "" {
			continue
		}
		if _, bound := env[s.Name]; bound {
			continue
		}
		if v, err := s.Upper.Eval(env); err == nil && v > 0 {
			env[s.Name] = v
			ds = append(ds, analyzer.Diagnostic{Severity: analyzer.SeverityNote, Code: CodeUpperBound, Node: s.Node,
				Message: fmt.Sprintf("extent %s depends on data; taken as its upper bound %d, --dim %s=N gives another", s.Name, v, s.Name)})
		}
	}
	return ds
}

// NeedDims turns a missing binding into an *OptionError that says which dimensions need a value; other errors stay.
func NeedDims(err error) error {
	var unbound *dim.UnboundError
	if errors.As(err, &unbound) && len(unbound.Symbols) > 0 {
		flags := make([]string, len(unbound.Symbols))
		for i, s := range unbound.Symbols {
			flags[i] = "--dim " + s + "=N"
		}
		return &OptionError{Msg: fmt.Sprintf("a time needs a value for %s: give %s", strings.Join(unbound.Symbols, ", "), strings.Join(flags, " ")), Err: unbound}
	}
	return err
}
