package op

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// value is what a name stands for, as dim.Names.
func (n *definedNode) value(name string) (num, den dim.Dim, ok bool) {
	one := dim.Const(1)
	if d, ok := n.sizes[name]; ok {
		return d, one, true
	}
	of, field, _ := strings.Cut(name, ".")
	if a := n.d.attribute(of); a != nil {
		return n.attribute(a, field)
	}
	if i := n.d.input(of); i >= 0 {
		if v, isValue := strings.CutPrefix(field, "value"); isValue {
			return n.element(i, strings.TrimPrefix(v, "."))
		}
		return n.figure(i, field), one, true
	}
	return num, den, false
}

// figure is a size of input i; those that cannot be known yet are symbols.
func (n *definedNode) figure(i int, field string) dim.Dim {
	vs := n.given(i)
	switch field {
	case "given":
		return dim.Const(int64(min(len(vs), 1)))
	case "count":
		return dim.Const(int64(len(vs)))
	}
	var sum dim.Dim
	for _, v := range vs {
		if v == nil {
			continue
		}
		d, ok := figureOf(v, field)
		if !ok {
			return n.symbol(n.d.Inputs[i].Name + "." + field)
		}
		if _, err := strconv.Atoi(field); err == nil || field == "rank" {
			return d
		}
		sum = sum.Add(d)
	}
	return sum
}

func figureOf(v *Value, field string) (d dim.Dim, ok bool) {
	switch field {
	case "elements":
		return v.Elements()
	case "bytes":
		return v.Bytes()
	case "rank":
		return dim.Const(int64(len(v.Shape))), v.Ranked
	}
	k, err := strconv.Atoi(field)
	if err != nil || !v.Ranked || k >= len(v.Shape) {
		return d, v.Ranked && err == nil // beyond the rank there is nothing
	}
	return v.Shape[k], true
}

// symbol is a size that is not known, the same at every use in the node.
func (n *definedNode) symbol(name string) dim.Dim {
	d := n.c.fresh(strings.ReplaceAll(name, ".", "_"), dim.Dim{})
	n.sizes[name] = d
	return d
}

// element is an element of an input with Values; "" is the first.
func (n *definedNode) element(i int, index string) (num, den dim.Dim, ok bool) {
	one, k := dim.Const(1), 0
	if index != "" {
		var err error
		if k, err = strconv.Atoi(index); err != nil {
			return num, one, false
		}
	}
	name := n.d.Inputs[i].Name
	v := n.c.Input(i)
	if v == nil {
		return num, one, true
	}
	elems := v.Elems()
	if elems == nil {
		return n.symbol(name + ".value." + strconv.Itoa(k)), one, true
	}
	if k >= len(elems) {
		n.fault = fmt.Errorf("input %d (%s) has %s, want at least %d", i, name, plural(len(elems), "element"), k+1)
		return num, one, false
	}
	if d, ok := elems[k].Dim(); ok {
		return d, one, true
	}
	if num, den, ok := elems[k].rational(); ok {
		return num, dim.Const(den), true
	}
	if f, isFloat := elems[k].Float64(); isFloat {
		if num, den, ok := fractionOf(f); ok {
			return num, den, true
		}
	}
	return n.symbol(name + ".value." + strconv.Itoa(k)), one, true
}

// attribute is an entry of an attribute, its first for "", or the number of its entries.
func (n *definedNode) attribute(a *DefinedAttribute, field string) (num, den dim.Dim, ok bool) {
	one := dim.Const(1)
	entries, err := n.entries(a)
	if err != nil {
		n.fault = err
		return num, one, false
	}
	if field == "count" {
		return dim.Const(int64(len(entries))), one, true
	}
	k, _ := strconv.Atoi(field)
	if k >= len(entries) {
		n.fault = fmt.Errorf("attribute %s has %d entries, want at least %d", a.Name, len(entries), k+1)
		return num, one, false
	}
	switch x := entries[k].(type) {
	case int64:
		return dim.Const(x), one, true
	case float64:
		if num, den, ok := fractionOf(x); ok {
			return num, den, true
		}
		n.fault = fmt.Errorf("attribute %s is %v, want a number below 2^53 with at most 40 binary places", a.Name, x)
	}
	return num, one, false
}

// entries are the numbers of an attribute: int64 or float64.
func (n *definedNode) entries(a *DefinedAttribute) (out []any, err error) {
	x := n.c.Node.Attr(a.Name)
	for i := 0; x == nil && i < len(a.Also); i++ {
		x = n.c.Node.Attr(a.Also[i])
	}
	if x == nil {
		if a.Default == nil {
			return nil, fmt.Errorf("attribute %s is absent, want one", a.Name)
		}
		for _, f := range a.Default {
			out = append(out, f)
		}
		return out, nil
	}
	switch x.Type {
	case onnx.AttrInt:
		return []any{x.I}, nil
	case onnx.AttrFloat:
		return []any{float64(x.F)}, nil
	case onnx.AttrInts:
		for _, i := range x.Ints {
			out = append(out, i)
		}
		return out, nil
	case onnx.AttrFloats:
		for _, f := range x.Floats {
			out = append(out, float64(f))
		}
		return out, nil
	case onnx.AttrString:
		return n.words(a, []string{x.S})
	case onnx.AttrStrings:
		return n.words(a, x.Strings)
	}
	return nil, fmt.Errorf("attribute %s holds no numbers", a.Name)
}

func (n *definedNode) words(a *DefinedAttribute, texts []string) (out []any, err error) {
	for _, t := range texts {
		v, ok := a.Words[t]
		if !ok {
			return nil, fmt.Errorf("attribute %s is %q, which the operator's definition has no number for", a.Name, t)
		}
		out = append(out, v)
	}
	return out, nil
}
