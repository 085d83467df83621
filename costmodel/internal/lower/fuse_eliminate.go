package lower

import (
	"math"
	"slices"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/op"
)

// A rewriteRule looks at one node and rewrites the graph around it; it reports whether it did.
type rewriteRule func(g *graph, n *gnode) bool

// eliminations are the rules that take away nodes without an effect. (ONNX Runtime: EliminateIdentity, EliminateSlice,
// UnsqueezeElimination, EliminateDropout, ExpandElimination, CastElimination, PreShapeNodeElimination,
// NoopElimination, FuseReluClip, NotWhereFusion, DivMulFusion.)
var eliminations = map[string][]rewriteRule{
	"Identity": {eliminateIdentity},
	"Slice":    {eliminateSlice},
	"Dropout":  {eliminateDropout},
	"Expand":   {eliminateExpand},
	"Cast":     {eliminateCast, eliminateBeforeShape},
	"Add":      {eliminateNeutral},
	"Sub":      {eliminateNeutral},
	"Mul":      {eliminateNeutral},
	"Div":      {eliminateNeutral, foldReciprocal},
	"Relu":     {fuseReluClip},
	"Where":    {fuseNotWhere},
}

// eliminateIdentity removes an Identity. Where its output is a graph output, the producer takes the output's name, if
// nothing else reads it.
func eliminateIdentity(g *graph, n *gnode) bool {
	in, out := n.in[0], n.out[0]
	if in == nil || out == nil {
		return false
	}
	if !out.output {
		return g.eliminate(n, in)
	}
	if len(out.uses) > 0 || in.from == nil || in.output || len(in.uses) != 1 {
		return false
	}
	p, slot := in.from, in.slot
	g.fold(p, n)
	g.moveOutput(n, 0, p, slot)
	g.remove(n)
	return true
}

// eliminate removes n and lets its readers read t, where the runtime's graph utilities can: n has one operand, or one
// that a node makes.
func (g *graph) eliminate(n *gnode, t *tensor) bool {
	made := 0
	for _, in := range n.in {
		if in != nil && in.from != nil {
			made++
		}
	}
	if made != 1 && len(n.in) != 1 {
		return false
	}
	return g.bypass(n, t)
}

// eliminateSlice removes a Slice that takes everything: starts of 0, ends beyond any extent, steps of 1.
func eliminateSlice(g *graph, n *gnode) bool {
	if n.out[0].output {
		return false
	}
	starts, ends := n.IntsAttr("starts"), n.IntsAttr("ends")
	if starts == nil {
		var ok1, ok2 bool
		starts, ok1 = ints(n.arg(1))
		ends, ok2 = ints(n.arg(2))
		if !ok1 || !ok2 {
			return false
		}
	}
	if t := n.arg(4); t != nil {
		steps, ok := ints(t)
		if !ok || slices.ContainsFunc(steps, func(s int64) bool { return s != 1 }) {
			return false
		}
	}
	for i := range starts {
		if starts[i] > 0 || starts[i] < 0 || i >= len(ends) || ends[i] < math.MaxInt64 {
			return false
		}
	}
	return g.eliminate(n, n.in[0])
}

// eliminateDropout removes a Dropout whose mask nobody reads. Since opset 12 a ratio above 0 keeps it, whether or not
// it is in training.
func eliminateDropout(g *graph, n *gnode) bool {
	if len(n.out) > 1 && n.out[1] != nil && (len(n.out[1].uses) > 0 || n.out[1].output) {
		return false
	}
	if len(n.in) > 1 {
		if v, ok := scalar(n.in[1]); !ok || v > 0 {
			return false
		}
	}
	return g.eliminate(n, n.in[0])
}

// eliminateExpand removes an Expand to the shape that its input is known to have.
func eliminateExpand(g *graph, n *gnode) bool {
	want, ok := ints(n.arg(1))
	if !ok || g.knownRank(n.in[0]) < len(want) || n.in[0].isConst() {
		return false
	}
	off := len(n.in[0].val.Shape) - len(want)
	for i, w := range want {
		if have, ok := g.knownDim(n.in[0], off+i); w != 1 && (!ok || have != w) {
			return false
		}
	}
	return g.eliminate(n, n.in[0])
}

// eliminateCast removes a Cast to the type that its input has.
func eliminateCast(g *graph, n *gnode) bool {
	if int64(n.in[0].val.DType) != n.IntAttr("to", 0) {
		return false
	}
	return g.eliminate(n, n.in[0])
}

// eliminateBeforeShape lets Shape read what the Cast reads.
func eliminateBeforeShape(g *graph, n *gnode) bool {
	out := n.out[0]
	if out.pinned() || len(out.uses) == 0 {
		return false
	}
	for _, u := range out.uses {
		if !u.node.is("Shape") {
			return false
		}
	}
	return g.eliminate(n, n.in[0])
}

// eliminateNeutral removes the addition of 0 and the multiplication by 1.
func eliminateNeutral(g *graph, n *gnode) bool {
	neutral := 0.0
	if n.is("Mul", "Div") {
		neutral = 1
	}
	if len(n.in) != 2 {
		return false // a file may say so; inference takes what is there
	}
	for i := 1; i >= 0; i-- {
		if i == 0 && n.is("Sub", "Div") {
			break
		}
		c, x := n.in[i], n.in[1-i]
		v, ok := scalar(c)
		if !ok || v != neutral || x.isConst() {
			continue
		}
		if r := g.knownRank(x); len(c.val.Shape) > 0 && (r < 0 || r < len(c.val.Shape)) {
			continue // the constant's axes could be more than x has
		}
		return g.eliminate(n, x)
	}
	return false
}

// foldReciprocal turns (1/x)·y into y/x.
func foldReciprocal(g *graph, n *gnode) bool {
	if v, ok := scalar(n.in[0]); !ok || v != 1 {
		return false
	}
	m := n.next()
	if m == nil || !m.is("Mul") || n.out[0].output {
		return false
	}
	y := m.in[0]
	if y == n.out[0] {
		y = m.in[1]
	}
	if y == n.out[0] {
		return false
	}
	x := n.in[1]
	g.setInput(n, 0, y)
	g.setInput(n, 1, x)
	g.fold(n, m)
	g.handOver(m, 0, n, 0)
	g.remove(m)
	return true
}

// fuseReluClip drops a Relu before a Clip with a constant lower bound, which takes over the bound of 0.
func fuseReluClip(g *graph, n *gnode) bool {
	clip := n.next()
	if clip == nil || !clip.is("Clip") || n.out[0].output || clip.in[0] != n.out[0] {
		return false
	}
	if clip.opset() >= 11 {
		if t := clip.arg(1); t != nil && !t.isConst() {
			return false
		}
		if t := clip.arg(1); t == nil || lessThanZero(t) {
			zero := g.newConst(&op.Value{Name: n.name + "_min", DType: n.in[0].val.DType}, op.Shape{})
			zero.val.Data = &op.Data{Nums: []op.Num{op.Float(0)}}
			g.setInput(clip, 1, zero)
		}
	} else if a := clip.Attr("min"); a == nil || a.F < 0 {
		clip.SetAttr(onnx.Attribute{Name: "min", Type: onnx.AttrFloat})
	}
	clip.src = append(n.src, clip.src...)
	n.src = nil
	return g.bypass(n, n.in[0])
}

func lessThanZero(t *tensor) bool {
	v, ok := scalar(t)
	return ok && v < 0
}

// opset is the version of the node's domain.
func (n *gnode) opset() int64 {
	if n.origin != nil {
		return n.origin.Opset
	}
	return 1
}

// fuseNotWhere swaps the branches of a Where instead of negating its condition.
func fuseNotWhere(g *graph, n *gnode) bool {
	not := n.producer(0)
	if not == nil || !not.is("Not") || not.out[0].output || not.out[0].pinned() {
		return false
	}
	for _, u := range not.out[0].uses { // all readers are Where nodes that can do the same
		if !u.node.is("Where") || u.arg != 0 {
			return false
		}
	}
	for _, u := range slices.Clone(not.out[0].uses) {
		w := u.node
		x, y := w.in[1], w.in[2]
		g.setInput(w, 0, not.in[0])
		g.setInput(w, 1, y)
		g.setInput(w, 2, x)
	}
	g.remove(not)
	return true
}
