package analyzer

import (
	"fmt"
	"strings"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/op"
)

// dimContext says whose dimensions are being declared.
type dimContext struct {
	input string // graph input, "" elsewhere
	node  string
}

// declare gives v the type that the file declares.
func (e *engine) declare(v *op.Value, t *onnx.Type, ctx dimContext) {
	v.Kind, v.DType = t.Kind, t.DType
	switch t.Kind {
	case onnx.KindTensor, onnx.KindSparseTensor:
		v.Ranked = t.HasShape
		if !t.HasShape {
			return
		}
		v.Shape = make(op.Shape, len(t.Shape))
		for i, d := range t.Shape {
			v.Shape[i] = e.declareDim(v.Name, i, d, ctx)
		}
	case onnx.KindSequence, onnx.KindOptional, onnx.KindMap:
		if t.Elem != nil {
			v.Elem = &op.Value{}
			e.declare(v.Elem, t.Elem, dimContext{node: ctx.node})
		}
	}
}

func (e *engine) declareDim(name string, axis int, d onnx.Dimension, ctx dimContext) dim.Dim {
	switch {
	case d.HasValue && d.Value >= 0:
		return dim.Const(d.Value)
	case d.Param != "":
		x := e.param(d.Param)
		if ctx.input != "" {
			e.noteSymbols(x, ctx.input, axis)
		}
		return x.Bind(e.binding)
	}
	s := e.fresh(symbolName(name, axis), Symbol{Input: ctx.input, Axis: axis, Node: ctx.node})
	return s.Bind(e.binding)
}

// symbolName names an extent without a name: input "x.1" axis 0 becomes x_1_0.
func symbolName(value string, axis int) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_':
			return r
		}
		return '_'
	}, value)
	if clean == "" || clean[0] >= '0' && clean[0] <= '9' {
		clean = "d" + clean
	}
	return fmt.Sprintf("%s_%d", clean, axis)
}

// param reads a dim_param. Exporters write formulas there ("past_seq + seq"); they are taken as such where every
// symbol in them is a parameter of its own, and as one opaque name otherwise ("batch-size").
func (e *engine) param(text string) dim.Dim {
	x, err := dim.Parse(text)
	if err != nil {
		return dim.Symbol(text)
	}
	syms := x.Symbols()
	if len(syms) == 1 && x.Equal(dim.Symbol(syms[0])) {
		return x
	}
	for _, s := range syms {
		if !e.declaredParam(s) {
			return dim.Symbol(text)
		}
	}
	return x
}

// declaredParam reports whether a graph input has an extent that is just this parameter.
func (e *engine) declaredParam(name string) bool {
	for _, in := range e.model.Graph.Inputs {
		if in.Type == nil {
			continue
		}
		for _, d := range in.Type.Shape {
			if d.Param == name {
				return true
			}
		}
	}
	return false
}

// noteSymbols records where the symbols of a declared input extent come from.
func (e *engine) noteSymbols(x dim.Dim, input string, axis int) {
	for _, s := range x.Symbols() {
		if !e.hasSymbol(s) {
			e.symbols = append(e.symbols, Symbol{Name: s, Input: input, Axis: axis})
			e.names[s]++
		}
	}
}

func (e *engine) hasSymbol(name string) bool {
	for i := range e.symbols {
		if e.symbols[i].Name == name {
			return true
		}
	}
	return false
}
