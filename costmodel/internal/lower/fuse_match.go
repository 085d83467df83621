package lower

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/op"
	"github.com/onnxcost/onnxcost/costmodel/plan"
)

// A pattern is an expression over operators, as a table row writes it:
//
//	Mul(x, Sigmoid(x))                        the same value x twice
//	Add(Div(d:Sub(x, m), s), B)               d names the output of Sub; B is any constant
//	Mul(0.5, x)                               a constant with one element, equal up to rounding
//	ms.Gelu(Add(x, b)), Conv|FusedConv(x, W)  com.microsoft; either operator
//
// Lower-case names stand for any value, upper-case ones for constants. Add and Mul match their arguments in either
// order, other operators as written; arguments beyond those written are not looked at. A match is closed: except for
// the result of the outermost operator, nothing inside it is read from outside or is a graph output.
type pattern struct {
	ops   []string // full names; nil for a leaf
	args  []*pattern
	swaps bool // args match in either order
	name  int8 // capture, -1 for none
	konst bool // leaf: must be constant
	exact bool // leaf: must equal value
	value float64
}

// maxCaptures bounds the names of one pattern.
const maxCaptures = 12

// match is what a pattern matched.
type match struct {
	values [maxCaptures]*tensor
	nodes  []*gnode // from the outermost operator inwards
}

// compiled is a pattern with its names.
type compiled struct {
	root  *pattern
	names []string
}

// compile parses a pattern. Patterns are part of the program, so a mistake panics.
func compile(text string) compiled {
	p := &patternParser{text: text}
	root := p.term()
	p.space()
	if p.at != len(p.text) {
		p.fail("end")
	}
	return compiled{root, p.names}
}

type patternParser struct {
	text  string
	at    int
	names []string
}

func (p *patternParser) fail(want string) {
	panic(fmt.Sprintf("costmodel: pattern %q: offset %d: want %s", p.text, p.at, want))
}

func (p *patternParser) space() {
	for p.at < len(p.text) && p.text[p.at] == ' ' {
		p.at++
	}
}

func (p *patternParser) take(c byte) bool {
	p.space()
	if p.at < len(p.text) && p.text[p.at] == c {
		p.at++
		return true
	}
	return false
}

func (p *patternParser) word() string {
	p.space()
	start := p.at
	for p.at < len(p.text) && !strings.ContainsRune(" (),:", rune(p.text[p.at])) {
		p.at++
	}
	if start == p.at {
		p.fail("a name or a number")
	}
	return p.text[start:p.at]
}

func (p *patternParser) capture(name string) int8 {
	if i := slices.Index(p.names, name); i >= 0 {
		return int8(i)
	}
	if len(p.names) == maxCaptures {
		p.fail("fewer names")
	}
	p.names = append(p.names, name)
	return int8(len(p.names) - 1)
}

func (p *patternParser) term() *pattern {
	w := p.word()
	t := &pattern{name: -1}
	if p.take(':') {
		t.name = p.capture(w)
		w = p.word()
	}
	if !p.take('(') {
		if v, err := strconv.ParseFloat(w, 64); err == nil {
			t.konst, t.exact, t.value = true, true, v
			return t
		}
		t.konst = w[0] >= 'A' && w[0] <= 'Z'
		if w != "_" {
			t.name = p.capture(w)
		}
		return t
	}
	for _, o := range strings.Split(w, "|") {
		t.ops = append(t.ops, fullName(o))
	}
	for {
		t.args = append(t.args, p.term())
		if p.take(')') {
			break
		}
		if !p.take(',') {
			p.fail("comma or closing parenthesis")
		}
	}
	t.swaps = len(t.args) == 2 && (t.ops[0] == "Add" || t.ops[0] == "Mul")
	return t
}

// fullName expands the short domain names of the tables: ms.Gelu is com.microsoft.Gelu.
func fullName(o string) string {
	for _, d := range [][2]string{{"ms.", plan.DomainMS}, {"nchwc.", plan.DomainNCHWc}} {
		if rest, ok := strings.CutPrefix(o, d[0]); ok {
			return d[1] + "." + rest
		}
	}
	return o
}

// splitName is the inverse of keyOf.
func splitName(full string) (domain, opType string) {
	if i := strings.LastIndexByte(full, '.'); i >= 0 {
		return full[:i], full[i+1:]
	}
	return "", full
}

// anchors are the operators that the outermost term can be.
func (c compiled) anchors() []string { return c.root.ops }

// value returns the tensor captured under name.
func (c compiled) value(m *match, name string) *tensor {
	i := slices.Index(c.names, name)
	if i < 0 {
		panic(fmt.Sprintf("costmodel: pattern has no name %q", name))
	}
	return m.values[i]
}

// find matches the pattern with n as the outermost node.
func (c compiled) find(n *gnode, m *match) bool {
	m.values = [maxCaptures]*tensor{}
	m.nodes = m.nodes[:0]
	return c.root.node(n, m) && m.closed()
}

// closed reports whether nothing inside the match is read from outside.
func (m *match) closed() bool {
	for _, n := range m.nodes[1:] {
		for _, t := range n.out {
			if t == nil {
				continue
			}
			if t.output {
				return false
			}
			for _, u := range t.uses {
				if u.arg < 0 || !slices.Contains(m.nodes, u.node) {
					return false
				}
			}
		}
	}
	return true
}

func (p *pattern) node(n *gnode, m *match) bool {
	if n == nil || n.dead || !slices.Contains(p.ops, n.key) || len(n.in) < len(p.args) {
		return false
	}
	if slices.Contains(m.nodes, n) {
		return p.name >= 0 && m.values[p.name] == n.out[0] // met on another path already
	}
	if p.name >= 0 && !m.bind(p.name, n.out[0]) {
		return false
	}
	m.nodes = append(m.nodes, n)
	if !p.swaps {
		for i, a := range p.args {
			if !a.tensor(n.in[i], m) {
				return false
			}
		}
		return true
	}
	values, nodes := m.values, len(m.nodes)
	if p.args[0].tensor(n.in[0], m) && p.args[1].tensor(n.in[1], m) {
		return true
	}
	m.values, m.nodes = values, m.nodes[:nodes]
	return p.args[0].tensor(n.in[1], m) && p.args[1].tensor(n.in[0], m)
}

func (p *pattern) tensor(t *tensor, m *match) bool {
	if t == nil {
		return false
	}
	if p.ops != nil {
		return t.from != nil && t.slot == 0 && p.node(t.from, m)
	}
	if p.konst && !t.isConst() {
		return false
	}
	if p.exact {
		v, ok := scalar(t)
		return ok && math.Abs(v-p.value) <= 1e-5*math.Abs(p.value)+1e-8
	}
	return p.name < 0 || m.bind(p.name, t)
}

func (m *match) bind(i int8, t *tensor) bool {
	if m.values[i] == nil {
		m.values[i] = t
	}
	return m.values[i] == t
}

// scalar returns the value of a constant with one element, whatever its rank.
func scalar(t *tensor) (float64, bool) {
	if t == nil || !t.isConst() {
		return 0, false
	}
	if n, ok := t.val.Elements(); !ok || !n.Is(1) {
		return 0, false
	}
	v := floats(t.val)
	if len(v) != 1 {
		return 0, false
	}
	return v[0], true
}

// maxConst bounds the constants whose elements decide a rewrite: axes, shapes, scales.
const maxConst = 64

// floats returns the elements of a small constant; nil where they are not known. It leaves the value as it is, so that
// plans of one report can be made at the same time.
func floats(v *op.Value) []float64 {
	if v.Data != nil {
		out := make([]float64, len(v.Data.Nums))
		for i, n := range v.Data.Nums {
			f, ok := n.Float64()
			if !ok {
				return nil
			}
			out[i] = f
		}
		return out
	}
	if v.Tensor == nil || v.Kind != onnx.KindTensor {
		return nil
	}
	if n, err := v.Tensor.Elements(); err != nil || n > maxConst {
		return nil
	}
	f, err := v.Tensor.Float64s()
	if err != nil {
		return nil
	}
	return f
}

// ints returns the elements of a small constant of integers; ok is false where they are not known.
func ints(t *tensor) (v []int64, ok bool) {
	if t == nil || !t.isConst() {
		return nil, false
	}
	return intsOf(t.val)
}

func intsOf(v *op.Value) (out []int64, ok bool) {
	if v.Data != nil {
		out = make([]int64, len(v.Data.Nums))
		for i, n := range v.Data.Nums {
			if out[i], ok = n.Int64(); !ok {
				return nil, false
			}
		}
		return out, true
	}
	if v.Tensor == nil || !v.DType.IsInteger() {
		return nil, false
	}
	if n, err := v.Tensor.Elements(); err != nil || n > maxConst {
		return nil, false
	}
	out, err := v.Tensor.Int64s()
	return out, err == nil
}

// fusion is a row of a table of patterns: what matches becomes one node.
type fusion struct {
	name    string
	pattern string
	op      string // of the fused node
	inputs  string // its inputs, by the names in the pattern
	when    func(g *graph, c compiled, m *match) bool
	// then completes the fused node, for attributes and what is applied to the result.
	then func(g *graph, n *gnode, m *match)
	// nodeName makes the name of the fused node; nil for the operator's.
	nodeName func(m *match) string
}

// fusions is a table ready for use.
type fusions []struct {
	fusion
	c              compiled
	inputs         []string
	domain, opType string
}

func compileFusions(rows ...fusion) fusions {
	fs := make(fusions, len(rows))
	for i, r := range rows {
		fs[i].fusion, fs[i].c, fs[i].inputs = r, compile(r.pattern), strings.Fields(r.inputs)
		fs[i].domain, fs[i].opType = splitName(fullName(r.op))
		for _, in := range fs[i].inputs {
			if !slices.Contains(fs[i].c.names, in) {
				panic(fmt.Sprintf("costmodel: fusion %q has no name %q", r.name, in))
			}
		}
	}
	return fs
}

// anchors are the operators at which some row can match.
func (fs fusions) anchors() []string {
	var all []string
	for i := range fs {
		all = append(all, fs[i].c.anchors()...)
	}
	return all
}

// apply tries the rows on n and reports whether one matched.
func (fs fusions) apply(g *graph, n *gnode, m *match) bool {
	for i := range fs {
		f := &fs[i]
		if !slices.Contains(f.c.root.ops, n.key) || !f.c.find(n, m) || f.when != nil && !f.when(g, f.c, m) {
			continue
		}
		name := f.opType
		if f.nodeName != nil {
			name = f.nodeName(m)
		}
		in := g.newList(len(f.inputs))
		for i, name := range f.inputs {
			in[i] = f.c.value(m, name)
		}
		fused := g.add(f.opType, f.domain, name, in...)
		if f.then != nil {
			f.then(g, fused, m)
		}
		g.merge(fused, m.nodes...)
		return true
	}
	return false
}

// run tries the rows on every node.
func (fs fusions) run(g *graph) bool {
	var m match
	changed := false
	for _, n := range g.topological() {
		if !n.dead && fs.apply(g, n, &m) {
			changed = true
		}
	}
	return changed
}

// merge lets fused take the place of nodes, the outermost first: it does their work, writes the outputs of the first,
// and they go.
func (g *graph) merge(fused *gnode, nodes ...*gnode) {
	for i := len(nodes) - 1; i >= 0; i-- {
		g.absorb(fused, nodes[i])
	}
	if fused.origin == nil {
		fused.origin = nodes[0].origin
	}
	root := nodes[0]
	for i := range root.out {
		if root.out[i] != nil {
			g.handOver(root, i, fused, i)
		}
	}
	for _, n := range nodes {
		g.remove(n)
	}
}
