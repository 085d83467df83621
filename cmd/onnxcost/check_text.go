package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/costmodel/budget"
	"github.com/onnxcost/onnxcost/specs"
)

// writeCheckText is a table for each model, and beneath it what a limit that does not hold asks for.
func writeCheckText(s streams, v *verdicts) error {
	for start := 0; start < len(v.Limits); {
		model, end := v.Limits[start].Model, start
		for end < len(v.Limits) && v.Limits[end].Model == model {
			end++
		}
		rows := v.Limits[start:end]
		fmt.Fprintf(s.out, "%s\n\n", model)
		if err := checkGrid(rows).render(s.out); err != nil {
			return err
		}
		if slices.ContainsFunc(rows, func(l budget.LimitVerdict) bool { return l.Verdict != budget.Pass }) {
			fmt.Fprintln(s.out)
		}
		for i := range rows {
			if rows[i].Verdict == budget.Pass {
				continue
			}
			name := rows[i].Limit
			if slices.ContainsFunc(rows, func(l budget.LimitVerdict) bool { return l.Limit == name && settingOf(&l) != settingOf(&rows[i]) }) {
				name += " (" + settingOf(&rows[i]) + ")"
			}
			fmt.Fprintf(s.out, "%s: %s\n", name, advice(&rows[i]))
		}
		fmt.Fprintln(s.out)
		start = end
	}
	_, err := fmt.Fprintln(s.out, tally(v))
	return err
}

func tally(v *verdicts) string {
	text := fmt.Sprintf("%d failed, %d uncertain, %d passed", v.Fail, v.Unsure, v.Pass)
	if v.Unsure > 0 {
		text += map[string]string{"fail": "; uncertain counts as failed", "warn": "; uncertain is a warning", "pass": "; uncertain counts as passed"}[v.uncertain]
	}
	if n := len(v.Problems); n > 0 {
		text += fmt.Sprintf("; %d could not be judged", n)
	}
	return text
}

func checkGrid(rows []budget.LimitVerdict) *grid {
	g := &grid{columns: []column{{title: "verdict"}, {title: "limit"}, {title: "bound", right: true}, {title: "value", right: true}, {title: "90 % interval"}, {title: "under", max: 60}}}
	for i := range rows {
		l := &rows[i]
		g.add(string(l.Verdict), l.Limit, bound(l), figure(l.Value, l.Dimension), interval(l), settingOf(l))
	}
	return g
}

// bound prints a limit, such as "≤ 250 mJ".
func bound(l *budget.LimitVerdict) string {
	sign := "≤ "
	if l.AtLeast {
		sign = "≥ "
	}
	text := sign + quantity(l.Bound, l.Dimension)
	if l.RatePerS > 0 {
		text += " at " + quantity(l.RatePerS, specs.DimRate)
	}
	return text
}

// interval is empty for an exact figure; an open end is "more" or "less".
func interval(l *budget.LimitVerdict) string {
	if l.Low == l.High || !l.Low.Known() && !l.High.Known() {
		return ""
	}
	low, high := figure(l.Low, l.Dimension), figure(l.High, l.Dimension)
	if !l.Low.Known() {
		low = "less"
	}
	if !l.High.Known() {
		high = "more"
	}
	return low + " to " + high
}

func settingOf(l *budget.LimitVerdict) string {
	var parts []string
	if l.Device != "" {
		parts = append(parts, l.Device, string(l.Runtime), string(l.Precision))
	}
	if l.Threads > 0 {
		parts = append(parts, threadCount(l.Threads))
	}
	if l.Batch > 0 {
		parts = append(parts, fmt.Sprintf("batch %d", l.Batch))
	}
	return strings.Join(parts, ", ")
}

func quantity(v float64, d specs.Dimension) string { return specs.Quantity{Value: v, Dim: d}.Short() }

func figure(v costmodel.Optional, d specs.Dimension) string {
	if !v.Known() {
		return "unknown"
	}
	return quantity(float64(v), d)
}

// advice says how much must go, and where most of it is.
func advice(l *budget.LimitVerdict) string {
	var parts []string
	if l.Note != "" {
		parts = append(parts, l.Note)
	}
	share := func(gap, of costmodel.Optional) string {
		if !of.Known() || of == 0 {
			return ""
		}
		return fmt.Sprintf(" (%.2g %%)", 100*math.Abs(float64(gap/of)))
	}
	far := l.High
	verb := "must go"
	if l.AtLeast {
		far, verb = l.Low, "is missing"
	}
	switch {
	case l.Gap.Known() && l.Gap > 0:
		text := quantity(float64(l.Gap), l.Dimension) + share(l.Gap, l.Value) + " " + verb
		if l.CertainGap.Known() && l.CertainGap > l.Gap {
			text += ", " + quantity(float64(l.CertainGap), l.Dimension) + share(l.CertainGap, far) + " to be certain"
		}
		parts = append(parts, text)
	case l.CertainGap.Known() && l.CertainGap > 0:
		parts = append(parts, quantity(float64(l.CertainGap), l.Dimension)+share(l.CertainGap, far)+" "+verb+" to be certain")
	}
	if len(l.Contributors) > 0 {
		var names []string
		for _, c := range l.Contributors {
			name := shorten(c.Name, 48)
			if c.Op != "" {
				name += " (" + c.Op + ")"
			}
			names = append(names, fmt.Sprintf("%s %s, %.2g %%", name, quantity(c.Value, c.Dimension), 100*c.Share))
		}
		parts = append(parts, "most in "+strings.Join(names, "; "))
	}
	return strings.Join(parts, "; ")
}

// sentence says all of a verdict in a line.
func sentence(l *budget.LimitVerdict) string {
	text := fmt.Sprintf("%s: %s %s, limit %s", l.Model, l.Limit, figure(l.Value, l.Dimension), bound(l))
	if i := interval(l); i != "" {
		text += ", 90 % interval " + i
	}
	if u := settingOf(l); u != "" {
		text += " (" + u + ")"
	}
	if l.Verdict == budget.Pass {
		return text
	}
	if a := advice(l); a != "" {
		text += "; " + a
	}
	return text
}
