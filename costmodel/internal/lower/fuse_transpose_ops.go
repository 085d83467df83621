package lower

import (
	"slices"

	"github.com/onnxcost/onnxcost/analyzer/op"
	"github.com/onnxcost/onnxcost/costmodel/plan"
)

// handler says how a Transpose is pushed through an operator.
type handler struct {
	inputs     func(g *graph, n *gnode) []int // those that are transposed together
	push       func(*push) bool               // false where it cannot, with nothing changed
	transposes bool                           // the Transpose comes out below the node
}

// push is one step: the Transpose transpose above node, of permutation perm.
type push struct {
	*transposer
	above   *gnode
	node    *gnode
	perm    perm
	inverse perm
	inputs  []int
}

func firstInput(*graph, *gnode) []int { return []int{0} }

func allInputs(_ *graph, n *gnode) []int {
	out := make([]int, len(n.in))
	for i := range out {
		out[i] = i
	}
	return out
}

// nonScalars are the inputs that are not known to have rank 0.
func nonScalars(g *graph, n *gnode) []int {
	out := make([]int, 0, len(n.in))
	for i, t := range n.in {
		if t != nil && g.knownRank(t) != 0 {
			out = append(out, i)
		}
	}
	return out
}

var handlers = makeHandlers()

func makeHandlers() map[string]*handler {
	m := map[string]*handler{}
	row := func(h handler, ops ...string) {
		for _, o := range ops {
			m[o] = &h
		}
	}
	row(handler{allInputs, pushSimple, true}, "Cast", "Exp", "Identity", "LeakyRelu", "Log", "Reciprocal", "Relu", "Sigmoid", "Sqrt",
		"Tanh", "Abs", "Not", "Ceil", "Floor", "Neg", "Erf", "HardSigmoid", "Round", "IsInf", "IsNaN", "Selu", "Shrink", "Sign",
		"Softplus", "Softsign", "ThresholdedRelu", "Celu", "HardSwish", "Sin", "Cos", "Tan", "Sinh", "Cosh", "Asin", "Acos", "Atan",
		"Asinh", "Acosh", "Atanh")
	row(handler{nonScalars, pushBroadcast, true}, "Add", "Max", "Min", "Mul", "Sub", "Div", "And", "Or", "Xor", "Mod", "PRelu",
		"BitShift", "Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual", "Mean", "Sum", "Pow", "Where")
	row(handler{firstInput, pushSimple, true}, "Clip", "CastLike")
	row(handler{firstInput, pushTranspose, false}, "Transpose")
	row(handler{allInputs, pushConcat, true}, "Concat")
	row(handler{firstInput, pushSplit, true}, "Split")
	row(handler{firstInput, pushShape, false}, "Shape")
	row(handler{firstInput, pushPad, true}, "Pad")
	row(handler{firstInput, pushReduce, true}, "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin",
		"ReduceProd", "ReduceSum", "ReduceSumSquare", "ReduceL1", "ReduceL2")
	row(handler{firstInput, pushArg, true}, "ArgMin", "ArgMax")
	row(handler{firstInput, pushSqueeze, true}, "Squeeze")
	row(handler{firstInput, func(p *push) bool {
		axes, ok := axesOf(p.node, len(p.node.out[0].val.Shape))
		if !ok {
			return false
		}
		p.pushUnsqueeze(axes)
		return true
	}, true}, "Unsqueeze")
	row(handler{firstInput, pushSlice, true}, "Slice")
	row(handler{firstInput, pushTile, true}, "Tile")
	row(handler{firstInput, pushGather, true}, "Gather")
	row(handler{firstInput, pushSoftmax, true}, "Softmax", "Hardmax", "LogSoftmax")
	row(handler{firstInput, pushQuantize, true}, "QuantizeLinear", "DequantizeLinear")
	row(handler{firstInput, pushReshape, false}, "Reshape")
	ms := func(h handler, ops ...string) {
		for _, o := range ops {
			m[plan.DomainMS+"."+o] = &h
		}
	}
	ms(handler{quantizedPair, pushBroadcast, true}, "QLinearAdd", "QLinearMul")
	ms(handler{quantizedList, pushConcat, true}, "QLinearConcat")
	ms(handler{firstInput, pushSimple, true}, "QLinearLeakyRelu", "QLinearSigmoid")
	ms(handler{firstInput, pushPool, true}, "QLinearAveragePool", "QLinearGlobalAveragePool")
	row(handler{firstInput, pushMaxPool, true}, "MaxPool")
	row(handler{firstInput, pushResize, true}, "Resize")
	return m
}

func handlerOf(n *gnode) *handler { return handlers[n.key] }

// through transposes the inputs back and the outputs forth.
func (p *push) through(out perm) {
	for _, i := range p.inputs {
		p.transposeInput(p.node, i, p.inverse, p.perm)
	}
	p.transposeOutputs(p.node, out)
}

func pushSimple(p *push) bool {
	p.through(p.perm)
	return true
}

func pushBroadcast(p *push) bool {
	rank := len(p.perm)
	for _, i := range p.inputs {
		if r := p.knownRank(p.node.in[i]); r < 0 || r > rank {
			return false
		}
	}
	for _, i := range p.inputs {
		if d := rank - len(p.node.in[i].val.Shape); d > 0 {
			axes := make([]int64, d)
			for k := range axes {
				axes[k] = int64(k)
			}
			p.unsqueezeInput(p.node, i, axes)
		}
	}
	p.through(p.perm)
	return true
}

// axis returns an attribute made positive; false where it is out of range.
func (p *push) axis(def int64) (int64, bool) {
	a := p.node.IntAttr("axis", def)
	if a < 0 {
		a += int64(len(p.perm))
	}
	return a, a >= 0 && a < int64(len(p.perm))
}

func (p *push) withAxis(def int64) bool {
	a, ok := p.axis(def)
	if !ok {
		return false
	}
	p.through(p.perm)
	p.node.SetInt("axis", p.perm[a])
	return true
}

func pushConcat(p *push) bool { return p.node.Attr("axis") != nil && p.withAxis(0) }

func pushSplit(p *push) bool { return p.withAxis(0) }

func pushSoftmax(p *push) bool {
	if p.opset >= 13 {
		return p.withAxis(-1)
	}
	a, ok := p.axis(1)
	if !ok {
		return false
	}
	for i, x := range p.perm { // the operand counts as a matrix, split at the axis
		if (int64(i) < a) != (x < a) {
			return false
		}
	}
	p.through(p.perm)
	return true
}

// pushShape: the shape of a transposed tensor is the tensor's shape with its elements permuted.
func pushShape(p *push) bool {
	p.transposeInput(p.node, 0, p.inverse, p.perm)
	index := p.perm
	if p.opset >= 15 {
		lo, hi := p.node.IntAttr("start", 0), p.node.IntAttr("end", int64(len(p.perm)))
		lo, hi = clampAxis(lo, len(p.perm)), clampAxis(hi, len(p.perm))
		index = p.perm[lo:max(lo, hi)]
		p.node.SetInt("start", 0)
		p.node.SetInt("end", int64(len(p.perm)))
	}
	g := p.add("Gather", "", "Gather", nil, p.shapeConst(index...))
	g.SetInt("axis", 0)
	p.moveOutput(p.node, 0, g, 0)
	p.node.out[0].val.Shape = op.Consts(int64(len(p.perm)))
	p.setInput(g, 0, p.node.out[0])
	return true
}

func clampAxis(a int64, rank int) int64 {
	if a < 0 {
		a += int64(rank)
	}
	return min(max(a, 0), int64(rank))
}

func pushPad(p *push) bool {
	rank := len(p.perm)
	index := append(slices.Clone(p.inverse), p.inverse...)
	for i := rank; i < 2*rank; i++ {
		index[i] += int64(rank)
	}
	if p.opset < 11 {
		pads := p.node.IntsAttr("pads")
		if len(pads) != 2*rank {
			return false
		}
		next := make([]int64, len(pads))
		for i, x := range index {
			next[i] = pads[x]
		}
		p.node.SetInts("pads", next)
	} else {
		p.permuteInput(1, index)
	}
	p.through(p.perm)
	return true
}

// permuteInput reorders the elements of a vector operand, at run time where it is computed.
func (p *push) permuteInput(i int, index perm) {
	x := p.node.in[i]
	if x.isConst() {
		p.setInput(p.node, i, p.permuteVector(x, index))
		return
	}
	g := p.add("Gather", "", "Gather", x, p.shapeConst(index...))
	g.SetInt("axis", 0)
	p.addOutput(g, p.newTensor(x.val.Name+"_permuted", x.val, x.val.Shape))
	p.setInput(p.node, i, g.out[0])
}

// sortedAxes maps axes of the transposed operand to those of the operand itself, in ascending order.
func (p *push) sortedAxes(axes []int64) []int64 {
	out := make([]int64, len(axes))
	for i, a := range axes {
		out[i] = p.perm[a]
	}
	slices.Sort(out)
	return out
}

func (p *push) setAxes(axes []int64, asInput bool) {
	if asInput {
		p.setInput(p.node, 1, p.shapeConst(axes...))
	} else {
		p.node.SetInts("axes", axes)
	}
}

func pushReduce(p *push) bool {
	n := p.node
	keep := n.IntAttr("keepdims", 1) != 0
	asInput := n.op == "ReduceSum" && p.opset >= 13 || n.op != "ReduceSum" && p.opset >= 18
	axes, ok := axesOf(n, len(p.perm))
	if !ok {
		return false
	}
	if len(axes) == 0 {
		p.transposeInput(n, 0, p.inverse, p.perm)
		if keep || n.IntAttr("noop_with_empty_axes", 0) != 0 {
			p.transposeOutputs(n, p.perm)
		}
		return true
	}
	next := p.sortedAxes(axes)
	p.setAxes(next, asInput)
	p.transposeInput(n, 0, p.inverse, p.perm)
	if keep {
		p.transposeOutputs(n, p.perm)
	} else {
		p.transposeOutputs(n, p.perm.squeeze(next))
	}
	return true
}

func pushArg(p *push) bool {
	a, ok := p.axis(0)
	if !ok {
		return false
	}
	next := p.perm[a]
	p.node.SetInt("axis", next)
	p.transposeInput(p.node, 0, p.inverse, p.perm)
	if p.node.IntAttr("keepdims", 1) != 0 {
		p.transposeOutputs(p.node, p.perm)
	} else {
		p.transposeOutputs(p.node, p.perm.squeeze([]int64{next}))
	}
	return true
}

func pushSqueeze(p *push) bool {
	axes, ok := axesOf(p.node, len(p.perm))
	if !ok || axes == nil {
		return false
	}
	next := p.sortedAxes(axes)
	p.setAxes(next, p.opset >= 13)
	p.transposeInput(p.node, 0, p.inverse, p.perm)
	p.transposeOutputs(p.node, p.perm.squeeze(next))
	return true
}

// pushUnsqueeze leaves the new axes where they are and transposes the others behind it.
func (p *push) pushUnsqueeze(axes []int64) *tensor {
	p.transposeInput(p.node, 0, p.inverse, p.perm)
	next := p.perm.unsqueeze(axes)
	return p.transposeOutput(p.node, 0, next, next.inverse())
}

// pushGather: taking one index is taking the axis away.
func pushGather(p *push) bool {
	a, ok := p.axis(0)
	if _, isScalar := scalar(p.node.arg(1)); !ok || !isScalar || len(p.node.in[1].val.Shape) != 0 {
		return false
	}
	next := p.perm[a]
	p.node.SetInt("axis", next)
	p.transposeInput(p.node, 0, p.inverse, p.perm)
	p.transposeOutputs(p.node, p.perm.squeeze([]int64{next}))
	return true
}

func pushSlice(p *push) bool {
	n := p.node
	rank := len(p.perm)
	var axes []int64
	switch {
	case p.opset < 10:
		if axes = slices.Clone(n.IntsAttr("axes")); axes == nil {
			axes = upTo(len(n.IntsAttr("starts")))
		}
	case n.arg(3) == nil:
		count, ok := p.knownDim(n.in[1], 0)
		if !ok {
			return false
		}
		axes = upTo(int(count))
	default:
		v, ok := ints(n.in[3])
		if !ok {
			return false
		}
		axes = slices.Clone(v)
	}
	for i, a := range axes {
		if a < 0 {
			a += int64(rank)
		}
		if a < 0 || a >= int64(rank) {
			return false
		}
		axes[i] = p.perm[a]
	}
	if p.opset < 10 {
		n.SetInts("axes", axes)
	} else {
		p.setInput(n, 3, p.shapeConst(axes...))
	}
	p.through(p.perm)
	return true
}

func upTo(n int) []int64 {
	out := make([]int64, n)
	for i := range out {
		out[i] = int64(i)
	}
	return out
}

func pushTile(p *push) bool {
	p.permuteInput(1, p.inverse)
	p.through(p.perm)
	return true
}

// pushQuantize: scales of a channel keep their axis.
func pushQuantize(p *push) bool {
	if p.opset >= 13 && p.knownRank(p.node.in[1]) != 0 {
		a, ok := p.axis(1)
		if !ok {
			return false
		}
		p.node.SetInt("axis", p.perm[a])
	}
	p.through(p.perm)
	return true
}

func pushTranspose(p *push) bool {
	q := transposePerm(p.node)
	if len(q) != len(p.perm) {
		return false
	}
	p.join(q)
	return true
}

// join makes one of the Transpose above and the node, which permutes by q: nothing where they cancel.
func (p *push) join(q perm) {
	n, x := p.node, p.above.in[0]
	if !slices.Equal(p.inverse, q) {
		m := n
		if !n.is("Transpose") { // a Reshape that only moves axes of extent 1
			m = p.add("Transpose", "", "Transpose", x)
			m.origin, m.rule = n.origin, op.Lookup("", "Transpose", p.opset)
			p.moveOutput(n, 0, m, 0)
			p.absorb(m, n)
			p.remove(n)
		} else {
			p.setInput(n, 0, x)
		}
		m.SetInts("perm", p.perm.after(q))
		p.dropUnread(p.above)
		return
	}
	out := n.out[0]
	switch {
	case !out.pinned():
		p.redirect(out, x)
		p.remove(n)
	case x.from != nil && !x.pinned():
		p.setInput(n, 0, nil)
		p.redirect(x, out)
		from, slot := x.from, x.slot
		p.moveOutput(n, 0, from, slot)
		p.remove(n)
	default:
		id := p.add("Identity", "", "Identity", x)
		p.moveOutput(n, 0, id, 0)
		p.absorb(id, n)
		p.remove(n)
	}
	p.dropUnread(p.above)
}

// pushReshape: a Reshape that only moves axes of extent 1 is a Transpose.
func pushReshape(p *push) bool {
	in, ok := p.knownShape(p.above.out[0])
	want, ok2 := ints(p.node.arg(1))
	if !ok || !ok2 || p.knownRank(p.above.in[0]) != len(want) || len(in) != len(want) {
		return false
	}
	out, ok := p.knownShape(p.node.out[0])
	if !ok {
		return false
	}
	q := make(perm, len(out))
	free := slices.Clone(in)
	for i, d := range out {
		at := 0
		for free[at] != d {
			if free[at] != -1 && free[at] != 1 && d != 1 {
				return false
			}
			if at++; at == len(free) {
				return false
			}
		}
		q[i], free[at] = int64(at), -1
	}
	p.join(q)
	return true
}
