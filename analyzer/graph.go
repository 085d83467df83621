package analyzer

import (
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/op"
)

// Node is one node that executes, with everything known of it. Its figures are those of one execution.
type Node struct {
	Index   int        // position among the executed nodes of its graph
	Proto   *onnx.Node // as in the file; nodes of inlined functions have their own
	Name    string     // the file's name, or the name of the first output; inlined calls prefix theirs
	Rule    *op.Rule   // nil where the operator is unknown
	Opset   int64
	Inputs  []*op.Value // nil where an optional input is absent
	Outputs []*op.Value // nil where an optional output is not asked for
	*Counts
	Weights []*Weight // weights that this node is the first to use
	Bodies  []*Body   // of control flow
	// Partial says that the work or the traffic could not be counted in full: an unknown operator or an unknown shape.
	Partial bool
	// Invalid says that the node contradicts itself: its inputs or attributes do not fit its operator. Its outputs are
	// unknown and it is Partial.
	Invalid bool
}

// Counts are what one execution of a node takes, bodies apart. Nodes that are alike share theirs, which never change.
type Counts struct {
	Work    op.Work
	Read    dim.Dim // bytes
	Written dim.Dim // bytes

	id int // numbers the Counts of one analysis, for tables; 0 for noCounts
}

// noCounts are those of nodes that take nothing, or of which nothing is known.
var noCounts Counts

// Op returns the operator with its domain, such as "Conv" or "com.microsoft.FusedConv".
func (n *Node) Op() string {
	if n.Proto.Domain == "" || n.Proto.Domain == "ai.onnx" {
		return n.Proto.OpType
	}
	return n.Proto.Domain + "." + n.Proto.OpType
}

// Params is the number of weight elements that this node is the first to use.
func (n *Node) Params() dim.Dim {
	var s dim.Dim
	for _, w := range n.Weights {
		s = s.Add(w.Params)
	}
	return s
}

// Body is a subgraph that a control-flow node runs.
type Body struct {
	Name        string // the graph's name
	Times       dim.Dim
	Alternative bool // could run instead of another body and is not counted
	Inputs      []*op.Value
	Outputs     []*op.Value
	Nodes       []*Node

	graph          *onnx.Graph
	invalid        bool
	diags          []Diagnostic // of its inference; they are findings about the model once it runs
	known, counted int          // likewise, nodes for engine.known and engine.counted
}

// Weight is a stored or generated constant that an executed node reads as data.
type Weight struct {
	Value     *op.Value
	Params    dim.Dim // elements; 0 for literals, scales, zero points and index tables
	Bytes     dim.Dim // packed size as stored
	Trainable bool    // false for running statistics
	Attribute string  // the node's attribute that holds it, whose Value is no input; "" for a tensor
}

// Symbol is a dimension that is not a number in the model.
type Symbol struct {
	Name string
	// Input and Axis say which graph input it comes from; Input is "" for a symbol that depends on data.
	Input string
	Axis  int
	// Node names the node whose data decides the symbol, for symbols that depend on data.
	Node string
	// Upper bounds a data-dependent symbol; the zero Dim where no bound is known.
	Upper dim.Dim
}

// Severity grades a Diagnostic.
type Severity string

// The severities.
const (
	SeverityNote    Severity = "note"    // something was assumed
	SeverityWarning Severity = "warning" // a figure is a lower bound
	SeverityError   Severity = "error"   // the model contradicts itself
)

// Diagnostic is a finding that does not stop the analysis.
type Diagnostic struct {
	Severity Severity `json:"severity"`
	Code     string   `json:"code"`
	Node     string   `json:"node"`
	Message  string   `json:"message"`
}

// The codes of diagnostics.
const (
	CodeUnknownOp    = "unknown-op"
	CodeUnknownShape = "unknown-shape"
	CodeInvalidNode  = "invalid-node"
	CodeIndexRange   = "index-range"
	CodeDefaultDim   = "default-dim"
	CodeFreeDim      = "free-dim"
	CodeDeadNode     = "dead-node"
	CodeOrder        = "node-order"
	CodeExternal     = "external-data"
	CodeOverflow     = "overflow"
	CodeTripCount    = "trip-count"
	CodeBranch       = "branch"
	CodeUncounted    = "uncounted"
	CodeRequires     = "requires"
	CodeExperts      = "experts"
)
