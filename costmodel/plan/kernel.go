package plan

import (
	"slices"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/op"
)

// Kind is the coarse sort of a kernel, on which time models key.
type Kind uint8

// The kinds. The zero value is invalid.
const (
	_                 Kind = iota
	KindContraction        // convolutions, matrix products, recurrent cells, fused attention
	KindElementwise        // each output element from the elements at the same (broadcast) place
	KindNormalization      // softmax, batch/layer/group/RMS normalisation, LRN
	KindReduction          // reductions, argmax, topk, cumsum
	KindPooling            // sliding window without weights
	KindMovement           // transpose, concat, split, slice, gather, scatter, pad, resize, tile
	KindReorder            // packing between layouts, added by the runtime
	KindView               // dispatched, but its output is its input's buffer
	KindHost               // shape arithmetic on a handful of integers
	KindControl            // If, Loop, Scan: the bodies have kernels of their own
	KindContainer          // sequences, optionals, maps
	KindQuantization       // QuantizeLinear, DequantizeLinear and their kind
	KindOther              // what fits none, and operators without a rule
)

var kindNames = [...]string{"unset", "contraction", "elementwise", "normalization", "reduction", "pooling", "movement",
	"reorder", "view", "host", "control-flow", "container", "quantization", "other"}

// Kinds lists the kinds.
func Kinds() []Kind {
	list := make([]Kind, 0, len(kindNames)-1)
	for k := KindContraction; int(k) < len(kindNames); k++ {
		list = append(list, k)
	}
	return list
}

// String returns the lower-case name of the kind.
func (k Kind) String() string { return kindNames[k] }

// The layouts of a kernel's activations.
const (
	LayoutNCHW  = "nchw"  // as the file has them: row-major, channels before space
	LayoutNCHWc = "nchwc" // channels in blocks, the block innermost (MLAS)
	LayoutNHWC  = "nhwc"  // channels last
)

// The operator domains of ONNX Runtime.
const (
	DomainMS    = "com.microsoft"
	DomainNCHWc = "com.microsoft.nchwc"
)

// Kernel is what a runtime launches for one or several graph nodes.
type Kernel struct {
	// Name, Domain and Op are the runtime's own names for it: "Conv", "FusedConv" in com.microsoft, "Conv" in
	// com.microsoft.nchwc, "ReorderInput".
	Name   string
	Domain string
	Op     string
	// Nodes are the graph nodes whose work it does, in the order of the graph; empty for kernels that the runtime adds.
	Nodes []*analyzer.Node
	// Anchor is the node that decides its kind; nil for added kernels.
	Anchor *analyzer.Node
	// Times is how often it runs in one inference: 1 outside of loop bodies.
	Times dim.Dim
	Depth int // nesting in control flow; 0 in the main graph
	Kind  Kind
	// Contraction is the geometry of the products of all its nodes.
	Contraction []op.Contraction
	// Work is what one execution computes: the sum over Nodes, less what was folded into constants.
	Work op.Work
	// Inputs are the distinct activations that it reads, in the order of the runtime's arguments; Outputs those that it
	// writes. Values inside the kernel are in neither. A tensor in another layout is a Value of its own, with its
	// padded shape.
	Inputs  []*op.Value
	Outputs []*op.Value
	// Weights are the distinct constants that it reads, after folding.
	Weights []*op.Value
	// Activation is what is applied to the result on its way out ("Relu", "Clip", "HardSigmoid" …); "" for none.
	Activation string
	// Sum says that the last input is added to the result of the contraction; its buffer may take the output.
	Sum    bool
	Layout string
	// Partial says that the work or the traffic could not be counted in full.
	Partial bool

	ShapeInputs []*op.Value  // inputs that only steer it: no traffic
	Attrs       Attributes   // of the node of the optimised graph, where the runtime rewrites one
	Args        [2]*op.Value // its first operands there, constants included; nil for those that it does not have
}

// FullOp returns the operator of a kernel with its domain, such as "com.microsoft.nchwc.Conv".
func (k *Kernel) FullOp() string {
	if k.Domain == "" {
		return k.Op
	}
	return k.Domain + "." + k.Op
}

// Read is the bytes of activations that one execution reads, weights apart. Fused intermediates cost nothing.
func (k *Kernel) Read() dim.Dim {
	if n := k.Indexed(); n != nil {
		return n.Read.Sub(constantTraffic(n))
	}
	if k.MovesNoData() {
		return dim.Dim{}
	}
	var s dim.Dim
	for _, v := range k.Inputs {
		if b, ok := v.Bytes(); ok && !slices.Contains(k.ShapeInputs, v) {
			s = s.Add(b)
		}
	}
	return s
}

// Written is the bytes that one execution writes.
func (k *Kernel) Written() dim.Dim {
	if n := k.Indexed(); n != nil {
		return n.Written
	}
	if k.MovesNoData() {
		return dim.Dim{}
	}
	var s dim.Dim
	for _, v := range k.Outputs {
		if b, ok := v.Bytes(); ok {
			s = s.Add(b)
		}
	}
	return s
}

// WeightBytes is the bytes of constants that one execution reads: all of a matrix, the touched rows of a table.
func (k *Kernel) WeightBytes() dim.Dim {
	if n := k.Indexed(); n != nil {
		return constantTraffic(n)
	}
	if k.MovesNoData() {
		return dim.Dim{}
	}
	var s dim.Dim
	for _, v := range k.Weights {
		if b, ok := v.Bytes(); ok {
			s = s.Add(b)
		}
	}
	return s
}

// MovesNoData reports whether the kernel moves no bytes worth counting.
func (k *Kernel) MovesNoData() bool {
	return k.Kind == KindView || k.Kind == KindHost || k.Kind == KindControl
}

// Indexed returns the node of a kernel whose operator says itself which part of its operands it touches.
func (k *Kernel) Indexed() *analyzer.Node {
	if len(k.Nodes) == 1 && k.Nodes[0].Rule != nil && k.Nodes[0].Rule.Traffic != nil {
		return k.Nodes[0]
	}
	return nil
}

// constantTraffic is the part of an indexed node's reads that goes to constants. Its first input is the one that is
// touched in part.
func constantTraffic(n *analyzer.Node) dim.Dim {
	var whole dim.Dim // constants that are read in full, or, where the table is constant, the activations
	table := len(n.Inputs) > 0 && n.Inputs[0] != nil && n.Inputs[0].Const
	for i, v := range n.Inputs {
		if i == 0 || v == nil || n.Rule.IsHost(i) || v.Const == table {
			continue
		}
		if b, ok := v.Bytes(); ok {
			whole = whole.Add(b)
		}
	}
	if table {
		return n.Read.Sub(whole)
	}
	return whole
}

// Permutation is the order that a Transpose of that rank gives the axes: as the runtime rewrote it where it moved or merged
// transposes; the axes are reversed where none is stated.
func (k *Kernel) Permutation(rank int) []int64 {
	if perm := k.Attrs.IntsAttr("perm"); len(perm) == rank {
		return perm
	}
	perm := make([]int64, rank)
	for i := range perm {
		perm[i] = int64(rank - 1 - i)
	}
	return perm
}
