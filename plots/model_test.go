package plots

import (
	"context"
	"math"
	"testing"

	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/specs"
)

// predicted is the model's dataset for the paper's board.
func predicted(t *testing.T) *Dataset {
	t.Helper()
	dev, err := specs.LoadDevice("jetson-tx1")
	if err != nil {
		t.Fatal(err)
	}
	d, err := PredictPaper(context.Background(), dev, costmodel.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestPredictPaper holds our operations and parameters to the published ones; the network that the paper plots smaller
// than it is stands apart.
func TestPredictPaper(t *testing.T) {
	d := predicted(t)
	paper := specs.Paper()
	if len(d.Networks) != 14 {
		t.Fatalf("got %d networks, want 14", len(d.Networks))
	}
	for _, n := range d.Networks {
		p, _ := paper.Network(n.Paper)
		if math.Abs(n.GOps/p.RecountGOps-1) > 0.002 {
			t.Errorf("%s: %.4f G-Ops, want %.3f", n.Name, n.GOps, p.RecountGOps)
		}
		params := p.Params
		if p.ParamsAll > 0 {
			params = p.ParamsAll
		}
		if math.Abs(n.MParams*1e6/float64(params)-1) > 1e-3 {
			t.Errorf("%s: %.4f M parameters, want %d", n.Name, n.MParams, params)
		}
		for i, b := range n.Batches {
			if !(n.TimeMS[i] > 0 && n.TimeLowMS[i] <= n.TimeMS[i] && n.TimeMS[i] <= n.TimeHighMS[i]) {
				t.Errorf("%s, batch %d: time %g in [%g, %g]", n.Name, b, n.TimeMS[i], n.TimeLowMS[i], n.TimeHighMS[i])
			}
			if i > 0 && n.MemoryMB[i] < n.MemoryMB[i-1] {
				t.Errorf("%s, batch %d: memory falls to %g MB", n.Name, b, n.MemoryMB[i])
			}
		}
	}
}
