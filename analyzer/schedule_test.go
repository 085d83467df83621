package analyzer_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// TestBuffers: what shares memory, and what must not.
func TestBuffers(t *testing.T) {
	for _, c := range []struct {
		name  string
		nodes []*onnx.Node
		outs  string
		want  []string // tensors of each buffer
	}{
		{"in place", []*onnx.Node{node("a = Exp(x)"), node("b = Relu(a)"), node("y = Neg(b)")}, "y", []string{"x", "a b y"}},
		{"graph input stays", []*onnx.Node{node("y = Relu(x)")}, "y", []string{"x", "y"}},
		{"needed later", []*onnx.Node{node("a = Exp(x)"), node("b = Relu(a)"), node("y = Add(a, b)")}, "y", []string{"x", "a y", "b"}},
		{"graph output stays", []*onnx.Node{node("a = Exp(x)"), node("y = Relu(a)")}, "a y", []string{"x", "a", "y"}},
		{"views", []*onnx.Node{node("a = Exp(x)"), node("v = Flatten(a)"), node("b = Relu(v)"), node("y = Transpose(a)")}, "b y",
			[]string{"x", "a v", "b", "y"}},
		{"view of an input", []*onnx.Node{node("v = Identity(x)"), node("y = Relu(v)")}, "y", []string{"x v", "y"}},
		{"over a view that dies", []*onnx.Node{node("a = Exp(x)"), node("v = Flatten(a)"), node("y = Relu(v)")}, "y", []string{"x", "a v y"}},
		{"cast to the same type", []*onnx.Node{node("a = Exp(x)"), node("v = Cast(a)", attrInt("to", 1)), node("y = Mul(a, v)")}, "y",
			[]string{"x", "a v y"}},
		{"cast to a narrower type", []*onnx.Node{node("a = Exp(x)"), node("y = Cast(a)", attrInt("to", 10))}, "y", []string{"x", "a", "y"}},
		{"second input", []*onnx.Node{node("a = Exp(x)"), node("y = Add(x, a)")}, "y", []string{"x", "a y"}},
		{"broadcast is smaller", []*onnx.Node{node("a = ReduceMax(x)"), node("y = Sub(a, x)")}, "y", []string{"x", "a", "y"}},
		{"not element-wise", []*onnx.Node{node("a = Exp(x)"), node("y = Softmax(a)")}, "y", []string{"x", "a", "y"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := run(t, model(&onnx.Graph{Inputs: []onnx.ValueInfo{tensorInfo("x", onnx.Float32, 3, 4)}, Nodes: c.nodes,
				Outputs: outputs(strings.Fields(c.outs)...)}), analyzer.Options{})
			bufs, partial, err := r.Buffers(nil)
			if err != nil || partial {
				t.Fatal(partial, err)
			}
			var got []string
			for _, b := range bufs {
				var names []string
				for _, v := range b.Values {
					names = append(names, v.Name)
				}
				got = append(got, strings.Join(names, " "))
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("buffers (-want +got):\n%s", d)
			}
			a, err := r.Arena(nil, analyzer.ArenaOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if err := a.Verify(r, nil); err != nil {
				t.Error(err)
			}
		})
	}
}

// randomGraph has element-wise nodes, views, and concatenations that grow and slices that shrink.
func randomGraph(t *testing.T, rnd *rand.Rand, n int) *analyzer.Report {
	t.Helper()
	rows := map[string]int{"x": 2}
	names := []string{"x"}
	var nodes []*onnx.Node
	used := map[string]bool{}
	pick := func() string {
		k := names[max(0, len(names)-1-rnd.IntN(4))]
		used[k] = true
		return k
	}
	for i := range n {
		name, a := fmt.Sprintf("t%d", i), pick()
		switch rnd.IntN(5) {
		case 0:
			nodes = append(nodes, node(name+" = Relu("+a+")"))
			rows[name] = rows[a]
		case 1:
			nodes = append(nodes, node(name+" = Identity("+a+")"))
			rows[name] = rows[a]
		case 2:
			b := pick()
			nodes = append(nodes, node(name+" = Concat("+a+", "+b+")", attrInt("axis", 0)))
			rows[name] = rows[a] + rows[b]
		case 3:
			nodes = append(nodes, node(name+" = ReduceSum("+a+")", attrInt("keepdims", 1)))
			rows[name] = 1
		case 4:
			nodes = append(nodes, node(name+" = Softmax("+a+")"))
			rows[name] = rows[a]
		}
		names = append(names, name)
	}
	var outs []string
	for _, name := range names[1:] {
		if !used[name] || rnd.IntN(6) == 0 {
			outs = append(outs, name)
		}
	}
	m := model(&onnx.Graph{Inputs: []onnx.ValueInfo{tensorInfo("x", onnx.Float32, 2, 3)}, Nodes: nodes, Outputs: outputs(outs...)})
	return run(t, m, analyzer.Options{})
}

// liveBytes is the peak of live buffers under the Report's order, from the leases alone.
func liveBytes(t *testing.T, r *analyzer.Report) int64 {
	t.Helper()
	a, err := r.Arena(nil, analyzer.ArenaOptions{Align: 1})
	if err != nil {
		t.Fatal(err)
	}
	return a.Bound
}

// TestMinMemoryOrder compares with the best of all topological orders of small graphs.
func TestMinMemoryOrder(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 3))
	better := 0
	for range 150 {
		r := randomGraph(t, rnd, 3+rnd.IntN(6))
		s, err := r.MinMemoryOrder(nil)
		if err != nil {
			t.Fatal(err)
		}
		sorted, err := r.Reordered(s.Order)
		if err != nil {
			t.Fatal(err)
		}
		if got := liveBytes(t, sorted); got != s.PeakBytes {
			t.Fatalf("the order has a peak of %d, want %d as promised", got, s.PeakBytes)
		}
		if got := liveBytes(t, r); got != s.FilePeakBytes {
			t.Fatalf("the file's order has a peak of %d, want %d as promised", got, s.FilePeakBytes)
		}
		best := int64(1 << 60)
		everyOrder(r, func(order []int) {
			x, err := r.Reordered(order)
			if err != nil {
				t.Fatal(err)
			}
			best = min(best, liveBytes(t, x))
		})
		if s.PeakBytes != best || !s.Optimal {
			t.Fatalf("peak %d (optimal: %v), want %d", s.PeakBytes, s.Optimal, best)
		}
		if s.PeakBytes < s.FilePeakBytes {
			better++
		}
		a, err := sorted.Arena(nil, analyzer.ArenaOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Verify(sorted, nil); err != nil {
			t.Fatal(err)
		}
	}
	if better == 0 {
		t.Error("no graph was improved: the test has no power")
	}
}

// everyOrder calls f for every topological order.
func everyOrder(r *analyzer.Report, f func([]int)) {
	maker := map[any]int{}
	for i, n := range r.Nodes {
		for _, o := range n.Outputs {
			maker[o] = i
		}
	}
	var order []int
	done := make([]bool, len(r.Nodes))
	var rec func()
	rec = func() {
		if len(order) == len(done) {
			f(slices.Clone(order))
			return
		}
		for i, n := range r.Nodes {
			ready := !done[i]
			for _, in := range n.Inputs {
				if m, ok := maker[in]; ok && !done[m] {
					ready = false
				}
			}
			if !ready {
				continue
			}
			done[i] = true
			order = append(order, i)
			rec()
			order = order[:len(order)-1]
			done[i] = false
		}
	}
	rec()
}

// TestMinMemoryOrderOfNetworks: never worse than the file's, on every network.
func TestMinMemoryOrderOfNetworks(t *testing.T) {
	everyModel(t, 1, func(t *testing.T, name string, r *analyzer.Report) {
		s, err := r.MinMemoryOrder(nil)
		if err != nil {
			t.Fatal(err)
		}
		sorted, err := r.Reordered(s.Order)
		if err != nil {
			t.Fatal(err)
		}
		got, file := liveBytes(t, sorted), liveBytes(t, r)
		if got > file || got != s.PeakBytes || file != s.FilePeakBytes {
			t.Errorf("peak %d, promised %d; in the file's order %d, promised %d", got, s.PeakBytes, file, s.FilePeakBytes)
		}
		t.Logf("%-28s file %d, min-memory %d (%.1f %%), optimal %v", name, file, got, 100*(float64(got)/float64(file)-1), s.Optimal)
	})
}

// TestReordered: an order that is none is refused.
func TestReordered(t *testing.T) {
	r := run(t, model(&onnx.Graph{Inputs: []onnx.ValueInfo{tensorInfo("x", onnx.Float32, 3)},
		Nodes: []*onnx.Node{node("first: a = Relu(x)"), node("second: y = Exp(a)")}, Outputs: outputs("y")}), analyzer.Options{})
	for _, c := range []struct {
		order []int
		want  string
	}{
		{[]int{1, 0}, `order: node "second" comes before the one that makes "a", or twice`},
		{[]int{0}, "order of 1 nodes: want 2"},
		{[]int{0, 2}, "order: node 2, want 0 to 1"},
	} {
		if _, err := r.Reordered(c.order); err == nil || err.Error() != c.want {
			t.Errorf("%v: got %v, want %s", c.order, err, c.want)
		}
	}
}
