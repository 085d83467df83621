package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/onnxcost/onnxcost/plots"
	"github.com/onnxcost/onnxcost/specs"
)

// drawPairs draws the rows where --plot asks for it.
func (o *validateOptions) drawPairs(d *specs.Device, rows []validateRow) error {
	if o.plot == "" {
		return nil
	}
	return writePicture(o.plot, plots.Validate(validatePairs(rows), o.pairsSubtitle(d, rows), plots.Style{}))
}

// validatePairs are the rows as points, coloured by batch size where there are several.
func validatePairs(rows []validateRow) []plots.Pair {
	batches := distinct(rows, func(r validateRow) int64 { return r.Batch })
	var pairs []plots.Pair
	for _, r := range rows {
		p := plots.Pair{Name: shortModel(r.Model), Measured: r.MeasuredS, Predicted: r.PredictS}
		if len(batches) > 1 {
			p.Group = fmt.Sprintf("batch %d", r.Batch)
			p.Name = fmt.Sprintf("%s, batch %d", p.Name, r.Batch)
		}
		pairs = append(pairs, p)
	}
	return pairs
}

// pairsSubtitle says what the points are of: device, runtime, precision, threads, and where the times come from.
func (o *validateOptions) pairsSubtitle(d *specs.Device, rows []validateRow) string {
	parts := distinct(rows, func(r validateRow) string { return fmt.Sprintf("%s, %s", r.runtime, r.precision) })
	var threads []string
	for _, n := range distinct(rows, func(r validateRow) int { return r.Threads }) {
		if n > 0 {
			threads = append(threads, fmt.Sprint(n))
		}
	}
	switch {
	case len(threads) == 1 && threads[0] == "1":
		parts = append(parts, "1 thread")
	case len(threads) > 0:
		parts = append(parts, strings.Join(threads, " and ")+" threads")
	}
	if batches := distinct(rows, func(r validateRow) int64 { return r.Batch }); len(batches) == 1 {
		parts = append(parts, fmt.Sprintf("batch %d", batches[0]))
	}
	device := d.Name
	if d.Title != "" {
		device += " (" + d.Title + ")"
	}
	source := "measured here"
	if o.measured != "" {
		source = "measured: " + filepath.Base(o.measured)
	}
	return fmt.Sprintf("%s: %s; %s.", device, strings.Join(parts, ", "), source)
}

// distinct lists the values of a key, ascending and each once.
func distinct[K interface{ ~int | ~int64 | ~string }](rows []validateRow, key func(validateRow) K) []K {
	var out []K
	for _, r := range rows {
		out = append(out, key(r))
	}
	slices.Sort(out)
	return slices.Compact(out)
}
