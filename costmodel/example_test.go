package costmodel_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/zoo"
	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/specs"
)

// A prediction is a Report on a device, with the interval that 90 % of measurements fall into.
func ExamplePredict() {
	ctx := context.Background()
	m, err := zoo.Build("resnet50", zoo.None)
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := analyzer.Analyze(ctx, m, analyzer.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	d, err := specs.LoadDevice("jetson-tx1")
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := costmodel.Predict(ctx, r, d, costmodel.Options{Batch: 16})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("inside the interval:", p.LatencyLowS < p.LatencyS && p.LatencyS < p.LatencyHighS)
	fmt.Printf("%d images in %.1g s, %.1g J each\n", p.Batch, p.LatencyS, float64(p.EnergyPerSampleJ))
	// Output:
	// inside the interval: true
	// 16 images in 0.8 s, 0.6 J each
}

// A budget is checked in three calls: load, check, look at the verdicts.
func ExampleCheck() {
	dir, err := os.MkdirTemp("", "budget")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "budget.yaml")
	if err := os.WriteFile(file, []byte(`schema: onnxcost/budget/v1
models:
  - match: zoo:resnet50
    limits: {macs: 4 G, params: 30 M, coverage: 100 %}
`), 0o666); err != nil {
		fmt.Println(err)
		return
	}
	b, err := costmodel.LoadBudget(file)
	if err != nil {
		fmt.Println(err)
		return
	}
	res, err := costmodel.Check(context.Background(), b, costmodel.CheckOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, l := range res.Limits {
		fmt.Println(l.Model, l.Limit, l.Verdict)
	}
	// Output:
	// zoo:resnet50 params pass
	// zoo:resnet50 macs fail
	// zoo:resnet50 coverage pass
}
