package analyzer

import (
	"maps"

	"github.com/onnxcost/onnxcost/analyzer/dim"
)

// Bounded is env with the extents that depend on data at their upper bounds where env has no value for them, which is
// what memory has to be there for. taken lists those; env itself comes back where there are none.
func (r *Report) Bounded(env dim.Env) (bound dim.Env, taken []Symbol) {
	bound = env
	for range 2 { // a bound may be written in symbols that follow
		for _, s := range r.Symbols {
			if _, has := bound[s.Name]; has || s.Input != "" {
				continue
			}
			v, err := s.Upper.Eval(bound)
			if err != nil || v < 0 || s.Upper.Is(0) {
				continue
			}
			if len(taken) == 0 {
				if bound = maps.Clone(env); bound == nil {
					bound = dim.Env{}
				}
			}
			bound[s.Name] = v
			taken = append(taken, s)
		}
	}
	return bound, taken
}
