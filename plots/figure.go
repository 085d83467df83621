package plots

import (
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A Panel is one plot of a figure.
type Panel struct {
	Plot  *plot.Plot
	Title string
	// Right and Top is room for names beyond the axes.
	Right, Top vg.Length

	marks []*blob // of the data, where tests look for them
}

// A Figure is a drawing with its words. All text is plain and short: findings are sentences with numbers computed from
// the data drawn, notes say what is missing.
type Figure struct {
	Name     string
	Title    string
	Subtitle string
	Panels   []Panel
	Rows     bool // panels stand one above the other
	Findings []string
	Notes    []string

	style  Style
	width  float64 // CSS pixels
	height float64
}

// newFigure is an empty figure of the size that suits it unless the style asks for another.
func newFigure(s Style, name, title string, width, height float64) *Figure {
	s = s.orDefault()
	if s.Width > 0 {
		width, height = s.Width, s.Height
	}
	return &Figure{Name: name, Title: title, style: s, width: width, height: height}
}

// Size is the figure's size in CSS pixels.
func (f *Figure) Size() (width, height float64) { return f.width, f.height }

const margin = vg.Length(12)

// Draw draws the figure on a canvas of its size: title and subtitle above, panels, findings and notes below.
func (f *Figure) Draw(c draw.Canvas) {
	t := f.style.Theme
	c.SetColor(t.Background)
	c.Fill(c.Rectangle.Path())
	in := draw.Crop(c, margin, -margin, margin, -margin)
	width := in.Max.X - in.Min.X

	y := in.Max.Y
	for _, part := range []struct {
		style text.Style
		text  string
	}{{bold(ink(sizeTitle, t.Ink)), f.Title}, {ink(sizeText, t.Soft), f.Subtitle}} {
		for _, line := range wrap(part.style, part.text, width) {
			_, h := textSize(part.style, line)
			y -= h
			drawIn(c, part.style, box(vg.Point{X: in.Min.X, Y: y + h/2}, 0, h), line)
			y -= 1
		}
	}
	top := y - 8

	bottom := in.Min.Y
	lines := f.footer(width)
	for i := len(lines) - 1; i >= 0; i-- {
		l := lines[i]
		_, h := textSize(l.style, l.text)
		drawIn(c, l.style, box(vg.Point{X: in.Min.X + l.indent, Y: bottom + h/2}, 0, h), l.text)
		bottom += h + 1
	}
	if len(lines) > 0 {
		bottom += 6
	}
	f.drawPanels(draw.Canvas{Canvas: c.Canvas, Rectangle: vg.Rectangle{Min: vg.Point{X: in.Min.X, Y: bottom}, Max: vg.Point{X: in.Max.X, Y: top}}})
}

func (f *Figure) drawPanels(c draw.Canvas) {
	const gap = vg.Length(16)
	n := vg.Length(len(f.Panels))
	left := make([]vg.Length, len(f.Panels)) // of each panel's data in a row, so that those above each other line up
	for i, p := range f.Panels {
		if f.Rows {
			y := p.Plot.Y.Label.Text
			p.Plot.Y.Label.Text = ""
			left[i] = p.Plot.DataCanvas(c).Min.X
			p.Plot.Y.Label.Text = y
		}
	}
	for i, p := range f.Panels {
		r := c.Rectangle
		if f.Rows {
			h := (r.Max.Y - r.Min.Y - (n-1)*gap) / n
			r.Max.Y -= vg.Length(i) * (h + gap)
			r.Min.Y = r.Max.Y - h
		} else {
			w := (r.Max.X - r.Min.X - (n-1)*gap) / n
			r.Min.X += vg.Length(i) * (w + gap)
			r.Max.X = r.Min.X + w
		}
		r.Min.X += slices.Max(left) - left[i]
		pc := draw.Canvas{Canvas: c.Canvas, Rectangle: r}
		if p.Title != "" {
			st := bold(ink(sizePanel, f.style.Theme.Ink))
			w, h := textSize(st, p.Title)
			x := (r.Min.X + r.Max.X) / 2
			if f.Rows {
				x = r.Min.X + w/2
			}
			drawIn(pc, st, box(vg.Point{X: x, Y: r.Max.Y - h/2}, w, h), p.Title)
			pc.Max.Y -= h + 3
		}
		pc.Max.X -= p.Right
		pc.Max.Y -= p.Top
		f.drawPlot(p.Plot, pc)
	}
}

// drawPlot draws a panel with its axis titles centred on the axes. gonum/plot pads a panel as if the title of a
// logarithmic axis stood at the arithmetic middle, so the titles are set here.
func (f *Figure) drawPlot(p *plot.Plot, c draw.Canvas) {
	const gap = vg.Length(5)
	x, y := p.X.Label.Text, p.Y.Label.Text
	p.X.Label.Text, p.Y.Label.Text = "", ""
	defer func() { p.X.Label.Text, p.Y.Label.Text = x, y }()
	inner := c
	_, xh := textSize(p.X.Label.TextStyle, x)
	_, yh := textSize(p.Y.Label.TextStyle, y)
	if x != "" {
		inner.Min.Y += xh + gap
	}
	if y != "" {
		inner.Min.X += yh + gap
	}
	p.Draw(inner)
	data := p.DataCanvas(inner)
	if x != "" {
		st := p.X.Label.TextStyle
		x = fit(st, x, c.Max.X-c.Min.X)
		w, _ := textSize(st, x)
		at := max(c.Min.X+w/2, min(data.Center().X, c.Max.X-w/2))
		drawIn(c, st, box(vg.Point{X: at, Y: c.Min.Y + xh/2}, w, xh), x)
	}
	if y != "" {
		st := p.Y.Label.TextStyle
		y = fit(st, y, c.Max.Y-c.Min.Y)
		st.XAlign, st.YAlign, st.Rotation = draw.XCenter, draw.YBottom, math.Pi/2
		w := st.Width(y)
		at := max(c.Min.Y+w/2, min(data.Center().Y, c.Max.Y-w/2))
		c.FillText(st, vg.Point{X: c.Min.X + st.FontExtents().Ascent, Y: at}, y)
	}
}

// footerLine is one line under the panels.
type footerLine struct {
	text   string
	style  text.Style
	indent vg.Length
}

// footer wraps findings and notes to the figure's width.
func (f *Figure) footer(width vg.Length) []footerLine {
	const indent = vg.Length(8)
	var out []footerLine
	add := func(st text.Style, s string) {
		for i, line := range wrap(st, s, width-indent) {
			l := footerLine{line, st, indent}
			if i == 0 {
				l.indent = 0
			}
			out = append(out, l)
		}
	}
	for _, s := range f.Findings {
		add(ink(sizeNote, f.style.Theme.Ink), "• "+s)
	}
	for _, s := range f.Notes {
		add(ink(sizeNote, f.style.Theme.Soft), "• "+s)
	}
	return out
}

// wrap breaks text at spaces into lines no wider than width; a single word that is wider is cut.
func wrap(st text.Style, s string, width vg.Length) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(s) {
		word = fit(st, word, width)
		next := strings.TrimPrefix(line+" "+word, " ")
		if line != "" && st.Width(next) > width {
			lines = append(lines, line)
			next = word
		}
		line = next
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// fit cuts a text in the middle until it is no wider than width.
func fit(st text.Style, s string, width vg.Length) string {
	r := []rune(s)
	for n := len(r); st.Width(s) > width && n > 2; n-- {
		s = string(r[:n/2]) + "…" + string(r[len(r)-(n-n/2-1):])
	}
	return s
}
