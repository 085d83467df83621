package plots

import (
	"image"
	"image/color"
	"math"
	"testing"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// spy is a canvas that remembers where text was set, so that tests can look at a figure as a reader does.
type spy struct {
	w, h  vg.Length
	stack [][6]float64 // affine: x' = a·x + c·y + e, y' = b·x + d·y + f
	texts []setText
	marks int
}

// setText is one line of text with its corners on the canvas.
type setText struct {
	text    string
	size    vg.Length
	corners [4]vg.Point
}

func newSpy(w, h vg.Length) *spy { return &spy{w: w, h: h, stack: [][6]float64{{1, 0, 0, 1, 0, 0}}} }

func (s *spy) top() *[6]float64                    { return &s.stack[len(s.stack)-1] }
func (s *spy) Size() (vg.Length, vg.Length)        { return s.w, s.h }
func (s *spy) SetLineWidth(vg.Length)              {}
func (s *spy) SetLineDash([]vg.Length, vg.Length)  {}
func (s *spy) SetColor(color.Color)                {}
func (s *spy) Stroke(vg.Path)                      { s.marks++ }
func (s *spy) Fill(vg.Path)                        { s.marks++ }
func (s *spy) DrawImage(vg.Rectangle, image.Image) {}
func (s *spy) Push()                               { s.stack = append(s.stack, *s.top()) }
func (s *spy) Pop()                                { s.stack = s.stack[:len(s.stack)-1] }
func (s *spy) Scale(x, y float64)                  { s.times([6]float64{x, 0, 0, y, 0, 0}) }
func (s *spy) Translate(p vg.Point)                { s.times([6]float64{1, 0, 0, 1, float64(p.X), float64(p.Y)}) }
func (s *spy) Rotate(r float64) {
	sin, cos := math.Sincos(r)
	s.times([6]float64{cos, sin, -sin, cos, 0, 0})
}

func (s *spy) times(n [6]float64) {
	m := *s.top()
	*s.top() = [6]float64{
		m[0]*n[0] + m[2]*n[1], m[1]*n[0] + m[3]*n[1],
		m[0]*n[2] + m[2]*n[3], m[1]*n[2] + m[3]*n[3],
		m[0]*n[4] + m[2]*n[5] + m[4], m[1]*n[4] + m[3]*n[5] + m[5],
	}
}

func (s *spy) FillString(f font.Face, p vg.Point, text string) {
	m := s.top()
	at := func(x, y vg.Length) vg.Point {
		return vg.Point{X: vg.Length(m[0]*float64(x) + m[2]*float64(y) + m[4]), Y: vg.Length(m[1]*float64(x) + m[3]*float64(y) + m[5])}
	}
	// The inked part: from the descender to the height of capitals.
	w, up, down := f.Width(text), 0.72*f.Font.Size, 0.2*f.Font.Size
	s.texts = append(s.texts, setText{text, f.Font.Size, [4]vg.Point{at(p.X, p.Y-down), at(p.X+w, p.Y-down), at(p.X+w, p.Y+up), at(p.X, p.Y+up)}})
}

// look draws a figure on a spy.
func lookAt(f *Figure) *spy {
	w, h := f.Size()
	s := newSpy(vg.Length(w)*pixel, vg.Length(h)*pixel)
	f.Draw(draw.New(s))
	return s
}

// meet says that two convex quadrangles overlap by more than slack: no side of either separates them.
func meet(a, b [4]vg.Point, slack float64) bool {
	for _, q := range [2][4]vg.Point{a, b} {
		for i := range 4 {
			dx, dy := float64(q[(i+1)%4].X-q[i].X), float64(q[(i+1)%4].Y-q[i].Y)
			n := math.Hypot(dx, dy)
			if n == 0 {
				continue
			}
			side := func(p vg.Point) float64 { return (float64(p.X)*dy - float64(p.Y)*dx) / n }
			lo := [2]float64{math.Inf(1), math.Inf(1)}
			hi := [2]float64{math.Inf(-1), math.Inf(-1)}
			for k, r := range [2][4]vg.Point{a, b} {
				for _, p := range r {
					lo[k], hi[k] = math.Min(lo[k], side(p)), math.Max(hi[k], side(p))
				}
			}
			if math.Min(hi[0], hi[1])-math.Max(lo[0], lo[1]) <= slack {
				return false
			}
		}
	}
	return true
}

// checkReadable holds a figure to the rules of legibility: nothing below 8 pt, no text beyond the edge, none on another.
func checkReadable(t *testing.T, f *Figure) {
	t.Helper()
	s := lookAt(f)
	if len(s.texts) == 0 || s.marks == 0 {
		t.Fatalf("%s: nothing is drawn", f.Name)
	}
	for i, a := range s.texts {
		if a.size < 8 {
			t.Errorf("%s: %q is set in %.1f pt, want at least 8", f.Name, a.text, a.size)
		}
		for _, p := range a.corners {
			if p.X < 0 || p.Y < 0 || p.X > s.w || p.Y > s.h {
				t.Errorf("%s: %q reaches beyond the edge", f.Name, a.text)
				break
			}
		}
		for _, b := range s.texts[:i] {
			if meet(a.corners, b.corners, 0.3) {
				t.Errorf("%s: %q lies on %q", f.Name, a.text, b.text)
			}
		}
	}
}

func TestMeet(t *testing.T) {
	quad := func(x, y, w, h, turn float64) [4]vg.Point {
		sin, cos := math.Sincos(turn)
		var q [4]vg.Point
		for i, p := range [4][2]float64{{0, 0}, {w, 0}, {w, h}, {0, h}} {
			q[i] = vg.Point{X: vg.Length(x + cos*p[0] - sin*p[1]), Y: vg.Length(y + sin*p[0] + cos*p[1])}
		}
		return q
	}
	for _, c := range []struct {
		name string
		a, b [4]vg.Point
		want bool
	}{
		{"same", quad(0, 0, 4, 2, 0), quad(0, 0, 4, 2, 0), true},
		{"beside", quad(0, 0, 4, 2, 0), quad(4.1, 0, 4, 2, 0), false},
		{"turned boxes whose bounds meet", quad(0, 0, 10, 1, 0.785), quad(3, 0, 10, 1, 0.785), false},
		{"cross", quad(0, 0, 10, 1, 0), quad(5, -5, 1, 10, 0), true},
	} {
		if got := meet(c.a, c.b, 0); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}
