package costmodel

import (
	"context"
	"testing"
	"time"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/op"
	"github.com/onnxcost/onnxcost/specs"
)

// FuzzOperators: any file of operators is read or refused, and what is read can be applied to a model of the operator's name,
// within a second.
func FuzzOperators(f *testing.F) {
	f.Add(string(specs.OperatorsExample()))
	f.Add("schema: onnxcost/ops/v1\noperators:\n  - {op: DeformConv2d, domain: my.company, inputs: [{name: x, shape: [..., N]}, o, w, {name: b, variadic: true}], outputs: [{like: x}, {shape: [N^3, ...]}], macs: [{m: 1, n: N, k: b.count}]}\n")
	f.Add("schema: onnxcost/ops/v1\noperators:\n  - {op: DeformConv2d, domain: my.company, attributes: [{name: stride, words: {a: 1}}, padding], outputs: [{type: float32, shape: [\"stride.0/padding.1\"]}]}\n")
	f.Fuzz(func(t *testing.T, text string) {
		begin := time.Now()
		var defs []op.Definition
		_, err := specs.ParseOperators([]byte(text), "f", func(o *specs.Operators, at func(path string, offset int, format string, args ...any)) {
			defs = compileOperators(o, at)
		})
		if err == nil {
			if r, err := analyzer.Analyze(context.Background(), deformableModel(), analyzer.Options{Operators: defs}); err == nil {
				r.Summary("f", true)
			}
		}
		if d := time.Since(begin); d > 5*time.Second {
			t.Errorf("took %v", d)
		}
	})
}
