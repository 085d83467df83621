package costmodel

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/costmodel/internal/lower"
	"github.com/onnxcost/onnxcost/costmodel/plan"
)

// TestEagerOperators: what an exporter took apart is the framework's one operator again, nothing else fuses, all work
// stays, and what a fused operator keeps to itself is no traffic.
func TestEagerOperators(t *testing.T) {
	for _, c := range []struct {
		net  string
		want map[string]int
	}{
		{"vit_b_16", map[string]int{"Conv": 1, "Concat": 1, "Add": 25, "LayerNormalization": 25, "MatMul": 48, "Split": 12, "Mul": 12, "Attention": 12,
			"Transpose": 12, "Gelu": 12, "Gather": 1, "Gemm": 1}},
		{"resnet18", map[string]int{"Conv": 20, "BatchNormalization": 20, "Relu": 17, "Add": 8, "MaxPool": 1, "AveragePool": 1, "Gemm": 1}},
	} {
		r := zooReport(t, c.net)
		p, err := lower.Lower(r, plan.Eager, avx512)
		if err != nil {
			t.Fatal(err)
		}
		ops := map[string]int{}
		nodes := map[*analyzer.Node]bool{}
		var macs, last int64
		for _, k := range p.Kernels {
			ops[k.Op]++
			m, err := k.Work.MACs.Eval(r.Dims)
			if err != nil {
				t.Fatal(err)
			}
			macs += m
			for _, n := range k.Nodes {
				if nodes[n] {
					t.Errorf("%s: node %s is in two kernels", c.net, n.Name)
				}
				nodes[n] = true
			}
			if at := int64(k.Anchor.Index); at < last {
				t.Errorf("%s: kernel %s is out of the file's order", c.net, k.Name)
			} else {
				last = at
			}
			if k.Op == "Attention" && (k.Kind != plan.KindContraction || len(k.Contraction) != 2 || len(k.Inputs) != 3 || len(k.Nodes) != 3) {
				t.Errorf("%s: attention has %d products, %d inputs, %d nodes and is %s", c.net, len(k.Contraction), len(k.Inputs), len(k.Nodes), k.Kind)
			}
			if k.Op == "Gelu" && (k.Kind != plan.KindElementwise || len(k.Nodes) != 5) {
				t.Errorf("%s: gelu of %d nodes is %s", c.net, len(k.Nodes), k.Kind)
			}
		}
		if d := cmp.Diff(c.want, ops); d != "" {
			t.Errorf("%s: kernels (-want +got):\n%s", c.net, d)
		}
		if want, _ := r.Totals().MACs.Eval(r.Dims); macs != want {
			t.Errorf("%s: kernels do %d MACs, the graph has %d", c.net, macs, want)
		}
		if len(nodes)+len(p.Free) < len(r.Nodes) {
			t.Errorf("%s: %d nodes in kernels and %d free, of %d", c.net, len(nodes), len(p.Free), len(r.Nodes))
		}
	}
}
