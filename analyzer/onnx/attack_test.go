package onnx

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/onnxcost/onnxcost/internal/bound"
)

// nest puts body into fields from the inside out, n times.
func nest(n int, body []byte, nums ...protowire.Number) []byte {
	// Lengths grow outwards, so the bytes are written backwards.
	var parts [][]byte
	size := len(body)
	for range n {
		for _, num := range nums {
			head := protowire.AppendVarint(protowire.AppendTag(nil, num, protowire.BytesType), uint64(size))
			parts = append(parts, head)
			size += len(head)
		}
	}
	out := make([]byte, 0, size)
	for i := len(parts) - 1; i >= 0; i-- {
		out = append(out, parts[i]...)
	}
	return append(out, body...)
}

// TestAttacks sends files that are meant to break readers: each is refused with what is wrong, or read.
func TestAttacks(t *testing.T) {
	dim := func(d ...int64) []byte { return record(tensorDims, packedVarints(d...)) }
	weight := func(parts ...[]byte) []byte { return record(modelGraph, record(graphInitializer, parts...)) }
	for _, c := range []struct {
		name string
		data []byte
		want string // "" where the file is read
	}{
		{"10,000 nested graphs", nest(10_000, nil, attrG, nodeAttribute, graphNode), "ir_version: field 1 has wire type"},
		{"10,000 nested graphs in a model", record(modelGraph, nest(10_000, nil, attrG, nodeAttribute, graphNode)), "nested more than 200 deep"},
		{"10,000 nested types", record(modelGraph, record(graphInput, record(valueType, nest(10_000, nil, elemTypeElem, typeSequence)))), "nested more than 200 deep"},
		{"a varint that never ends", record(modelGraph, record(graphNode, bytes.Repeat([]byte{0x80}, 64))), "longer than 64 bits"},
		{"a varint cut short", append([]byte{modelIRVersion << 3}, 0xff, 0xff), "a varint does not end"},
		{"a length cut short", join(varint(modelIRVersion, 8), []byte{modelGraph<<3 | 2, 0xff, 0xff}), "a varint does not end"},
		{"packed ints that end within one", modelWith(record(attrInts, []byte{1, 2, 0x80})), "a varint does not end"},
		{"packed floats of 6 bytes", modelWith(record(attrFloats, make([]byte, 6))), "no multiple of 4"},
		{"ints as fixed32", modelWith(fixed32(attrInts, 1)), "has wire type fixed32, want length-delimited"},
		{"floats as varint", modelWith(varint(attrFloats, 1)), "has wire type varint, want length-delimited"},
		{"dims as text", weight(text8(tensorDims, "\xff\xff")), "a varint does not end"},
		{"a graph as a varint", varint(modelGraph, 1), "has wire type varint, want length-delimited"},
		{"a name as a varint", record(modelGraph, varint(graphName, 1)), "has wire type varint, want length-delimited"},
		{"field number 0", []byte{2, 0}, "field number 0"},
		{"a group", join(varint(modelIRVersion, 8), []byte{modelGraph<<3 | 3}), "group"},
		{"values in two fields", weight(dim(1), varint(tensorDType, 1), fixed32(tensorFloat, 1), record(tensorRaw, make([]byte, 4))), "values are stored in float_data already"},
		{"negative dims", weight(dim(-1), varint(tensorDType, 1)), ""},
		{"dims of 2^63", weight(dim(-1<<63), varint(tensorDType, 1)), ""},
		{"dims whose product overflows", weight(dim(1<<40, 1<<40), varint(tensorDType, 1)), ""},
		{"dims of 0", weight(dim(1<<40, 1<<40, 0), varint(tensorDType, 1)), ""},
		{"an element type that does not exist", weight(dim(1), varint(tensorDType, 1<<40+77), record(tensorRaw, []byte{1})), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var m *Model
			var err error
			if n := allocated(func() { m, err = Decode(c.data, "m.onnx") }); n > bound.Bytes(len(c.data)) {
				t.Errorf("%d bytes: allocates %d", len(c.data), n)
			}
			if c.want != "" {
				var format *FormatError
				if !errors.As(err, &format) || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %.300v, want an error with %q", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			visitGraph(m.Graph, 0, func(x *Tensor) {
				if n := allocated(func() { err = readable(x) }); n > 1<<20 {
					t.Errorf("reading %v allocates %d bytes", x.Dims, n)
				}
				if n, e := x.Elements(); err == nil && n != 0 {
					t.Errorf("%v: has values", x.Dims)
				} else if e == nil && n < 0 {
					t.Errorf("%v: %d elements", x.Dims, n)
				}
			})
		})
	}
}

// TestTinyRecords counts what the smallest records of every kind cost: the file explains 64 bytes for each of its own,
// and no more.
func TestTinyRecords(t *testing.T) {
	const n = 1 << 21
	many := func(r []byte) []byte { return bytes.Repeat(r, n/len(r)) }
	empty := func(num protowire.Number) []byte { return many(record(num)) }
	node := func(parts ...[]byte) []byte { return record(modelGraph, record(graphNode, parts...)) }
	attr := func(parts ...[]byte) []byte { return node(record(nodeAttribute, parts...)) }
	value := func(parts ...[]byte) []byte {
		return record(modelGraph, record(graphInput, record(valueType, parts...)))
	}
	for name, data := range map[string][]byte{
		"nodes":               record(modelGraph, empty(graphNode)),
		"nodes by number":     record(modelGraph, many(record(graphNode, record(nodeInput)))),
		"initializers":        record(modelGraph, empty(graphInitializer)),
		"sparse":              record(modelGraph, empty(graphSparse)),
		"inputs":              record(modelGraph, empty(graphInput)),
		"outputs":             record(modelGraph, empty(graphOutput)),
		"value infos":         record(modelGraph, empty(graphValueInfo)),
		"annotations":         record(modelGraph, empty(graphQuant)),
		"graph metadata":      record(modelGraph, empty(graphMetadata)),
		"opsets":              join(empty(modelOpset), record(modelGraph)),
		"metadata":            join(empty(modelMetadata), record(modelGraph)),
		"functions":           join(empty(modelFunction), record(modelGraph)),
		"training":            join(empty(modelTraining), record(modelGraph)),
		"graphs":              empty(modelGraph),
		"node inputs":         node(empty(nodeInput)),
		"node outputs":        node(empty(nodeOutput)),
		"attributes":          node(empty(nodeAttribute)),
		"attribute per node":  record(modelGraph, many(record(graphNode, record(nodeAttribute)))),
		"ints":                attr(record(attrInts, make([]byte, n))),
		"ints, unpacked":      attr(many(varint(attrInts, 0))),
		"ints, packed singly": attr(many(record(attrInts, []byte{1}))),
		"floats, packed":      attr(many(record(attrFloats, make([]byte, 4)))),
		"strings":             attr(empty(attrStrings)),
		"tensors":             attr(empty(attrTensors)),
		"graphs in a list":    attr(empty(attrGraphs)),
		"graph per attribute": node(many(record(nodeAttribute, record(attrG)))),
		"sparse tensors":      attr(empty(attrSparseTensors)),
		"types":               attr(empty(attrTypeProtos)),
		"type per input":      record(modelGraph, many(record(graphInput, record(valueType)))),
		"dims of a type":      value(record(typeTensor, record(tensorTypeShape, empty(shapeDim)))),
		"dims of a tensor":    record(modelGraph, record(graphInitializer, record(tensorDims, make([]byte, n)))),
		"external entries":    record(modelGraph, record(graphInitializer, varint(tensorLocation, 1), empty(tensorExternal))),
		"interrupted values":  record(modelGraph, record(graphInitializer, many(join(varint(tensorInt32, 1), varint(tensorDType, 6))))),
		"text per node":       record(modelGraph, many(record(graphNode, text8(nodeName, "n")))),
		"function nodes":      join(record(modelFunction, empty(funcNode)), record(modelGraph)),
		"function inputs":     join(record(modelFunction, empty(funcInput)), record(modelGraph)),
		"function defaults":   join(record(modelFunction, empty(funcAttrProto)), record(modelGraph)),
	} {
		t.Run(name, func(t *testing.T) {
			var err error
			got := allocated(func() { _, err = Decode(data, name) })
			if testing.Verbose() {
				t.Logf("%.1f bytes for each of the file's (%v)", float64(got)/float64(len(data)), err)
			}
			if got > bound.Bytes(len(data)) {
				t.Errorf("%d bytes allocate %d, want at most %d", len(data), got, bound.Bytes(len(data)))
			}
		})
	}
}

// TestShortenedFiles opens files that end earlier than their records say, at each kind of place.
func TestShortenedFiles(t *testing.T) {
	data, err := Marshal(transformer(3, 0, true))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for i := range 200 {
		path := filepath.Join(dir, "m.onnx")
		if err := os.WriteFile(path, data[:i*len(data)/200], 0o644); err != nil {
			t.Fatal(err)
		}
		if m, err := Open(path); err == nil || m != nil {
			t.Errorf("%d of %d bytes: got a model and %v", i*len(data)/200, len(data), err)
		} else if !strings.Contains(fmt.Sprint(err), "m.onnx") {
			t.Errorf("an error without the file: %v", err)
		}
	}
}
