package plots

import (
	"fmt"
	"image/color"
	"strings"

	"gonum.org/v1/plot/vg"

	"github.com/onnxcost/onnxcost/specs"
)

// A Palette gives networks their colours. Each group of the paper has a hue; networks of a group differ in lightness.
type Palette struct {
	name string
	// groups are the colours of a group's networks, in the paper's order of legends; nil takes the published ones.
	groups map[string][]string
	yours  []string // networks that are not in the paper
}

// The palettes.
var (
	// PaperColors are the published colours, ColorBrewer's sequential schemes.
	PaperColors = Palette{name: "paper",
		yours: []string{"#01665e", "#8c510a", "#542788", "#35978f", "#bf812d", "#8073ac"}}
	// SafeColors keep the groups apart for readers with any of the three colour vision deficiencies: hues of Okabe and
	// Ito (Color Universal Design, 2008), lightness steps within a group.
	SafeColors = Palette{name: "safe",
		groups: map[string][]string{
			"AlexNet": {"#e69f00", "#b37b00"},
			"NIN":     {"#d55e00"},
			"ENet":    {"#000000"},
			"Google":  {"#0072b2", "#56b4e9", "#00466e"},
			"VGG":     {"#009e73", "#00634a"},
			"ResNet":  {"#cc79a7", "#a8508a", "#e3a9c9", "#7c3a68", "#efcfe0"},
		},
		yours: []string{"#7f7f00", "#5c5c5c", "#b8b800", "#8c8c8c", "#4d4d00", "#b0b0b0"}}
)

// Palettes lists the palettes, the default first.
func Palettes() []Palette { return []Palette{PaperColors, SafeColors} }

// Name is how --palette calls the palette.
func (p Palette) Name() string { return p.name }

// PaletteByName finds a palette.
func PaletteByName(name string) (Palette, error) {
	var names []string
	for _, p := range Palettes() {
		if p.name == name {
			return p, nil
		}
		names = append(names, p.name)
	}
	return Palette{}, fmt.Errorf("palette %q: want one of %s", name, strings.Join(names, ", "))
}

// colors gives every network of the list its colour before any adjustment to a theme.
func (p Palette) colors(ns []*Network) map[*Network]color.NRGBA {
	paper := specs.Paper()
	out := map[*Network]color.NRGBA{}
	yours := map[string]int{}
	for _, n := range ns {
		published, ok := paper.Network(n.Paper)
		switch {
		case n.Paper == "" || !ok:
			i, seen := yours[n.Name]
			if !seen {
				i = len(yours)
				yours[n.Name] = i
			}
			out[n] = hex(p.yours[i%len(p.yours)])
		case p.groups == nil:
			out[n] = hex(published.Color)
		default:
			g := p.groups[published.Group]
			out[n] = hex(g[rank(paper, published)%len(g)])
		}
	}
	return out
}

// rank is a network's place among its group in the order of the legend.
func rank(paper *specs.PaperData, n *specs.PaperNetwork) int {
	r := 0
	for _, name := range paper.Legend {
		if name == n.Name {
			return r
		}
		if m, ok := paper.Network(name); ok && m.Group == n.Group {
			r++
		}
	}
	return r
}

// dashes tell the networks of a group apart without colour: the first is solid.
func dashes(rank int) []vg.Length {
	patterns := [][]vg.Length{nil, {6, 2}, {2, 2}, {8, 2, 2, 2}, {10, 3}}
	return patterns[rank%len(patterns)]
}

// look is how one network is drawn.
type look struct {
	mark   color.NRGBA
	text   color.NRGBA
	dashes []vg.Length
}

// looks gives every network its colours and dashes under the style.
func (s Style) looks(ns []*Network) map[*Network]look {
	paper := specs.Paper()
	out := map[*Network]look{}
	for n, c := range s.Palette.colors(ns) {
		l := look{mark: s.markColor(c), text: s.textColor(c)}
		if pn, ok := paper.Network(n.Paper); ok && n.Paper != "" && s.Palette.groups != nil {
			l.dashes = dashes(rank(paper, pn))
		}
		out[n] = l
	}
	return out
}
