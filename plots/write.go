package plots

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image/png"
	"io"
	"strings"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgpdf"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Formats lists the file formats, the default first.
func Formats() []string { return []string{"png", "svg", "pdf"} }

// dpi is that of PNG files: two dots to a CSS pixel.
const dpi = 2 * 96

// Write draws the figure in a format of Formats. SVG bytes depend on the figure alone.
func (f *Figure) Write(w io.Writer, format string) error {
	width, height := vg.Length(f.width)*pixel, vg.Length(f.height)*pixel
	switch format {
	case "png":
		c := vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(dpi), vgimg.UseBackgroundColor(f.style.Theme.Background))
		f.Draw(draw.New(c))
		e := png.Encoder{CompressionLevel: png.BestSpeed}
		return e.Encode(w, c.Image())
	case "svg":
		c := vgsvg.New(width, height)
		f.Draw(draw.New(c))
		var b bytes.Buffer
		if _, err := c.WriteTo(&b); err != nil {
			return err
		}
		_, err := io.WriteString(w, f.describe(b.String()))
		return err
	case "pdf":
		c := vgpdf.New(width, height)
		f.Draw(draw.New(boldPDF{c}))
		_, err := c.WriteTo(w)
		return err
	}
	return fmt.Errorf("format %q: want one of %s", format, strings.Join(Formats(), ", "))
}

// describe gives an SVG a title and a description for screen readers, a plain viewBox-relative size in pixels, and fonts
// of equal metrics to fall back to.
func (f *Figure) describe(svg string) string {
	_, body, found := strings.Cut(svg, "xmlns:xlink=\"http://www.w3.org/1999/xlink\">\n")
	if !found {
		return svg
	}
	var b strings.Builder
	fmt.Fprintf(&b, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%g\" height=\"%g\" viewBox=\"0 0 %.5g %.5g\" role=\"img\" aria-labelledby=\"t d\">\n",
		f.width, f.height, (vg.Length(f.width) * pixel).Points(), (vg.Length(f.height) * pixel).Points())
	fmt.Fprintf(&b, "<title id=\"t\">%s</title>\n<desc id=\"d\">%s</desc>\n", escape(clean(f.Title)), escape(strings.Join(append(append([]string{f.Subtitle}, f.Findings...), f.Notes...), " ")))
	body = strings.ReplaceAll(body, "font-family:Liberation Sans;font-variant:normal;", "font-family:'Liberation Sans',Arimo,Arial,Helvetica,sans-serif;")
	body = strings.ReplaceAll(body, "font-weight:normal;font-style:normal;", "")
	body = strings.ReplaceAll(body, "font-style:normal;", "")
	body = strings.ReplaceAll(body, "\n\tstyle=", " style=")
	b.WriteString(body)
	return b.String()
}

func escape(s string) string {
	var b bytes.Buffer
	if err := xml.EscapeText(&b, []byte(s)); err != nil {
		panic(err) // a bytes.Buffer takes everything
	}
	return b.String()
}

// boldPDF gives bold faces a name of their own. vgpdf registers every face as regular and then asks for bold ones as bold,
// which fails.
type boldPDF struct{ *vgpdf.Canvas }

// FillString implements vg.Canvas.
func (c boldPDF) FillString(f font.Face, at vg.Point, s string) {
	if f.Font.Weight == xfont.WeightBold {
		f.Font.Typeface, f.Font.Weight = f.Font.Typeface+"Bold", xfont.WeightNormal
	}
	c.Canvas.FillString(f, at, s)
}
