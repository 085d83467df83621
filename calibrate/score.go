package calibrate

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/onnxcost/onnxcost/calibrate/ort"
)

// A Row is a prediction beside what was measured, in seconds.
type Row struct {
	Measured, Predicted float64
	Low, High           float64 // the prediction's interval; both 0 where it has none
	Ops, Roofline       float64 // what the baselines say
}

// Error is the relative error of the prediction.
func (r Row) Error() float64 { return r.Predicted/r.Measured - 1 }

// Inside reports whether the measurement lies in the prediction's interval.
func (r Row) Inside() bool { return r.Low <= r.Measured && r.Measured <= r.High }

// A Validation is how good predictions were on some rows. The baselines are judged on the same rows. Shares and errors
// are 0.05 for 5 %.
type Validation struct {
	Rows                  int
	MAPE                  float64 // mean of the absolute relative errors
	Within10              float64 // share of the rows within 10 %
	Spearman              float64 // NaN below two rows
	Coverage              float64 // share of the rows inside of their interval
	OpsMAPE, RooflineMAPE float64
}

// Validate judges predictions. It wants at least one row, and measured times above 0.
func Validate(rows []Row) (Validation, error) {
	v := Validation{Rows: len(rows)}
	if len(rows) == 0 {
		return v, fmt.Errorf("nothing to judge: no model has both a prediction and a measurement")
	}
	var predicted, measured []float64
	n := float64(len(rows))
	for i, r := range rows {
		if !(r.Measured > 0) || math.IsInf(r.Measured, 0) {
			return v, fmt.Errorf("row %d: measured %g s, want a positive time", i+1, r.Measured)
		}
		e := math.Abs(r.Error())
		v.MAPE += e / n
		if e <= 0.1 {
			v.Within10 += 1 / n
		}
		if r.Inside() {
			v.Coverage += 1 / n
		}
		v.OpsMAPE += math.Abs(r.Ops/r.Measured-1) / n
		v.RooflineMAPE += math.Abs(r.Roofline/r.Measured-1) / n
		predicted, measured = append(predicted, r.Predicted), append(measured, r.Measured)
	}
	v.Spearman = spearman(predicted, measured)
	return v, nil
}

// A KernelMeasurement is what the runtime's profiler saw of one operator in one inference.
type KernelMeasurement struct {
	Op      string // the runtime's name
	Nodes   int
	Seconds float64
}

// MeasureKernels runs a model under the runtime's profiler and adds its nodes up by operator: for each node the lower
// quartile of the runs, because a disturbed run adds time and none takes it away. The profiler itself adds a microsecond
// or two to every node and counts whole microseconds.
func MeasureKernels(ctx context.Context, lib *ort.Library, job Job, batch int64, threads, runs int) ([]KernelMeasurement, error) {
	s, _, err := job.session(ctx, lib, ort.Options{Threads: threads, Profile: true}, batch, 1)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	for range runs {
		if err := s.Run(); err != nil {
			return nil, err
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	p, err := s.CloseProfile()
	if err != nil {
		return nil, err
	}
	warm := p.Runs[min(1, len(p.Runs)-1):] // the first run belongs to loading
	type node struct{ name, op string }
	seen := map[node][]float64{}
	var order []node
	for _, r := range warm {
		for _, n := range r.Nodes {
			key := node{n.Name, n.Op}
			if seen[key] == nil {
				order = append(order, key)
			}
			seen[key] = append(seen[key], n.Seconds)
		}
	}
	at := map[string]int{}
	var out []KernelMeasurement
	for _, key := range order {
		i, ok := at[key.op]
		if !ok {
			i = len(out)
			at[key.op] = i
			out = append(out, KernelMeasurement{Op: key.op})
		}
		times := float64(len(seen[key])) / float64(len(warm)) // more than 1 in loops, and where names are not unique
		out[i].Nodes += int(math.Round(times))
		out[i].Seconds += quantile(seen[key], 0.25) * times
	}
	slices.SortFunc(out, func(a, b KernelMeasurement) int {
		switch {
		case a.Seconds > b.Seconds:
			return -1
		case a.Seconds < b.Seconds:
			return 1
		}
		return 0
	})
	return out, nil
}
