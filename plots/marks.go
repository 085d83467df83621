package plots

import (
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// circle is a circle of four Bézier curves, which every back end draws alike.
func circle(c vg.Point, r vg.Length) vg.Path {
	const k = 0.5522847498307936 // 4/3·(√2−1)
	at := func(x, y vg.Length) vg.Point { return vg.Point{X: c.X + r*x, Y: c.Y + r*y} }
	var p vg.Path
	p.Move(at(1, 0))
	p.CubeTo(at(1, k), at(k, 1), at(0, 1))
	p.CubeTo(at(-k, 1), at(-1, k), at(-1, 0))
	p.CubeTo(at(-1, -k), at(-k, -1), at(0, -1))
	p.CubeTo(at(k, -1), at(1, -k), at(1, 0))
	p.Close()
	return p
}

// ring approximates a circle by points, for clipping.
func ring(c vg.Point, r vg.Length) []vg.Point {
	const n = 96
	out := make([]vg.Point, n)
	for i := range out {
		sin, cos := math.Sincos(2 * math.Pi * float64(i) / n)
		out[i] = vg.Point{X: c.X + r*vg.Length(cos), Y: c.Y + r*vg.Length(sin)}
	}
	return out
}

// blob is a disc in data coordinates whose radius is a share of the length of the x axis, or fixed.
type blob struct {
	x, y   float64
	share  float64   // of the x axis; 0 for a fixed size
	fixed  vg.Length // radius where share is 0
	fill   color.NRGBA
	edge   color.NRGBA
	width  float64 // of the edge, in points
	hollow bool
}

func (b *blob) radius(c draw.Canvas) vg.Length {
	if b.share == 0 {
		return b.fixed
	}
	return vg.Length(b.share) * (c.Max.X - c.Min.X)
}

// Plot implements plot.Plotter. Blobs are clipped at the axes.
func (b *blob) Plot(c draw.Canvas, p *plot.Plot) {
	tx, ty := p.Transforms(&c)
	at, r := vg.Point{X: tx(b.x), Y: ty(b.y)}, b.radius(c)
	whole := inside(box(at, 2*r, 2*r), c.Rectangle)
	path := circle(at, r)
	if !whole {
		pts := c.ClipPolygonXY(ring(at, r))
		if len(pts) == 0 {
			return
		}
		path = nil
		path.Move(pts[0])
		for _, q := range pts[1:] {
			path.Line(q)
		}
		path.Close()
	}
	if !b.hollow {
		c.SetColor(b.fill)
		c.Fill(path)
	}
	if b.width > 0 {
		c.SetLineStyle(stroke(b.edge, b.width))
		c.Stroke(path)
	}
}

// curve is a polyline in data coordinates, clipped at the axes.
type curve struct {
	pts   []xy
	style draw.LineStyle
}

// Plot implements plot.Plotter.
func (l *curve) Plot(c draw.Canvas, p *plot.Plot) {
	tx, ty := p.Transforms(&c)
	pts := make([]vg.Point, len(l.pts))
	for i, q := range l.pts {
		pts[i] = vg.Point{X: tx(q.x), Y: ty(q.y)}
	}
	c.StrokeLines(l.style, c.ClipLinesXY(pts)...)
}

// area is a filled polygon in data coordinates, clipped at the axes.
type area struct {
	pts  []xy
	fill color.Color
}

// Plot implements plot.Plotter.
func (a *area) Plot(c draw.Canvas, p *plot.Plot) {
	tx, ty := p.Transforms(&c)
	pts := make([]vg.Point, len(a.pts))
	for i, q := range a.pts {
		pts[i] = vg.Point{X: tx(q.x), Y: ty(q.y)}
	}
	if pts = c.ClipPolygonXY(pts); len(pts) > 2 {
		c.FillPolygon(a.fill, pts)
	}
}

// bar is an upright rectangle from base to top; width is in data units of x.
type bar struct {
	x, base, top, width float64
	fill                color.NRGBA
	edge                *draw.LineStyle
	hollow              bool
}

// Plot implements plot.Plotter.
func (b *bar) Plot(c draw.Canvas, p *plot.Plot) {
	tx, ty := p.Transforms(&c)
	l, r := tx(b.x-b.width/2), tx(b.x+b.width/2)
	lo, hi := ty(b.base), ty(math.Min(b.top, p.Y.Max))
	pts := []vg.Point{{X: l, Y: lo}, {X: l, Y: hi}, {X: r, Y: hi}, {X: r, Y: lo}}
	if !b.hollow {
		c.FillPolygon(b.fill, pts)
	}
	if b.edge != nil {
		c.StrokeLines(*b.edge, pts)
	}
}

// downArrow is a hollow arrow that points down to (x, y).
type downArrow struct {
	x, y  float64
	gap   vg.Length // above the point
	style draw.LineStyle
}

// arrowHeight is the length of an arrow on the paper.
const arrowHeight = vg.Length(20)

// Plot implements plot.Plotter.
func (a *downArrow) Plot(c draw.Canvas, p *plot.Plot) {
	tx, ty := p.Transforms(&c)
	x, y := tx(a.x), ty(a.y)+a.gap
	shape := []vg.Point{{X: 0, Y: 0}, {X: 7, Y: 8}, {X: 3, Y: 8}, {X: 3, Y: arrowHeight}, {X: -3, Y: arrowHeight}, {X: -3, Y: 8}, {X: -7, Y: 8}}
	var path vg.Path
	for i, q := range shape {
		q = vg.Point{X: x + q.X, Y: y + q.Y}
		if i == 0 {
			path.Move(q)
		} else {
			path.Line(q)
		}
	}
	path.Close()
	c.SetLineStyle(a.style)
	c.Stroke(path)
}

// caption is a line of text at a fixed offset from a data point; it is not moved.
type caption struct {
	text   string
	x, y   float64
	dx, dy vg.Length
	style  textStyle
}

// Plot implements plot.Plotter.
func (t *caption) Plot(c draw.Canvas, p *plot.Plot) {
	b := t.box(c, p)
	drawIn(c, t.style.Style, b, t.text)
}

// box is the room the caption takes: dx, dy is its left, centre or right, and its vertical centre.
func (t *caption) box(c draw.Canvas, p *plot.Plot) vg.Rectangle {
	tx, ty := p.Transforms(&c)
	w, h := textSize(t.style.Style, t.text)
	center := vg.Point{X: tx(t.x) + t.dx, Y: ty(t.y) + t.dy}
	center.X -= vg.Length(t.style.side) * w / 2
	return box(center, w, h)
}
