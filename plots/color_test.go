package plots

import (
	"image/color"
	"math"
	"testing"

	"github.com/onnxcost/onnxcost/specs"
)

// seen simulates full protanopia, deuteranopia and tritanopia in linear RGB (Machado, Oliveira and Fernandes 2009).
var seen = map[string][9]float64{
	"normal":       {1, 0, 0, 0, 1, 0, 0, 0, 1},
	"protanopia":   {0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998},
	"deuteranopia": {0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.011820, 0.042940, 0.968881},
	"tritanopia":   {1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.303900},
}

// lab is CIE L*a*b* under D65 of a colour as seen through a deficiency.
func lab(c color.NRGBA, m [9]float64) [3]float64 {
	in := [3]float64{linear(c.R), linear(c.G), linear(c.B)}
	var rgb [3]float64
	for i := range rgb {
		rgb[i] = math.Max(0, m[3*i]*in[0]+m[3*i+1]*in[1]+m[3*i+2]*in[2])
	}
	f := func(t float64) float64 {
		if t > 216.0/24389 {
			return math.Cbrt(t)
		}
		return (24389.0/27*t + 16) / 116
	}
	x := f((0.4124564*rgb[0] + 0.3575761*rgb[1] + 0.1804375*rgb[2]) / 0.95047)
	y := f(0.2126729*rgb[0] + 0.7151522*rgb[1] + 0.0721750*rgb[2])
	z := f((0.0193339*rgb[0] + 0.1191920*rgb[1] + 0.9503041*rgb[2]) / 1.08883)
	return [3]float64{116*y - 16, 500 * (x - y), 200 * (y - z)}
}

// TestSafePalette wants the first colours of the groups apart under every kind of colour vision, where the paper's are not.
func TestSafePalette(t *testing.T) {
	worst := func(p Palette) float64 {
		var firsts []color.NRGBA
		done := map[string]bool{}
		d := PaperDataset()
		colors := p.colors(d.Networks)
		for _, r := range inLegendOrder(d.rows()) {
			n, _ := specs.Paper().Network(r.name)
			group := n.Group
			if !done[group] {
				done[group] = true
				firsts = append(firsts, colors[r.main()])
			}
		}
		if len(firsts) != 6 {
			t.Fatalf("got %d groups, want 6", len(firsts))
		}
		least := math.Inf(1)
		for _, m := range seen {
			for i := range firsts {
				for j := range i {
					a, b := lab(firsts[i], m), lab(firsts[j], m)
					least = math.Min(least, math.Hypot(math.Hypot(a[0]-b[0], a[1]-b[1]), a[2]-b[2]))
				}
			}
		}
		return least
	}
	safe, paper := worst(SafeColors), worst(PaperColors)
	if safe < 15 {
		t.Errorf("the safe palette's groups come as near as ΔE %.1f, want at least 15", safe)
	}
	t.Logf("least ΔE between groups: safe %.1f, paper %.1f", safe, paper)
}

// TestContrast wants text of every network readable on both themes, and the published colours untouched on white.
func TestContrast(t *testing.T) {
	d := PaperDataset()
	for _, p := range Palettes() {
		for _, theme := range Themes() {
			s := Style{Theme: theme, Palette: p}
			raw := p.colors(d.Networks)
			for n, l := range s.looks(d.Networks) {
				if c := contrast(l.text, theme.Background); c < textContrast {
					t.Errorf("%s, %s: the name of %s has contrast %.1f, want %.1f", theme.Name, p.Name(), n.Name, c, textContrast)
				}
				if theme.Name == Light.Name && l.mark != raw[n] {
					t.Errorf("%s: %s is drawn in %v, want %v", p.Name(), n.Name, l.mark, raw[n])
				}
			}
		}
	}
	if c := contrast(hex("#000000"), hex("#ffffff")); math.Abs(c-21) > 1e-9 {
		t.Errorf("black on white: contrast %g, want 21", c)
	}
}
