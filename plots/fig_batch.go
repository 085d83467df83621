package plots

import (
	"fmt"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"

	"github.com/onnxcost/onnxcost/specs"
)

// batchRange is the range of batch sizes of a dataset; the paper's 1 to 64 where there is none.
func (d *Dataset) batchRange() (first, last int) {
	first, last = 1, 1
	for _, n := range d.Networks {
		for _, b := range n.Batches {
			last = max(last, b)
		}
	}
	if last == 1 {
		last = 64
	}
	return first, last
}

// lines draws one line a network over the batch sizes, named at its end, published points as rings where others are
// drawn too. It returns the drawn values by origin.
func (f *Figure) lines(p *plot.Plot, d *Dataset, series func(*Network) []float64, reason string) (map[Origin][]float64, *missing) {
	s := f.style
	looks := s.looks(d.Networks)
	names := &endNames{style: s}
	drawn := map[Origin][]float64{}
	var miss missing
	for _, r := range inLegendOrder(d.rows()) {
		r.each(func(n *Network) {
			var pts []xy
			for i, v := range series(n) {
				if i < len(n.Batches) && finite(v) && v > 0 {
					pts = append(pts, xy{float64(n.Batches[i]), v})
					drawn[n.Origin] = append(drawn[n.Origin], v)
				}
			}
			if len(pts) == 0 {
				miss.add(reason, n.Name)
				return
			}
			if d.hollow(n) {
				for _, q := range pts {
					m := &blob{x: q.x, y: q.y, fixed: 2.6, hollow: true, edge: looks[n].mark, width: 1}
					p.Add(m)
				}
			} else {
				width := 1.6
				if n.Paper == "" {
					width = 2.6
				}
				p.Add(&curve{pts: pts, style: stroke(looks[n].mark, width, looks[n].dashes...)})
				if len(pts) == 1 || n.Paper == "" {
					for _, q := range pts {
						p.Add(&blob{x: q.x, y: q.y, fixed: 2.6, fill: looks[n].mark, edge: s.Theme.Background, width: 0.5})
					}
				}
			}
			if n == r.main() || r.other == nil || !anyFinite(series(r.other)) {
				end := pts[len(pts)-1]
				st := ink(sizeLabel, looks[n].text)
				if n.Paper == "" {
					st = bold(st)
				}
				names.items = append(names.items, endName{fit(st, n.Name, maxName), end.x, end.y, st, looks[n].mark})
			}
		})
	}
	p.Add(names)
	return drawn, &miss
}

// The room for names right of a panel: what they need, and no more than a third of a small figure. Longer names are cut.
const (
	nameGap = vg.Length(16)
	maxName = vg.Length(150)
)

// nameRoom is the room that the names of a dataset need.
func (f *Figure) nameRoom(d *Dataset) vg.Length {
	st := bold(ink(sizeLabel, f.style.Theme.Ink))
	room := vg.Length(0)
	for _, n := range d.Networks {
		room = max(room, min(maxName, st.Width(n.Name)))
	}
	return nameGap + room + 2
}

func anyFinite(v []float64) bool {
	for _, x := range v {
		if finite(x) {
			return true
		}
	}
	return false
}

func values(m map[Origin][]float64) []float64 {
	var out []float64
	for _, o := range []Origin{Published, Predicted, Measured} {
		out = append(out, m[o]...)
	}
	return out
}

// seriesValues are all values of a series in a dataset.
func (d *Dataset) seriesValues(series func(*Network) []float64) []float64 {
	var out []float64
	for _, n := range d.Networks {
		out = append(out, series(n)...)
	}
	return out
}

// ends says how many published lines stop where memory ran out.
func (f *Figure) ends(d *Dataset, last int, series func(*Network) []float64) {
	if d.both() {
		return
	}
	count := map[int]int{}
	for _, n := range d.Networks {
		if b := n.maxBatch(); n.Origin == Published && b > 0 && b < last && anyFinite(series(n)) {
			count[b]++
		}
	}
	for b := 1; b < last; b *= 2 {
		if count[b] > 0 {
			f.Notes = append(f.Notes, fmt.Sprintf("%d published lines end at batch %d: larger batches did not fit in the board's memory.", count[b], b))
		}
	}
}

// compareSeries adds the error of predictions at the published batch sizes.
func (f *Figure) compareSeries(what string, d *Dataset, series func(*Network) []float64) {
	var p, a []float64
	for _, n := range d.Networks {
		m := d.published(n)
		if n.Origin == Published || m == nil {
			continue
		}
		for _, b := range m.Batches {
			p, a = append(p, n.at(series(n), b)), append(a, m.at(series(m), b))
		}
	}
	f.verdict(what, d.Elsewhere, p, a)
}

// paperTimeBatch is Figure 3: forward time per image against the batch size, both axes logarithmic.
func paperTimeBatch(d *Dataset, s Style) *Figure {
	f := newFigure(s, "time-batch", "Forward time per image against batch size", 960, 680)
	f.Subtitle = d.sourceLine()
	series := func(n *Network) []float64 { return n.TimeMS }
	p := newPlot(f.style, "Batch size [images]", "Forward time per image [ms]")
	first, last := d.batchRange()
	log2Axis(&p.X, first, last)
	lo, hi := logRange(d.seriesValues(series), 0.02)
	if lo > 5 && lo < 10 {
		lo = 5
	}
	logAxis(&p.Y, lo, math.Max(hi, lo*2), number)
	p.Add(dottedGrid(f.style))
	_, miss := f.lines(p, d, series, noTime)
	f.Panels = []Panel{{Plot: p, Right: f.nameRoom(d), Top: 4}}
	f.speedups(d)
	f.compareSeries("Time", d, series)
	f.Notes = append(f.Notes, miss.notes()...)
	f.ends(d, last, series)
	f.notesOf(d)
	return f
}

// speedups says which network gains most from larger batches, and which least.
func (f *Figure) speedups(d *Dataset) {
	var names []string
	var gain []float64
	for _, r := range d.rows() {
		n := r.main()
		if b := n.maxBatch(); b > 1 {
			if g := n.timeAt(1) / n.timeAt(b); finite(g) {
				names, gain = append(names, fmt.Sprintf("%s %.2f times to batch %d", n.Name, g, b)), append(gain, g)
			}
		}
	}
	if len(gain) < 2 {
		return
	}
	best, least := 0, 0
	for i := range gain {
		if gain[i] > gain[best] {
			best = i
		}
		if gain[i] < gain[least] {
			least = i
		}
	}
	f.Findings = append(f.Findings, fmt.Sprintf("Time per image from batch 1 to the largest batch: %s gains most (the ratio of times), %s least.", names[best], names[least]))
}

// paperPowerBatch is Figure 4: net power against the batch size, with the mean and standard deviation of all points.
func paperPowerBatch(d *Dataset, s Style) *Figure {
	f := newFigure(s, "power-batch", "Net power against batch size", 960, 680)
	f.Subtitle = "Net of idle power. " + d.sourceLine()
	series := func(n *Network) []float64 { return n.PowerW }
	p := newPlot(f.style, "Batch size [images]", "Net power consumption [W]")
	first, last := d.batchRange()
	log2Axis(&p.X, first, last)
	lo, hi := d.powerRange([]int{0})
	linearAxis(&p.Y, lo, hi, 8)
	if batches := specs.Paper().Batches; d.apart(batches, (*Network).powerAt) {
		f.wideAxis(&p.Y, d, batches, (*Network).powerAt)
	}
	band := &area{fill: f.style.Theme.Wash}
	p.Add(band, dottedGrid(f.style))
	mean := &curve{style: stroke(f.style.Theme.Soft, 1.2, 7, 3)}
	p.Add(mean)
	drawn, miss := f.lines(p, d, series, noPower)
	main := drawn[Predicted]
	if len(main) == 0 {
		main = values(drawn)
	}
	if sp := meanSDOf(main); sp.N > 1 {
		x0, x1 := p.X.Min, p.X.Max
		band.pts = []xy{{x0, sp.Mean - sp.SD}, {x1, sp.Mean - sp.SD}, {x1, sp.Mean + sp.SD}, {x0, sp.Mean + sp.SD}}
		mean.pts = []xy{{x0, sp.Mean}, {x1, sp.Mean}}
	}
	for _, o := range d.origins() {
		if sp := meanSDOf(drawn[o]); sp.N > 1 {
			s := fmt.Sprintf("Net power, %s: %.2f ± %.2f W (mean and standard deviation of %d points), a spread of %.1f %%", o, sp.Mean, sp.SD, sp.N, 100*sp.SD/sp.Mean)
			if sp.SD < 0.1*sp.Mean {
				s += ": nearly independent of network and batch"
			}
			f.Findings = append(f.Findings, s+".")
		}
	}
	f.Panels = []Panel{{Plot: p, Right: f.nameRoom(d), Top: 4}}
	f.compareSeries("Power", d, series)
	f.Notes = append(f.Notes, miss.notes()...)
	f.ends(d, last, series)
	f.notesOf(d)
	return f
}
