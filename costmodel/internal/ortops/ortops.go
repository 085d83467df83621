// Package ortops says what ONNX Runtime's CPU provider does with each operator beyond the graph: which buffers its kernel
// takes and how it divides its work among threads. One row says all of it; lowering, memory and time read the same row.
//
// What a pass does with an operator (how a Transpose goes through it, what inference knows of its result) needs the graph
// and stands with the passes in package lower.
package ortops

import "github.com/onnxcost/onnxcost/costmodel/plan"

// Buffer says where the first output of a kernel lies (MayInplace and Alias in the provider's kernel definitions).
type Buffer uint8

// The buffers.
const (
	Own     Buffer = iota // memory of its own, or what a dead tensor left
	InPlace               // that of the first input, where nobody else needs it and it has the same shape
	OnSum                 // that of the tensor that a convolution adds to its result
	Alias                 // that of the first input, always: the operator only renames
)

// Workspace names the temporary memory that a kernel takes beside its outputs. Workspaces were found from the peaks of the
// arena, which the profiler records; kernels without one showed none.
type Workspace uint8

// The workspaces.
const (
	NoWorkspace      Workspace = iota
	OutputSized                // as large as the output
	ScalesOfLRN                // the scales of all elements, and the squares of one image
	Im2col                     // the columns of an image, or a part of them for each thread
	TransposeColumns           // the columns of one image of one group, which are then scattered
)

// Threads says how a kernel that is no contraction divides its work. Kinds of kernels with a way of their own (pooling,
// reductions, reorders) need no entry.
type Threads uint8

// The ways.
const (
	Pooled Threads = iota // the thread pool decides by an estimate of the loop's cycles
	Serial                // by the calling thread alone, however large
	Tasks                 // tasks of so many elements, without asking what they cost
	Rows                  // by rows of the last axis
)

// Row is what the provider does with one operator.
type Row struct {
	Op        string // with its domain
	Buffer    Buffer
	Workspace Workspace
	Threads   Threads
	Cycles    float64 // what the operator tells the thread pool of its arithmetic, per element; 0 for 1
	Task      float64 // elements of a task
}

const (
	ms    = plan.DomainMS + "."
	nchwc = plan.DomainNCHWc + "."
)

// rows are the operators of which something is known beyond the default: memory of its own, no workspace, a loop of one
// cycle per element that the thread pool divides.
var rows = []Row{
	// activations and element-wise arithmetic
	{Op: "Relu", Buffer: InPlace},
	{Op: "LeakyRelu", Buffer: InPlace, Cycles: 25},
	{Op: "Elu", Buffer: InPlace, Cycles: 30},
	{Op: "Selu", Buffer: InPlace, Cycles: 30},
	{Op: "Celu", Buffer: InPlace, Cycles: 30},
	{Op: "Sigmoid", Buffer: InPlace, Cycles: 2},
	{Op: "HardSigmoid", Buffer: InPlace, Cycles: 0.5},
	{Op: "Tanh", Buffer: InPlace},
	{Op: "Softplus", Buffer: InPlace, Cycles: 15},
	{Op: "Softsign", Buffer: InPlace},
	{Op: "ThresholdedRelu", Buffer: InPlace},
	{Op: "Clip", Buffer: InPlace},
	{Op: "Shrink", Buffer: InPlace},
	{Op: "Mish", Cycles: 25},
	{Op: "Exp", Cycles: 0.5},
	{Op: "Log", Cycles: 15},
	{Op: "Sqrt", Cycles: 2},
	{Op: "Sin", Cycles: 10},
	{Op: "Cos", Cycles: 10},
	{Op: "Tan", Cycles: 10},
	{Op: "Pow", Cycles: 8},
	{Op: "Erf", Threads: Tasks, Task: 4096},
	{Op: "Gelu", Threads: Tasks, Task: 4096},
	{Op: ms + "Gelu", Threads: Tasks, Task: 4096},
	{Op: ms + "BiasGelu", Threads: Tasks, Task: 4096, Workspace: OutputSized},
	{Op: ms + "FastGelu", Threads: Tasks, Task: 4096},
	{Op: ms + "QuickGelu", Threads: Tasks, Task: 4096},
	{Op: "Cast", Buffer: InPlace, Threads: Serial},
	{Op: "Where", Threads: Serial},

	// normalisation
	{Op: "Softmax", Buffer: InPlace, Threads: Tasks, Task: 16384},
	{Op: "LogSoftmax", Buffer: InPlace, Threads: Tasks, Task: 16384},
	{Op: "LayerNormalization", Threads: Rows},
	{Op: "SimplifiedLayerNormalization", Threads: Rows},
	{Op: ms + "SkipLayerNormalization", Threads: Rows},
	{Op: ms + "SkipSimplifiedLayerNormalization", Threads: Rows},
	{Op: ms + "EmbedLayerNormalization", Threads: Rows},
	{Op: ms + "QEmbedLayerNormalization", Threads: Rows},
	{Op: ms + "QOrderedLayerNormalization", Threads: Rows},
	{Op: "BatchNormalization", Threads: Serial},
	{Op: "InstanceNormalization", Threads: Serial},
	{Op: "GroupNormalization", Threads: Serial},
	{Op: "LRN", Cycles: 100, Workspace: ScalesOfLRN},

	// contractions
	{Op: "Conv", Workspace: Im2col},
	{Op: ms + "FusedConv", Workspace: Im2col, Buffer: OnSum},
	{Op: nchwc + "Conv", Buffer: OnSum},
	{Op: "ConvTranspose", Workspace: TransposeColumns},

	// other names of the same memory
	{Op: "Reshape", Buffer: Alias},
	{Op: "Flatten", Buffer: Alias},
	{Op: "Squeeze", Buffer: Alias},
	{Op: "Unsqueeze", Buffer: Alias},
	{Op: "Identity", Buffer: Alias},
	{Op: "Dropout", Buffer: Alias},
	{Op: ms + "ExpandDims", Buffer: Alias},

	// movement and reductions
	{Op: "ScatterElements", Buffer: InPlace, Threads: Serial},
	{Op: "ScatterND", Buffer: InPlace, Threads: Serial},
	{Op: "Trilu", Buffer: InPlace},
	{Op: "Expand", Threads: Serial},
	{Op: "Pad", Threads: Serial},
	{Op: "Tile", Threads: Serial},
	{Op: "OneHot", Threads: Serial},
	{Op: "DepthToSpace", Threads: Serial},
	{Op: "SpaceToDepth", Threads: Serial},
	{Op: "CumSum", Threads: Serial},
	{Op: "ArgMax", Threads: Serial},
	{Op: "ArgMin", Threads: Serial},
	{Op: "Resize", Cycles: 20},
	{Op: "Upsample", Cycles: 20},
	{Op: nchwc + "Upsample", Cycles: 20},
}

var byOp = func() map[string]*Row {
	m := make(map[string]*Row, len(rows))
	for i := range rows {
		if m[rows[i].Op] != nil {
			panic("two rows for " + rows[i].Op)
		}
		m[rows[i].Op] = &rows[i]
	}
	return m
}()

// unknown is the row of all other operators.
var unknown Row

// Of is the row of an operator with its domain.
func Of(fullOp string) *Row {
	if r := byOp[fullOp]; r != nil {
		return r
	}
	return &unknown
}

// PerElement is the cycles of arithmetic that the operator states for an element.
func (r *Row) PerElement() float64 {
	if r.Cycles == 0 {
		return 1
	}
	return r.Cycles
}
