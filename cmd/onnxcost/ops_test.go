package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/specs"
)

// ownModel has one node of an operator that onnxcost does not know.
func ownModel(t *testing.T) string {
	t.Helper()
	input := func(name string, dims ...int64) onnx.ValueInfo {
		ty := &onnx.Type{Kind: onnx.KindTensor, DType: onnx.Float32, HasShape: true, Shape: []onnx.Dimension{{Param: "batch"}}}
		for _, d := range dims {
			ty.Shape = append(ty.Shape, onnx.Dimension{Value: d, HasValue: true})
		}
		return onnx.ValueInfo{Name: name, Type: ty}
	}
	data, err := onnx.Marshal(&onnx.Model{IRVersion: 9, Opsets: []onnx.OpsetID{{Version: 19}, {Domain: "my.company", Version: 1}}, Graph: &onnx.Graph{
		Name: "g", Inputs: []onnx.ValueInfo{input("x", 8, 32, 32), input("offset", 18, 16, 16)}, Outputs: []onnx.ValueInfo{{Name: "y"}},
		Initializers: []*onnx.Tensor{onnx.NewTensor("w", onnx.Float32, []int64{16, 8, 3, 3}, make([]byte, 4*16*8*9))},
		Nodes: []*onnx.Node{{Name: "deform", OpType: "DeformConv2d", Domain: "my.company", Inputs: []string{"x", "offset", "w"}, Outputs: []string{"y"}, Attributes: []onnx.Attribute{
			{Name: "stride", Type: onnx.AttrInts, Ints: []int64{2, 2}}, {Name: "padding", Type: onnx.AttrInts, Ints: []int64{1, 1}}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestOpsFlag: with --ops a model of unknown operators is an ordinary one in every command, and what is wrong with the
// file stands at its place.
func TestOpsFlag(t *testing.T) {
	files := map[string]string{"m.onnx": ownModel(t), "ops.yaml": string(specs.OperatorsExample()),
		"bad.yaml":    "schema: onnxcost/ops/v1\noperators:\n  - op: DeformConv2d\n    domain: my.company\n    outputs: [{type: float32, shape: [M]}]\n",
		"budget.yaml": "schema: onnxcost/budget/v1\nmodels: [{match: m.onnx, limits: {macs: 300 k}}]\n"}
	for _, k := range []struct {
		args     string
		code     int
		out, err string // patterns
	}{
		{"analyze m.onnx --strict", exitFindings, `MACs +at least 0`, ``},
		{"analyze m.onnx --strict --ops ops.yaml", exitDone, `MACs +294.9 k  = 294912\*batch`, ``},
		{"predict m.onnx --device jetson-tx1 --ops ops.yaml -o json", exitDone, `"latency_s": 0\.0000`, ``},
		{"check --budget budget.yaml --strict", exitFindings, `lower bound`, ``},
		{"check --budget budget.yaml --strict --ops ops.yaml", exitDone, `pass`, ``},
		{"compare m.onnx m.onnx --ops ops.yaml --strict", exitDone, ``, ``},
		{"analyze m.onnx --ops bad.yaml", exitInput, ``, `^onnxcost: .*--ops: bad.yaml:5:39: operators\[0\].outputs\[0\].shape\[0\]: unknown name M\n$`},
		{"analyze m.onnx --ops none.yaml", exitInput, ``, `--ops: open none.yaml: no such file`},
		{"analyze m.onnx --ops ops.yaml --ops ops.yaml", exitMisuse, ``, `operator 2 \(my.company.DeformConv2d\): a second one since opset 1`},
		{"explain ops", exitDone, `(?s)INPUT.given.*op: DeformConv2d`, ``},
		{"explain ops --print-schema", exitDone, `"urn:onnxcost:ops:v1"`, ``},
		{"explain macs --print-schema", exitMisuse, ``, `want explain ops, have explain macs`},
	} {
		code, out, errs := runIn(t, files, strings.Fields(k.args)...)
		if code != k.code || !regexp.MustCompile(k.out).MatchString(out) || !regexp.MustCompile(k.err).MatchString(errs) {
			t.Errorf("%s: exit %d, want %d\n%s\n%s\nwant %s and %s", k.args, code, k.code, out, errs, k.out, k.err)
		}
	}
}
