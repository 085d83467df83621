package onnx

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// everything returns a model that uses every field of every type.
func everything() *Model {
	pairs := func(k string) []StringPair { return []StringPair{{k, "v"}, {"empty", ""}} }
	dims := []Dimension{{Value: 3, HasValue: true, Denotation: "DATA_CHANNEL"}, {Param: "batch"}, {}, {Value: 0, HasValue: true}}
	tensorType := &Type{Kind: KindTensor, Denotation: "IMAGE", DType: Float16, HasShape: true, Shape: dims}
	external := VirtualTensor("external", Float32, []int64{2, 3})
	external.External = &External{Location: "w.bin", Offset: 4096, Length: 24, Checksum: "da39a3ee", Other: pairs("basepath")}
	whole := VirtualTensor("no offset, no length", Float32, []int64{2, 3})
	whole.External = &External{Location: "w.bin", Length: -1}
	tensor := Int64Tensor("ints", []int64{2}, -1, 1<<62)
	tensor.DocString, tensor.Metadata, tensor.Segment = "a tensor", pairs("t"), &Segment{Begin: 1, End: 3}
	sparse := &SparseTensor{Values: Float32Tensor("nnz", []int64{1}, 2.5), Indices: Int64Tensor("", []int64{1}, 7), Dims: []int64{3, 300}}
	body := &Graph{Name: "body", Nodes: []*Node{{OpType: "Identity", Inputs: []string{"x"}, Outputs: []string{"y"}}}}
	attrs := []Attribute{
		{Name: "f", Type: AttrFloat, F: -0.5}, {Name: "zero", Type: AttrFloat}, {Name: "i", Type: AttrInt, I: -3},
		{Name: "none", Type: AttrInt}, {Name: "s", Type: AttrString, S: "b\x00\xff"}, {Name: "empty", Type: AttrString},
		{Name: "t", Type: AttrTensor, T: tensor}, {Name: "g", Type: AttrGraph, G: body},
		{Name: "st", Type: AttrSparseTensor, SparseTensor: sparse}, {Name: "tp", Type: AttrTypeProto, TP: tensorType},
		{Name: "floats", Type: AttrFloats, Floats: []float32{0, 1e30}}, {Name: "ints", Type: AttrInts, Ints: []int64{0, -1, 1 << 40}},
		{Name: "strings", Type: AttrStrings, Strings: []string{"", "b"}}, {Name: "nothing", Type: AttrInts},
		{Name: "tensors", Type: AttrTensors, Tensors: []*Tensor{tensor, StringTensor("s", []int64{2}, "", "x")}},
		{Name: "graphs", Type: AttrGraphs, Graphs: []*Graph{body, {}}},
		{Name: "sts", Type: AttrSparseTensors, SparseTensors: []*SparseTensor{sparse, {}}},
		{Name: "tps", Type: AttrTypeProtos, TypeProtos: []*Type{{}, tensorType}},
		{Name: "ref", Type: AttrFloat, RefAttrName: "alpha", DocString: "the caller's"},
	}
	values := []ValueInfo{
		{Name: "image", DocString: "input", Type: tensorType, Metadata: pairs("v")},
		{Name: "untyped"},
		{Name: "rank unknown", Type: &Type{Kind: KindTensor, DType: Int8}},
		{Name: "scalar", Type: &Type{Kind: KindTensor, DType: Int8, HasShape: true}},
		{Name: "sparse", Type: &Type{Kind: KindSparseTensor, DType: Float64, HasShape: true, Shape: dims}},
		{Name: "sequence", Type: &Type{Kind: KindSequence, Elem: &Type{Kind: KindOptional, Elem: tensorType}}},
		{Name: "map", Type: &Type{Kind: KindMap, DType: String, Elem: tensorType}},
		{Name: "opaque", Type: &Type{Kind: KindOpaque, OpaqueName: "com.example.Thing"}},
	}
	node := &Node{Name: "n", OpType: "Everything", Domain: "com.example", Overload: "o", DocString: "a node",
		Inputs: []string{"image", "", "ints"}, Outputs: []string{"", "y"}, Attributes: attrs, Metadata: pairs("n")}
	graph := &Graph{Name: "main", DocString: "a graph", Nodes: []*Node{node, {}},
		Initializers:       []*Tensor{tensor, external, whole, VirtualTensor("virtual", BFloat16, []int64{5, 0})},
		SparseInitializers: []*SparseTensor{sparse}, Inputs: values, Outputs: values[:1], ValueInfo: values[1:],
		QuantAnnotations: []TensorAnnotation{{TensorName: "image", Params: pairs("SCALE_TENSOR")}}, Metadata: pairs("g")}
	opsets := []OpsetID{{Version: 21}, {Domain: "com.example", Version: 1}}
	return &Model{IRVersion: 10, ProducerName: "test", ProducerVersion: "1", Domain: "org.example", ModelVersion: -2,
		DocString: "a model", Opsets: opsets, Graph: graph, Metadata: pairs("m"),
		Functions: []*Function{{Name: "Everything", Domain: "com.example", Overload: "o", DocString: "a function",
			Inputs: []string{"a"}, Outputs: []string{"b"}, Attributes: []string{"alpha"}, AttributeDefaults: attrs,
			Nodes: []*Node{node}, Opsets: opsets, ValueInfo: values, Metadata: pairs("f")}}}
}

// TestEverything writes and reads every field. That the model leaves none out is checked by reflection, so a field that
// is added to a type fails here until the writer and this test know it.
func TestEverything(t *testing.T) {
	m := everything()
	set := map[string]bool{"Model.Path": true, "Model.FileBytes": true, "Model.TrainingInfo": true, // not in the file, or not written
		"External.Absent": true, "External.Err": true}
	all := map[string]bool{}
	visitFields(reflect.ValueOf(m), all, set)
	for name := range all {
		if !set[name] {
			t.Errorf("the model under test leaves %s out", name)
		}
	}
	data, err := Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	for how, read := range map[string]func() (*Model, error){
		"Decode": func() (*Model, error) { return Decode(data, "all.onnx") },
		"Read":   func() (*Model, error) { return Read(bytes.NewReader(data), "all.onnx") },
		"Open": func() (*Model, error) {
			path := filepath.Join(t.TempDir(), "all.onnx")
			if err := os.WriteFile(path, data, 0o600); err != nil {
				return nil, err
			}
			return Open(path)
		},
	} {
		got, err := read()
		if err != nil {
			t.Errorf("%s: %v", how, err)
			continue
		}
		if diff := cmp.Diff(m, got, sameModel); diff != "" {
			t.Errorf("%s: got +, want -:\n%s", how, diff)
		}
		again, err := Marshal(got)
		if err != nil || !bytes.Equal(again, data) {
			t.Errorf("%s: writing again gives %d other bytes, want the same %d (%v)", how, len(again), len(data), err)
		}
	}
}

// visitFields notes all exported fields that v reaches, and those of them that are not zero somewhere.
func visitFields(v reflect.Value, all, set map[string]bool) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			visitFields(v.Elem(), all, set)
		}
	case reflect.Slice:
		for i := range v.Len() {
			visitFields(v.Index(i), all, set)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() {
				continue
			}
			name := v.Type().Name() + "." + f.Name
			all[name] = true
			if !v.Field(i).IsZero() {
				set[name] = true
			}
			visitFields(v.Field(i), all, set)
		}
	}
}

func TestGeneratedTensor(t *testing.T) {
	write := func(w io.Writer) error {
		for i := range 100_000 {
			if _, err := w.Write([]byte{byte(i)}); err != nil {
				return err
			}
		}
		return nil
	}
	m := &Model{Graph: &Graph{Initializers: []*Tensor{GeneratedTensor("w", Uint8, []int64{1000, 100}, write)}}}
	data, err := Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(data, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []*Tensor{m.Graph.Initializers[0], got.Graph.Initializers[0]} {
		v, err := w.Int64s()
		if err != nil || len(v) != 100_000 || v[65_537] != 65_537%256 || w.PayloadBytes() != 100_000 {
			t.Errorf("got %d values in %d bytes (%v), want 100000 of the generator", len(v), w.PayloadBytes(), err)
		}
	}

	short := &Model{Graph: &Graph{Initializers: []*Tensor{GeneratedTensor("w", Uint8, []int64{100_001}, write)}}}
	if _, err := Marshal(short); err == nil || !strings.Contains(err.Error(), "has 100000 bytes, want 100001") {
		t.Errorf("a generator that stops early: got %v, want an error that counts the bytes", err)
	}
	broken := errors.New("broken generator")
	bad := &Model{Graph: &Graph{Initializers: []*Tensor{GeneratedTensor("w", Uint8, []int64{1}, func(io.Writer) error { return broken })}}}
	if _, err := Marshal(bad); !errors.Is(err, broken) {
		t.Errorf("a generator that fails: got %v, want its error", err)
	}
}

func TestEncodeRefuses(t *testing.T) {
	loop := &Graph{}
	loop.Nodes = []*Node{{Attributes: []Attribute{{Type: AttrGraph, G: loop}}}}
	for _, c := range []struct {
		name string
		m    *Model
		want string
	}{
		{"no graph", &Model{}, "no graph"},
		{"training", &Model{Graph: &Graph{}, TrainingInfo: 2}, "2 training_info entries"},
		{"a graph in itself", &Model{Graph: loop}, "does a graph contain itself"},
	} {
		var b bytes.Buffer
		err := Encode(&b, c.m)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", c.name, err, c.want)
		}
		if b.Len() > 0 {
			t.Errorf("%s: wrote %d bytes before the error", c.name, b.Len())
		}
	}
}

// failAfter is a writer that is full after n bytes.
type failAfter int

func (f *failAfter) Write(b []byte) (int, error) {
	if *f -= failAfter(len(b)); *f < 0 {
		return 0, errors.New("no space left")
	}
	return len(b), nil
}

func TestEncodeReportsWriteErrors(t *testing.T) {
	m := everything()
	m.Graph.Initializers = append(m.Graph.Initializers, GeneratedTensor("w", Uint8, []int64{300_000}, zeros(300_000)))
	for _, room := range []failAfter{0, 100_000} {
		if err := Encode(&room, m); err == nil || !strings.Contains(err.Error(), "no space left") {
			t.Errorf("got %v, want the writer's error", err)
		}
	}
}

// TestWriteFileOverSource rewrites a model in place: its large weights are read from the file being replaced.
func TestWriteFileOverSource(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "m.onnx")
	weights := bytes.Repeat([]byte("weights!"), 100_000)
	m := &Model{IRVersion: 8, Graph: &Graph{Initializers: []*Tensor{NewTensor("w", Uint8, []int64{800_000}, weights)}}}
	if err := WriteFile(path, m); err != nil {
		t.Fatal(err)
	}
	m, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	m.DocString = "changed"
	if err := WriteFile(path, m); err != nil {
		t.Fatal(err)
	}
	again, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := again.Graph.Initializers[0].Bytes()
	if err != nil || !bytes.Equal(raw, weights) || again.DocString != "changed" {
		t.Errorf("got doc %q and %d bytes of weights (%v), want the changed model", again.DocString, len(raw), err)
	}

	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	side := filepath.Join(t.TempDir(), "link.onnx")
	link(t, path, side)
	if err := WriteFile(side, &Model{Graph: &Graph{Name: "small"}}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if small, errOpen := Open(path); err != nil || errOpen != nil || small.Graph.Name != "small" || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("writing through a link: got %v, %v, %v, want the target replaced under its mode", info, err, errOpen)
	}
	if err := WriteFile(os.DevNull, m); err == nil || !strings.Contains(err.Error(), "changed since") {
		t.Errorf("writing a model whose file is gone: got %v, want an error", err)
	}
	if err := WriteFile(os.DevNull, again); err == nil {
		t.Error("writing a model whose file is gone: got no error")
	}

	m.Graph = nil
	if err := WriteFile(path, m); err == nil {
		t.Error("wrote a model without a graph")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("a failed write leaves %v behind (%v), want only the old file", entries, err)
	}
	if _, err := Open(path); err != nil {
		t.Errorf("a failed write damages the old file: %v", err)
	}
}

func ExampleEncode() {
	m := &Model{
		IRVersion: 10,
		Opsets:    []OpsetID{{Version: 21}},
		Graph: &Graph{
			Nodes:   []*Node{{OpType: "Relu", Inputs: []string{"x"}, Outputs: []string{"y"}}},
			Inputs:  []ValueInfo{{Name: "x", Type: &Type{Kind: KindTensor, DType: Float32, HasShape: true, Shape: []Dimension{{Param: "n"}}}}},
			Outputs: []ValueInfo{{Name: "y", Type: &Type{Kind: KindTensor, DType: Float32, HasShape: true, Shape: []Dimension{{Param: "n"}}}}},
		},
	}
	data, err := Marshal(m)
	if err != nil {
		panic(err)
	}
	again, err := Decode(data, "relu.onnx")
	if err != nil {
		panic(err)
	}
	fmt.Println(len(data), again.Graph.Nodes[0].OpType, again.Graph.Inputs[0].Type.Shape[0].Param)
	// Output: 58 Relu n
}
