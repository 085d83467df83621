package onnx

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
)

// The functions below write single records, so that tests can say things our encoder never says.

func record(num protowire.Number, body ...[]byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), bytes.Join(body, nil))
}

func varint(num protowire.Number, v int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, num, protowire.VarintType), uint64(v))
}

func fixed32(num protowire.Number, v float32) []byte {
	return protowire.AppendFixed32(protowire.AppendTag(nil, num, protowire.Fixed32Type), math.Float32bits(v))
}

func fixed64(num protowire.Number, v float64) []byte {
	return protowire.AppendFixed64(protowire.AppendTag(nil, num, protowire.Fixed64Type), math.Float64bits(v))
}

func text8(num protowire.Number, s string) []byte { return record(num, []byte(s)) }

func packedVarints(v ...int64) (b []byte) {
	for _, x := range v {
		b = protowire.AppendVarint(b, uint64(x))
	}
	return b
}

func packedFloats(v ...float32) (b []byte) {
	for _, x := range v {
		b = protowire.AppendFixed32(b, math.Float32bits(x))
	}
	return b
}

func join(records ...[]byte) []byte { return bytes.Join(records, nil) }

// modelWith returns a ModelProto whose graph has one node with one attribute, that of the records.
func modelWith(attribute ...[]byte) []byte {
	return record(modelGraph, record(graphNode, record(nodeAttribute, attribute...)))
}

func TestPackedAndUnpacked(t *testing.T) {
	ints := []int64{1, -2, 300, 1 << 40}
	floats := []float32{1.5, -2, 0}
	for name, data := range map[string][]byte{
		"packed": modelWith(record(attrInts, packedVarints(ints...)), record(attrFloats, packedFloats(floats...))),
		"unpacked": modelWith(varint(attrInts, 1), varint(attrInts, -2), varint(attrInts, 300), varint(attrInts, 1<<40),
			fixed32(attrFloats, 1.5), fixed32(attrFloats, -2), fixed32(attrFloats, 0)),
		"mixed": modelWith(varint(attrInts, 1), record(attrInts, packedVarints(-2, 300)), record(attrInts), fixed32(attrFloats, 1.5),
			varint(attrInts, 1<<40), record(attrFloats, packedFloats(-2, 0))),
	} {
		m, err := Decode(data, name)
		if err != nil {
			t.Error(err)
			continue
		}
		a := m.Graph.Nodes[0].Attributes[0]
		if !slices.Equal(a.Ints, ints) || !slices.Equal(a.Floats, floats) {
			t.Errorf("%s: got %v and %v, want %v and %v", name, a.Ints, a.Floats, ints, floats)
		}
	}
}

func TestPackedAndUnpackedTensor(t *testing.T) {
	head := join(varint(tensorDims, 2), record(tensorDims, packedVarints(2)))
	for _, c := range []struct {
		name   string
		data   []byte
		values []float64
	}{
		{"float_data packed", join(head, varint(tensorDType, 1), record(tensorFloat, packedFloats(1, 2, 3, 4))), []float64{1, 2, 3, 4}},
		{"float_data unpacked", join(head, varint(tensorDType, 1), fixed32(tensorFloat, 1), fixed32(tensorFloat, 2), fixed32(tensorFloat, 3), fixed32(tensorFloat, 4)), []float64{1, 2, 3, 4}},
		{"float_data mixed and interrupted", join(record(tensorFloat, packedFloats(1)), head, fixed32(tensorFloat, 2), varint(tensorDType, 1), record(tensorFloat, packedFloats(3, 4))), []float64{1, 2, 3, 4}},
		{"double_data", join(head, varint(tensorDType, 11), fixed64(tensorDouble, 1), fixed64(tensorDouble, 2), fixed64(tensorDouble, 3), fixed64(tensorDouble, -4)), []float64{1, 2, 3, -4}},
		{"int32_data as int8", join(head, varint(tensorDType, 3), record(tensorInt32, packedVarints(-128, 127, 255)), varint(tensorInt32, -1)), []float64{-128, 127, -1, -1}},
		{"int32_data as float16", join(head, varint(tensorDType, 10), record(tensorInt32, packedVarints(0x3c00, 0xc000, 0, 0x7c00))), []float64{1, -2, 0, math.Inf(1)}},
		{"int32_data as int4", join(head, varint(tensorDType, 22), record(tensorInt32, packedVarints(0x71, 0x8f))), []float64{1, 7, -1, -8}},
		{"int32_data as uint2", join(head, varint(tensorDType, 25), varint(tensorInt32, 0xe4)), []float64{0, 1, 2, 3}},
		{"int32_data as bool", join(head, varint(tensorDType, 9), record(tensorInt32, packedVarints(0, 1, 0, 1))), []float64{0, 1, 0, 1}},
		{"int64_data", join(head, varint(tensorDType, 7), record(tensorInt64, packedVarints(1, -1, 1<<40)), varint(tensorInt64, 0)), []float64{1, -1, 1 << 40, 0}},
		{"uint64_data", join(head, varint(tensorDType, 13), record(tensorUint64, packedVarints(1, -1, 0, 0))), []float64{1, 1 << 64, 0, 0}},
		{"uint64_data as uint32", join(head, varint(tensorDType, 12), record(tensorUint64, packedVarints(1, 1<<32-1, 0, 0))), []float64{1, 1<<32 - 1, 0, 0}},
		{"raw_data, the last one", join(head, text8(tensorRaw, "ab"), varint(tensorDType, 2), text8(tensorRaw, "\x01\x02\x03\xff")), []float64{1, 2, 3, 255}},
		{"raw_data beside empty fields", join(head, varint(tensorDType, 2), record(tensorFloat), text8(tensorRaw, "\x01\x02\x03\xff"), record(tensorInt64)), []float64{1, 2, 3, 255}},
	} {
		x, err := ReadTensor(c.data)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got, err := x.Float64s()
		if err != nil || !slices.Equal(got, c.values) {
			t.Errorf("%s: got %v (%v), want %v", c.name, got, err, c.values)
		}
		data, err := MarshalTensor(x)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if again, err := ReadTensor(data); err != nil || !again.Equal(x) {
			t.Errorf("%s: a round trip changes the tensor (%v)", c.name, err)
		}
	}
}

// TestMerge holds the reader to protobuf's rules: scalars take the last value, messages that occur twice are merged,
// setting another member of a oneof drops the first.
func TestMerge(t *testing.T) {
	oneDim := func(d ...[]byte) []byte { return record(tensorTypeShape, record(shapeDim, d...)) }
	data := join(
		varint(modelIRVersion, 3), text8(modelProducerName, "first"),
		record(modelGraph, text8(graphName, "a"), record(graphNode, text8(nodeOpType, "Relu"))),
		varint(modelIRVersion, 8), text8(modelProducerName, "last"),
		record(modelGraph, text8(graphDoc, "doc"), record(graphNode, text8(nodeOpType, "Abs"),
			record(nodeAttribute,
				record(attrT, varint(tensorDims, 1), varint(tensorDType, 1), record(tensorFloat, packedFloats(1))),
				record(attrT, varint(tensorDims, 2), text8(tensorName, "w"), record(tensorFloat, packedFloats(2))),
				record(attrG, text8(graphName, "g")), record(attrG, record(graphNode))),
		),
			record(graphInput, text8(valueName, "x"),
				record(valueType, record(typeTensor, varint(tensorTypeElem, 1), oneDim(varint(dimValue, 4)))),
				record(valueType, text8(typeDenotation, "IMAGE"), record(typeTensor, varint(tensorTypeElem, 7), oneDim(text8(dimParam, "n"), varint(dimValue, 5), text8(dimParam, "m"))))),
			record(graphInput, text8(valueName, "y"),
				record(valueType, record(typeTensor, varint(tensorTypeElem, 1)), record(typeSequence, record(elemTypeElem))))),
	)
	got, err := Decode(data, "")
	if err != nil {
		t.Fatal(err)
	}
	w := &Tensor{Name: "w", DType: Float32, Dims: []int64{1, 2}}
	w.payload = payload{form: formFloat, data: join(record(tensorFloat, packedFloats(1)), record(tensorFloat, packedFloats(2))), size: 12}
	want := &Model{IRVersion: 8, ProducerName: "last", Graph: &Graph{
		Name: "a", DocString: "doc",
		Nodes: []*Node{{OpType: "Relu"}, {OpType: "Abs", Attributes: []Attribute{{Type: AttrGraph, T: w,
			G: &Graph{Name: "g", Nodes: []*Node{{}}}}}}},
		Inputs: []ValueInfo{
			{Name: "x", Type: &Type{Kind: KindTensor, Denotation: "IMAGE", DType: Int64, HasShape: true, Shape: []Dimension{{Value: 4, HasValue: true}, {Param: "m"}}}},
			{Name: "y", Type: &Type{Kind: KindSequence, Elem: &Type{}}},
		},
	}}
	if diff := cmp.Diff(want, got, sameModel); diff != "" {
		t.Errorf("got +, want -:\n%s", diff)
	}
}

// TestInferType covers files of IR version 1, whose attributes have no type.
func TestInferType(t *testing.T) {
	for want, value := range map[AttrType][]byte{
		AttrFloat: fixed32(attrF, 0), AttrInt: varint(attrI, 0), AttrString: text8(attrS, ""), AttrTensor: record(attrT),
		AttrGraph: record(attrG), AttrFloats: fixed32(attrFloats, 1), AttrInts: record(attrInts), AttrStrings: text8(attrStrings, ""),
		AttrTensors: record(attrTensors), AttrGraphs: record(attrGraphs), AttrSparseTensor: record(attrSparseTensor),
		AttrSparseTensors: record(attrSparseTensors), AttrTypeProto: record(attrTP), AttrTypeProtos: record(attrTypeProtos),
		AttrUndefined: text8(attrDoc, "x"),
	} {
		m, err := Decode(modelWith(text8(attrName, "a"), value), "")
		if err != nil {
			t.Error(err)
			continue
		}
		if got := m.Graph.Nodes[0].Attributes[0].Type; got != want {
			t.Errorf("got type %d, want %d", got, want)
		}
	}
	m, err := Decode(modelWith(varint(attrType, int64(AttrInts)), varint(attrI, 1)), "")
	if err != nil || m.Graph.Nodes[0].Attributes[0].Type != AttrInts {
		t.Errorf("a type that is given must stand (%v)", err)
	}
}

func TestUnknownFieldsAreSkipped(t *testing.T) {
	junk := join(varint(99, 1), text8(1000, "x"), fixed32(protowire.MaxValidNumber, 1), fixed64(77, 1))
	m, err := Decode(join(junk, record(modelGraph, junk, record(graphNode, junk, text8(nodeOpType, "Relu"), junk))), "")
	if err != nil || len(m.Graph.Nodes) != 1 || m.Graph.Nodes[0].OpType != "Relu" {
		t.Errorf("got %+v (%v), want one Relu", m, err)
	}
}

// nested returns n messages of a field, each the body of the next, around the records.
func nested(n int, records []byte, nums ...protowire.Number) []byte {
	for range n {
		for _, num := range nums {
			records = record(num, records)
		}
	}
	return records
}

func TestFormatErrors(t *testing.T) {
	node := func(records ...[]byte) []byte { return record(graphNode, records...) }
	relu := node(text8(nodeOpType, "Relu"))
	graph := func(records ...[]byte) []byte { return join(varint(modelIRVersion, 8), record(modelGraph, records...)) }
	truncated := func(num protowire.Number, want uint64, have int) []byte {
		b := protowire.AppendTag(nil, num, protowire.BytesType)
		return append(protowire.AppendVarint(b, want), make([]byte, have)...)
	}
	deepGraph := record(modelGraph, nested(maxDepth, nil, attrG, nodeAttribute, graphNode))
	deepType := record(modelGraph, record(graphInput, record(valueType, nested(maxDepth, nil, elemTypeElem, typeSequence))))
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"an attribute beyond its node", graph(relu, relu, node(text8(nodeInput, "x"), record(nodeAttribute), truncated(nodeAttribute, 96, 17))),
			"m.onnx: offset 0x1b: graph.node[2].attribute[1]: truncated: want 96 bytes, have 17"},
		{"a graph beyond the file", join(varint(modelIRVersion, 8), truncated(modelGraph, 1<<40, 3)),
			"m.onnx: offset 0x2: graph: truncated: want 1099511627776 bytes, have 3"},
		{"a varint without end", join(record(modelGraph), varint(modelIRVersion, 1)[:1], []byte{0x80, 0x80}),
			"m.onnx: offset 0x2: ir_version: truncated: a varint does not end within the message"},
		{"a varint of 11 bytes", join(varint(modelIRVersion, 1)[:1], bytes.Repeat([]byte{0xff}, 11)),
			"m.onnx: offset 0x0: ir_version: a varint is longer than 64 bits"},
		{"a packed varint without end", graph(node(record(nodeAttribute, record(attrInts, []byte{1, 0x80})))),
			"m.onnx: offset 0x8: graph.node[0].attribute[0].ints[0]: truncated: a varint does not end within the message"},
		{"a float of two bytes", graph(node(record(nodeAttribute, fixed32(attrF, 1)[:3]))),
			"m.onnx: offset 0x8: graph.node[0].attribute[0].f: truncated: want 4 bytes, have 2"},
		{"a fixed64 of two bytes", graph(node(record(nodeAttribute, fixed64(50, 1)[:4]))),
			"m.onnx: offset 0x8: graph.node[0].attribute[0]: truncated: want 8 bytes, have 2"},
		{"odd packed floats", graph(node(record(nodeAttribute, text8(attrFloats, "12345")))),
			"m.onnx: offset 0x8: graph.node[0].attribute[0].floats[0]: packed floats take 5 bytes, which is no multiple of 4"},
		{"a string that is a number", graph(node(varint(nodeName, 1))),
			"m.onnx: offset 0x6: graph.node[0].name: field 3 has wire type varint, want length-delimited"},
		{"a number that is a string", graph(relu, record(graphInitializer, text8(tensorDType, "x"))),
			"m.onnx: offset 0xe: graph.initializer[0].data_type: field 2 has wire type length-delimited, want varint"},
		{"floats that are varints", graph(record(graphInitializer, varint(tensorFloat, 1))),
			"m.onnx: offset 0x6: graph.initializer[0].float_data[0]: field 4 has wire type varint, want fixed32"},
		{"two payloads", graph(record(graphInitializer, varint(tensorInt64, 1), text8(tensorRaw, "x"))),
			"m.onnx: offset 0x8: graph.initializer[0].raw_data: values are stored in int64_data already; a tensor has one kind of payload"},
		{"two other payloads", graph(record(graphInitializer, text8(tensorRaw, "x"), varint(tensorInt64, 1))),
			"m.onnx: offset 0x9: graph.initializer[0].int64_data[0]: values are stored in raw_data already; a tensor has one kind of payload"},
		{"a group", graph(relu, protowire.AppendTag(nil, 5, protowire.StartGroupType)),
			"m.onnx: offset 0xc: graph.initializer[0]: field 5 is a protobuf group, which ONNX does not use"},
		{"wire type 7", graph(relu, []byte{graphNode<<3 | 7}),
			"m.onnx: offset 0xc: graph.node[1]: field 1 has the reserved wire type 7"},
		{"field 0", graph(relu, []byte{2, 0}), "m.onnx: offset 0xc: graph: field number 0 is outside 1..536870911"},
		{"field 2^30", graph(relu, protowire.AppendVarint(nil, 1<<33)), "m.onnx: offset 0xc: graph: field number 1073741824 is outside 1..536870911"},
		{"201 graphs", deepGraph, "nested more than 200 deep"},
		{"200 types in a graph", deepType, "nested more than 200 deep"},
	} {
		_, err := Decode(c.data, "m.onnx")
		var format *FormatError
		if !errors.As(err, &format) || !strings.HasSuffix(err.Error(), c.want) {
			t.Errorf("%s:\ngot  %v\nwant %s", c.name, err, c.want)
		}
	}
	for name, data := range map[string][]byte{
		"200 graphs":           record(modelGraph, nested(maxDepth-1, nil, attrG, nodeAttribute, graphNode)),
		"199 types in a graph": record(modelGraph, record(graphInput, record(valueType, nested(maxDepth-2, nil, elemTypeElem, typeSequence)))),
	} {
		m, err := Decode(data, "m.onnx")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		again, err := Marshal(m)
		if err == nil {
			_, err = Decode(again, name)
		}
		if err != nil {
			t.Errorf("%s: cannot be written and read again: %v", name, err)
		}
	}
}

// TestTestDataTypes covers the messages of onnx-data.proto.
func TestTestDataTypes(t *testing.T) {
	x := record(seqTensors, varint(tensorDType, 7), varint(tensorDims, 1), varint(tensorInt64, 5))
	sequence := join(text8(seqName, "s"), varint(seqElemType, int64(ValueTensor)), x, x)
	s, err := ReadSequence(join(sequence, record(seqSparse), record(seqSequences, sequence), record(seqOptionals),
		record(seqMaps, text8(mapName, "m"), varint(mapKeyType, 7), record(mapKeys, packedVarints(1, 2)), text8(mapStringKeys, "k"),
			record(mapValues, sequence))))
	if err != nil {
		t.Fatal(err)
	}
	five, err := s.Maps[0].Values.Tensors[1].Int64s()
	if err != nil || !slices.Equal(five, []int64{5}) || s.Name != "s" || s.Kind != ValueTensor || s.Len() != 6 ||
		s.Sequences[0].Len() != 2 || !s.Optionals[0].Empty() || s.Maps[0].Name != "m" || s.Maps[0].KeyType != Int64 ||
		!slices.Equal(s.Maps[0].Keys, []int64{1, 2}) || !slices.Equal(s.Maps[0].StringKeys, []string{"k"}) {
		t.Errorf("got %+v with map %+v (%v)", s, s.Maps[0], err)
	}
	o, err := ReadOptional(join(text8(optName, "o"), varint(optElemType, int64(ValueOptional)), record(optOptional, record(optSequence, sequence)),
		record(optTensor), record(optSparse), record(optMap)))
	if err != nil || o.Empty() || o.Name != "o" || o.Kind != ValueOptional || o.Optional.Sequence.Len() != 2 ||
		o.Tensor == nil || o.SparseTensor == nil || o.Map == nil {
		t.Errorf("got %+v (%v)", o, err)
	}
	for name, read := range map[string]func([]byte) error{
		"tensor":   func(b []byte) error { _, err := ReadTensor(b); return err },
		"sequence": func(b []byte) error { _, err := ReadSequence(b); return err },
		"optional": func(b []byte) error { _, err := ReadOptional(b); return err },
	} {
		if err := read([]byte{0x0a, 5}); err == nil || !strings.Contains(err.Error(), "truncated: want 5 bytes, have 0") {
			t.Errorf("%s: got %v, want a truncation", name, err)
		}
	}
	if _, err := ReadOptional(nested(maxDepth+1, nil, optOptional)); err == nil || !strings.Contains(err.Error(), "nested more than") {
		t.Errorf("got %v, want an error about nesting", err)
	}
	if _, err := ReadSequence(nested(maxDepth/2+1, nil, mapValues, seqMaps, seqSequences)); err == nil || !strings.Contains(err.Error(), "nested more than") {
		t.Errorf("got %v, want an error about nesting", err)
	}
}
