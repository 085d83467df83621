package costmodel

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math"
	"os"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/onnxcost/onnxcost/costmodel/form"
	"github.com/onnxcost/onnxcost/specs"
)

var update = flag.Bool("update", false, "rewrite golden files and the fitted device file")

func tx1(t testing.TB) *specs.Device {
	t.Helper()
	d, err := specs.LoadDevice("jetson-tx1")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

var paperFit = sync.OnceValues(func() (*form.PaperFit, error) {
	d, err := specs.LoadDevice("jetson-tx1")
	if err != nil {
		return nil, err
	}
	return FitPaper(context.Background(), d)
})

// TestPaperFit holds the fit of the paper's board to the limits that the project promises, and to being better than the
// lines through operations by what makes kernels worth having.
func TestPaperFit(t *testing.T) {
	f, err := paperFit()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("time %.1f %% (held out %.1f %%), power %.1f %% (%.1f %%; constant %.1f %%), ops line %.1f %% (%.1f %%), published ops %.1f %% (%.1f %%)",
		100*f.TimeMAPE, 100*f.TimeHeldOut, 100*f.PowerMAPE, 100*f.PowerHeldOut, 100*f.ConstantPowerMAPE, 100*f.OpsMAPE,
		100*f.OpsHeldOut, 100*f.PublishedMAPE, 100*f.PublishedHeldOut)
	if len(f.Points) != 82 {
		t.Errorf("%d points, want the 82 of Figure 3", len(f.Points))
	}
	for _, c := range []struct {
		name       string
		have, most float64
	}{
		{"time", f.TimeMAPE, 0.12}, {"time, network held out", f.TimeHeldOut, 0.18}, {"power", f.PowerMAPE, 0.06},
		{"time against the ops line", f.TimeHeldOut, f.OpsHeldOut / 2}, {"time against published ops", f.TimeHeldOut, f.PublishedHeldOut / 2},
	} {
		if c.have > c.most {
			t.Errorf("%s: mean error %.1f %%, want at most %.1f %%", c.name, 100*c.have, 100*c.most)
		}
	}
	off := map[string]bool{}
	for _, p := range f.Points {
		if math.Abs(p.HeldOutS/p.MeasuredS-1) > 0.25 {
			off[fmt.Sprint(p.Network, " at ", p.Batch)] = true
		}
	}
	if d := cmp.Diff(map[string]bool{"VGG-16 at 2": true, "BN-NIN at 2": true}, off); d != "" {
		t.Errorf("points more than 25 %% off (-want +got):\n%s", d)
	}
}

// TestFinding1 is the paper's first finding as the fitted model has it: whatever the network and the batch, predicted
// power stays within a narrow band, and active power is most of it.
func TestFinding1(t *testing.T) {
	f, err := paperFit()
	if err != nil {
		t.Fatal(err)
	}
	low, high, sum := math.Inf(1), 0.0, 0.0
	for _, p := range f.Points {
		low, high, sum = min(low, p.FittedW), max(high, p.FittedW), sum+p.FittedW
	}
	mean := sum / float64(len(f.Points))
	if (high-low)/mean > 0.15 {
		t.Errorf("predicted power spans %.2f to %.2f W, want within 15 %% of the mean", low, high)
	}
	if math.Abs(mean-11.82) > 0.5 {
		t.Errorf("mean predicted power %.2f W, the paper has 11.82 W", mean)
	}
	if active := f.Power.Groups["net"].Term("active_w"); active < 0.8*mean {
		t.Errorf("active power %.2f W of %.2f W: the network decides more than the paper found", active, mean)
	}
}

// TestTX1Profile holds the built-in device file to the fit that the code makes; -update writes it.
func TestTX1Profile(t *testing.T) {
	const path = "../specs/devices/jetson-tx1.yaml"
	f, err := paperFit()
	if err != nil {
		t.Fatal(err)
	}
	want := []specs.Fit{f.Time, f.Power}
	if *update {
		d := tx1(t)
		d.Kind, d.Fits = specs.Calibrated, want
		data, err := specs.MarshalDevice(d)
		if err != nil {
			t.Fatal(err)
		}
		head, _, _ := bytes.Cut(mustRead(t, path), []byte("schema:"))
		if err := os.WriteFile(path, append(head, data...), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	d, err := specs.ParseDevice(mustRead(t, path), "jetson-tx1.yaml")
	if err != nil {
		t.Fatal(err)
	}
	near := cmpopts.EquateApprox(2e-3, 1e-6)
	tiny := cmp.Comparer(func(a, b specs.Coefficient) bool {
		return a.Unit == b.Unit && math.Abs(a.Value-b.Value) <= 2e-3*math.Abs(b.Value) && math.Abs(a.SE-b.SE) <= 5e-2*math.Abs(b.SE)+1e-30
	})
	if diff := cmp.Diff(want, d.Fits, near, tiny, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s is not what FitPaper makes (go test ./costmodel -run TX1Profile -update writes it):\n%s", path, diff)
	}
}

func mustRead(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
