package lower

import (
	"slices"
	"sync"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/costmodel/plan"
)

// A quantised model is float operators between DequantizeLinear (DQ) and QuantizeLinear (Q). A runtime with integer
// kernels takes an operator with the DQ of its operands and the Q of its result as one unit. The passes here are those
// of ONNX Runtime's CPU provider on x86-64: pairs move over operators that only move data, every unit gets a DQ of its
// own, and the units become QLinear operators.

func (n *gnode) quantizes() bool {
	return n != nil && n.op == "QuantizeLinear" && (n.domain == "" || n.domain == plan.DomainMS)
}

func (n *gnode) dequantizes() bool {
	return n != nil && n.op == "DequantizeLinear" && (n.domain == "" || n.domain == plan.DomainMS)
}

// scale and zero are the parameters of a Q or DQ.
func (n *gnode) scale() *tensor { return n.arg(1) }
func (n *gnode) zero() *tensor  { return n.arg(2) }

// scalarParams reports whether a Q or DQ has one constant scale and zero point for the whole tensor.
func (n *gnode) scalarParams() bool {
	if n.scale() == nil || !n.scale().isConst() || n.zero() != nil && !n.zero().isConst() {
		return false
	}
	e, ok := n.scale().val.Elements()
	return ok && e.Is(1)
}

// sameParams reports whether a and b quantise with the same constants.
func (g *graph) sameParams(a, b *gnode) bool {
	same := func(x, y *tensor) bool {
		return x == y || x != nil && y != nil && x.isConst() && y.isConst() && g.identity(x) == g.identity(y)
	}
	return same(a.scale(), b.scale()) && same(a.zero(), b.zero())
}

// onlyReader is the node that reads t, where no other does and no name outside needs t.
func onlyReader(t *tensor) *gnode {
	if t == nil || t.pinned() || len(t.uses) != 1 {
		return nil
	}
	return t.uses[0].node
}

// removeDoubleQDQ removes the middle of Q → DQ → Q → DQ where both pairs have the same parameters. (DoubleQDQPairsRemover.)
func removeDoubleQDQ(g *graph) bool {
	changed := false
	for _, n := range g.topological() {
		if n.dead || !n.quantizes() || !n.scalarParams() {
			continue
		}
		dq := n.producer(0)
		if !dq.dequantizes() || dq.dead || onlyReader(dq.out[0]) != n || !dq.producer(0).quantizes() || !g.sameParams(n, dq) {
			continue
		}
		if g.bypass(n, dq.in[0]) {
			g.remove(dq)
			changed = true
		}
	}
	return changed
}

// movesData reports whether a pair can be moved over n. (QDQPropagationTransformer.)
func (n *gnode) movesData() bool {
	return n.is("MaxPool", "Reshape", "Transpose", "Squeeze", "Unsqueeze") && (len(n.out) < 2 || n.out[1] == nil)
}

// propagateQDQ puts a Q → DQ pair behind data movement that reads a DQ, and before data movement that a Q reads, so that
// the movement becomes a unit of integers.
func propagateQDQ(g *graph) bool {
	changed := false
	for _, n := range g.topological() {
		switch {
		case n.dead:
		case n.dequantizes() && n.scalarParams():
			m := onlyReader(n.out[0])
			if m != nil && m.movesData() && m.in[0] != nil && !m.out[0].output && len(m.out[0].uses) > 0 && !readByQ(m.out[0]) {
				g.insertPair(m.out[0], n) // the next round goes on from the new DQ
				changed = true
			}
		case n.quantizes() && n.scalarParams():
			if m := n.producer(0); m != nil && m.movesData() && onlyReader(m.out[0]) == n && m.in[0] != nil &&
				!m.producer(0).dequantizes() && !m.in[0].isConst() {
				g.insertPairBefore(m, n)
				changed = true
			}
		}
	}
	return changed
}

func readByQ(t *tensor) bool {
	return slices.ContainsFunc(t.uses, func(u use) bool { return u.node.quantizes() })
}

// insertPair puts Q → DQ with the parameters of like between t and its readers.
func (g *graph) insertPair(t *tensor, like *gnode) {
	readers := slices.Clone(t.uses)
	dq := g.pair(t, like)
	for _, u := range readers {
		if u.arg >= 0 {
			g.setInput(u.node, u.arg, dq.out[0])
		}
	}
}

// insertPairBefore puts Q → DQ with the parameters of like before the first input of n.
func (g *graph) insertPairBefore(n, like *gnode) {
	g.setInput(n, 0, g.pair(n.in[0], like).out[0])
}

// pair adds Q → DQ behind t and returns the DQ.
func (g *graph) pair(t *tensor, like *gnode) *gnode {
	quantized := *t.val
	quantized.DType = onnx.Uint8
	if z := like.zero(); z != nil {
		quantized.DType = z.val.DType
	}
	q := g.add("QuantizeLinear", "", t.val.Name+"_q", t, like.scale(), like.zero())
	g.addOutput(q, g.newTensor(t.val.Name+"_q", &quantized, t.val.Shape))
	dq := g.add("DequantizeLinear", "", t.val.Name+"_dq", q.out[0], like.scale(), like.zero())
	g.addOutput(dq, g.newTensor(t.val.Name+"_dq", t.val, t.val.Shape))
	return dq
}

// uniqueDQ gives every reader of a DQ a DQ of its own. (EnsureUniqueDQForNodeUnit.)
func uniqueDQ(g *graph) bool {
	changed := false
	for _, n := range g.topological() {
		if n.dead || !n.dequantizes() {
			continue
		}
		out := n.out[0]
		uses := slices.Clone(out.uses)
		for i, u := range uses {
			if i == 0 && !out.output || u.arg < 0 {
				continue
			}
			d := g.add("DequantizeLinear", n.domain, n.name+"/duplicated", n.in...)
			d.Proto, d.Attrs, d.origin, d.rule = n.Proto, slices.Clone(n.Attrs), n.origin, n.rule
			g.addOutput(d, g.newTensor(out.val.Name+"/duplicated", out.val, out.val.Shape))
			g.setInput(u.node, u.arg, d.out[0])
			changed = true
		}
	}
	return changed
}

// dropBeforeQ removes a Relu before a Q whose zero point is the least value of its type: what it cuts off, the Q cuts off
// too. (ReluQuantFusion, at the second level.)
func dropBeforeQ(g *graph, n *gnode) bool {
	q := n.next()
	if !q.quantizes() || n.out[0].output || q.zero() == nil {
		return false
	}
	zero, ok := scalar(q.zero())
	if !ok {
		return false
	}
	switch q.zero().val.DType {
	case onnx.Uint8:
		ok = zero == 0
	case onnx.Int8:
		ok = zero == -128
	default:
		ok = false
	}
	if !ok {
		return false
	}
	return g.bypass(n, n.in[0])
}

// dropClipBeforeQ removes a Clip before a Q that represents no value outside of the bounds. (ClipQuantFusion.)
func dropClipBeforeQ(g *graph, n *gnode) bool {
	q := n.next()
	if !q.quantizes() || n.out[0].output || q.zero() == nil || !q.scalarParams() {
		return false
	}
	s, ok1 := scalar(q.scale())
	z, ok2 := scalar(q.zero())
	lo, hi := 0.0, 255.0
	if q.zero().val.DType == onnx.Int8 {
		lo, hi = -128, 127
	} else if q.zero().val.DType != onnx.Uint8 {
		return false
	}
	least, most, ok := clipBounds(n)
	if !ok || !ok1 || !ok2 || least > s*(lo-z)+1e-6*s || most < s*(hi-z)-1e-6*s {
		return false
	}
	return g.eliminate(n, n.in[0])
}

// clipBounds returns the constant bounds of a Clip.
func clipBounds(n *gnode) (lo, hi float64, ok bool) {
	const unbounded = 3.4e38
	if n.opset() < 11 {
		return float64(n.FloatAttr("min", -unbounded)), float64(n.FloatAttr("max", unbounded)), true
	}
	lo, hi = -unbounded, unbounded
	for i, v := range []*float64{&lo, &hi} {
		if t := n.arg(1 + i); t != nil {
			if *v, ok = scalar(t); !ok {
				return 0, 0, false
			}
		}
	}
	return lo, hi, true
}

// cancelQDQ removes DQ → Q with the same parameters. (QDQFinalCleanupTransformer.)
func cancelQDQ(g *graph) bool {
	changed := false
	for _, n := range g.topological() {
		dq := n.producer(0)
		if n.dead || !n.quantizes() || !dq.dequantizes() || dq.dead || onlyReader(dq.out[0]) != n || !g.sameParams(n, dq) {
			continue
		}
		if g.bypass(n, dq.in[0]) {
			g.remove(dq)
			changed = true
		}
	}
	return changed
}

// unit is an operator with the Q and DQ around it.
type unit struct {
	node *gnode
	in   []*gnode // DQ by input; nil where the input is no DQ's
	out  *gnode   // the only Q that reads the result; nil where the result stays float
}

// unitOf finds the unit around n. Each DQ must be read by n only.
func unitOf(n *gnode) unit {
	u := unit{node: n, in: make([]*gnode, len(n.in))}
	for i := range n.in {
		if dq := n.producer(i); dq.dequantizes() && onlyReader(dq.out[0]) == n {
			u.in[i] = dq
		}
	}
	if q := onlyReader(n.out[0]); q.quantizes() && (len(n.out) < 2 || n.out[1] == nil) {
		u.out = q
	}
	return u
}

// all reports whether every input has a DQ.
func (u unit) all() bool { return !slices.Contains(u.in, nil) && len(u.in) > 0 }

// typed reports whether the quantised tensors among the first count inputs, and the result, have the type dt.
func (u unit) typed(dt onnx.DType, count int) bool {
	for i := range min(count, len(u.in)) {
		if u.in[i] == nil || u.in[i].in[0].val.DType != dt {
			return false
		}
	}
	return u.out == nil || u.out.out[0].val.DType == dt
}

// moveOnly are the operators that run on integers as they are when the result is quantised like the operand.
var moveOnly = []string{"Gather", "Reshape", "Expand", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "MaxPool", "ReduceMax",
	"ReduceMin", "Resize"}

// unaryUnits, variadic and so on are the operators with an integer kernel.
var (
	unaryUnits  = []string{"AveragePool", "GlobalAveragePool", "LeakyRelu", "Sigmoid", "Softmax"}
	binaryUnits = []string{"Add", "Mul"}
)

// fuseUnits makes integer operators of units. (QDQSelectorActionTransformer.)
func fuseUnits(g *graph) bool {
	changed := false
	for _, n := range g.topological() {
		if n.dead || n.domain != "" || n.quantizes() || n.dequantizes() || len(n.in) == 0 || len(n.out) == 0 || n.out[0] == nil {
			continue
		}
		u := unitOf(n)
		if !slices.ContainsFunc(u.in, func(dq *gnode) bool { return dq != nil }) {
			continue
		}
		if g.fuseUnit(u) {
			changed = true
		}
	}
	return changed
}

func (g *graph) fuseUnit(u unit) bool {
	n := u.node
	switch {
	case slices.Contains(moveOnly, n.op) && u.in[0] != nil && u.out != nil && g.sameParams(u.in[0], u.out) && u.in[0].scalarParams():
		return g.dropUnit(u)
	case slices.Contains(unaryUnits, n.op) && u.in[0] != nil && u.out != nil:
		return g.integer(u, "QLinear"+n.op, plan.DomainMS, 1)
	case slices.Contains(binaryUnits, n.op) && u.all() && u.out != nil && (u.typed(onnx.Uint8, 2) || g.signed && u.typed(onnx.Int8, 2)):
		return g.integer(u, "QLinear"+n.op, plan.DomainMS, 2)
	case n.op == "Concat" && u.all() && u.out != nil:
		return g.integer(u, "QLinearConcat", plan.DomainMS, len(u.in))
	case n.op == "Conv" && u.in[0] != nil && u.out != nil && u.weights() && u.bias(g):
		return g.integer(u, "QLinearConv", "", len(u.in))
	case n.op == "Gemm" && u.in[0] != nil && u.weights() && (u.bias(g) || u.in[2] != nil && u.in[2].in[0].val.DType == onnx.Int32):
		return g.integer(u, "QGemm", plan.DomainMS, len(u.in))
	case n.op == "MatMul" && u.all() && u.out != nil:
		return g.integer(u, "QLinearMatMul", "", 2)
	case n.op == "MatMul" && u.all():
		return g.integer(u, "MatMulIntegerToFloat", plan.DomainMS, 2)
	case n.op == "MatMul" && u.in[0] == nil && u.in[1] != nil && u.in[1].in[0].isConst():
		return g.integer(u, "MatMulNBits", plan.DomainMS, 2)
	}
	return false
}

// weights reports whether the second operand is quantised, or a constant that the runtime quantises.
func (u unit) weights() bool {
	return u.in[1] != nil || u.out != nil && u.node.in[1].isConst()
}

// bias reports whether there is no third operand, or one that fits the integer kernel: 32-bit, with the product of the
// other scales for its own, or a float constant, which the runtime quantises so.
func (u unit) bias(g *graph) bool {
	if len(u.in) < 3 || u.node.in[2] == nil {
		return true
	}
	dq := u.in[2]
	if dq == nil {
		return u.out != nil && u.node.in[2].isConst()
	}
	if u.in[1] == nil {
		return false
	}
	x, ok1 := scalar(u.in[0].scale())
	w, ok2 := scalar(u.in[1].scale())
	b, ok3 := scalar(dq.scale())
	if !ok1 || !ok2 || !ok3 { // one scale per channel: taken to fit
		return dq.in[0].val.DType == onnx.Int32
	}
	return dq.in[0].val.DType == onnx.Int32 && b >= x*w*(1-1e-2) && b <= x*w*(1+1e-2)
}

// dropUnit lets the node work on integers.
func (g *graph) dropUnit(u unit) bool {
	n := u.node
	if u.out.out[0].output {
		return false
	}
	dq, q := u.in[0], u.out
	g.setInput(n, 0, dq.in[0])
	n.out = slices.Clone(n.out)
	g.handOver(q, 0, n, 0)
	g.fold(n, dq)
	g.fold(n, q)
	g.remove(dq)
	g.remove(q)
	return true
}

// integer replaces a unit by an integer operator: quantised operands with their parameters, those of the result, and
// what is left. count is how many inputs are operands.
func (g *graph) integer(u unit, opType, domain string, count int) bool {
	n := u.node
	var in []*tensor
	for i := range count {
		if dq := u.in[i]; dq != nil {
			in = append(in, dq.in[0], dq.scale(), dq.zero())
		} else {
			in = append(in, n.in[i])
		}
	}
	in = append(in, n.in[count:]...)
	if u.out != nil {
		in = append(in, u.out.scale(), u.out.zero())
	}
	m := g.add(opType, domain, n.name, in...)
	m.Proto, m.Attrs, m.origin, m.act, m.sum = n.Proto, slices.Clone(n.Attrs), n.origin, n.act, n.sum
	if m.rule == nil {
		m.rule = n.rule
	}
	m.rule = withoutHosts(m.rule)
	for _, dq := range u.in {
		if dq != nil {
			g.absorb(m, dq)
		}
	}
	g.absorb(m, n)
	last := n
	if u.out != nil {
		g.absorb(m, u.out)
		last = u.out
	}
	g.handOver(last, 0, m, 0)
	g.remove(n)
	if u.out != nil {
		g.remove(u.out)
	}
	for _, dq := range u.in {
		if dq != nil && !dq.dead {
			g.remove(dq)
		}
	}
	return true
}

// channelsLast moves integer convolutions to channels-last, with a Transpose before and behind, and pushes those
// through what can take them. (NhwcTransformer.)
func channelsLast(g *graph) bool {
	changed := false
	for _, n := range g.topological() {
		if n.dead || n.key != "QLinearConv" {
			continue
		}
		rank := g.knownRank(n.in[0])
		if rank < 3 {
			continue
		}
		last := make(perm, rank)
		for i := range last {
			last[i] = int64(i + 1)
		}
		last[0], last[rank-1] = 0, 1
		t := &transposer{graph: g}
		g.extents(n.out[0])
		g.setOp(n, "QLinearConv", plan.DomainMS)
		n.SetInt("channels_last", 1)
		n.layout = plan.LayoutNHWC
		t.transposeInput(n, 0, last, last.inverse())
		t.transposeOutput(n, 0, last.inverse(), last)
		changed = true
	}
	if changed {
		g.epoch++
		pushTransposesOnCPU(g)
	}
	return changed
}

// integerProductTable is the product of integers whose result is scaled back to floats, as dynamic quantisation exports
// it. (MatMulIntegerToFloatFusion.)
var integerProductTable = sync.OnceValue(func() fusions {
	then := func(g *graph, n *gnode, m *match) {
		product := m.nodes[slices.IndexFunc(m.nodes, func(n *gnode) bool { return n.op == "MatMulInteger" })]
		for _, t := range product.in[2:] { // zero points
			g.setInput(n, len(n.in), t)
		}
		n.rule, n.origin = product.rule, product.origin
	}
	return compileFusions(
		fusion{name: "scaled integer product + bias", op: "ms.MatMulIntegerToFloat", inputs: "a b s t C", then: then,
			pattern: "Add(Mul(Cast(MatMulInteger(a, b)), Mul(s, t)), C)"},
		fusion{name: "scaled integer product", op: "ms.MatMulIntegerToFloat", inputs: "a b s t", then: then,
			pattern: "Mul(Cast(MatMulInteger(a, b)), Mul(s, t))",
			when: func(_ *graph, _ compiled, m *match) bool { // unless the other row takes it with its bias
				add := m.nodes[0].next()
				return add == nil || !add.is("Add") || !add.in[0].isConst() && !add.in[1].isConst()
			}},
	)
})

// dynamicProductTable takes the quantisation of the first operand into the product, where nothing else reads it.
// (DynamicQuantizeMatMulFusion.)
var dynamicProductTable = sync.OnceValue(func() fusions {
	return compileFusions(fusion{name: "dynamic quantisation + scaled integer product", op: "ms.DynamicQuantizeMatMul", inputs: "q b t",
		pattern: "ms.MatMulIntegerToFloat(q, b, s, t)",
		when: func(g *graph, c compiled, m *match) bool {
			n, q := m.nodes[0], c.value(m, "q")
			d := q.from
			if d == nil || !d.is("DynamicQuantizeLinear") || q.slot != 0 || c.value(m, "s") != d.out[1] {
				return false
			}
			for _, t := range d.out {
				if t.pinned() || slices.ContainsFunc(t.uses, func(u use) bool { return u.node != n }) {
					return false
				}
			}
			m.values[slices.Index(c.names, "q")] = d.in[0]
			m.nodes = append(m.nodes, d)
			return true
		},
		then: func(g *graph, n *gnode, m *match) {
			for _, t := range m.nodes[0].in[4:] { // bias and the weights' zero point
				if t != nil && t.from == nil {
					g.setInput(n, len(n.in), t)
				}
			}
			n.rule, n.origin = m.nodes[0].rule, m.nodes[0].origin
		}})
})
