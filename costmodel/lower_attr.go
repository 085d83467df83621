package costmodel

import "github.com/onnxcost/onnxcost/analyzer/onnx"

// attributes are those of a node under rewriting.
type attributes struct {
	proto *onnx.Node       // of the file; nil for added nodes
	attrs []onnx.Attribute // override proto's
}

// maxAttributes is more than any operator has. Comparing all attributes of two nodes takes the square of their number.
const maxAttributes = 64

// many reports whether a node has more attributes than an operator could mean.
func (n *attributes) many() bool {
	return len(n.attrs) > maxAttributes || n.proto != nil && len(n.proto.Attributes) > maxAttributes
}

func (n *attributes) attr(name string) *onnx.Attribute {
	for i := range n.attrs {
		if n.attrs[i].Name == name {
			return &n.attrs[i]
		}
	}
	if n.proto != nil {
		return n.proto.Attr(name)
	}
	return nil
}

func (n *attributes) intAttr(name string, def int64) int64 {
	if a := n.attr(name); a != nil {
		return a.I
	}
	return def
}

func (n *attributes) floatAttr(name string, def float32) float32 {
	if a := n.attr(name); a != nil {
		return a.F
	}
	return def
}

func (n *attributes) strAttr(name, def string) string {
	if a := n.attr(name); a != nil {
		return a.S
	}
	return def
}

// intsAttr returns a list of integers; nil where the attribute is absent.
func (n *attributes) intsAttr(name string) []int64 {
	if a := n.attr(name); a != nil {
		return a.Ints
	}
	return nil
}

func (n *attributes) setAttr(a onnx.Attribute) {
	for i := range n.attrs {
		if n.attrs[i].Name == a.Name {
			n.attrs[i] = a
			return
		}
	}
	n.attrs = append(n.attrs, a)
}

func (n *attributes) setInts(name string, v []int64) {
	n.setAttr(onnx.Attribute{Name: name, Type: onnx.AttrInts, Ints: v})
}

func (n *attributes) setInt(name string, v int64) {
	n.setAttr(onnx.Attribute{Name: name, Type: onnx.AttrInt, I: v})
}

// inForce yields the attributes that are not overridden.
func (n *attributes) inForce(yield func(*onnx.Attribute) bool) {
	for i := range n.attrs {
		if !yield(&n.attrs[i]) {
			return
		}
	}
	if n.proto == nil {
		return
	}
	for i := range n.proto.Attributes {
		a := &n.proto.Attributes[i]
		if n.attr(a.Name) == a && !yield(a) {
			return
		}
	}
}
