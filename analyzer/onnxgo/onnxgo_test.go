package onnxgo

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	owulveryck "github.com/owulveryck/onnx-go"
	"github.com/owulveryck/onnx-go/backend/simple"
	"gonum.org/v1/gonum/graph"
	"gorgonia.org/tensor"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/op"
	"github.com/onnxcost/onnxcost/analyzer/zoo"
)

// decode hands a file to onnx-go. Its panics are errors here.
func decode(b *Backend, data []byte) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return owulveryck.NewModel(b).UnmarshalBinary(data)
}

func marshal(t *testing.T, m *onnx.Model) []byte {
	t.Helper()
	data, err := onnx.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// undecodable are the networks of the zoo that onnx-go v0.5.0 refuses, with a part of what it says. It takes them all:
// they have float32 and int64 constants and no control flow.
var undecodable = map[string]string{}

// TestZoo requires the same figures, node by node, from both front ends.
func TestZoo(t *testing.T) {
	for _, name := range zoo.Names() {
		forms := []zoo.Weights{zoo.None}
		if name == "squeezenet1_1" || name == "enet" {
			forms = append(forms, zoo.Fill)
		}
		for _, w := range forms {
			t.Run(fmt.Sprintf("%s/%d", name, w), func(t *testing.T) {
				m, err := zoo.Build(name, w)
				if err != nil {
					t.Fatal(err)
				}
				want, err := analyzer.Analyze(context.Background(), m, analyzer.Options{})
				if err != nil {
					t.Fatal(err)
				}
				e, _ := zoo.Info(name)
				b := New()
				b.Options.Shapes = map[string]op.Shape{"input": append(op.Shape{dim.Symbol("batch")}, op.Consts(e.Input[:]...)...)}
				err = decode(b, marshal(t, m))
				if reason := undecodable[name]; reason != "" {
					if err == nil || !strings.Contains(err.Error(), reason) {
						t.Errorf("onnx-go: got %v, want an error with %q", err, reason)
					}
					return
				}
				if err != nil {
					t.Fatalf("onnx-go: %v", err)
				}
				got, err := b.Report(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(figures(t, want), figures(t, got)); d != "" {
					t.Errorf("figures (-analyzer/onnx +onnx-go):\n%s", d)
				}
				if got.LowerBound() {
					t.Error("totals are lower bounds")
				}
			})
		}
	}
}

// figures are a report's totals, peak memory and nodes in words.
func figures(t *testing.T, r *analyzer.Report) []string {
	t.Helper()
	l, err := r.Liveness(dim.Env{"batch": 1})
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{fmt.Sprintf("%+v", r.Totals()), fmt.Sprint("peak activation bytes ", l.PeakBytes)}
	for _, n := range r.Nodes {
		lines = append(lines, fmt.Sprint(n.Op(), " ", n.Outputs[0].Name, " ", n.Outputs[0].Shape, " ", n.Work.MACs, " ", n.Params()))
	}
	return lines
}

// TestInputShape follows an input with a free dimension through the ways of telling its shape.
func TestInputShape(t *testing.T) {
	m, err := zoo.Build("squeezenet1_1", zoo.None)
	if err != nil {
		t.Fatal(err)
	}
	data := marshal(t, m)

	// Not told: the contradiction with the weights is reported, and nothing passes for a count.
	b := New()
	if err := decode(b, data); err != nil {
		t.Fatal(err)
	}
	r, err := b.Report(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if !r.LowerBound() {
		t.Error("untold: totals pass for complete")
	}
	last := r.Diagnostics[len(r.Diagnostics)-1]
	if want := `input "input" arrived as 3x224x224; `; last.Code != CodeInputShape || !strings.HasPrefix(last.Message, want) {
		t.Errorf("untold: last diagnostic: got %+v, want %s: %s…", last, CodeInputShape, want)
	}

	// Told by onnx-go's SetInput.
	b = New()
	om := owulveryck.NewModel(b)
	if err := om.UnmarshalBinary(data); err != nil {
		t.Fatal(err)
	}
	if err := om.SetInput(0, tensor.New(tensor.WithShape(2, 3, 224, 224), tensor.Of(tensor.Float32))); err != nil {
		t.Fatal(err)
	}
	r, err = b.Report(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := r.Totals().MACs.String(), fmt.Sprint(2*349151936); got != want || r.LowerBound() {
		t.Errorf("SetInput with batch 2: got %s MACs, want %s", got, want)
	}
	for _, d := range r.Diagnostics {
		t.Errorf("SetInput: unexpected diagnostic %+v", d)
	}
}

// TestGraph checks the receiver's side of gonum's interfaces: parallel edges, directions, iteration.
func TestGraph(t *testing.T) {
	g := graphOf(&onnx.Node{OpType: "Mul", Inputs: []string{"x", "x"}, Outputs: []string{"y"}})
	b := New()
	if err := decode(b, marshal(t, g)); err != nil {
		t.Fatal(err)
	}
	ids := func(it graph.Nodes) (list []int64) {
		for _, n := range graph.NodesOf(it) {
			list = append(list, n.ID())
		}
		return list
	}
	if d := cmp.Diff([][]int64{{0, 1}, {0}, nil, {1}}, [][]int64{ids(b.Nodes()), ids(b.From(1)), ids(b.From(0)), ids(b.To(0))}); d != "" {
		t.Errorf("nodes, operands of y, operands of x, users of x (-want +got):\n%s", d)
	}
	if !b.HasEdgeBetween(0, 1) || !b.HasEdgeFromTo(1, 0) || b.HasEdgeFromTo(0, 1) || b.Edge(1, 0) == nil || b.Edge(0, 1) != nil || b.Edge(7, 0) != nil {
		t.Error("edges: want one from 1 to 0 only")
	}
	if b.Node(2) != nil || b.Node(-1) != nil || b.Node(0).(owulveryck.Namer).GetName() != "x" {
		t.Error("Node: want x for 0 and nil for 2 and -1")
	}
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"x", "x"}, m.Graph.Nodes[0].Inputs); d != "" {
		t.Errorf("operands of x·x (-want +got):\n%s", d)
	}

	stock := simple.NewSimpleGraph()
	if err := owulveryck.NewModel(stock).UnmarshalBinary(marshal(t, g)); err != nil {
		t.Fatal(err)
	}
	if edges := stock.From(1).Len(); edges != 1 {
		t.Errorf("onnx-go's own graph keeps %d edges of x·x; the package comment says that it merges them", edges)
	}
}
