package lower

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"math"
	"slices"
	"strings"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/op"
)

// mergeDuplicates lets nodes that compute the same from the same operands be one: same operator, same attributes, same
// inputs, where small constants are the same when their values are. Control flow, random numbers and
// DequantizeLinear stay apart, and so does what makes a graph output. (ONNX Runtime: ConstantSharing and
// CommonSubexpressionElimination.)
func mergeDuplicates(g *graph) bool {
	var h maphash.Hash
	h.SetSeed(cseSeed)
	first := make(map[uint64]*gnode)
	changed := false
	add := func(n *gnode) {
		key := g.hash(&h, n)
		n.alike, first[key] = first[key], n
	}
	for _, n := range g.topological() {
		n.alike = nil
		if n.dead || !shares(n) || len(n.captured) > 0 || n.Many() || n.rule != nil && (n.rule.Volatile || n.rule.Class == op.ControlFlow) ||
			n.is("DequantizeLinear") || len(n.in) == 0 {
			continue
		}
		m := first[g.hash(&h, n)]
		for m != nil && !g.same(n, m) {
			m = m.alike
		}
		if m == nil {
			add(n)
			continue
		}
		if slices.ContainsFunc(n.out, func(t *tensor) bool { return t != nil && t.output }) {
			continue
		}
		for i, t := range n.out {
			if t == nil {
				continue
			}
			for _, u := range m.out[i].uses { // they have company now
				if u.arg == 0 && len(m.out[i].uses) == 1 {
					add(u.node)
				}
			}
			g.redirect(t, m.out[i])
		}
		g.remove(n)
		changed = true
	}
	return changed
}

// shares reports whether another node reads the same activations as n; a duplicate does.
func shares(n *gnode) bool {
	for _, t := range n.in {
		if t != nil && !t.isConst() {
			return len(t.uses) > 1
		}
	}
	return true
}

var cseSeed = maphash.MakeSeed() // only decides which buckets are compared, never the outcome

func (g *graph) hash(h *maphash.Hash, n *gnode) uint64 {
	h.Reset()
	h.WriteString(n.op)
	h.WriteString(n.domain)
	for _, t := range n.in {
		maphash.WriteComparable(h, g.identity(t))
	}
	sum := h.Sum64()
	for a := range n.InForce { // in any order
		sum += hashAttr(a)
	}
	return sum
}

// hashAttr is the same for attributes that sameAttr takes for equal.
func hashAttr(a *onnx.Attribute) uint64 {
	type scalar struct {
		name, s string
		i       int64
		f       float32
		lists   [3]int
		first   int64
	}
	x := scalar{a.Name, a.S, a.I, a.F, [3]int{len(a.Ints), len(a.Floats), len(a.Strings)}, 0}
	for _, v := range a.Ints {
		x.first = x.first*31 + v
	}
	return maphash.Comparable(cseSeed, x)
}

// shareLimit is the number of elements up to which equal constants are one.
const shareLimit = 8

// ident stands for the value of a tensor: its number, or what it holds where that is shared.
type ident struct {
	id      int
	content string
}

// identity returns what makes t the same operand as another: stored constants of up to eight elements are the same
// where they hold the same, and so are those that the same operators make of the same constants. Constants that a rewrite
// made are each their own.
func (g *graph) identity(t *tensor) ident {
	if t == nil {
		return ident{id: -1}
	}
	if !t.isConst() {
		return ident{id: t.val.ID + 1}
	}
	if t.ident != nil {
		return *t.ident
	}
	id := ident{id: t.val.ID + 1}
	if n, ok := t.val.Elements(); ok {
		if c, ok := n.Value(); ok && c > 0 && c <= shareLimit && t.val.ID < g.firstOwn {
			if v := floats(t.val); v != nil {
				b := []byte{byte(t.val.DType)}
				for _, d := range t.val.Shape {
					x, _ := d.Value()
					b = binary.AppendVarint(b, x)
				}
				b = append(b, 0xff)
				for _, x := range v {
					b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
				}
				id = ident{-2, string(b)}
			}
		} else if t.val.Tensor == nil && g.origins != nil && t.val.ID < g.firstOwn {
			id = ident{-3, g.origins.of(t.val.Name, 0)}
		}
	}
	t.ident = &id
	return id
}

// origins tells how constants of the file come about, so that those computed the same way are one. It covers graphs
// whose names are unique: the main graph of a model without local functions.
type origins struct {
	graph  *onnx.Graph
	stored map[string]*onnx.Tensor
	made   map[string]*onnx.Node
	known  map[string]string
}

// maxOrigin bounds the operators between a constant and what is stored.
const maxOrigin = 8

// of is a text that is the same for constants that hold the same for certain.
func (o *origins) of(name string, depth int) string {
	if o.made == nil {
		o.stored = make(map[string]*onnx.Tensor, len(o.graph.Initializers))
		o.made = make(map[string]*onnx.Node, len(o.graph.Nodes))
		o.known = make(map[string]string)
		for _, t := range o.graph.Initializers {
			o.stored[t.Name] = t
		}
		for _, p := range o.graph.Nodes {
			if len(p.Outputs) == 1 {
				o.made[p.Outputs[0]] = p
			}
		}
	}
	if s, ok := o.known[name]; ok {
		return s
	}
	s := "=" + name
	if t := o.stored[name]; t != nil {
		s = smallTensor(t, s)
	} else if p := o.made[name]; p != nil && depth < maxOrigin {
		if made, ok := o.node(p, depth); ok {
			s = made
		}
	}
	o.known[name] = s
	return s
}

func (o *origins) node(p *onnx.Node, depth int) (string, bool) {
	var b strings.Builder
	b.WriteString(p.OpType + "." + p.Domain)
	for i := range p.Attributes {
		a := &p.Attributes[i]
		fmt.Fprintf(&b, ";%s:%d:%d:%v:%s:%v:%v", a.Name, a.Type, a.I, a.F, a.S, a.Ints, a.Floats)
		switch {
		case a.T != nil:
			v := smallTensor(a.T, "")
			if v == "" {
				return "", false
			}
			b.WriteString(v)
		case a.G != nil || a.Strings != nil || a.Tensors != nil:
			return "", false
		}
	}
	b.WriteByte('(')
	for _, in := range p.Inputs {
		b.WriteString(o.of(in, depth+1))
		b.WriteByte(',')
	}
	b.WriteByte(')')
	return b.String(), true
}

// smallTensor is the content of a tensor that is small enough to be shared, def otherwise.
func smallTensor(t *onnx.Tensor, def string) string {
	if n, err := t.Elements(); err != nil || n > shareLimit {
		return def
	}
	raw, err := t.Bytes()
	if err != nil {
		return def
	}
	return fmt.Sprintf("%d%v%x", t.DType, t.Dims, raw)
}

// same reports whether n computes what m does.
func (g *graph) same(n, m *gnode) bool {
	if n.op != m.op || n.domain != m.domain || len(n.in) != len(m.in) || len(n.out) > len(m.out) {
		return false
	}
	for i := range n.in {
		if n.in[i] != m.in[i] && g.identity(n.in[i]) != g.identity(m.in[i]) {
			return false
		}
	}
	for i, t := range n.out {
		if t != nil && m.out[i] == nil {
			return false
		}
	}
	count := 0
	for a := range n.InForce {
		count++
		if b := m.Attr(a.Name); b == nil || !sameAttr(a, b) {
			return false
		}
	}
	for range m.InForce {
		count--
	}
	return count == 0
}

// sameAttr compares attributes; graphs and types are never taken for equal.
func sameAttr(a, b *onnx.Attribute) bool {
	if a.Type != b.Type {
		return false
	}
	switch a.Type {
	case onnx.AttrFloat:
		return a.F == b.F
	case onnx.AttrInt:
		return a.I == b.I
	case onnx.AttrString:
		return a.S == b.S
	case onnx.AttrFloats:
		return slices.Equal(a.Floats, b.Floats)
	case onnx.AttrInts:
		return slices.Equal(a.Ints, b.Ints)
	case onnx.AttrStrings:
		return slices.Equal(a.Strings, b.Strings)
	case onnx.AttrTensor:
		return a.T.Equal(b.T)
	}
	return false
}
