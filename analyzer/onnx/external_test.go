package onnx

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// externalModel returns a model with one float32[2] initializer with the given external_data entries.
func externalModel(entries ...StringPair) []byte {
	body := join(varint(tensorDims, 2), varint(tensorDType, 1), text8(tensorName, "w"), varint(tensorLocation, 1))
	for _, e := range entries {
		body = append(body, record(tensorExternal, text8(pairKey, e.Key), text8(pairValue, e.Value))...)
	}
	return record(modelGraph, record(graphInitializer, body))
}

// write creates a file with its directories.
func write(t *testing.T, path string, data []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func link(t *testing.T, target, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, path); err != nil {
		t.Skip("needs symbolic links:", err)
	}
}

func TestExternalData(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	weights := Float32Tensor("", []int64{4}, 1, 2, 3, 4).data
	write(t, filepath.Join(dir, "w.bin"), weights)
	write(t, filepath.Join(dir, "sub", "w.bin"), weights)
	for _, c := range []struct {
		entries []StringPair
		want    []float64
		payload int64
	}{
		{[]StringPair{{"location", "w.bin"}}, []float64{1, 2}, 8},
		{[]StringPair{{"location", "./sub//w.bin"}, {"offset", "8"}}, []float64{3, 4}, 8},
		{[]StringPair{{"location", "w.bin"}, {"offset", "4"}, {"length", "8"}, {"checksum", "00"}, {"future", "x"}}, []float64{2, 3}, 8},
	} {
		m, err := Open(write(t, filepath.Join(dir, "m.onnx"), externalModel(c.entries...)))
		if err != nil {
			t.Errorf("%v: %v", c.entries, err)
			continue
		}
		w := m.Graph.Initializers[0]
		got, err := w.Float64s()
		if err != nil || !slices.Equal(got, c.want) || w.PayloadBytes() != c.payload || !w.HasData() || w.External.Absent {
			t.Errorf("%v: got %v in %d bytes (%v), want %v", c.entries, got, w.PayloadBytes(), err, c.want)
		}
	}
}

// TestExternalSandbox checks that no location reads a file outside the model's directory.
func TestExternalSandbox(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "model")
	secret := write(t, filepath.Join(root, "secret.bin"), make([]byte, 64))
	write(t, filepath.Join(root, "model-2", "w.bin"), make([]byte, 64)) // a sibling whose name begins alike
	write(t, filepath.Join(dir, "w.bin"), make([]byte, 64))
	link(t, secret, filepath.Join(dir, "absolute-link"))
	link(t, filepath.Join("..", "secret.bin"), filepath.Join(dir, "relative-link"))
	link(t, root, filepath.Join(dir, "dir-link"))
	link(t, filepath.Join("..", "model-2"), filepath.Join(dir, "sibling-link"))
	link(t, "w.bin", filepath.Join(dir, "inner-link"))
	for location, want := range map[string]string{
		"../secret.bin":       `location "../secret.bin" contains .., want a path inside the model's directory`,
		"sub/../../x":         "contains ..",
		"sub/../w.bin":        "contains ..",
		`..\secret.bin`:       "contains ..",
		"..":                  "contains ..",
		secret:                "is absolute, want a path inside the model's directory",
		"/w.bin":              "is absolute",
		"absolute-link":       `location "absolute-link" is a link that leads out of the model's directory`,
		"relative-link":       "leads out",
		"dir-link/secret.bin": "leads out",
		"sibling-link/w.bin":  "leads out",
		"":                    "no location",
	} {
		m, err := Open(write(t, filepath.Join(dir, "m.onnx"), externalModel(StringPair{"location", location})))
		var format *FormatError
		if !errors.As(err, &format) || !strings.Contains(err.Error(), want) || !strings.Contains(format.Field, "graph.initializer[0]") {
			t.Errorf("location %q: got %+v, %v, want an error with %q", location, m, err, want)
		}
	}
	m, err := Open(write(t, filepath.Join(dir, "m.onnx"), externalModel(StringPair{"location", "inner-link"})))
	if err != nil {
		t.Fatalf("a link inside the directory: %v", err)
	}
	if _, err := m.Graph.Initializers[0].Float64s(); err != nil {
		t.Errorf("a link inside the directory: %v", err)
	}
	// A link that is turned after the model was read.
	if err := os.Remove(filepath.Join(dir, "inner-link")); err != nil {
		t.Fatal(err)
	}
	link(t, secret, filepath.Join(dir, "inner-link"))
	if _, err := m.Graph.Initializers[0].Float64s(); err == nil || !strings.Contains(err.Error(), "leads out") {
		t.Errorf("a link that was turned: got %v, want it refused", err)
	}
}

// TestExternalStore covers caches that keep a directory of links into one store of files.
func TestExternalStore(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "blobs", "w"), Float32Tensor("", []int64{2}, 1, 2).data)
	write(t, filepath.Join(root, "blobs", "m"), externalModel(StringPair{"location", "w.bin"}))
	link(t, filepath.Join("..", "blobs", "w"), filepath.Join(root, "snapshot", "w.bin"))
	link(t, filepath.Join("..", "blobs", "m"), filepath.Join(root, "snapshot", "m.onnx"))
	m, err := Open(filepath.Join(root, "snapshot", "m.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	if v, err := m.Graph.Initializers[0].Float64s(); err != nil || !slices.Equal(v, []float64{1, 2}) {
		t.Errorf("got %v (%v), want [1 2]", v, err)
	}
}

// TestExternalMissing checks that data which cannot be read does not keep the model from being read.
func TestExternalMissing(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "w.bin"), make([]byte, 16))
	write(t, filepath.Join(dir, "sub", "x"), nil)
	link(t, "nowhere", filepath.Join(dir, "dangling"))
	for _, c := range []struct {
		entries []StringPair
		absent  bool
		err     string // of External.Err
		access  string // of the accessor
	}{
		{[]StringPair{{"location", "none.bin"}}, true, "none.bin is absent", "tensor \"w\": tensor has no data: external file"},
		{[]StringPair{{"location", "dangling"}}, true, "is absent", "is absent"},
		{[]StringPair{{"location", "sub"}}, false, "is not a regular file", "is not a regular file"},
		{[]StringPair{{"location", "w.bin/x"}}, false, "external file", "external file"},
		{[]StringPair{{"location", "w.bin"}, {"offset", "9"}}, false, "has 16 bytes, want 8 at offset 9", "has 16 bytes, want 8 at offset 9"},
		{[]StringPair{{"location", "w.bin"}, {"offset", "9223372036854775807"}, {"length", "9223372036854775807"}}, false,
			"has 16 bytes, want 9223372036854775807 at offset 9223372036854775807", "has length 9223372036854775807, want 8"},
		{[]StringPair{{"location", "w.bin"}, {"length", "12"}}, false, "", "has length 12, want 8 for type and dims"},
	} {
		m, err := Open(write(t, filepath.Join(dir, "m.onnx"), externalModel(c.entries...)))
		if err != nil {
			t.Errorf("%v: %v", c.entries, err)
			continue
		}
		e := m.Graph.Initializers[0].External
		if e.Absent != c.absent || (e.Err == nil) != (c.err == "") || e.Err != nil && !strings.Contains(e.Err.Error(), c.err) {
			t.Errorf("%v: got absent %t, %v, want %t, %q", c.entries, e.Absent, e.Err, c.absent, c.err)
		}
		_, err = m.Graph.Initializers[0].Float64s()
		if err == nil || !strings.Contains(err.Error(), c.access) || errors.Is(err, ErrNoData) != c.absent {
			t.Errorf("%v: accessor got %v, want %q", c.entries, err, c.access)
		}
	}
	for _, e := range []StringPair{{"offset", "-1"}, {"length", "1e3"}, {"offset", "99999999999999999999"}} {
		_, err := Open(write(t, filepath.Join(dir, "m.onnx"), externalModel(StringPair{"location", "w.bin"}, e)))
		if err == nil || !strings.Contains(err.Error(), "want a number of bytes") {
			t.Errorf("%v: got %v, want an error", e, err)
		}
	}
	m, err := Decode(externalModel(StringPair{"location", "w.bin"}), "m.onnx")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Graph.Initializers[0].Float64s(); !errors.Is(err, ErrNoData) || !m.Graph.Initializers[0].External.Absent {
		t.Errorf("bytes in memory: got %v, want ErrNoData", err)
	}
	if _, err := Decode(externalModel(StringPair{"location", "../w.bin"}), "m.onnx"); err == nil {
		t.Error("bytes in memory: a location that leads out was accepted")
	}
}
