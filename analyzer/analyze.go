package analyzer

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/op"
)

// Options steer an analysis. The zero value is the usual one: the leading free dimension of the inputs is bound to 1.
type Options struct {
	// Dims binds free dimensions by name; a * in a name stands for any text, so that "nonzero*" binds a family.
	Dims map[string]int64
	// AnyDims lets Dims have names that the model lacks; Report.UnusedDims lists them.
	AnyDims bool
	// Shapes replaces the declared shapes of graph inputs by name, and gives those of values inside of the main graph
	// that inference does not find.
	Shapes map[string]op.Shape
	// Inputs are known values of graph inputs by name; see ReadInputs.
	Inputs map[string]*op.Value
	// ChannelBlock is how many channels the blocked layout of com.microsoft.nchwc keeps together: 16 or 8. 0 takes it from
	// the weights of the graph's own blocked convolutions.
	ChannelBlock int64
	// KeepFree leaves the leading dimension free too.
	KeepFree bool

	// Operators are the user's own, which go before those that the program knows and before functions of the model.
	Operators []op.Definition

	askAll bool // for tests: no node takes the result of another's rule
}

// Analyze infers the model and returns its Report. The error is a *GraphError where the graph makes no sense, an
// *OptionError where the options do not fit the model, or ctx's error; everything else is a diagnostic of the Report.
//
// Analyze keeps no state and may run concurrently, also on the same model.
func Analyze(ctx context.Context, m *onnx.Model, opt Options) (*Report, error) {
	switch opt.ChannelBlock {
	case 0, 8, 16:
	default:
		return nil, &OptionError{Msg: fmt.Sprintf("channel block %d: want 16, 8 or 0", opt.ChannelBlock)}
	}
	opt, unmatched, err := opt.expand(ctx, m)
	if err != nil {
		return nil, err
	}
	zero := dim.Env{} // a symbol stands for a positive integer, so a 0 has to be there from the start
	for name, v := range opt.Dims {
		if v < 0 {
			return nil, &OptionError{Msg: fmt.Sprintf("dim %s=%d: want at least 0", name, v)}
		}
		if v == 0 {
			zero[name] = 0
		}
	}
	r, err := analyzeWith(ctx, m, opt, zero)
	if err != nil {
		return nil, err
	}
	if err := r.checkDims(opt, unmatched); err != nil {
		return nil, err
	}
	wrong := r.Check(r.Dims)
	if len(r.Dims) == 0 || wrong == nil && !r.undecided() {
		return r, nil
	}
	// Some extent depends on data or a node did not fit while the dimensions were free: numbers may decide it.
	bound, err := analyzeWith(ctx, m, opt, r.Dims)
	if err != nil {
		return nil, err
	}
	if wrong != nil && !slices.ContainsFunc(bound.Diagnostics, func(d Diagnostic) bool { return d.Severity == SeverityError }) {
		bound.Diagnostics = append(bound.Diagnostics, Diagnostic{SeverityError, CodeInvalidNode, wrong.(*GraphError).Node, wrong.(*GraphError).Msg})
	}
	if wrong != nil || bound.openQuestions() < r.openQuestions() {
		bound.Dims, bound.Symbols = r.Dims, append(r.inputSymbols(), bound.dataSymbols()...)
		bound.Diagnostics = append(r.defaultNotes(), bound.Diagnostics...)
		bound.prebound, bound.UnusedDims = true, r.UnusedDims
		return bound, nil
	}
	return r, nil
}

// OptionError is an option that does not fit the model.
type OptionError struct {
	Msg string
	Err error // what it was found by, if anything
}

func (e *OptionError) Error() string { return e.Msg }

// Unwrap returns what the error was found by: a *dim.UnboundError where dimensions lack a value.
func (e *OptionError) Unwrap() error { return e.Err }

// analyzeWith infers the model with symbols bound from the start, and once more where that shows choices among experts
// that are asked for one by one.
func analyzeWith(ctx context.Context, m *onnx.Model, opt Options, binding dim.Env) (*Report, error) {
	e, r, err := analyzeAssuming(ctx, m, opt, binding, nil)
	if err != nil || len(e.shares) == 0 {
		return r, err
	}
	spread := e.toSpread(opt)
	if len(spread) == 0 {
		return r, nil
	}
	again, r, err := analyzeAssuming(ctx, m, opt, binding, spread)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(e.shares, func(s *shared) bool { return spread[s.choice.Node] })
	r.Diagnostics = append(r.Diagnostics, again.noteSpread(e.shares[i].choice))
	return r, nil
}

func (e *engine) analyze(opt Options) (*Report, error) {
	m := e.model
	e.block = opt.ChannelBlock
	if err := e.define(opt.Operators); err != nil {
		return nil, err
	}
	if m.Graph == nil {
		return nil, &GraphError{Model: m.Path, Msg: "the model has no graph"}
	}
	if len(m.Functions) > 0 {
		e.funcs = make(map[funcKey]*onnx.Function, len(m.Functions))
		for _, f := range m.Functions {
			d := f.Domain
			if d == "ai.onnx" {
				d = ""
			}
			e.funcs[funcKey{d, f.Name, f.Overload}] = f
		}
	}
	g := m.Graph
	if !opt.askAll {
		e.memo = newMemo(len(g.Nodes))
	}
	e.mayInline = inlinedBase + inlinedPerNode*fileNodes(m)
	s := newScope(len(g.Initializers) + len(g.Inputs) + len(g.Nodes))
	s.opsets, s.graph = m.Opset, g
	if err := e.addInitializers(g, s); err != nil {
		return nil, err
	}
	r := &Report{Model: m, Dims: dim.Env{}}
	for i := range g.Inputs {
		vi := &g.Inputs[i]
		if s.own(vi.Name) != nil {
			continue // a default value stored as an initializer
		}
		v, err := e.input(vi, opt)
		if err != nil {
			return nil, err
		}
		s.define(vi.Name, v)
		r.Inputs = append(r.Inputs, v)
	}
	if err := e.takeNames(r.Inputs, opt); err != nil {
		return nil, err
	}
	nodes, err := e.inferNodes(g, g.Nodes, s)
	if err != nil {
		return nil, err
	}
	if err := e.checkGiven(r.Inputs); err != nil {
		return nil, err
	}
	for _, o := range g.Outputs {
		v := s.lookup(o.Name)
		if v == nil {
			return nil, e.graphError(g, "graph output %q is produced by no node, initializer or input", o.Name)
		}
		if v.Name != o.Name { // a constant or an input under another name
			named := *v
			named.Name = o.Name
			v = &named
		}
		r.Outputs = append(r.Outputs, v)
	}
	r.Nodes = e.prune(nodes, r.Outputs)
	r.Folded = e.folded
	r.Symbols = e.symbols
	r.values, r.counts = e.nextID, e.counts+1
	r.known, r.counted, r.unknown = e.known, e.counted, e.unknown
	r.dropUnusedSymbols()
	r.collectRequirements(e)
	r.collectWeights()
	r.bindDefaults(opt)
	r.Diagnostics = append(e.diags, r.Diagnostics...)
	if e.dropped > 0 {
		r.Diagnostics = append(r.Diagnostics, Diagnostic{SeverityWarning, "more", "", fmt.Sprintf("%d more diagnostics are not shown", e.dropped)})
	}
	r.external(m)
	r.noteBranches()
	r.noteRequirements(opt.Dims)
	r.noteFree()
	return r, nil
}

// fileNodes counts the nodes of the main graph and of the functions.
func fileNodes(m *onnx.Model) int {
	n := len(m.Graph.Nodes)
	for _, f := range m.Functions {
		n += len(f.Nodes)
	}
	return n
}

// input makes the value of a graph input from its declaration and the options.
func (e *engine) input(vi *onnx.ValueInfo, opt Options) (*op.Value, error) {
	v := e.newValue(vi.Name)
	if vi.Type != nil {
		e.declare(v, vi.Type, dimContext{input: vi.Name})
	}
	if s, ok := opt.Shapes[vi.Name]; ok {
		if v.Ranked && len(v.Shape) != len(s) {
			return nil, &OptionError{Msg: fmt.Sprintf("shape of input %q: has rank %d, want %d as the model declares", vi.Name, len(s), len(v.Shape))}
		}
		v.Kind, v.Ranked, v.Shape = onnx.KindTensor, true, s
		for axis, d := range s {
			e.noteSymbols(d, vi.Name, axis)
		}
	}
	if known, ok := opt.Inputs[vi.Name]; ok {
		if v.Kind != onnx.KindUnknown && (v.Kind != known.Kind || v.DType != known.DType) && known.Kind == onnx.KindTensor {
			return nil, &OptionError{Msg: fmt.Sprintf("value of input %q: is %v, want %v as the model declares", vi.Name, known, v)}
		}
		elem := v.Elem
		v.SetType(known)
		v.Data = known.Data
		if v.Elem == nil {
			v.Elem = elem
		}
	}
	return v, nil
}

// takeNames refuses a value for what is no input, and keeps the shapes of other values for later.
func (e *engine) takeNames(in []*op.Value, opt Options) error {
	isInput := func(name string) bool {
		return slices.ContainsFunc(in, func(v *op.Value) bool { return v.Name == name })
	}
	for _, name := range slices.Sorted(maps.Keys(opt.Inputs)) {
		if !isInput(name) {
			return noInput(name, in, "")
		}
	}
	e.given, e.gave = map[string]op.Shape{}, map[string]bool{}
	for name, s := range opt.Shapes {
		if !isInput(name) {
			e.given[name] = s
		}
	}
	return nil
}

// prune drops the nodes whose outputs nobody uses, in bodies too, and numbers the rest.
func (e *engine) prune(nodes []*Node, outputs []*op.Value) []*Node {
	used := make([]bool, e.nextID)
	for _, o := range outputs {
		used[o.ID] = true
	}
	return e.pruneList(nodes, used)
}

func (e *engine) pruneList(nodes []*Node, used []bool) []*Node {
	keep := make([]*Node, 0, len(nodes))
	for i := len(nodes) - 1; i >= 0; i-- {
		n := nodes[i]
		if !slices.ContainsFunc(n.Outputs, func(v *op.Value) bool { return v != nil && used[v.ID] }) {
			e.diagnose(Diagnostic{SeverityNote, CodeDeadNode, n.Name, n.Op() + ": no output is used; left out"})
			if len(e.folded) > 0 { // it may feed what a runtime does not fold
				e.folded = append(e.folded, n)
			}
			continue
		}
		for _, b := range n.Bodies {
			for _, o := range b.Outputs {
				used[o.ID] = true
			}
			b.Nodes = e.pruneList(b.Nodes, used)
		}
		for _, in := range n.Inputs {
			if in != nil {
				used[in.ID] = true
			}
		}
		keep = append(keep, n)
	}
	slices.Reverse(keep)
	for i, n := range keep {
		n.Index = i
	}
	return keep
}
