package plots

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

// checkXML parses a document to its end.
func checkXML(t *testing.T, name string, data []byte) {
	t.Helper()
	for dec := xml.NewDecoder(bytes.NewReader(data)); ; {
		if _, err := dec.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
	}
}

func TestParseSize(t *testing.T) {
	if w, h, err := ParseSize("960x640"); err != nil || w != 960 || h != 640 {
		t.Errorf("960x640: got %g, %g, %v", w, h, err)
	}
	for _, bad := range []string{"", "960", "960x", "0x0", "100x640", "9999x640", "NaNxNaN", "-960x640", "1e9x1e9"} {
		if _, _, err := ParseSize(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestNamesOfStyles(t *testing.T) {
	if _, err := ThemeByName("sepia"); err == nil || !strings.Contains(err.Error(), "light, dark") {
		t.Errorf("got %v, want the themes", err)
	}
	if _, err := PaletteByName("x"); err == nil || !strings.Contains(err.Error(), "paper, safe") {
		t.Errorf("got %v, want the palettes", err)
	}
	for i, alias := range []string{"fig1", "fig2", "fig3", "fig4", "fig5", "fig6", "fig7", "fig8", "fig9", "FIG10"} {
		f, err := PaperFigureByName(alias)
		if err != nil || f.Name != PaperFigures()[i].Name {
			t.Errorf("%s: got %q, %v", alias, f.Name, err)
		}
	}
	if _, err := PaperFigureByName("fig11"); err == nil {
		t.Error("fig11 is accepted")
	}
}

// FuzzFigureText draws a figure whose networks have any name: no panic, and a well-formed SVG.
func FuzzFigureText(f *testing.F) {
	f.Add("my<model>&\"'.onnx", 70.0, 3.0)
	f.Add("", -1.0, 0.0)
	f.Add("模型\x00\n\t\xff", 1e300, 1e-300)
	f.Fuzz(func(t *testing.T, name string, top1, gops float64) {
		d := PaperDataset()
		d.Networks = append(d.Networks, &Network{Name: name, Origin: Predicted, Top1Percent: top1, GOps: gops, MParams: gops, Batches: []int{1}, TimeMS: []float64{gops}, PowerW: []float64{top1}, MemoryMB: []float64{gops}})
		for _, fig := range PaperFigures() {
			var b bytes.Buffer
			if err := fig.Draw(d, Style{}).Write(&b, "svg"); err != nil {
				t.Fatal(err)
			}
			checkXML(t, fig.Name, b.Bytes())
		}
	})
}
