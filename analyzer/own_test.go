package analyzer_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/op"
)

// TestOwnOperators: the user's operators go before built-in ones and functions of the model; each holds from its opset on.
func TestOwnOperators(t *testing.T) {
	double := op.Definition{Domain: "own", Op: "Double", Inputs: []op.DefinedInput{{Name: "x", Shape: []string{"...", "N"}}},
		Outputs: []op.DefinedOutput{{Type: "x", Shape: []string{"...", "2*N"}}}, Vector: "x.elements"}
	later := double
	later.Since, later.Vector = 2, "5*x.elements"
	relu := op.Definition{Op: "Relu", Inputs: []op.DefinedInput{{Name: "x"}}, Outputs: []op.DefinedOutput{{Like: "x"}}, Vector: "7*x.elements", Uncounted: "its magic"}
	m := model(&onnx.Graph{Inputs: []onnx.ValueInfo{tensorInfo("x", onnx.Float32, "b", 3)}, Outputs: outputs("y"),
		Nodes: []*onnx.Node{node("d = own.Double(x)"), node("r = Relu(d)"), node("y = Relu(r)")}},
		&onnx.Function{Domain: "own", Name: "Double", Inputs: []string{"a"}, Outputs: []string{"c"}, Nodes: []*onnx.Node{node("c = Neg(a)")}})
	for _, k := range []struct {
		version int64
		own     []op.Definition
		want    string // output, FLOPs
	}{
		{1, nil, "float32[b,3] 9*b"},
		{1, []op.Definition{double, later, relu}, "float32[b,6] 87*b"},
		{2, []op.Definition{later, double, relu}, "float32[b,6] 99*b"},
	} {
		m.Opsets = []onnx.OpsetID{{Version: 17}, {Domain: "own", Version: k.version}}
		r := run(t, m, analyzer.Options{Operators: k.own})
		if got := r.Outputs[0].String() + " " + r.Totals().FLOPs.String(); got != k.want {
			t.Errorf("version %d, %d definitions: got %s, want %s", k.version, len(k.own), got, k.want)
		}
		notes := slices.DeleteFunc(slices.Clone(r.Diagnostics), func(d analyzer.Diagnostic) bool { return d.Code != analyzer.CodeUncounted })
		if k.own != nil && (len(notes) != 1 || notes[0].Message != "Relu: its magic is not counted") {
			t.Errorf("got notes %v, want one for both nodes", notes)
		}
	}
	var opt *analyzer.OptionError
	_, err := analyzer.Analyze(t.Context(), m, analyzer.Options{Operators: []op.Definition{double, double}})
	if !errors.As(err, &opt) || !strings.Contains(err.Error(), "a second one since opset 1") {
		t.Errorf("got %v, want an option that does not fit", err)
	}
	double.Outputs = nil
	_, err = analyzer.Analyze(t.Context(), m, analyzer.Options{Operators: []op.Definition{double}})
	if !errors.As(err, &opt) || !strings.Contains(err.Error(), "operator 0 (own.Double): outputs: want at least one output") {
		t.Errorf("got %v, want the fault of the definition", err)
	}
}

// TestForeignOperators: a detector's plugin in any domain gives its outputs, and what a file does not describe is said.
func TestForeignOperators(t *testing.T) {
	for _, domain := range []string{"", "TRT.", "trt.plugins."} {
		m := model(&onnx.Graph{Inputs: []onnx.ValueInfo{tensorInfo("boxes", onnx.Float32, "b", 8400, 4), tensorInfo("scores", onnx.Float32, "b", 8400, 80)}, Outputs: outputs("n", "det"),
			Nodes: []*onnx.Node{node("n = "+domain+"EfficientNMS_TRT(boxes, scores)", attrInt("max_output_boxes", 50))}})
		m.Graph.Nodes[0].Outputs = []string{"n", "det", "sc", "cls"}
		m.Opsets = append(m.Opsets, onnx.OpsetID{Domain: strings.TrimSuffix(domain, "."), Version: 1})
		r := run(t, m, analyzer.Options{})
		if got := r.Outputs[1].String(); got != "float32[b,50,4]" || r.LowerBound() {
			t.Errorf("%q: got %s, lower bound %v: %v", domain, got, r.LowerBound(), r.Diagnostics)
		}
	}
	m := model(&onnx.Graph{Inputs: []onnx.ValueInfo{tensorInfo("x", onnx.Float32, 1)}, Outputs: outputs("y"), Nodes: []*onnx.Node{node("y = com.microsoft.EPContext(x)")}})
	m.Opsets = append(m.Opsets, onnx.OpsetID{Domain: "com.microsoft", Version: 1})
	r := run(t, m, analyzer.Options{})
	if !r.LowerBound() || !slices.ContainsFunc(r.Diagnostics, func(d analyzer.Diagnostic) bool {
		return strings.Contains(d.Message, "a part that an execution provider compiled")
	}) {
		t.Errorf("got %v, want a warning that the part is compiled", r.Diagnostics)
	}
}
