package op

import (
	"cmp"
	"fmt"
	"slices"
	"sync"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// Memory says how a node treats the buffers of its operands.
type Memory uint8

// The memory behaviours. The zero value is invalid, so that a rule cannot leave the field out.
const (
	_       Memory = iota
	Stream         // reads each input byte once and writes each output byte once
	View           // the first output is the first input under another shape: no traffic
	Indexed        // reads only the part of the first input that the output holds (Gather, Slice); Traffic may refine it
	Host           // shape arithmetic on the host: no device traffic
	Control        // If, Loop, Scan, calls: the traffic is that of the bodies
)

// String returns the lower-case name of the behaviour.
func (m Memory) String() string {
	return [...]string{"unset", "stream", "view", "indexed", "host", "control"}[m]
}

// Class groups operators that run as the same sort of kernel; cost models key on it and never on operator names.
type Class uint8

// The kernel classes. The zero value is invalid.
const (
	_             Class = iota
	Contract            // Conv, MatMul, Gemm, RNN families, attention
	Elementwise         // each output element from the elements at the same (broadcast) place
	Normalization       // softmax, batch/layer/group/RMS normalisation, LRN
	Reduction           // reductions, pooling to a smaller extent by sums or extrema over axes, argmax, topk, cumsum
	Pooling             // sliding window without weights
	Movement            // transpose, concat, split, slice, gather, scatter, pad, resize, tile
	ShapeOp             // Shape, Size, Constant…: values known from the types alone
	ControlFlow         // If, Loop, Scan, sequence maps, function calls
	Container           // sequences, optionals, maps
	Quantization        // QuantizeLinear, DequantizeLinear and their kind
	Other               // what fits none (strings, trees, decoders, training)
)

// String returns the lower-case name of the class.
func (c Class) String() string {
	return [...]string{"unset", "contraction", "elementwise", "normalization", "reduction", "pooling", "movement", "shape",
		"control-flow", "container", "quantization", "other"}[c]
}

// Rule is all that is known about an operator from opset Since on, until a later row of the same operator.
type Rule struct {
	Domain string // "" for ai.onnx
	Op     string
	Since  int64

	// Shape fills element type and shape of every Call.Out from Call.In and the attributes. An error says what is
	// wrong with the node; a Shape that merely cannot know leaves the rank or the extent unknown (Call.fresh).
	Shape func(*Call) error
	// Work counts one execution; it runs after Shape. Zero work is written noWork.
	Work   func(*Call) Work
	Memory Memory
	Class  Class

	// Fold computes Data of the outputs from known elements of the inputs; nil where the operator is never part of
	// shape arithmetic. It may leave outputs without data.
	Fold func(*Call)
	// Traffic replaces the bytes that Memory implies; nil for the default.
	Traffic func(*Call) (read, written dim.Dim)
	// HostInputs are the inputs that only steer the operator (a target shape, axes, scales): they are neither traffic
	// nor weights. Bit i stands for input i; the last bit also for all inputs beyond.
	HostInputs uint64
	// OutWork are the inputs whose shapes Work does not need once those of the outputs are known (bit i for input i).
	OutWork uint64
	// QuantInputs are the integer operands whose constants are weights (bit i for input i).
	QuantInputs uint64
	// Scales are the quantisation parameters (scales and zero points): constants there are bytes, never params.
	Scales uint64
	// Params gives the number of weights that input i packs into fewer elements (several to a byte); ok is false where its
	// elements are the weights. nil: they are for every input.
	Params func(c *Call, i int) (n dim.Dim, ok bool)
	// Stored lists the constants that a node keeps in attributes; nil where it keeps none.
	Stored func(*onnx.Node) []Stored
	// Statistics are inputs that are stored constants but not trained (BatchNormalization's mean and variance).
	Statistics uint64
	// InPlace are the inputs whose buffer the first output may take when that input dies at this node and has the
	// same size (bit i for input i).
	InPlace uint64
	// NoOp says when the first output is the first input although Memory is not View: a Cast to the type that it has.
	// nil: never.
	NoOp func(in, out *Value) bool
	// Volatile operators give another result at every run (random numbers) and are never folded, whatever their inputs.
	Volatile bool
	// KeepsWeights marks operators that runtimes leave in place although all inputs are constants, because the
	// compact form is the point (DequantizeLinear of stored weights).
	KeepsWeights bool
	// Uncounted names what the operator does that is no arithmetic or cannot be counted, for a note; "" where Work is all.
	Uncounted string
	// Doc says in a line what Work counts and what is approximated, for the generated operator table.
	Doc string

	arities []arity     // by opset; see CheckArity
	defined *Definition // what it was compiled from, if anything
}

// inputs makes a bit set of input indices.
func inputs(is ...int) uint64 {
	var m uint64
	for _, i := range is {
		m |= 1 << i
	}
	return m
}

// inputsFrom is the bit set of input i and all after it.
func inputsFrom(i int) uint64 { return ^uint64(0) << i }

// Has reports whether bit set m holds input i.
func Has(m uint64, i int) bool { return m&(1<<min(i, 63)) != 0 }

type ruleKey struct{ domain, op string }

// table joins the rows of every file. It is built once, on first use, because rows refer to functions that refer to
// the table (bodies of control flow).
var table = sync.OnceValue(func() map[ruleKey][]*Rule {
	t := make(map[ruleKey][]*Rule)
	for _, rows := range ruleFiles() {
		for i := range rows {
			r := &rows[i]
			if err := r.check(); err != nil {
				panic(err) // a broken program, found by the first test that runs
			}
			k := ruleKey{r.Domain, r.Op}
			t[k] = append(t[k], r)
		}
	}
	for k, rs := range t {
		slices.SortFunc(rs, func(a, b *Rule) int { return cmp.Compare(a.Since, b.Since) })
		for i := 1; i < len(rs); i++ {
			if rs[i].Since == rs[i-1].Since {
				panic(fmt.Sprintf("op: two rules for %s %q since opset %d", k.domain, k.op, rs[i].Since))
			}
		}
	}
	if err := joinArities(t); err != nil {
		panic(err)
	}
	return t
})

// ruleFiles lists the rows of every file of rules. Files whose rows are read from a text are functions: a start reads none.
func ruleFiles() [][]Rule {
	return [][]Rule{
		attentionRules,
		bitCastRules,
		containerRules,
		contribRules,
		controlRules,
		convRules,
		convSpecialRules,
		dynamicRules,
		einsumRules,
		elementwiseRules,
		gatherRules,
		generateRules,
		imageDecoderRules,
		imageRules,
		legacyRules,
		matmulQuantRules,
		matmulRules,
		mlRules,
		movementRules,
		normLayerRules,
		msAttentionRules,
		msConvRules,
		msElementwiseRules,
		msMHARules,
		msMatmulRules,
		msMiscRules,
		msNormRules,
		msOrderedRules(),
		msRareRules(),
		nhwcRules(),
		pluginRules(),
		qonnxRules(),
		extensionRules(),
		normRules,
		padRules,
		poolRules,
		quantRules,
		randomRules,
		rearrangeRules,
		reduceRules,
		resizeRules,
		rnnRules,
		scatterRules,
		shapeRules,
		signalRules,
		stringRules,
		trainingRules,
	}
}

func (r *Rule) check() error {
	switch {
	case r.Op == "" || r.Since < 1:
		return fmt.Errorf("op: rule %q since %d: want a name and an opset of at least 1", r.Op, r.Since)
	case r.Shape == nil:
		return fmt.Errorf("op: rule %s: no Shape", r.Op)
	case r.Work == nil:
		return fmt.Errorf("op: rule %s: no Work; write noWork where it is zero", r.Op)
	case r.Memory == 0 || r.Class == 0:
		return fmt.Errorf("op: rule %s: want Memory and Class", r.Op)
	}
	return nil
}

// Lookup returns the rule of an operator at an opset version, nil where there is none. The domain "ai.onnx" is "".
func Lookup(domain, opType string, opset int64) *Rule {
	if domain == "ai.onnx" {
		domain = ""
	}
	rs := table()[ruleKey{domain, opType}]
	for i := len(rs) - 1; i >= 0; i-- {
		if rs[i].Since <= opset {
			return rs[i]
		}
	}
	return nil
}

// Find is Lookup for a node of a file: where the operator has no rule in its domain, the one that other tools mean by the
// name serves.
func Find(domain, opType string, opset int64) *Rule {
	if r := Lookup(domain, opType, opset); r != nil {
		return r
	}
	if domain == "ai.onnx" {
		domain = ""
	}
	if rs := elsewhere(domain, opType); rs != nil {
		return rs[0]
	}
	return nil
}

// Rules returns every row, sorted by domain, operator and opset.
func Rules() []*Rule {
	var all []*Rule
	for _, rs := range table() {
		all = append(all, rs...)
	}
	slices.SortFunc(all, func(a, b *Rule) int {
		return cmp.Or(cmp.Compare(a.Domain, b.Domain), cmp.Compare(a.Op, b.Op), cmp.Compare(a.Since, b.Since))
	})
	return all
}

// Views reports whether the first output out holds the bytes of the first input in, so that both can share a buffer. An
// operator with vector work (Dropout in training) is no view; the caller knows the work.
func (r *Rule) Views(in, out *Value) bool {
	return r.Memory == View || r.NoOp != nil && r.NoOp(in, out)
}

// IsHost reports whether input i of the rule only steers the operator.
func (r *Rule) IsHost(i int) bool { return Has(r.HostInputs, i) }
