package plan

import (
	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/specs"
)

// Plan is what a runtime launches for one inference, in its order. It is made once per model and runtime: shapes and
// figures stay formulas in the free dimensions, so another batch size is an evaluation.
type Plan struct {
	Runtime Runtime
	// Processor is what the graph and the kernels of a CPU runtime chose by.
	Processor *specs.Processor
	Report    *analyzer.Report
	Kernels   []*Kernel
	// Free are the nodes that cost nothing: views, and what the runtime removes or computes beforehand.
	Free        []*analyzer.Node
	Diagnostics []analyzer.Diagnostic

	// Program is what the runtime allocates and frees for each of its kernels, of runtimes that plan it; else nil.
	Program *Program
}

// Program is what a runtime allocates and frees while it runs one graph, as it decided before the first run.
type Program struct {
	Buffers []Buffer
	Steps   []Step
}

// Buffer is memory that is allocated once, for one or several tensors in turn.
type Buffer struct {
	Name  string // of the first tensor
	DType onnx.DType
	Bytes Formula
	Known bool // the size
	Last  int  // step after which it is released; len(Steps) for what the caller gets
}

// Step is what one kernel allocates and what is released after it: positions in Buffers.
type Step struct {
	Kernel *Kernel
	Allocs []int
	Frees  []int
	Bodies []*Program // that it runs
}
