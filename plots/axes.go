package plots

import (
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// textStyle is a text style with the side of its point that it stands on: -1 right of it, 0 centred, 1 left of it.
type textStyle struct {
	text.Style
	side float64
}

// number writes a value for a tick or a finding without an exponent or trailing zeros.
func number(v float64) string {
	if a := math.Abs(v); a != 0 && (a >= 1e7 || a < 1e-5) {
		return strconv.FormatFloat(v, 'g', 4, 64)
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// steps are labelled ticks from lo to hi.
func steps(lo, hi, step float64) plot.ConstantTicks {
	var out plot.ConstantTicks
	for i := math.Ceil(lo/step - 1e-9); i*step <= hi*(1+1e-12)+1e-12; i++ {
		v := i*step + 0 // + 0 turns -0 into 0
		out = append(out, plot.Tick{Value: v, Label: strconv.FormatFloat(v, 'f', max(0, -int(math.Floor(math.Log10(step)+1e-9))), 64)})
	}
	return out
}

// niceStep is a step of 1, 2 or 5 times a power of ten that divides a range into at most n parts.
func niceStep(span float64, n int) float64 {
	raw := span / float64(n)
	pow := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 5, 10} {
		if m*pow >= raw*(1-1e-9) {
			return m * pow
		}
	}
	return 10 * pow
}

// linearAxis sets a range and at most n ticks.
func linearAxis(a *plot.Axis, lo, hi float64, n int) {
	if !(hi > lo) {
		hi = lo + 1
	}
	a.Min, a.Max = lo, hi
	a.Tick.Marker = steps(lo, hi, niceStep(hi-lo, n))
}

// log2Axis is an axis of batch sizes: powers of two from the first to the last, with room at the right end.
func log2Axis(a *plot.Axis, first, last int) {
	a.Scale = plot.LogScale{}
	var t plot.ConstantTicks
	every := 1 + int(math.Log2(float64(last)/float64(first)))/8 // at most eight labels and one
	for i, b := 0, first; b <= last; i, b = i+1, b*2 {
		tick := plot.Tick{Value: float64(b)}
		if i%every == 0 {
			tick.Label = strconv.Itoa(b)
		}
		t = append(t, tick)
	}
	a.Min, a.Max = float64(first)*0.93, float64(last)*1.14
	a.Tick.Marker = t
}

// logAxis is a logarithmic axis from lo to hi with labels at 1, 2 and 5 times the powers of ten, or at the powers alone
// where the range is wide; minor ticks between. write prints the value of a label (number, most often).
func logAxis(a *plot.Axis, lo, hi float64, write func(float64) string) {
	a.Scale = plot.LogScale{}
	a.Min, a.Max = lo, hi
	decades := math.Log10(hi / lo)
	if decades < 0.45 { // too short for powers of ten to show a scale
		a.Tick.Marker = steps(lo, hi, niceStep(hi-lo, 6))
		return
	}
	var t plot.ConstantTicks
	for e := math.Floor(math.Log10(lo)); e <= math.Ceil(math.Log10(hi)); e++ {
		for m := 1.0; m < 10; m++ {
			v := m * math.Pow(10, e)
			if e < 0 {
				v = m / math.Pow(10, -e)
			}
			if v < lo*(1-1e-9) || v > hi*(1+1e-9) {
				continue
			}
			labelled := m == 1 || decades < 3.2 && (m == 2 || m == 5) || decades < 1 && m != 7 && m != 9
			if every := 1 + int(decades)/8; int(e)%every != 0 {
				labelled = false
			}
			tick := plot.Tick{Value: v}
			if labelled {
				tick.Label = write(v)
			}
			t = append(t, tick)
		}
	}
	a.Tick.Marker = t
}

// decadesOnly takes the labels of a logarithmic axis from all ticks but the powers of ten, where there is little room.
func decadesOnly(a *plot.Axis) {
	var t plot.ConstantTicks
	for _, tick := range a.Tick.Marker.Ticks(a.Min, a.Max) {
		if l := math.Log10(tick.Value); math.Abs(l-math.Round(l)) > 1e-9 {
			tick.Label = ""
		}
		t = append(t, tick)
	}
	a.Tick.Marker = t
}

// logRange widens a range of positive values for a logarithmic axis.
func logRange(values []float64, margin float64) (lo, hi float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if finite(v) && v >= 1/extreme {
			lo, hi = math.Min(lo, v), math.Max(hi, v)
		}
	}
	if lo > hi {
		return 1, 10
	}
	if lo == hi {
		margin = math.Max(margin, 0.3)
	}
	f := math.Pow(hi/lo, margin)
	f = math.Max(f, 1.1)
	return lo / f, hi * f
}

// grid draws lines at the ticks, behind the data.
type grid struct {
	style        draw.LineStyle
	minor        bool // lines at unlabelled ticks too
	noVertical   bool
	noHorizontal bool
}

// Plot implements plot.Plotter.
func (g grid) Plot(c draw.Canvas, p *plot.Plot) {
	tx, ty := p.Transforms(&c)
	if !g.noVertical {
		for _, t := range p.X.Tick.Marker.Ticks(p.X.Min, p.X.Max) {
			if x := tx(t.Value); (g.minor || !t.IsMinor()) && x > c.Min.X+0.5 && x <= c.Max.X {
				c.StrokeLine2(g.style, x, c.Min.Y, x, c.Max.Y)
			}
		}
	}
	if !g.noHorizontal {
		for _, t := range p.Y.Tick.Marker.Ticks(p.Y.Min, p.Y.Max) {
			if y := ty(t.Value); (g.minor || !t.IsMinor()) && y > c.Min.Y+0.5 && y <= c.Max.Y {
				c.StrokeLine2(g.style, c.Min.X, y, c.Max.X, y)
			}
		}
	}
}

// The paper's grids: dashed in Figures 1 and 2, dotted in Figures 3 to 5.
func dashedGrid(s Style) grid { return grid{style: stroke(s.Theme.Grid, 0.6, 4, 3)} }
func dottedGrid(s Style) grid {
	return grid{style: stroke(s.Theme.Grid, 0.6, 1, 2), minor: true}
}

// nominal labels whole numbers with names, rotated so that none meets its neighbour.
func nominal(p *plot.Plot, names []string) {
	t := make(plot.ConstantTicks, len(names))
	for i, n := range names {
		t[i] = plot.Tick{Value: float64(i), Label: fit(p.X.Tick.Label, clean(n), maxName)}
	}
	p.X.Tick.Marker = t
	p.X.Tick.Label.Rotation = math.Pi / 6
	p.X.Tick.Label.XAlign, p.X.Tick.Label.YAlign = draw.XRight, draw.YTop
	p.X.Min, p.X.Max = -0.6, float64(len(names))-0.4
	p.X.Tick.Length = vg.Points(3)
}
