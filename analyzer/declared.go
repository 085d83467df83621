package analyzer

import (
	"fmt"
	"maps"
	"slices"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/op"
)

// Inference comes first; what the file declares for a value inside of the graph may be older than the graph. It serves
// where inference knows nothing: behind an operator without a rule, behind an If whose branches do not agree. What the
// user gives for a value (Options.Shapes) is taken before both.

// declaredType returns the type that graph g declares for a value that a node makes, nil where there is none.
func (e *engine) declaredType(g *onnx.Graph, name string) *onnx.Type {
	if g == nil || name == "" || len(g.ValueInfo)+len(g.Outputs) == 0 {
		return nil
	}
	types, ok := e.types[g]
	if !ok {
		types = make(map[string]*onnx.Type, len(g.ValueInfo)+len(g.Outputs))
		for _, list := range [][]onnx.ValueInfo{g.Outputs, g.ValueInfo} { // the latter last: it says more, if anything
			for i := range list {
				if t := list[i].Type; t != nil && (t.Kind != onnx.KindTensor || t.HasShape || types[list[i].Name] == nil) {
					types[list[i].Name] = t
				}
			}
		}
		if e.types == nil {
			e.types = map[*onnx.Graph]map[string]*onnx.Type{}
		}
		e.types[g] = types
	}
	return types[name]
}

// Declared returns what the file declares for output i, nil where it declares nothing.
func (e *nodeEngine) Declared(i int) *op.Value {
	e.asked = true
	if i >= len(e.node.Proto.Outputs) {
		return nil
	}
	name := e.node.Proto.Outputs[i]
	t := e.declaredType(e.scope.graph, name)
	if t == nil {
		return nil
	}
	v := &op.Value{Name: name}
	e.declare(v, t, dimContext{node: e.node.Name})
	return v
}

// settle gives the outputs of a node the shapes that the user gives, or those that the file declares where inference
// knows nothing.
func (e *nodeEngine) settle(n *Node, c *op.Call, known bool) {
	blind := !known || slices.ContainsFunc(c.In, opaque)
	for i, o := range c.Out {
		if i >= len(n.Proto.Outputs) || o.Name == "" {
			continue
		}
		if s, ok := e.given[o.Name]; ok && e.scope.top() {
			e.give(o, s)
			continue
		}
		if !opaque(o) && !(blind && o.Kind == onnx.KindTensor && !isConst(o.Shape)) {
			continue
		}
		d := e.Declared(i)
		if d == nil || opaque(d) && o.Kind != onnx.KindUnknown || !opaque(o) && (d.Kind != onnx.KindTensor || len(d.Shape) != len(o.Shape)) {
			continue
		}
		if d.DType == onnx.Undefined {
			d.DType = o.DType
		}
		o.SetType(d)
	}
}

func isConst(s op.Shape) bool {
	for _, d := range s {
		if !d.IsConst() {
			return false
		}
	}
	return true
}

// give gives a value inside of the graph the shape that the user names.
func (e *nodeEngine) give(o *op.Value, s op.Shape) {
	e.asked = true
	e.gave[o.Name] = true
	fits := o.Kind == onnx.KindUnknown || o.Kind == onnx.KindTensor
	if fits && o.Ranked {
		fits = len(o.Shape) == len(s)
		for i := range s {
			if fits && o.Shape[i].IsConst() && s[i].IsConst() {
				fits = o.Shape[i].Equal(s[i])
			}
		}
	}
	if !fits {
		if e.err == nil {
			e.err = &OptionError{Msg: fmt.Sprintf("shape %v of %q: does not fit what node %q makes, %v", s, o.Name, e.node.Name, o)}
		}
		return
	}
	e.noteGiven(s, e.node.Name)
	o.SetTensor(o.DType, s)
}

// noteGiven records symbols that come from shapes that the user gives for values inside of the graph.
func (e *engine) noteGiven(s op.Shape, node string) {
	for _, d := range s {
		for _, name := range d.Symbols() {
			if !e.hasSymbol(name) {
				e.symbols = append(e.symbols, Symbol{Name: name, Node: node})
				e.names[name]++
			}
		}
	}
}

// checkGiven refuses a shape for a name that is no tensor of the main graph.
func (e *engine) checkGiven(in []*op.Value) error {
	for _, name := range slices.Sorted(maps.Keys(e.given)) {
		if !e.gave[name] {
			return noInput(name, in, ", and no node of the main graph makes it")
		}
	}
	return nil
}

func noInput(name string, in []*op.Value, more string) error {
	list := make([]string, len(in))
	for i, v := range in {
		list[i] = fmt.Sprintf("%q", v.Name)
	}
	return &OptionError{Msg: fmt.Sprintf("the model has no input %q; its inputs are %v%s", name, list, more)}
}
