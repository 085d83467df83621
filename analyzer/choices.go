package analyzer

import (
	"fmt"
	"slices"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/op"
)

// shared is a choice of which the places of single classes are asked for.
type shared struct {
	choice  *op.Choice
	classes map[int64]bool
	symbols []string
}

// Choice begins a choice at the node at hand.
func (e *nodeEngine) Choice(n dim.Dim, classes int64) *op.Choice {
	e.asked = true
	return &op.Choice{Node: e.node.Name, N: n, Classes: classes}
}

// Share is the number of places of a choice that one class has: a symbol, or an even share where all classes are known to
// be asked for. The even shares ⌊(n+k)/classes⌋ for k from 0 to classes-1 add up to n, whatever n is (Hermite's identity).
func (e *nodeEngine) Share(hint string, upper dim.Dim, of *op.Choice, class int64) dim.Dim {
	e.asked = true
	if e.spread[of.Node] {
		return of.N.AddInt(of.Classes - 1 - class).FloorDiv(dim.Const(of.Classes))
	}
	s := e.fresh(hint, Symbol{Node: e.node.Name, Upper: dim.Min(upper, of.N)})
	i := slices.IndexFunc(e.shares, func(x *shared) bool { return x.choice.Node == of.Node })
	if i < 0 {
		i = len(e.shares)
		e.shares = append(e.shares, &shared{choice: of, classes: map[int64]bool{}})
	}
	e.shares[i].classes[class] = true
	e.shares[i].symbols = append(e.shares[i].symbols, s.Symbols()...)
	return s
}

// toSpread lists the choices whose classes are all asked for and of which the user gives none.
func (e *engine) toSpread(opt Options) map[string]bool {
	out := map[string]bool{}
	for _, s := range e.shares {
		given := slices.ContainsFunc(s.symbols, func(name string) bool { _, has := opt.Dims[name]; return has })
		if int64(len(s.classes)) == s.choice.Classes && !given {
			out[s.choice.Node] = true
		}
	}
	return out
}

// noteSpread says that rows of experts are spread evenly.
func (e *engine) noteSpread(first *op.Choice) Diagnostic {
	text := fmt.Sprintf("chooses among %d experts: they take %v rows in all, spread evenly over them", first.Classes, first.N)
	if n := len(e.spread); n > 1 {
		text += fmt.Sprintf("; %d more layers likewise", n-1)
	}
	return Diagnostic{SeverityNote, CodeExperts, first.Node, text + "; the sum is exact where work is linear in rows, and --dim 'nonzero*=N' gives each expert N"}
}
