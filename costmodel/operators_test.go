package costmodel

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/specs"
)

// opsFile writes a file of operators.
func opsFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ops.yaml")
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// deformableModel is a deformable convolution of the example, between a convolution and an activation.
func deformableModel() *onnx.Model {
	f32 := func(name string, dims ...any) onnx.ValueInfo {
		var s []onnx.Dimension
		for _, d := range dims {
			switch d := d.(type) {
			case int:
				s = append(s, onnx.Dimension{Value: int64(d), HasValue: true})
			case string:
				s = append(s, onnx.Dimension{Param: d})
			}
		}
		return onnx.ValueInfo{Name: name, Type: &onnx.Type{Kind: onnx.KindTensor, DType: onnx.Float32, HasShape: s != nil, Shape: s}}
	}
	w := func(name string, dims ...int64) *onnx.Tensor {
		return &onnx.Tensor{Name: name, DType: onnx.Float32, Dims: dims}
	}
	return &onnx.Model{IRVersion: 9, Opsets: []onnx.OpsetID{{Version: 19}, {Domain: "my.company", Version: 1}}, Graph: &onnx.Graph{
		Name: "g", Inputs: []onnx.ValueInfo{f32("x", "batch", 8, 32, 32), f32("offset", "batch", 18, 16, 16)}, Outputs: []onnx.ValueInfo{f32("y")},
		Initializers: []*onnx.Tensor{w("w", 16, 8, 3, 3), w("b", 16)},
		Nodes: []*onnx.Node{
			{OpType: "DeformConv2d", Domain: "my.company", Inputs: []string{"x", "offset", "w", "b"}, Outputs: []string{"h"}, Attributes: []onnx.Attribute{
				{Name: "stride", Type: onnx.AttrInts, Ints: []int64{2, 2}}, {Name: "padding", Type: onnx.AttrInts, Ints: []int64{1, 1}}}},
			{OpType: "Relu", Inputs: []string{"h"}, Outputs: []string{"y"}},
		}}}
}

// TestOwnOperators: a model of an operator that only its user knows is counted and predicted like any other.
func TestOwnOperators(t *testing.T) {
	m := deformableModel()
	r, err := analyzer.Analyze(context.Background(), m, analyzer.Options{})
	if err != nil || !r.LowerBound() {
		t.Fatalf("without a definition: %v, lower bound %v", err, r.LowerBound())
	}
	defs, err := LoadOperators(opsFile(t, string(specs.OperatorsExample())))
	if err != nil {
		t.Fatal(err)
	}
	r, err = analyzer.Analyze(context.Background(), m, analyzer.Options{Operators: defs})
	if err != nil || r.LowerBound() {
		t.Fatalf("%v, lower bound %v: %v", err, r.LowerBound(), r.Diagnostics)
	}
	totals := r.Totals()
	for _, k := range []struct{ what, got, want string }{
		{"output", r.Outputs[0].String(), "float32[batch,16,16,16]"},
		{"MACs", totals.MACs.String(), "294912*batch"}, // 16·16 places · 16 · 8·9
		{"params", totals.Params.String(), "1168"},
		{"FLOPs", totals.FLOPs.String(), "745472*batch"}, // 2 · MACs + 8·8·9·256 taps + 2 · 4096 of bias and Relu
	} {
		if k.got != k.want {
			t.Errorf("%s: got %s, want %s", k.what, k.got, k.want)
		}
	}
	d, err := specs.LoadDevice("jetson-tx1")
	if err != nil {
		t.Fatal(err)
	}
	p, err := Predict(context.Background(), r, d, Options{})
	if err != nil || !(p.LatencyS > 0) {
		t.Errorf("prediction: %v, %v", p, err)
	}
}

// TestLoadOperatorsErrors: faults of formulas stand at their line and column, all at once.
func TestLoadOperatorsErrors(t *testing.T) {
	const text = `schema: onnxcost/ops/v1
operators:
  - op: A
    inputs: [{name: x, shape: [N, C]}]
    let: [{name: H, is: floor(N/2) + Q}]
    outputs:
      - {type: x, shape: [N, "C +"]}
    macs: N * Cc
  - op: A
    inputs: [x]
    outputs: [{like: y}]
`
	_, err := LoadOperators(opsFile(t, text))
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{":5:38: operators[0].let[0].is: unknown name Q", ":7:34: operators[0].outputs[0].shape[1]: want an integer",
		":8:15: operators[0].macs[0].m: unknown name Cc", ":9:9: operators[1].op: A stands in the file twice", `:11:22: operators[1].outputs[0].like: no input "y"; want one of x`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no error %q in\n%v", want, err)
		}
	}
}
