package plots

import (
	"fmt"
	"math"

	"gonum.org/v1/plot"
)

// paperTop1 is Figure 1: top-1 accuracy of each network, ascending. The axis starts at 50 %, as published, or lower
// where a network needs it.
func paperTop1(d *Dataset, s Style) *Figure {
	f := newFigure(s, "top1", "Top-1 accuracy", 960, 600)
	f.Subtitle = "ImageNet validation, one central crop. Accuracy is published or given, never predicted. " + accuracyStart(d)
	rs := sortBy(d.rows(), func(n *Network) float64 { return n.Top1Percent })
	lo, hi := accuracyRange(d)
	p := newPlot(f.style, "", "Top-1 accuracy [%]")
	p.Y.Min, p.Y.Max = lo, hi
	p.Y.Tick.Marker = steps(lo, hi, 5)
	var values []float64
	miss := f.bars(p, rs, lo, noAccuracy, func(n *Network) float64 { return n.Top1Percent }, func(v float64) string { return fmt.Sprintf("%.1f", v) }, true)
	for _, r := range rs {
		values = append(values, r.main().Top1Percent)
	}
	f.Panels = []Panel{{Plot: p, Top: 6}}
	sp := meanSDOf(values)
	if sp.N > 1 {
		best, worst := extremes(rs)
		f.Findings = append(f.Findings, fmt.Sprintf("From %s with %.2f %% to %s with %.2f %%; mean %.1f %% over %d networks.",
			worst.name, worst.main().Top1Percent, best.name, best.main().Top1Percent, sp.Mean, sp.N))
	}
	f.Notes = append(f.Notes, miss.notes()...)
	return f
}

func accuracyStart(d *Dataset) string {
	lo, _ := accuracyRange(d)
	if lo > 0 {
		return fmt.Sprintf("The axis starts at %g %%.", lo)
	}
	return ""
}

// accuracyRange is the paper's 50 to 82 %, widened where a network lies outside.
func accuracyRange(d *Dataset) (lo, hi float64) {
	lo, hi = 50, 82
	for _, n := range d.Networks {
		if finite(n.Top1Percent) {
			if n.Top1Percent < lo+1 {
				lo = math.Max(0, 5*math.Floor((n.Top1Percent-2)/5))
			}
			if n.Top1Percent > hi-1 {
				hi = math.Min(100, 5*math.Ceil((n.Top1Percent+2)/5))
			}
		}
	}
	return lo, hi
}

func extremes(rs []row) (best, worst row) {
	first := true
	for _, r := range rs {
		v := r.main().Top1Percent
		if !finite(v) {
			continue
		}
		if first || v > best.main().Top1Percent {
			best = r
		}
		if first || v < worst.main().Top1Percent {
			worst = r
		}
		first = false
	}
	return best, worst
}

// bars draws one bar a row with its value above, published ones hollow beside others. A row without a value keeps its
// place and says so.
func (f *Figure) bars(p *plot.Plot, rs []row, base float64, reason string, value func(*Network) float64, write func(float64) string, same bool) *missing {
	s := f.style
	p.Add(grid{style: dashedGrid(s).style, noVertical: true})
	var all []*Network
	names := make([]string, len(rs))
	for i, r := range rs {
		r.each(func(n *Network) { all = append(all, n) })
		names[i] = r.name
	}
	nominal(p, names)
	looks := s.looks(all)
	var miss missing
	const width = 0.7
	value1 := textStyle{ink(sizeTick, s.Theme.Ink), 0}
	for i, r := range rs {
		x, top := float64(i), math.Inf(-1)
		main := r.main()
		if v := value(main); finite(v) {
			p.Add(&bar{x: x, base: base, top: v, width: width, fill: looks[main].mark})
			top = v
		} else {
			miss.add(reason, r.name)
		}
		if r.published != nil && r.published != main {
			if v := value(r.published); finite(v) && !(same && v == top) {
				edge := stroke(s.Theme.Ink, 1)
				p.Add(&bar{x: x, base: base, top: v, width: width, hollow: true, edge: &edge})
				top = math.Max(top, v)
			}
		}
		text := "n/a"
		if finite(top) {
			text = write(value(main))
		} else {
			top = base
		}
		if !finite(value(main)) {
			text = "n/a"
		}
		p.Add(&caption{text: text, x: x, y: top, dy: 7, style: value1})
	}
	return &miss
}

// paperDensity is Figure 10: accuracy per million parameters, ascending; hollow arrows point at the four that use their
// parameters best.
func paperDensity(d *Dataset, s Style) *Figure {
	f := newFigure(s, "density", "Top-1 accuracy density", 960, 600)
	f.Subtitle = "Accuracy that a million parameters carry: top-1 over parameters. " + d.sourceLine()
	rs := sortBy(d.rows(), (*Network).density)
	top := 12.0
	for _, n := range d.Networks {
		if v := n.density(); finite(v) {
			top = math.Max(top, v)
		}
	}
	p := newPlot(f.style, "", "Top-1 accuracy density [% per million parameters]")
	linearAxis(&p.Y, 0, top*1.14, 8)
	miss := f.bars(p, rs, 0, noAccuracy, (*Network).density, func(v float64) string { return fmt.Sprintf("%.2f", v) }, false)
	var known []int
	for i, r := range rs {
		if finite(r.main().density()) {
			known = append(known, i)
		}
	}
	winners := known[max(0, len(known)-4):]
	for _, i := range winners {
		v := rs[i].main().density()
		if m := rs[i].published; m != nil && finite(m.density()) {
			v = math.Max(v, m.density())
		}
		p.Add(&downArrow{x: float64(i), y: v, gap: 16, style: stroke(f.style.Theme.Soft, 1)})
	}
	f.Panels = []Panel{{Plot: p, Top: 10}}
	if len(known) > 1 {
		a, b := rs[known[0]], rs[known[len(known)-1]]
		f.Findings = append(f.Findings, fmt.Sprintf("%s carries %.2f %% in a million parameters, %.1f times %s with %.2f %%; arrows mark the best %d.",
			b.name, b.main().density(), b.main().density()/a.main().density(), a.name, a.main().density(), len(winners)))
	}
	f.compare("Density", rs, (*Network).density)
	f.Notes = append(f.Notes, miss.notes()...)
	return f
}

// compare adds the error of predictions against the published values where both are drawn.
func (f *Figure) compare(what string, rs []row, value func(*Network) float64) {
	f.judge(what, false, rs, value)
}

// compareOn is compare for what depends on the device.
func (f *Figure) compareOn(d *Dataset, what string, value func(*Network) float64) {
	f.judge(what, d.Elsewhere, d.rows(), value)
}

func (f *Figure) judge(what string, elsewhere bool, rs []row, value func(*Network) float64) {
	var p, a []float64
	for _, r := range rs {
		if r.published != nil && r.other != nil {
			p, a = append(p, value(r.other)), append(a, value(r.published))
		}
	}
	f.verdict(what, elsewhere, p, a)
}

// verdict states the error of predicted values against published ones, or their ratio where they are of different devices.
func (f *Figure) verdict(what string, elsewhere bool, p, a []float64) {
	e := errorsOf(p, a)
	switch {
	case e.N == 0:
	case elsewhere:
		f.Findings = append(f.Findings, fmt.Sprintf("%s: %s times the published board's (geometric mean of %d points).", what, three(math.Exp(meanLogRatio(p, a))), e.N))
	default:
		f.Findings = append(f.Findings, fmt.Sprintf("%s, predicted against published: %s.", what, e))
	}
}
