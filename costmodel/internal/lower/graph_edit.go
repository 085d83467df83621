package lower

import (
	"math"
	"slices"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/op"
	"github.com/onnxcost/onnxcost/costmodel/plan"
)

// tensorOf returns the tensor of a value of the report.
func (g *graph) tensorOf(v *op.Value) *tensor {
	if v == nil {
		return nil
	}
	if t := g.tensors[v.ID]; t != nil {
		return t
	}
	t := g.allocTensor()
	t.val = v
	g.tensors[v.ID] = t
	return t
}

func (g *graph) allocTensor() *tensor {
	if len(g.tensorSlab) == cap(g.tensorSlab) {
		g.tensorSlab = make([]tensor, 0, 64)
	}
	g.tensorSlab = append(g.tensorSlab, tensor{})
	return &g.tensorSlab[len(g.tensorSlab)-1]
}

// newTensor makes a tensor that the report does not have.
func (g *graph) newTensor(name string, like *op.Value, shape op.Shape) *tensor {
	if len(g.valueSlab) == cap(g.valueSlab) {
		g.valueSlab = make([]op.Value, 0, 32)
	}
	g.valueSlab = append(g.valueSlab, op.Value{Name: name, Kind: onnx.KindTensor, DType: like.DType,
		Ranked: shape != nil || like.Ranked && len(like.Shape) == 0, Shape: shape, ID: g.nextID})
	t := g.allocTensor()
	t.val = &g.valueSlab[len(g.valueSlab)-1]
	g.nextID++
	return t
}

// addUse records a reader. Most tensors have one, so that one comes from the slab.
func (g *graph) addUse(t *tensor, u use) {
	if cap(t.uses) == 0 {
		if len(g.useSlab) == 0 {
			g.useSlab = make([]use, 64)
		}
		t.uses, g.useSlab = g.useSlab[:0:1], g.useSlab[1:]
	}
	t.uses = append(t.uses, u)
}

// newShape is a copy of s that may be changed.
func (g *graph) newShape(s op.Shape) op.Shape {
	if len(g.shapeSlab) < len(s) {
		g.shapeSlab = make([]dim.Dim, 128+len(s))
	}
	out := op.Shape(g.shapeSlab[:len(s):len(s)])
	g.shapeSlab = g.shapeSlab[len(s):]
	copy(out, s)
	return out
}

// newList returns n absent tensors.
func (g *graph) newList(n int) []*tensor {
	if len(g.list)+n > cap(g.list) {
		g.list = make([]*tensor, 0, max(n, 128))
	}
	at := len(g.list)
	g.list = g.list[:at+n]
	out := g.list[at : at+n : at+n]
	clear(out) // a graph before this one may have used them
	return out
}

// newConst makes a constant that the runtime computes from v before the first run.
func (g *graph) newConst(v *op.Value, shape op.Shape) *tensor {
	t := g.newTensor(v.Name, v, shape)
	t.val.Const, t.val.Roots = true, v.Roots
	return t
}

func (g *graph) newNode(opType, domain, name string) *gnode {
	if len(g.nodeSlab) == cap(g.nodeSlab) {
		g.nodeSlab = make([]gnode, 0, 64)
	}
	g.nodeSlab = append(g.nodeSlab, gnode{index: len(g.nodes), op: opType, domain: domain, key: keyOf(opType, domain),
		name: name, layout: plan.LayoutNCHW})
	n := &g.nodeSlab[len(g.nodeSlab)-1]
	g.nodes = append(g.nodes, n)
	g.live[n.key]++
	g.ordered = nil
	return n
}

// add makes a node of the runtime's own, without outputs.
func (g *graph) add(opType, domain, name string, in ...*tensor) *gnode {
	n := g.newNode(opType, domain, name)
	if domain != plan.DomainNCHWc { // the packer knows what its nodes stand for
		if n.rule = op.Lookup(domain, opType, g.opset); n.rule == nil { // the runtime has operators newer than the file's opset
			n.rule = op.Lookup(domain, opType, math.MaxInt64)
		}
	}
	n.in = g.newList(len(in))
	copy(n.in, in)
	for i, t := range n.in {
		if t != nil {
			g.addUse(t, use{n, i})
		}
	}
	return n
}

// output gives n a further output.
func (g *graph) addOutput(n *gnode, t *tensor) {
	t.from, t.slot = n, len(n.out)
	if cap(n.out) == 0 {
		n.out = g.newList(1)[:0]
	}
	n.out = append(n.out, t)
}

// setOp gives n another operator.
func (g *graph) setOp(n *gnode, opType, domain string) {
	g.live[n.key]--
	n.op, n.domain, n.key = opType, domain, keyOf(opType, domain)
	g.live[n.key]++
}

// dropUse takes a reader away. Readers go mostly in the order in which they came or in the reverse, so that it looks from
// both ends and moves what lies at the nearer one.
func (t *tensor) dropUse(n *gnode, arg int) {
	u, last := use{n, arg}, len(t.uses)-1
	for i := 0; i <= last-i; i++ {
		switch u {
		case t.uses[i]:
			copy(t.uses[1:i+1], t.uses[:i])
			t.uses = t.uses[1:]
			return
		case t.uses[last-i]:
			t.uses = slices.Delete(t.uses, last-i, last-i+1)
			return
		}
	}
}

// setInput makes t input i of n; nil takes the input away.
func (g *graph) setInput(n *gnode, i int, t *tensor) {
	if len(n.in) <= i {
		in := g.newList(i + 1)
		copy(in, n.in)
		n.in = in
	}
	if old := n.in[i]; old != nil {
		old.dropUse(n, i)
	}
	n.in[i] = t
	if t != nil {
		g.addUse(t, use{n, i})
	}
	g.ordered = nil
}

// redirect makes every argument that reads from read to. Bodies that capture from keep it alive under its name.
func (g *graph) redirect(from, to *tensor) {
	uses := from.uses
	from.uses = nil // at once: taking many away one by one takes the square of their number
	for _, u := range uses {
		if u.arg >= 0 {
			g.setInput(u.node, u.arg, to)
			continue
		}
		u.node.captured[slices.Index(u.node.captured, from)] = to
		to.uses = append(to.uses, use{u.node, -1})
	}
	g.ordered = nil
}

// moveOutput makes output i of from output j of to: the tensor keeps its name and its readers. from gets a new, unread
// tensor in its place.
func (g *graph) moveOutput(from *gnode, i int, to *gnode, j int) {
	t := from.out[i]
	from.out[i] = g.newTensor(t.val.Name, t.val, t.val.Shape)
	from.out[i].from, from.out[i].slot = from, i
	for len(to.out) <= j {
		to.out = append(to.out, nil)
	}
	to.out[j] = t
	t.from, t.slot = to, j
	g.ordered = nil
}

// handOver makes output i of from output j of to, which takes its place; from is left without.
func (g *graph) handOver(from *gnode, i int, to *gnode, j int) {
	t := from.out[i]
	from.out[i] = nil
	if len(to.out) <= j {
		out := g.newList(j + 1)
		copy(out, to.out)
		to.out = out
	}
	to.out[j] = t
	t.from, t.slot = to, j
	g.ordered = nil
}

// remove takes n out of the graph. Its sources become free unless another node has taken them over.
func (g *graph) remove(n *gnode) {
	for i, t := range n.in {
		if t != nil {
			t.dropUse(n, i)
		}
	}
	for _, t := range n.captured {
		t.dropUse(n, -1)
	}
	n.dead = true
	g.live[n.key]--
	g.free = append(g.free, n.src...)
	n.src = nil
	g.ordered = nil
}

// absorb makes n do the work of m, which the caller removes.
func (g *graph) absorb(n, m *gnode) {
	g.fold(n, m)
	n.work = addWork(n.work, m.work)
}

// fold makes n stand for m too, whose work went into constants before the first run.
func (g *graph) fold(n, m *gnode) {
	switch {
	case len(m.src) == 0:
	case len(n.src) == 0:
		n.src = m.src
	case len(m.src) > len(n.src): // the longer one grows, so that a chain takes no more than its length
		n.src = append(m.src, n.src...)
	default:
		n.src = append(n.src, m.src...)
	}
	m.src = nil
}

func addWork(a, b op.Work) op.Work {
	if a.MACs.Is(0) && a.Vector.Is(0) && a.Special.Is(0) {
		return b
	}
	a.MACs, a.Vector, a.Special = a.MACs.Add(b.MACs), a.Vector.Add(b.Vector), a.Special.Add(b.Special)
	switch {
	case len(a.Contraction) == 0:
		a.Contraction = b.Contraction
	case len(b.Contraction) > 0:
		a.Contraction = append(slices.Clip(a.Contraction), b.Contraction...)
	}
	return a
}

// only returns the single node that reads t, nil where there is none, more than one, or t is pinned.
func (t *tensor) only() *gnode {
	if len(t.uses) != 1 || t.pinned() {
		return nil
	}
	return t.uses[0].node
}

// next returns the single reader of a node with one used output, nil otherwise.
func (n *gnode) next() *gnode {
	var next *gnode
	for _, t := range n.out {
		if t == nil || len(t.uses) == 0 && !t.output {
			continue
		}
		m := t.only()
		if m == nil || next != nil {
			return nil
		}
		next = m
	}
	return next
}

// bypass removes n and lets the readers of its first output read t instead. It reports false, changing nothing, where
// that would rename a graph output.
func (g *graph) bypass(n *gnode, t *tensor) bool {
	out := n.out[0]
	if out.output {
		return false
	}
	g.redirect(out, t)
	g.remove(n)
	return true
}
