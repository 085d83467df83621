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

// analysed is the Report of a network of the zoo.
func analysed(ctx context.Context, name string) *analyzer.Report {
	m, err := zoo.Build(name, zoo.None)
	if err != nil {
		log.Fatal(err)
	}
	r, err := analyzer.Analyze(ctx, m, analyzer.Options{})
	if err != nil {
		log.Fatal(err)
	}
	return r
}

// Compiled once, a model is evaluated for each batch: a sweep costs some tens of microseconds a point.
func ExampleCompile() {
	ctx := context.Background()
	d, err := specs.LoadDevice("jetson-tx1")
	if err != nil {
		log.Fatal(err)
	}
	p, err := costmodel.Compile(ctx, analysed(ctx, "alexnet"), d, costmodel.Options{NoKernels: true})
	if err != nil {
		log.Fatal(err)
	}
	for _, batch := range []int64{1, 4, 16} {
		at, err := p.At(batch, nil)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("batch %2d: %.0f images a second\n", batch, float64(at.ThroughputPS))
	}
	// Output:
	// batch  1: 54 images a second
	// batch  4: 110 images a second
	// batch 16: 149 images a second
}

// A Plan is what a runtime launches: nodes that it fuses are one kernel. Memory says what its allocator holds for one run.
func ExampleLower() {
	ctx := context.Background()
	plan, err := costmodel.Lower(analysed(ctx, "resnet18"), costmodel.ORTCUDA, nil)
	if err != nil {
		log.Fatal(err)
	}
	k := plan.Kernels[0]
	for _, k = range plan.Kernels {
		if len(k.Nodes) > 1 {
			break
		}
	}
	fmt.Println(len(plan.Kernels), "kernels; of several nodes:", k.Name, k.Op)
	use, err := costmodel.Memory(plan, dim.Env{"batch": 1}, costmodel.MemoryOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.0f MB of weights, %.1f MB of activations\n", float64(use.WeightBytes)/1e6, float64(use.ActivationBytes)/1e6)
	// Output:
	// 48 kernels; of several nodes: /conv1 Conv
	// 47 MB of weights, 4.0 MB of activations
}
