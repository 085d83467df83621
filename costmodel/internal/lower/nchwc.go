package lower

import (
	"slices"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/costmodel/plan"
)

// nchwcAlign is what channel counts must be a multiple of, because ReorderInput moves four at a time.
const nchwcAlign = 4

// packer moves convolutions, poolings and what lies between them into the blocked channel layout of MLAS, and puts in
// the reorders at the boundaries. (ONNX Runtime: NchwcTransformer; level 3, float32, two spatial axes; only where the
// build has kernels for the layout, with as many channels in a block as the processor's vectors suggest.)
type packer struct {
	*graph
	order     []*tensor           // those with a packed form, as they came
	reordered map[*tensor]*tensor // inputs that are packed already
	weights   map[packedWeight]*tensor
	// The last Transpose from channels-last that only one node reads: a ReorderInput can do its work.
	fromNHWC *gnode
}

// packedTensor is the blocked form of a tensor.
type packedTensor struct {
	node     *gnode
	tensor   *tensor
	uses     int // of the original, graph outputs included
	channels int64
	track    track
}

// track follows extents by where they come from, to recognise equal ones whose numbers are not known: each axis names
// the tensor that introduced it, spatial axes also how often they were halved.
type track struct {
	from  [4]*tensor
	halve [2]int64
}

func (a track) same(b track, axis int) bool {
	return a.from[axis] == b.from[axis] && (axis < 2 || a.halve[axis-2] == b.halve[axis-2])
}

func newTrack(t *tensor) track { return track{from: [4]*tensor{t, t, t, t}} }

// packedWeight identifies a rearranged constant.
type packedWeight struct {
	of       *tensor
	out, in_ int64
}

// roundUp is a number of channels in whole blocks.
func (g *graph) roundUp(v int64) int64 { return (v + g.block - 1) / g.block * g.block }

// packChannels runs the layout transformation.
func packChannels(g *graph) bool {
	if g.block == 0 {
		return false
	}
	g.packedSlab = g.packedSlab[:0]
	p := &packer{graph: g, reordered: map[*tensor]*tensor{}, weights: map[packedWeight]*tensor{}}
	for _, n := range g.topological() {
		if n.dead {
			continue
		}
		if n.is("Transpose") {
			p.trackNHWC(n)
		}
		p.transform(n)
	}
	return p.finish()
}

// transform moves one node over, if it can. Operators other than convolutions and poolings follow only where all their
// operands have been moved already.
func (p *packer) transform(n *gnode) {
	for _, t := range n.out {
		if t != nil {
			p.extents(t) // while its maker is as inference saw it
		}
	}
	windows := n.is("Conv", "MaxPool", "AveragePool") || n.key == plan.DomainMS+".FusedConv"
	switch {
	case windows && (len(n.in) == 0 || n.in[0] == nil || len(n.in[0].val.Shape) < 2):
		return // an input of unknown rank has no channels to pack
	case n.is("Conv") || n.key == plan.DomainMS+".FusedConv":
		p.conv(n)
		return
	case n.is("MaxPool", "AveragePool"):
		p.pool(n)
		return
	case n.domain != "" && n.domain != plan.DomainMS || len(n.in) == 0 || !p.allCut(n):
		return
	}
	switch n.key {
	case "Add", "Sum":
		p.binary(n, true)
	case "Mul":
		if !p.channelScale(n) {
			p.binary(n, false)
		}
	case "Concat":
		p.concat(n)
	case "HardSigmoid":
		if !p.hardSwish(n) {
			p.activation(n, true)
		}
	case "Relu", "Sigmoid", "Tanh":
		p.activation(n, true)
	case "Gelu", plan.DomainMS + ".Gelu", plan.DomainMS + ".QuickGelu":
		p.activation(n, false)
	case "BatchNormalization":
		p.batchNorm(n)
	case "Transpose":
		p.toNHWC(n)
	case "Upsample", "Resize":
		p.resize(n)
	case "GlobalMaxPool", "GlobalAveragePool":
		p.pool(n)
	}
}

// allCut reports whether no operand is made by a node outside of the packed region.
func (p *packer) allCut(n *gnode) bool {
	for _, t := range n.in {
		if t != nil && t.from != nil && t.packed == nil && !t.cut {
			return false
		}
	}
	return len(n.captured) == 0
}

// blocked is the tensor of t in the packed layout.
func (p *packer) blocked(t *tensor, channels int64) *tensor {
	shape := p.newShape(t.val.Shape)
	if len(shape) > 1 {
		shape[1] = dim.Const(p.roundUp(channels))
	}
	return p.newTensor(t.val.Name+"_nchwc", t.val, shape)
}

// take makes the blocked form of t, as node n will write it. The original keeps its readers until they move too or a
// ReorderOutput makes it.
func (p *packer) take(t *tensor, n *gnode, channels int64, tr track) {
	uses := len(t.uses)
	if t.output {
		uses++
	}
	b := p.blocked(t, channels)
	n.layout = plan.LayoutNCHWc
	n.out = n.out[:0]
	p.addOutput(n, b)
	t.from = nil
	p.note(t, packedTensor{node: n, tensor: b, uses: uses, channels: channels, track: tr})
}

// note records the packed form of t.
func (p *packer) note(t *tensor, b packedTensor) {
	if len(p.packedSlab) == cap(p.packedSlab) {
		p.packedSlab = make([]packedTensor, 0, 2*len(p.packedSlab)+64)
	}
	p.packedSlab = append(p.packedSlab, b)
	t.packed = &p.packedSlab[len(p.packedSlab)-1]
	p.order = append(p.order, t)
}

// replace makes the packed node that stands for n.
func (p *packer) replace(n *gnode, opType string, in ...*tensor) *gnode {
	name := n.out[0].val.Name + "_nchwc"
	m := p.add(opType, plan.DomainNCHWc, name, in...)
	m.Proto, m.Attrs, m.rule, m.origin, m.act, m.sum = n.Proto, slices.Clone(n.Attrs), n.rule, n.origin, n.act, n.sum
	p.absorb(m, n)
	return m
}

// input gives node m its first operand in the packed layout, through a ReorderInput where needed. It returns the packed
// operand, nil where it was reordered.
func (p *packer) input(m *gnode, x *tensor) *packedTensor {
	if b := x.packed; b != nil {
		p.setInput(m, 0, b.tensor)
		return b
	}
	r := p.reordered[x]
	if r == nil {
		channels, _ := x.val.Shape[1].Value()
		r = p.blocked(x, channels)
		n := p.add("ReorderInput", plan.DomainNCHWc, "ReorderInput", x)
		n.layout = plan.LayoutNCHWc
		p.addOutput(n, r)
		p.reordered[x] = r
		if t := p.fromNHWC; t != nil && t.out[0] == x {
			p.setInput(n, 0, t.in[0])
			p.fold(n, t)
			p.remove(t)
			p.fromNHWC = nil
		}
	}
	p.setInput(m, 0, r)
	return nil
}

func (p *packer) conv(n *gnode) {
	w := n.arg(1)
	if w == nil || !w.isConst() || w.val.DType != onnx.Float32 || len(w.val.Shape) != 4 {
		return
	}
	out, _ := w.val.Shape[0].Value()
	in, _ := w.val.Shape[1].Value()
	group := n.IntAttr("group", 1)
	filterIn := in
	reorder := true
	switch {
	case group > 1:
		if out%nchwcAlign != 0 {
			return
		}
		depthwise := in == 1 && out == group
		if !depthwise && (in%p.block != 0 || out%group != 0 || out/group%p.block != 0) {
			return
		}
	case in < p.block:
		reorder = false // reads the plain layout
	case in%nchwcAlign != 0:
		return
	default:
		filterIn = p.roundUp(in)
	}
	if b := n.arg(2); b != nil && (!b.isConst() || b.val.DType != onnx.Float32 || len(b.val.Shape) != 1) {
		return
	}
	x, y := n.in[0], n.out[0]
	m := p.replace(n, "Conv", n.in...)
	p.setInput(m, 1, p.weight(w, p.roundUp(out), filterIn))
	if b := n.arg(2); b != nil && out%p.block != 0 {
		p.setInput(m, 2, p.weight(b, p.roundUp(out), 0))
	}
	tr := newTrack(y)
	if reorder {
		if b := p.input(m, x); b != nil {
			kh, _ := w.val.Shape[2].Value()
			kw, _ := w.val.Shape[3].Value()
			windowTrack(n, b.track, &tr, []int64{kh, kw})
		}
	}
	p.finishNode(n, m, out, tr)
}

// finishNode lets m take the place of n.
func (p *packer) finishNode(n, m *gnode, channels int64, tr track) {
	y := n.out[0]
	n.out = nil
	p.remove(n)
	p.take(y, m, channels, tr)
}

// weight is a constant rearranged and padded; rows and columns are channels.
func (p *packer) weight(w *tensor, out, in int64) *tensor {
	if w.val.Shape[0].Is(out) && (in == 0 || w.val.Shape[1].Is(in)) {
		return w // rearranged, but as large
	}
	key := packedWeight{w, out, in}
	if c := p.weights[key]; c != nil {
		return c
	}
	shape := p.newShape(w.val.Shape)
	shape[0] = dim.Const(out)
	if in > 0 {
		shape[1] = dim.Const(in)
	}
	c := p.newConst(w.val, shape)
	p.weights[key] = c
	return c
}

// windowTrack carries spatial extents through a window that keeps or halves them.
func windowTrack(n *gnode, in track, out *track, kernel []int64) {
	out.from[0] = in.from[0]
	pads, strides, dilations := n.IntsAttr("pads"), n.IntsAttr("strides"), n.IntsAttr("dilations")
	if pads != nil && len(pads) != 4 || strides != nil && len(strides) != 2 || dilations != nil && len(dilations) != 2 ||
		len(kernel) != 2 {
		return
	}
	same := false
	switch n.StrAttr("auto_pad", "NOTSET") {
	case "NOTSET":
	case "SAME_UPPER", "SAME_LOWER":
		same, pads = true, nil
	case "VALID":
		pads = nil
	default:
		return
	}
	for i := range 2 {
		if dilations != nil && dilations[i] != 1 {
			continue
		}
		stride, pad := int64(1), int64(0)
		if strides != nil {
			stride = strides[i]
		}
		if stride != 1 && stride != 2 {
			continue
		}
		if pads != nil {
			pad = pads[i] + pads[i+2]
		}
		if pad+1 == kernel[i] || same {
			out.from[2+i] = in.from[2+i]
			out.halve[i] = in.halve[i] + stride - 1
		}
	}
}

func (p *packer) pool(n *gnode) {
	if len(n.out) > 1 {
		return
	}
	x, y := n.in[0], n.out[0]
	if x.val.DType != onnx.Float32 || p.knownRank(x) != 4 {
		return
	}
	channels, ok := p.knownDim(x, 1)
	if !ok || channels%p.block != 0 {
		return
	}
	m := p.replace(n, n.op, n.in...)
	tr := newTrack(y)
	if b := p.input(m, x); b != nil {
		windowTrack(n, b.track, &tr, n.IntsAttr("kernel_shape"))
	}
	p.finishNode(n, m, channels, tr)
}
