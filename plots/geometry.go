package plots

import (
	"math"

	"gonum.org/v1/plot/vg"
)

// segment is a straight piece between two points of the canvas.
type segment struct{ a, b vg.Point }

// disc is a filled circle.
type disc struct {
	c vg.Point
	r vg.Length
}

func box(center vg.Point, w, h vg.Length) vg.Rectangle {
	return vg.Rectangle{Min: vg.Point{X: center.X - w/2, Y: center.Y - h/2}, Max: vg.Point{X: center.X + w/2, Y: center.Y + h/2}}
}

func grow(r vg.Rectangle, by vg.Length) vg.Rectangle {
	return vg.Rectangle{Min: vg.Point{X: r.Min.X - by, Y: r.Min.Y - by}, Max: vg.Point{X: r.Max.X + by, Y: r.Max.Y + by}}
}

// inside says that r lies within outer.
func inside(r, outer vg.Rectangle) bool {
	return r.Min.X >= outer.Min.X && r.Min.Y >= outer.Min.Y && r.Max.X <= outer.Max.X && r.Max.Y <= outer.Max.Y
}

// overlap is the area that two rectangles share.
func overlap(a, b vg.Rectangle) float64 {
	w := min(a.Max.X, b.Max.X) - max(a.Min.X, b.Min.X)
	h := min(a.Max.Y, b.Max.Y) - max(a.Min.Y, b.Min.Y)
	if w <= 0 || h <= 0 {
		return 0
	}
	return float64(w * h)
}

// clip is the length of s within r (Liang and Barsky 1984).
func clip(s segment, r vg.Rectangle) float64 {
	dx, dy := float64(s.b.X-s.a.X), float64(s.b.Y-s.a.Y)
	t0, t1 := 0.0, 1.0
	for _, e := range [4][2]float64{
		{-dx, float64(s.a.X - r.Min.X)}, {dx, float64(r.Max.X - s.a.X)},
		{-dy, float64(s.a.Y - r.Min.Y)}, {dy, float64(r.Max.Y - s.a.Y)},
	} {
		p, q := e[0], e[1]
		switch {
		case p == 0:
			if q < 0 {
				return 0
			}
		case p < 0:
			t0 = math.Max(t0, q/p)
		default:
			t1 = math.Min(t1, q/p)
		}
	}
	if t0 >= t1 {
		return 0
	}
	return (t1 - t0) * math.Hypot(dx, dy)
}

// crosses says that two segments share a point inside both.
func crosses(s, t segment) bool {
	side := func(a, b, c vg.Point) float64 {
		return float64((b.X-a.X)*(c.Y-a.Y) - (b.Y-a.Y)*(c.X-a.X))
	}
	return side(s.a, s.b, t.a)*side(s.a, s.b, t.b) < 0 && side(t.a, t.b, s.a)*side(t.a, t.b, s.b) < 0
}

// nearest is the point of r that is closest to p.
func nearest(r vg.Rectangle, p vg.Point) vg.Point {
	return vg.Point{X: min(max(p.X, r.Min.X), r.Max.X), Y: min(max(p.Y, r.Min.Y), r.Max.Y)}
}

func distance(a, b vg.Point) vg.Length {
	return vg.Length(math.Hypot(float64(a.X-b.X), float64(a.Y-b.Y)))
}

// depth is how far a disc reaches into a rectangle: 0 where they do not meet.
func (d disc) depth(r vg.Rectangle) float64 {
	return math.Max(0, float64(d.r-distance(nearest(r, d.c), d.c)))
}

// onSegment is the distance of p from s.
func onSegment(p vg.Point, s segment) vg.Length {
	dx, dy := s.b.X-s.a.X, s.b.Y-s.a.Y
	l := dx*dx + dy*dy
	if l == 0 {
		return distance(p, s.a)
	}
	t := min(max(((p.X-s.a.X)*dx+(p.Y-s.a.Y)*dy)/l, 0), 1)
	return distance(p, vg.Point{X: s.a.X + t*dx, Y: s.a.Y + t*dy})
}
