package costmodel

import (
	"slices"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/op"
)

const (
	// nchwcBlock is the number of channels that MLAS packs together on machines with AVX-512; 8 on other x86-64.
	nchwcBlock = 16
	// nchwcAlign is what channel counts must be a multiple of, because ReorderInput moves four at a time.
	nchwcAlign = 4
)

// packer moves convolutions, poolings and what lies between them into the blocked channel layout of MLAS, and puts in
// the reorders at the boundaries. (ONNX Runtime: NchwcTransformer; level 3, float32, two spatial axes.)
type packer struct {
	*graph
	order     []*tensor           // those with a packed form, as they came
	reordered map[*tensor]*tensor // inputs that are packed already
	weights   map[packedWeight]*tensor
	slab      []packedTensor
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

func roundUp(v int64) int64 { return (v + nchwcBlock - 1) / nchwcBlock * nchwcBlock }

// packChannels runs the layout transformation.
func packChannels(g *graph) bool {
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
	windows := n.is("Conv", "MaxPool", "AveragePool") || n.key == domainMS+".FusedConv"
	switch {
	case windows && (len(n.in) == 0 || n.in[0] == nil || len(n.in[0].val.Shape) < 2):
		return // an input of unknown rank has no channels to pack
	case n.is("Conv") || n.key == domainMS+".FusedConv":
		p.conv(n)
		return
	case n.is("MaxPool", "AveragePool"):
		p.pool(n)
		return
	case n.domain != "" && n.domain != domainMS || len(n.in) == 0 || !p.allCut(n):
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
	case "Relu", "Sigmoid", "Tanh":
		p.activation(n, true)
	case "Gelu", domainMS + ".Gelu", domainMS + ".QuickGelu":
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
		shape[1] = dim.Const(roundUp(channels))
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
	n.layout = LayoutNCHWc
	n.out = n.out[:0]
	p.addOutput(n, b)
	t.from = nil
	p.note(t, packedTensor{node: n, tensor: b, uses: uses, channels: channels, track: tr})
}

// note records the packed form of t.
func (p *packer) note(t *tensor, b packedTensor) {
	if len(p.slab) == cap(p.slab) {
		p.slab = make([]packedTensor, 0, 64)
	}
	p.slab = append(p.slab, b)
	t.packed = &p.slab[len(p.slab)-1]
	p.order = append(p.order, t)
}

// replace makes the packed node that stands for n.
func (p *packer) replace(n *gnode, opType string, in ...*tensor) *gnode {
	name := n.out[0].val.Name + "_nchwc"
	m := p.add(opType, domainNCHWc, name, in...)
	m.proto, m.attrs, m.rule, m.origin, m.act, m.sum = n.proto, slices.Clone(n.attrs), n.rule, n.origin, n.act, n.sum
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
		n := p.add("ReorderInput", domainNCHWc, "ReorderInput", x)
		n.layout = LayoutNCHWc
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
	group := n.intAttr("group", 1)
	filterIn := in
	reorder := true
	switch {
	case group > 1:
		if out%nchwcAlign != 0 {
			return
		}
		depthwise := in == 1 && out == group
		if !depthwise && (in%nchwcBlock != 0 || out%group != 0 || out/group%nchwcBlock != 0) {
			return
		}
	case in < nchwcBlock:
		reorder = false // reads the plain layout
	case in%nchwcAlign != 0:
		return
	default:
		filterIn = roundUp(in)
	}
	if b := n.arg(2); b != nil && (!b.isConst() || b.val.DType != onnx.Float32 || len(b.val.Shape) != 1) {
		return
	}
	x, y := n.in[0], n.out[0]
	m := p.replace(n, "Conv", n.in...)
	p.setInput(m, 1, p.weight(w, roundUp(out), filterIn))
	if b := n.arg(2); b != nil && out%nchwcBlock != 0 {
		p.setInput(m, 2, p.weight(b, roundUp(out), 0))
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
	pads, strides, dilations := n.intsAttr("pads"), n.intsAttr("strides"), n.intsAttr("dilations")
	if pads != nil && len(pads) != 4 || strides != nil && len(strides) != 2 || dilations != nil && len(dilations) != 2 ||
		len(kernel) != 2 {
		return
	}
	same := false
	switch n.strAttr("auto_pad", "NOTSET") {
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
	if !ok || channels%nchwcBlock != 0 {
		return
	}
	m := p.replace(n, n.op, n.in...)
	tr := newTrack(y)
	if b := p.input(m, x); b != nil {
		windowTrack(n, b.track, &tr, n.intsAttr("kernel_shape"))
	}
	p.finishNode(n, m, channels, tr)
}

// operands returns the packed forms of all inputs; nil unless each has one.
func (p *packer) operands(n *gnode) []*packedTensor {
	out := make([]*packedTensor, len(n.in))
	for i, t := range n.in {
		if t == nil || t.packed == nil {
			return nil
		}
		out[i] = t.packed
	}
	return out
}

// binary moves an element-wise operator between equal shapes. A sum with a convolution that nothing else reads becomes
// part of it.
func (p *packer) binary(n *gnode, sum bool) {
	in := p.operands(n)
	if in == nil {
		return
	}
	for _, b := range in[1:] {
		if b.channels != in[0].channels {
			return
		}
	}
	if !p.equalShapes(n, in) {
		if sum {
			p.splitChannels(n, in)
		}
		return
	}
	y := n.out[0]
	if sum && len(in) == 2 {
		for i, b := range in {
			c := b.node
			if c.domain != domainNCHWc || c.op != "Conv" || len(c.in) >= 4 || b.uses != 1 || c.act != "" {
				continue
			}
			for len(c.in) < 3 {
				c.in = append(c.in, nil)
			}
			p.setInput(c, 3, in[1-i].node.out[0])
			c.sum = true
			p.absorb(c, n)
			p.fuse(n, y, b)
			return
		}
	}
	for i, b := range in {
		p.setInput(n, i, b.tensor)
	}
	p.take(y, n, in[0].channels, in[0].track)
}

// fuse lets the packed node of b write what n wrote, and removes n.
func (p *packer) fuse(n *gnode, y *tensor, b *packedTensor) {
	uses := len(y.uses)
	if y.output {
		uses++
	}
	n.out = nil
	p.remove(n)
	y.from = nil
	p.note(y, packedTensor{node: b.node, tensor: b.node.out[0], uses: uses, channels: b.channels, track: b.track})
}

// equalShapes reports whether all operands have provably the same extents.
func (p *packer) equalShapes(n *gnode, in []*packedTensor) bool {
	for i := 1; i < len(in); i++ {
		for axis := range 4 {
			if in[0].track.same(in[i].track, axis) || p.sameDim(n.in[0], axis, n.in[i], axis) {
				continue
			}
			return false
		}
	}
	return true
}

// splitChannels adds tensors whose shapes cannot be proved equal, with the channel block as an axis of its own.
func (p *packer) splitChannels(n *gnode, in []*packedTensor) {
	y := n.out[0]
	for i, b := range in {
		r := p.add("Reshape", "", "Reshape", b.tensor, p.shapeConst(0, -1, 0, 0, nchwcBlock))
		r.layout = LayoutNCHWc
		p.addOutput(r, p.split(b.tensor))
		p.setInput(n, i, r.out[0])
	}
	n.layout = LayoutNCHWc
	n.out = nil
	wide := p.blocked(y, in[0].channels)
	p.addOutput(n, p.split(wide))
	back := p.add("Reshape", "", "Reshape", n.out[0], p.shapeConst(0, -1, 0, 0))
	p.take(y, back, in[0].channels, newTrack(y))
}

// split is t with its channel axis divided into blocks.
func (p *packer) split(t *tensor) *tensor {
	s := t.val.Shape
	shape := op.Shape{s[0], s[1].FloorDiv(dim.Const(nchwcBlock)), s[2], s[3], dim.Const(nchwcBlock)}
	return p.newTensor(t.val.Name+"_split", t.val, shape)
}

// channelScale turns the product with one constant per channel into a depthwise 1×1 convolution.
func (p *packer) channelScale(n *gnode) bool {
	if len(n.in) != 2 {
		return false
	}
	for i := range 2 {
		b, c := n.in[i].packed, n.in[1-i]
		if b == nil || !c.isConst() || c.val.DType != onnx.Float32 {
			continue
		}
		s := c.val.Shape
		axis := len(s) - 3
		if axis < 0 || axis > 1 || axis == 1 && !s[0].Is(1) || !s[axis].Is(b.channels) || !s[axis+1].Is(1) || !s[axis+2].Is(1) {
			continue
		}
		m := p.replace(n, "Conv", b.tensor, p.newConst(c.val, op.Consts(roundUp(b.channels), 1, 1, 1)))
		m.name = n.out[0].val.Name + "_mul_nchwc"
		p.finishNode(n, m, b.channels, b.track)
		return true
	}
	return false
}

func (p *packer) concat(n *gnode) {
	in := p.operands(n)
	if in == nil || n.attr("axis") == nil || n.intAttr("axis", 0) != 1 {
		return
	}
	total := int64(0)
	for _, b := range in {
		if b.channels%nchwcBlock != 0 {
			return
		}
		total += b.channels
	}
	for i, b := range in {
		p.setInput(n, i, b.tensor)
	}
	y := n.out[0]
	tr := in[0].track
	tr.from[1] = y
	p.take(y, n, total, tr)
}

// activation moves an element-wise function; a convolution that nothing else reads applies it itself where fuses says
// that it can.
func (p *packer) activation(n *gnode, fuses bool) {
	b := n.in[0].packed
	if b == nil {
		return
	}
	y := n.out[0]
	if c := b.node; fuses && c.domain == domainNCHWc && c.op == "Conv" && b.uses == 1 && c.act == "" {
		c.act = n.op
		p.absorb(c, n)
		p.fuse(n, y, b)
		return
	}
	p.setInput(n, 0, b.tensor)
	p.take(y, n, b.channels, b.track)
}

// batchNorm turns a BatchNormalization of a packed tensor into a depthwise 1×1 convolution.
func (p *packer) batchNorm(n *gnode) {
	b := n.in[0].packed
	if b == nil || len(n.out) > 1 || !plainBatchNorm(n) {
		return
	}
	for _, t := range n.in[1:] {
		if t.val.DType != onnx.Float32 || !t.val.Shape[0].Is(b.channels) {
			return
		}
	}
	wide := roundUp(b.channels)
	m := p.replace(n, "Conv", b.tensor, p.newConst(n.in[1].val, op.Consts(wide, 1, 1, 1)), p.newConst(n.in[2].val, op.Consts(wide)))
	m.name = n.out[0].val.Name + "_bn_nchwc"
	p.finishNode(n, m, b.channels, b.track)
}

// toNHWC lets the ReorderOutput write channels last.
func (p *packer) toNHWC(n *gnode) {
	b := n.in[0].packed
	if b == nil || !slices.Equal(n.intsAttr("perm"), []int64{0, 2, 3, 1}) {
		return
	}
	m := p.add("ReorderOutput", domainNCHWc, "ReorderOutput", b.tensor)
	p.absorb(m, n)
	m.origin = n.origin
	m.layout = LayoutNHWC
	y := n.out[0]
	p.handOver(n, 0, m, 0)
	y.cut = true
	p.remove(n)
}

// trackNHWC remembers a Transpose from channels-last to channels-first with one reader.
func (p *packer) trackNHWC(n *gnode) {
	if !slices.Equal(n.intsAttr("perm"), []int64{0, 3, 1, 2}) || n.out[0].output || len(n.out[0].uses) != 1 {
		return
	}
	p.fromNHWC = n
}

func (p *packer) resize(n *gnode) {
	b := n.in[0].packed
	if b == nil || !p.upsamples(n) {
		return
	}
	m := p.replace(n, "Upsample", b.tensor)
	p.finishNode(n, m, b.channels, newTrack(n.out[0]))
}

// upsamples reports whether a Resize multiplies the two spatial extents by whole numbers in a way the packed kernel
// knows: nearest (asymmetric, floor), or linear (asymmetric, align_corners, half_pixel).
func (p *packer) upsamples(n *gnode) bool {
	mode := n.strAttr("mode", "nearest")
	if mode != "nearest" && mode != "linear" {
		return false
	}
	scaleAt := 1
	var sizes []int64
	if n.is("Resize") && n.opset() >= 11 {
		scaleAt = 2
		how := n.strAttr("coordinate_transformation_mode", "half_pixel")
		switch {
		case how == "asymmetric":
		case mode == "nearest", how != "align_corners" && how != "half_pixel":
			return false
		}
		if mode == "nearest" && n.strAttr("nearest_mode", "round_prefer_floor") != "floor" {
			return false
		}
		if len(n.in) >= 4 {
			var ok bool
			if sizes, ok = ints(n.in[3]); !ok || len(sizes) != 4 {
				return false
			}
		}
	}
	if sizes != nil {
		for i, s := range sizes {
			d, ok := p.knownDim(n.in[0], i)
			if !ok || d <= 0 || s%d != 0 || i < 2 && s != d {
				return false
			}
		}
		return true
	}
	t := n.arg(scaleAt)
	if t == nil || !t.isConst() {
		return false
	}
	scales := floats(t.val)
	if len(scales) != 4 {
		return false
	}
	for i, s := range scales {
		if s < 1 || s != float64(int64(s)) || i < 2 && s != 1 {
			return false
		}
	}
	return true
}

// finish makes the originals that something outside of the packed region still reads.
func (p *packer) finish() bool {
	for _, t := range p.order {
		if len(t.uses) == 0 && !t.output {
			continue
		}
		b := t.packed
		n := p.add("ReorderOutput", domainNCHWc, "ReorderOutput", b.node.out[0])
		n.layout = LayoutNCHWc
		p.addOutput(n, t)
	}
	return len(p.order) > 0
}
