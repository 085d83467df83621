package analyzer_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/op"
)

// missFile lists the node tests that are known to fail, one a line: the name, then why. It may only shrink.
const missFile = "testdata/nodetests-misses.txt"

var nodeTest = flag.String("nodetest", "", "substring of the node tests to run; misses are then only printed")

// TestNodeTests runs the standard's own operator tests: with the recorded inputs known, every output must come out
// with the recorded element type and shape. What the model declares for its outputs is taken away first.
func TestNodeTests(t *testing.T) {
	dirs, err := filepath.Glob(shared(t, "onnx-node-tests", "*", "model.onnx"))
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no node tests: %v", err)
	}
	listed := readMisses(t)
	ran, missed := 0, map[string]string{}
	for _, path := range dirs {
		name := filepath.Base(filepath.Dir(path))
		if !strings.Contains(name, *nodeTest) {
			continue
		}
		ran++
		if why := runNodeTest(path); why != "" {
			missed[name] = why
		}
	}
	t.Logf("%d of %d node tests give the recorded types and shapes", ran-len(missed), ran)
	t.Logf("%d outputs have folded elements, which are compared too", folded)
	for _, name := range sortedKeys(missed) {
		if listed[name] == "" {
			t.Errorf("%s: %s", name, missed[name])
		} else {
			t.Logf("known miss: %s: %s", name, missed[name])
		}
	}
	if *nodeTest != "" {
		return
	}
	for _, name := range sortedKeys(listed) {
		if missed[name] == "" {
			t.Errorf("%s passes now: take it out of %s", name, missFile)
		}
	}
	if share := float64(ran-len(missed)) / float64(ran); share < 0.99 {
		t.Errorf("%.2f %% of the node tests pass, want at least 99 %%", 100*share)
	}
}

func sortedKeys(m map[string]string) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func readMisses(t *testing.T) map[string]string {
	listed := map[string]string{}
	data, err := os.ReadFile(missFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, why, _ := strings.Cut(line, " ")
		if why == "" {
			t.Errorf("%s: %s has no reason", missFile, name)
			why = "?"
		}
		listed[name] = why
	}
	return listed
}

// runNodeTest returns what differs from the record, "" where nothing does.
func runNodeTest(path string) string {
	m, err := onnx.Open(path)
	if err != nil {
		return err.Error()
	}
	dir := filepath.Join(filepath.Dir(path), "test_data_set_0")
	opt := analyzer.Options{}
	if len(m.Graph.Inputs) > 0 {
		if opt.Inputs, err = analyzer.ReadInputs(m, dir); err != nil {
			return err.Error()
		}
	}
	kinds := make([]onnx.TypeKind, len(m.Graph.Outputs))
	for i := range m.Graph.Outputs {
		o := &m.Graph.Outputs[i]
		if kinds[i] = onnx.KindTensor; o.Type != nil {
			kinds[i] = o.Type.Kind
		}
		o.Type = nil
	}
	m.Graph.ValueInfo = nil
	r, err := analyzer.Analyze(context.Background(), m, opt)
	if err != nil {
		return err.Error()
	}
	var diffs []string
	for i, kind := range kinds {
		data, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("output_%d.pb", i)))
		if err != nil {
			return err.Error()
		}
		want, err := recordedType(kind, data)
		if err != nil {
			return err.Error()
		}
		if got := typeText(r.Outputs[i]); got != want {
			diffs = append(diffs, fmt.Sprintf("output %d: got %s, want %s", i, got, want))
		} else if kind == onnx.KindTensor {
			if d := elementsDiffer(r.Outputs[i], data); d != "" {
				diffs = append(diffs, fmt.Sprintf("output %d: %s", i, d))
			}
		}
	}
	if diffs == nil {
		return ""
	}
	for _, d := range r.Diagnostics {
		if d.Severity != analyzer.SeverityNote {
			diffs = append(diffs, d.Message)
		}
	}
	return strings.Join(diffs, "; ")
}

// folded counts the outputs whose elements were compared with the record.
var folded int

// elementsDiffer compares the elements that folding has computed with the recorded ones. Types whose arithmetic folding
// does not reproduce bit by bit (float16 and below, transcendental functions) get a tolerance.
func elementsDiffer(v *op.Value, data []byte) string {
	x, err := onnx.ReadTensor(data)
	if err != nil {
		return err.Error()
	}
	if strs := v.Strs(); strs != nil {
		want, err := x.Strings()
		if err != nil {
			return err.Error()
		}
		folded++
		if !slices.Equal(strs, want) {
			return fmt.Sprintf("got elements %q, want %q", strs, want)
		}
		return ""
	}
	nums := v.Elems()
	if nums == nil {
		return ""
	}
	folded++
	tolerance := 0.0
	if x.DType.IsFloat() {
		if tolerance = 1e-5; x.DType.Bits() < 32 {
			tolerance = 0.02
		}
	}
	want, err := x.Float64s()
	if err != nil {
		return err.Error()
	}
	if len(nums) != len(want) {
		return fmt.Sprintf("got %d elements, want %d", len(nums), len(want))
	}
	for i, n := range nums {
		if !n.Known() {
			continue
		}
		g, ok := n.Float64()
		w := want[i]
		if !ok || g != w && math.Abs(g-w) > tolerance*math.Max(1, math.Abs(w)) && !(math.IsNaN(g) && math.IsNaN(w)) {
			return fmt.Sprintf("element %d is %v, want %v", i, g, w)
		}
	}
	return ""
}

// recordedType is the type of a recorded output, as typeText prints it.
func recordedType(kind onnx.TypeKind, data []byte) (string, error) {
	switch kind {
	case onnx.KindSequence:
		s, err := onnx.ReadSequence(data)
		if err != nil {
			return "", err
		}
		return sequenceText(s), nil
	case onnx.KindOptional:
		o, err := onnx.ReadOptional(data)
		if err != nil {
			return "", err
		}
		switch {
		case o.Tensor != nil:
			return "optional(" + tensorText(o.Tensor) + ")", nil
		case o.Sequence != nil:
			return "optional(" + sequenceText(o.Sequence) + ")", nil
		}
		return "optional()", nil
	}
	x, err := onnx.ReadTensor(data)
	if err != nil {
		return "", err
	}
	return tensorText(x), nil
}

func tensorText(x *onnx.Tensor) string { return fmt.Sprintf("%v%v", x.DType, x.Dims) }

func sequenceText(s *onnx.Sequence) string {
	var items []string
	for _, x := range s.Tensors {
		items = append(items, tensorText(x))
	}
	for _, q := range s.Sequences {
		items = append(items, sequenceText(q))
	}
	return "sequence(" + strings.Join(items, " ") + ")"
}

// typeText prints an inferred type, containers item by item.
func typeText(v *op.Value) string {
	switch {
	case v.Kind == onnx.KindTensor && v.Ranked:
		dims := make([]string, len(v.Shape))
		for i, d := range v.Shape {
			dims[i] = d.String()
		}
		return fmt.Sprintf("%v[%s]", v.DType, strings.Join(dims, " "))
	case (v.Kind == onnx.KindSequence || v.Kind == onnx.KindOptional) && v.HasItems:
		items := make([]string, len(v.Items))
		for i, it := range v.Items {
			items[i] = typeText(it)
		}
		kind := "sequence("
		if v.Kind == onnx.KindOptional {
			kind = "optional("
		}
		return kind + strings.Join(items, " ") + ")"
	}
	return v.String()
}
