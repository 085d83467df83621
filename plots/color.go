package plots

import (
	"fmt"
	"image/color"
	"math"
)

// hex reads #rrggbb. Colours are constants of this program and of the embedded paper data, so a bad one is a broken program.
func hex(s string) color.NRGBA {
	var c color.NRGBA
	if n, err := fmt.Sscanf(s, "#%02x%02x%02x", &c.R, &c.G, &c.B); err != nil || n != 3 {
		panic("plots: not a colour: " + s)
	}
	c.A = 255
	return c
}

// fade makes a colour translucent.
func fade(c color.NRGBA, alpha float64) color.NRGBA {
	c.A = uint8(math.Round(alpha * 255))
	return c
}

// mix goes from a to b; t is 0 to 1.
func mix(a, b color.NRGBA, t float64) color.NRGBA {
	m := func(x, y uint8) uint8 { return uint8(math.Round(float64(x) + t*(float64(y)-float64(x)))) }
	return color.NRGBA{m(a.R, b.R), m(a.G, b.G), m(a.B, b.B), 255}
}

func linear(v uint8) float64 {
	x := float64(v) / 255
	if x <= 0.04045 {
		return x / 12.92
	}
	return math.Pow((x+0.055)/1.055, 2.4)
}

// luminance is the relative luminance of WCAG 2.1.
func luminance(c color.NRGBA) float64 {
	return 0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B)
}

// contrast is the contrast ratio of WCAG 2.1, from 1 to 21.
func contrast(a, b color.NRGBA) float64 {
	x, y := luminance(a), luminance(b)
	return (math.Max(x, y) + 0.05) / (math.Min(x, y) + 0.05)
}

// readable moves a colour towards the theme's ink until it stands out from the background by the given contrast ratio.
// A colour that already does is returned as it is.
func (t Theme) readable(c color.NRGBA, ratio float64) color.NRGBA {
	for step := 0.0; step < 1; step += 0.05 {
		if m := mix(c, t.Ink, step); contrast(m, t.Background) >= ratio {
			return m
		}
	}
	return t.Ink
}

// Contrast ratios: text needs 4.5 (WCAG 2.1, 1.4.3); marks keep the published colours on white, of which the palest has
// 1.4, and are lightened on dark ground to 3 (WCAG 2.1, 1.4.11).
const (
	textContrast = 4.5
	markContrast = 3.0
)

// textColor is a data colour for text.
func (s Style) textColor(c color.NRGBA) color.NRGBA { return s.Theme.readable(c, textContrast) }

// markColor is a data colour for marks.
func (s Style) markColor(c color.NRGBA) color.NRGBA {
	if s.Theme.Name == Light.Name {
		return c
	}
	return s.Theme.readable(c, markContrast)
}
