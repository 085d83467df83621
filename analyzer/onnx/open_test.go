package onnx

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// allocated returns the bytes that f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestOpenAllocates holds Open to the records of a file: weights must not show in what it allocates.
func TestOpenAllocates(t *testing.T) {
	dir := t.TempDir()
	cost := func(weightBytes int64) uint64 {
		path := filepath.Join(dir, fmt.Sprint(weightBytes))
		if err := WriteFile(path, transformer(10, weightBytes, false)); err != nil {
			t.Fatal(err)
		}
		return allocated(func() {
			if _, err := Open(path); err != nil {
				t.Error(err)
			}
		})
	}
	none, large := cost(0), cost(4_000_000)
	if large > none+none/4+16<<10 {
		t.Errorf("a model with 40 MB of weights allocates %d bytes, one without %d: want about the same", large, none)
	}
}

// TestReadAllocates: a file that is given as a stream takes its size once.
func TestReadAllocates(t *testing.T) {
	data, err := Marshal(transformer(10, 4_000_000, false))
	if err != nil {
		t.Fatal(err)
	}
	const skip = 5
	path := write(t, filepath.Join(t.TempDir(), "m.onnx"), append(make([]byte, skip), data...))
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Seek(skip, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	var m *Model
	got := allocated(func() { m, err = Read(f, "stdin") })
	if err != nil || m.FileBytes != int64(len(data)) {
		t.Fatalf("got %+v (%v), want the whole model", m, err)
	}
	if most := uint64(len(data)) + 1<<20; got > most {
		t.Errorf("allocates %d bytes for %d, want at most %d", got, len(data), most)
	}
}

// TestHugeLengths checks that lengths which the file does not hold allocate nothing.
func TestHugeLengths(t *testing.T) {
	const huge = 1 << 40
	head := func(num int32, wire byte, n int64) []byte {
		return append(packedVarints(int64(num)<<3|int64(wire)), packedVarints(n)...)
	}
	for name, data := range map[string][]byte{
		"string":       head(modelProducerName, 2, huge),
		"graph":        head(modelGraph, 2, huge),
		"node":         record(modelGraph, head(graphNode, 2, huge)),
		"initializer":  record(modelGraph, head(graphInitializer, 2, huge)),
		"raw_data":     record(modelGraph, record(graphInitializer, head(tensorRaw, 2, huge))),
		"packed dims":  record(modelGraph, record(graphInitializer, head(tensorDims, 2, huge))),
		"packed ints":  modelWith(head(attrInts, 2, huge)),
		"packed float": modelWith(head(attrFloats, 2, huge)),
	} {
		n := allocated(func() {
			if _, err := Decode(data, name); err == nil || !strings.Contains(err.Error(), "truncated: want 1099511627776 bytes") {
				t.Errorf("%s: got %v, want a truncation", name, err)
			}
		})
		if n > 256<<10 {
			t.Errorf("%s: allocates %d bytes for a file of %d", name, n, len(data))
		}
	}
	for name, x := range map[string]*Tensor{
		"dims without data": VirtualTensor("", Float32, []int64{huge}),
		"short raw_data":    NewTensor("", Float32, []int64{huge}, make([]byte, 8)),
		"short int32_data":  {DType: Int32, Dims: []int64{huge}, payload: payload{form: formInt32, data: varint(tensorInt32, 1), size: 2}},
		"short strings":     {DType: String, Dims: []int64{huge}, payload: payload{form: formString, data: text8(tensorString, ""), size: 2}},
		"external data":     {DType: Float32, Dims: []int64{huge}, External: &External{Location: "x", Length: -1}},
	} {
		if n := allocated(func() {
			if readable(x) == nil {
				t.Errorf("%s: has values", name)
			}
		}); n > 64<<10 {
			t.Errorf("%s: allocates %d bytes", name, n)
		}
	}
}

// TestLargePayload covers payloads above InlineLimit, which Open leaves in the file.
func TestLargePayload(t *testing.T) {
	const n = InlineLimit/8 + 1
	ints := make([]int64, n)
	words := make([]string, n)
	for i := range ints {
		ints[i], words[i] = int64(i)-7, fmt.Sprint("word", i)
	}
	packed := record(tensorInt64, packedVarints(slices.Repeat([]int64{-1}, n)...))
	typed, err := ReadTensor(join(varint(tensorDims, n), varint(tensorDType, int64(Int64)), packed))
	if err != nil {
		t.Fatal(err)
	}
	m := &Model{Graph: &Graph{Initializers: []*Tensor{Int64Tensor("raw", []int64{n}, ints...), typed,
		StringTensor("words", []int64{n}, words...), Int64Tensor("small", nil, 5)}}}
	path := filepath.Join(t.TempDir(), "m.onnx")
	if err := WriteFile(path, m); err != nil {
		t.Fatal(err)
	}
	m, err = Open(path)
	if err != nil {
		t.Fatal(err)
	}
	list := m.Graph.Initializers
	for _, x := range list[:3] {
		if x.file == nil || x.data != nil {
			t.Errorf("%s: a payload of %d bytes is held in memory", x.Name, x.PayloadBytes())
		}
	}
	if got, err := list[0].Int64s(); err != nil || !slices.Equal(got, ints) {
		t.Errorf("raw: got %d values (%v)", len(got), err)
	}
	if got, err := list[1].Int64s(); err != nil || !slices.Equal(got, slices.Repeat([]int64{-1}, n)) {
		t.Errorf("typed: got %d values (%v)", len(got), err)
	}
	if got, err := list[2].Strings(); err != nil || !slices.Equal(got, words) {
		t.Errorf("strings: got %d values (%v)", len(got), err)
	}

	if err := os.Chtimes(path, time.Time{}, time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := list[0].Int64s(); err == nil || !strings.Contains(err.Error(), "changed since the model was read") {
		t.Errorf("a file that changed: got %v, want an error", err)
	}
	if err := Encode(io.Discard, m); err == nil || !strings.Contains(err.Error(), "changed since the model was read") {
		t.Errorf("writing from a file that changed: got %v, want an error", err)
	}
	if got, err := list[3].Int64s(); err != nil || !slices.Equal(got, []int64{5}) {
		t.Errorf("a small tensor needs no file: got %v (%v)", got, err)
	}
}

// TestShrinkingFile truncates a file between mapping and decoding, which the larger one is in parts.
func TestShrinkingFile(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows refuses to truncate a mapped file")
	}
	for _, layers := range []int{200, 2000} {
		data, err := Marshal(transformer(layers, 0, false))
		if err != nil {
			t.Fatal(err)
		}
		onCores(2, func() { shrink(t, data) })
	}
}

func shrink(t *testing.T, data []byte) {
	for _, left := range []int64{0, 4096, int64(len(data)) / 2 &^ 4095} {
		path := write(t, filepath.Join(t.TempDir(), "m.onnx"), data)
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		mapped, unmap, err := mapFile(f, int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, left); err != nil {
			t.Fatal(err)
		}
		d := newDecoder(mapped, "m.onnx")
		d.file = &source{path: path}
		m, err := d.mappedModel()
		var format *FormatError
		if m != nil || !errors.As(err, &format) || err.Error() != "m.onnx: changed while it was being read" {
			t.Errorf("truncated to %d bytes: got %v, want an error that says so", left, err)
		}
		if err := errors.Join(unmap(), f.Close()); err != nil {
			t.Error(err)
		}
	}
}

// TestBeyond2GiB reads what lies behind 3 GB of weights. The file is sparse.
func TestBeyond2GiB(t *testing.T) {
	if testing.Short() || runtime.GOOS != "linux" || ^uint(0)>>32 == 0 {
		t.Skip("needs sparse files and 64 bits")
	}
	const weights = int64(3) << 30
	big := make([]byte, InlineLimit+8)
	copy(big[InlineLimit:], "the end.")
	m := &Model{Graph: &Graph{
		Nodes: []*Node{{OpType: "Relu"}},
		Initializers: []*Tensor{GeneratedTensor("w", Float32, []int64{weights / 4}, zeros(weights)),
			NewTensor("big", Uint8, []int64{int64(len(big))}, big), Int64Tensor("small", nil, 42)},
		Outputs: []ValueInfo{{Name: "y"}},
	}}
	path := filepath.Join(t.TempDir(), "m.onnx")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(Encode(sparseWriter{f}, m), f.Close()); err != nil {
		t.Fatal(err)
	}
	m, err = Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if m.FileBytes <= weights || m.Graph.Initializers[0].PayloadBytes() != weights || m.Graph.Outputs[0].Name != "y" {
		t.Errorf("got a file of %d bytes with %d of weights", m.FileBytes, m.Graph.Initializers[0].PayloadBytes())
	}
	if v, err := m.Graph.Initializers[2].Int64s(); err != nil || v[0] != 42 {
		t.Errorf("got %v (%v), want [42]", v, err)
	}
	if x := m.Graph.Initializers[1]; x.offset <= weights {
		t.Errorf("got offset %d, want one beyond %d", x.offset, weights)
	} else if raw, err := x.Bytes(); err != nil || !bytes.Equal(raw, big) {
		t.Errorf("got %d bytes (%v), want those behind the weights", len(raw), err)
	}
}

// sparseWriter leaves holes where blocks of zeros would be written.
type sparseWriter struct{ f *os.File }

func (s sparseWriter) Write(b []byte) (int, error) {
	if len(b) == 1<<20 && bytes.Count(b, []byte{0}) == len(b) {
		_, err := s.f.Seek(int64(len(b)), io.SeekCurrent)
		return len(b), err
	}
	return s.f.Write(b)
}
