package plots

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// label names one mark.
type label struct {
	Text   string
	X, Y   float64   // the mark, in data coordinates
	Radius vg.Length // of the mark
	Style  text.Style
	// Angle is where the label would best be, Spread how far it may turn from there; the zero Spread allows every direction.
	Angle, Spread float64
}

// labels is the last plotter of a panel: it sees the marks of the others and places the names so that none lies on
// another, drawing a leader where a name has to stand apart.
type labels struct {
	style   Style
	items   []label
	paths   [][]xy  // lines to keep clear of
	blobs   []*blob // blobs and dots
	taken   []func(draw.Canvas, *plot.Plot) vg.Rectangle
	right   vg.Length // how far names may reach beyond the panel on the right
	above   vg.Length // and above it
	outcome []placement
}

type xy struct{ x, y float64 }

// Plot implements plot.Plotter.
func (l *labels) Plot(c draw.Canvas, p *plot.Plot) {
	rs, sc := l.scene(c, p)
	l.outcome = place(rs, sc)
	for i, o := range l.outcome {
		it := l.items[i]
		if o.leader != nil {
			c.StrokeLines(stroke(l.style.Theme.Soft, 0.5), []vg.Point{o.leader.a, o.leader.b})
		}
		back := fade(l.style.Theme.Background, 0.72)
		if l.busy(o.box, sc) {
			c.SetColor(back)
			r := grow(o.box, 0.6)
			c.Fill(r.Path())
		}
		drawIn(c, it.Style, o.box, it.Text)
	}
}

// busy says that text would stand on marks.
func (l *labels) busy(b vg.Rectangle, sc scene) bool {
	for _, s := range sc.segments {
		if clip(s, b) > 0 {
			return true
		}
	}
	for _, d := range sc.discs {
		if d.depth(b) > 0 {
			return true
		}
	}
	return false
}

// drawIn sets a line of text into the box that textSize gave it.
func drawIn(c draw.Canvas, st text.Style, b vg.Rectangle, s string) {
	st.XAlign, st.YAlign, st.Rotation = draw.XLeft, draw.YBottom, 0
	e := st.FontExtents()
	c.FillText(st, vg.Point{X: b.Min.X, Y: b.Min.Y + e.Descent}, clean(s))
}

// clean makes a text of a user's one line of printable characters.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
}

// textSize is the room that a line of text takes: its width, and from descender to ascender.
func textSize(st text.Style, s string) (w, h vg.Length) {
	e := st.FontExtents()
	return st.Width(clean(s)), e.Ascent + e.Descent
}

// scene turns data coordinates into those of the canvas.
func (l *labels) scene(c draw.Canvas, p *plot.Plot) ([]request, scene) {
	tx, ty := p.Transforms(&c)
	at := func(x, y float64) vg.Point { return vg.Point{X: tx(x), Y: ty(y)} }
	sc := scene{bounds: c.Rectangle}
	sc.bounds.Max.X += l.right
	sc.bounds.Max.Y += l.above
	sc.bounds.Min.X += 2
	sc.bounds.Min.Y += 2
	for _, path := range l.paths {
		for i := 1; i < len(path); i++ {
			sc.segments = append(sc.segments, segment{at(path[i-1].x, path[i-1].y), at(path[i].x, path[i].y)})
		}
	}
	for _, b := range l.blobs {
		d := disc{at(b.x, b.y), b.radius(c)}
		if d.r > 4 {
			sc.discs = append(sc.discs, d)
			d.r = 1.8
		}
		sc.dots = append(sc.dots, d)
	}
	for _, f := range l.taken {
		sc.boxes = append(sc.boxes, f(c, p))
	}
	rs := make([]request, len(l.items))
	for i, it := range l.items {
		r := request{anchor: at(it.X, it.Y), radius: it.Radius, angle: it.Angle, spread: it.Spread}
		for _, b := range l.blobs {
			if b.x == it.X && b.y == it.Y {
				r.radius = max(r.radius, b.radius(c))
			}
		}
		if r.spread == 0 {
			r.spread = math.Pi
		}
		r.w, r.h = textSize(it.Style, it.Text)
		rs[i] = r
	}
	return rs, sc
}
