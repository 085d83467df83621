package op

import "github.com/onnxcost/onnxcost/analyzer/dim"

// Work is what one execution of a node computes. All fields are counts.
//
//   - MACs: multiply-accumulates of contractions; a bias add is not one.
//   - Vector: every other arithmetic operation (additions, multiplications, comparisons, maxima).
//   - Special: evaluations of exp, log, erf, tanh, sqrt, sin, pow and division, counted apart from Vector.
//
// FLOPs = 2·MACs + Vector.
type Work struct {
	MACs    dim.Dim
	Vector  dim.Dim
	Special dim.Dim
	// Contraction is the geometry of the MACs, nil where there are none. A node with several contractions (attention,
	// recurrent cells) lists them all.
	Contraction []Contraction
}

// FLOPs is 2·MACs + Vector.
func (w Work) FLOPs() dim.Dim { return w.MACs.MulInt(2).Add(w.Vector) }

// ContractionKind says how the operands of a contraction are laid out.
type ContractionKind uint8

// The kinds of contraction.
const (
	MatMulKind        ContractionKind = iota // dense matrices, possibly a batch of them
	ConvKind                                 // sliding window over N, C, spatial…
	ConvTransposeKind                        // scattered window
	RecurrentKind                            // the step matrices of RNN, GRU, LSTM: Batch counts dependent steps
	AttentionKind                            // QKᵀ or PV inside a fused attention
)

// String returns the lower-case name of the kind.
func (k ContractionKind) String() string {
	return [...]string{"matmul", "conv", "conv-transpose", "recurrent", "attention"}[k]
}

// Contraction is the geometry of a contraction seen as Batch × Groups products of an M×K by a K×N matrix; its MACs
// are Batch·Groups·M·N·K. For a convolution M = N·OH·OW, N = Cout/groups, K = Cin/groups·kh·kw (implicit GEMM); for
// a transposed one M = N·IH·IW, N = Cout/groups·kh·kw, K = Cin/groups.
type Contraction struct {
	Kind     ContractionKind
	Batch    dim.Dim
	Groups   dim.Dim
	M, N, K  dim.Dim
	Window   []int64 // kernel extents, convolutions only
	Strides  []int64
	Dilation []int64
	// Weight says which input of the node is the constant-weight operand by convention (index into Node.Inputs), -1
	// where both operands are activations.
	Weight int
}

// MACs is Batch·Groups·M·N·K.
func (c Contraction) MACs() dim.Dim { return dim.Prod(c.Batch, c.Groups, c.M, c.N, c.K) }

// contractions is the Work of the listed products.
func contractions(cs ...Contraction) Work {
	var w Work
	w.Contraction = cs
	for _, c := range cs {
		w.MACs = w.MACs.Add(c.MACs())
	}
	return w
}

// plus adds vector and special operations to w.
func (w Work) plus(vector, special dim.Dim) Work {
	w.Vector, w.Special = w.Vector.Add(vector), w.Special.Add(special)
	return w
}

// noWork is the Work of nodes that move or rename data and compute nothing.
func noWork(*Call) Work { return Work{} }

// perOutput counts vector and special operations per element of the first output.
func perOutput(vector, special int64) func(*Call) Work {
	return func(c *Call) Work { return perElement(c.Out[0], vector, special) }
}

// perInput counts vector and special operations per element of input i.
func perInput(i int, vector, special int64) func(*Call) Work {
	return func(c *Call) Work { return perElement(c.Input(i), vector, special) }
}

func perElement(v *Value, vector, special int64) Work {
	n, ok := v.Elements()
	if !ok {
		return Work{}
	}
	return Work{Vector: n.MulInt(vector), Special: n.MulInt(special)}
}
