package lower

import (
	"slices"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/costmodel/plan"
)

// quantizedPair are the two operands of an integer sum or product, each with scale and zero point behind it.
func quantizedPair(*graph, *gnode) []int { return []int{0, 3} }

// quantizedList are the operands of an integer concatenation; the last two inputs are the result's parameters.
func quantizedList(_ *graph, n *gnode) []int {
	var out []int
	for i := 0; i+2 < len(n.in)-1; i += 3 {
		out = append(out, i)
	}
	return out
}

// channelsFirst is the permutation from channels-last to channels-first.
func channelsFirst(rank int) perm {
	p := make(perm, rank)
	for i := 2; i < rank; i++ {
		p[i] = int64(i - 1)
	}
	p[1] = int64(rank - 1)
	return p
}

// pushPool switches an integer pooling between channels first and last.
func pushPool(p *push) bool {
	last := p.node.IntAttr("channels_last", 0)
	first := channelsFirst(len(p.perm))
	if last == 0 && !slices.Equal(p.perm, first) || last != 0 && !slices.Equal(p.inverse, first) {
		return false
	}
	p.node.SetInt("channels_last", 1-last)
	p.through(p.perm)
	return true
}

// pushMaxPool makes an integer pooling one of channels last, once nodes are assigned to the CPU.
func pushMaxPool(p *push) bool {
	n := p.node
	if t := n.out[0].val.DType; !p.onCPU || len(n.out) > 1 || t != onnx.Uint8 && t != onnx.Int8 || !slices.Equal(p.perm, channelsFirst(len(p.perm))) {
		return false
	}
	p.setOp(n, "NhwcMaxPool", plan.DomainMS)
	n.layout = plan.LayoutNHWC
	p.through(p.perm)
	return true
}

// pushResize goes through a Resize of four axes between channels first and last, once nodes are assigned to the CPU.
func pushResize(p *push) bool {
	first := channelsFirst(4)
	if !p.onCPU || len(p.perm) != 4 || !slices.Equal(p.perm, first) && !slices.Equal(p.inverse, first) || p.opset < 11 {
		return false
	}
	if t := p.node.arg(1); t != nil {
		index := append(slices.Clone(p.inverse), p.inverse...)
		for i := 4; i < 8; i++ {
			index[i] += 4
		}
		p.permuteInput(1, index)
	}
	for i := 2; i < len(p.node.in); i++ {
		if p.node.in[i] != nil {
			p.permuteInput(i, p.inverse)
		}
	}
	p.through(p.perm)
	return true
}
