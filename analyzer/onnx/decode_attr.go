package onnx

func (d *decoder) attribute(a *Attribute, s span) *FormatError {
	var present AttrType // of the value field that came last
	f := d.fields(s, attrMessage)
	for f.next() {
		switch f.num {
		case attrName:
			a.Name = f.str()
		case attrF:
			a.F, present = f.float32(), AttrFloat
		case attrI:
			a.I, present = f.int64(), AttrInt
		case attrS:
			a.S, present = f.str(), AttrString
		case attrT:
			present = AttrTensor
			f.check(d.tensor(merged(&d.tensors, &a.T), f.span()))
		case attrG:
			present = AttrGraph
			if a.G == nil {
				a.G = newOf[Graph](&d.spent)
			}
			f.check(d.graph(a.G, f.span()))
		case attrFloats:
			a.Floats, present = f.float32s(a.Floats), AttrFloats
		case attrInts:
			a.Ints, present = f.int64s(a.Ints), AttrInts
		case attrStrings:
			present = AttrStrings
			*add(&a.Strings, &d.spent) = f.str()
		case attrTensors:
			present = AttrTensors
			t := d.tensors.one()
			*add(&a.Tensors, &d.spent) = t
			f.check(d.tensor(t, f.span()))
		case attrGraphs:
			present = AttrGraphs
			g := newOf[Graph](&d.spent)
			*add(&a.Graphs, &d.spent) = g
			f.check(d.graph(g, f.span()))
		case attrDoc:
			a.DocString = f.str()
		case attrTP:
			present = AttrTypeProto
			f.check(d.typ(merged(&d.types, &a.TP), f.span()))
		case attrTypeProtos:
			present = AttrTypeProtos
			t := d.types.one()
			*add(&a.TypeProtos, &d.spent) = t
			f.check(d.typ(t, f.span()))
		case attrType:
			a.Type = AttrType(f.int32())
		case attrRefName:
			a.RefAttrName = f.str()
		case attrSparseTensor:
			present = AttrSparseTensor
			if a.SparseTensor == nil {
				a.SparseTensor = newOf[SparseTensor](&d.spent)
			}
			f.check(d.sparse(a.SparseTensor, f.span()))
		case attrSparseTensors:
			present = AttrSparseTensors
			t := newOf[SparseTensor](&d.spent)
			*add(&a.SparseTensors, &d.spent) = t
			f.check(d.sparse(t, f.span()))
		}
	}
	if a.Type == AttrUndefined {
		a.Type = present // IR version 1 had no type field
	}
	return f.err
}
