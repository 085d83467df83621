package analyzer_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/op"
)

// TestNodeTestsSymbolic runs the same models with every extent of their float inputs as a symbol of its own. Formulas
// that are free of data-dependent symbols must evaluate to what the analysis of the plain numbers gives.
func TestNodeTestsSymbolic(t *testing.T) {
	paths, err := filepath.Glob(shared(t, "onnx-node-tests", "*", "model.onnx"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no node tests: %v", err)
	}
	ran, open := 0, 0
	for _, path := range paths {
		name := filepath.Base(filepath.Dir(path))
		if !strings.Contains(name, *nodeTest) {
			continue
		}
		ran++
		decided, diffs := compareSymbolic(t, path)
		if !decided {
			open++
			t.Logf("%s: open", name)
		}
		for _, d := range diffs {
			t.Errorf("%s: %s", name, d)
		}
	}
	t.Logf("%d node tests, %d of them with formulas that data decides", ran, open)
	if *nodeTest == "" && open > maxOpenSymbolic {
		t.Errorf("%d node tests leave formulas open, want at most %d", open, maxOpenSymbolic)
	}
}

// maxOpenSymbolic is the number of node tests whose symbolic formulas depend on data; it may only shrink.
const maxOpenSymbolic = 23

func compareSymbolic(t *testing.T, path string) (decided bool, diffs []string) {
	open := func() *onnx.Model {
		m, err := onnx.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := range m.Graph.Outputs {
			m.Graph.Outputs[i].Type = nil
		}
		return m
	}
	m := open()
	known := map[string]*op.Value{}
	if len(m.Graph.Inputs) > 0 {
		var err error
		if known, err = analyzer.ReadInputs(m, filepath.Join(filepath.Dir(path), "test_data_set_0")); err != nil {
			t.Fatal(err)
		}
	}
	plain, err := analyzer.Analyze(context.Background(), m, analyzer.Options{Inputs: known, KeepFree: true})
	if err != nil {
		t.Fatal(err)
	}

	env := dim.Env{}
	opt := analyzer.Options{Inputs: map[string]*op.Value{}, Shapes: map[string]op.Shape{}, KeepFree: true}
	for i, vi := range m.Graph.Inputs {
		v := known[vi.Name]
		if v == nil {
			continue
		}
		if v.Kind != onnx.KindTensor || !v.DType.IsFloat() || isHost(m, vi.Name) {
			opt.Inputs[vi.Name] = v
			continue
		}
		s := make(op.Shape, len(v.Shape))
		for a, d := range v.Shape {
			n, _ := d.Value()
			s[a] = d
			if n > 1 { // an extent of 1 may broadcast, which no symbol says
				name := fmt.Sprintf("in%d_%d", i, a)
				env[name] = n
				s[a] = dim.Symbol(name)
			}
		}
		opt.Shapes[vi.Name] = s
	}
	free, err := analyzer.Analyze(context.Background(), open(), opt)
	if err != nil {
		return false, []string{err.Error()}
	}
	for _, d := range free.Diagnostics {
		if d.Severity == analyzer.SeverityError {
			diffs = append(diffs, d.Message)
		}
	}
	decided = true
	compare := func(what string, got, want dim.Dim, exact bool) {
		g, err := got.Eval(env)
		if err != nil {
			decided = false
			return
		}
		if w, ok := want.Value(); ok && (g < w || exact && g > w) {
			diffs = append(diffs, fmt.Sprintf("%s is %v, at the recorded shapes %d; want %d", what, got, g, w))
		}
	}
	same := func(what string, got, want dim.Dim) { compare(what, got, want, true) }
	// numbers let more be computed before the first run, so that the formula may count some nodes more
	atLeast := func(what string, got, want dim.Dim) { compare(what, got, want, false) }
	for i, v := range free.Outputs {
		w := plain.Outputs[i]
		switch {
		case v.Kind != w.Kind || v.DType != w.DType:
			diffs = append(diffs, fmt.Sprintf("output %d is %v, want %v", i, v, w))
		case v.Kind == onnx.KindTensor && !v.Ranked:
			decided = false
		case v.Kind == onnx.KindTensor && len(v.Shape) != len(w.Shape):
			diffs = append(diffs, fmt.Sprintf("output %d is %v, want rank %d", i, v, len(w.Shape)))
		case v.Kind == onnx.KindTensor:
			for a := range v.Shape {
				same(fmt.Sprintf("output %d axis %d", i, a), v.Shape[a], w.Shape[a])
			}
		}
	}
	if free.LowerBound() {
		return false, diffs
	}
	f, p := free.Totals(), plain.Totals()
	same("MACs", f.MACs, p.MACs)
	atLeast("FLOPs", f.FLOPs, p.FLOPs)
	atLeast("special", f.Special, p.Special)
	atLeast("bytes read", f.BytesRead, p.BytesRead)
	atLeast("bytes written", f.BytesWritten, p.BytesWritten)
	return decided, diffs
}

// TestNodeTestsUnknown runs the same models with nothing known of their inputs but the declared types: what is inferred
// all the same must not contradict the record.
func TestNodeTestsUnknown(t *testing.T) {
	paths, err := filepath.Glob(shared(t, "onnx-node-tests", "*", "model.onnx"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no node tests: %v", err)
	}
	whole := 0
	for _, path := range paths {
		name := filepath.Base(filepath.Dir(path))
		m, err := onnx.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		var declared []*onnx.Type
		for i := range m.Graph.Outputs {
			declared = append(declared, m.Graph.Outputs[i].Type)
			m.Graph.Outputs[i].Type = nil
		}
		r, err := analyzer.Analyze(context.Background(), m, analyzer.Options{KeepFree: true})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, d := range r.Diagnostics {
			if d.Severity == analyzer.SeverityError {
				t.Errorf("%s: %s", name, d.Message)
			}
		}
		complete := true
		for i, v := range r.Outputs {
			want := declared[i]
			if want == nil || want.Kind != onnx.KindTensor {
				continue
			}
			if v.Kind != onnx.KindTensor || !v.Ranked {
				complete = false
				continue
			}
			if v.DType != want.DType || want.HasShape && len(want.Shape) != len(v.Shape) {
				t.Errorf("%s: output %d is %v, want %v", name, i, v, want)
				continue
			}
			for a, d := range want.Shape {
				n, ok := v.Shape[a].Value()
				if ok && d.HasValue && n != d.Value {
					t.Errorf("%s: output %d is %v, want extent %d on axis %d", name, i, v, d.Value, a)
				}
				complete = complete && ok
			}
		}
		if complete {
			whole++
		}
	}
	t.Logf("%d of %d node tests have constant output shapes without known inputs", whole, len(paths))
}

// isHost reports whether a graph input only steers some node (scales, sizes), so that its elements matter.
func isHost(m *onnx.Model, name string) bool {
	for _, n := range m.Graph.Nodes {
		version, _ := m.Opset(n.Domain)
		r := op.Lookup(n.Domain, n.OpType, version)
		for i, in := range n.Inputs {
			if in == name && r != nil && r.IsHost(i) {
				return true
			}
		}
	}
	return false
}
