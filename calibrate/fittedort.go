package calibrate

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/costmodel/form"
	"github.com/onnxcost/onnxcost/costmodel/plan"
	"github.com/onnxcost/onnxcost/specs"
)

// fitPointsORT predicts the model behind every microbenchmark as a user's model is predicted: by the profile alone.
func fitPointsORT(ctx context.Context, s *Samples, d *specs.Device) (*Fitted, error) {
	all, err := ortPoints(s)
	if err != nil {
		return nil, err
	}
	byThreads := map[int][]ortPoint{}
	var threads []int
	for _, p := range all {
		if byThreads[p.Threads] == nil {
			threads = append(threads, p.Threads)
		}
		byThreads[p.Threads] = append(byThreads[p.Threads], p)
	}
	slices.Sort(threads)
	out := &Fitted{}
	for _, t := range threads {
		points := byThreads[t]
		fit := d.FindFit(specs.FitKey{Measure: specs.MeasureTime, Form: form.FormORTCPU, Runtime: string(costmodel.ORTCPU), Threads: t})
		if fit == nil || fit.Threads != t {
			out.note("%d microbenchmarks of %d threads are left out: the profile has no fit of so many", len(points), t)
			continue
		}
		design, err := lowerPoints(ctx, points, d.Processor)
		if err != nil {
			return nil, err
		}
		roof := FittedRoof{Name: fmt.Sprintf("%d threads", t), Source: "the fastest microbenchmarks"}
		if t == 1 {
			roof.Name = "1 thread"
		}
		for i := range points {
			x, err := design.fitted(ctx, i, d)
			if err != nil {
				return nil, err
			}
			if len(threads) > 1 {
				x.Name += ", " + roof.Name
			}
			out.Points = append(out.Points, x)
		}
		best, err := design.reached(form.CacheOfFit(fit).Far)
		if err != nil {
			return nil, err
		}
		roof.FLOPs, roof.BytesPerS = best.flops, best.bytes
		out.Roofs = append(out.Roofs, roof)
		above := 0
		for i := range points {
			if x := &out.Points[len(out.Points)-len(points)+i]; points[i].dilated() && x.FLOPs/x.MeasuredS > 1.02*roof.FLOPs {
				above++
			}
		}
		if above > 0 {
			out.note("%d dilated convolutions of %s lie above the roof: their taps in the padding count as operations and are skipped", above, roof.Name)
		}
	}
	return out, nil
}

// fitted is point i under the profile.
func (d *ortDesign) fitted(ctx context.Context, i int, device *specs.Device) (FittedPoint, error) {
	p, lowered := &d.points[i], d.plans[i]
	x := FittedPoint{Name: shortName(p.Micro.Class, p.Micro.Params), MeasuredS: p.Seconds}
	got, err := costmodel.Predict(ctx, lowered.Report, device, costmodel.Options{Runtime: costmodel.ORTCPU, Threads: p.Threads})
	if err != nil {
		return x, fmt.Errorf("%s: %w", p.Micro.Sample().Name(), err)
	}
	x.FittedS = got.LatencyS
	kinds := map[string]plan.Kind{}
	for _, k := range lowered.Kernels {
		kinds[k.FullOp()] = k.Kind
	}
	byFamily := map[string]float64{}
	for _, k := range got.Kernels {
		n := math.Max(1, k.Times)
		x.FLOPs += n * k.FLOPs
		x.Bytes += n * k.Bytes
		byFamily[family(k.Op, kinds[k.Op])] += n * k.TimeS
	}
	for _, name := range sortedNames(byFamily) {
		if x.Group == "" || byFamily[name] > byFamily[x.Group] {
			x.Group = name
		}
	}
	if strings.HasPrefix(p.Micro.Class, "chain") {
		x.Group = "chains" // of tiny kernels by the hundred, which cost what a kernel costs at least
	}
	return x, nil
}

// family is the sort of a kernel, coarser than its operator.
func family(fullOp string, kind plan.Kind) string {
	switch kind {
	case plan.KindContraction:
		switch {
		case strings.Contains(fullOp, "Conv"):
			return "convolution"
		case strings.Contains(fullOp, "GRU"), strings.Contains(fullOp, "LSTM"), strings.Contains(fullOp, "RNN"):
			return "recurrent"
		}
		return "product"
	case plan.KindNormalization, plan.KindReduction, plan.KindPooling:
		return "reduction" // of rows, windows or all
	case plan.KindMovement, plan.KindReorder:
		return "movement"
	}
	return plan.KindElementwise.String()
}
