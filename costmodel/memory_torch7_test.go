package costmodel

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/zoo"
	"github.com/onnxcost/onnxcost/specs"
)

// TestFitPaperMemory: the embedded coefficients are those of the fit (-update writes them), and they reproduce Figure 5.
func TestFitPaperMemory(t *testing.T) {
	paper := specs.Paper()
	plans := map[string]*Plan{}
	var points []PaperMemoryPoint
	for _, n := range paper.Networks {
		m, err := zoo.Build(n.Zoo, zoo.None)
		if err != nil {
			t.Fatal(err)
		}
		r, err := analyzer.Analyze(context.Background(), m, analyzer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if plans[n.Name], err = Lower(r, Torch7); err != nil {
			t.Fatal(err)
		}
		for i, mb := range n.MemoryMB {
			points = append(points, PaperMemoryPoint{Network: n.Name, Batch: paper.Batches[i], MeasuredBytes: mb * 1e6})
		}
	}
	c, points, err := FitPaperMemory(points, func(name string) (*Plan, error) { return plans[name], nil })
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		data, err := json.MarshalIndent(c, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("torch7_memory.json", append(data, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	stored, err := torch7Coefficients()
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(c, stored, cmpopts.EquateApprox(1e-9, 0)); d != "" {
		t.Errorf("torch7_memory.json is not what the fit gives; run with -update (-fit +stored):\n%s", d)
	}
	var all float64
	errs := map[string][]float64{}
	for _, p := range points {
		m, err := Memory(plans[p.Network], batchEnv(plans[p.Network].Report, int64(p.Batch)), MemoryOptions{})
		if err != nil {
			t.Fatal(err)
		}
		e := math.Abs(float64(m.PeakBytes())/p.MeasuredBytes - 1)
		errs[p.Network] = append(errs[p.Network], e)
		all += e / float64(len(points))
	}
	for _, n := range paper.Networks {
		if e := errs[n.Name]; e != nil {
			var sum, worst float64
			for _, x := range e {
				sum, worst = sum+x, max(worst, x)
			}
			t.Logf("%-13s mean error %5.1f %%, worst %5.1f %%", n.Name, 100*sum/float64(len(e)), 100*worst)
		}
	}
	t.Logf("all %d points: %.1f %%", len(points), 100*all)
	if all > 0.09 {
		t.Errorf("mean error %.1f %% over Figure 5, want at most 9 %%", 100*all)
	}
}
