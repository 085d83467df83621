package onnx

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWrongFiles checks that files which are something else are told apart.
func TestWrongFiles(t *testing.T) {
	dir := t.TempDir()
	var zipped, gzipped, tarred bytes.Buffer
	z := zip.NewWriter(&zipped)
	g := gzip.NewWriter(&gzipped)
	a := tar.NewWriter(&tarred)
	_, errZ := z.Create("archive/data.pkl")
	_, errG := g.Write([]byte("x"))
	errT := a.WriteHeader(&tar.Header{Name: "model.onnx", Size: 0, Mode: 0o644})
	if err := errors.Join(errZ, errG, errT, z.Close(), g.Close(), a.Close()); err != nil {
		t.Fatal(err)
	}
	pb, err := MarshalTensor(Float32Tensor("input", []int64{1, 2}, 1, 2))
	if err != nil {
		t.Fatal(err)
	}
	nameless, err := MarshalTensor(StringTensor("", []int64{1}, "x"))
	if err != nil {
		t.Fatal(err)
	}
	flatbuffer := func(id string) string { return "\x1c\x00\x00\x00" + id + strings.Repeat("\x00", 40) }
	for name, c := range map[string]struct{ data, want string }{
		"empty.onnx":     {"", "is empty"},
		"model.pt":       {zipped.String(), "is a zip archive (PyTorch .pt, NumPy .npz and Keras files are ones)"},
		"model.onnx.gz":  {gzipped.String(), "is gzip-compressed"},
		"model.tar":      {tarred.String(), "is a tar archive"},
		"model.ort":      {flatbuffer("ORTM"), "is an ONNX Runtime .ort flatbuffer"},
		"model.tflite":   {flatbuffer("TFL3"), "is a TensorFlow Lite flatbuffer"},
		"pointer.onnx":   {"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "is a Git LFS pointer (git lfs pull fetches the file)"},
		"page.onnx":      {"\n<!DOCTYPE html>\n<html><body>Not found</body></html>", "is an HTML page (a download that failed, perhaps)"},
		"error.onnx":     {`{"error":"Repository not found"}`, "is JSON text"},
		"notes.onnx":     {"caf\xc3\xa9\n" + strings.Repeat("\xc3\xa9", 600), "is plain text"},
		"model.xml":      {"<?xml version=\"1.0\"?><net/>", "is XML text"},
		"text.pbtxt":     {"ir_version: 8\ngraph {\n}\n", "is a model in protobuf text form"},
		"m.safetensors":  {"\x10\x00\x00\x00\x00\x00\x00\x00{\"__metadata__\":{}}", "is a safetensors file"},
		"model.h5":       {"\x89HDF\r\n\x1a\n\x00", "is an HDF5 file (older Keras models are ones)"},
		"old.pt":         {"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", "is a Python pickle (PyTorch's old .pt files are ones)"},
		"weights.npy":    {"\x93NUMPY\x01\x00v\x00{'descr': '<f4'}", "is a NumPy array"},
		"model.gguf":     {"GGUF\x03\x00\x00\x00", "is a GGUF file"},
		"input_0.pb":     {string(pb), "is a TensorProto (a tensor of test data, say)"},
		"input_1.pb":     {string(nameless), "is a TensorProto (a tensor of test data, say)"},
		"no-graph.onnx":  {string(join(varint(modelIRVersion, 8), record(modelOpset, varint(opsetVersion, 17)))), "is a ModelProto without a graph"},
		"saved_model.pb": {string(text8(modelProducerName, "x")), "is a protobuf message of another kind"},
	} {
		path := write(t, filepath.Join(dir, name), []byte(c.data))
		want := path + ": " + c.want + ", want an ONNX model"
		_, errOpen := Open(path)
		_, errRead := Read(strings.NewReader(c.data), path)
		for how, err := range map[string]error{"Open": errOpen, "Read": errRead} {
			var format *FormatError
			if !errors.As(err, &format) || err.Error() != want || format.Path != path || format.Offset != -1 {
				t.Errorf("%s(%s):\ngot  %v\nwant %s", how, name, err, want)
			}
		}
	}
	if _, err := Open(dir); err == nil || err.Error() != dir+": is a directory, want an ONNX model" {
		t.Errorf("a directory: got %v", err)
	}
	if _, err := Open(filepath.Join(dir, "none.onnx")); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "none.onnx") {
		t.Errorf("an absent file: got %v", err)
	}
	broken := errors.New("connection reset")
	if _, err := Read(failingReader{broken}, "-"); !errors.Is(err, broken) {
		t.Errorf("a stream that breaks: got %v", err)
	}
	if _, err := os.Stat(os.DevNull); err == nil {
		if _, err := Open(os.DevNull); err == nil || !strings.Contains(err.Error(), "is empty") {
			t.Errorf("a device: got %v, want it read as a stream", err)
		}
	}
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }
