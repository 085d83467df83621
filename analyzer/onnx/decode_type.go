package onnx

func (d *decoder) value(v *ValueInfo, s span) *FormatError {
	f := d.fields(s, valueMessage)
	for f.next() {
		switch f.num {
		case valueName:
			v.Name = f.str()
		case valueType:
			f.check(d.typ(merged(&d.types, &v.Type), f.span()))
		case valueDoc:
			v.DocString = f.str()
		case valueMetadata:
			f.check(d.pair(d.pairs.push(&v.Metadata), f.span()))
		}
	}
	return f.err
}

// become makes t a type of kind k. Setting another member of the oneof drops the one before.
func (t *Type) become(k TypeKind) {
	if t.Kind != k {
		*t = Type{Kind: k, Denotation: t.Denotation}
	}
}

func (d *decoder) typ(t *Type, s span) *FormatError {
	if err := d.deeper(s); err != nil {
		return err
	}
	defer d.up()
	f := d.fields(s, typeMessage)
	for f.next() {
		switch f.num {
		case typeTensor:
			t.become(KindTensor)
			f.check(d.tensorType(t, f.span()))
		case typeSparseTensor:
			t.become(KindSparseTensor)
			f.check(d.tensorType(t, f.span()))
		case typeSequence:
			t.become(KindSequence)
			f.check(d.elemType(t, f.span()))
		case typeOptional:
			t.become(KindOptional)
			f.check(d.elemType(t, f.span()))
		case typeMap:
			t.become(KindMap)
			f.check(d.mapType(t, f.span()))
		case typeOpaque:
			t.become(KindOpaque)
			f.check(d.opaqueType(t, f.span()))
		case typeDenotation:
			t.Denotation = f.str()
		}
	}
	return f.err
}

func (d *decoder) tensorType(t *Type, s span) *FormatError {
	f := d.fields(s, tensorTypeMessage)
	for f.next() {
		switch f.num {
		case tensorTypeElem:
			t.DType = DType(f.int32())
		case tensorTypeShape:
			t.HasShape = true
			f.check(d.shape(t, f.span()))
		}
	}
	return f.err
}

func (d *decoder) elemType(t *Type, s span) *FormatError {
	f := d.fields(s, elemTypeMessage)
	for f.next() {
		if f.num == elemTypeElem {
			f.check(d.typ(merged(&d.types, &t.Elem), f.span()))
		}
	}
	return f.err
}

func (d *decoder) mapType(t *Type, s span) *FormatError {
	f := d.fields(s, mapTypeMessage)
	for f.next() {
		switch f.num {
		case mapTypeKey:
			t.DType = DType(f.int32())
		case mapTypeValue:
			f.check(d.typ(merged(&d.types, &t.Elem), f.span()))
		}
	}
	return f.err
}

func (d *decoder) opaqueType(t *Type, s span) *FormatError {
	domain, name := splitOpaque(t.OpaqueName)
	f := d.fields(s, opaqueMessage)
	for f.next() {
		switch f.num {
		case opaqueDomain:
			domain = f.str()
		case opaqueName:
			name = f.str()
		}
	}
	t.OpaqueName = domain + "." + name
	return f.err
}

func (d *decoder) shape(t *Type, s span) *FormatError {
	f := d.fields(s, shapeMessage)
	for f.next() {
		if f.num == shapeDim {
			f.check(d.dimension(d.dims.push(&t.Shape), f.span()))
		}
	}
	return f.err
}

func (d *decoder) dimension(dim *Dimension, s span) *FormatError {
	f := d.fields(s, dimMessage)
	for f.next() {
		switch f.num {
		case dimValue:
			dim.Value, dim.HasValue, dim.Param = f.int64(), true, ""
		case dimParam:
			dim.Param, dim.HasValue, dim.Value = f.str(), false, 0
		case dimDenotation:
			dim.Denotation = f.str()
		}
	}
	return f.err
}
