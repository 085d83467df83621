//go:build cgo

package ort

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/op"
)

// refusal is what the runtime says of a node whose arguments are too few or too many.
var refusal = regexp.MustCompile(`has (input|output) size \d+ not in range \[min=(\d+), max=(\d+)\]`)

// TestArityOfTheRuntime compares the numbers of inputs and outputs that op.Rule.CheckArity allows with those that ONNX
// Runtime names when it refuses a node, operator by operator and opset by opset.
func TestArityOfTheRuntime(t *testing.T) {
	l := library(t)
	const many = 41 // more than any operator takes that does not take any number
	compared, done := 0, map[string]bool{}
	for _, r := range op.Rules() {
		newest := map[string]int64{"": 26, "ai.onnx.ml": 5, "com.microsoft": 1}[r.Domain]
		name := r.Domain + "." + r.Op
		if done[name] {
			continue
		}
		done[name] = true
		for opset := int64(1); opset <= newest; opset++ {
			rule := op.Lookup(r.Domain, r.Op, opset)
			if rule == nil {
				continue
			}
			refused := func(what string, in, out []string) (least, most int, ok bool) {
				m := refusal.FindStringSubmatch(loadError(t, l, r, opset, in, out))
				if m == nil || m[1] != what {
					return 0, 0, false
				}
				least, _ = strconv.Atoi(m[2])
				most, _ = strconv.Atoi(m[3])
				return least, most, true
			}
			allows := func(in, out int) bool {
				return rule.CheckArity(&onnx.Node{Inputs: names("x", in), Outputs: names("y", out)}, opset) == nil
			}
			least, most, ok := refused("input", nil, names("y", 1))
			if !ok {
				least, most, ok = refused("input", names("x", many), names("y", 1))
			}
			if !ok {
				continue // no such operator in this opset, or it takes any number
			}
			outLeast, outMost, okOut := refused("output", names("x", least), names("y", many))
			if !okOut {
				outLeast, outMost = 1, many
			}
			compared++
			if most = min(most, many); r.Domain == "com.microsoft" {
				most, outMost = least, outLeast // further ones come without a new version
			}
			outMost = min(outMost, many)
			var wrong []string
			check := func(in, out int, want bool) {
				if in >= 0 && out >= 0 && allows(in, out) != want {
					wrong = append(wrong, fmt.Sprintf("%d inputs and %d outputs: allowed %t, want %t", in, out, !want, want))
				}
			}
			check(least, outLeast, true)
			check(most, outMost, true)
			check(least-1, outLeast, false)
			check(least, outLeast-1, false)
			if r.Domain != "com.microsoft" {
				if most < many {
					check(most+1, outLeast, false)
				}
				if outMost < many {
					check(least, outMost+1, false)
				}
			}
			for _, w := range slices.Compact(wrong) {
				t.Errorf("%s at opset %d: %s", name, opset, w)
			}
		}
	}
	if compared < 3000 {
		t.Errorf("%d operators and opsets compared, want at least 3000", compared)
	}
	t.Logf("%d operators and opsets take what the runtime takes", compared)
}

// loadError is what the runtime says of a model with one node.
func loadError(t *testing.T, l *Library, r *op.Rule, opset int64, in, out []string) string {
	t.Helper()
	f32 := &onnx.Type{Kind: onnx.KindTensor, DType: onnx.Float32, HasShape: true, Shape: []onnx.Dimension{{Value: 2, HasValue: true}}}
	m := &onnx.Model{IRVersion: 8, Opsets: []onnx.OpsetID{{Domain: r.Domain, Version: opset}}, Graph: &onnx.Graph{Name: "g",
		Inputs: []onnx.ValueInfo{{Name: "x", Type: f32}}, Outputs: []onnx.ValueInfo{{Name: "x"}},
		Nodes: []*onnx.Node{{Name: "n", OpType: r.Op, Domain: r.Domain, Inputs: in, Outputs: out}}}}
	for i := range m.Graph.Nodes[0].Inputs {
		m.Graph.Nodes[0].Inputs[i] = "x"
	}
	if r.Domain != "" {
		m.Opsets = append(m.Opsets, onnx.OpsetID{Version: 17})
	}
	data, err := onnx.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.NewSession(Source{Name: "m", Data: data, Inputs: []string{"x"}, Outputs: []string{"x"}}, Options{Threads: 1, Level: OptimizeNone})
	if err != nil {
		return err.Error()
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return ""
}

func names(prefix string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprint(prefix, i)
	}
	return list
}
