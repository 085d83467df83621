package op

import (
	"fmt"
	"strings"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// Shape is the extent of each axis. A rank-0 shape is empty, not nil; whether the rank is known at all is said by
// Value.Ranked.
type Shape []dim.Dim

// Elements is the product of the extents; 1 for a scalar.
func (s Shape) Elements() dim.Dim { return dim.Prod(s...) }

// Equal reports whether both shapes have the same rank and equal canonical extents.
func (s Shape) Equal(o Shape) bool {
	if len(s) != len(o) {
		return false
	}
	if len(s) == 0 || &s[0] == &o[0] {
		return true
	}
	for i := range s {
		if !s[i].Equal(o[i]) {
			return false
		}
	}
	return true
}

// isConst reports whether no extent depends on a symbol.
func (s Shape) isConst() bool {
	for _, d := range s {
		if !d.IsConst() {
			return false
		}
	}
	return true
}

// String prints the shape as "2x3xbatch"; a scalar prints as "scalar".
func (s Shape) String() string {
	if len(s) == 0 {
		return "scalar"
	}
	parts := make([]string, len(s))
	for i, d := range s {
		parts[i] = d.String()
	}
	return strings.Join(parts, "x")
}

// Consts turns plain integers into a shape.
func Consts(v ...int64) Shape {
	s := make(Shape, len(v))
	for i, x := range v {
		s[i] = dim.Const(x)
	}
	return s
}

// Value is what is known of one tensor, sequence, optional, map or sparse tensor before the model runs.
//
// Rules receive values as inputs and fill those of Call.Out; a rule must not change an input.
type Value struct {
	Name  string
	Kind  onnx.TypeKind // KindUnknown until a rule or a declaration has set it
	DType onnx.DType    // element type of tensors, key type of maps

	Ranked bool // tensors: the rank is known
	// HasItems says that Items lists the whole content: an empty optional or sequence has HasItems and no Items.
	HasItems bool
	// Const says that the value is the same for every input of the model, so that any runtime computes it before the
	// first run.
	Const bool
	// Inferred says that the value is Const only because extents are known that some input has: a runtime whose shape
	// inference is weaker computes it at every run.
	Inferred bool
	// OfWeights says that the value is computed from constants alone by nodes that runtimes leave in place (dequantised
	// weights): it belongs to the weights and not to the activations.
	OfWeights bool
	sealed    bool // size is what Bytes returns
	counted   bool // count is what Elements returns

	Shape Shape    // tensors, when Ranked
	Elem  *Value   // sequences, optionals, maps: what an element is; nil where unknown
	Items []*Value // sequences and optionals whose elements are known one by one; see HasItems

	Data *Data // known elements of a small tensor; nil where unknown
	// Tensor is the stored constant that this value is, if any. Its elements are read only when Elems asks.
	Tensor *onnx.Tensor
	// Roots are the stored or generated constants that a Const value was computed from, itself included when it is one.
	Roots []*Value

	// ID numbers the values of one analysis; the analyzer sets it.
	ID int

	from  *origin // what it is of a choice among classes, nil where of none
	size  dim.Dim
	count dim.Dim // elements of a tensor whose single dimensions are less well known than their product
}

// Resident reports whether v belongs to what is there before the first inference, and is no activation.
func (v *Value) Resident() bool { return v.Const || v.OfWeights }

// Seal fixes the size in bytes once the type is final, so that Bytes need not add it up again; ok is false where the
// size is not known. A later SetTensor, SetUnranked or SetType opens the value again.
func (v *Value) Seal() (size dim.Dim, ok bool) {
	v.sealed = false
	if v.size, ok = v.Bytes(); ok && !v.HasItems {
		v.sealed = true
	}
	return v.size, ok
}

// SealAs is Seal for a tensor of the type and shape of o, which is sealed; the two share their shape from then on. ok is
// false, and nothing has changed, where they differ.
func (v *Value) SealAs(o *Value) (ok bool) {
	if !o.sealed || v.HasItems || o.HasItems || v.Kind != o.Kind || v.DType != o.DType || !v.Ranked || !o.Ranked || !v.Shape.Equal(o.Shape) {
		return false
	}
	v.Shape, v.size, v.sealed = o.Shape, o.size, true
	return true
}

// SetResult makes v what o is, elements and size included, which a rule has made of the same inputs. The name, the number
// and what is known of constants stay.
func (v *Value) SetResult(o *Value) {
	v.SetType(o)
	v.Data, v.Tensor, v.size, v.sealed, v.from = o.Data, o.Tensor, o.size, o.sealed, o.from
}

// SetTensor makes v a tensor of the given element type and shape.
func (v *Value) SetTensor(dt onnx.DType, s Shape) {
	v.Kind, v.DType, v.Ranked, v.Shape, v.sealed, v.counted = onnx.KindTensor, dt, true, s, false, false
}

// SetUnranked makes v a tensor whose rank is not known.
func (v *Value) SetUnranked(dt onnx.DType) {
	v.Kind, v.DType, v.Ranked, v.Shape, v.sealed, v.counted = onnx.KindTensor, dt, false, nil, false, false
}

// SetType copies the type of o (kind, element type, shape, elements), not its data or provenance.
func (v *Value) SetType(o *Value) {
	v.Kind, v.DType, v.Ranked, v.Shape, v.sealed = o.Kind, o.DType, o.Ranked, o.Shape, false
	v.count, v.counted = o.count, o.counted
	v.Elem, v.Items, v.HasItems = o.Elem, o.Items, o.HasItems
}

// SetSequence makes v a sequence whose elements look like elem (nil where unknown).
func (v *Value) SetSequence(elem *Value) { v.Kind, v.Elem = onnx.KindSequence, elem }

// SetItems makes v a sequence (or optional) that holds exactly items.
func (v *Value) SetItems(kind onnx.TypeKind, items []*Value) {
	v.Kind, v.Items, v.HasItems = kind, items, true
	v.Elem = common(items)
}

// common returns the most precise value type that all items have: equal ranks keep the extents that agree, others
// become unknown extents, which is said by Ranked = false. It returns nil for no items.
func common(items []*Value) *Value {
	if len(items) == 0 {
		return nil
	}
	e := &Value{}
	e.SetType(items[0])
	for _, it := range items[1:] {
		if it.Kind != e.Kind || it.DType != e.DType {
			return &Value{}
		}
		if !it.Ranked || !e.Ranked || !it.Shape.Equal(e.Shape) {
			e.Ranked, e.Shape = false, nil
		}
	}
	return e
}

// Elements is the number of elements of a tensor; ok is false where the rank is unknown or v is no tensor.
func (v *Value) Elements() (n dim.Dim, ok bool) {
	switch {
	case v == nil || !v.Ranked:
		return dim.Dim{}, false
	case v.counted:
		return v.count, true
	}
	return v.Shape.Elements(), true
}

// keepCount says that the tensor v has the elements of o under another shape, so that their number is known where its
// single dimensions are not.
func (v *Value) keepCount(o *Value) {
	n, ok := o.Elements()
	if product := v.Shape.Elements(); ok && v.Ranked && !product.IsConst() && !n.Equal(product) {
		v.count, v.counted = n, true
	}
}

// Bytes is the packed size of v in bytes: elements times the width of the type, sub-byte types rounded up to whole
// bytes; a known sequence is the sum over its items. ok is false where the shape or the width is unknown (a string
// has no fixed width).
func (v *Value) Bytes() (n dim.Dim, ok bool) {
	if v.sealed {
		return v.size, true
	}
	if v.HasItems {
		for _, it := range v.Items {
			b, ok := it.Bytes()
			if !ok {
				return dim.Dim{}, false
			}
			n = n.Add(b)
		}
		return n, true
	}
	if v.Kind != onnx.KindTensor {
		return dim.Dim{}, false
	}
	return tensorBytes(v.DType, v)
}

// tensorBytes is the packed size of the elements of v if they had element type dt.
func tensorBytes(dt onnx.DType, v *Value) (n dim.Dim, ok bool) {
	e, ok := v.Elements()
	bits := int64(dt.Bits())
	if !ok || bits == 0 {
		return dim.Dim{}, false
	}
	if bits%8 == 0 {
		return e.MulInt(bits / 8), true
	}
	return e.MulInt(bits).CeilDiv(dim.Const(8)), true
}

// String prints the type as "float32[1,3,224,224]".
func (v *Value) String() string {
	switch v.Kind {
	case onnx.KindTensor, onnx.KindSparseTensor:
		if !v.Ranked {
			return v.DType.String() + "[?]"
		}
		parts := make([]string, len(v.Shape))
		for i, d := range v.Shape {
			parts[i] = d.String()
		}
		return v.DType.String() + "[" + strings.Join(parts, ",") + "]"
	case onnx.KindSequence, onnx.KindOptional:
		name := "sequence"
		if v.Kind == onnx.KindOptional {
			name = "optional"
		}
		if v.Elem == nil {
			return name + "(?)"
		}
		return name + "(" + v.Elem.String() + ")"
	case onnx.KindMap:
		return fmt.Sprintf("map(%v, %v)", v.DType, v.Elem)
	}
	return "unknown"
}
