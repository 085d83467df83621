package plots

import (
	"fmt"
	"image/color"
	"sort"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// keyEntry is one line of a key: a patch of colour and its meaning.
type keyEntry struct {
	name  string // of the category; "" for several
	color color.NRGBA
	text  string
}

// key explains colours in a column right of a panel.
type key struct {
	style   Style
	entries []keyEntry
}

// keyRoom is the room for a key.
func (k *key) room() vg.Length {
	st := ink(sizeTick, k.style.Theme.Ink)
	w := vg.Length(0)
	for _, e := range k.entries {
		w = max(w, st.Width(e.text))
	}
	return min(w, maxName) + 30
}

// Plot implements plot.Plotter.
func (k *key) Plot(c draw.Canvas, _ *plot.Plot) {
	st := ink(sizeTick, k.style.Theme.Ink)
	y := c.Max.Y
	for _, e := range k.entries {
		text := fit(st, e.text, maxName)
		w, h := textSize(st, text)
		x := c.Max.X + 12
		r := box(vg.Point{X: x + 4, Y: y - h/2}, 8, 8)
		c.SetColor(e.color)
		c.Fill(r.Path())
		drawIn(c, st, box(vg.Point{X: x + 14 + w/2, Y: y - h/2}, w, h), text)
		y -= h + 3
	}
}

// categories are colours for what has no order, from Okabe and Ito.
var categories = []string{"#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8a7a00"}

// share is a name with its part of a whole.
type share struct {
	name  string
	value float64
}

// categorise gives the names with the largest values a colour each, in order of value, and the others a common grey. The
// key states each part's share.
func (s Style) categorise(parts []share) (map[string]color.NRGBA, *key) {
	sums := map[string]float64{}
	total := 0.0
	for _, p := range parts {
		sums[p.name] += p.value
		total += p.value
	}
	names := make([]string, 0, len(sums))
	for n := range sums {
		names = append(names, n)
	}
	sort.Slice(names, func(i, j int) bool {
		if a, b := sums[names[i]], sums[names[j]]; a != b {
			return a > b
		}
		return names[i] < names[j]
	})
	grey := mix(s.Theme.Background, s.Theme.Ink, 0.45)
	colors := map[string]color.NRGBA{}
	k := &key{style: s}
	rest, others := 0.0, 0
	for i, n := range names {
		if i < len(categories) {
			colors[n] = s.markColor(hex(categories[i]))
			k.entries = append(k.entries, keyEntry{n, colors[n], fmt.Sprintf("%s %s", n, percentText(sums[n], total))})
			continue
		}
		colors[n] = grey
		if len(names) == len(categories)+1 {
			k.entries = append(k.entries, keyEntry{n, grey, fmt.Sprintf("%s %s", n, percentText(sums[n], total))})
			break
		}
		rest += sums[n]
		others++
	}
	if others > 0 {
		k.entries = append(k.entries, keyEntry{"", grey, fmt.Sprintf("%d others %s", others, percentText(rest, total))})
	}
	return colors, k
}

func percentText(part, whole float64) string {
	if whole <= 0 {
		return ""
	}
	p := 100 * part / whole
	switch {
	case p == 0:
		return "0 %"
	case p < 0.1:
		return "<0.1 %"
	case p < 10:
		return fmt.Sprintf("%.1f %%", p)
	}
	return fmt.Sprintf("%.0f %%", p)
}

// si scales values by a decimal prefix that leaves the largest at one or more.
func si(largest float64) (factor float64, prefix string) {
	for _, p := range []struct {
		f float64
		s string
	}{{1e15, "P"}, {1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}, {1, ""}, {1e-3, "m"}, {1e-6, "µ"}} {
		if largest >= p.f {
			return p.f, p.s
		}
	}
	return 1e-9, "n"
}

// binary scales bytes.
func binary(largest float64) (factor float64, unit string) {
	for _, p := range []struct {
		f float64
		s string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if largest >= p.f {
			return p.f, p.s
		}
	}
	return 1, "bytes"
}

// three writes three significant digits.
func three(v float64) string { return fmt.Sprintf("%.3g", v) }

// scaledText writes a quantity with a prefix: 0.0123, "J" is 12.3 mJ.
func scaledText(v float64, unit string) string {
	f, p := si(v)
	return fmt.Sprintf("%s %s%s", three(v/f), p, unit)
}
