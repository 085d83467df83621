package lower

import (
	"slices"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/op"
	"github.com/onnxcost/onnxcost/costmodel/plan"
)

// convFolds are the rules that fold what follows a convolution with constant weights into the weights. (ONNX Runtime:
// ConvAddFusion, ConvMulFusion, ConvBNFusion, in this order.)
var convFolds = map[string][]rewriteRule{
	"Conv": {foldConvAdd, foldConvMul, foldConvBatchNorm},
}

// afterConv returns the single reader of a convolution with constant weights, if it is of the given operator.
func (g *graph) afterConv(n *gnode, opType string) *gnode {
	next := n.next()
	if g.early && len(n.in) > 1 && n.in[1] != nil && n.in[1].val.Tensor == nil {
		g.deferred = true
		return nil
	}
	if next == nil || !next.is(opType) || n.out[0].output || len(n.in) < 2 || !n.in[1].isConst() ||
		len(n.in[1].val.Shape) < 3 || // not known, or no filters
		len(n.in) > 2 && n.in[2] != nil && !n.in[2].isConst() {
		return nil
	}
	return next
}

func foldConvAdd(g *graph, n *gnode) bool {
	add := g.afterConv(n, "Add")
	if add == nil || add.in[0] != n.out[0] || !add.in[1].isConst() || !perChannel(add.in[1].val, n, false) {
		return false
	}
	g.foldIntoConv(n, add)
	return true
}

func foldConvMul(g *graph, n *gnode) bool {
	mul := g.afterConv(n, "Mul")
	if mul == nil || mul.in[0] != n.out[0] || !mul.in[1].isConst() || !perChannel(mul.in[1].val, n, true) {
		return false
	}
	conv := n
	bias := len(conv.in) > 2 && conv.in[2] != nil
	g.foldIntoConv(conv, mul)
	if !bias { // a product needs no bias
		g.dropBias(conv)
	}
	return true
}

// perChannel reports whether v, broadcast onto the output of conv, has one value per output channel: C×1×1 or 1×C×1×1
// (or one value for all, where scalars count).
func perChannel(v *op.Value, conv *gnode, scalars bool) bool {
	rank, channels := len(conv.in[1].val.Shape), conv.in[1].val.Shape[0]
	if n, ok := v.Elements(); scalars && ok && n.Is(1) && len(v.Shape) <= rank {
		return true
	}
	axis := 0
	switch len(v.Shape) {
	case rank - 1:
	case rank:
		axis = 1
		if !v.Shape[0].Is(1) {
			return false
		}
	default:
		return false
	}
	if !v.Shape[axis].Equal(channels) {
		return false
	}
	for i := axis + 1; i < len(v.Shape); i++ {
		if !v.Shape[i].Is(1) {
			return false
		}
	}
	return true
}

func foldConvBatchNorm(g *graph, n *gnode) bool {
	bn := g.afterConv(n, "BatchNormalization")
	if bn == nil || bn.in[0] != n.out[0] || !plainBatchNorm(bn) {
		return false
	}
	if !bn.in[1].val.Shape[0].Equal(n.in[1].val.Shape[0]) {
		return false
	}
	g.foldIntoConv(n, bn)
	return true
}

// plainBatchNorm reports whether bn is in inference form with constant statistics.
func plainBatchNorm(bn *gnode) bool {
	if len(bn.in) != 5 || bn.IntAttr("training_mode", 0) != 0 || bn.IntAttr("spatial", 1) == 0 {
		return false
	}
	for _, t := range bn.out[1:] {
		if t != nil {
			return false
		}
	}
	for _, t := range bn.in[1:] {
		if t == nil || !t.isConst() || len(t.val.Shape) != 1 {
			return false
		}
	}
	return true
}

// foldIntoConv lets conv write what next writes. What next does is in the weights and in a bias, which conv has from
// now on; adding it is one operation per output element.
func (g *graph) foldIntoConv(conv, next *gnode) {
	if len(conv.in) < 3 || conv.in[2] == nil {
		w := conv.in[1].val
		channels := w.Shape[0]
		if conv.is("ConvTranspose") {
			channels = w.Shape[1].MulInt(conv.IntAttr("group", 1))
		}
		bias := g.newConst(w, op.Shape{channels})
		bias.val.Name = w.Name + "_bias"
		g.setInput(conv, 2, bias)
		conv.work.Vector = conv.work.Vector.Add(elements(conv.out[0]))
	}
	g.fold(conv, next)
	g.handOver(next, 0, conv, 0)
	g.remove(next)
}

// dropBias undoes the bias that foldIntoConv gave a convolution.
func (g *graph) dropBias(conv *gnode) {
	g.setInput(conv, 2, nil)
	conv.in = conv.in[:2]
	conv.work.Vector = conv.work.Vector.Sub(elements(conv.out[0]))
}

// elements is the number of elements of t; 0 where the shape is unknown.
func elements(t *tensor) dim.Dim {
	if !t.val.Ranked {
		return dim.Dim{}
	}
	n := dim.Const(1)
	var open dim.Dim
	for _, d := range t.val.Shape { // numbers first: they multiply without making formulas
		switch {
		case d.IsConst():
			n = n.Mul(d)
		case open.Is(0):
			open = d
		default:
			open = open.Mul(d)
		}
	}
	if open.Is(0) {
		return n
	}
	return open.Mul(n)
}

// padFusion moves zero padding into the only convolution or pooling that reads it. (ONNX Runtime: PadFusion, which does
// the same to a MaxPool.)
func padFusion(g *graph, n *gnode) bool {
	if n.StrAttr("mode", "constant") != "constant" {
		return false
	}
	pads := n.IntsAttr("pads")
	if pads == nil {
		var ok bool
		if pads, ok = ints(n.arg(1)); !ok {
			return false
		}
	}
	if t := n.arg(3); t != nil { // pads of chosen axes
		return false
	}
	if len(n.in) > 2 && n.in[2] == nil { // the runtime asks an absent value whether it is constant
		return false
	}
	value := float64(n.FloatAttr("value", 0))
	if t := n.arg(2); t != nil {
		var ok bool
		if value, ok = scalar(t); !ok {
			return false
		}
	}
	rank := len(pads) / 2
	if rank < 3 || value != 0 {
		return false
	}
	for i, p := range pads {
		if p < 0 || i%rank < 2 && p != 0 {
			return false
		}
	}
	m := n.next()
	if m == nil || m.in[0] != n.out[0] || !m.is("Conv", "AveragePool", "MaxPool") || m.StrAttr("auto_pad", "NOTSET") != "NOTSET" {
		return false
	}
	own := m.IntsAttr("pads")
	if m.is("AveragePool") {
		if m.IntAttr("count_include_pad", 0) == 0 && slices.ContainsFunc(own, func(p int64) bool { return p != 0 }) {
			return false // the average would count the padding that it leaves out now
		}
		m.SetInt("count_include_pad", 1)
	}
	sum := make([]int64, 2*(rank-2))
	copy(sum, own)
	for i := range rank - 2 {
		sum[i] += pads[2+i]
		sum[rank-2+i] += pads[rank+2+i]
	}
	m.SetInts("pads", sum)
	g.fold(m, n)
	return g.bypass(n, n.in[0])
}

// convActivations are the functions that a convolution outside of the blocked layout applies behind a sum.
var convActivations = []string{"Relu", "Sigmoid", "Tanh", "LeakyRelu", "Clip", "HardSigmoid"}

// fuseConvAdds lets convolutions with a bias add another operand of the same shape, and apply what follows. (ONNX Runtime:
// ConvAddActivationFusion, at the third level, after the blocked layout has taken its own.)
func fuseConvAdds(g *graph) bool {
	changed := false
	for _, n := range g.topological() {
		if n.dead || !n.is("Conv") || n.arg(0) == nil || n.in[0].val.DType != onnx.Float32 {
			continue
		}
		add := n.next()
		if add == nil || !add.is("Add") || len(add.in) != 2 {
			continue
		}
		conv := g.addsItself(add)
		if conv == nil {
			continue
		}
		other := add.in[0]
		if other == conv.out[0] {
			other = add.in[1]
		}
		last, act := add, add.next()
		if act != nil && act.is(convActivations...) && clipsByConstants(act) {
			last = act
		}
		fused := g.add("FusedConv", plan.DomainMS, conv.name, conv.in...)
		fused.Proto, fused.Attrs, fused.rule, fused.origin, fused.sum = conv.Proto, slices.Clone(conv.Attrs), conv.rule, conv.origin, true
		g.setInput(fused, 3, other)
		if last != add {
			fused.act = act.op
			g.merge(fused, act, add, conv)
		} else {
			g.merge(fused, add, conv)
		}
		changed = true
	}
	return changed
}

// clipsByConstants reports whether n is no Clip, or one whose bounds are known before the first run.
func clipsByConstants(n *gnode) bool {
	return !n.is("Clip") || !slices.ContainsFunc(n.in[1:], func(t *tensor) bool { return t != nil && !t.isConst() })
}

// addsItself is the convolution that can take over an addition: the operands are four-dimensional and have provably the
// same shape, and a convolution with a bias makes one of them for nobody else. Of two, it is the one that stands first in
// the graph.
func (g *graph) addsItself(add *gnode) *gnode {
	a, b := add.in[0], add.in[1]
	if a == nil || b == nil || g.knownRank(a) != 4 || g.knownRank(b) != 4 {
		return nil
	}
	for i := range 4 {
		if a.val.Shape[i].Is(0) || !g.sameDim(a, i, b, i) {
			return nil
		}
	}
	makers := []*gnode{a.from, b.from}
	if makers[0] != nil && makers[1] != nil && makers[0].index > makers[1].index {
		slices.Reverse(makers)
	}
	for _, c := range makers {
		if c != nil && c.op == "Conv" && c.arg(2) != nil && c.arg(3) == nil && c.act == "" && len(c.out[0].uses) == 1 && c.domain == "" {
			return c
		}
	}
	return nil
}
