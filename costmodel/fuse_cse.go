package costmodel

import (
	"hash/maphash"
	"math"
	"slices"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/op"
)

// mergeDuplicates lets nodes that compute the same from the same operands be one: same operator, same attributes, same
// inputs, where constants with one element are the same when their values are. Control flow, random numbers and
// DequantizeLinear stay apart, and so does what makes a graph output. (ONNX Runtime: ConstantSharing and
// CommonSubexpressionElimination.)
func mergeDuplicates(g *graph) bool {
	var h maphash.Hash
	h.SetSeed(cseSeed)
	first := make(map[uint64]*gnode, len(g.nodes))
	changed := false
	for _, n := range g.topological() {
		if n.dead || len(n.captured) > 0 || n.rule != nil && (n.rule.Volatile || n.rule.Class == op.ControlFlow) ||
			n.is("DequantizeLinear") || len(n.in) == 0 {
			continue
		}
		key := n.hash(&h)
		m := first[key]
		if m == nil || m.dead {
			first[key] = n
			continue
		}
		if !n.same(m) || slices.ContainsFunc(n.out, func(t *tensor) bool { return t != nil && t.output }) {
			continue
		}
		for i, t := range n.out {
			if t != nil {
				g.redirect(t, m.out[i])
			}
		}
		g.remove(n)
		changed = true
	}
	return changed
}

var cseSeed = maphash.MakeSeed() // only decides which buckets are compared, never the outcome

func (n *gnode) hash(h *maphash.Hash) uint64 {
	h.Reset()
	h.WriteString(n.op)
	h.WriteString(n.domain)
	for _, t := range n.in {
		maphash.WriteComparable(h, identity(t))
	}
	return h.Sum64()
}

// ident stands for the value of a tensor: its number, or what it holds where that is one shared element.
type ident struct {
	id    int
	bits  uint64
	dtype onnx.DType
	rank  int
}

func identity(t *tensor) ident {
	if t == nil {
		return ident{id: -1}
	}
	if t.isConst() && len(t.val.Shape) <= 1 {
		if v, ok := scalar(t); ok {
			return ident{-2, math.Float64bits(v), t.val.DType, len(t.val.Shape)}
		}
	}
	return ident{id: t.val.ID}
}

// same reports whether n computes what m does.
func (n *gnode) same(m *gnode) bool {
	if n.op != m.op || n.domain != m.domain || len(n.in) != len(m.in) || len(n.out) > len(m.out) {
		return false
	}
	for i := range n.in {
		if n.in[i] != m.in[i] && identity(n.in[i]) != identity(m.in[i]) {
			return false
		}
	}
	for i, t := range n.out {
		if t != nil && m.out[i] == nil {
			return false
		}
	}
	count := 0
	for a := range n.attributes {
		count++
		if b := m.attr(a.Name); b == nil || !sameAttr(a, b) {
			return false
		}
	}
	for range m.attributes {
		count--
	}
	return count == 0
}

// attributes yields the attributes in force.
func (n *gnode) attributes(yield func(*onnx.Attribute) bool) {
	for i := range n.attrs {
		if !yield(&n.attrs[i]) {
			return
		}
	}
	if n.proto == nil {
		return
	}
	for i := range n.proto.Attributes {
		a := &n.proto.Attributes[i]
		if n.attr(a.Name) == a && !yield(a) {
			return
		}
	}
}

// sameAttr compares plain attributes; tensors and graphs are never taken for equal.
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
	}
	return false
}
