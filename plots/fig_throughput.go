package plots

import (
	"fmt"
	"math"
	"sort"
	"strings"
)

// paperTop1Throughput is Figure 9: accuracy against images per second at batch 1 and 16, area proportional to
// operations. Most networks lie on a line; above it (shaded) is exceptional. A line in throughput is a hyperbola in
// time.
func paperTop1Throughput(d *Dataset, s Style) *Figure {
	f := newFigure(s, "top1-throughput", "Top-1 accuracy against throughput", 1180, 680)
	f.Subtitle = "Area: operations. Shaded: more accurate than the line of most networks at the same speed. " + d.sourceLine()
	acc := func(n *Network) float64 { return n.Top1Percent }
	var miss missing
	hi := maxOver(d, panelBatches, (*Network).hertz)
	for _, b := range panelBatches {
		hz := func(n *Network) float64 { return n.hertz(b) }
		p := newPlot(f.style, "Images per second [Hz]", "Top-1 accuracy [%]")
		linearAxis(&p.X, 0, 1.08*math.Min(hi, maxOver(d, []int{b}, (*Network).hertz)*1.1), 8)
		if d.apart(panelBatches, (*Network).hertz) {
			f.wideAxis(&p.X, d, panelBatches, (*Network).hertz)
		}
		lo, top := accuracyRange(d)
		p.Y.Min, p.Y.Max = lo, top+2
		p.Y.Tick.Marker = steps(lo, top, 5)
		var lines [][]xy
		for _, o := range d.origins() {
			l, ok := d.bound(o, b)
			if !ok {
				continue
			}
			main := !(o == Published && d.both())
			if main {
				above := fitLine(f.style, l, p.X.Min, p.X.Max, false).pts
				p.Add(&area{pts: append(above, xy{p.X.Max, p.Y.Max}, xy{p.X.Min, p.Y.Max}), fill: f.style.Theme.Wash})
			}
			line := fitLine(f.style, l, p.X.Min, p.X.Max, !main)
			p.Add(line)
			lines = append(lines, line.pts)
			f.boundFindings(d, o, b, l)
		}
		p.Add(dashedGrid(f.style))
		m := bubbles{x: hz, y: acc, size: func(n *Network) float64 { return n.GOps }, share: 0.0098, missX: fmt.Sprintf("No time at batch %d", b), missY: noAccuracy, rail: true, paths: lines}.
			draw(f, p, d, 0, &sizeLegend{sizes: []float64{1, 5, 15, 40}, unit: " G-Ops", title: "Operations"})
		f.Panels = append(f.Panels, Panel{Plot: p, Title: panelTitle(b), Right: 4})
		miss.join(m)
		f.compareOn(d, fmt.Sprintf("Throughput at batch %d", b), hz)
	}
	f.Notes = append(f.Notes, miss.notes()...)
	f.notesOf(d)
	return f
}

// boundFindings states the line, the hyperbola that it is in time, and the bound that it puts on energy.
func (f *Figure) boundFindings(d *Dataset, o Origin, batch int, l line) {
	off := d.outliers(o, batch)
	var names []string
	var ms, acc, power []float64
	for _, n := range d.Networks {
		if n.Origin != o {
			continue
		}
		if off[n.Name] {
			names = append(names, n.Name)
			continue
		}
		ms, acc = append(ms, n.timeAt(batch)), append(acc, n.Top1Percent)
		power = append(power, n.at(n.PowerW, batch))
	}
	s := fmt.Sprintf("%s, %s: top-1 = %.1f %s·Hz (R² %.3f over %d networks", panelTitle(batch), o, l.Intercept, added(l.Slope), l.R2, l.N)
	if names != nil {
		sort.Strings(names)
		s += ", without " + strings.Join(names, ", ")
	}
	s += fmt.Sprintf("), in time the hyperbola %.1f %s/t[ms]", l.Intercept, added(1000*l.Slope))
	if straight, ok := leastSquares(ms, acc); ok {
		s += fmt.Sprintf(" where a straight line has R² %.3f", straight.R2)
	}
	if all, ok := d.fitOver(o, (func(n *Network) float64 { return n.hertz(batch) }), func(n *Network) float64 { return n.Top1Percent }); ok && names != nil {
		s += fmt.Sprintf("; all networks: %.1f %s·Hz", all.Intercept, added(all.Slope))
	}
	f.Findings = append(f.Findings, s+".")
	if sp := meanSDOf(power); sp.N > 0 && l.Slope < 0 {
		f.Findings = append(f.Findings, fmt.Sprintf("Energy bound at %.2f W net: top-1 = %.1f - %s/E[J per image], which is %.1f %% at 0.5 J and %.1f %% at 1 J.",
			sp.Mean, l.Intercept, three(-l.Slope*sp.Mean), l.At(sp.Mean/0.5), l.At(sp.Mean)))
	}
}

// bound is the line of accuracy against throughput that most networks lie on: least squares without the outliers.
func (d *Dataset) bound(o Origin, batch int) (line, bool) {
	off := d.outliers(o, batch)
	return d.fitOver(o, func(n *Network) float64 {
		if off[n.Name] {
			return math.NaN()
		}
		return n.hertz(batch)
	}, func(n *Network) float64 { return n.Top1Percent })
}

// outliers are the networks that lie more than three median absolute deviations below the robust line of Theil and Sen
// through accuracy against throughput. Of the published points these are the VGGs, and at batch 1 the AlexNets, whose
// fully connected layers are not yet amortised.
func (d *Dataset) outliers(o Origin, batch int) map[string]bool {
	var names []string
	var x, y []float64
	for _, n := range d.Networks {
		if hz := n.hertz(batch); n.Origin == o && finite(hz) && finite(n.Top1Percent) {
			names, x, y = append(names, n.Name), append(x, hz), append(y, n.Top1Percent)
		}
	}
	var slopes []float64
	for i := range x {
		for j := range i {
			if x[i] != x[j] {
				slopes = append(slopes, (y[i]-y[j])/(x[i]-x[j]))
			}
		}
	}
	off := map[string]bool{}
	if len(slopes) == 0 || len(x) < 5 {
		return off
	}
	slope := median(slopes)
	res := make([]float64, len(x))
	for i := range x {
		res[i] = y[i] - slope*x[i]
	}
	mid := median(res)
	dev := make([]float64, len(x))
	for i := range res {
		res[i] -= mid
		dev[i] = math.Abs(res[i])
	}
	mad := median(dev)
	for i, r := range res {
		off[names[i]] = r < -3*mad
	}
	return off
}

// median of a non-empty list.
func median(v []float64) float64 {
	s := append([]float64(nil), v...)
	sort.Float64s(s)
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// added writes a term of a sum with its sign.
func added(v float64) string {
	if v < 0 {
		return "- " + three(-v)
	}
	return "+ " + three(v)
}
