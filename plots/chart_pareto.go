package plots

import (
	"fmt"
	"math"
	"sort"
	"strings"
)

// A Tradeoff is one model with what it costs and what it gives.
type Tradeoff struct {
	Name  string
	Paper string  // its name in the paper, for its colour
	Cost  float64 // smaller is better; NaN where unknown
	Value float64 // larger is better; NaN where unknown
}

// frontier gives the indices of the points that no other point beats: none is at least as good in both and better in one.
// They come in ascending cost.
func frontier(ts []Tradeoff) []int {
	var order []int
	for i, t := range ts {
		if finite(t.Cost) && finite(t.Value) {
			order = append(order, i)
		}
	}
	sort.SliceStable(order, func(a, b int) bool {
		x, y := ts[order[a]], ts[order[b]]
		if x.Cost != y.Cost {
			return x.Cost < y.Cost
		}
		return x.Value > y.Value
	})
	var out []int
	best := math.Inf(-1)
	for _, i := range order {
		equal := len(out) > 0 && ts[out[len(out)-1]].Cost == ts[i].Cost && ts[out[len(out)-1]].Value == ts[i].Value
		if ts[i].Value > best || equal {
			out = append(out, i)
			best = math.Max(best, ts[i].Value)
		}
	}
	return out
}

// Pareto shows what models give against what they cost, with the frontier of those that no other beats. costAxis and
// valueAxis are titles with units; subtitle says where the figures come from.
func Pareto(ts []Tradeoff, costAxis, valueAxis, subtitle string, s Style) *Figure {
	f := newFigure(s, "pareto", fmt.Sprintf("%s against %s", withoutUnit(valueAxis), strings.ToLower(withoutUnit(costAxis))), 960, 660)
	f.Subtitle = subtitle + " Solid: no other model is at least as good in both. Line: the frontier."
	p := newPlot(f.style, costAxis, valueAxis)
	ns := make([]*Network, len(ts))
	var costs, vals []float64
	var miss missing
	for i, t := range ts {
		ns[i] = &Network{Name: t.Name, Paper: t.Paper}
		switch {
		case !finite(t.Value):
			miss.add("No value is known", t.Name)
		case !finite(t.Cost):
			miss.add("No cost is known", t.Name)
		default:
			costs, vals = append(costs, t.Cost), append(vals, t.Value)
		}
	}
	lo, hi := logRange(costs, 0.08)
	logAxis(&p.X, lo, hi, number)
	vlo, vhi := math.Inf(1), math.Inf(-1)
	for _, v := range vals {
		vlo, vhi = math.Min(vlo, v), math.Max(vhi, v)
	}
	if vlo > vhi {
		vlo, vhi = 0, 1
		f.Notes = append(f.Notes, "No model has both a cost and a value: nothing to draw.")
	}
	pad := math.Max(0.12*(vhi-vlo), 1e-3*math.Max(1, math.Abs(vhi)))
	linearAxis(&p.Y, vlo-pad, vhi+pad, 8)
	p.Add(dottedGrid(f.style))
	looks := f.style.looks(ns)
	front := frontier(ts)
	on := map[int]bool{}
	var path []xy
	for k, i := range front {
		on[i] = true
		if k == 0 {
			path = append(path, xy{ts[i].Cost, vlo - pad})
		} else {
			path = append(path, xy{ts[i].Cost, path[len(path)-1].y})
		}
		path = append(path, xy{ts[i].Cost, ts[i].Value})
	}
	if len(path) > 0 {
		path = append(path, xy{hi, path[len(path)-1].y})
		p.Add(&area{pts: append(append([]xy{}, path...), xy{hi, vlo - pad}), fill: f.style.Theme.Wash}, &curve{pts: path, style: stroke(f.style.Theme.Soft, 1.2)})
	}
	names := &labels{style: f.style, paths: [][]xy{path}, right: 4}
	for i, t := range ts {
		if !finite(t.Cost) || !finite(t.Value) {
			continue
		}
		l := looks[ns[i]]
		m := &blob{x: t.Cost, y: t.Value, fixed: 4.5, fill: l.mark, edge: f.style.Theme.Background, width: 0.6}
		st := ink(sizeLabel, l.text)
		if !on[i] {
			m.hollow, m.edge, m.width = true, l.mark, 1.3
		} else {
			st = bold(st)
		}
		p.Add(m)
		names.blobs = append(names.blobs, m)
		names.items = append(names.items, label{Text: fit(st, t.Name, maxName), X: t.Cost, Y: t.Value, Radius: 4.5, Style: st})
	}
	p.Add(names)
	f.Panels = []Panel{{Plot: p, Right: 8, Top: 4}}
	var best []string
	for _, i := range front {
		best = append(best, fmt.Sprintf("%s (%s, %s)", ts[i].Name, three(ts[i].Cost), three(ts[i].Value)))
	}
	if len(best) > 0 {
		f.Findings = append(f.Findings, fmt.Sprintf("On the frontier %d of %d, cheapest first: %s.", len(best), len(vals), strings.Join(best, ", ")))
	}
	f.Notes = append(f.Notes, miss.notes()...)
	return f
}

func withoutUnit(axis string) string {
	name, _, _ := strings.Cut(axis, " [")
	return name
}
