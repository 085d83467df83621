package lower

import (
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/op"
)

// extents is what ONNX's own shape inference, as ONNX Runtime uses it, finds of a tensor: whether the rank is known,
// and bit i of known where axis i is a number or a named dimension. The report knows more, because it carries the
// elements of shape tensors along: after a Reshape to a computed shape, ONNX Runtime knows the rank at most (not even
// that before opset 14), and rewrites that ask for extents do not happen.
type extents struct {
	ranked bool
	known  uint64
}

const allKnown = ^uint64(0)

// extents returns what the runtime knows of t.
func (g *graph) extents(t *tensor) extents {
	if t.epoch == g.epoch {
		return t.seen
	}
	t.epoch, t.seen = g.epoch, extents{} // a cycle cannot be, but must not hang
	var e extents
	switch {
	case !t.val.Ranked:
	case t.from == nil:
		e = extents{true, allKnown}
	default:
		e = g.inferExtents(t.from, t.slot)
		if d := g.declared[t.val.Name]; d != nil && d.HasShape && len(d.Shape) == len(t.val.Shape) {
			if !e.ranked {
				e = extents{ranked: true}
			}
			for i, x := range d.Shape {
				if x.HasValue || x.Param != "" {
					e.known |= 1 << i
				}
			}
		}
	}
	t.seen = e
	return e
}

// knownRank is the number of axes as far as the runtime knows; -1 where it does not.
func (g *graph) knownRank(t *tensor) int {
	if t == nil || !g.extents(t).ranked {
		return -1
	}
	return len(t.val.Shape)
}

// knownDim returns the extent of axis i where the runtime knows it as a number.
func (g *graph) knownDim(t *tensor, i int) (int64, bool) {
	e := g.extents(t)
	if !e.ranked || i < 0 || i >= len(t.val.Shape) || e.known>>i&1 == 0 {
		return 0, false
	}
	return t.val.Shape[i].Value()
}

// knownShape returns the whole shape where the runtime knows it as numbers.
func (g *graph) knownShape(t *tensor) ([]int64, bool) {
	if g.knownRank(t) < 0 {
		return nil, false
	}
	s := make([]int64, len(t.val.Shape))
	for i := range s {
		var ok bool
		if s[i], ok = g.knownDim(t, i); !ok {
			return nil, false
		}
	}
	return s, true
}

// sameDim reports whether the runtime sees the same number or the same name on axis i of a and axis j of b. A formula of
// symbols has no name.
func (g *graph) sameDim(a *tensor, i int, b *tensor, j int) bool {
	x, y := g.extents(a), g.extents(b)
	if !x.ranked || !y.ranked || x.known>>i&1 == 0 || y.known>>j&1 == 0 {
		return false
	}
	d := a.val.Shape[i]
	if !d.Equal(b.val.Shape[j]) {
		return false
	}
	if d.IsConst() {
		return true
	}
	names := d.Symbols()
	return len(names) == 1 && d.Equal(dim.Symbol(names[0]))
}

// inferExtents is one step of inference: what is known of output slot of n from what is known of its inputs.
func (g *graph) inferExtents(n *gnode, slot int) extents {
	at := len(g.extentStack)
	for _, t := range n.in {
		var e extents
		if t != nil {
			e = g.extents(t)
		}
		g.extentStack = append(g.extentStack, e)
	}
	in := g.extentStack[at:]
	defer func() { g.extentStack = g.extentStack[:at] }()
	foreign := n.domain == domainBroken || n.rule == nil && n.Proto != nil // anything may be missing there
	if f := extentRules[n.op]; f != nil && !foreign {
		return f(g, n, slot, in)
	}
	if n.rule != nil && n.rule.Class == op.Elementwise {
		return broadcastExtents(g, n, slot, in)
	}
	return plainExtents(g, n, slot, in)
}

type extentRule func(g *graph, n *gnode, slot int, in []extents) extents

// extentRules are the operators whose inference loses or keeps something of its own. The others are element-wise or
// know their result when they know their operands.
var extentRules map[string]extentRule

func init() { // the rules ask for extents again
	same := func(_ *graph, _ *gnode, _ int, in []extents) extents { return in[0] }
	extentRules = map[string]extentRule{
		"Reshape": reshapeExtents, "Transpose": transposeExtents, "MatMul": matmulExtents, "FusedMatMul": matmulExtents,
		"Gemm": gemmExtents, "FusedGemm": gemmExtents, "Conv": windowExtents, "FusedConv": windowExtents,
		"ConvTranspose": windowExtents, "MaxPool": windowExtents, "AveragePool": windowExtents, "LpPool": windowExtents,
		"GlobalAveragePool": windowExtents, "GlobalMaxPool": windowExtents, "Concat": concatExtents,
		"Slice": sliceExtents, "Pad": padExtents, "Shape": shapeExtents, "Squeeze": squeezeExtents, "Unsqueeze": unsqueezeExtents,
		"Flatten": flattenExtents, "Expand": expandExtents, "ConstantOfShape": fillExtents, "Range": rankOnly, "Tile": rankOnly,
		"QLinearConv": quantizedConvExtents, "QLinearAveragePool": same, "QLinearSigmoid": same, "QLinearLeakyRelu": same,
		"QLinearSoftmax": same, "NhwcMaxPool": same,
		"Resize": resizeExtents, "Upsample": resizeExtents, "Split": splitExtents,
		"LSTM": recurrentExtents, "GRU": recurrentExtents, "RNN": recurrentExtents,
		"Softmax": same, "LogSoftmax": same, "Dropout": same, "Identity": same, "Clip": same, "BatchNormalization": same,
		"LayerNormalization": same, "SimplifiedLayerNormalization": same, "InstanceNormalization": same, "LRN": same,
		"Gelu": same, "QuickGelu": same, "BiasGelu": same, "FastGelu": same, "SkipLayerNormalization": same,
		"ScatterND": same, "ScatterElements": same, "CumSum": same, "QuantizeLinear": same, "DequantizeLinear": same,
		"ReduceMean": reduceExtents, "ReduceSum": reduceExtents, "ReduceMax": reduceExtents, "ReduceMin": reduceExtents,
		"ReduceProd": reduceExtents, "ReduceL1": reduceExtents, "ReduceL2": reduceExtents, "ReduceSumSquare": reduceExtents,
		"ReduceLogSum": reduceExtents, "ReduceLogSumExp": reduceExtents,
	}
}

// declare takes the shapes that the file gives for values inside the graph.
func (g *graph) declare(infos []onnx.ValueInfo) {
	if len(infos) == 0 {
		return
	}
	g.declared = make(map[string]*onnx.Type, len(infos))
	for i := range infos {
		if infos[i].Type != nil {
			g.declared[infos[i].Name] = infos[i].Type
		}
	}
}
