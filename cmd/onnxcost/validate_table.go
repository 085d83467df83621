package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/onnxcost/onnxcost/calibrate"
	"github.com/onnxcost/onnxcost/costmodel"
)

// judge scores the rows.
func judge(rows []validateRow) (calibrate.Validation, error) {
	var list []calibrate.Row
	for _, r := range rows {
		list = append(list, calibrate.Row{Measured: r.MeasuredS, Predicted: r.PredictS, Low: r.LowS, High: r.HighS,
			Ops: r.Baselines.OpsS, Roofline: r.Baselines.RooflineS})
	}
	return calibrate.Validate(list)
}

// readMeasured reads a CSV of measurements made elsewhere. Every fault names file and line.
func readMeasured(path string, threads int) ([]measurement, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := parseMeasured(f, path, threads)
	if err != nil {
		return nil, &codedError{exitInput, err}
	}
	return rows, nil
}

func parseMeasured(in io.Reader, path string, threads int) ([]measurement, error) {
	r := csv.NewReader(in)
	r.TrimLeadingSpace = true
	r.Comment = '#'
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: empty; want the columns model,batch,measured_s", path)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	at := map[string]int{}
	for i, h := range header {
		at[strings.ToLower(strings.TrimSpace(h))] = i
	}
	for _, want := range []string{"model", "batch", "measured_s"} {
		if _, ok := at[want]; !ok {
			return nil, fmt.Errorf("%s:1: no column %s; want model,batch,measured_s and, if wanted, threads", path, want)
		}
	}
	var rows []measurement
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		line, _ := r.FieldPos(0)
		m := measurement{Model: record[at["model"]], Threads: threads}
		if m.Model == "" {
			return nil, fmt.Errorf("%s:%d: no model", path, line)
		}
		if m.Batch, err = strconv.ParseInt(record[at["batch"]], 10, 64); err != nil || m.Batch < 1 {
			return nil, fmt.Errorf("%s:%d: batch %q: want a whole number of at least 1", path, line, record[at["batch"]])
		}
		if m.MedianS, err = strconv.ParseFloat(record[at["measured_s"]], 64); err != nil || !(m.MedianS > 0) || math.IsInf(m.MedianS, 0) {
			return nil, fmt.Errorf("%s:%d: measured_s %q: want seconds above 0", path, line, record[at["measured_s"]])
		}
		if i, ok := at["threads"]; ok && record[i] != "" {
			if m.Threads, err = strconv.Atoi(record[i]); err != nil || m.Threads < 1 {
				return nil, fmt.Errorf("%s:%d: threads %q: want a whole number of at least 1", path, line, record[i])
			}
		}
		rows = append(rows, m)
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("%s: no measurements", path)
	}
	return rows, nil
}

// mapeOf is a baseline's score in JSON.
type mapeOf struct {
	MAPE float64 `json:"mape"`
}

func renderValidation(s streams, o validateOptions, rows []validateRow, v calibrate.Validation) error {
	switch o.output {
	case "json":
		rank := costmodel.Unknown() // one row has no rank
		if !math.IsNaN(v.Spearman) {
			rank = costmodel.Optional(v.Spearman)
		}
		return writeJSON(s.out, struct {
			Schema    string             `json:"schema"`
			Rows      []validateRow      `json:"rows"`
			MAPE      float64            `json:"mape"`
			Within10  float64            `json:"within_10"`
			Spearman  costmodel.Optional `json:"spearman"`
			Coverage  float64            `json:"interval_coverage"`
			Level     float64            `json:"interval_level"`
			Baselines map[string]mapeOf  `json:"baselines"`
		}{"onnxcost/validate/v1", rows, v.MAPE, v.Within10, rank, v.Coverage, costmodel.IntervalLevel,
			map[string]mapeOf{"ops": {v.OpsMAPE}, "roofline": {v.RooflineMAPE}}})
	case "ndjson":
		for _, r := range rows {
			if err := json.NewEncoder(s.out).Encode(r); err != nil {
				return err
			}
		}
		return nil
	case "csv":
		var cells [][]string
		num := func(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
		header := []string{"model", "batch", "threads", "measured_s", "predicted_s", "predicted_low_s", "predicted_high_s", "error",
			"ops_s", "roofline_s"}
		energy := slices.ContainsFunc(rows, func(r validateRow) bool { return r.EnergyJ != nil })
		if energy {
			header = append(append(header, energyColumns...), "predicted_energy_j")
		}
		for _, r := range rows {
			cells = append(cells, []string{r.Model, strconv.FormatInt(r.Batch, 10), strconv.Itoa(r.Threads), num(r.MeasuredS), num(r.PredictS),
				num(r.LowS), num(r.HighS), num(r.Error), num(r.Baselines.OpsS), num(r.Baselines.RooflineS)})
			if energy {
				predicted := ""
				if r.PredictJ != nil {
					predicted = num(*r.PredictJ)
				}
				cells[len(cells)-1] = append(append(cells[len(cells)-1], r.cells()...), predicted)
			}
		}
		for _, r := range rows {
			warnOf(s.err, "onnxcost: ", r.Model, r.Batch, r.Warnings)
		}
		return writeCSV(s.out, header, cells)
	}
	g := grid{columns: []column{{"model", false, 40}, {"batch", true, 0}, {"measured", true, 0}, {"predicted", true, 0}, {"90 % interval", true, 0},
		{"error", true, 0}, {"ops", true, 0}, {"roofline", true, 0}}}
	signed := func(x float64) string { return fmt.Sprintf("%+.1f %%", 100*x) }
	for _, r := range rows {
		span := durationText(r.LowS) + " – " + durationText(r.HighS)
		if !r.Inside {
			span += " !"
		}
		g.add(r.Model, fmt.Sprint(r.Batch), durationText(r.MeasuredS), durationText(r.PredictS), span, signed(r.Error),
			signed(r.Baselines.OpsS/r.MeasuredS-1), signed(r.Baselines.RooflineS/r.MeasuredS-1))
	}
	g.footer = []string{fmt.Sprintf("MAPE of %d", v.Rows), "", "", "", "", percent(v.MAPE, 1), percent(v.OpsMAPE, 1), percent(v.RooflineMAPE, 1)}
	if o.output == "markdown" {
		return g.markdown(s.out)
	}
	if err := g.render(s.out); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "within 10 %%: %s, inside the 90 %% interval: %s", percent(v.Within10, 1), percent(v.Coverage, 1))
	if !math.IsNaN(v.Spearman) {
		fmt.Fprintf(s.out, ", Spearman %.4f", v.Spearman)
	}
	fmt.Fprintln(s.out)
	for _, r := range rows {
		warnOf(s.out, "", r.Model, r.Batch, r.Warnings)
	}
	if o.by == "kernel" {
		return renderKinds(s, rows)
	}
	return nil
}

// renderKinds adds the operators of all rows up.
func renderKinds(s streams, rows []validateRow) error {
	var sum []validateKind
	for _, r := range rows {
		for _, k := range r.Kernels {
			i := slices.IndexFunc(sum, func(v validateKind) bool { return v.Op == k.Op })
			if i < 0 {
				sum = append(sum, k)
				continue
			}
			sum[i].Nodes, sum[i].PredictedNodes = sum[i].Nodes+k.Nodes, sum[i].PredictedNodes+k.PredictedNodes
			sum[i].MeasuredS, sum[i].PredictedS = sum[i].MeasuredS+k.MeasuredS, sum[i].PredictedS+k.PredictedS
		}
	}
	slices.SortStableFunc(sum, func(a, b validateKind) int {
		switch {
		case a.MeasuredS > b.MeasuredS:
			return -1
		case a.MeasuredS < b.MeasuredS:
			return 1
		}
		return 0
	})
	g := grid{columns: []column{{"kernel", false, 40}, {"nodes", true, 0}, {"predicted nodes", true, 0}, {"measured", true, 0}, {"predicted", true, 0}, {"error", true, 0}}}
	for _, k := range sum {
		off := ""
		if k.MeasuredS > 0 {
			off = fmt.Sprintf("%+.1f %%", 100*(k.PredictedS/k.MeasuredS-1))
		}
		g.add(k.Op, fmt.Sprint(k.Nodes), fmt.Sprint(k.PredictedNodes), durationText(k.MeasuredS), durationText(k.PredictedS), off)
	}
	fmt.Fprintln(s.out)
	if err := g.render(s.out); err != nil {
		return err
	}
	_, err := fmt.Fprintln(s.out, "Measured by the runtime's profiler, which adds a microsecond or two to every node.")
	return err
}
