package analyzer

import (
	"fmt"
	"slices"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/op"
)

// nodeEngine serves the rule of one node.
type nodeEngine struct {
	*engine
	node  *Node
	scope *scope
	err   error // a graph error in a body; it stops the analysis
	needs []int32
	asked bool // the rule has asked for something, so that what it says is of this node alone
}

// Fresh makes a symbol named after the node's hint, numbered where the name is taken.
func (e *nodeEngine) Fresh(hint string, upper dim.Dim) dim.Dim {
	e.asked = true
	return e.fresh(hint, Symbol{Node: e.node.Name, Upper: upper})
}

func (e *engine) fresh(hint string, s Symbol) dim.Dim {
	if e.names == nil {
		e.names = map[string]int{}
	}
	e.names[hint]++
	s.Name = hint
	if n := e.names[hint]; n > 1 {
		s.Name = fmt.Sprintf("%s_%d", hint, n)
		if e.names[s.Name] > 0 {
			return e.fresh(s.Name, s)
		}
	}
	e.symbols = append(e.symbols, s)
	return dim.Symbol(s.Name)
}

func (e *nodeEngine) Diagnose(code, message string) {
	e.asked = true
	e.diagnose(Diagnostic{SeverityWarning, code, e.node.Name, message})
}

// Infer analyses a subgraph in a scope of its own.
func (e *nodeEngine) Infer(g *onnx.Graph, in []*op.Value) (*op.Body, error) {
	e.asked = true
	if e.err != nil {
		return nil, e.err
	}
	body, err := e.inferBody(g, in)
	if err != nil {
		e.err = err
		return nil, err
	}
	return body, nil
}

func (e *nodeEngine) inferBody(g *onnx.Graph, in []*op.Value) (*op.Body, error) {
	if e.scope.depth >= maxDepth {
		return nil, e.graphError(g, "graphs are nested deeper than %d", maxDepth)
	}
	s := newScope(len(g.Initializers) + len(g.Inputs) + len(g.Nodes))
	s.parent, s.prefix, s.calls, s.opsets = e.scope, e.scope.prefix, e.scope.calls, e.scope.opsets
	s.attrs, s.depth, s.graph = e.scope.attrs, e.scope.depth+1, g
	if err := e.addInitializers(g, s); err != nil {
		return nil, err
	}
	b := &Body{Name: g.Name, graph: g}
	for i, vi := range g.Inputs {
		if s.own(vi.Name) != nil {
			continue // an initializer with a default's name
		}
		v := e.newValue(vi.Name)
		if vi.Type != nil {
			e.declare(v, vi.Type, dimContext{node: e.node.Name})
		}
		if i < len(in) && in[i] != nil {
			v.SetType(in[i])
			v.Data, v.Const, v.Roots = in[i].Data, in[i].Const, in[i].Roots
		}
		s.define(vi.Name, v)
		b.Inputs = append(b.Inputs, v)
	}
	if err := e.spend(len(g.Nodes), g); err != nil {
		return nil, err
	}
	before := len(e.diags)
	b.known, b.counted = -e.known, -e.counted
	nodes, err := e.inferNodes(g, g.Nodes, s)
	if err != nil {
		return nil, err
	}
	for _, d := range e.diags[before:] {
		if d.Code == CodeUnknownOp { // said once for all nodes
			e.diags[before] = d
			before++
			continue
		}
		b.diags = append(b.diags, d)
	}
	e.diags = e.diags[:before]
	b.known, b.counted = b.known+e.known, b.counted+e.counted
	e.known, e.counted = e.known-b.known, e.counted-b.counted
	b.invalid = slices.ContainsFunc(b.diags, func(d Diagnostic) bool { return d.Code == CodeInvalidNode })
	for _, o := range g.Outputs {
		v := s.lookup(o.Name)
		if v == nil {
			return nil, e.graphError(g, "output %q is produced by no node", o.Name)
		}
		b.Outputs = append(b.Outputs, v)
	}
	b.Nodes = nodes
	work, traffic := sumWork(nodes)
	return &op.Body{Name: g.Name, Outputs: b.Outputs, Work: work, Traffic: traffic, Invalid: b.invalid, Handle: b}, nil
}

// sumWork adds the work and the traffic in bytes of the nodes and of the bodies they run.
func sumWork(nodes []*Node) (w op.Work, traffic dim.Dim) {
	for _, n := range nodes {
		traffic = traffic.Add(n.Read).Add(n.Written)
		w.MACs, w.Vector, w.Special = w.MACs.Add(n.Work.MACs), w.Vector.Add(n.Work.Vector), w.Special.Add(n.Work.Special)
		for _, b := range n.Bodies {
			if b.Alternative {
				continue
			}
			i, t := sumWork(b.Nodes)
			traffic = traffic.Add(t.Mul(b.Times))
			w.MACs = w.MACs.Add(i.MACs.Mul(b.Times))
			w.Vector = w.Vector.Add(i.Vector.Mul(b.Times))
			w.Special = w.Special.Add(i.Special.Mul(b.Times))
		}
	}
	return w, traffic
}

func (e *nodeEngine) Run(body *op.Body, times dim.Dim) {
	b := *body.Handle.(*Body)
	b.Times = times
	e.adopt(&b, b.diags)
}

func (e *nodeEngine) Alternative(body *op.Body) {
	b := *body.Handle.(*Body)
	b.Alternative = true
	found := b.diags
	if ran := e.node.Bodies; b.invalid && len(ran) > 0 && !ran[0].invalid {
		// What is wrong with a branch that cannot run is no finding about the model.
		found = []Diagnostic{{SeverityNote, CodeBranch, e.node.Name,
			fmt.Sprintf("branch %q does not fit the shapes at hand; the other one is taken", b.Name)}}
	}
	e.adopt(&b, found)
}

// adopt makes a body, and what its inference found, part of the node.
func (e *nodeEngine) adopt(b *Body, found []Diagnostic) {
	e.node.Bodies = append(e.node.Bodies, b)
	for _, d := range found {
		e.diagnose(d)
	}
	e.known, e.counted = e.known+b.known, e.counted+b.counted
}

// spend counts nodes that are inferred beyond those of the file, so that bodies and functions cannot unfold without
// bound.
func (e *engine) spend(n int, g *onnx.Graph) error {
	if e.inlined += n; e.inlined > e.mayInline {
		return e.graphError(g, "functions and loop bodies unfold to more than %d nodes", e.mayInline)
	}
	return nil
}

// function returns the local function that a node calls, nil where it calls none. Local functions shadow operators.
func (e *engine) function(p *onnx.Node) *onnx.Function {
	if len(e.funcs) == 0 {
		return nil
	}
	domain := p.Domain
	if domain == "ai.onnx" {
		domain = ""
	}
	if f := e.funcs[funcKey{domain, p.OpType, p.Overload}]; f != nil {
		return f
	}
	return nil
}

// callAttrs are the attributes that references inside a function body resolve to.
type callAttrs struct {
	f      *onnx.Function
	values map[string]*onnx.Attribute
}

// inline infers the body of a local function in place of the call and binds its outputs to the call's.
func (e *engine) inline(g *onnx.Graph, p *onnx.Node, f *onnx.Function, s *scope) ([]*Node, error) {
	key := funcKey{f.Domain, f.Name, f.Overload}
	if slices.Contains(s.calls, key) {
		return nil, e.graphError(g, "function %s.%s calls itself", f.Domain, f.Name)
	}
	if s.depth >= maxDepth {
		return nil, e.graphError(g, "function calls are nested deeper than %d", maxDepth)
	}
	if err := e.spend(len(f.Nodes), g); err != nil {
		return nil, err
	}
	inner := newScope(len(f.Inputs) + len(f.Nodes))
	inner.prefix, inner.calls, inner.opsets = nodeName(p, s), append(slices.Clip(s.calls), key), f.Opset
	inner.depth, inner.attrs = s.depth+1, bindAttrs(p, f, s.attrs)
	if len(f.Opsets) == 0 {
		inner.opsets = s.opsets
	}
	if len(p.Inputs) > len(f.Inputs) {
		return nil, e.graphError(g, "node %q calls %s.%s with %d inputs, want at most %d", p.Name, f.Domain, f.Name, len(p.Inputs), len(f.Inputs))
	}
	for i, name := range f.Inputs {
		if i < len(p.Inputs) && p.Inputs[i] != "" {
			v := s.lookup(p.Inputs[i])
			if v == nil {
				return nil, e.graphError(g, "node %q: input %d %q is not defined", p.Name, i, p.Inputs[i])
			}
			inner.define(name, v)
		}
	}
	body := resolve(f.Nodes, inner)
	fg := &onnx.Graph{Name: f.Domain + "." + f.Name, ValueInfo: f.ValueInfo}
	inner.graph = fg
	nodes, err := e.inferNodes(fg, body, inner)
	if err != nil {
		return nil, err
	}
	made := map[*op.Value]bool{}
	for i, name := range p.Outputs {
		if name == "" {
			continue
		}
		if i >= len(f.Outputs) {
			return nil, e.graphError(g, "node %q asks for output %d of %s.%s, which has %d", p.Name, i, f.Domain, f.Name, len(f.Outputs))
		}
		v := inner.own(f.Outputs[i])
		if v == nil {
			return nil, e.graphError(fg, "output %q is produced by no node", f.Outputs[i])
		}
		if !made[v] && !slices.ContainsFunc(f.Inputs, func(in string) bool { return inner.own(in) == v }) {
			v.Name, made[v] = name, true // the caller's name for what the function made
		}
		s.define(name, v)
	}
	return nodes, nil
}

// bindAttrs joins the call's attributes with the function's defaults. A call inside another function may itself
// refer to attributes of the outer call.
func bindAttrs(p *onnx.Node, f *onnx.Function, outer *callAttrs) *callAttrs {
	a := &callAttrs{f: f, values: map[string]*onnx.Attribute{}}
	for i := range f.AttributeDefaults {
		a.values[f.AttributeDefaults[i].Name] = &f.AttributeDefaults[i]
	}
	for i := range p.Attributes {
		at := &p.Attributes[i]
		if at.RefAttrName != "" && outer != nil {
			if at = outer.values[at.RefAttrName]; at == nil {
				continue
			}
		}
		a.values[p.Attributes[i].Name] = at
	}
	return a
}

// resolve returns the nodes with attribute references replaced; optional inputs that the caller left out become
// absent. Nodes that need no change are shared.
func resolve(nodes []*onnx.Node, s *scope) []*onnx.Node {
	absent := map[string]bool{}
	for _, name := range s.attrs.f.Inputs {
		if s.own(name) == nil {
			absent[name] = true
		}
	}
	out := make([]*onnx.Node, len(nodes))
	for i, n := range nodes {
		out[i] = resolveNode(n, s.attrs, absent, 0)
	}
	return out
}

func resolveNode(n *onnx.Node, attrs *callAttrs, absent map[string]bool, depth int) *onnx.Node {
	c := *n
	if slices.ContainsFunc(n.Inputs, func(in string) bool { return absent[in] }) {
		c.Inputs = slices.Clone(n.Inputs)
		for i, in := range c.Inputs {
			if absent[in] {
				c.Inputs[i] = ""
			}
		}
	}
	c.Attributes = nil
	for _, a := range n.Attributes {
		if a.RefAttrName != "" {
			bound := attrs.values[a.RefAttrName]
			if bound == nil {
				continue // an optional attribute that the caller left out
			}
			name := a.Name
			a = *bound
			a.Name = name
		} else if a.G != nil && depth < maxDepth {
			g := *a.G
			g.Nodes = make([]*onnx.Node, len(a.G.Nodes))
			for i, m := range a.G.Nodes {
				g.Nodes[i] = resolveNode(m, attrs, absent, depth+1)
			}
			a.G = &g
		}
		c.Attributes = append(c.Attributes, a)
	}
	return &c
}
