package plots

import (
	"fmt"
	"math"
	"sort"
	"strings"
)

// A Pair is one measured quantity beside what was predicted or fitted for it: seconds in Validate and Fit, watts in
// the fit of power.
type Pair struct {
	Name                string
	Group               string // colours and, in a fit, sums up; "" for none
	Measured, Predicted float64
}

// Validate shows predicted against measured times with the band of ±10 %, the worst pairs named.
func Validate(pairs []Pair, subtitle string, s Style) *Figure {
	return pairChart(pairTexts{"validate", "Predicted against measured time", "Measured time [ms]", "Predicted time [ms]", "s", 1e3, 8}, pairs, subtitle, s)
}

// Fit shows fitted against measured times of calibration samples with the band of ±10 %, by group.
func Fit(pairs []Pair, subtitle string, s Style) *Figure {
	return pairChart(pairTexts{"fit", "Fitted against measured time", "Measured time [ms]", "Fitted time [ms]", "s", 1e3, 8}, pairs, subtitle, s)
}

// fitPower shows fitted against measured power of steady loops with the band of ±10 %, by group.
func fitPower(pairs []Pair, subtitle string, s Style) *Figure {
	return pairChart(pairTexts{"fit-power", "Fitted against measured power", "Measured power [W]", "Fitted power [W]", "W", 1, 20}, pairs, subtitle, s)
}

// pairTexts are the words of a chart of pairs.
type pairTexts struct {
	name, title, x, y string
	unit              string  // of the pairs
	scale             float64 // units of the axes to one of the pairs
	named             int     // as many names at most; those of points within the band only where there is room for all
}

func pairChart(w pairTexts, pairs []Pair, subtitle string, s Style) *Figure {
	f := newFigure(s, w.name, w.title, 960, 720)
	f.Subtitle = strings.TrimSpace(subtitle + " Band: within ±10 %.")
	p := newPlot(f.style, w.x, w.y)
	var xs, ys, both []float64
	var parts []share
	var good []Pair
	for _, q := range pairs {
		if !(q.Measured > 0) || !(q.Predicted > 0) || !finite(q.Measured) || !finite(q.Predicted) {
			f.Notes = append(f.Notes, fmt.Sprintf("%s: measured %g %s and predicted %g %s cannot be drawn.", q.Name, q.Measured, w.unit, q.Predicted, w.unit))
			continue
		}
		good = append(good, q)
		xs, ys = append(xs, q.Measured), append(ys, q.Predicted)
		both = append(both, w.scale*q.Measured, w.scale*q.Predicted)
		parts = append(parts, share{q.Group, 1})
	}
	lo, hi := logRange(both, 0.06)
	logAxis(&p.X, lo, hi, number)
	logAxis(&p.Y, lo, hi, number)
	p.Add(&area{pts: []xy{{lo, lo * 0.9}, {hi, hi * 0.9}, {hi, hi * 1.1}, {lo, lo * 1.1}}, fill: f.style.Theme.Wash}, dottedGrid(f.style))
	diagonal := []xy{{lo, lo}, {hi, hi}}
	p.Add(&curve{pts: diagonal, style: stroke(f.style.Theme.Soft, 1)})
	colors, k := f.style.categorise(parts)
	names := &labels{style: f.style, paths: [][]xy{diagonal}}
	off := func(q Pair) float64 { return math.Abs(math.Log(q.Predicted / q.Measured)) }
	order := append([]Pair(nil), good...)
	named := 0
	for _, q := range order {
		if q.Name != "" {
			named++
		}
	}
	sort.SliceStable(order, func(i, j int) bool { return off(order[i]) > off(order[j]) })
	for i, q := range order {
		m := &blob{x: w.scale * q.Measured, y: w.scale * q.Predicted, fixed: 3.4, fill: fade(colors[q.Group], 0.85), edge: f.style.Theme.Background, width: 0.4}
		p.Add(m)
		names.blobs = append(names.blobs, m)
		if i < w.named && q.Name != "" && (named <= w.named || off(q) > math.Log(1.1)) {
			st := ink(sizeLabel, f.style.textColor(colors[q.Group]))
			names.items = append(names.items, label{Text: fit(st, q.Name, maxName), X: m.x, Y: m.y, Radius: 3.4, Style: st})
		}
	}
	panel := Panel{Plot: p, Right: 8, Top: 4, marks: names.blobs}
	if len(colors) > 1 {
		p.Add(k)
		panel.Right = k.room()
	}
	p.Add(names)
	f.Panels = []Panel{panel}
	if e := errorsOf(ys, xs); e.N > 0 {
		f.Findings = append(f.Findings, sentenceCase(e.String())+".")
	} else {
		f.Notes = append(f.Notes, "No pair of a measured and a predicted value: nothing to draw.")
	}
	if len(colors) > 1 {
		f.groupErrors(good)
	}
	return f
}

// groupErrors states the mean error of each group.
func (f *Figure) groupErrors(pairs []Pair) {
	var order []string
	groups := map[string][2][]float64{}
	for _, q := range pairs {
		g, ok := groups[q.Group]
		if !ok {
			order = append(order, q.Group)
		}
		g[0], g[1] = append(g[0], q.Predicted), append(g[1], q.Measured)
		groups[q.Group] = g
	}
	sort.Strings(order)
	var out []string
	for _, n := range order {
		e := errorsOf(groups[n][0], groups[n][1])
		out = append(out, fmt.Sprintf("%s %.1f %% (%d)", n, 100*e.MAPE, e.N))
	}
	f.Findings = append(f.Findings, "Mean absolute error by group: "+strings.Join(out, ", ")+".")
}

func sentenceCase(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
