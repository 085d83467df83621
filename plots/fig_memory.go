package plots

import (
	"fmt"
	"math"
)

// paperMemoryBatch is Figure 5: maximum net memory against the batch size, both axes logarithmic.
func paperMemoryBatch(d *Dataset, s Style) *Figure {
	f := newFigure(s, "memory-batch", "Maximum net memory against batch size", 960, 680)
	f.Subtitle = d.sourceLine()
	series := func(n *Network) []float64 { return n.MemoryMB }
	p := newPlot(f.style, "Batch size [images]", "Maximum net memory utilisation [MB]")
	first, last := d.batchRange()
	log2Axis(&p.X, first, last)
	lo, hi := logRange(d.seriesValues(series), 0.03)
	logAxis(&p.Y, lo, hi, number)
	p.Add(dottedGrid(f.style))
	drawn, miss := f.lines(p, d, series, d.noMemory())
	f.Panels = []Panel{{Plot: p, Right: f.nameRoom(d), Top: 4}}
	if v := drawn[Published]; len(v) > 0 {
		least := math.Inf(1)
		for _, x := range v {
			least = math.Min(least, x)
		}
		f.Findings = append(f.Findings, fmt.Sprintf("Published: at least %.0f MB whatever the network; from a knee on, memory grows in proportion to the batch.", least))
	}
	f.compareSeries("Memory", d, series)
	f.Notes = append(f.Notes, miss.notes()...)
	f.ends(d, last, series)
	f.notesOf(d)
	return f
}

// paperMemoryParams is Figure 6: maximum net memory at batch 1 against the size of the parameters.
func paperMemoryParams(d *Dataset, s Style) *Figure {
	f := newFigure(s, "memory-params", "Maximum net memory against parameters", 960, 640)
	f.Subtitle = "Batch of 1 image; parameters of 4 bytes each. " + d.sourceLine()
	x := (*Network).paramMiB
	y := func(n *Network) float64 { return n.at(n.MemoryMB, 1) }
	p := newPlot(f.style, "Parameters [MiB]", "Maximum net memory utilisation [MB]")
	linearAxis(&p.X, 0, 600, 6)
	if most := maxOver(d, []int{1}, func(n *Network, _ int) float64 { return x(n) }); most > 580 {
		linearAxis(&p.X, 0, most*1.1, 6)
	}
	linearAxis(&p.Y, 0, math.Max(1000, 1.08*maxOver(d, []int{1}, func(n *Network, _ int) float64 { return y(n) })), 8)
	p.Add(dashedGrid(f.style))
	var lines [][]xy
	for _, o := range d.origins() {
		l, ok := d.fitOver(o, x, y)
		if !ok {
			continue
		}
		line := fitLine(f.style, l, 0, p.X.Max, o == Published && d.both())
		p.Add(line)
		lines = append(lines, line.pts)
		f.Findings = append(f.Findings, fmt.Sprintf("%s: slope %.2f MB per MiB of parameters, intercept %.0f MB, R² %.2f over %d networks.", sentence(o), l.Slope, l.Intercept, l.R2, l.N))
	}
	names := &labels{style: f.style, right: 4, paths: lines}
	looks := f.style.looks(d.Networks)
	var miss missing
	for _, r := range d.rows() {
		r.each(func(n *Network) {
			if !finite(x(n)) || !finite(y(n)) {
				miss.add(d.noMemory(), n.Name)
				return
			}
			m := &blob{x: x(n), y: y(n), fixed: 4.5, fill: looks[n].mark, edge: f.style.Theme.Background, width: 0.6, hollow: d.hollow(n)}
			if m.hollow {
				m.edge, m.width = looks[n].mark, 1.4
			}
			p.Add(m)
			names.blobs = append(names.blobs, m)
			if n == r.main() || !finite(y(r.main())) {
				names.items = append(names.items, label{Text: n.Name, X: m.x, Y: m.y, Radius: 4.5, Style: ink(sizeLabel, looks[n].text)})
			}
		})
	}
	p.Add(names)
	f.Panels = []Panel{{Plot: p, Right: 6, Top: 4}}
	f.compareOn(d, "Memory", y)
	f.Notes = append(f.Notes, miss.notes()...)
	f.notesOf(d)
	return f
}

// paramMiB is the size of the parameters at 4 bytes each.
func (n *Network) paramMiB() float64 { return n.MParams * 4e6 / (1 << 20) }

// sentence begins a sentence with an origin.
func sentence(o Origin) string {
	return [...]string{"Published", "Predicted", "Measured"}[o]
}
