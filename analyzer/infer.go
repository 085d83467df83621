package analyzer

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/op"
)

// inferNodes infers the nodes in order and returns those that execute, folded constants left out.
func (e *engine) inferNodes(g *onnx.Graph, protos []*onnx.Node, s *scope) ([]*Node, error) {
	slab := make([]Node, 0, min(len(protos), 1024))
	var values []op.Value
	var beside sync.WaitGroup
	if len(protos) >= manyReadings { // fresh memory comes page by page, which takes as long as finding the order
		beside.Go(func() { slab, values = zeros[Node](len(protos))[:0], zeros[op.Value](len(protos))[:0] })
	}
	order, slots, err := e.order(g, protos, s)
	if beside.Wait(); err != nil {
		return nil, err
	}
	if values != nil {
		e.values = values
	}
	nodes := make([]*Node, 0, len(protos))
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
		if f := e.function(p); f != nil && e.ownRules(p) == nil {
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
		slab = append(slab, Node{Proto: p, Counts: &noCounts})
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
	n.Rule = e.rule(p, version)
	if n.Rule == nil {
		if err := e.unknownOp(n, op.Call{Node: p, Opset: version, In: n.Inputs, Out: outs}, s); err != nil {
			return false, err
		}
	} else if err := e.run(n, op.Call{Node: p, Opset: version, In: n.Inputs, Out: outs}, s); err != nil {
		return false, err
	}
	e.noteUncounted(n)
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
	markOfWeights(n, outs)
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
	at := e.memo.place(&v.call)
	for i := 0; at != nil && i < len(at); i++ {
		if at[i].recall(n, &v.call) {
			for _, q := range at[i].needs {
				e.needed = append(e.needed, need{n, q})
			}
			return nil
		}
	}
	v.apply(n, &v.call)
	if at != nil && !v.asked && !n.Partial {
		keep(at, n, &v.call, v.needs)
	}
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
func (e *nodeEngine) apply(n *Node, c *op.Call) {
	made := len(e.symbols)
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
	op.FollowChoices(c)
	e.settle(n, c, true)
	for i, o := range c.Out {
		if c.HasOut(i) && o.Kind == onnx.KindTensor {
			if err := e.sealShape(o); errors.Is(err, errNegative) {
				e.invalid(n, fmt.Errorf("output %d: %w", i, err))
				o.Ranked, o.Shape, o.Data = false, nil, nil
				return
			} else if err != nil {
				e.diagnose(Diagnostic{SeverityError, CodeOverflow, n.Name, fmt.Sprintf("output %d: %v", i, err)})
				o.Ranked, o.Shape, o.Data = false, nil, nil
			}
		}
		if c.HasOut(i) && opaque(o) {
			n.Partial = true
			e.diagnose(Diagnostic{SeverityWarning, CodeUnknownShape, n.Name, fmt.Sprintf("the shape of output %d %q is not known", i, o.Name)})
		}
	}
	for i, in := range c.In {
		if !opaque(in) {
			continue
		}
		n.Partial = true
		if !op.Has(n.Rule.OutWork, i) || e.unsettled(c.Out, made) {
			return // work on unknown shapes is unknown
		}
	}
	e.counts++
	n.Counts = &Counts{Work: n.Rule.Work(c), id: e.counts}
	if err := errors.Join(n.Work.MACs.Err(), n.Work.Vector.Err(), n.Work.Special.Err()); err != nil {
		e.diagnose(Diagnostic{SeverityError, CodeOverflow, n.Name, err.Error()})
		n.Work, n.Partial = op.Work{}, true
	}
	n.Read, n.Written = traffic(n.Rule, c)
}

// unsettled reports whether some output has a size that neither inference nor the file knows: its symbols are those from
// position made on.
func (e *engine) unsettled(outs []*op.Value, made int) bool {
	for _, o := range outs {
		if opaque(o) {
			return true
		}
		for _, d := range o.Shape {
			for _, s := range d.Symbols() {
				if slices.ContainsFunc(e.symbols[made:], func(x Symbol) bool { return x.Name == s }) {
					return true
				}
			}
		}
	}
	return false
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

var errNegative = errors.New("want at least 0")

func shapeErr(v *op.Value) error {
	for i, d := range v.Shape {
		if err := d.Err(); err != nil {
			return fmt.Errorf("extent %d: %w", i, err)
		}
		if n, ok := d.Value(); ok && n < 0 {
			return fmt.Errorf("axis %d has size %d, %w", i, n, errNegative)
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

// unknownOp leaves the outputs to what the user or the file says of them.
func (e *engine) unknownOp(n *Node, c op.Call, s *scope) error {
	if e.unknown == nil {
		e.unknown = map[string]int{}
	}
	e.unknown[n.Op()]++
	n.Partial = true
	if e.unknown[n.Op()] == 1 {
		why := fmt.Sprintf("no rule for operator %s at opset %d", n.Op(), n.Opset)
		if hides := op.Opaque(n.Proto.Domain, n.Proto.OpType); hides != "" {
			why = fmt.Sprintf("operator %s is %s, which the file does not describe", n.Op(), hides)
		}
		e.diagnose(Diagnostic{SeverityWarning, CodeUnknownOp, n.Name, why + ": totals are lower bounds; --ops FILE can describe it"})
	}
	v := e.invoke()
	defer e.done(v)
	v.nodeEngine = nodeEngine{engine: e, node: n, scope: s}
	v.settle(n, &c, false)
	return v.err
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

// markOfWeights marks what a node that stays in place computes from constants alone.
func markOfWeights(n *Node, outs []*op.Value) {
	if n.Rule == nil || n.Rule.Volatile || n.Partial || len(n.Bodies) > 0 || len(n.Inputs) == 0 {
		return
	}
	for _, in := range n.Inputs {
		if in != nil && !in.Resident() {
			return
		}
	}
	for _, o := range outs {
		o.OfWeights = true
	}
}

// rootsOf is the union of the roots of the data inputs, scales apart, which are used up; nil where there are none.
func rootsOf(n *Node) []*op.Value {
	var roots []*op.Value
	for i, in := range n.Inputs {
		if in == nil || n.Rule.IsHost(i) || i > 0 && op.Has(n.Rule.Scales, i) {
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
