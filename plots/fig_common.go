package plots

import (
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
)

func (n *Network) timeAt(batch int) float64 { return n.at(n.TimeMS, batch) }

func (n *Network) powerAt(batch int) float64 { return n.at(n.PowerW, batch) }

// origins lists the origins in a dataset, published first.
func (d *Dataset) origins() []Origin {
	var out []Origin
	for _, o := range []Origin{Published, Predicted, Measured} {
		for _, n := range d.Networks {
			if n.Origin == o {
				out = append(out, o)
				break
			}
		}
	}
	return out
}

// fitOver fits a line to one origin's networks.
func (d *Dataset) fitOver(o Origin, x, y func(*Network) float64) (line, bool) {
	var xs, ys []float64
	for _, n := range d.Networks {
		if n.Origin == o {
			xs, ys = append(xs, x(n)), append(ys, y(n))
		}
	}
	return leastSquares(xs, ys)
}

// fitLine draws a fitted line from x = lo to hi; that of published points is dashed where others are drawn too.
func fitLine(s Style, l line, lo, hi float64, dashed bool) *curve {
	st := stroke(s.Theme.Soft, 1.2)
	if dashed {
		st = stroke(s.Theme.Soft, 1, 5, 3)
	}
	const parts = 64 // a line is bent where an axis is logarithmic
	c := &curve{style: st}
	for i := 0; i <= parts; i++ {
		x := lo + (hi-lo)*float64(i)/parts
		if lo > 0 {
			x = lo * math.Pow(hi/lo, float64(i)/parts)
		}
		c.pts = append(c.pts, xy{x, l.At(x)})
	}
	return c
}

// apart says that the figures of a dataset's origins differ so much that one linear axis would squash some of them: their
// geometric means by more than four.
func (d *Dataset) apart(batches []int, value func(*Network, int) float64) bool {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, o := range d.origins() {
		sum, n := 0.0, 0
		for _, m := range d.Networks {
			for _, b := range batches {
				if v := value(m, b); m.Origin == o && finite(v) && v > 0 {
					sum += math.Log(v)
					n++
				}
			}
		}
		if n > 0 {
			lo, hi = math.Min(lo, sum/float64(n)), math.Max(hi, sum/float64(n))
		}
	}
	return hi-lo > math.Log(4)
}

// wideNote says why an axis is logarithmic that is linear in the paper.
const wideNote = "One axis is logarithmic here, so that both devices can be read."

// wideAxis is the logarithmic axis of figures that are apart.
func (f *Figure) wideAxis(a *plot.Axis, d *Dataset, batches []int, value func(*Network, int) float64) {
	var v []float64
	for _, n := range d.Networks {
		for _, b := range batches {
			v = append(v, value(n, b))
		}
	}
	lo, hi := logRange(v, 0.06)
	logAxis(a, lo, hi, number)
	if !slices.Contains(f.Notes, wideNote) {
		f.Notes = append(f.Notes, wideNote)
	}
}

// maxOver is the largest value over networks and batch sizes; 1 where there is none.
func maxOver(d *Dataset, batches []int, value func(*Network, int) float64) float64 {
	most := 0.0
	for _, n := range d.Networks {
		for _, b := range batches {
			if v := value(n, b); finite(v) {
				most = math.Max(most, v)
			}
		}
	}
	if most == 0 {
		return 1
	}
	return most
}

// powerRange is the axis of power: the paper's 8 to 14.2 W, or what other devices need.
func (d *Dataset) powerRange(batches []int) (lo, hi float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, n := range d.Networks {
		for i, b := range n.Batches {
			for _, want := range batches {
				if (want == b || want == 0) && i < len(n.PowerW) && finite(n.PowerW[i]) {
					lo, hi = math.Min(lo, n.PowerW[i]), math.Max(hi, n.PowerW[i])
				}
			}
		}
	}
	switch {
	case lo > hi, lo >= 8 && hi <= 14.2:
		return 8, 14.2
	}
	step := niceStep(math.Max(hi-lo, 0.05*hi), 5)
	return math.Max(0, step*math.Floor(lo/step-0.5)), step * math.Ceil(hi/step+0.3)
}

func (m *missing) join(o *missing) {
	for _, r := range o.order {
		for _, n := range o.names[r] {
			m.add(r, n)
		}
	}
}

// notesOf adds what the dataset says, and what its networks say about themselves in one sentence.
func (f *Figure) notesOf(d *Dataset) {
	f.Notes = append(f.Notes, d.Notes...)
	var parts []string
	for _, n := range d.Networks {
		for _, s := range n.Notes {
			parts = append(parts, n.Name+": "+s)
		}
	}
	if parts != nil {
		f.Notes = append(f.Notes, strings.Join(parts, "; ")+".")
	}
}
