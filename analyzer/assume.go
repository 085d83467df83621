package analyzer

import (
	"context"
	"maps"
	"slices"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// An If whose branches differ in rank is a Squeeze that depends on a dimension, as exporters write it. Which branch runs
// is not known, but often only one of them goes together with what follows: the other makes a node invalid. So where an
// assumption leads to nodes that do not fit, the opposite one is tried.

// maxFlips bounds the assumptions that are tried one by one.
const maxFlips = 8

// Assume records that the node at hand is such an If, and returns the branch to take.
func (e *nodeEngine) Assume(elseBranch bool) bool {
	e.asked = true
	if !slices.Contains(e.assumed, e.node.Name) {
		e.assumed = append(e.assumed, e.node.Name)
	}
	return elseBranch != e.flipped[e.node.Name]
}

// analyzeAssuming is engine.analyze with the assumptions that leave the fewest nodes that do not fit or are not known.
func analyzeAssuming(ctx context.Context, m *onnx.Model, opt Options, binding dim.Env, spread map[string]bool) (*engine, *Report, error) {
	try := func(flipped map[string]bool) (*engine, *Report, error) {
		e := &engine{ctx: ctx, model: m, binding: binding, names: map[string]int{}, spread: spread, flipped: flipped}
		r, err := e.analyze(opt)
		return e, r, err
	}
	e, r, err := try(nil)
	if err != nil || len(e.assumed) == 0 || r.misfits() == 0 {
		return e, r, err
	}
	all := map[string]bool{}
	for _, name := range e.assumed {
		all[name] = true
	}
	sets := []map[string]bool{all}
	for _, name := range e.assumed[:min(len(e.assumed), maxFlips)] {
		sets = append(sets, map[string]bool{name: true})
	}
	for i := 0; i < len(sets) && r.misfits() > 0; i++ {
		f := sets[i]
		if i > 0 { // one more beside those that have helped
			f = maps.Clone(f)
			for name := range e.flipped {
				if f[name] = !f[name]; !f[name] {
					delete(f, name)
				}
			}
		}
		e2, r2, err := try(f)
		if err != nil {
			return nil, nil, err
		}
		if r2.misfits() < r.misfits() {
			e, r = e2, r2
		}
	}
	return e, r, nil
}

// misfits counts the findings that a wrong assumption leads to.
func (r *Report) misfits() (n int) {
	for _, d := range r.Diagnostics {
		if d.Severity == SeverityError || d.Code == CodeUnknownShape {
			n++
		}
	}
	return n
}
