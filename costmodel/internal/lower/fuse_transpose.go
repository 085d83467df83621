package lower

import (
	"slices"

	"github.com/onnxcost/onnxcost/analyzer/op"
)

// transposer moves Transpose nodes through the graph towards others that they cancel with. It works on the nodes in
// execution order and, where one reads a Transpose, pushes the Transpose below it if fewer axes are transposed
// then, counting the axes that are not known to be 1. (ONNX Runtime: TransposeOptimizer; the heuristics are those of
// onnx_transpose_optimization.cc, for opsets 7 and up.)
type transposer struct {
	*graph
	leads map[*tensor]bool // from here supported operators lead to a Transpose
}

// perm is a permutation of axes: axis i of the result is axis perm[i] of the operand.
type perm []int64

func (p perm) inverse() perm {
	q := make(perm, len(p))
	for i, x := range p {
		q[x] = int64(i)
	}
	return q
}

// after is the permutation that p followed by q makes.
func (p perm) after(q perm) perm {
	out := make(perm, len(q))
	for i, x := range q {
		out[i] = p[x]
	}
	return out
}

func (p perm) identity() bool {
	for i, x := range p {
		if x != int64(i) {
			return false
		}
	}
	return true
}

// squeeze is p without the axes of the operand that are taken away.
func (p perm) squeeze(axes []int64) perm {
	to := make([]int64, len(p))
	next := int64(0)
	for i := range p {
		if !slices.Contains(axes, int64(i)) {
			to[i] = next
			next++
		}
	}
	out := make(perm, 0, len(p))
	for _, x := range p {
		if !slices.Contains(axes, x) {
			out = append(out, to[x])
		}
	}
	return out
}

// unsqueeze is p with axes of extent 1 put in at the given places of the result, which stay where they are.
func (p perm) unsqueeze(axes []int64) perm {
	n := len(p) + len(axes)
	var to []int64
	for i := range n {
		if !slices.Contains(axes, int64(i)) {
			to = append(to, int64(i))
		}
	}
	out := make(perm, 0, n)
	next := 0
	for i := range n {
		if slices.Contains(axes, int64(i)) {
			out = append(out, int64(i))
			continue
		}
		out = append(out, to[p[next]])
		next++
	}
	return out
}

func permuteShape(s op.Shape, p perm) op.Shape {
	if len(s) != len(p) {
		return s
	}
	out := make(op.Shape, len(s))
	for i, x := range p {
		out[i] = s[x]
	}
	return out
}

// transposePerm returns the permutation of a Transpose; nil for other nodes and where it is not known.
func transposePerm(n *gnode) perm {
	if n == nil || !n.is("Transpose") {
		return nil
	}
	p := perm(n.IntsAttr("perm"))
	if p == nil {
		return nil // the runtime takes only written permutations into account
	}
	seen := make([]bool, len(p))
	for _, x := range p {
		if x < 0 || int(x) >= len(p) || seen[x] {
			return nil
		}
		seen[x] = true
	}
	return p
}

// pushTransposes runs the optimisation once over the graph.
func pushTransposes(g *graph) bool {
	t := &transposer{graph: g, leads: map[*tensor]bool{}}
	order := g.topological()
	for i := len(order) - 1; i >= 0; i-- {
		n := order[i]
		if n.is("Transpose") {
			t.leads[n.in[0]] = true
			continue
		}
		for _, o := range n.out {
			if o == nil || !t.leads[o] {
				continue
			}
			if h := handlerOf(n); h != nil && h.transposes {
				for _, j := range h.inputs(g, n) {
					t.leads[n.in[j]] = true
				}
			}
		}
	}
	changed := false
	for _, n := range order {
		if n.dead {
			continue
		}
		for j, in := range n.in {
			if in == nil {
				continue
			}
			p := transposePerm(in.from)
			if p != nil && t.process(in.from, n, p, j) {
				changed = true
				break
			}
		}
	}
	return changed
}

// pushTransposesOnCPU is pushTransposes once nodes are assigned to the CPU provider.
func pushTransposesOnCPU(g *graph) bool {
	g.onCPU = true
	return pushTransposes(g)
}

// process pushes a Transpose through its reader n where that pays.
func (t *transposer) process(transpose, n *gnode, p perm, input int) bool {
	h := handlerOf(n)
	if h == nil {
		return false
	}
	inputs := h.inputs(t.graph, n)
	if !slices.Contains(inputs, input) {
		return false
	}
	always := n.is("Transpose") || t.onCPU && n.is("MaxPool")
	if !always && t.cost(n, p, h, inputs) >= 0 {
		return false
	}
	for _, o := range n.out {
		if o != nil {
			t.extents(o) // while the node is as inference saw it
		}
	}
	return h.push(&push{t, transpose, n, p, p.inverse(), inputs})
}

// cost is the change in the number of transposed axes before the node; where that falls, plus those of the result unless
// another Transpose waits below.
func (t *transposer) cost(n *gnode, p perm, h *handler, inputs []int) int {
	cost := 0
	for _, j := range inputs {
		cost += t.inputCost(n.in[j], p)
	}
	if cost >= 0 || !h.transposes {
		return cost
	}
	out, leads := 0, false
	for _, o := range n.out {
		if o != nil {
			out = max(out, t.weight(o))
			leads = leads || t.leads[o]
		}
	}
	if !leads {
		cost += out
	}
	return cost
}

func (t *transposer) inputCost(in *tensor, p perm) int {
	if in == nil {
		return 5
	}
	if in.isConst() {
		return 0
	}
	if q := transposePerm(in.from); q != nil {
		if slices.Equal(q, p) && t.removable(in) {
			return -t.weight(in)
		}
		return 0
	}
	return t.weight(in)
}

// removable reports whether every reader of a transposed tensor could take it untransposed.
func (t *transposer) removable(out *tensor) bool {
	if out.pinned() {
		return false
	}
	for _, u := range out.uses {
		if handlerOf(u.node) == nil {
			return false
		}
	}
	return true
}

// weight is the number of axes that are not known to be 1; 5 where the rank is not known.
func (t *transposer) weight(x *tensor) int {
	if t.knownRank(x) < 0 {
		return 5
	}
	w := 0
	for i := range x.val.Shape {
		if v, ok := t.knownDim(x, i); !ok || v != 1 {
			w++
		}
	}
	return w
}

// transpose makes a Transpose of x.
func (t *transposer) transpose(x *tensor, p perm) *tensor {
	n := t.add("Transpose", "", "Transpose", x)
	n.SetInts("perm", p)
	out := t.newTensor(x.val.Name+"_transposed", x.val, permuteShape(x.val.Shape, p))
	t.addOutput(n, out)
	t.follow(out, x, p)
	return out
}

// follow notes what is known of the extents of a tensor that holds another's axes in a new order.
func (t *transposer) follow(out, x *tensor, p perm) {
	e := t.extents(x)
	seen := extents{ranked: e.ranked}
	for i, a := range p {
		seen.known |= e.known >> a & 1 << i
	}
	out.seen, out.epoch = seen, t.epoch
}

// transposeInput lets input i of n be transposed by p: constants are rewritten, an inverse Transpose above goes, others
// are composed, and an existing one of the same tensor is used again.
func (t *transposer) transposeInput(n *gnode, i int, p, inv perm) {
	x := n.in[i]
	if x == nil {
		return
	}
	if x.isConst() {
		if c, ok := x.val.Elements(); ok && c.Is(1) {
			return
		}
		t.setInput(n, i, t.permuteConst(x, p))
		return
	}
	t.setInput(n, i, nil)
	if q := transposePerm(x.from); q != nil && len(q) == len(p) {
		above := x.from
		if slices.Equal(q, inv) {
			t.setInput(n, i, above.in[0])
		} else {
			t.setInput(n, i, t.transpose(above.in[0], q.after(p)))
		}
		t.dropUnread(above)
		return
	}
	for _, u := range x.uses {
		if u.arg == 0 && slices.Equal(transposePerm(u.node), p) {
			t.setInput(n, i, u.node.out[0])
			return
		}
	}
	t.setInput(n, i, t.transpose(x, p))
}

// permuteConst is a constant with its axes permuted; a vector with one element per axis has its elements permuted.
func (t *transposer) permuteConst(x *tensor, p perm) *tensor {
	if len(x.val.Shape) == 1 && x.val.Shape[0].Is(int64(len(p))) {
		return t.permuteVector(x, p)
	}
	return t.newConst(x.val, permuteShape(x.val.Shape, p))
}

// permuteVector is a constant vector with its elements in a new order.
func (t *transposer) permuteVector(x *tensor, p perm) *tensor {
	c := t.newConst(x.val, x.val.Shape)
	if v, ok := intsOf(x.val); ok && len(v) == len(p) {
		c.val.Data = &op.Data{}
		for _, a := range p {
			c.val.Data.Nums = append(c.val.Data.Nums, op.IntOf(v[a]))
		}
	}
	return c
}

// dropUnread removes a node that nothing reads any more.
func (t *transposer) dropUnread(n *gnode) {
	if !n.dead && !n.read() && !n.out[0].output {
		t.remove(n)
	}
}

// transposeOutput puts a Transpose behind output i of n, which is transposed by p's inverse from now on. It returns what
// holds the old values.
func (t *transposer) transposeOutput(n *gnode, i int, p, inv perm) *tensor {
	m := t.add("Transpose", "", "Transpose", nil)
	m.SetInts("perm", p)
	old := n.out[i]
	seen := t.extents(old)
	t.moveOutput(n, i, m, 0)
	inner := n.out[i]
	inner.val.Shape = permuteShape(old.val.Shape, inv)
	t.setInput(m, 0, inner)
	old.seen, old.epoch = seen, t.epoch
	t.follow(inner, old, inv)
	return old
}

func (t *transposer) transposeOutputs(n *gnode, p perm) {
	if p.identity() {
		return
	}
	for i := range n.out {
		if n.out[i] != nil {
			t.transposeOutput(n, i, p, p.inverse())
		}
	}
}

// unsqueezeInput gives input i of n leading axes of extent 1, so that all operands have the same rank.
func (t *transposer) unsqueezeInput(n *gnode, i int, axes []int64) {
	x := n.in[i]
	shape := unsqueezeShape(x.val.Shape, axes)
	if x.isConst() {
		t.setInput(n, i, t.newConst(x.val, shape))
		return
	}
	t.setInput(n, i, nil)
	if sq := x.from; sq != nil && sq.is("Squeeze") {
		if have, ok := axesOf(sq, len(sq.in[0].val.Shape)); ok && slices.Equal(have, axes) {
			t.setInput(n, i, sq.in[0])
			t.dropUnread(sq)
			return
		}
	}
	u := t.add("Unsqueeze", "", "Unsqueeze", x, t.shapeConst(axes...))
	out := t.newTensor(x.val.Name+"_unsqueezed", x.val, shape)
	t.addOutput(u, out)
	if p := transposePerm(x.from); p != nil {
		a := &push{t, x.from, u, p, p.inverse(), []int{0}}
		t.setInput(n, i, a.pushUnsqueeze(axes))
		return
	}
	t.setInput(n, i, out)
}

func unsqueezeShape(s op.Shape, axes []int64) op.Shape {
	out := make(op.Shape, 0, len(s)+len(axes))
	at := 0
	for i := range len(s) + len(axes) {
		if slices.Contains(axes, int64(i)) {
			out = append(out, op.Consts(1)...)
			continue
		}
		out = append(out, s[at])
		at++
	}
	return out
}
