package onnx

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

func (d *decoder) sparse(t *SparseTensor, s span) *FormatError {
	f := d.fields(s, sparseMessage)
	for f.next() {
		switch f.num {
		case sparseValues:
			f.check(d.tensor(merged(&d.tensors, &t.Values), f.span()))
		case sparseIndices:
			f.check(d.tensor(merged(&d.tensors, &t.Indices), f.span()))
		case sparseDims:
			t.Dims = f.int64s(t.Dims)
		}
	}
	return f.err
}

func (d *decoder) tensor(t *Tensor, s span) *FormatError {
	p, external, keys := foundIn(t), t.External != nil, t.External.pairs()
	f := d.fields(s, tensorMessage)
	for f.next() {
		switch f.num {
		case tensorDims:
			t.Dims = f.int64s(t.Dims)
		case tensorDType:
			t.DType = DType(f.int32())
		case tensorSegment:
			if t.Segment == nil {
				t.Segment = newOf[Segment](&d.spent)
			}
			f.check(d.segment(t.Segment, f.span()))
		case tensorName:
			t.Name = f.str()
		case tensorDoc:
			t.DocString = f.str()
		case tensorRaw:
			p.raw(&f)
		case tensorFloat, tensorInt32, tensorString, tensorInt64, tensorDouble, tensorUint64:
			p.typed(&f)
		case tensorExternal:
			f.check(d.pair(d.pairs.push(&keys), f.span()))
		case tensorLocation:
			external = f.int32() == locationExternal
		case tensorMetadata:
			f.check(d.pair(d.pairs.push(&t.Metadata), f.span()))
		}
	}
	if f.err != nil {
		return f.err
	}
	if external {
		t.payload = payload{}
		return d.external(t, keys, s)
	}
	d.keep(t, p)
	return nil
}

func (d *decoder) segment(g *Segment, s span) *FormatError {
	f := d.fields(s, segmentMessage)
	for f.next() {
		switch f.num {
		case segmentBegin:
			g.Begin = f.int64()
		case segmentEnd:
			g.End = f.int64()
		}
	}
	return f.err
}

// found is a tensor's payload while its message is decoded. For raw_data it is the content of the record; for the
// typed fields it is a run of whole records of one field, tags included, which serves packed and unpacked writers
// alike without copying. Only a run that something interrupts is gathered into held.
type found struct {
	form form
	at   span
	held []byte // takes precedence over at
}

// raw takes the current raw_data record; the last one wins. An empty one says no more than an absent one.
func (p *found) raw(f *fields) {
	s := f.span()
	if f.err != nil || s.len() == 0 && p.form != formRaw {
		return
	}
	if p.form != formNone && p.form != formRaw {
		p.twice(f)
		return
	}
	*p = found{form: formRaw, at: s}
	if s.len() == 0 {
		*p = found{}
	}
}

// typed takes the current record of a *_data field.
func (p *found) typed(f *fields) {
	want := form(f.num)
	if f.typ != protowire.BytesType { // an unpacked element
		if !f.is(wireOf[want]) {
			return
		}
	} else if f.body.len() == 0 && want != formString {
		return // packed, no elements
	}
	record := span{f.start, f.pos}
	switch {
	case p.form == formNone:
		p.form, p.at = want, record
	case p.form != want:
		p.twice(f)
	case p.held == nil && p.at.hi == record.lo:
		p.at.hi = record.hi
	default:
		if p.held == nil {
			p.held = f.d.data[p.at.lo:p.at.hi:p.at.hi]
		}
		p.held = append(p.held, f.d.data[record.lo:record.hi]...)
	}
}

func (p *found) twice(f *fields) {
	f.failf("values are stored in %s already; a tensor has one kind of payload", p.form)
}

// foundIn returns the payload that an earlier occurrence of the same singular field left in t, for merging.
func foundIn(t *Tensor) found {
	if t.file != nil {
		return found{form: t.form, at: span{int(t.offset), int(t.offset + t.size)}}
	}
	return found{form: t.form, held: t.data}
}

// keep stores the payload in t: a copy when it is small or was gathered, else its place.
func (d *decoder) keep(t *Tensor, p found) {
	t.payload = payload{form: p.form}
	switch {
	case p.form == formNone:
	case p.held != nil:
		t.data, t.size = p.held, int64(len(p.held))
	case d.file == nil:
		t.data, t.size = d.data[p.at.lo:p.at.hi:p.at.hi], int64(p.at.len())
	case p.at.len() <= InlineLimit:
		t.data, t.size = d.blobs.copy(d.data[p.at.lo:p.at.hi]), int64(p.at.len())
	default:
		t.file, t.offset, t.size = d.file, int64(p.at.lo), int64(p.at.len())
	}
}

// external fills t.External from the external_data entries of the message in s.
func (d *decoder) external(t *Tensor, keys []StringPair, s span) *FormatError {
	e, err := parseExternal(keys)
	if err == nil {
		err = d.ext.resolve(e, t)
	}
	if err != nil {
		name := ""
		if t.Name != "" {
			name = fmt.Sprintf("tensor %q: ", t.Name)
		}
		return &FormatError{Path: d.path, Offset: int64(s.lo), Field: "external_data", Msg: name + err.Error()}
	}
	t.External = e
	return nil
}
