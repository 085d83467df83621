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
)

// TestFusions checks every pattern of every runtime, and what nearly is one, on models of a few nodes.
func TestFusions(t *testing.T) {
	checked := map[string]int{}
	for _, m := range readTiny(t, "testdata/fusions.txt") {
		r := report(t, m.model)
		for rt, want := range m.want {
			p, err := costmodel.Lower(r, costmodel.Runtime(rt))
			if err != nil {
				t.Fatalf("fusions.txt:%d: %v", m.line, err)
			}
			checked[rt]++
			if got := kernelList(p); got != want {
				t.Errorf("fusions.txt:%d: %s: %s: got %s, want %s", m.line, m.name, rt, got, want)
			}
		}
	}
	for _, rt := range []string{"ort-cpu", "ort-cuda", "tensorrt"} {
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
			p, err := costmodel.Lower(r, rt.Name)
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
		p, err := costmodel.Lower(r, costmodel.ORTCPU)
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
			p, err := costmodel.Lower(r, rt.Name)
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
			if _, err := costmodel.Lower(r, rt.Name); err != nil {
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
					if _, err := costmodel.Lower(r, rt.Name); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
