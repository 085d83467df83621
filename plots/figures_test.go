package plots

import (
	"os"
	"path/filepath"
	"testing"
)

// TestReadable looks at every figure in every theme, palette and a small size.
func TestReadable(t *testing.T) {
	for _, fig := range PaperFigures() {
		for _, s := range []Style{{}, {Theme: Dark, Palette: SafeColors}, {Width: 800, Height: 560}} {
			checkReadable(t, fig.Draw(PaperDataset(), s))
		}
	}
}

// TestDump writes every figure to the directory PLOTS_DUMP, for looking at.
func TestDump(t *testing.T) {
	dir := os.Getenv("PLOTS_DUMP")
	if dir == "" {
		t.Skip("PLOTS_DUMP names no directory to write the figures to")
	}
	for _, theme := range Themes() {
		for _, fig := range PaperFigures() {
			w, err := os.Create(filepath.Join(dir, fig.Name+"-"+theme.Name+".png"))
			if err != nil {
				t.Fatal(err)
			}
			if err := fig.Draw(PaperDataset(), Style{Theme: theme}).Write(w, "png"); err != nil {
				t.Fatal(err)
			}
			w.Close()
		}
	}
}
