package costmodel_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/zoo"
	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/specs"
)

// TestFusions checks every pattern of every runtime, and what nearly is one, on models of a few nodes.
func TestFusions(t *testing.T) {
	checked := map[string]int{}
	for _, m := range readTiny(t, "testdata/fusions.txt") {
		r := report(t, m.model)
		for key, want := range m.want {
			rt, block, _ := strings.Cut(key, "/")
			cpu := map[string]*specs.Processor{"": avx512, "8": avx2, "0": arm64}[block]
			p, err := costmodel.Lower(r, costmodel.Runtime(rt), cpu)
			if err != nil {
				t.Fatalf("fusions.txt:%d: %v", m.line, err)
			}
			checked[key]++
			if got := kernelList(p); got != want {
				t.Errorf("fusions.txt:%d: %s: %s: got %s, want %s", m.line, m.name, key, got, want)
			}
		}
	}
	for _, rt := range []string{"ort-cpu", "ort-cpu/8", "ort-cpu/0", "ort-cuda", "tensorrt"} {
		if checked[rt] == 0 {
			t.Errorf("no model has a line for %s", rt)
		}
	}
}

// report analyses a model as a reader of its file would see it.
func report(t testing.TB, m *onnx.Model) *analyzer.Report {
	t.Helper()
	data, err := onnx.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if m, err = onnx.Decode(data, m.Graph.Name); err != nil {
		t.Fatal(err)
	}
	r, err := analyzer.Analyze(context.Background(), m, analyzer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// kernelList is the kernels of the main graph in the form of fusions.txt.
func kernelList(p *costmodel.Plan) string {
	count := map[string]int{}
	for _, k := range p.Kernels {
		if k.Depth == 0 {
			count[k.FullOp()]++
		}
	}
	return operatorList(count)
}

func operatorList(count map[string]int) string {
	var list []string
	for name, n := range count {
		name = strings.Replace(name, "com.microsoft.nchwc.", "nchwc.", 1)
		name = strings.Replace(name, "com.microsoft.", "ms.", 1)
		if n > 1 {
			name += fmt.Sprintf("*%d", n)
		}
		list = append(list, name)
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

func zooNetwork(t testing.TB, name string, w zoo.Weights) *analyzer.Report {
	t.Helper()
	m, err := zoo.Build(name, w)
	if err != nil {
		t.Fatal(err)
	}
	r, err := analyzer.Analyze(context.Background(), m, analyzer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestPlanConserves: whatever a runtime fuses, every node of the graph is done by exactly one kernel or is free, no
// kernel does the work of another's node, products keep their MACs, and fused intermediates are no traffic.
func TestPlanConserves(t *testing.T) {
	for _, name := range zoo.Names() {
		r := zooNetwork(t, name, zoo.Fill)
		macs := r.Totals().MACs
		for _, rt := range costmodel.Runtimes() {
			p, err := costmodel.Lower(r, rt.Name, avx512)
			if err != nil {
				t.Fatal(err)
			}
			seen := map[*analyzer.Node]int{}
			var sum, traffic dim.Dim
			for _, k := range p.Kernels {
				for _, n := range k.Nodes {
					seen[n]++
				}
				sum = sum.Add(k.Work.MACs)
				traffic = traffic.Add(k.Read()).Add(k.Written()).Add(k.WeightBytes())
				if k.Anchor == nil && len(k.Nodes) > 0 {
					t.Errorf("%s on %s: kernel %s has nodes and no anchor", name, rt.Name, k.Name)
				}
				if k.Kind.String() == "unset" {
					t.Errorf("%s on %s: kernel %s has no kind", name, rt.Name, k.Name)
				}
			}
			for _, n := range p.Free {
				seen[n]++
			}
			for _, n := range r.Nodes {
				if seen[n] != 1 {
					t.Errorf("%s on %s: node %s is in %d places, want 1", name, rt.Name, n.Name, seen[n])
				}
			}
			if !sum.Equal(macs) {
				t.Errorf("%s on %s: kernels have %v MACs, want %v", name, rt.Name, sum, macs)
			}
			whole := r.Totals().BytesRead.Add(r.Totals().BytesWritten)
			if less, known := traffic.LessEq(whole); rt.Name == costmodel.TensorRT && known && !less {
				t.Errorf("%s on %s: kernels move %v bytes, more than the %v of the unfused graph", name, rt.Name, traffic, whole)
			}
		}
	}
}

// TestPlanIsAGraph: every activation that a kernel reads is a graph input or written by an earlier kernel, except where
// the runtime has its producer for free.
func TestPlanIsAGraph(t *testing.T) {
	for _, name := range zoo.Names() {
		r := zooNetwork(t, name, zoo.None)
		p, err := costmodel.Lower(r, costmodel.ORTCPU, avx512)
		if err != nil {
			t.Fatal(err)
		}
		made := map[int]bool{}
		for _, v := range r.Inputs {
			made[v.ID] = true
		}
		for _, k := range p.Kernels {
			for _, v := range k.Inputs {
				if !made[v.ID] {
					t.Errorf("%s: kernel %s reads %s before it is made", name, k.Name, v.Name)
				}
			}
			for _, v := range k.Outputs {
				if made[v.ID] {
					t.Errorf("%s: kernel %s makes %s again", name, k.Name, v.Name)
				}
				made[v.ID] = true
			}
		}
		for _, v := range r.Outputs {
			if !made[v.ID] {
				t.Errorf("%s: nothing makes the output %s", name, v.Name)
			}
		}
	}
}

// TestLowerTwice: plans of one report do not disturb it or each other.
func TestLowerTwice(t *testing.T) {
	r := zooNetwork(t, "vit_b_16", zoo.None)
	list := func() (all []string) {
		for _, rt := range costmodel.Runtimes() {
			p, err := costmodel.Lower(r, rt.Name, avx512)
			if err != nil {
				t.Error(err)
				return nil
			}
			all = append(all, kernelList(p))
		}
		return all
	}
	want := list()
	done := make(chan []string)
	for range 4 {
		go func() { done <- list() }()
	}
	for range 4 {
		if got := <-done; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

// TestNodeTestsLower lowers every model of the standard's node tests to every runtime: none may fail.
func TestNodeTestsLower(t *testing.T) {
	models := 0
	for _, path := range sharedFiles(t, "onnx-node-tests/*/model.onnx") {
		m, err := onnx.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		r, err := analyzer.Analyze(context.Background(), m, analyzer.Options{})
		if err != nil {
			continue // refused by the analyzer, whose tests say which
		}
		models++
		for _, rt := range costmodel.Runtimes() {
			if _, err := costmodel.Lower(r, rt.Name, avx512); err != nil {
				t.Errorf("%s on %s: %v", path, rt.Name, err)
			}
		}
	}
	if models < 1000 {
		t.Errorf("lowered %d models, want at least 1000", models)
	}
}

func BenchmarkLower(b *testing.B) {
	for _, name := range []string{"resnet50", "densenet121", "vit_b_16"} {
		r := zooNetwork(b, name, zoo.Fill)
		for _, rt := range costmodel.Runtimes() {
			b.Run(fmt.Sprintf("model=%s/runtime=%s", name, rt.Name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := costmodel.Lower(r, rt.Name, avx512); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// TestLowerDamaged lowers the small models with parts missing or in the wrong place: whatever the analyzer accepts must
// lower, with every node somewhere.
func TestLowerDamaged(t *testing.T) {
	lowered := 0
	for _, m := range readTiny(t, "testdata/fusions.txt") {
		for i := range m.model.Graph.Nodes {
			for _, d := range damages {
				g := *m.model.Graph
				g.Nodes = slices.Clone(g.Nodes)
				n := *g.Nodes[i]
				n.Inputs, n.Outputs, n.Attributes = slices.Clone(n.Inputs), slices.Clone(n.Outputs), slices.Clone(n.Attributes)
				if !d.do(&n) {
					continue
				}
				g.Nodes[i] = &n
				damaged := *m.model
				damaged.Graph = &g
				r, err := analyzer.Analyze(context.Background(), &damaged, analyzer.Options{})
				if err != nil {
					continue
				}
				for _, rt := range costmodel.Runtimes() {
					lowerDamaged(t, r, rt.Name, fmt.Sprintf("%s, node %s with %s", m.name, n.Name, d.name))
					lowered++
				}
			}
		}
	}
	if lowered < 10000 {
		t.Errorf("lowered %d damaged models, want at least 10000", lowered)
	}
}

func lowerDamaged(t *testing.T, r *analyzer.Report, rt costmodel.Runtime, what string) {
	defer func() {
		if e := recover(); e != nil {
			t.Errorf("%s on %s: %v", what, rt, e)
		}
	}()
	p, err := costmodel.Lower(r, rt, avx512)
	if err != nil {
		t.Errorf("%s on %s: %v", what, rt, err)
		return
	}
	for _, k := range p.Kernels {
		k.Read()
		k.Written()
		k.WeightBytes()
	}
}

// damages change a node; do reports whether there was something to change.
var damages = []struct {
	name string
	do   func(n *onnx.Node) bool
}{
	{"no first input", func(n *onnx.Node) bool { return blank(n.Inputs, 0) }},
	{"no second input", func(n *onnx.Node) bool { return blank(n.Inputs, 1) }},
	{"no third input", func(n *onnx.Node) bool { return blank(n.Inputs, 2) }},
	{"no first output", func(n *onnx.Node) bool { return len(n.Outputs) > 1 && blank(n.Outputs, 0) }},
	{"an input less", func(n *onnx.Node) bool {
		if len(n.Inputs) > 0 {
			n.Inputs = n.Inputs[:len(n.Inputs)-1]
			return true
		}
		return false
	}},
	{"an input more", func(n *onnx.Node) bool {
		if len(n.Inputs) > 0 {
			n.Inputs = append(n.Inputs, n.Inputs[0])
			return true
		}
		return false
	}},
	{"an output more", func(n *onnx.Node) bool { n.Outputs = append(n.Outputs, n.Name+"_more"); return true }},
	{"inputs reversed", func(n *onnx.Node) bool { slices.Reverse(n.Inputs); return len(n.Inputs) > 1 }},
	{"no attributes", func(n *onnx.Node) bool { had := len(n.Attributes) > 0; n.Attributes = nil; return had }},
	{"attributes of one element more", func(n *onnx.Node) bool {
		changed := false
		for i := range n.Attributes {
			if a := &n.Attributes[i]; a.Ints != nil {
				a.Ints, changed = append(slices.Clone(a.Ints), 7), true
			}
		}
		return changed
	}},
	{"attributes negative", func(n *onnx.Node) bool {
		for i := range n.Attributes {
			n.Attributes[i].I = -n.Attributes[i].I - 3
			n.Attributes[i].Ints = slices.Clone(n.Attributes[i].Ints)
			for j := range n.Attributes[i].Ints {
				n.Attributes[i].Ints[j] = -n.Attributes[i].Ints[j] - 3
			}
		}
		return len(n.Attributes) > 0
	}},
}

func blank(names []string, i int) bool {
	if i >= len(names) || names[i] == "" {
		return false
	}
	names[i] = ""
	return true
}
