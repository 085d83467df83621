package costmodel_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/costmodel/form"
)

// TestMovedOperators holds the counts of operators that the runtime rewrites against what testdata/moved.txt works out.
func TestMovedOperators(t *testing.T) {
	for _, m := range readTiny(t, "testdata/moved.txt") {
		p, err := costmodel.Lower(report(t, m.model), costmodel.ORTCPU, avx512)
		if err != nil {
			t.Fatalf("moved.txt:%d: %v", m.line, err)
		}
		if got, want := kernelList(p), m.want[string(costmodel.ORTCPU)]; got != want {
			t.Errorf("moved.txt:%d: %s: got %s, want %s", m.line, m.name, got, want)
		}
		kernels, err := form.ORTTerms(p, nil, form.ORTCache{}, 1)
		if err != nil {
			t.Fatalf("moved.txt:%d: %v", m.line, err)
		}
		sums := map[string]float64{}
		for _, terms := range kernels {
			for _, term := range terms {
				if op, _, _ := strings.Cut(term.Group, "_"); op == "Transpose" || op == "Gather" || op == "Einsum" {
					sums[term.Group+"."+term.Name] += term.Value
				}
			}
		}
		var list []string
		for name, v := range sums {
			list = append(list, fmt.Sprintf("%s=%g", name, v))
		}
		slices.Sort(list)
		if got, want := strings.Join(list, " "), m.want["terms"]; got != want {
			t.Errorf("moved.txt:%d: %s: got %s, want %s", m.line, m.name, got, want)
		}
	}
}
