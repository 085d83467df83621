package plots

import (
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onnxcost/onnxcost/specs"
)

// TestPaperDataset holds the drawn points to the embedded data.
func TestPaperDataset(t *testing.T) {
	paper, d := specs.Paper(), PaperDataset()
	if len(d.Networks) != len(paper.Networks) {
		t.Fatalf("got %d networks, want %d", len(d.Networks), len(paper.Networks))
	}
	for i, n := range d.Networks {
		p := paper.Networks[i]
		if n.Name != p.Name || n.Top1Percent != p.Top1Percent || n.GOps != p.GOps || n.MParams != p.PlottedMParams {
			t.Errorf("network %d: got %+v, want %s", i, *n, p.Name)
		}
		if math.Abs(n.density()-p.Density) > 6e-4 {
			t.Errorf("%s: density %.4f, want %.3f", n.Name, n.density(), p.Density)
		}
		for j, b := range n.Batches {
			if v, ok := paper.At(p.TimeMS, b); !ok || v != n.TimeMS[j] {
				t.Errorf("%s: time at batch %d is %g, want %g", n.Name, b, n.TimeMS[j], v)
			}
			if v, ok := paper.At(p.PowerW, b); !ok || v != n.PowerW[j] {
				t.Errorf("%s: power at batch %d is %g, want %g", n.Name, b, n.PowerW[j], v)
			}
			v, ok := paper.At(p.MemoryMB, b)
			if got := n.MemoryMB[j]; ok && v != got || !ok && !math.IsNaN(got) {
				t.Errorf("%s: memory at batch %d is %g, want %g", n.Name, b, got, v)
			}
		}
	}
}

// TestPaperFiles holds the drawn points to the tables that the figures were digitised to.
func TestPaperFiles(t *testing.T) {
	shared := os.Getenv("ONNXCOST_SHARED")
	if shared == "" {
		t.Skip("needs ONNXCOST_SHARED")
	}
	networks := map[string]*Network{}
	for _, n := range PaperDataset().Networks {
		networks[n.Name] = n
	}
	for file, series := range map[string]func(*Network) []float64{
		"fig3_time_ms.csv":   func(n *Network) []float64 { return n.TimeMS },
		"fig4_power_w.csv":   func(n *Network) []float64 { return n.PowerW },
		"fig5_memory_mb.csv": func(n *Network) []float64 { return n.MemoryMB },
	} {
		f, err := os.Open(filepath.Join(shared, "paper", "data", file))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		r := csv.NewReader(f)
		r.FieldsPerRecord = -1
		rows, err := r.ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		points := 0
		for _, row := range rows[1:] {
			n := networks[row[0]]
			for i, cell := range row[1:] {
				want, err := strconv.ParseFloat(cell, 64)
				if err != nil {
					t.Fatal(err)
				}
				batch, _ := strconv.Atoi(rows[0][i+1])
				if got := n.at(series(n), batch); got != want {
					t.Errorf("%s: %s at batch %d: got %g, want %g", file, row[0], batch, got, want)
				}
				points++
			}
		}
		drawn := 0
		for _, n := range networks {
			for _, v := range series(n) {
				if finite(v) {
					drawn++
				}
			}
		}
		if drawn != points {
			t.Errorf("%s: %d points are drawn, want %d", file, drawn, points)
		}
	}
}

// TestFits holds the fits of the published points to the values computed apart from this program.
func TestFits(t *testing.T) {
	d := PaperDataset()
	near := func(what string, got, want, tol float64) {
		t.Helper()
		if math.Abs(got-want) > tol {
			t.Errorf("%s: got %.4f, want %g ± %g", what, got, want, tol)
		}
	}
	fit := func(what string, x, y func(*Network) float64, n int, slope, tol, intercept, tolI, r2 float64) {
		t.Helper()
		l, ok := d.fitOver(Published, x, y)
		if !ok || l.N != n {
			t.Errorf("%s: %d points, want %d", what, l.N, n)
		}
		near(what+": slope", l.Slope, slope, tol)
		near(what+": intercept", l.Intercept, intercept, tolI)
		near(what+": R²", l.R2, r2, 0.0051)
	}
	ops := func(n *Network) float64 { return n.GOps }
	fit("Figure 6", (*Network).paramMiB, func(n *Network) float64 { return n.at(n.MemoryMB, 1) }, 11, 1.31, 0.005, 103, 0.6, 0.95)
	fit("Figure 7, batch 1", func(n *Network) float64 { return n.timeAt(1) }, ops, 14, 0.187, 0.0005, -2.3, 0.06, 0.937)
	fit("Figure 7, batch 16", func(n *Network) float64 { return n.timeAt(16) }, ops, 14, 0.229, 0.0005, -1.4, 0.06, 0.950)

	power := meanSDOf(d.seriesValues(func(n *Network) []float64 { return n.PowerW }))
	if power.N != 82 {
		t.Errorf("power: %d points, want 82", power.N)
	}
	near("power: mean", power.Mean, 11.82, 0.005)
	near("power: standard deviation", power.SD, 0.707, 0.0006)

	for _, c := range []struct {
		batch                int
		intercept, slope, r2 float64
		without              []string
	}{
		{1, 80.1, -0.268, 0.939, []string{"AlexNet", "BN-AlexNet", "VGG-16", "VGG-19"}},
		{16, 79.8, -0.181, 0.979, []string{"VGG-16", "VGG-19"}},
	} {
		l, ok := d.bound(Published, c.batch)
		if !ok {
			t.Fatal("no line")
		}
		near("Figure 9: intercept", l.Intercept, c.intercept, 0.051)
		near("Figure 9: slope", l.Slope, c.slope, 0.00051)
		near("Figure 9: R²", l.R2, c.r2, 0.00051)
		var off []string
		out := d.outliers(Published, c.batch)
		for _, n := range d.Networks {
			if out[n.Name] {
				off = append(off, n.Name)
			}
		}
		if diff := cmp.Diff(c.without, off); diff != "" {
			t.Errorf("Figure 9, batch %d: outliers (-want +got):\n%s", c.batch, diff)
		}
	}
	alexnet := d.Networks[0]
	near("AlexNet's gain in throughput", alexnet.hertz(16)-alexnet.hertz(1), 80.1, 0.06)
}

// TestDensityOrder is the published order of Figure 10.
func TestDensityOrder(t *testing.T) {
	var got []string
	for _, r := range sortBy(PaperDataset().rows(), (*Network).density) {
		got = append(got, r.name)
	}
	want := []string{"VGG-19", "VGG-16", "AlexNet", "BN-AlexNet", "ResNet-152", "ResNet-101", "Inception-v4", "ResNet-50",
		"Inception-v3", "ResNet-34", "ResNet-18", "BN-NIN", "GoogLeNet", "ENet"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestErrors(t *testing.T) {
	nan := math.NaN()
	e := errorsOf([]float64{1.1, 1.8, nan, 40}, []float64{1, 2, 3, 40})
	if e.N != 3 || math.Abs(e.MAPE-0.2/3) > 1e-12 || math.Abs(e.Bias) > 1e-12 || math.Abs(e.Within10-1) > 1e-12 || math.Abs(e.Spearman-1) > 1e-12 {
		t.Errorf("got %+v", e)
	}
	if diff := cmp.Diff([]float64{0.5, 2, 0.5}, ranks([]float64{3, 7, 3})); diff != "" {
		t.Errorf("ranks (-want +got):\n%s", diff)
	}
	if e := errorsOf(nil, nil); e.N != 0 {
		t.Errorf("no pairs: got %+v", e)
	}
}
