package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/onnxcost/onnxcost/calibrate"
	"github.com/onnxcost/onnxcost/specs"
)

// memoryRow compares the memory of one model and batch size. Sizes are bytes without what the session holds before the
// first node; errors are relative.
type memoryRow struct {
	Model           string   `json:"model"`
	Batch           int64    `json:"batch"`
	Threads         int      `json:"threads"`
	Nodes           int      `json:"nodes"`
	PredictedNodes  int      `json:"predicted_nodes"`
	BaseBytes       int64    `json:"base_bytes"`
	MeasuredBytes   int64    `json:"measured_bytes"`
	PredictedBytes  int64    `json:"predicted_bytes"`
	Error           float64  `json:"error"`
	MeasuredInUse   *int64   `json:"measured_in_use_bytes"` // null where loading used more
	PredictedInUse  int64    `json:"predicted_in_use_bytes"`
	InUseError      *float64 `json:"in_use_error"`
	SameTimeline    bool     `json:"same_timeline"` // every node has asked for exactly what was predicted
	PredictedWeight int64    `json:"predicted_weight_bytes"`
}

// memoryJudgement scores the rows.
type memoryJudgement struct {
	MAPE        float64 `json:"mape"`
	Within1     float64 `json:"within_1"`        // share of rows within 1 %
	InUseMAPE   float64 `json:"in_use_mape"`     // over the rows that have the figure
	InUseWithin float64 `json:"in_use_within_5"` // share of them within 5 %
	InUseRows   int     `json:"in_use_rows"`
}

// runValidateMemory compares peaks of memory. It needs no device: the runtime's planner decides them.
func runValidateMemory(ctx context.Context, s streams, o validateOptions, args []string) error {
	if err := oneOf("-o", o.output, validateOutputs); err != nil {
		return err
	}
	switch {
	case len(args) == 0:
		return misuse("validate: no model; give a path, - for stdin, or zoo:NAME")
	case o.backend == "":
		return misuse("validate --memory: give --backend ort to measure here")
	case o.measured != "" || o.by == "kernel" || o.plot != "":
		return misuse("validate --memory: --measured, --plot and --by kernel are for times")
	case o.threads < 1:
		return misuse("--threads %d: want at least 1", o.threads)
	}
	limit := 0.0
	if o.maxMAPE != "" {
		q, err := specs.ParseQuantity(o.maxMAPE, specs.DimProportion)
		if err != nil || q.Value <= 0 {
			return misuse("--max-mape %s: want a share such as 10%%", o.maxMAPE)
		}
		limit = q.Value
	}
	batches, err := parseCounts("--batch", o.batch)
	if err != nil {
		return err
	}
	if batches == nil {
		batches = []int64{0}
	}
	lib, err := o.open()
	if err != nil {
		return err
	}
	jobs, worst := loadJobs(s, args, &o.modelFlags)
	var rows []memoryRow
	for _, job := range jobs {
		for _, batch := range batches {
			c, err := calibrate.CompareMemory(ctx, lib, job, batch, o.threads, o.seed)
			if errors.Is(err, context.Canceled) {
				return &codedError{exitMisuse, errors.New("interrupted")}
			}
			if err != nil {
				fmt.Fprintf(s.err, "onnxcost: %s\n", describeError(job.Name, err))
				worst = max(worst, exitOfRun(err))
				continue
			}
			rows = append(rows, newMemoryRow(c))
		}
	}
	if len(rows) == 0 {
		return &reported{max(worst, exitInput)}
	}
	judged := judgeMemory(rows)
	if err := renderMemory(s, o, rows, judged); err != nil {
		return err
	}
	if limit > 0 && judged.MAPE > limit {
		fmt.Fprintf(s.err, "onnxcost: mean absolute error %s, want at most %s\n", percent(judged.MAPE, 1), percent(limit, 1))
		worst = max(worst, exitFindings)
	}
	if worst != exitDone {
		return &reported{worst}
	}
	return nil
}

func newMemoryRow(c *calibrate.MemoryComparison) memoryRow {
	r := memoryRow{Model: c.Model, Batch: c.Batch, Threads: c.Threads, Nodes: c.Nodes, PredictedNodes: c.Kernels, BaseBytes: c.BaseBytes,
		MeasuredBytes: c.RequestedBytes, PredictedBytes: c.Predicted.ActivationBytes, Error: c.RequestedError(),
		PredictedInUse: c.Predicted.InUseBytes, PredictedWeight: c.Predicted.WeightBytes,
		SameTimeline: len(c.Timeline) == len(c.Predicted.Timeline)}
	for i := range c.Timeline {
		r.SameTimeline = r.SameTimeline && c.Timeline[i] == c.Predicted.Timeline[i]
	}
	if c.InUseKnown {
		e := c.InUseError()
		r.MeasuredInUse, r.InUseError = &c.InUseBytes, &e
	}
	return r
}

func judgeMemory(rows []memoryRow) (j memoryJudgement) {
	n := float64(len(rows))
	for _, r := range rows {
		j.MAPE += math.Abs(r.Error) / n
		if math.Abs(r.Error) <= 0.01 {
			j.Within1 += 1 / n
		}
		if r.InUseError != nil {
			j.InUseRows++
			j.InUseMAPE += math.Abs(*r.InUseError)
			if math.Abs(*r.InUseError) <= 0.05 {
				j.InUseWithin++
			}
		}
	}
	if j.InUseRows > 0 {
		j.InUseMAPE /= float64(j.InUseRows)
		j.InUseWithin /= float64(j.InUseRows)
	}
	return j
}

func renderMemory(s streams, o validateOptions, rows []memoryRow, j memoryJudgement) error {
	doc := struct {
		Schema string      `json:"schema"`
		Rows   []memoryRow `json:"rows"`
		memoryJudgement
	}{"onnxcost/validate-memory/v1", rows, j}
	switch o.output {
	case "json", "ndjson":
		e := json.NewEncoder(s.out)
		if o.output == "json" {
			e.SetIndent("", " ")
		}
		return e.Encode(doc)
	case "csv":
		out := [][]string{}
		for _, r := range rows {
			inUse := ""
			if r.MeasuredInUse != nil {
				inUse = strconv.FormatInt(*r.MeasuredInUse, 10)
			}
			out = append(out, []string{r.Model, strconv.FormatInt(r.Batch, 10), strconv.Itoa(r.Threads), strconv.FormatInt(r.MeasuredBytes, 10),
				strconv.FormatInt(r.PredictedBytes, 10), inUse, strconv.FormatInt(r.PredictedInUse, 10)})
		}
		return writeCSV(s.out, []string{"model", "batch", "threads", "measured_bytes", "predicted_bytes", "measured_in_use_bytes", "predicted_in_use_bytes"}, out)
	}
	g := &grid{columns: []column{{title: "model", max: 40}, {title: "batch", right: true}, {title: "measured", right: true}, {title: "predicted", right: true},
		{title: "error", right: true}, {title: "in use", right: true}, {title: "predicted", right: true}, {title: "error", right: true}, {title: "every node"}}}
	for _, r := range rows {
		inUse, e := "unknown", ""
		if r.MeasuredInUse != nil {
			inUse, e = byteSize(float64(*r.MeasuredInUse)), signedPercent(*r.InUseError)
		}
		exact := "differs"
		if r.SameTimeline {
			exact = "exact"
		}
		g.add(r.Model, strconv.FormatInt(r.Batch, 10), byteSize(float64(r.MeasuredBytes)), byteSize(float64(r.PredictedBytes)), signedPercent(r.Error),
			inUse, byteSize(float64(r.PredictedInUse)), e, exact)
	}
	if err := writeGrid(s, g, o.output == "markdown"); err != nil {
		return err
	}
	_, err := fmt.Fprintf(s.out, "\nrequested: mean absolute error %s, %s of %d within 1 %%\narena in use: mean absolute error %s, %s of %d within 5 %%\n",
		percent(j.MAPE, 1), percent(j.Within1, 1), len(rows), percent(j.InUseMAPE, 1), percent(j.InUseWithin, 1), j.InUseRows)
	return err
}

func signedPercent(v float64) string { return fmt.Sprintf("%+.2f %%", 100*v) }
