package budget

import (
	"context"
	"strings"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// TestCheckDimsOfSome: a dimension that the caller gives and only some models have is for those; one that the budget gives
// a model and that it lacks is an error at its place, whatever the caller lets pass.
func TestCheckDimsOfSome(t *testing.T) {
	const text = `schema: onnxcost/budget/v1
models:
  - match: zoo:resnet18
    limits: {params: 30 M}
  - match: zoo:squeezenet1_1
    dims: {nosuch: 3}
    limits: {params: 30 M}
`
	var unused []string
	res, err := Check(context.Background(), writeBudget(t, text), CheckOptions{
		Analyze: func(*onnx.Model) (analyzer.Options, error) {
			return analyzer.Options{Dims: map[string]int64{"batch": 2, "other": 5}, AnyDims: true}, nil
		},
		Analyzed: func(r *analyzer.Report) { unused = append(unused, r.UnusedDims...) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Limits) != 1 || res.Limits[0].Model != "zoo:resnet18" || len(res.Problems) != 1 || !strings.Contains(res.Problems[0].Err.Error(), `6:20`) ||
		!strings.Contains(res.Problems[0].Err.Error(), `no free dimension "nosuch"`) {
		t.Errorf("limits %+v, problems %+v", res.Limits, res.Problems)
	}
	if strings.Join(unused, " ") != "other nosuch other" && strings.Join(unused, " ") != "other other nosuch" {
		t.Errorf("unused: %q", unused)
	}
}
