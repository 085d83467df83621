package analyzer

import (
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// domainBlocked is the domain of the operators that ONNX Runtime's optimised graphs have in the blocked channel layout.
const domainBlocked = "com.microsoft.nchwc"

// ChannelBlock is how many channels the graph at hand keeps together in the blocked layout: what the options say, else what
// its own convolutions tell. A graph was written for one kind of processor, and its weights have whole blocks of output
// channels: where one of them has no multiple of 16, blocks are of 8. Input channels tell as well where the operand is
// packed.
func (e *engine) ChannelBlock() int64 {
	if e.block == 0 {
		e.block = blockOf(e.model.Graph)
	}
	return e.block
}

// blockOf infers the block of a graph from the weights of its blocked convolutions; 16 where none of them decides, since
// then every count of channels is a multiple of it.
func blockOf(g *onnx.Graph) int64 {
	dims := map[string][]int64{}
	for _, t := range g.Initializers {
		dims[t.Name] = t.Dims
	}
	packed := map[string]bool{}
	for _, n := range g.Nodes {
		if n.Domain != domainBlocked || len(n.Outputs) == 0 {
			continue
		}
		packed[n.Outputs[0]] = n.OpType != "ReorderOutput"
		if n.OpType != "Conv" || len(n.Inputs) < 2 {
			continue
		}
		w := dims[n.Inputs[1]]
		if len(w) != 4 {
			continue
		}
		if w[0]%16 == 8 || packed[n.Inputs[0]] && w[1]%16 == 8 {
			return 8
		}
	}
	return 16
}
