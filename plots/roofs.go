package plots

import (
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg/draw"
)

// roof bounds the rate of what has an arithmetic intensity: the lower of flops and bytesPerS times the intensity. Without
// flops it is the slope alone.
type roof struct {
	flops, bytesPerS float64
	cachePerS        float64 // bytes per second of the cache; 0 for none to draw
	color            color.NRGBA
}

// ridge is the intensity from which on arithmetic bounds.
func (r *roof) ridge() float64 { return r.flops / r.bytesPerS }

// roofChart is a panel of attained rate against arithmetic intensity, both logarithmic, with marks under roofs.
type roofChart struct {
	style    Style
	plot     *plot.Plot
	roofs    []roof
	names    *labels
	factor   float64 // FLOP/s of a unit of the y axis
	xlo, xhi float64
	ylo      float64 // FLOP/s; lower marks stand on it
	sloped   bool    // the slopes are drawn, and roofs begin at their ridge
}

// newRoofChart sets the axes for roofs and for marks at intensities xs and rates ys, the rates over so many decades at
// most.
func newRoofChart(f *Figure, roofs []roof, xs, ys []float64, decades float64) *roofChart {
	xs, ys = append([]float64{}, xs...), append([]float64{}, ys...)
	largest := maxOf(ys)
	for i := range roofs {
		r := math.Max(roofs[i].ridge(), 1)
		xs, ys = append(xs, r/4, r*4), append(ys, roofs[i].flops)
		largest = math.Max(largest, roofs[i].flops)
	}
	factor, prefix := si(math.Min(largest, 999e12)) // marks are far below the roofs of petaFLOPs
	c := &roofChart{style: f.style, plot: newPlot(f.style, "Arithmetic intensity [FLOP/byte]", "Attained rate ["+prefix+"FLOP/s]"), roofs: roofs,
		names: &labels{style: f.style}, factor: factor}
	c.xlo, c.xhi = logRange(xs, 0.05)
	ylo, yhi := logRange(ys, 0.06)
	c.ylo = math.Max(ylo, yhi/math.Pow(10, decades))
	logAxis(&c.plot.X, c.xlo, c.xhi, number)
	logAxis(&c.plot.Y, c.ylo/factor, yhi/factor, number)
	c.plot.Add(grid{style: dottedGrid(f.style).style})
	return c
}

// addRoof draws a roof, and its ridge with a name where the ridge is on the chart, which ok says.
func (c *roofChart) addRoof(i int, name func(ridge float64) string) (ridge float64, ok bool) {
	r := &c.roofs[i]
	ridge = r.ridge()
	ok = r.flops > 0 && ridge > c.xlo && ridge < c.xhi
	path := []xy{{c.xlo, r.bytesPerS * c.xlo / c.factor}}
	if ok && c.sloped {
		path = nil
	}
	if ok {
		path = append(path, xy{ridge, r.flops / c.factor}, xy{c.xhi, r.flops / c.factor})
	} else {
		path = append(path, xy{c.xhi, r.bytesPerS * c.xhi / c.factor})
	}
	c.plot.Add(&curve{pts: path, style: stroke(r.color, 1.6)})
	c.names.paths = append(c.names.paths, path)
	if ok {
		m := &blob{x: ridge, y: r.flops / c.factor, fixed: 3, fill: r.color}
		c.plot.Add(m)
		c.names.blobs = append(c.names.blobs, m)
		st := ink(sizeLabel, c.style.textColor(r.color))
		l := label{Text: name(ridge), X: m.x, Y: m.y, Radius: 3, Style: st, Angle: math.Pi / 2}
		if c.sloped { // one of several: above the slope, where no marks are
			l.Angle, l.Spread = 3*math.Pi/4, math.Pi/3
		}
		c.names.items = append(c.names.items, l)
	}
	return ridge, ok
}

// addSlopes draws what roofs have in common once, in ink and under them: the slope of memory with its name and, dashed,
// that of the cache. addRoof then adds what is a roof's own. It gives the names.
func (c *roofChart) addSlopes() (texts []string) {
	var seen []float64
	top := 0.0
	for i := range c.roofs {
		top = math.Max(top, c.roofs[i].flops)
	}
	add := func(name string, bytesPerS float64, st draw.LineStyle) {
		if bytesPerS <= 0 || slices.Contains(seen, bytesPerS) {
			return
		}
		seen = append(seen, bytesPerS)
		path := []xy{{c.xlo, bytesPerS * c.xlo / c.factor}, {top / bytesPerS, top / c.factor}}
		c.plot.Add(&curve{pts: path, style: st})
		c.names.paths = append(c.names.paths, path)
		// Beside the line, a third of the way from where it enters the chart.
		from := math.Max(c.xlo, c.ylo/bytesPerS)
		x := from * math.Pow(top/bytesPerS/from, 1.0/3)
		texts = append(texts, name+" "+scaledText(bytesPerS, "B/s"))
		c.names.items = append(c.names.items, label{Text: texts[len(texts)-1], X: x, Y: bytesPerS * x / c.factor,
			Style: ink(sizeLabel, c.style.Theme.Soft), Angle: 3 * math.Pi / 4, Spread: math.Pi / 2})
	}
	for i := range c.roofs {
		add("memory", c.roofs[i].bytesPerS, stroke(c.style.Theme.Ink, 1.6))
		add("cache", c.roofs[i].cachePerS, stroke(c.style.Theme.Soft, 1, 5, 3))
	}
	c.sloped = true
	return texts
}

// addMark puts a mark where its work and time belong.
func (c *roofChart) addMark(m *blob, flops, bytes, seconds float64) {
	m.x, m.y = flops/bytes, math.Max(flops/seconds, c.ylo)/c.factor
	c.plot.Add(m)
	c.names.blobs = append(c.names.blobs, m)
}

// panel ends the chart: names come last, so that they see all marks.
func (c *roofChart) panel(k *key) Panel {
	c.plot.Add(k, c.names)
	return Panel{Plot: c.plot, Right: k.room(), Top: 6, marks: c.names.blobs}
}
