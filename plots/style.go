package plots

import (
	"fmt"
	"image/color"
	"strings"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Type sizes in points. Nothing is set smaller than 8 pt.
const (
	sizeTitle = vg.Length(14)
	sizeAxis  = vg.Length(10.5)
	sizePanel = vg.Length(10.5)
	sizeText  = vg.Length(9.5) // subtitles
	sizeTick  = vg.Length(9)
	sizeLabel = vg.Length(9)
	sizeNote  = vg.Length(8.5) // findings and notes under the panels
)

// pixel is the CSS pixel in which the sizes of figures are given; a PNG has two dots to each.
const pixel = vg.Inch / 96

// A Theme is the set of colours that do not carry data.
type Theme struct {
	Name       string
	Background color.NRGBA
	Ink        color.NRGBA // text, axes
	Soft       color.NRGBA // secondary text, leader lines
	Grid       color.NRGBA
	Wash       color.NRGBA // shaded regions
	Legend     color.NRGBA // blobs of a size legend
}

// The themes.
var (
	Light = Theme{"light", hex("#ffffff"), hex("#1a1a1a"), hex("#595959"), hex("#d4d4d4"), hex("#ececec"), hex("#e5e5e5")}
	Dark  = Theme{"dark", hex("#0d1117"), hex("#e6edf3"), hex("#9aa4af"), hex("#30363d"), hex("#1c232c"), hex("#2d343c")}
)

// Themes lists the themes, the default first.
func Themes() []Theme { return []Theme{Light, Dark} }

// ThemeByName finds a theme.
func ThemeByName(name string) (Theme, error) {
	var names []string
	for _, t := range Themes() {
		if t.Name == name {
			return t, nil
		}
		names = append(names, t.Name)
	}
	return Theme{}, fmt.Errorf("theme %q: want one of %s", name, strings.Join(names, ", "))
}

// A Style is how figures look. The zero Style is the light theme, the paper's colours and each figure's own size.
type Style struct {
	Theme   Theme
	Palette Palette
	// Width and Height of the figure in CSS pixels (1/96 inch); 0 takes the figure's own.
	Width, Height float64
}

func (s Style) orDefault() Style {
	if s.Theme.Name == "" {
		s.Theme = Light
	}
	if s.Palette.name == "" {
		s.Palette = PaperColors
	}
	return s
}

// The smallest and largest figure that --size may ask for, in CSS pixels.
const (
	minSide = 320
	maxSide = 8000
)

// ParseSize reads "960x640", in CSS pixels.
func ParseSize(s string) (width, height float64, err error) {
	if n, err := fmt.Sscanf(s, "%fx%f", &width, &height); err != nil || n != 2 || !(width >= minSide && width <= maxSide && height >= minSide && height <= maxSide) {
		return 0, 0, fmt.Errorf("size %q: want WIDTHxHEIGHT in pixels, each from %d to %d", s, minSide, maxSide)
	}
	return width, height, nil
}

// sans is the embedded font: Liberation Sans, which has the metrics of Arial.
func sans(size vg.Length, weight xfont.Weight) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: size, Weight: weight}
}

// ink is a text style in a colour.
func ink(size vg.Length, c color.Color) text.Style {
	return text.Style{Color: c, Font: sans(size, xfont.WeightNormal), Handler: plot.DefaultTextHandler}
}

func bold(t text.Style) text.Style {
	t.Font.Weight = xfont.WeightBold
	return t
}

func stroke(c color.Color, width float64, dashes ...vg.Length) draw.LineStyle {
	return draw.LineStyle{Color: c, Width: vg.Points(width), Dashes: dashes}
}

// newPlot is an empty panel: left and bottom spines only, sans type, no frame.
func newPlot(s Style, xLabel, yLabel string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil // the figure paints it
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.LineStyle = stroke(s.Theme.Ink, 1)
		a.Tick.LineStyle = stroke(s.Theme.Ink, 0.75)
		a.Tick.Length = vg.Points(4)
		a.Padding = 0
		a.Label.Padding = vg.Points(4)
		align := a.Label.TextStyle
		a.Label.TextStyle = ink(sizeAxis, s.Theme.Ink)
		a.Label.TextStyle.XAlign, a.Label.TextStyle.YAlign = align.XAlign, align.YAlign
		align = a.Tick.Label
		a.Tick.Label = ink(sizeTick, s.Theme.Ink)
		a.Tick.Label.XAlign, a.Tick.Label.YAlign = align.XAlign, align.YAlign
	}
	p.X.Label.Text, p.Y.Label.Text = xLabel, yLabel
	return p
}
