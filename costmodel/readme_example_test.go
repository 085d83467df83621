package costmodel_test

import (
	"context"
	"fmt"
	"log"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/zoo"
	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/specs"
)

// The body is the README's; a test of cmd/onnxcost holds it there.
func Example() {
	ctx := context.Background()
	m, err := zoo.Build("resnet50", zoo.None) // or onnx.Open("model.onnx")
	if err != nil {
		log.Fatal(err)
	}
	report, err := analyzer.Analyze(ctx, m, analyzer.Options{})
	if err != nil {
		log.Fatal(err)
	}
	macs, err := report.Totals().MACs.Eval(dim.Env{"batch": 8}) // a formula, evaluated
	if err != nil {
		log.Fatal(err)
	}
	device, err := specs.LoadDevice("jetson-tx1") // or the path of a device file
	if err != nil {
		log.Fatal(err)
	}
	p, err := costmodel.Predict(ctx, report, device, costmodel.Options{Batch: 8})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d MACs, %.3g s, %.3g J\n", macs, p.LatencyS, float64(p.EnergyJ))
	// Output: 32713474048 MACs, 0.403 s, 5.28 J
}
