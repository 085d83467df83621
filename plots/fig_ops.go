package plots

import (
	"fmt"
	"math"
)

// paperTop1Ops is Figure 2: accuracy against operations, area proportional to parameters.
func paperTop1Ops(d *Dataset, s Style) *Figure {
	f := newFigure(s, "top1-ops", "Top-1 accuracy against operations", 960, 680)
	f.Subtitle = "Operations of one forward pass, counted as the paper does. " + d.sourceLine()
	p := newPlot(f.style, "Operations [G-Ops]", "Top-1 accuracy [%]")
	p.X.Min, p.X.Max = 0, 44
	p.X.Tick.Marker = steps(0, 40, 5)
	most := 0.0
	for _, n := range d.Networks {
		if finite(n.GOps) {
			most = math.Max(most, n.GOps)
		}
	}
	if most > 42 {
		linearAxis(&p.X, 0, most*1.1, 9)
	}
	p.Y.Min, p.Y.Max = accuracyRange(d)
	p.Y.Tick.Marker = steps(p.Y.Min, p.Y.Max, 5)
	p.Add(dashedGrid(f.style))
	b := bubbles{x: func(n *Network) float64 { return n.GOps }, y: func(n *Network) float64 { return n.Top1Percent },
		size: func(n *Network) float64 { return n.MParams }, share: paperShare, missX: noOperations, missY: noAccuracy, rail: true}
	legend := &paperLegend{f.style, paperShare}
	p.Add(legend)
	miss := b.draw(f, p, d, 4, nil, legend.box)
	f.Panels = []Panel{{Plot: p, Right: 6, Top: 4}}
	rs := d.rows()
	var x, y []float64
	for _, r := range rs {
		x, y = append(x, r.main().GOps), append(y, r.main().Top1Percent)
	}
	if e := errorsOf(x, y); e.N > 2 {
		f.Findings = append(f.Findings, fmt.Sprintf("More operations go with more accuracy only in part: rank correlation %.2f over %d networks.", e.Spearman, e.N))
	}
	f.compare("Operations", rs, func(n *Network) float64 { return n.GOps })
	f.Notes = append(f.Notes, miss.notes()...)
	f.mismatch(d)
	return f
}

// mismatch says which predicted networks are not what the paper plotted.
func (f *Figure) mismatch(d *Dataset) {
	for _, n := range d.Networks {
		if m := d.published(n); m != nil && finite(m.GOps) && math.Abs(n.GOps/m.GOps-1) > 0.1 {
			f.Notes = append(f.Notes, fmt.Sprintf("%s has %.2f G-Ops and %.1f M parameters in its canonical form; the paper plots %.2f and %.1f.", n.Name, n.GOps, n.MParams, m.GOps, m.MParams))
		}
	}
}

// panelBatches are the batch sizes of the paper's two panels: one image, and the most that every network can run.
var panelBatches = []int{1, 16}

func panelTitle(batch int) string {
	if batch == 1 {
		return "Batch of 1 image"
	}
	return fmt.Sprintf("Batch of %d images", batch)
}

// panelShare is the size of blobs in charts of two panels.
const panelShare = 0.0052

// paperOpsTime is Figure 7: operations against time per image at batch 1 and 16, area proportional to parameters, with
// the line that shows how well operations predict time.
func paperOpsTime(d *Dataset, s Style) *Figure {
	f := newFigure(s, "ops-time", "Operations against forward time", 1180, 660)
	f.Subtitle = "Area: parameters. " + d.sourceLine()
	ops := func(n *Network) float64 { return n.GOps }
	hiX, hiY := maxOver(d, panelBatches, (*Network).timeAt), maxOver(d, panelBatches, func(n *Network, _ int) float64 { return n.GOps })
	var miss missing
	for _, b := range panelBatches {
		time := func(n *Network) float64 { return n.timeAt(b) }
		p := newPlot(f.style, "Forward time per image [ms]", "Operations [G-Ops]")
		linearAxis(&p.X, 0, hiX*1.1, 9)
		if d.apart(panelBatches, (*Network).timeAt) {
			f.wideAxis(&p.X, d, panelBatches, (*Network).timeAt)
		}
		linearAxis(&p.Y, 0, hiY*1.14, 9)
		p.Add(dashedGrid(f.style))
		var lines [][]xy
		for _, o := range d.origins() {
			l, ok := d.fitOver(o, time, ops)
			if !ok {
				continue
			}
			line := fitLine(f.style, l, p.X.Min, p.X.Max, o == Published && d.both())
			p.Add(line)
			lines = append(lines, line.pts)
			f.Findings = append(f.Findings, fmt.Sprintf("%s, %s: %s G-Ops per ms, intercept %.1f G-Ops, R² %.3f over %d networks.", panelTitle(b), o, three(l.Slope), l.Intercept, l.R2, l.N))
		}
		m := bubbles{x: time, y: ops, size: func(n *Network) float64 { return n.MParams }, share: panelShare, missX: fmt.Sprintf("No time at batch %d", b), missY: noOperations, paths: lines}.
			draw(f, p, d, 0, &sizeLegend{sizes: []float64{5, 35, 95, 155}, unit: "M", title: "Parameters"})
		f.Panels = append(f.Panels, Panel{Plot: p, Title: panelTitle(b), Right: 4})
		miss.join(m)
		f.compareOn(d, fmt.Sprintf("Time at batch %d", b), time)
	}
	f.Notes = append(f.Notes, miss.notes()...)
	f.notesOf(d)
	return f
}

// paperOpsPower is Figure 8: operations against net power at batch 1 and 16. Power says nothing about operations.
func paperOpsPower(d *Dataset, s Style) *Figure {
	f := newFigure(s, "ops-power", "Operations against power", 1180, 660)
	f.Subtitle = "Area: parameters. Band: mean power and standard deviation. " + d.sourceLine()
	ops := func(n *Network) float64 { return n.GOps }
	hiY := maxOver(d, panelBatches, func(n *Network, _ int) float64 { return n.GOps })
	loX, hiX := d.powerRange(panelBatches)
	var miss missing
	for _, b := range panelBatches {
		power := func(n *Network) float64 { return n.powerAt(b) }
		p := newPlot(f.style, "Net power consumption [W]", "Operations [G-Ops]")
		linearAxis(&p.X, loX, hiX, 8)
		if d.apart(panelBatches, (*Network).powerAt) {
			f.wideAxis(&p.X, d, panelBatches, (*Network).powerAt)
		}
		linearAxis(&p.Y, 0, hiY*1.14, 9)
		for _, o := range d.origins() {
			var w, g []float64
			for _, n := range d.Networks {
				if n.Origin == o && finite(power(n)) {
					w, g = append(w, power(n)), append(g, ops(n))
				}
			}
			sp := meanSDOf(w)
			if sp.N < 2 {
				continue
			}
			if !(o == Published && d.both()) {
				p.Add(&area{pts: []xy{{sp.Mean - sp.SD, 0}, {sp.Mean + sp.SD, 0}, {sp.Mean + sp.SD, p.Y.Max}, {sp.Mean - sp.SD, p.Y.Max}}, fill: f.style.Theme.Wash})
				p.Add(&curve{pts: []xy{{sp.Mean, 0}, {sp.Mean, p.Y.Max}}, style: stroke(f.style.Theme.Soft, 1)})
			}
			l, _ := leastSquares(w, g)
			f.Findings = append(f.Findings, fmt.Sprintf("%s, %s: %.2f ± %.2f W over %d networks; R² of operations against power %.2f.", panelTitle(b), o, sp.Mean, sp.SD, sp.N, l.R2))
		}
		p.Add(dashedGrid(f.style))
		m := bubbles{x: power, y: ops, size: func(n *Network) float64 { return n.MParams }, share: panelShare, missX: fmt.Sprintf("No power at batch %d", b), missY: noOperations}.
			draw(f, p, d, 0, &sizeLegend{sizes: []float64{5, 35, 95, 155}, unit: "M", title: "Parameters"})
		f.Panels = append(f.Panels, Panel{Plot: p, Title: panelTitle(b), Right: 4})
		miss.join(m)
		f.compareOn(d, fmt.Sprintf("Power at batch %d", b), power)
	}
	f.Notes = append(f.Notes, miss.notes()...)
	f.notesOf(d)
	return f
}
