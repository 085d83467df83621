package budget

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/zoo"
	"github.com/onnxcost/onnxcost/costmodel"
)

func edited(t *testing.T, edit func(g *onnx.Graph)) *analyzer.Report {
	t.Helper()
	m, err := zoo.Build("resnet18", zoo.None)
	if err != nil {
		t.Fatal(err)
	}
	if edit != nil {
		edit(m.Graph)
	}
	r, err := analyzer.Analyze(context.Background(), m, analyzer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func nodeIndex(g *onnx.Graph, name string) int {
	return slices.IndexFunc(g.Nodes, func(n *onnx.Node) bool { return n.Name == name })
}

// drop removes a node and lets its readers read its first input.
func drop(g *onnx.Graph, name string) {
	i := nodeIndex(g, name)
	gone := g.Nodes[i]
	g.Nodes = slices.Delete(g.Nodes, i, i+1)
	for _, n := range g.Nodes {
		for k, in := range n.Inputs {
			if in == gone.Outputs[0] {
				n.Inputs[k] = gone.Inputs[0]
			}
		}
	}
}

// fold drops a BatchNormalization and gives its convolution the bias that it leaves.
func fold(g *onnx.Graph, conv, bn string) {
	shift := g.Nodes[nodeIndex(g, bn)].Inputs[2]
	drop(g, bn)
	c := g.Nodes[nodeIndex(g, conv)]
	c.Inputs = append(c.Inputs, shift)
}

// TestCompareLayers edits a network in one way each and says what must be seen, in both directions.
func TestCompareLayers(t *testing.T) {
	const conv, bn, relu = "/layer2/1/conv1", "/layer2/1/bn1", "/layer2/1/relu1"
	if g := edited(t, nil).Model.Graph; nodeIndex(g, conv) < 0 || nodeIndex(g, bn) < 0 || nodeIndex(g, relu) < 0 {
		t.Fatal("the network has other names")
	}
	for _, tc := range []struct {
		name     string
		edit     func(g *onnx.Graph)
		want     map[LayerStatus]int
		reversed map[LayerStatus]int
	}{
		{"nothing", nil, map[LayerStatus]int{}, map[LayerStatus]int{}},
		{"every name", func(g *onnx.Graph) {
			for i, n := range g.Nodes {
				n.Name = fmt.Sprint("node_", i)
			}
		}, map[LayerStatus]int{LayerRenamed: 69}, map[LayerStatus]int{LayerRenamed: 69}},
		{"numbered names, one gone", func(g *onnx.Graph) {
			drop(g, relu)
			for i, n := range g.Nodes {
				n.Name = fmt.Sprint("node_", i)
			}
		}, map[LayerStatus]int{LayerRenamed: 68, LayerRemoved: 1}, map[LayerStatus]int{LayerRenamed: 68, LayerAdded: 1}},
		{"an activation removed", func(g *onnx.Graph) { drop(g, relu) }, map[LayerStatus]int{LayerRemoved: 1}, map[LayerStatus]int{LayerAdded: 1}},
		{"a normalisation folded", func(g *onnx.Graph) { fold(g, conv, bn) }, map[LayerStatus]int{LayerFused: 1}, map[LayerStatus]int{LayerSplit: 1}},
		{"a normalisation and an activation fused", func(g *onnx.Graph) {
			fold(g, conv, bn)
			drop(g, relu)
			c := g.Nodes[nodeIndex(g, conv)]
			c.OpType, c.Domain, c.Name = "FusedConv", "com.microsoft", "fused"
		}, map[LayerStatus]int{LayerFused: 1}, map[LayerStatus]int{LayerSplit: 1}},
		{"a normalisation and an activation fused under the old name", func(g *onnx.Graph) {
			fold(g, conv, bn)
			drop(g, relu)
			c := g.Nodes[nodeIndex(g, conv)]
			c.OpType, c.Domain = "FusedConv", "com.microsoft"
		}, map[LayerStatus]int{LayerFused: 1}, map[LayerStatus]int{LayerSplit: 1}},
		{"another activation", func(g *onnx.Graph) { g.Nodes[nodeIndex(g, relu)].OpType = "Sigmoid" }, map[LayerStatus]int{LayerChanged: 1}, map[LayerStatus]int{LayerChanged: 1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, b := edited(t, nil), edited(t, tc.edit)
			for _, x := range []struct {
				a, b *analyzer.Report
				want map[LayerStatus]int
			}{{a, b, tc.want}, {b, a, tc.reversed}} {
				c, err := Compare(context.Background(), x.a, x.b, device(t, "t4"), costmodel.Options{Batch: 2})
				if err != nil {
					t.Fatal(err)
				}
				got := map[LayerStatus]int{}
				for _, l := range c.Layers {
					if l.Status != LayerSame { // the same work at another time
						got[l.Status]++
					}
				}
				if diff := cmp.Diff(x.want, got); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
				sums(t, c)
			}
		})
	}
}

// sums: the rows add up to the totals, whatever was matched with what.
func sums(t *testing.T, c *Comparison) {
	t.Helper()
	for metric, x := range map[string]struct {
		of    func(LayerFigures) float64
		batch float64
	}{
		"macs":    {func(f LayerFigures) float64 { return f.MACs }, 2},
		"params":  {func(f LayerFigures) float64 { return f.Params }, 1},
		"flops":   {func(f LayerFigures) float64 { return f.FLOPs }, 1},
		"traffic": {func(f LayerFigures) float64 { return f.Bytes }, 1},
		"latency": {func(f LayerFigures) float64 { return f.TimeS }, 1},
		"energy":  {func(f LayerFigures) float64 { return f.EnergyJ }, 2},
	} {
		var sum float64
		for _, l := range c.Layers {
			sum += x.of(l.After) - x.of(l.Before)
		}
		m, ok := c.Metric(metric)
		if !ok {
			t.Errorf("no total %s", metric)
		}
		if want := float64(m.New-m.Old) * x.batch; math.Abs(sum-want) > 1e-6*math.Abs(float64(m.Old))*x.batch {
			t.Errorf("%s: the layers change by %g, the total by %g", metric, sum, want)
		}
	}
}

// TestCompareTop: the largest changes come first, and what did not change is left out.
func TestCompareTop(t *testing.T) {
	c, err := Compare(context.Background(), zooReport(t, "resnet18"), zooReport(t, "resnet34"), nil, costmodel.Options{})
	if err != nil {
		t.Fatal(err)
	}
	macs := func(f LayerFigures) float64 { return f.MACs }
	top := c.Top(5, macs)
	if len(top) != 5 || len(c.Top(1000, macs)) != 16 || top[0].Status != LayerAdded || macs(top[0].After) < macs(top[4].After) {
		t.Errorf("top layers: %+v", top)
	}
	if m, _ := c.Metric("macs"); math.Abs(m.Relative()-1.0196) > 1e-3 {
		t.Errorf("macs grow by %g", m.Relative())
	}
	if _, ok := c.Metric("latency"); ok {
		t.Error("a latency without a device")
	}
	if c.Schema != CompareSchema || c.Batch != 1 {
		t.Errorf("schema %s, batch %d", c.Schema, c.Batch)
	}
}
