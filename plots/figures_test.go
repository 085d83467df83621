package plots

import (
	"math"
	"os"
	"path/filepath"
	"testing"
)

// yours is a dataset with networks of a user's among the predicted ones: one with an accuracy, one without, one that
// costs more than any of the paper's.
func withYours(d *Dataset) *Dataset {
	yours := &Dataset{Device: d.Device, Software: d.Software, Networks: []*Network{
		{Name: "mine.onnx", Origin: Predicted, Top1Percent: 72.1, GOps: 0.61, MParams: 3.5,
			Batches: []int{1, 2, 4, 8, 16}, TimeMS: []float64{9, 8, 7.5, 7.2, 7.1}, PowerW: []float64{11, 11, 11.2, 11.3, 11.3}, MemoryMB: []float64{31, 48, 81, 146, 280}},
		{Name: "unknown-accuracy.onnx", Origin: Predicted, Top1Percent: math.NaN(), GOps: 55, MParams: 210,
			Batches: []int{1, 2, 4}, TimeMS: []float64{310, 290, 280}, PowerW: []float64{12, 12.1, 12.1}, MemoryMB: []float64{1100, 1400, 2000},
			Notes: []string{"batch 8 does not fit: 4.9 GiB of 4.0 GiB"}},
	}}
	return Join(d, yours)
}

// TestReadable looks at every figure of every source in every theme, palette and a small size.
func TestReadable(t *testing.T) {
	model := predicted(t)
	for name, d := range map[string]*Dataset{"paper": PaperDataset(), "model": model, "both": Join(PaperDataset(), model), "yours": withYours(Join(PaperDataset(), model))} {
		t.Run(name, func(t *testing.T) {
			for _, fig := range PaperFigures() {
				for _, s := range []Style{{}, {Theme: Dark, Palette: SafeColors}, {Width: 860, Height: 620}} {
					checkReadable(t, fig.Draw(d, s))
				}
			}
		})
	}
}

// TestDump writes every figure to the directory PLOTS_DUMP, for looking at.
func TestDump(t *testing.T) {
	dir := os.Getenv("PLOTS_DUMP")
	if dir == "" {
		t.Skip("PLOTS_DUMP names no directory to write the figures to")
	}
	model := predicted(t)
	for _, theme := range Themes() {
		for source, d := range map[string]*Dataset{"paper": PaperDataset(), "model": model, "both": Join(PaperDataset(), model), "yours": withYours(Join(PaperDataset(), model))} {
			for _, fig := range PaperFigures() {
				dump(t, dir, fig.Draw(d, Style{Theme: theme}), source+"-"+theme.Name)
			}
		}
	}
}

func dump(t *testing.T, dir string, f *Figure, suffix string) {
	t.Helper()
	w, err := os.Create(filepath.Join(dir, f.Name+"-"+suffix+".png"))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := f.Write(w, "png"); err != nil {
		t.Fatal(err)
	}
}
