package costmodel_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/costmodel/form"
)

// TestDistances follows tensors of 4,000 bytes through a chain with a shortcut, with a near cache of 10,000 bytes. What
// the kernel before wrote is near; the input, the other end of the shortcut, and memory that no dead tensor left are not.
func TestDistances(t *testing.T) {
	m := tinyModel{name: "chain", model: &onnx.Model{IRVersion: 10, Opsets: []onnx.OpsetID{{Version: 17}}, Graph: &onnx.Graph{Name: "chain"}}}
	for _, line := range []string{"in x 1,1000", "out y ?", "a = Neg(x)", "b = Abs(a)", "c = Neg(b)", "d = Abs(c)", "e = Neg(d)", "y = Add(a, e)"} {
		if err := m.add(line); err != nil {
			t.Fatal(err)
		}
	}
	r, err := analyzer.Analyze(context.Background(), m.model, analyzer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := costmodel.Lower(r, costmodel.ORTCPU, avx512)
	if err != nil {
		t.Fatal(err)
	}
	terms, err := form.ORTTerms(plan, r.Dims, form.ORTCache{Near: 10_000, Far: 1e6, ColdFrom: 1e6, ColdTo: 2e6}, 1)
	if err != nil {
		t.Fatal(err)
	}
	type traffic struct{ Read, Write float64 }
	var got []traffic
	for _, list := range terms {
		var n traffic
		for _, x := range list {
			switch {
			case x.Group == form.TrafficGroup && x.Name == "mid_read_bytes":
				n.Read = x.Value
			case x.Group == form.TrafficGroup && x.Name == "mid_write_bytes":
				n.Write = x.Value
			case x.Group == form.TrafficGroup:
				t.Errorf("term %s, want none beyond the near cache", x.Name)
			}
		}
		got = append(got, n)
	}
	want := []traffic{
		{4000, 4000}, // a: the input and fresh memory
		{0, 4000},    // b: a is still needed, so its memory is not free
		{0, 4000},    // c
		{0, 0},       // d takes the memory of b
		{0, 0},       // e takes that of c
		{4000, 4000}, // y: a has gone; the result is the caller's
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("bytes beyond the near cache (-want +got):\n%s", d)
	}
}
