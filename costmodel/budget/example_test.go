package budget_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/zoo"
	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/costmodel/budget"
)

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
	b, err := budget.LoadBudget(file)
	if err != nil {
		fmt.Println(err)
		return
	}
	res, err := budget.Check(context.Background(), b, budget.CheckOptions{})
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

// A comparison lists what changed, in total and by layer; without a device it compares counts and memory alone.
func ExampleCompare() {
	ctx := context.Background()
	c, err := budget.Compare(ctx, analysed(ctx, "resnet18"), analysed(ctx, "resnet34"), nil, costmodel.Options{})
	if err != nil {
		log.Fatal(err)
	}
	macs, _ := c.Metric("macs")
	fmt.Printf("MACs %+.0f %%, %d layers as they were, %d others\n", 100*macs.Relative(), c.Same, len(c.Layers))
	fmt.Println(c.Layers[0].Status, c.Layers[0].New)
	// Output:
	// MACs +102 %, 69 layers as they were, 56 others
	// added [/layer1/2/conv1]
}
