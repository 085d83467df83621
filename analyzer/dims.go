package analyzer

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// expand replaces the names with a * in Dims by the names that they stand for; a name that is given in full comes first.
// unmatched lists the patterns that stand for none.
func (o Options) expand(ctx context.Context, m *onnx.Model) (out Options, unmatched []string, err error) {
	var patterns []string
	plain := map[string]int64{}
	for _, name := range slices.Sorted(maps.Keys(o.Dims)) {
		if strings.Contains(name, "*") {
			patterns = append(patterns, name)
		} else {
			plain[name] = o.Dims[name]
		}
	}
	if len(patterns) == 0 {
		return o, nil, nil
	}
	out = o
	out.Dims = plain
	_, r, err := analyzeAssuming(ctx, m, out, nil, nil)
	if err != nil {
		return o, nil, err
	}
	out.Dims = maps.Clone(plain)
	for _, p := range patterns {
		found := false
		for _, s := range r.Symbols {
			switch _, full := plain[s.Name]; {
			case s.Name == p: // a name that has a * of its own
				out.Dims[p], found = o.Dims[p], true
			case matches(p, s.Name):
				if found = true; !full {
					out.Dims[s.Name] = o.Dims[p]
				}
			}
		}
		if !found {
			unmatched = append(unmatched, p)
		}
	}
	return out, unmatched, nil
}

// matches reports whether a name is of the form that a pattern with * describes.
func matches(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	if !strings.HasPrefix(name, parts[0]) {
		return false
	}
	name = name[len(parts[0]):]
	for i, p := range parts[1:] {
		if i == len(parts)-2 {
			return strings.HasSuffix(name, p)
		}
		at := strings.Index(name, p)
		if at < 0 {
			return false
		}
		name = name[at+len(p):]
	}
	return name == ""
}

// checkDims refuses a binding for a symbol that the model does not have, or lists it where the options allow that.
func (r *Report) checkDims(opt Options, unmatched []string) error {
	missing := slices.Clone(unmatched)
	for _, name := range slices.Sorted(maps.Keys(opt.Dims)) {
		if !slices.ContainsFunc(r.Symbols, func(s Symbol) bool { return s.Name == name }) {
			missing = append(missing, name)
		}
	}
	if opt.AnyDims || len(missing) == 0 {
		r.UnusedDims = missing
		return nil
	}
	have := make([]string, 0, len(r.Symbols))
	for _, s := range r.Symbols {
		have = append(have, s.Name)
	}
	if len(have) == 0 {
		return &OptionError{Msg: fmt.Sprintf("the model has no free dimension %q; all its dimensions are numbers", missing[0])}
	}
	const most = 20
	if n := len(have); n > most {
		have = append(have[:most:most], fmt.Sprintf("%d more", n-most))
	}
	return &OptionError{Msg: fmt.Sprintf("the model has no free dimension %q; it has %s", missing[0], strings.Join(have, ", "))}
}

// FreeDims lists the symbols without a value that shapes or totals depend on, sorted.
func (r *Report) FreeDims() []string {
	if r.fixed() {
		return nil
	}
	return r.free(r.Dims)
}

// Missing lists the dimensions that have to be given beside env before every figure is a number: extents that depend on
// data only where they have no bound, and none that a requirement gives.
func (r *Report) Missing(env dim.Env) []string {
	bound, _ := r.Bounded(r.Determine(env))
	free := r.free(bound)
	for _, s := range r.dataSymbols() {
		if _, has := bound[s.Name]; has {
			continue
		}
		free = append(free, s.Name)
		if !s.Upper.Is(0) { // its bound will do
			free = slices.DeleteFunc(append(free, s.Upper.Symbols()...), func(name string) bool { return name == s.Name })
		}
	}
	free = slices.DeleteFunc(free, func(name string) bool { _, has := bound[name]; return has })
	slices.Sort(free)
	return slices.Compact(free)
}

// free lists the symbols without a value in env that inputs or totals depend on, sorted.
func (r *Report) free(env dim.Env) []string {
	var free []string
	seen := map[string]bool{}
	need := func(d dim.Dim) {
		if d.IsConst() {
			return
		}
		for _, s := range d.Symbols() {
			if _, bound := env[s]; !bound && !seen[s] {
				seen[s] = true
				free = append(free, s)
			}
		}
	}
	for _, v := range r.Inputs {
		for _, d := range v.Shape {
			need(d)
		}
	}
	t := r.Totals()
	for _, d := range []dim.Dim{t.MACs, t.FLOPs, t.Special, t.BytesRead, t.BytesWritten} {
		need(d)
	}
	given := r.determined(env)
	free = slices.DeleteFunc(free, func(s string) bool { return given[s] != nil })
	slices.Sort(free)
	return free
}

// noteFree says which dimensions are left free: those of inputs by name, and in a line those that depend on data.
func (r *Report) noteFree() {
	free := r.FreeDims()
	if len(free) == 0 {
		return
	}
	var data []Symbol
	inputs := slices.DeleteFunc(slices.Clone(free), func(name string) bool {
		i := slices.IndexFunc(r.Symbols, func(s Symbol) bool { return s.Name == name && s.Input == "" })
		if i >= 0 {
			data = append(data, r.Symbols[i])
		}
		return i >= 0
	})
	if len(inputs) > 0 {
		r.Diagnostics = append(r.Diagnostics, Diagnostic{SeverityNote, CodeFreeDim, "",
			fmt.Sprintf("free dimensions: %s; figures that depend on them are formulas, --dim %s=N binds one", strings.Join(inputs, ", "), inputs[0])})
	}
	if len(data) > 0 {
		text := DataSizes(data, r.Dims) + ": counts are formulas in them, memory is at their bounds"
		if _, taken := r.Bounded(r.Dims); len(taken) < len(data) {
			text = DataSizes(data, r.Dims) + ": figures are formulas in them"
		}
		r.Diagnostics = append(r.Diagnostics, Diagnostic{SeverityNote, CodeFreeDim, data[0].Node, text + "; " + Family(data)})
	}
}

// DataSizes names sizes that depend on data in a phrase: one with its bound, or how many and the largest of their bounds.
func DataSizes(data []Symbol, env dim.Env) string {
	most, known := int64(0), true
	for _, s := range data {
		v, err := s.Upper.Eval(env)
		known = known && err == nil && !s.Upper.Is(0)
		most = max(most, v)
	}
	bound := ""
	if len(data) == 1 {
		if known {
			bound = fmt.Sprintf(", at most %d,", most)
		}
		return fmt.Sprintf("size %s%s depends on data", data[0].Name, bound)
	}
	if known {
		bound = fmt.Sprintf(", each at most %d", most)
	}
	return fmt.Sprintf("%d data-dependent sizes (%s)%s", len(data), someNames(data), bound)
}

// Family is how to bind sizes that depend on data: by name, or by the beginning that they share.
func Family(data []Symbol) string {
	if len(data) == 1 {
		return fmt.Sprintf("--dim %s=N gives it", data[0].Name)
	}
	stem := data[0].Name
	for _, s := range data {
		for !strings.HasPrefix(s.Name, stem) {
			stem = stem[:len(stem)-1]
		}
	}
	if stem == "" {
		return fmt.Sprintf("--dim %s=N gives one", data[0].Name)
	}
	return fmt.Sprintf("--dim '%s*=N' gives all", stem)
}

func someNames(data []Symbol) string {
	const most = 3
	var names []string
	for _, s := range data[:min(len(data), most)] {
		names = append(names, s.Name)
	}
	if len(data) > most {
		names = append(names, "…")
	}
	return strings.Join(names, ", ")
}
