package plan

import "github.com/onnxcost/onnxcost/analyzer/onnx"

// Attributes are those of a node as a runtime has it: the file's, and what rewriting changed.
type Attributes struct {
	Proto *onnx.Node       // of the file; nil for added nodes
	Attrs []onnx.Attribute // override Proto's
}

// maxAttributes is more than any operator has. Comparing all attributes of two nodes takes the square of their number.
const maxAttributes = 64

// Many reports whether a node has more attributes than an operator could mean.
func (n *Attributes) Many() bool {
	return len(n.Attrs) > maxAttributes || n.Proto != nil && len(n.Proto.Attributes) > maxAttributes
}

// Attr returns the attribute in force; nil where there is none.
func (n *Attributes) Attr(name string) *onnx.Attribute {
	for i := range n.Attrs {
		if n.Attrs[i].Name == name {
			return &n.Attrs[i]
		}
	}
	if n.Proto != nil {
		return n.Proto.Attr(name)
	}
	return nil
}

// IntAttr returns an integer, def where the attribute is absent.
func (n *Attributes) IntAttr(name string, def int64) int64 {
	if a := n.Attr(name); a != nil {
		return a.I
	}
	return def
}

// FloatAttr returns a number, def where the attribute is absent.
func (n *Attributes) FloatAttr(name string, def float32) float32 {
	if a := n.Attr(name); a != nil {
		return a.F
	}
	return def
}

// StrAttr returns a text, def where the attribute is absent.
func (n *Attributes) StrAttr(name, def string) string {
	if a := n.Attr(name); a != nil {
		return a.S
	}
	return def
}

// IntsAttr returns a list of integers; nil where the attribute is absent.
func (n *Attributes) IntsAttr(name string) []int64 {
	if a := n.Attr(name); a != nil {
		return a.Ints
	}
	return nil
}

// SetAttr gives an attribute another value than the file does.
func (n *Attributes) SetAttr(a onnx.Attribute) {
	for i := range n.Attrs {
		if n.Attrs[i].Name == a.Name {
			n.Attrs[i] = a
			return
		}
	}
	n.Attrs = append(n.Attrs, a)
}

// SetInts is SetAttr for a list of integers.
func (n *Attributes) SetInts(name string, v []int64) {
	n.SetAttr(onnx.Attribute{Name: name, Type: onnx.AttrInts, Ints: v})
}

// SetInt is SetAttr for an integer.
func (n *Attributes) SetInt(name string, v int64) {
	n.SetAttr(onnx.Attribute{Name: name, Type: onnx.AttrInt, I: v})
}

// InForce yields the attributes that are not overridden.
func (n *Attributes) InForce(yield func(*onnx.Attribute) bool) {
	for i := range n.Attrs {
		if !yield(&n.Attrs[i]) {
			return
		}
	}
	if n.Proto == nil {
		return
	}
	for i := range n.Proto.Attributes {
		a := &n.Proto.Attributes[i]
		if n.Attr(a.Name) == a && !yield(a) {
			return
		}
	}
}
