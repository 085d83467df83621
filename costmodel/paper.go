package costmodel

import (
	"context"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/costmodel/plan"
	"github.com/onnxcost/onnxcost/specs"
)

// FitPaperBoard fits
func FitPaperBoard(ctx context.Context, d *specs.Device) (*PaperFit, error) {
	return FitPaper(ctx, d, PaperTools{Bind: BindBatch, Lower: func(r *analyzer.Report) (*plan.Plan, error) { return Lower(r, plan.Torch7, nil) }})
}
