package plots

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// paperShare is the radius of a blob of one unit of area, as a share of the x axis: 0.00780·√(parameters in millions) in
// Figure 2, read from its legend and blobs.
const paperShare = 0.00780

// bubbles is a scatter chart whose blobs have an area proportional to a third quantity.
type bubbles struct {
	x, y, size func(*Network) float64
	share      float64 // radius of size 1, of the x axis
	missX      string  // why x, or y, may be unknown
	missY      string
	rail       bool   // networks without y are marked at the upper edge
	paths      [][]xy // lines that names keep clear of
}

// draw adds the blobs, their centres and their names to a panel. Axes must be set.
func (b bubbles) draw(f *Figure, p *plot.Plot, d *Dataset, right vg.Length, legend *sizeLegend, taken ...func(draw.Canvas, *plot.Plot) vg.Rectangle) *missing {
	s := f.style
	rs := orderBy(sortBy(d.rows(), func(n *Network) float64 { return -b.size(n) }), stacking)
	looks := s.looks(d.Networks)
	names := &labels{style: s, right: right, taken: taken, paths: b.paths}
	var blobs, dots, railed []plot.Plotter
	var miss missing
	for _, r := range rs {
		r.each(func(n *Network) {
			x, y, size := b.x(n), b.y(n), b.size(n)
			switch {
			case !finite(x):
				miss.add(b.missX, n.Name)
				return
			case !finite(y):
				miss.add(b.missY, n.Name)
				if b.rail && n == r.main() {
					m := &blob{x: x, y: p.Y.Max, fixed: 4, fill: looks[n].mark}
					railed = append(railed, &railMark{x: x, color: looks[n].mark})
					names.blobs = append(names.blobs, m)
					names.items = append(names.items, label{Text: n.Name + " (no accuracy)", X: x, Y: p.Y.Max, Radius: 8, Style: bold(ink(sizeLabel, looks[n].text)), Angle: -math.Pi / 4, Spread: math.Pi})
				}
				return
			case !finite(size) || size <= 0:
				size = 1
			}
			hollow := d.hollow(n)
			m := &blob{x: x, y: y, share: b.share * math.Sqrt(size), fill: looks[n].mark, edge: s.Theme.Background, width: 0.8, hollow: hollow}
			if hollow {
				m.edge, m.width = looks[n].mark, 1.3
			} else if d.both() {
				m.fill = fade(m.fill, 0.85)
			}
			blobs = append(blobs, m)
			names.blobs = append(names.blobs, m)
			if !hollow {
				dots = append(dots, &blob{x: x, y: y, fixed: 1.7, fill: hex("#d9d9d9"), edge: fade(s.Theme.Ink, 0.35), width: 0.4})
			}
			if n == r.main() {
				st := ink(sizeLabel, looks[n].text)
				if n.Paper == "" {
					st = bold(st)
				}
				names.items = append(names.items, label{Text: n.Name, X: x, Y: y, Style: st})
			}
		})
		if r.published != nil && r.other != nil && finite(b.x(r.published)+b.y(r.published)+b.x(r.other)+b.y(r.other)) {
			pts := []xy{{b.x(r.published), b.y(r.published)}, {b.x(r.other), b.y(r.other)}}
			blobs = append(blobs, &curve{pts: pts, style: stroke(looks[r.other].mark, 0.8)})
			names.paths = append(names.paths, pts)
		}
	}
	if legend != nil {
		legend.share, legend.style, legend.blobs, legend.paths = b.share, s, names.blobs, b.paths
		p.Add(legend)
		names.taken = append(names.taken, legend.box)
	}
	p.Add(blobs...)
	p.Add(dots...)
	p.Add(railed...)
	p.Add(names)
	return &miss
}

// railMark is a triangle at the upper edge: a network whose y is unknown.
type railMark struct {
	x     float64
	color color.Color
}

// Plot implements plot.Plotter.
func (m *railMark) Plot(c draw.Canvas, p *plot.Plot) {
	tx, _ := p.Transforms(&c)
	x, y := tx(m.x), c.Max.Y
	c.FillPolygon(m.color, []vg.Point{{X: x - 5, Y: y}, {X: x + 5, Y: y}, {X: x, Y: y - 8}})
}

// sizeLegend explains areas by blobs nested in a corner of the panel, the one where they hide least.
type sizeLegend struct {
	sizes []float64
	unit  string // after the number, such as "M"
	title string
	share float64
	style Style
	blobs []*blob
	paths [][]xy
}

func (l *sizeLegend) label(v float64) string { return number(v) + l.unit }

// box is the legend's room at the corner that it picks.
func (l *sizeLegend) box(c draw.Canvas, p *plot.Plot) vg.Rectangle {
	st := ink(sizeTick, l.style.Theme.Ink)
	big := l.radius(c, l.sizes[len(l.sizes)-1])
	tw := vg.Length(0)
	for _, v := range l.sizes {
		tw = max(tw, st.Width(l.label(v)))
	}
	titleW, lineH := textSize(st, l.title)
	w := max(2*big+14+tw, titleW)
	h := max(2*big, lineH*vg.Length(len(l.sizes))) + lineH + 4
	tx, ty := p.Transforms(&c)
	var best vg.Rectangle
	least := math.Inf(1)
	const pad = 8
	for _, corner := range []vg.Point{{X: c.Max.X - w - pad, Y: c.Min.Y + pad}, {X: c.Min.X + pad, Y: c.Max.Y - h - pad}, {X: c.Max.X - w - pad, Y: c.Max.Y - h - pad}, {X: c.Min.X + pad, Y: c.Min.Y + pad}} {
		r := vg.Rectangle{Min: corner, Max: vg.Point{X: corner.X + w, Y: corner.Y + h}}
		cost := 0.0
		for _, b := range l.blobs {
			cost += disc{vg.Point{X: tx(b.x), Y: ty(b.y)}, b.radius(c) + 14}.depth(r)
		}
		for _, path := range l.paths {
			for i := 1; i < len(path); i++ {
				cost += clip(segment{vg.Point{X: tx(path[i-1].x), Y: ty(path[i-1].y)}, vg.Point{X: tx(path[i].x), Y: ty(path[i].y)}}, r)
			}
		}
		if cost < least-1e-9 {
			best, least = r, cost
		}
	}
	return best
}

func (l *sizeLegend) radius(c draw.Canvas, v float64) vg.Length {
	return vg.Length(l.share*math.Sqrt(v)) * (c.Max.X - c.Min.X)
}

// Plot implements plot.Plotter.
func (l *sizeLegend) Plot(c draw.Canvas, p *plot.Plot) {
	r := l.box(c, p)
	st := ink(sizeTick, l.style.Theme.Ink)
	tw, lineH := textSize(st, l.title)
	drawIn(c, st, box(vg.Point{X: r.Min.X + tw/2, Y: r.Max.Y - lineH/2}, tw, lineH), l.title)
	big := l.radius(c, l.sizes[len(l.sizes)-1])
	at := vg.Point{X: r.Min.X + big, Y: r.Min.Y}
	next := vg.Length(math.Inf(-1))
	for i := len(l.sizes) - 1; i >= 0; i-- {
		rad := l.radius(c, l.sizes[i])
		path := circle(vg.Point{X: at.X, Y: at.Y + rad}, rad)
		c.SetColor(l.style.Theme.Legend)
		c.Fill(path)
		c.SetLineStyle(stroke(l.style.Theme.Soft, 0.5))
		c.Stroke(path)
	}
	for _, v := range l.sizes { // names from the bottom up, each at the top of its blob or above the one before
		rad := l.radius(c, v)
		y := max(at.Y+2*rad, next)
		next = y + lineH
		x := at.X + big + 10
		c.StrokeLines(stroke(l.style.Theme.Soft, 0.5), []vg.Point{{X: at.X, Y: at.Y + 2*rad}, {X: x - 2, Y: y}})
		w, _ := textSize(st, l.label(v))
		drawIn(c, st, box(vg.Point{X: x + w/2, Y: y}, w, lineH), l.label(v))
	}
}

// paperLegend is Figure 2's own legend of areas: six blobs in a row with their numbers above, at the published places
// where the axes are the published ones.
type paperLegend struct {
	style Style
	share float64
}

var paperLegendSizes = []float64{5, 35, 65, 95, 125, 155}

// place is the centre of blob i.
func (l *paperLegend) place(c draw.Canvas, i int) vg.Point {
	return vg.Point{X: c.X(float64(15+5*i) / 44), Y: c.Y((55.0 - 50) / (82 - 50))}
}

// Plot implements plot.Plotter.
func (l *paperLegend) Plot(c draw.Canvas, p *plot.Plot) {
	st := ink(sizeTick, l.style.Theme.Ink)
	y := c.Y((60.0 - 50) / (82 - 50))
	for i := len(paperLegendSizes) - 1; i >= 0; i-- {
		at, v := l.place(c, i), paperLegendSizes[i]
		b := &blob{x: p.X.Min + float64((at.X-c.Min.X)/(c.Max.X-c.Min.X))*(p.X.Max-p.X.Min), y: p.Y.Min + float64((at.Y-c.Min.Y)/(c.Max.Y-c.Min.Y))*(p.Y.Max-p.Y.Min),
			share: l.share * math.Sqrt(v), fill: l.style.Theme.Legend, edge: l.style.Theme.Background, width: 1}
		b.Plot(c, p)
		w, h := textSize(st, fmt.Sprintf("%gM", v))
		drawIn(c, st, box(vg.Point{X: at.X, Y: y}, w, h), fmt.Sprintf("%gM", v))
	}
	const title = "Area: parameters"
	w, h := textSize(st, title)
	first := l.place(c, 0)
	drawIn(c, st, box(vg.Point{X: first.X - 14 - w/2, Y: first.Y}, w, h), title)
}

// box is the room of the whole row.
func (l *paperLegend) box(c draw.Canvas, _ *plot.Plot) vg.Rectangle {
	big := vg.Length(l.share*math.Sqrt(155)) * (c.Max.X - c.Min.X)
	a, b := l.place(c, 0), l.place(c, 5)
	return vg.Rectangle{Min: vg.Point{X: a.X - 92, Y: a.Y - big}, Max: vg.Point{X: b.X + big, Y: c.Y((60.0-50)/(82-50)) + 6}}
}
