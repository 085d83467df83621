package plots

import (
	"image/color"
	"sort"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// endName names a line at its last point.
type endName struct {
	text  string
	x, y  float64
	style text.Style
	color color.Color
}

// endNames is a column of names right of a panel, one for each line, in the order of the lines' ends and as near to them
// as names of one line height can be. A dotted leader in the line's colour joins a line that ends early to its name.
type endNames struct {
	style Style
	items []endName
	boxes []vg.Rectangle // where the names went
}

// Plot implements plot.Plotter.
func (e *endNames) Plot(c draw.Canvas, p *plot.Plot) {
	tx, ty := p.Transforms(&c)
	items := append([]endName(nil), e.items...)
	sort.SliceStable(items, func(i, j int) bool { return items[i].y < items[j].y })
	want := make([]float64, len(items))
	height := vg.Length(0)
	for i, it := range items {
		want[i] = float64(ty(it.y))
		_, h := textSize(it.style, it.text)
		height = max(height, h)
	}
	at := spread(want, float64(height), float64(c.Min.Y+height/2), float64(c.Max.Y))
	e.boxes = nil
	for i, it := range items {
		from := vg.Point{X: tx(it.x), Y: ty(it.y)}
		edge := vg.Point{X: c.Max.X + 2, Y: from.Y}
		w, h := textSize(it.style, it.text)
		b := box(vg.Point{X: c.Max.X + nameGap + w/2, Y: vg.Length(at[i])}, w, h)
		c.StrokeLines(draw.LineStyle{Color: it.color, Width: vg.Points(0.8), Dashes: []vg.Length{1, 2}}, []vg.Point{{X: from.X + 2, Y: from.Y}, edge})
		c.StrokeLines(stroke(it.color, 0.8), []vg.Point{edge, {X: b.Min.X - 2, Y: vg.Length(at[i])}})
		drawIn(c, it.style, b, it.text)
		e.boxes = append(e.boxes, b)
	}
}

// spread moves ascending positions apart until neighbours are at least gap apart, all within lo and hi where they fit,
// with the least sum of squared moves: isotonic regression of position less rank, by pooling adjacent violators.
func spread(want []float64, gap, lo, hi float64) []float64 {
	type pool struct {
		sum float64
		n   int
	}
	var pools []pool
	for i, w := range want {
		pools = append(pools, pool{w - float64(i)*gap, 1})
		for k := len(pools) - 1; k > 0 && pools[k].sum/float64(pools[k].n) < pools[k-1].sum/float64(pools[k-1].n); k-- {
			pools[k-1].sum += pools[k].sum
			pools[k-1].n += pools[k].n
			pools = pools[:k]
		}
	}
	out := make([]float64, 0, len(want))
	top := hi - float64(len(want)-1)*gap
	for _, p := range pools {
		for range p.n {
			base := max(lo, min(p.sum/float64(p.n), top))
			out = append(out, base+float64(len(out))*gap)
		}
	}
	return out
}
