//go:build cgo

package ort

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// library opens the library for the tests that run something.
func library(t *testing.T) *Library {
	t.Helper()
	if os.Getenv(EnvLibrary) == "" {
		t.Skip("needs ONNXRUNTIME_LIB, the path of ONNX Runtime's C library")
	}
	path, err := Find("")
	if err != nil {
		t.Fatal(err)
	}
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// twoLayers is x[batch,k] · w + Relu with a second, boolean input that selects, of element type dt.
func twoLayers(dt onnx.DType, weight *onnx.Tensor) *onnx.Model {
	typed := func(dt onnx.DType, dims ...onnx.Dimension) *onnx.Type {
		return &onnx.Type{Kind: onnx.KindTensor, DType: dt, HasShape: true, Shape: dims}
	}
	batch, four := onnx.Dimension{Param: "batch"}, onnx.Dimension{Value: 4, HasValue: true}
	return &onnx.Model{IRVersion: 8, Opsets: []onnx.OpsetID{{Version: 17}}, Graph: &onnx.Graph{
		Name:         "two",
		Inputs:       []onnx.ValueInfo{{Name: "x", Type: typed(dt, batch, four)}, {Name: "keep", Type: typed(onnx.Bool)}},
		Initializers: []*onnx.Tensor{weight},
		Nodes: []*onnx.Node{
			{OpType: "MatMul", Name: "product", Inputs: []string{"x", "w"}, Outputs: []string{"y"}},
			{OpType: "Where", Name: "select", Inputs: []string{"keep", "y", "x"}, Outputs: []string{"z"}},
		},
		Outputs: []onnx.ValueInfo{{Name: "z", Type: typed(dt, batch, four)}},
	}}
}

func weight4(dt onnx.DType) *onnx.Tensor {
	n, _ := dt.Bytes(16)
	return onnx.NewTensor("w", dt, []int64{4, 4}, make([]byte, n))
}

func TestRun(t *testing.T) {
	l := library(t)
	if _, _, ok := splitVersion(l.Version); !ok {
		t.Errorf("version %q", l.Version)
	}
	for _, dt := range []onnx.DType{onnx.Float32, onnx.Float64, onnx.Float16} {
		m := twoLayers(dt, weight4(dt))
		var b bytes.Buffer
		if err := onnx.Encode(&b, m); err != nil {
			t.Fatal(err)
		}
		optimized := filepath.Join(t.TempDir(), "optimized.onnx")
		s, err := l.NewSession(SourceOf(m, "two", "", b.Bytes()), Options{Threads: 1, Profile: true, NoMemoryPattern: true, OptimizedModel: optimized,
			Config: map[string]string{"session.intra_op.allow_spinning": "0"}})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		r := rand.New(rand.NewPCG(1, 1))
		x, _ := RandomTensor(dt, []int64{3, 4}, 0, r)
		keep, _ := RandomTensor(onnx.Bool, nil, 0, r)
		z, _ := NewTensor(dt, []int64{3, 4})
		outputs := map[string]*Tensor{"z": z}
		if dt == onnx.Float32 {
			outputs = nil // the runtime finds a place by itself
		}
		if err := s.Bind(map[string]*Tensor{"x": x}, outputs); err == nil || !strings.Contains(err.Error(), `two: input "keep" has no value`) {
			t.Errorf("a missing input: got %v", err)
		}
		if err := s.Bind(map[string]*Tensor{"x": x, "keep": keep}, outputs); err != nil {
			t.Fatal(err)
		}
		const runs = 4
		for range runs {
			if err := s.Run(); err != nil {
				t.Fatal(err)
			}
		}
		if s.binding == nil {
			t.Errorf("%s: runs allocate their outputs anew", dt)
		}
		p, err := s.CloseProfile()
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Runs) != runs {
			t.Fatalf("profile of %d runs, want %d", len(p.Runs), runs)
		}
		last := p.Runs[runs-1].Nodes // the runtime puts casts around operators that it has no kernel for
		where := slices.IndexFunc(last, func(n NodeRecord) bool { return n.Op == "Where" })
		if where < 0 {
			t.Fatalf("%s: no Where among %+v", dt, last)
		}
		if n := last[where]; n.Provider != "CPUExecutionProvider" || len(n.Outputs) != 1 || len(n.Outputs[0].Dims) != 2 {
			t.Errorf("%s: got %+v", dt, n)
		}
		if om, err := onnx.Open(optimized); err != nil || len(om.Graph.Nodes) < 2 {
			t.Errorf("optimised model: %v", err)
		}
	}
}

// TestExternalWeights runs a model from a file whose weights lie in another one beside it.
// TestScalarOutput: an output without extents runs where it has a place, and is an error where it has none.
func TestScalarOutput(t *testing.T) {
	m := twoLayers(onnx.Float32, weight4(onnx.Float32))
	m.Graph.Nodes = append(m.Graph.Nodes, &onnx.Node{OpType: "ReduceMax", Inputs: []string{"z"}, Outputs: []string{"most"},
		Attributes: []onnx.Attribute{{Name: "keepdims", Type: onnx.AttrInt}}})
	m.Graph.Outputs = append(m.Graph.Outputs, onnx.ValueInfo{Name: "most"})
	data, err := onnx.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	s, err := library(t).NewSession(SourceOf(m, "m.onnx", "", data), Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	tensor := func(dt onnx.DType, dims ...int64) *Tensor {
		x, err := NewTensor(dt, dims)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	in := map[string]*Tensor{"x": tensor(onnx.Float32, 3, 4), "keep": tensor(onnx.Bool)}
	if err := s.Bind(in, nil); err != nil {
		t.Fatal(err)
	}
	var run *RunError
	if err := s.Run(); !errors.As(err, &run) {
		t.Errorf("without a place: got %v, want a *RunError", err)
	}
	if err := s.Bind(in, map[string]*Tensor{"most": tensor(onnx.Float32)}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Run(); err != nil {
			t.Errorf("with a place: %v", err)
		}
	}
}

func TestExternalWeights(t *testing.T) {
	l := library(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "w.bin"), make([]byte, 64), 0o644); err != nil {
		t.Fatal(err)
	}
	w := &onnx.Tensor{Name: "w", DType: onnx.Float32, Dims: []int64{4, 4}, External: &onnx.External{Location: "w.bin", Length: 64}}
	path := filepath.Join(dir, "m.onnx")
	if err := onnx.WriteFile(path, twoLayers(onnx.Float32, w)); err != nil {
		t.Fatal(err)
	}
	m, err := onnx.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.NewSession(SourceOf(m, "m.onnx", path, nil), Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
	if err := s.Run(); err == nil {
		t.Error("a closed session ran")
	}
}

func TestRefusals(t *testing.T) {
	l := library(t)
	var run *RunError
	if _, err := l.NewSession(Source{Name: "bad.onnx", Data: []byte("no model"), Inputs: []string{"x"}, Outputs: []string{"y"}}, Options{}); !errors.As(err, &run) || !strings.HasPrefix(err.Error(), "bad.onnx: ONNX Runtime cannot load it: ") {
		t.Errorf("a file that is no model: got %v", err)
	}
	m := twoLayers(onnx.Float32, weight4(onnx.Float32))
	m.Graph.Nodes[0].OpType = "NoSuchOperator"
	var b bytes.Buffer
	if err := onnx.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	if _, err := l.NewSession(SourceOf(m, "m.onnx", "", b.Bytes()), Options{}); err == nil || !strings.Contains(err.Error(), "NoSuchOperator") {
		t.Errorf("an unknown operator: got %v, want the runtime's words", err)
	}
	if _, err := l.NewSession(SourceOf(m, "m.onnx", "", b.Bytes()), Options{Provider: "no-such-provider"}); err == nil {
		t.Error("an unknown provider was taken")
	}
	if again, err := Open(l.Path); err != nil || again != l {
		t.Errorf("opening again: got %v, %v", again, err)
	}
	other := touch(t, filepath.Join(t.TempDir(), "libonnxruntime.so"))
	if _, err := Open(other); err == nil || !strings.Contains(err.Error(), "loaded already") {
		t.Errorf("a second library: got %v", err)
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: got %v", err)
	}
}
