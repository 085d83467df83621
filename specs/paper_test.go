package specs

import (
	"encoding/csv"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gonum.org/v1/gonum/stat"
)

func shared(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("ONNXCOST_SHARED")
	if dir == "" {
		t.Skip("needs ONNXCOST_SHARED")
	}
	return dir
}

// points are the values of a series of Figures 3 to 5 over all networks.
func points(p *PaperData, series func(*PaperNetwork) []float64) []float64 {
	var out []float64
	for i := range p.Networks {
		out = append(out, series(&p.Networks[i])...)
	}
	return out
}

// TestPaperFindings computes what the paper says of its own data. The paper
// gives 11.8 W and 0.7 W; the fits are least squares on the digitised points.
func TestPaperFindings(t *testing.T) {
	p := Paper()
	if n := len(p.Networks); n != 14 {
		t.Fatalf("got %d networks, want 14", n)
	}
	if n := len(points(p, func(n *PaperNetwork) []float64 { return n.TimeMS })); n != 82 {
		t.Errorf("got %d time points, want 82", n)
	}
	power := points(p, func(n *PaperNetwork) []float64 { return n.PowerW })
	if n := len(power); n != 82 {
		t.Errorf("got %d power points, want 82", n)
	}
	mean, sd := stat.MeanStdDev(power, nil)
	if math.Abs(mean-11.82) > 0.005 || math.Abs(sd-0.707) > 0.0005 {
		t.Errorf("power: got mean %.4f W, sd %.4f W; want 11.82 and 0.707", mean, sd)
	}
	if n := len(points(p, func(n *PaperNetwork) []float64 { return n.MemoryMB })); n != 11*7-5*2-1 {
		t.Errorf("got %d memory points, want %d", n, 11*7-5*2-1)
	}

	// Figure 6: memory at batch 1 against parameters in MiB of FP32.
	var x, y []float64
	for i := range p.Networks {
		n := &p.Networks[i]
		if mb, ok := p.At(n.MemoryMB, 1); ok {
			x, y = append(x, n.PlottedMParams*1e6*4/(1<<20)), append(y, mb)
		}
	}
	if _, slope := stat.LinearRegression(x, y, nil, false); len(x) != 11 || math.Abs(slope-1.31) > 0.005 {
		t.Errorf("Figure 6: got slope %.4f over %d networks, want 1.31 over 11", slope, len(x))
	}

	// Figure 7: operations against time per image.
	for batch, want := range map[int]float64{1: 0.187, 16: 0.229} {
		x, y = nil, nil
		for i := range p.Networks {
			n := &p.Networks[i]
			ms, ok := p.At(n.TimeMS, batch)
			if !ok {
				t.Fatalf("%s: no time at batch %d", n.Name, batch)
			}
			x, y = append(x, ms), append(y, n.PlottedGOps)
		}
		if _, slope := stat.LinearRegression(x, y, nil, false); math.Abs(slope-want) > 0.0005 {
			t.Errorf("Figure 7, batch %d: got %.4f G-Ops/ms, want %.3f", batch, slope, want)
		}
	}
}

func TestPaperNetworks(t *testing.T) {
	p := Paper()
	last := 0.0
	for i := range p.Networks {
		n := &p.Networks[i]
		if n.Top1Percent < last {
			t.Errorf("%s: want the networks in ascending accuracy", n.Name)
		}
		last = n.Top1Percent
		if math.Abs(n.GOps-n.PlottedGOps) > 0.01 {
			t.Errorf("%s: published %v G-Ops, plotted %v", n.Name, n.GOps, n.PlottedGOps)
		}
		if !n.Mismatch && math.Abs(n.RecountGOps-n.PlottedGOps) > 0.01 {
			t.Errorf("%s: recounted %v G-Ops, plotted %v", n.Name, n.RecountGOps, n.PlottedGOps)
		}
		if !n.Mismatch && math.Abs(float64(n.Params)/1e6-n.PlottedMParams) > 0.0001 {
			t.Errorf("%s: %d parameters, plotted %v million", n.Name, n.Params, n.PlottedMParams)
		}
		for _, name := range []string{n.Name, n.Zoo} {
			if got, ok := p.Network(name); !ok || got != n {
				t.Errorf("%s is not found", name)
			}
		}
		if n.Color[0] != '#' || len(n.Color) != 7 {
			t.Errorf("%s: color %s", n.Name, n.Color)
		}
	}
	if len(p.Legend) != len(p.Networks) {
		t.Errorf("the legend has %d names", len(p.Legend))
	}
	if _, ok := p.Network("lenet"); ok {
		t.Error("found a network that the paper does not have")
	}
	if _, err := LoadDevice(p.Board.Device); err != nil {
		t.Error(err)
	}
}

// TestPaperIsTheCallers: one caller's changes do not reach another.
func TestPaperIsTheCallers(t *testing.T) {
	a := Paper()
	a.Networks[0].TimeMS[0] = 0
	a.Batches[0] = 7
	if b := Paper(); b.Networks[0].TimeMS[0] == 0 || b.Batches[0] == 7 {
		t.Error("Paper gives shared data")
	}
}

// TestPaperEqualsDigitised compares every point with the digitised files.
func TestPaperEqualsDigitised(t *testing.T) {
	dir := filepath.Join(shared(t), "paper", "data")
	p := Paper()
	for file, series := range map[string]func(*PaperNetwork) []float64{
		"fig3_time_ms.csv":   func(n *PaperNetwork) []float64 { return n.TimeMS },
		"fig4_power_w.csv":   func(n *PaperNetwork) []float64 { return n.PowerW },
		"fig5_memory_mb.csv": func(n *PaperNetwork) []float64 { return n.MemoryMB },
	} {
		f, err := os.Open(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		r := csv.NewReader(f)
		r.FieldsPerRecord = -1
		rows, err := r.ReadAll()
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		var batches []int
		for _, text := range rows[0][1:] {
			b, err := strconv.Atoi(text)
			if err != nil {
				t.Fatal(err)
			}
			batches = append(batches, b)
		}
		if diff := cmp.Diff(batches, p.Batches); diff != "" {
			t.Errorf("%s: batches: %s", file, diff)
		}
		want, got := map[string][]float64{}, map[string][]float64{}
		for _, row := range rows[1:] {
			for _, text := range row[1:] {
				v, err := strconv.ParseFloat(text, 64)
				if err != nil {
					t.Fatal(err)
				}
				want[row[0]] = append(want[row[0]], v)
			}
		}
		for i := range p.Networks {
			if s := series(&p.Networks[i]); len(s) > 0 {
				got[p.Networks[i].Name] = s
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", file, diff)
		}
	}

	data, err := os.ReadFile(filepath.Join(dir, "digitised.json"))
	if err != nil {
		t.Fatal(err)
	}
	var plotted struct {
		Params map[string]float64 `json:"params_m"`
		GOps   map[string]float64 `json:"gops"`
		Top1   map[string]float64 `json:"top1"`
	}
	if err := json.Unmarshal(data, &plotted); err != nil {
		t.Fatal(err)
	}
	for i := range p.Networks {
		n := &p.Networks[i]
		if n.PlottedMParams != plotted.Params[n.Name] || n.PlottedGOps != plotted.GOps[n.Name] || n.Top1Percent != plotted.Top1[n.Name] {
			t.Errorf("%s: got %v M, %v G-Ops, %v %%; want %v, %v, %v", n.Name, n.PlottedMParams, n.PlottedGOps, n.Top1Percent,
				plotted.Params[n.Name], plotted.GOps[n.Name], plotted.Top1[n.Name])
		}
	}
}

// sharedNetwork is the part of the shared table of networks that is compared.
type sharedNetwork struct {
	Name    string
	Top1    float64
	GOps    float64
	Recount float64
	MACs    float64
	Params  float64
	Input   [3]int
	Year    int
	Group   string
	Color   string
	Max     int
	Density float64
}

func TestPaperEqualsNetworkTable(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(shared(t), "paper", "networks.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	r := newReport("networks.yaml")
	root := parseYAML(data, r)
	if root == nil {
		t.Fatal(r.err())
	}
	p := Paper()
	var table []*node
	for i, key := range root.keys {
		if key.text == "networks" {
			table = root.vals[i].items
		}
	}
	if len(table) != len(p.Networks) {
		t.Fatalf("got %d networks, want %d", len(p.Networks), len(table))
	}
	for i, row := range table {
		n := &p.Networks[i]
		var want sharedNetwork
		lookup(t, row, map[string]any{
			"name": &want.Name, "top1": &want.Top1, "published_gops": &want.GOps, "opcounter_gops": &want.Recount,
			"macs_g": &want.MACs, "params_m": &want.Params, "year": &want.Year, "group": &want.Group, "color": &want.Color,
			"max_batch_plotted": &want.Max, "density_pct_per_mparam": &want.Density, "input": &want.Input,
		})
		got := sharedNetwork{
			n.Name, n.Top1Percent, n.GOps, n.RecountGOps, math.Round(float64(n.MACs)/1e3) / 1e6, float64(n.Params) / 1e6,
			n.Input, n.Year, n.Group, n.Color, p.Batches[len(n.TimeMS)-1], n.Density,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", n.Name, diff)
		}
	}
}

// lookup decodes the named values of a mapping whose other keys do not matter.
func lookup(t *testing.T, n *node, out map[string]any) {
	t.Helper()
	found := 0
	for i, key := range n.keys {
		if v, ok := out[key.text]; ok {
			d := &decoder{report: newReport("")}
			d.value(n.vals[i], reflect.ValueOf(v).Elem(), key.text, field{})
			if err := d.err(); err != nil {
				t.Fatal(err)
			}
			found++
		}
	}
	if found != len(out) {
		t.Fatalf("found %d of %d keys", found, len(out))
	}
}
