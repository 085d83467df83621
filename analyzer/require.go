package analyzer

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/op"
)

// Requirement is an equality that inference has assumed: the first node that needs it, and the sizes.
type Requirement struct {
	op.Requirement
	Node *Node
}

// need says that a node has one of engine.required.
type need struct {
	node *Node
	i    int32
}

// Require records what the node at hand needs of two sizes.
func (e *nodeEngine) Require(q op.Requirement) {
	const near = 64 // layers repeat what those before them need; to look further would take long in a large graph
	from := max(0, len(e.required)-near)
	i := from + slices.IndexFunc(e.required[from:], func(p op.Requirement) bool {
		return p.Kind == q.Kind && p.A.Equal(q.A) && p.B.Equal(q.B) && p.Room.Equal(q.Room)
	})
	if i < from {
		i = len(e.required)
		e.required = append(e.required, q)
	}
	if !slices.Contains(e.needs, int32(i)) {
		e.needs = append(e.needs, int32(i))
		e.needed = append(e.needed, need{e.node, int32(i)})
	}
}

// collectRequirements keeps what the nodes need that run whatever nobody decided.
func (r *Report) collectRequirements(e *engine) {
	if len(e.needed) == 0 {
		return
	}
	runs := map[*Node]bool{}
	r.walkDecided(r.Nodes, func(n *Node) { runs[n] = true })
	seen := make([]bool, len(e.required))
	for _, n := range e.needed {
		if runs[n.node] && !seen[n.i] {
			seen[n.i] = true
			r.Requirements = append(r.Requirements, Requirement{e.required[n.i], n.node})
		}
	}
}

// walkDecided calls f for the nodes that run for certain: not those of branches that nobody decided.
func (r *Report) walkDecided(nodes []*Node, f func(*Node)) {
	for _, n := range nodes {
		f(n)
		for _, b := range n.Bodies {
			if n.Proto.OpType != "If" || len(n.Bodies) == 1 {
				r.walkDecided(b.Nodes, f)
			}
		}
	}
}

// symbols lists the symbols of the requirement.
func (q *Requirement) symbols() []string {
	s := append(q.A.Symbols(), q.B.Symbols()...)
	slices.Sort(s)
	return slices.Compact(s)
}

// maxPasses bounds how often the requirements are gone through: a dimension may be given by one that a later one gives.
const maxPasses = 8

// Determine is env with the dimensions that a requirement leaves no choice for, given those that env has.
func (r *Report) Determine(env dim.Env) dim.Env {
	out := env
	again := true
	for pass := 0; again && pass < maxPasses; pass++ {
		again = false
		for i := range r.Requirements {
			s, v, ok := r.Requirements[i].solve(out)
			if !ok || v < 0 {
				continue
			}
			if again = true; len(out) == len(env) {
				out = maps.Clone(env)
				if out == nil {
					out = dim.Env{}
				}
			}
			out[s] = v
		}
	}
	return out
}

// solve returns the value of the one symbol that env leaves free, ok where the requirement decides it.
func (q *Requirement) solve(env dim.Env) (symbol string, v int64, ok bool) {
	if q.Kind == op.Broadcast {
		return "", 0, false
	}
	d := q.A.Sub(q.B).Bind(env)
	s := d.Symbols()
	if len(s) != 1 || d.Err() != nil {
		return "", 0, false
	}
	start, step, ok := line(d, s[0])
	a, ok1 := start.Value()
	b, ok2 := step.Value()
	if !ok || !ok1 || !ok2 || b == 0 || a%b != 0 {
		return "", 0, false
	}
	return s[0], -a / b, true
}

// line is d as start + step·symbol; ok is false where it is no straight line.
func line(d dim.Dim, symbol string) (start, step dim.Dim, ok bool) {
	one := d.Bind(dim.Env{symbol: 1})
	step = d.Bind(dim.Env{symbol: 2}).Sub(one)
	start = one.Sub(step)
	whole := start.Add(step.Mul(dim.Symbol(symbol)))
	return start, step, whole.Err() == nil && whole.Equal(d)
}

// Check says what a binding contradicts: a requirement that it decides and that does not hold, or a size that it makes
// negative. It returns a *GraphError that names the node and the values.
func (r *Report) Check(env dim.Env) error {
	if len(env) == 0 {
		return nil
	}
	for i := range r.Requirements {
		q := &r.Requirements[i]
		a, b, room := q.A.Bind(env), q.B.Bind(env), q.Room.Bind(env)
		av, ok1 := a.Value()
		bv, ok2 := b.Value()
		rv, ok3 := room.Value()
		if ok1 && ok2 && ok3 && !q.Kind.Holds(av, bv, rv) {
			return r.contradiction(q.Node, fmt.Sprintf("%v against %v: %s", av, bv, assigned(env, q.symbols())))
		}
		if s, v, ok := q.solve(env); ok && v < 0 && q.Kind == op.Equal {
			return r.contradiction(q.Node, fmt.Sprintf("%s would have to be %d: %s", s, v, assigned(env, q.symbols())))
		}
	}
	return r.checkSizes(env)
}

// checkSizes refuses a binding that makes a size negative.
func (r *Report) checkSizes(env dim.Env) (err error) {
	seen := map[*dim.Dim]bool{}
	r.walkDecided(r.Nodes, func(n *Node) {
		for _, o := range n.Outputs {
			if o == nil || len(o.Shape) == 0 || seen[&o.Shape[0]] || err != nil {
				continue
			}
			seen[&o.Shape[0]] = true
			for i, d := range o.Shape {
				if d.IsConst() {
					continue
				}
				if v, ok := d.Bind(env).Value(); ok && v < 0 {
					err = r.contradiction(n, fmt.Sprintf("axis %d of %q would have size %d: %s", i, o.Name, v, assigned(env, d.Symbols())))
					return
				}
			}
		}
	})
	return err
}

func (r *Report) contradiction(n *Node, msg string) error {
	return &GraphError{Model: r.Model.Path, Msg: fmt.Sprintf("node %q (%s): %s", n.Name, n.Op(), msg), Node: n.Name}
}

// assigned lists the values of symbols, such as "H=510, W=512".
func assigned(env dim.Env, symbols []string) string {
	var out []string
	for _, s := range symbols {
		if v, ok := env[s]; ok {
			out = append(out, fmt.Sprintf("%s=%d", s, v))
		}
	}
	return strings.Join(out, ", ")
}

// determined lists the free symbols that requirements give once the others have values, with the requirement of each.
func (r *Report) determined(env dim.Env) map[string]*Requirement {
	out := map[string]*Requirement{}
	needs := func(q *Requirement, s string) bool { // is s, or what it would give, among what gives the others of q
		seen := map[string]bool{s: true}
		rest := slices.DeleteFunc(q.symbols(), func(x string) bool { return x == s })
		for len(rest) > 0 {
			x := rest[0]
			rest = rest[1:]
			if x == s {
				return true
			}
			if from := out[x]; from != nil && !seen[x] {
				rest = append(rest, slices.DeleteFunc(from.symbols(), func(y string) bool { return y == x })...)
			}
			seen[x] = true
		}
		return false
	}
	for i := range r.Requirements {
		q := &r.Requirements[i]
		if q.Kind == op.Broadcast {
			continue
		}
		for _, s := range q.candidates() {
			if _, bound := env[s]; bound || out[s] != nil {
				continue
			}
			if !needs(q, s) {
				out[s] = q
				break
			}
		}
	}
	return out
}

// candidates lists the symbols that a requirement can be solved for: those that stand alone on a side first, then by
// name.
func (q *Requirement) candidates() []string {
	var alone, others []string
	for _, s := range q.symbols() {
		_, step, ok := line(q.A.Sub(q.B), s)
		switch {
		case !ok || !step.Is(1) && !step.Is(-1):
		case q.A.Equal(dim.Symbol(s)) || q.B.Equal(dim.Symbol(s)):
			alone = append(alone, s)
		default:
			others = append(others, s)
		}
	}
	return append(alone, others...)
}
