package onnx

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// corpus returns the ONNX models under ONNXCOST_SHARED.
func corpus(t testing.TB) []string {
	root := os.Getenv("ONNXCOST_SHARED")
	if root == "" {
		t.Skip("needs ONNXCOST_SHARED")
	}
	var paths []string
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".onnx") {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		t.Fatalf("no .onnx file under %s", root)
	}
	return paths
}

// sameModel compares what models say, not where they were read.
var sameModel = cmp.Options{cmpopts.IgnoreFields(Model{}, "Path", "FileBytes"), cmpopts.EquateNaNs()}

// TestRoundTrip writes every model of the corpus and reads it back.
func TestRoundTrip(t *testing.T) {
	out := filepath.Join(t.TempDir(), "copy.onnx")
	for _, path := range corpus(t) {
		m, err := Open(path)
		if err != nil {
			t.Error(err)
			continue
		}
		if err := WriteFile(out, m); err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		again, err := Open(out)
		if err != nil {
			t.Errorf("%s: reading what was written: %v", path, err)
			continue
		}
		if diff := cmp.Diff(m, again, sameModel); diff != "" {
			t.Errorf("%s: got -, want +, after a round trip:\n%s", path, diff)
		}
		info, err := os.Stat(path)
		if err != nil || m.FileBytes != info.Size() || m.Path != path {
			t.Errorf("%s: got path %q and %d bytes, want %d (%v)", path, m.Path, m.FileBytes, info.Size(), err)
		}
	}
}

// TestTestData reads the test data of the corpus by the types that the models declare: every value must be there and
// fit its type and dims.
func TestTestData(t *testing.T) {
	kinds := map[TypeKind]int{}
	for _, path := range corpus(t) {
		m, err := Open(path)
		if err != nil {
			t.Error(err)
			continue
		}
		for prefix, values := range map[string][]ValueInfo{"input": m.Graph.Inputs, "output": m.Graph.Outputs} {
			for i, v := range values {
				file := filepath.Join(filepath.Dir(path), "test_data_set_0", fmt.Sprintf("%s_%d.pb", prefix, i))
				data, err := os.ReadFile(file)
				if err != nil {
					continue // a model without test data
				}
				if err := readTestData(data, v.Type.Kind); err != nil {
					t.Errorf("%s: %v", file, err)
				}
				kinds[v.Type.Kind]++
			}
		}
	}
	t.Logf("tensors %d, sequences %d, optionals %d", kinds[KindTensor], kinds[KindSequence], kinds[KindOptional])
	if kinds[KindTensor] < 4000 || kinds[KindSequence] < 10 || kinds[KindOptional] < 5 {
		t.Errorf("got %v files by kind, want those of the standard's node tests", kinds)
	}
}

func readTestData(data []byte, kind TypeKind) error {
	switch kind {
	case KindTensor:
		x, err := ReadTensor(data)
		if err != nil {
			return err
		}
		return readable(x)
	case KindSequence:
		s, err := ReadSequence(data)
		if err != nil {
			return err
		}
		return readableSequence(s)
	case KindOptional:
		o, err := ReadOptional(data)
		switch {
		case err != nil:
			return err
		case o.Tensor != nil:
			return readable(o.Tensor)
		case o.Sequence != nil:
			return readableSequence(o.Sequence)
		case !o.Empty():
			return fmt.Errorf("optional of kind %d", o.Kind)
		}
		return nil
	}
	return fmt.Errorf("type kind %d", kind)
}

func readableSequence(s *Sequence) error {
	if s.Len() != len(s.Tensors) {
		return fmt.Errorf("sequence of kind %d has %d elements, %d of them tensors", s.Kind, s.Len(), len(s.Tensors))
	}
	for _, x := range s.Tensors {
		if err := readable(x); err != nil {
			return err
		}
	}
	return nil
}

// readable reads all values of x by the accessor of its type.
func readable(x *Tensor) error {
	var err error
	switch {
	case x.DType == String:
		_, err = x.Strings()
	case x.DType == Complex64 || x.DType == Complex128:
		_, err = x.Complex()
	case x.DType.IsInteger() || x.DType == Bool:
		_, err = x.Int64s()
	default:
		_, err = x.Float64s()
	}
	return err
}
