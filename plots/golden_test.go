package plots

import (
	"bytes"
	"flag"
	"image"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden images")

// goldenWidth is the width of golden images: small enough for the repository, large enough to show a wrong picture.
const goldenWidth = 480

// shrink averages an image down to a width.
func shrink(src image.Image, width int) *image.RGBA {
	b := src.Bounds()
	height := b.Dy() * width / b.Dx()
	out := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			var sum [3]uint64
			n := uint64(0)
			for v := b.Min.Y + y*b.Dy()/height; v < b.Min.Y+(y+1)*b.Dy()/height; v++ {
				for u := b.Min.X + x*b.Dx()/width; u < b.Min.X+(x+1)*b.Dx()/width; u++ {
					r, g, bl, _ := src.At(u, v).RGBA()
					sum[0], sum[1], sum[2] = sum[0]+uint64(r>>8), sum[1]+uint64(g>>8), sum[2]+uint64(bl>>8)
					n++
				}
			}
			i := out.PixOffset(x, y)
			out.Pix[i], out.Pix[i+1], out.Pix[i+2], out.Pix[i+3] = uint8(sum[0]/n), uint8(sum[1]/n), uint8(sum[2]/n), 255
		}
	}
	return out
}

// difference is the root mean square of two images' differences, of 255.
func difference(a, b image.Image) float64 {
	if a.Bounds().Size() != b.Bounds().Size() {
		return math.Inf(1)
	}
	sum, n := 0.0, 0.0
	for y := range a.Bounds().Dy() {
		for x := range a.Bounds().Dx() {
			r1, g1, b1, _ := a.At(a.Bounds().Min.X+x, a.Bounds().Min.Y+y).RGBA()
			r2, g2, b2, _ := b.At(b.Bounds().Min.X+x, b.Bounds().Min.Y+y).RGBA()
			for _, d := range [3]float64{float64(r1>>8) - float64(r2>>8), float64(g1>>8) - float64(g2>>8), float64(b1>>8) - float64(b2>>8)} {
				sum += d * d
				n++
			}
		}
	}
	return math.Sqrt(sum / n)
}

// TestGolden compares the figures of the published data with pictures that were looked at, with a tolerance for other
// rasterisers. Charts that rest on the cost model have data tests and TestChartsReadable instead: their points move
// whenever the model improves.
func TestGolden(t *testing.T) {
	const tolerance = 3 // of 255; a moved name or a wrong colour gives more
	for i, fig := range PaperFigures() {
		theme := Themes()[i%2]
		t.Run(fig.Name, func(t *testing.T) {
			var b bytes.Buffer
			if err := fig.Draw(PaperDataset(), Style{Theme: theme}).Write(&b, "png"); err != nil {
				t.Fatal(err)
			}
			full, err := png.Decode(&b)
			if err != nil {
				t.Fatal(err)
			}
			got := shrink(full, goldenWidth)
			path := filepath.Join("testdata", "golden", fig.Name+".png")
			if *update {
				if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
					t.Fatal(err)
				}
				var out bytes.Buffer
				if err := png.Encode(&out, got); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, out.Bytes(), 0o666); err != nil {
					t.Fatal(err)
				}
				return
			}
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			want, err := png.Decode(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			if d := difference(got, want); d > tolerance {
				t.Errorf("differs from %s by %.1f of 255, want at most %v (-update rewrites it; look at it first)", path, d, float64(tolerance))
			}
		})
	}
}

// TestGoldenNotices makes sure that the tolerance does not let a changed point through.
func TestGoldenNotices(t *testing.T) {
	picture := func(change func(*Dataset)) image.Image {
		d := PaperDataset()
		change(d)
		var b bytes.Buffer
		if err := paperTop1Ops(d, Style{}).Write(&b, "png"); err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(&b)
		if err != nil {
			t.Fatal(err)
		}
		return shrink(img, goldenWidth)
	}
	same := picture(func(*Dataset) {})
	if d := difference(same, picture(func(*Dataset) {})); d != 0 {
		t.Errorf("equal data differ by %g", d)
	}
	if d := difference(same, picture(func(d *Dataset) { d.Networks[6].GOps = 20 })); d < 6 {
		t.Errorf("a moved blob changes the picture by %.1f only", d)
	}
}

// TestSVG wants equal bytes for equal data, well-formed enough to hold its own description, and no rest of Go's formatting.
func TestSVG(t *testing.T) {
	for _, fig := range PaperFigures() {
		var a, b bytes.Buffer
		if err := fig.Draw(PaperDataset(), Style{}).Write(&a, "svg"); err != nil {
			t.Fatal(err)
		}
		if err := fig.Draw(PaperDataset(), Style{}).Write(&b, "svg"); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a.Bytes(), b.Bytes()) {
			t.Errorf("%s: two runs differ", fig.Name)
		}
		checkXML(t, fig.Name, a.Bytes())
		for _, bad := range []string{"NaN", "Inf", "%!", "font-family:Liberation"} {
			if bytes.Contains(a.Bytes(), []byte(bad)) {
				t.Errorf("%s: the SVG contains %q", fig.Name, bad)
			}
		}
	}
}

// TestPDF wants a file with one page for every figure.
func TestPDF(t *testing.T) {
	for _, fig := range PaperFigures() {
		var b bytes.Buffer
		if err := fig.Draw(PaperDataset(), Style{}).Write(&b, "pdf"); err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(b.Bytes(), []byte("%PDF-")) || bytes.Count(b.Bytes(), []byte("/Type /Page\n")) != 1 {
			t.Errorf("%s: not a PDF of one page", fig.Name)
		}
	}
	if err := paperTop1(PaperDataset(), Style{}).Write(&bytes.Buffer{}, "gif"); err == nil {
		t.Error("an unknown format is accepted")
	}
}
