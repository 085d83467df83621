package memory

import (
	"context"
	"encoding/json"
	"flag"
	"maps"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/zoo"
	"github.com/onnxcost/onnxcost/costmodel/internal/lower"
	"github.com/onnxcost/onnxcost/costmodel/plan"
	"github.com/onnxcost/onnxcost/specs"
)

var updateFit = flag.Bool("update", false, "rewrite the fitted coefficients")

// memoryPoint is a point of Figure 5.
type memoryPoint struct {
	network  string
	plan     *plan.Plan
	env      dim.Env
	measured float64 // bytes
	sizes    torch7Sizes
}

// TestPaperMemory: the embedded coefficients are those of the fit (-update writes them), and they reproduce Figure 5.
func TestPaperMemory(t *testing.T) {
	paper := specs.Paper()
	var points []memoryPoint
	for _, n := range paper.Networks {
		m, err := zoo.Build(n.Zoo, zoo.None)
		if err != nil {
			t.Fatal(err)
		}
		r, err := analyzer.Analyze(context.Background(), m, analyzer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		plan, err := lower.Lower(r, plan.Torch7, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, mb := range n.MemoryMB {
			p := memoryPoint{network: n.Name, plan: plan, env: batchEnv(r, int64(paper.Batches[i])), measured: mb * 1e6}
			if p.sizes, err = torch7SizesOf(plan, p.env); err != nil {
				t.Fatal(err)
			}
			points = append(points, p)
		}
	}
	c := fitPaperMemory(points)
	if *updateFit {
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
		m, err := Of(p.plan, p.env, Options{})
		if err != nil {
			t.Fatal(err)
		}
		e := math.Abs(float64(m.PeakBytes())/p.measured - 1)
		errs[p.network] = append(errs[p.network], e)
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

// fitPaperMemory fits the form to Figure 5 by the mean of the absolute logarithms of fitted over measured. Nothing is
// random.
func fitPaperMemory(points []memoryPoint) torch7MemoryFit {
	c := torch7MemoryFit{FloorBytes: math.Inf(1), Loading: 1, ReserveBytes: 1e8, Outputs: 1, Norms: 0.5}
	for _, p := range points {
		c.FloorBytes = min(c.FloorBytes, p.measured)
	}
	loss := func(c *torch7MemoryFit) (sum float64) {
		for _, p := range points {
			sum += math.Abs(math.Log(c.bytes(p.sizes) / p.measured))
		}
		return sum
	}
	// One coefficient after the other by ever smaller factors: five of them and some sixty points need no more.
	terms := []*float64{&c.FloorBytes, &c.Loading, &c.ReserveBytes, &c.Outputs, &c.Norms}
	best := loss(&c)
	for step := 0.3; step > 1e-4; {
		improved := false
		for _, t := range terms {
			for _, f := range [...]float64{1 + step, 1 / (1 + step)} {
				old := *t
				*t *= f
				if l := loss(&c); l < best-1e-12 {
					best, improved = l, true
				} else {
					*t = old
				}
			}
		}
		if !improved {
			step /= 2
		}
	}
	ratios := make([]float64, len(points))
	for i, p := range points {
		ratios[i] = p.measured / c.bytes(p.sizes)
	}
	slices.Sort(ratios)
	tail := int(float64(len(ratios)) * (1 - 0.9) / 2)
	c.Low, c.High = min(1, ratios[tail]), max(1, ratios[len(ratios)-1-tail])
	return c
}

// batchEnv binds the leading dimensions of the inputs.
func batchEnv(r *analyzer.Report, batch int64) dim.Env {
	env := maps.Clone(r.Dims)
	if env == nil {
		env = dim.Env{}
	}
	for _, v := range r.Inputs {
		if v.Ranked && len(v.Shape) > 0 {
			for _, s := range v.Shape[0].Symbols() {
				env[s] = batch
			}
		}
	}
	return env
}
