package analyzer

import (
	"context"
	"fmt"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/op"
)

const (
	// maxDepth bounds nested graphs and function calls.
	maxDepth = 100
	// inlinedBase and inlinedPerNode bound the nodes that calls and bodies may unfold to: so many, and so many more for
	// each node of the file.
	inlinedBase    = 1 << 16
	inlinedPerNode = 64
	// maxDiagnostics bounds the findings that are kept; the rest are counted.
	maxDiagnostics = 1000
)

// engine infers one model. It serves the rules as op.Engine through a nodeEngine per node.
type engine struct {
	ctx     context.Context
	model   *onnx.Model
	funcs   map[funcKey]*onnx.Function
	own     map[funcKey][]*op.Rule // the user's operators, newest first
	binding dim.Env                // symbols that are replaced before inference
	block   int64                  // see ChannelBlock; 0 until it is asked for

	values    []op.Value     // current slab
	shapes    [256]*op.Value // see sealShape
	memo      memo
	idle      []*invocation
	lists     []*op.Value
	nextID    int
	counts    int // highest Counts.id
	inlined   int // nodes inferred in calls and bodies
	mayInline int
	symbols   []Symbol
	// captured holds, per subgraph, the names that it takes from outside.
	captured map[*onnx.Graph][]string
	names    map[string]int // how often a hint of a fresh symbol was used
	diags    []Diagnostic
	dropped  int              // diagnostics beyond the bound
	required []op.Requirement // distinct ones
	needed   []need
	assumed  []string        // Ifs whose branches differ in rank
	flipped  map[string]bool // those of which the other branch is taken
	shares   []*shared
	spread   map[string]bool                       // nodes of choices whose classes get even shares
	types    map[*onnx.Graph]map[string]*onnx.Type // see declaredType
	given    map[string]op.Shape                   // of values inside of the main graph, by the user
	gave     map[string]bool                       // those that were used
	folded   []*Node                               // see Report.Folded
	unknown  map[string]int
	// uncounted are the rules whose note was given.
	uncounted map[*op.Rule]bool
	counted   int // nodes seen
	known     int // nodes with a rule
}

type funcKey struct{ domain, name, overload string }

// scope maps the names of one graph to values; names of enclosing graphs are visible. Each name has a slot, so that a
// graph's names are looked up once and not at every use.
type scope struct {
	parent *scope
	graph  *onnx.Graph
	slots  slotTable
	vals   []*op.Value // by slot; nil where the value is not made yet
	prefix string      // of node names inside inlined calls
	calls  []funcKey
	opsets func(domain string) (int64, bool)
	attrs  *callAttrs // attributes of the call being inlined
	depth  int
}

// newScope is an empty scope for about n names.
func newScope(n int) *scope {
	return &scope{slots: newSlotTable(n), vals: make([]*op.Value, 0, n)}
}

// lookup returns the value that a name has by now, nil where it has none.
func (s *scope) lookup(name string) *op.Value {
	for ; s != nil; s = s.parent {
		if v := s.own(name); v != nil {
			return v
		}
	}
	return nil
}

// own is lookup without the enclosing graphs.
func (s *scope) own(name string) *op.Value {
	if i, ok := s.slots.find(name); ok {
		return s.vals[i]
	}
	return nil
}

// top reports whether s is the main graph's.
func (s *scope) top() bool { return s.depth == 0 }

// define gives a name a value.
func (s *scope) define(name string, v *op.Value) {
	i, _ := s.reserve(name)
	s.vals[i] = v
}

// reserve returns the slot of a name, a fresh one where it has none.
func (s *scope) reserve(name string) (slot int32, fresh bool) {
	if slot, fresh = s.slots.add(name); fresh {
		s.vals = append(s.vals, nil)
	}
	return slot, fresh
}

func (e *engine) newValue(name string) *op.Value {
	if len(e.values) == cap(e.values) {
		e.values = make([]op.Value, 0, min(max(2*cap(e.values), 64), 1024))
	}
	e.values = append(e.values, op.Value{Name: name, ID: e.nextID})
	e.nextID++
	return &e.values[len(e.values)-1]
}

// list returns n absent values.
func (e *engine) list(n int) []*op.Value {
	if n > len(e.lists) {
		e.lists = make([]*op.Value, max(n, 512))
	}
	out := e.lists[:n:n]
	e.lists = e.lists[n:]
	return out
}

// invocation is a rule's call with what serves it. Rules keep neither, so that a few serve all nodes: one for each depth
// of bodies.
type invocation struct {
	call op.Call
	nodeEngine
}

func (e *engine) invoke() *invocation {
	n := len(e.idle)
	if n == 0 {
		return &invocation{}
	}
	v := e.idle[n-1]
	e.idle = e.idle[:n-1]
	return v
}

func (e *engine) done(v *invocation) {
	*v = invocation{}
	e.idle = append(e.idle, v)
}

func (e *engine) diagnose(d Diagnostic) {
	if len(e.diags) >= maxDiagnostics {
		e.dropped++
		return
	}
	e.diags = append(e.diags, d)
}

// GraphError is a graph that cannot be analysed at all: a value without a source, a cycle, a name defined twice.
type GraphError struct {
	Model string
	Graph string
	Node  string // that Msg is about, if one
	Msg   string
}

func (e *GraphError) Error() string {
	where := e.Model
	if where == "" {
		where = "model"
	}
	if e.Graph != "" {
		where += ": graph " + fmt.Sprintf("%q", e.Graph)
	}
	return where + ": " + e.Msg
}

func (e *engine) graphError(g *onnx.Graph, format string, args ...any) error {
	return &GraphError{Model: e.model.Path, Graph: g.Name, Msg: fmt.Sprintf(format, args...)}
}

// addInitializers defines the stored constants of g in s.
func (e *engine) addInitializers(g *onnx.Graph, s *scope) error {
	for _, t := range g.Initializers {
		if t.Name == "" {
			continue
		}
		v := e.newValue(t.Name)
		if err := v.SetStored(t); err != nil {
			return e.graphError(g, "initializer %q: %v", t.Name, err)
		}
		e.defineConst(s, v)
	}
	for _, t := range g.SparseInitializers {
		if t.Values == nil || t.Values.Name == "" {
			continue
		}
		v := e.newValue(t.Values.Name)
		v.SetTensor(t.Values.DType, op.Consts(t.Dims...))
		e.defineConst(s, v)
	}
	return nil
}

func (e *engine) defineConst(s *scope, v *op.Value) {
	v.Const = true
	v.Roots = []*op.Value{v}
	v.Seal()
	s.define(v.Name, v)
}
