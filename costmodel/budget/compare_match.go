package budget

import (
	"fmt"
	"slices"
	"strings"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/op"
)

// layer is a node with what matching needs: where its data comes from and goes to, and a signature that two layers share
// which do the same to tensors of the same shapes.
type layer struct {
	name, op  string
	node      *analyzer.Node // nil for a kernel that the runtime adds
	signature string
	figures   LayerFigures
	from, to  []*layer

	twin *layer // in the other model
	into *layer // in the other model: the layer that this one was fused into, or split from
}

// signature is the operator, the shapes of data and results, and the attributes that decide what is done to them.
func (s *side) signature(l *layer) string {
	var b strings.Builder
	b.WriteString(l.op)
	shapes := func(vs []*op.Value) {
		for _, v := range vs {
			if v == nil {
				b.WriteString(" -")
				continue
			}
			bound := *v
			bound.Shape = make(op.Shape, len(v.Shape))
			for i, d := range v.Shape {
				bound.Shape[i] = d.Bind(s.env)
			}
			fmt.Fprint(&b, " ", bound.String())
		}
	}
	shapes(l.node.Inputs)
	b.WriteString(" →")
	shapes(l.node.Outputs)
	fmt.Fprint(&b, " ", l.figures.MACs, " ", l.figures.FLOPs)
	return b.String()
}

// matchLayers pairs the layers of two models:
//
//  1. layers of the same name and signature;
//  2. of what is left, the longest common sequence of signatures: layers that only got another name;
//  3. layers of the same name and operator, whose figures changed;
//  4. layers of the same name, whose operator changed;
//  5. layers between the same neighbours with the same operator, which got another name and other figures;
//  6. layers between the same neighbours with as many MACs, which got another name and operator, as fusion does.
func matchLayers(a, b *side) {
	pairUnique(a, b, func(l *layer) string { return l.name + "\x00" + l.signature })
	common(a, b)
	pairUnique(a, b, func(l *layer) string { return l.name + "\x00" + l.op })
	pairUnique(a, b, func(l *layer) string { return l.name })
	neighbours(a, func(l *layer) string { return l.op })
	neighbours(a, func(l *layer) string {
		if l.figures.MACs == 0 {
			return ""
		}
		return fmt.Sprint(l.figures.MACs)
	})
}

// free are the layers without a twin, in their order.
func (s *side) free() []*layer {
	var out []*layer
	for _, l := range s.layers {
		if l.twin == nil {
			out = append(out, l)
		}
	}
	return out
}

func pair(x, y *layer) { x.twin, y.twin = y, x }

// pairUnique pairs layers whose key occurs once on each side.
func pairUnique(a, b *side, key func(*layer) string) {
	count := func(ls []*layer) map[string][]*layer {
		m := map[string][]*layer{}
		for _, l := range ls {
			m[key(l)] = append(m[key(l)], l)
		}
		return m
	}
	fa, fb := a.free(), count(b.free())
	once := count(fa)
	for _, l := range fa {
		k := key(l)
		if other := fb[k]; len(other) == 1 && len(once[k]) == 1 && l.name != "" {
			pair(l, other[0])
		}
	}
}

// maxTable bounds the table of the longest common sequence; larger rests are paired greedily.
const maxTable = 1 << 24

// common pairs the longest common sequence of signatures. Both ends are usually equal and cost nothing.
func common(a, b *side) {
	x, y := a.free(), b.free()
	for len(x) > 0 && len(y) > 0 && x[0].signature == y[0].signature {
		pair(x[0], y[0])
		x, y = x[1:], y[1:]
	}
	for len(x) > 0 && len(y) > 0 && x[len(x)-1].signature == y[len(y)-1].signature {
		pair(x[len(x)-1], y[len(y)-1])
		x, y = x[:len(x)-1], y[:len(y)-1]
	}
	if len(x)*len(y) > maxTable {
		greedy(x, y)
		return
	}
	n := len(y) + 1
	longest := make([]int32, (len(x)+1)*n)
	for i := len(x) - 1; i >= 0; i-- {
		for j := len(y) - 1; j >= 0; j-- {
			if x[i].signature == y[j].signature {
				longest[i*n+j] = longest[(i+1)*n+j+1] + 1
			} else {
				longest[i*n+j] = max(longest[(i+1)*n+j], longest[i*n+j+1])
			}
		}
	}
	for i, j := 0, 0; i < len(x) && j < len(y); {
		switch {
		case x[i].signature == y[j].signature:
			pair(x[i], y[j])
			i, j = i+1, j+1
		case longest[(i+1)*n+j] >= longest[i*n+j+1]:
			i++
		default:
			j++
		}
	}
}

// greedy pairs equal signatures in order of appearance.
func greedy(x, y []*layer) {
	queue := map[string][]*layer{}
	for _, l := range y {
		queue[l.signature] = append(queue[l.signature], l)
	}
	for _, l := range x {
		if q := queue[l.signature]; len(q) > 0 {
			pair(l, q[0])
			queue[l.signature] = q[1:]
		}
	}
}

// neighbours pairs layers of the same key that lie behind the same layer, or before it, and are the only ones there. An
// empty key pairs with nothing.
func neighbours(a *side, key func(*layer) string) {
	alone := func(ls []*layer, k string) *layer {
		var found *layer
		for _, l := range ls {
			if l.twin == nil && key(l) == k && k != "" {
				if found != nil {
					return nil
				}
				found = l
			}
		}
		return found
	}
	for _, l := range a.layers {
		if l.twin != nil {
			continue
		}
		for _, p := range l.from {
			if p.twin != nil && alone(p.to, key(l)) == l {
				if y := alone(p.twin.to, key(l)); y != nil {
					pair(l, y)
					break
				}
			}
		}
	}
	for i := len(a.layers) - 1; i >= 0; i-- {
		l := a.layers[i]
		for _, n := range l.to {
			if l.twin == nil && n.twin != nil && alone(n.from, key(l)) == l {
				if y := alone(n.twin.from, key(l)); y != nil {
					pair(l, y)
				}
			}
		}
	}
}

// absorb finds what was fused: a chain of layers without twins hangs on a layer whose twin is not what it was (another
// operator, other operands) and leads where that twin leads. A layer that is gone while its neighbour is unchanged was
// removed, not fused. Seen from the other side the same is a split.
func absorb(s *side) {
	for _, l := range s.layers {
		if l.twin != nil || l.node == nil || len(l.to) == 0 && l.figures.Bytes == 0 {
			continue
		}
		root := l
		for root.twin == nil && len(root.from) == 1 {
			root = root.from[0]
		}
		if root.twin == nil || root.signature == root.twin.signature {
			continue
		}
		if leads(l, root.twin) {
			l.into = root.twin
		}
	}
}

// leads says whether the paired layers that data of l reaches first are fed by y, or both end the model.
func leads(l, y *layer) bool {
	if len(l.to) == 0 {
		return ends(y)
	}
	for _, n := range l.to {
		switch {
		case n.twin != nil && slices.Contains(n.twin.from, y):
			return true
		case n.twin == nil && len(n.from) == 1 && leads(n, y):
			return true
		}
	}
	return false
}

func ends(y *layer) bool { return len(y.to) == 0 }

// rows writes the layers down, in the order of the new model, with removed layers behind what stood before them.
func (c *Comparison) rows(a, b *side) {
	matchLayers(a, b)
	absorb(a)
	absorb(b)
	groupA, groupB := absorbed(a), absorbed(b)
	gone := map[*layer][]*layer{} // removed layers behind the old layer that stays
	var first []*layer
	var last *layer
	for _, l := range a.layers {
		switch {
		case l.twin != nil:
			last = l
		case l.into != nil:
		case last == nil:
			first = append(first, l)
		default:
			gone[last] = append(gone[last], l)
		}
	}
	c.Layers = []LayerChange{}
	c.removed(first)
	for _, y := range b.layers {
		switch {
		case y.into != nil: // with what it was split from
		case y.twin == nil:
			c.row(LayerAdded, nil, []*layer{y})
		default:
			x := y.twin
			old, now := append([]*layer{x}, groupA[y]...), append([]*layer{y}, groupB[x]...)
			c.row(state(old, now), old, now)
			c.removed(gone[x])
		}
	}
}

func (c *Comparison) removed(ls []*layer) {
	for _, l := range ls {
		c.row(LayerRemoved, []*layer{l}, nil)
	}
}

// absorbed groups the layers of a side by the layer of the other side that took them in.
func absorbed(s *side) map[*layer][]*layer {
	m := map[*layer][]*layer{}
	for _, l := range s.layers {
		if l.into != nil {
			m[l.into] = append(m[l.into], l)
		}
	}
	return m
}

func state(old, now []*layer) LayerStatus {
	x, y := old[0], now[0]
	switch {
	case len(old) > 1 && len(now) == 1:
		return LayerFused
	case len(old) == 1 && len(now) > 1:
		return LayerSplit
	case len(old) > 1 || x.signature != y.signature || x.figures.Params != y.figures.Params || x.figures.Bytes != y.figures.Bytes:
		return LayerChanged
	case x.name != y.name:
		return LayerRenamed
	}
	return LayerSame
}

// row adds a row, or counts it where nothing changed. A layer of the same work can still take another time: what lies
// before and behind it may have changed.
func (c *Comparison) row(status LayerStatus, old, now []*layer) {
	r := LayerChange{Status: status, Old: []string{}, New: []string{}}
	for _, l := range old {
		r.Old, r.Op = append(r.Old, l.name), l.op
		r.Before.add(l.figures)
	}
	for i, l := range now {
		if i == 0 {
			r.Op = l.op
		}
		r.New = append(r.New, l.name)
		r.After.add(l.figures)
	}
	if status == LayerSame && r.Before == r.After {
		c.Same++
		return
	}
	c.Layers = append(c.Layers, r)
}
