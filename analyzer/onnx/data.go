package onnx

// ValueKind is SequenceProto.DataType and OptionalProto.DataType: what a sequence or an optional holds.
type ValueKind int32

// The kinds of onnx-data.proto.
const (
	ValueUndefined    ValueKind = 0
	ValueTensor       ValueKind = 1
	ValueSparseTensor ValueKind = 2
	ValueSequence     ValueKind = 3
	ValueMap          ValueKind = 4
	ValueOptional     ValueKind = 5
)

// Sequence is a SequenceProto; the list that Kind names is the one in use.
type Sequence struct {
	Name          string
	Kind          ValueKind
	Tensors       []*Tensor
	SparseTensors []*SparseTensor
	Sequences     []*Sequence
	Maps          []*Map
	Optionals     []*Optional
}

// Len returns the number of elements.
func (s *Sequence) Len() int {
	return len(s.Tensors) + len(s.SparseTensors) + len(s.Sequences) + len(s.Maps) + len(s.Optionals)
}

// Map is a MapProto: the i-th key belongs to the i-th value.
type Map struct {
	Name       string
	KeyType    DType
	Keys       []int64  // integer keys
	StringKeys []string // string keys
	Values     *Sequence
}

// Optional is an OptionalProto; the member that Kind names is the one in use, and without any the optional is empty.
type Optional struct {
	Name         string
	Kind         ValueKind
	Tensor       *Tensor
	SparseTensor *SparseTensor
	Sequence     *Sequence
	Map          *Map
	Optional     *Optional
}

// Empty reports whether o holds nothing.
func (o *Optional) Empty() bool {
	return o.Tensor == nil && o.SparseTensor == nil && o.Sequence == nil && o.Map == nil && o.Optional == nil
}

// ReadTensor decodes a TensorProto, the form of input_N.pb in ONNX test data. The tensor's payload is a part of data.
// Bytes that are a tensor can hardly be told from bytes of another message: take the kind from the model's inputs.
func ReadTensor(data []byte) (*Tensor, error) {
	t := new(Tensor)
	d := newDecoder(data, "")
	return t, asError(d.tensor(t, span{0, len(data)}))
}

// ReadSequence decodes a SequenceProto, under ReadTensor's conditions.
func ReadSequence(data []byte) (*Sequence, error) {
	s := new(Sequence)
	d := newDecoder(data, "")
	return s, asError(d.sequence(s, span{0, len(data)}))
}

// ReadOptional decodes an OptionalProto, under ReadTensor's conditions.
func ReadOptional(data []byte) (*Optional, error) {
	o := new(Optional)
	d := newDecoder(data, "")
	return o, asError(d.optional(o, span{0, len(data)}))
}

// asError keeps a nil *FormatError from becoming an error that is not nil.
func asError(err *FormatError) error {
	if err == nil {
		return nil
	}
	return err
}

func (d *decoder) sequence(v *Sequence, s span) *FormatError {
	if err := d.deeper(s); err != nil {
		return err
	}
	defer d.up()
	f := d.fields(s, sequenceMessage)
	for f.next() {
		switch f.num {
		case seqName:
			v.Name = f.str()
		case seqElemType:
			v.Kind = ValueKind(f.int32())
		case seqTensors:
			t := d.tensors.one()
			v.Tensors = append(v.Tensors, t)
			f.check(d.tensor(t, f.span()))
		case seqSparse:
			t := new(SparseTensor)
			v.SparseTensors = append(v.SparseTensors, t)
			f.check(d.sparse(t, f.span()))
		case seqSequences:
			t := new(Sequence)
			v.Sequences = append(v.Sequences, t)
			f.check(d.sequence(t, f.span()))
		case seqMaps:
			t := new(Map)
			v.Maps = append(v.Maps, t)
			f.check(d.mapValue(t, f.span()))
		case seqOptionals:
			t := new(Optional)
			v.Optionals = append(v.Optionals, t)
			f.check(d.optional(t, f.span()))
		}
	}
	return f.err
}

func (d *decoder) mapValue(m *Map, s span) *FormatError {
	f := d.fields(s, mapMessage)
	for f.next() {
		switch f.num {
		case mapName:
			m.Name = f.str()
		case mapKeyType:
			m.KeyType = DType(f.int32())
		case mapKeys:
			m.Keys = f.int64s(m.Keys)
		case mapStringKeys:
			m.StringKeys = append(m.StringKeys, f.str())
		case mapValues:
			if m.Values == nil {
				m.Values = new(Sequence)
			}
			f.check(d.sequence(m.Values, f.span()))
		}
	}
	return f.err
}

func (d *decoder) optional(o *Optional, s span) *FormatError {
	if err := d.deeper(s); err != nil {
		return err
	}
	defer d.up()
	f := d.fields(s, optionalMessage)
	for f.next() {
		switch f.num {
		case optName:
			o.Name = f.str()
		case optElemType:
			o.Kind = ValueKind(f.int32())
		case optTensor:
			f.check(d.tensor(merged(&d.tensors, &o.Tensor), f.span()))
		case optSparse:
			if o.SparseTensor == nil {
				o.SparseTensor = new(SparseTensor)
			}
			f.check(d.sparse(o.SparseTensor, f.span()))
		case optSequence:
			if o.Sequence == nil {
				o.Sequence = new(Sequence)
			}
			f.check(d.sequence(o.Sequence, f.span()))
		case optMap:
			if o.Map == nil {
				o.Map = new(Map)
			}
			f.check(d.mapValue(o.Map, f.span()))
		case optOptional:
			if o.Optional == nil {
				o.Optional = new(Optional)
			}
			f.check(d.optional(o.Optional, f.span()))
		}
	}
	return f.err
}
