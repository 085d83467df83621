package onnx

import (
	"math"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// attribute writes the value that Type names even where it is the default, and other values where they are not.
func (e *encoder) attribute(a *Attribute) {
	e.str(attrName, a.Name)
	reference := a.RefAttrName != "" // stands for the caller's attribute and has no value
	if a.Type == AttrFloat && !reference || math.Float32bits(a.F) != 0 {
		e.float(attrF, a.F)
	}
	if a.Type == AttrInt && !reference || a.I != 0 {
		e.varint(attrI, uint64(a.I))
	}
	if a.Type == AttrString && !reference || a.S != "" {
		e.elem(attrS, a.S)
	}
	if a.T != nil {
		e.msg(attrT, func() { e.tensor(a.T) })
	}
	if a.G != nil {
		e.msg(attrG, func() { e.graph(a.G) })
	}
	if len(a.Floats) > 0 {
		e.length(attrFloats, 4*uint64(len(a.Floats)))
		for _, v := range a.Floats {
			e.put(protowire.AppendFixed32(e.buf[:0], math.Float32bits(v)))
		}
	}
	e.ints(attrInts, a.Ints)
	e.strs(attrStrings, a.Strings)
	for _, t := range a.Tensors {
		e.msg(attrTensors, func() { e.tensor(t) })
	}
	for _, g := range a.Graphs {
		e.msg(attrGraphs, func() { e.graph(g) })
	}
	e.str(attrDoc, a.DocString)
	e.optionalType(attrTP, a.TP)
	for _, t := range a.TypeProtos {
		e.msg(attrTypeProtos, func() { e.typ(t) })
	}
	e.int(attrType, int64(a.Type))
	e.str(attrRefName, a.RefAttrName)
	if a.SparseTensor != nil {
		e.msg(attrSparseTensor, func() { e.sparse(a.SparseTensor) })
	}
	for _, t := range a.SparseTensors {
		e.msg(attrSparseTensors, func() { e.sparse(t) })
	}
}

func (e *encoder) values(num protowire.Number, list []ValueInfo) {
	for i := range list {
		v := &list[i]
		e.msg(num, func() {
			e.str(valueName, v.Name)
			e.optionalType(valueType, v.Type)
			e.str(valueDoc, v.DocString)
			e.pairs(valueMetadata, v.Metadata)
		})
	}
}

func (e *encoder) optionalType(num protowire.Number, t *Type) {
	if t != nil {
		e.msg(num, func() { e.typ(t) })
	}
}

func (e *encoder) typ(t *Type) {
	switch t.Kind {
	case KindTensor:
		e.msg(typeTensor, func() { e.tensorType(t) })
	case KindSparseTensor:
		e.msg(typeSparseTensor, func() { e.tensorType(t) })
	case KindSequence:
		e.msg(typeSequence, func() { e.optionalType(elemTypeElem, t.Elem) })
	case KindOptional:
		e.msg(typeOptional, func() { e.optionalType(elemTypeElem, t.Elem) })
	case KindMap:
		e.msg(typeMap, func() {
			e.int(mapTypeKey, int64(t.DType))
			e.optionalType(mapTypeValue, t.Elem)
		})
	case KindOpaque:
		e.msg(typeOpaque, func() {
			domain, name := splitOpaque(t.OpaqueName)
			e.str(opaqueDomain, domain)
			e.str(opaqueName, name)
		})
	}
	e.str(typeDenotation, t.Denotation)
}

// splitOpaque undoes the joining of domain and name. Domains have dots, names hardly.
func splitOpaque(s string) (domain, name string) {
	if i := strings.LastIndexByte(s, '.'); i >= 0 {
		return s[:i], s[i+1:]
	}
	return "", s
}

func (e *encoder) tensorType(t *Type) {
	e.int(tensorTypeElem, int64(t.DType))
	if !t.HasShape {
		return
	}
	e.msg(tensorTypeShape, func() {
		for i := range t.Shape {
			d := &t.Shape[i]
			e.msg(shapeDim, func() {
				if d.HasValue {
					e.varint(dimValue, uint64(d.Value))
				}
				e.str(dimParam, d.Param)
				e.str(dimDenotation, d.Denotation)
			})
		}
	})
}

func (e *encoder) sparse(t *SparseTensor) {
	if t.Values != nil {
		e.msg(sparseValues, func() { e.tensor(t.Values) })
	}
	if t.Indices != nil {
		e.msg(sparseIndices, func() { e.tensor(t.Indices) })
	}
	e.ints(sparseDims, t.Dims)
}

func (e *encoder) tensor(t *Tensor) {
	e.ints(tensorDims, t.Dims)
	e.int(tensorDType, int64(t.DType))
	if g := t.Segment; g != nil {
		e.msg(tensorSegment, func() {
			e.int(segmentBegin, g.Begin)
			e.int(segmentEnd, g.End)
		})
	}
	e.str(tensorName, t.Name)
	if t.External == nil {
		e.payload(t)
	}
	e.str(tensorDoc, t.DocString)
	if t.External != nil {
		e.pairs(tensorExternal, t.External.pairs())
		e.varint(tensorLocation, locationExternal)
	}
	e.pairs(tensorMetadata, t.Metadata)
}

// payload writes the values in the form they are stored in.
func (e *encoder) payload(t *Tensor) {
	if t.form == formNone {
		return
	}
	if t.form == formRaw {
		e.length(tensorRaw, uint64(t.size))
	}
	if e.sizing {
		e.n += uint64(t.size)
	} else if e.err == nil {
		if _, err := t.writeTo(e.w); err != nil {
			e.fail("%s: %w", t.label(), err)
		}
	}
}
