package onnx

import (
	"bytes"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onnxcost/onnxcost/internal/bound"
)

// small returns models that together use every construct of the format.
func small(t testing.TB) [][]byte {
	t.Helper()
	all, err := Marshal(everything())
	if err != nil {
		t.Fatal(err)
	}
	return [][]byte{
		all,
		modelWith(varint(attrInts, 1), record(attrInts, packedVarints(-2, 300)), fixed32(attrFloats, 1.5)),
		modelWith(record(attrT, varint(tensorDims, 2), varint(tensorDType, 1), fixed32(tensorFloat, 1), text8(tensorName, "x"), fixed32(tensorFloat, 2))),
		modelWith(record(attrT, varint(tensorDType, 22), varint(tensorDims, 3), record(tensorInt32, packedVarints(0x71, 1)))),
		modelWith(record(attrT, record(tensorDouble, make([]byte, 16)), varint(tensorDType, 15)), record(attrT, record(tensorDouble, make([]byte, 16)))),
		modelWith(record(attrT, varint(tensorDType, 8), text8(tensorString, "a"), text8(tensorString, ""))),
		externalModel(StringPair{"location", "w.bin"}, StringPair{"offset", "4"}),
		nested(20, nil, attrG, nodeAttribute, graphNode, modelGraph),
	}
}

// exercise decodes data and uses the model in every way. It fails where the model cannot be written and read again.
func exercise(t *testing.T, data []byte) {
	m, err := Decode(data, "fuzz.onnx")
	if err != nil {
		if err.Error() == "" {
			t.Error("an error without a message")
		}
		return
	}
	visitGraph(m.Graph, 0, func(x *Tensor) {
		n, err := x.Elements()
		if err == nil && n > 1<<16 && x.HasData() && x.PayloadBytes()*8 < n && readable(x) == nil {
			t.Errorf("%d elements from %d bytes", n, x.PayloadBytes())
		}
		_ = readable(x)
	})
	if m.TrainingInfo > 0 {
		return
	}
	again, err := Marshal(m)
	if err != nil {
		t.Fatalf("cannot be written: %v", err)
	}
	m2, err := Decode(again, "fuzz.onnx")
	if err != nil {
		t.Fatalf("cannot be read after writing: %v", err)
	}
	third, err := Marshal(m2)
	if err != nil || !bytes.Equal(again, third) {
		t.Errorf("a second round trip changes the file (%v):\n%s", err, cmp.Diff(m, m2, sameModel))
	}
}

// visitGraph calls fn for the tensors of g and of the graphs in it.
func visitGraph(g *Graph, depth int, fn func(*Tensor)) {
	if g == nil {
		return
	}
	sparse := func(s *SparseTensor) {
		if s != nil {
			for _, x := range []*Tensor{s.Values, s.Indices} {
				if x != nil {
					fn(x)
				}
			}
		}
	}
	for _, x := range g.Initializers {
		fn(x)
	}
	for _, s := range g.SparseInitializers {
		sparse(s)
	}
	for _, n := range g.Nodes {
		for i := range n.Attributes {
			a := &n.Attributes[i]
			if a.T != nil {
				fn(a.T)
			}
			for _, x := range a.Tensors {
				fn(x)
			}
			sparse(a.SparseTensor)
			visitGraph(a.G, depth+1, fn)
			for _, sub := range a.Graphs {
				visitGraph(sub, depth+1, fn)
			}
		}
	}
}

// FuzzDecode: any bytes are a model or an error. A model can be used, written, and read again as the same model.
func FuzzDecode(f *testing.F) {
	for _, data := range small(f) {
		f.Add(data)
	}
	for _, data := range bound.Seeds(f, "onnx-light/*.onnx", "onnx-node-tests/test_*/model.onnx") {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		bound.Run(t, len(data), func() { exercise(t, data) })
	})
}

// FuzzTestData does the same for the messages of test data files, whose values are read too.
func FuzzTestData(f *testing.F) {
	x := join(varint(tensorDims, 2), varint(tensorDType, 22), text8(tensorName, "x"), record(tensorInt32, packedVarints(0x71)))
	sequence := join(varint(seqElemType, int64(ValueTensor)), record(seqTensors, x), record(seqTensors, x))
	f.Add(x)
	f.Add(sequence)
	f.Add(join(varint(optElemType, int64(ValueSequence)), record(optSequence, sequence), record(optMap, record(mapKeys, packedVarints(1)), record(mapValues, sequence))))
	f.Fuzz(func(t *testing.T, data []byte) {
		if x, err := ReadTensor(data); err == nil {
			_ = readable(x)
			again, err := MarshalTensor(x)
			if err != nil {
				t.Fatalf("cannot be written: %v", err)
			}
			if y, err := ReadTensor(again); err != nil || !x.Equal(y) {
				t.Errorf("got %+v (%v) after a round trip, want %+v", y, err, x)
			}
		}
		if s, err := ReadSequence(data); err == nil {
			_ = readableSequence(s)
		}
		if o, err := ReadOptional(data); err == nil && o.Tensor != nil {
			_ = readable(o.Tensor)
		}
	})
}

// TestDamagedModels cuts models at every byte, and turns one bit and the top bit of every byte.
func TestDamagedModels(t *testing.T) {
	list := small(t)
	if root := os.Getenv("ONNXCOST_SHARED"); root != "" {
		data, err := os.ReadFile(root + "/onnx-node-tests/test_loop11/model.onnx")
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, data)
	}
	for _, data := range list {
		for n := range data {
			exercise(t, data[:n])
		}
		for i := range data {
			for _, mask := range []byte{1 << (i % 8), 0x80} {
				damaged := bytes.Clone(data)
				damaged[i] ^= mask
				exercise(t, damaged)
			}
		}
	}
}

// TestDamagedFiles is TestDamagedModels for files, whose payloads stay there.
func TestDamagedFiles(t *testing.T) {
	data, err := Marshal(&Model{Graph: &Graph{Initializers: []*Tensor{NewTensor("w", Uint8, []int64{InlineLimit + 1}, make([]byte, InlineLimit+1))}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, keep := range []int{len(data) - 1, InlineLimit, 4096, 20, 1} {
		path := write(t, t.TempDir()+"/m.onnx", data[:keep])
		if m, err := Open(path); err == nil {
			t.Errorf("%d of %d bytes: got %+v, want an error", keep, len(data), m)
		}
	}
}
