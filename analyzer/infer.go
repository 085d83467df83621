package analyzer

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"

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
	binding dim.Env // symbols that are replaced before inference

	values    []op.Value     // current slab
	shapes    [256]*op.Value // see sealShape
	idle      []*invocation
	lists     []*op.Value
	nextID    int
	inlined   int // nodes inferred in calls and bodies
	mayInline int
	symbols   []Symbol
	// captured holds, per subgraph, the names that it takes from outside.
	captured map[*onnx.Graph][]string
	names    map[string]int // how often a hint of a fresh symbol was used
	diags    []Diagnostic
	dropped  int     // diagnostics beyond the bound
	folded   []*Node // see Report.Folded
	unknown  map[string]int
	counted  int // nodes seen
	known    int // nodes with a rule
}

type funcKey struct{ domain, name, overload string }

// scope maps the names of one graph to values; names of enclosing graphs are visible. Each name has a slot, so that a
// graph's names are looked up once and not at every use.
type scope struct {
	parent *scope
	slots  map[string]int32
	vals   []*op.Value // by slot; nil where the value is not made yet
	prefix string      // of node names inside inlined calls
	calls  []funcKey
	opsets func(domain string) (int64, bool)
	attrs  *callAttrs // attributes of the call being inlined
	depth  int
}

// newScope is an empty scope for about n names.
func newScope(n int) *scope {
	return &scope{slots: make(map[string]int32, n), vals: make([]*op.Value, 0, n)}
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
	if i, ok := s.slots[name]; ok {
		return s.vals[i]
	}
	return nil
}

// define gives a name a value.
func (s *scope) define(name string, v *op.Value) {
	i, ok := s.slots[name]
	if !ok {
		i = s.reserve(name)
	}
	s.vals[i] = v
}

// reserve makes a slot for a name.
func (s *scope) reserve(name string) int32 {
	i := int32(len(s.vals))
	s.slots[name] = i
	s.vals = append(s.vals, nil)
	return i
}

func (e *engine) newValue(name string) *op.Value {
	if len(e.values) == cap(e.values) {
		e.values = make([]op.Value, 0, 256)
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

// inferNodes infers the nodes in order and returns those that execute, folded constants left out.
func (e *engine) inferNodes(g *onnx.Graph, protos []*onnx.Node, s *scope) ([]*Node, error) {
	order, slots, err := e.order(g, protos, s)
	if err != nil {
		return nil, err
	}
	nodes := make([]*Node, 0, len(protos))
	slab := make([]Node, 0, min(len(protos), 1024))
	for i, p := range order {
		var at []int32
		if slots != nil {
			n := len(p.Inputs) + len(p.Outputs)
			at, slots = slots[:n], slots[n:]
		}
		if i%256 == 0 {
			if err := e.ctx.Err(); err != nil {
				return nil, err
			}
		}
		if f := e.function(p); f != nil {
			inner, err := e.inline(g, p, f, s)
			if err != nil {
				return nil, err
			}
			nodes = append(nodes, inner...)
			continue
		}
		if len(slab) == cap(slab) {
			slab = make([]Node, 0, min(len(protos), 1024))
		}
		slab = append(slab, Node{Proto: p})
		n := &slab[len(slab)-1]
		executes, err := e.inferNode(g, n, s, at)
		if err != nil {
			return nil, err
		}
		switch {
		case executes:
			nodes = append(nodes, n)
		case n.Outputs != nil:
			e.folded = append(e.folded, n)
		default:
			slab = slab[:len(slab)-1]
		}
	}
	return nodes, nil
}

// noSlot stands for an absent argument and for one that an enclosing graph has.
const noSlot = -1

// order returns the nodes in an order in which every input is defined before its use: the file's order where that
// is one, a stable topological order otherwise. In the file's order, slots are those of the inputs and outputs of each
// node in turn.
func (e *engine) order(g *onnx.Graph, protos []*onnx.Node, s *scope) (nodes []*onnx.Node, slots []int32, err error) {
	d := &definitions{s: s, first: int32(len(s.vals)), by: make([]int32, 0, len(protos))}
	args := 0
	for i, p := range protos {
		args += len(p.Inputs) + len(p.Outputs)
		for _, out := range p.Outputs {
			if out == "" {
				continue
			}
			known := len(s.slots)
			if s.reserve(out); len(s.slots) == known {
				return nil, nil, e.graphError(g, "value %q is defined twice, the second time by %s", out, describe(i, p))
			}
			d.by = append(d.by, int32(i))
		}
	}
	sorted := true
	slots = make([]int32, 0, args)
	made := d.first
	for i, p := range protos {
		for k, in := range p.Inputs {
			at := int32(noSlot)
			if in != "" {
				j, local := s.slots[in]
				switch {
				case !local && s.parent.lookup(in) == nil:
					return nil, nil, e.graphError(g, "%s: input %d %q is produced by no node, initializer or graph input", describe(i, p), k, in)
				case local:
					at = j
					sorted = sorted && d.before(j, i)
				}
			}
			slots = append(slots, at)
		}
		for _, out := range p.Outputs {
			if out == "" {
				slots = append(slots, noSlot)
				continue
			}
			slots = append(slots, made)
			made++
		}
		for a := range p.Attributes {
			if !sorted {
				break
			}
			for _, name := range e.captures(p.Attributes[a].G) {
				if j, local := s.slots[name]; local && !d.before(j, i) {
					sorted = false
				}
			}
		}
	}
	if sorted {
		return protos, slots, nil
	}
	e.diagnose(Diagnostic{SeverityNote, CodeOrder, "", fmt.Sprintf("graph %q: nodes are not in topological order; sorted", g.Name)})
	nodes, err = e.sort(g, protos, d)
	return nodes, nil, err
}

// definitions says which node of a graph makes the value of a slot.
type definitions struct {
	s     *scope
	first int32   // slots before it are initializers and inputs
	by    []int32 // producing node, by slot from first on
}

// before reports whether the value of a slot is there when node i runs in file order.
func (d *definitions) before(slot int32, i int) bool {
	return slot < d.first || int(d.by[slot-d.first]) < i
}

// producer returns the node that makes a name; ok is false where none of this graph does.
func (d *definitions) producer(name string) (i int, ok bool) {
	slot, ok := d.s.slots[name]
	if !ok || slot < d.first {
		return 0, false
	}
	return int(d.by[slot-d.first]), true
}

// sort is Kahn's algorithm that takes ready nodes in file order.
func (e *engine) sort(g *onnx.Graph, protos []*onnx.Node, d *definitions) ([]*onnx.Node, error) {
	users := make([][]int, len(protos))
	missing := make([]int, len(protos))
	for i, p := range protos {
		need := func(name string) {
			if j, ok := d.producer(name); ok {
				users[j] = append(users[j], i)
				missing[i]++
			}
		}
		for _, in := range p.Inputs {
			need(in)
		}
		for a := range p.Attributes {
			for _, name := range e.captures(p.Attributes[a].G) {
				need(name)
			}
		}
	}
	var ready intHeap
	for i := range protos {
		if missing[i] == 0 {
			heap.Push(&ready, i)
		}
	}
	order := make([]*onnx.Node, 0, len(protos))
	for ready.Len() > 0 {
		i := heap.Pop(&ready).(int)
		order = append(order, protos[i])
		for _, u := range users[i] {
			if missing[u]--; missing[u] == 0 {
				heap.Push(&ready, u)
			}
		}
	}
	if len(order) < len(protos) {
		i := slices.IndexFunc(missing, func(m int) bool { return m > 0 })
		return nil, e.graphError(g, "%s is part of a cycle", describe(i, protos[i]))
	}
	return order, nil
}

func describe(i int, p *onnx.Node) string { return fmt.Sprintf("node %d %q (%s)", i, p.Name, p.OpType) }

// captures returns the names that a subgraph takes from enclosing graphs, sorted, those of nested subgraphs included.
func (e *engine) captures(g *onnx.Graph) []string {
	if g == nil {
		return nil
	}
	if names, ok := e.captured[g]; ok {
		return names
	}
	if e.captured == nil {
		e.captured = map[*onnx.Graph][]string{}
	}
	e.captured[g] = nil // a graph that holds itself takes nothing more from outside
	local := make(map[string]bool, len(g.Inputs)+len(g.Nodes))
	for _, in := range g.Inputs {
		local[in.Name] = true
	}
	for _, t := range g.Initializers {
		local[t.Name] = true
	}
	for _, n := range g.Nodes {
		for _, o := range n.Outputs {
			local[o] = true
		}
	}
	var out []string
	take := func(name string) {
		if name != "" && !local[name] {
			out = append(out, name)
		}
	}
	for _, n := range g.Nodes {
		for _, in := range n.Inputs {
			take(in)
		}
		for a := range n.Attributes {
			for _, name := range e.captures(n.Attributes[a].G) {
				take(name)
			}
		}
	}
	for _, o := range g.Outputs {
		take(o.Name)
	}
	slices.Sort(out)
	e.captured[g] = slices.Compact(out)
	return e.captured[g]
}

// inferNode infers one node; executes is false where all its outputs are constants. at are the slots of its inputs and
// outputs, nil where they have to be looked up.
func (e *engine) inferNode(g *onnx.Graph, n *Node, s *scope, at []int32) (executes bool, err error) {
	p := n.Proto
	e.counted++
	n.Name = nodeName(p, s)
	n.Inputs = e.list(len(p.Inputs))
	allConst := true
	for i, name := range p.Inputs {
		if name == "" {
			continue
		}
		var v *op.Value
		if at != nil && at[i] != noSlot {
			v = s.vals[at[i]]
		} else {
			v = s.lookup(name)
		}
		if v == nil {
			return false, e.graphError(g, "node %q (%s): input %d %q is not defined", p.Name, p.OpType, i, name)
		}
		n.Inputs[i] = v
		allConst = allConst && v.Const
	}
	outs := e.list(max(len(p.Outputs), 1)) // rules describe a first output even where nobody asks for it
	if len(p.Outputs) == 0 {
		outs[0] = e.newValue("")
	}
	for i, name := range p.Outputs {
		outs[i] = e.newValue(name)
		switch {
		case name == "":
		case at != nil:
			s.vals[at[len(p.Inputs)+i]] = outs[i]
		default:
			s.define(name, outs[i])
		}
	}
	version, imported := s.opsets(p.Domain)
	if !imported {
		version = 1
		if p.Domain == "" || p.Domain == "ai.onnx" {
			return false, e.graphError(g, "no opset is imported for the standard operators")
		}
	}
	n.Opset = version
	n.Rule = op.Lookup(p.Domain, p.OpType, version)
	if n.Rule == nil {
		e.unknownOp(g, n, outs)
	} else if err := e.run(n, op.Call{Node: p, Opset: version, In: n.Inputs, Out: outs}, s); err != nil {
		return false, err
	}
	if n.Rule != nil && len(n.Bodies) == 0 && e.fold(n, outs, allConst) {
		switch {
		case len(outs) == 0:
		case p.OpType == "Identity" && n.Rule.Domain == "": // another name of the same constant
			s.define(p.Outputs[0], n.Inputs[0])
		case outs[0].Inferred:
			n.Outputs = outs
		}
		return false, nil
	}
	n.Outputs = outs[:len(p.Outputs)]
	for i, name := range p.Outputs {
		if name == "" {
			n.Outputs[i] = nil
		}
	}
	return true, nil
}

// run applies the rule of a node. The error is one of the graphs that its bodies are.
func (e *engine) run(n *Node, c op.Call, s *scope) error {
	v := e.invoke()
	defer e.done(v)
	v.call, v.nodeEngine = c, nodeEngine{engine: e, node: n, scope: s}
	v.call.Engine = &v.nodeEngine
	e.known++
	e.apply(n, &v.call)
	return v.err
}

func nodeName(p *onnx.Node, s *scope) string {
	name := p.Name
	if name == "" {
		if i := slices.IndexFunc(p.Outputs, func(o string) bool { return o != "" }); i >= 0 {
			name = p.Outputs[i]
		}
	}
	if s.prefix != "" {
		return s.prefix + "/" + name
	}
	return name
}

// apply runs the rule. A failing rule is a diagnostic: its outputs stay unknown and the node is partial.
func (e *engine) apply(n *Node, c *op.Call) {
	err := n.Rule.CheckArity(n.Proto, n.Opset)
	if err == nil {
		err = n.Rule.Shape(c)
	}
	if err != nil {
		e.invalid(n, err)
		for _, o := range c.Out {
			*o = op.Value{Name: o.Name, ID: o.ID}
		}
		return
	}
	if n.Rule.Fold != nil && c.Out[0].Data == nil {
		n.Rule.Fold(c)
	}
	for i, o := range c.Out {
		if c.HasOut(i) && o.Kind == onnx.KindTensor {
			if err := e.sealShape(o); err != nil {
				e.diagnose(Diagnostic{SeverityError, CodeOverflow, n.Name, fmt.Sprintf("output %d: %v", i, err)})
				o.Ranked, o.Shape, o.Data = false, nil, nil
			}
		}
		if c.HasOut(i) && opaque(o) {
			n.Partial = true
			e.diagnose(Diagnostic{SeverityWarning, CodeUnknownShape, n.Name, fmt.Sprintf("the shape of output %d %q is not known", i, o.Name)})
		}
	}
	if slices.ContainsFunc(c.In, opaque) {
		n.Partial = true
		return // work on unknown shapes is unknown
	}
	n.Work = n.Rule.Work(c)
	if err := errors.Join(n.Work.MACs.Err(), n.Work.Vector.Err(), n.Work.Special.Err()); err != nil {
		e.diagnose(Diagnostic{SeverityError, CodeOverflow, n.Name, err.Error()})
		n.Work, n.Partial = op.Work{}, true
	}
	n.Read, n.Written = traffic(n.Rule, c)
}

// opaque reports whether not even the rank of v is known.
func opaque(v *op.Value) bool {
	return v != nil && (v.Kind == onnx.KindUnknown || v.Kind == onnx.KindTensor && !v.Ranked)
}

// sealShape settles the size of a tensor. The error says which extent or size is impossible. Most tensors of a graph have
// one of a few shapes, so that those met last are kept.
func (e *engine) sealShape(v *op.Value) error {
	last := &e.shapes[shapeHash(v)]
	if *last != nil && v.SealAs(*last) {
		return nil
	}
	if err := shapeErr(v); err != nil {
		return err
	}
	*last = v
	return nil
}

// shapeHash spreads the usual shapes of one graph over the places of engine.shapes.
func shapeHash(v *op.Value) uint8 {
	h := uint64(len(v.Shape)) + 8*uint64(v.DType)
	for _, d := range v.Shape {
		n, _ := d.Value()
		h = h*31 + uint64(n)
	}
	return uint8(h ^ h>>8 ^ h>>16)
}

func shapeErr(v *op.Value) error {
	for i, d := range v.Shape {
		if err := d.Err(); err != nil {
			return fmt.Errorf("extent %d: %w", i, err)
		}
		if n, ok := d.Value(); ok && n < 0 {
			return fmt.Errorf("extent %d is %d, want at least 0", i, n)
		}
	}
	if b, ok := v.Seal(); ok && b.Err() != nil {
		return fmt.Errorf("%s: size in bytes: %w", v, b.Err())
	}
	return nil
}

func (e *engine) invalid(n *Node, err error) {
	n.Partial, n.Invalid = true, true
	e.diagnose(Diagnostic{SeverityError, CodeInvalidNode, n.Name, fmt.Sprintf("%s: %v", n.Op(), err)})
}

// unknownOp leaves the outputs to what the file declares for them.
func (e *engine) unknownOp(g *onnx.Graph, n *Node, outs []*op.Value) {
	if e.unknown == nil {
		e.unknown = map[string]int{}
	}
	e.unknown[n.Op()]++
	n.Partial = true
	if e.unknown[n.Op()] == 1 {
		e.diagnose(Diagnostic{SeverityWarning, CodeUnknownOp, n.Name,
			fmt.Sprintf("no rule for operator %s at opset %d: totals are lower bounds", n.Op(), n.Opset)})
	}
	for _, o := range outs {
		for _, vi := range [][]onnx.ValueInfo{g.ValueInfo, g.Outputs} {
			i := slices.IndexFunc(vi, func(x onnx.ValueInfo) bool { return x.Name == o.Name && o.Name != "" })
			if i >= 0 && vi[i].Type != nil {
				e.declare(o, vi[i].Type, dimContext{node: n.Name})
				break
			}
		}
	}
}

// fold marks the outputs constant where every runtime computes them before the first run, and reports whether it did.
func (e *engine) fold(n *Node, outs []*op.Value, allConst bool) bool {
	r := n.Rule
	if r.Class == op.ShapeOp && !allConst {
		for _, o := range outs {
			if o.Data == nil || !allPlain(o.Data) {
				return false
			}
		}
		for _, o := range outs {
			o.Const, o.Inferred = true, true
		}
		return true
	}
	if !allConst || r.Volatile || r.KeepsWeights || n.Partial {
		return false
	}
	roots := rootsOf(n)
	inferred := slices.ContainsFunc(n.Inputs, func(v *op.Value) bool { return v != nil && v.Inferred })
	for _, o := range outs {
		o.Const, o.Inferred = true, inferred
		o.Roots = roots
		if roots == nil {
			o.Roots = []*op.Value{o}
		}
	}
	return true
}

// rootsOf is the union of the roots of the data inputs; nil where there are none.
func rootsOf(n *Node) []*op.Value {
	var roots []*op.Value
	for i, in := range n.Inputs {
		if in == nil || n.Rule.IsHost(i) {
			continue
		}
		if roots == nil {
			roots = in.Roots
			continue
		}
		for _, r := range in.Roots {
			if !slices.Contains(roots, r) {
				roots = append(slices.Clip(roots), r)
			}
		}
	}
	return roots
}

func allPlain(d *op.Data) bool {
	for _, x := range d.Nums {
		if _, ok := x.Float64(); !ok {
			return false
		}
	}
	return true
}

// traffic is the bytes that one execution must read and write.
func traffic(r *op.Rule, c *op.Call) (read, written dim.Dim) {
	switch {
	case r.Traffic != nil:
		return r.Traffic(c)
	case r.Memory == op.View, r.Memory == op.Host, r.Memory == op.Control:
		return dim.Dim{}, dim.Dim{}
	}
	if len(c.In) > manyInputs {
		read = manyBytes(r, c)
	} else {
		for i, in := range c.In {
			if in == nil || r.IsHost(i) || slices.Contains(c.In[:i], in) {
				continue
			}
			if b, ok := in.Bytes(); ok {
				read = read.Add(b)
			}
		}
	}
	for i, o := range c.Out {
		if c.HasOut(i) {
			if b, ok := o.Bytes(); ok {
				written = written.Add(b)
			}
		}
	}
	return read, written
}

// manyInputs is the number of inputs above which comparing each with each takes longer than a table.
const manyInputs = 32

// manyBytes adds up the inputs of a node with many, each value once.
func manyBytes(r *op.Rule, c *op.Call) dim.Dim {
	seen := make(map[*op.Value]bool, len(c.In))
	var sum dim.Total
	for i, in := range c.In {
		if in == nil || r.IsHost(i) || seen[in] {
			continue
		}
		seen[in] = true
		if b, ok := in.Bytes(); ok {
			sum.Add(b)
		}
	}
	return sum.Dim()
}

// intHeap is a min-heap of node positions for container/heap.
type intHeap struct{ sort.IntSlice }

func (h *intHeap) Push(x any) { h.IntSlice = append(h.IntSlice, x.(int)) }

func (h *intHeap) Pop() any {
	last := len(h.IntSlice) - 1
	x := h.IntSlice[last]
	h.IntSlice = h.IntSlice[:last]
	return x
}
