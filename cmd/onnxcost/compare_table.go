package main

import (
	"fmt"
	"strings"

	"github.com/onnxcost/onnxcost/costmodel/budget"
	"github.com/onnxcost/onnxcost/specs"
)

// attributions are the figures whose change is traced to layers, in the order of their importance.
var attributions = []struct {
	title  string
	dim    specs.Dimension
	device bool
	of     func(budget.LayerFigures) float64
}{
	{"time", specs.DimTime, true, func(f budget.LayerFigures) float64 { return f.TimeS }},
	{"energy", specs.DimEnergy, true, func(f budget.LayerFigures) float64 { return f.EnergyJ }},
	{"memory", specs.DimBytes, false, func(f budget.LayerFigures) float64 { return f.MemoryBytes }},
	{"MACs", specs.DimMACs, false, func(f budget.LayerFigures) float64 { return f.MACs }},
	{"params", specs.DimParams, false, func(f budget.LayerFigures) float64 { return f.Params }},
}

func renderCompare(s streams, o *compareOptions, c *budget.Comparison, outcomes []outcome) error {
	if o.output == "json" {
		return writeJSON(s.out, struct {
			*budget.Comparison
			FailOn []outcome `json:"fail_on,omitempty"`
		}{c, outcomes})
	}
	md := o.output == "markdown"
	title := fmt.Sprintf("%s → %s", c.Old, c.New)
	if c.Device != "" {
		title += fmt.Sprintf(" on %s, batch %d", c.Device, c.Batch)
	}
	if md {
		title = "### " + title
	}
	fmt.Fprintf(s.out, "%s\n\n", title)
	if err := writeGrid(s, compareTotals(c, outcomes), md); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "\n%s\n", layerTally(c))
	if len(c.Layers) == 0 {
		return nil
	}
	if md {
		fmt.Fprint(s.out, "\n<details><summary>Layers</summary>\n")
	}
	shown := 0
	for _, a := range attributions {
		if a.device && c.Device == "" {
			continue
		}
		n := o.top
		if n == 0 {
			n = len(c.Layers)
		}
		rows := c.Top(n, a.of)
		if len(rows) == 0 {
			continue
		}
		shown++
		all := c.Top(len(c.Layers), a.of)
		g := &grid{columns: []column{{title: a.title + " by layer", max: 60}, {title: "what"}, {title: "op"}, {title: "old", right: true}, {title: "new", right: true}, {title: "change", right: true}}}
		var sum, rest float64
		for i, l := range all {
			diff := a.of(l.After) - a.of(l.Before)
			sum += diff
			if i >= len(rows) {
				rest += diff
				continue
			}
			g.add(layerName(&l), string(l.Status), l.Op, quantity(a.of(l.Before), a.dim), quantity(a.of(l.After), a.dim), signed(diff, a.dim))
		}
		if len(all) > len(rows) {
			g.add(fmt.Sprintf("(%d others)", len(all)-len(rows)), "", "", "", "", signed(rest, a.dim))
		}
		g.footer = []string{"total", "", "", "", "", signed(sum, a.dim)}
		fmt.Fprintln(s.out)
		if err := writeGrid(s, g, md); err != nil {
			return err
		}
	}
	if md {
		fmt.Fprint(s.out, "\n</details>\n")
	}
	return nil
}

func compareTotals(c *budget.Comparison, outcomes []outcome) *grid {
	g := &grid{columns: []column{{title: "total"}, {title: "old", right: true}, {title: "new", right: true}, {title: "change", right: true}}}
	if len(outcomes) > 0 {
		g.columns = append(g.columns, column{title: "allowed", right: true}, column{title: ""})
	}
	for _, t := range c.Totals {
		if !t.Old.Known() && !t.New.Known() {
			continue
		}
		row := []string{t.Metric, figure(t.Old, t.Dimension), figure(t.New, t.Dimension), relative(t)}
		if len(outcomes) > 0 {
			limit, verdict := "", ""
			for _, x := range outcomes {
				if x.Metric == t.Metric {
					limit, verdict = fmt.Sprintf("%+.4g %%", 100*x.Limit), map[bool]string{true: "pass", false: "fail"}[x.OK]
				}
			}
			row = append(row, limit, verdict)
		}
		g.add(row...)
	}
	return g
}

// layerTally counts what became of the layers.
func layerTally(c *budget.Comparison) string {
	counts := map[budget.LayerStatus]int{budget.LayerSame: c.Same}
	for _, l := range c.Layers {
		counts[l.Status]++
	}
	var parts []string
	for _, s := range []budget.LayerStatus{budget.LayerSame, budget.LayerChanged, budget.LayerRenamed, budget.LayerFused, budget.LayerSplit,
		budget.LayerAdded, budget.LayerRemoved} {
		if counts[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[s], s))
		}
	}
	return "layers: " + strings.Join(parts, ", ")
}

// layerName names a layer on both sides where the names differ.
func layerName(l *budget.LayerChange) string {
	old, now := strings.Join(l.Old, " + "), strings.Join(l.New, " + ")
	switch {
	case old == now || old == "":
		return now
	case now == "":
		return old
	}
	return old + " → " + now
}

func signed(v float64, d specs.Dimension) string {
	switch {
	case v == 0:
		return "0"
	case v < 0:
		return "−" + quantity(-v, d)
	}
	return "+" + quantity(v, d)
}
