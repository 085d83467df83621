package lower

import (
	"math"
	"slices"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/op"
	"github.com/onnxcost/onnxcost/costmodel/plan"
)

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
			if c.domain != plan.DomainNCHWc || c.op != "Conv" || len(c.in) >= 4 || b.uses != 1 || c.act != "" {
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
		r := p.add("Reshape", "", "Reshape", b.tensor, p.shapeConst(0, -1, 0, 0, p.block))
		r.layout = plan.LayoutNCHWc
		p.addOutput(r, p.split(b.tensor))
		p.setInput(n, i, r.out[0])
	}
	n.layout = plan.LayoutNCHWc
	n.out = nil
	wide := p.blocked(y, in[0].channels)
	p.addOutput(n, p.split(wide))
	back := p.add("Reshape", "", "Reshape", n.out[0], p.shapeConst(0, -1, 0, 0))
	p.take(y, back, in[0].channels, newTrack(y))
}

// split is t with its channel axis divided into blocks.
func (p *packer) split(t *tensor) *tensor {
	s := t.val.Shape
	shape := op.Shape{s[0], s[1].FloorDiv(dim.Const(p.block)), s[2], s[3], dim.Const(p.block)}
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
		m := p.replace(n, "Conv", b.tensor, p.newConst(c.val, op.Consts(p.roundUp(b.channels), 1, 1, 1)))
		m.name = n.out[0].val.Name + "_mul_nchwc"
		p.finishNode(n, m, b.channels, b.track)
		return true
	}
	return false
}

func (p *packer) concat(n *gnode) {
	in := p.operands(n)
	if in == nil || n.Attr("axis") == nil || n.IntAttr("axis", 0) != 1 {
		return
	}
	total := int64(0)
	for _, b := range in {
		if b.channels%p.block != 0 {
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
	if c := b.node; fuses && c.domain == plan.DomainNCHWc && c.op == "Conv" && b.uses == 1 && c.act == "" {
		c.act = n.op
		p.absorb(c, n)
		p.fuse(n, y, b)
		return
	}
	p.setInput(n, 0, b.tensor)
	p.take(y, n, b.channels, b.track)
}

// hardSwish lets a convolution x apply x·HardSigmoid(x) itself, where nothing else reads x or the gate, the gate has the
// slope and the offset of HardSwish, and the product is no graph output.
func (p *packer) hardSwish(gate *gnode) bool {
	x, y := gate.in[0], gate.out[0]
	b := x.packed
	if b == nil || b.node.domain != plan.DomainNCHWc || b.node.op != "Conv" || b.uses != 2 || b.node.act != "" || y.output || len(y.uses) != 1 ||
		!near(gate.FloatAttr("alpha", 0.2), 1.0/6) || !near(gate.FloatAttr("beta", 0.5), 0.5) {
		return false
	}
	mul := y.uses[0].node
	if !mul.is("Mul") || mul.out[0].output || mul.in[0] != x && mul.in[1] != x {
		return false
	}
	product := mul.out[0]
	b.node.act = "HardSwish"
	p.absorb(b.node, gate)
	p.absorb(b.node, mul)
	p.fuse(mul, product, b)
	p.remove(gate)
	return true
}

// near reports whether an attribute has a value up to rounding.
func near(v, want float32) bool { return math.Abs(float64(v-want)) < 1e-6 }

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
	wide := p.roundUp(b.channels)
	m := p.replace(n, "Conv", b.tensor, p.newConst(n.in[1].val, op.Consts(wide, 1, 1, 1)), p.newConst(n.in[2].val, op.Consts(wide)))
	m.name = n.out[0].val.Name + "_bn_nchwc"
	p.finishNode(n, m, b.channels, b.track)
}

// toNHWC lets the ReorderOutput write channels last.
func (p *packer) toNHWC(n *gnode) {
	b := n.in[0].packed
	if b == nil || !slices.Equal(n.IntsAttr("perm"), []int64{0, 2, 3, 1}) {
		return
	}
	m := p.add("ReorderOutput", plan.DomainNCHWc, "ReorderOutput", b.tensor)
	p.absorb(m, n)
	m.origin = n.origin
	m.layout = plan.LayoutNHWC
	y := n.out[0]
	p.handOver(n, 0, m, 0)
	y.cut = true
	p.remove(n)
}

// trackNHWC remembers a Transpose from channels-last to channels-first with one reader.
func (p *packer) trackNHWC(n *gnode) {
	if !slices.Equal(n.IntsAttr("perm"), []int64{0, 3, 1, 2}) || n.out[0].output || len(n.out[0].uses) != 1 {
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
	mode := n.StrAttr("mode", "nearest")
	if mode != "nearest" && mode != "linear" {
		return false
	}
	scaleAt := 1
	var sizes []int64
	if n.is("Resize") && n.opset() >= 11 {
		scaleAt = 2
		how := n.StrAttr("coordinate_transformation_mode", "half_pixel")
		switch {
		case how == "asymmetric":
		case mode == "nearest", how != "align_corners" && how != "half_pixel":
			return false
		}
		if mode == "nearest" && n.StrAttr("nearest_mode", "round_prefer_floor") != "floor" {
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
		n := p.add("ReorderOutput", plan.DomainNCHWc, "ReorderOutput", b.node.out[0])
		n.layout = plan.LayoutNCHWc
		p.addOutput(n, t)
	}
	return len(p.order) > 0
}
