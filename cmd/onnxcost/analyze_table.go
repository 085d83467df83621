package main

import (
	"fmt"
	"strings"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/dim"
)

// renderReport writes one model for people: what it is, its totals, the rows asked for, and the footnotes.
func renderReport(s streams, o analyzeOptions, a analyzed) error {
	md := o.output == "markdown"
	sum := a.summary
	title := fmt.Sprintf("%s  %s → %s", sum.Model, signature(sum.Inputs), signature(sum.Outputs))
	if md {
		title = fmt.Sprintf("### %s\n\n%s → %s", sum.Model, signature(sum.Inputs), signature(sum.Outputs))
	}
	if _, err := fmt.Fprintf(s.out, "%s\n\n", title); err != nil {
		return err
	}
	totals := totalsGrid(a)
	if err := writeGrid(s, totals, md); err != nil {
		return err
	}
	if o.by != "total" {
		fmt.Fprintln(s.out)
		if err := writeGrid(s, rowsGrid(a, o), md); err != nil {
			return err
		}
	}
	return footnotes(s, a)
}

func writeGrid(s streams, g *grid, md bool) error {
	if md {
		return g.markdown(s.out)
	}
	return g.render(s.out)
}

// signature prints the types of inputs or outputs.
func signature(ts []analyzer.TensorSummary) string {
	parts := make([]string, len(ts))
	for i, t := range ts {
		parts[i] = t.Name + " " + t.DType
		if t.Shape != nil {
			dims := make([]string, len(t.Shape))
			for k, d := range t.Shape {
				dims[k] = d.String()
			}
			parts[i] += "[" + strings.Join(dims, ",") + "]"
		}
	}
	const most = 4
	if len(parts) > most {
		parts = append(parts[:most], fmt.Sprintf("and %d more", len(ts)-most))
	}
	return strings.Join(parts, ", ")
}

func totalsGrid(a analyzed) *grid {
	sum, t := a.summary, a.summary.Totals
	atLeast := ""
	if sum.LowerBounds {
		atLeast = "at least "
	}
	g := &grid{columns: []column{{title: "total"}, {title: "value", right: true}, {title: "formula or detail"}}}
	formula := func(key string) string {
		f, ok := sum.Formulas[key]
		if !ok || len(sum.Dims) == 0 {
			return ""
		}
		return "= " + shorten(f, longFormula)
	}
	g.add("MACs", atLeast+dimCount(t.MACs), formula("macs"))
	g.add("FLOPs", atLeast+dimCount(t.FLOPs), "")
	g.add("special functions", atLeast+dimCount(t.Special), "exp, erf, tanh, sqrt, division …")
	if a.convention != nil {
		g.add("as "+a.convention.Name, atLeast+dimCount(a.convention.Total), a.convention.Unit)
	}
	g.add("parameters", dimCount(t.Params), dimCount(t.TrainableParams)+" trainable")
	g.add("constants", dimBytes(t.ConstantBytes), "")
	memoryRows(g, a, atLeast)
	g.add("traffic read", atLeast+dimBytes(t.BytesRead), "")
	g.add("traffic written", atLeast+dimBytes(t.BytesWritten), "")
	g.add("nodes executed", fmt.Sprint(t.Nodes), coverageText(sum.Coverage))
	return g
}

func coverageText(c analyzer.CoverageSummary) string {
	text := fmt.Sprintf("%.4g %% of the model's nodes are covered", 100*c.Nodes)
	if len(c.UnknownOps) > 0 {
		text += "; no rule for " + strings.Join(c.UnknownOps, ", ")
	}
	return text
}

func rowsGrid(a analyzed, o analyzeOptions) *grid {
	gs := topGroups(groups(a.report, o.by), o.top)
	if o.by == "scope" && o.top == 0 {
		gs = scopeTree(gs).rows(o.depth)
	}
	g := &grid{columns: []column{{title: o.by, max: 60}}}
	if o.by == "node" {
		g.columns = append(g.columns, column{title: "op"}, column{title: "output", max: 40})
	} else {
		g.columns = append(g.columns, column{title: "nodes", right: true})
	}
	for _, title := range []string{"MACs", "share", "FLOPs", "params", "read", "written"} {
		g.columns = append(g.columns, column{title: title, right: true})
	}
	t := a.summary.Totals
	total, totalKnown := t.MACs.Value()
	share := func(m dim.Dim) string {
		v, ok := m.Value()
		if !ok || !totalKnown {
			return ""
		}
		return percent(float64(v), float64(total))
	}
	for _, x := range gs {
		name := x.Name
		if name == "" {
			name = "(none)"
		}
		if x.Partial {
			name += " *"
		}
		row := []string{name}
		if o.by == "node" {
			row = append(row, nodeColumns(a.report, x.First)...)
		} else {
			row = append(row, fmt.Sprint(x.Nodes))
		}
		g.add(append(row, dimCount(x.MACs), share(x.MACs), dimCount(x.FLOPs), dimCount(x.Params), dimBytes(x.BytesRead), dimBytes(x.BytesWritten))...)
	}
	foot := []string{"total"}
	if o.by == "node" {
		foot = append(foot, "", "")
	} else {
		foot = append(foot, fmt.Sprint(t.Nodes))
	}
	g.footer = append(foot, dimCount(t.MACs), share(t.MACs), dimCount(t.FLOPs), dimCount(t.Params), dimBytes(t.BytesRead), dimBytes(t.BytesWritten))
	return g
}

// nodeColumns are the operator and the type of the first output with the bound dimensions in place; a row that
// stands for several nodes has neither.
func nodeColumns(r *analyzer.Report, n *analyzer.Node) []string {
	if n == nil {
		return []string{"", ""}
	}
	if len(n.Outputs) == 0 || n.Outputs[0] == nil {
		return []string{n.Op(), ""}
	}
	v := *n.Outputs[0]
	if v.Ranked {
		s := make([]dim.Dim, len(v.Shape))
		for i, d := range v.Shape {
			s[i] = d.Bind(r.Dims)
		}
		v.Shape = s
	}
	return []string{n.Op(), v.String()}
}

// footnotes prints the findings, many of the same code as one line.
func footnotes(s streams, a analyzed) error {
	const each = 3
	seen := map[string]int{}
	for _, d := range a.summary.Diagnostics {
		if d.Severity == analyzer.SeverityNote && d.Code == analyzer.CodeDeadNode {
			continue
		}
		seen[d.Code]++
	}
	advice := ""
	if p := a.summary.Peak; p != nil {
		advice = p.Suggestion
	}
	if len(seen) == 0 && advice == "" {
		return nil
	}
	fmt.Fprintln(s.out)
	if advice != "" {
		if _, err := fmt.Fprintf(s.out, "advice: %s\n", advice); err != nil {
			return err
		}
	}
	shown := map[string]int{}
	for _, d := range a.summary.Diagnostics {
		if seen[d.Code] == 0 {
			continue
		}
		shown[d.Code]++
		switch {
		case shown[d.Code] <= each:
			where := ""
			if d.Node != "" {
				where = d.Node + ": "
			}
			if _, err := fmt.Fprintf(s.out, "%s: %s%s\n", d.Severity, where, d.Message); err != nil {
				return err
			}
		case shown[d.Code] == each+1:
			fmt.Fprintf(s.out, "%s: %d more of %s (see -o json)\n", d.Severity, seen[d.Code]-each, d.Code)
		}
	}
	return nil
}
