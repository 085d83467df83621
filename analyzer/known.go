package analyzer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/op"
)

// ReadInputs reads input_0.pb, input_1.pb, … from a directory in the form of ONNX test data: one TensorProto,
// SequenceProto or OptionalProto per graph input (stored defaults left out), as the model declares its kind. A missing
// file leaves its input unknown; a directory without any is an error.
func ReadInputs(m *onnx.Model, dir string) (map[string]*op.Value, error) {
	stored := make(map[string]bool, len(m.Graph.Initializers))
	for _, t := range m.Graph.Initializers {
		stored[t.Name] = true
	}
	if info, err := os.Stat(dir); err != nil {
		return nil, err
	} else if !info.IsDir() {
		return nil, fmt.Errorf("%s: is a file, want a directory with input_0.pb, input_1.pb …", dir)
	}
	known := map[string]*op.Value{}
	i := 0
	for _, vi := range m.Graph.Inputs {
		if stored[vi.Name] {
			continue
		}
		path := filepath.Join(dir, fmt.Sprintf("input_%d.pb", i))
		i++
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		v, err := readKnown(vi.Type, data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		known[vi.Name] = v
	}
	if len(known) == 0 && i > 0 {
		want := "input_0.pb"
		if i > 1 {
			want = fmt.Sprintf("input_0.pb to input_%d.pb", i-1)
		}
		return nil, fmt.Errorf("%s: no %s in it", dir, want)
	}
	return known, nil
}

func readKnown(t *onnx.Type, data []byte) (*op.Value, error) {
	kind := onnx.KindTensor
	if t != nil {
		kind = t.Kind
	}
	switch kind {
	case onnx.KindSequence:
		s, err := onnx.ReadSequence(data)
		if err != nil {
			return nil, err
		}
		v, err := op.KnownSequence(s)
		if err == nil && len(v.Items) == 0 && t.Elem != nil { // an empty sequence still has the declared element type
			v.Elem = &op.Value{Kind: t.Elem.Kind, DType: t.Elem.DType}
		}
		return v, err
	case onnx.KindOptional:
		o, err := onnx.ReadOptional(data)
		if err != nil {
			return nil, err
		}
		return op.KnownOptional(o)
	}
	x, err := onnx.ReadTensor(data)
	if err != nil {
		return nil, err
	}
	return op.KnownTensor(x)
}
