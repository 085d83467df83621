package calibrate

import (
	"compress/gzip"
	"context"
	"encoding/csv"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/zoo"
	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/specs"
)

// The recording: one minute of microbenchmarks for each number of threads, and the times of networks, measured on one
// machine within the hour. The times are the lowest median of a calm burst, as validate takes them.
const (
	recordedSamples = "testdata/epyc-2core.txt.gz"
	recordedTimes   = "testdata/epyc-2core.csv"
)

// recordedRow is one measured time.
type recordedRow struct {
	model          string
	batch, threads int64
	seconds        float64
}

// recordedNetwork builds a network of the recording: zoo:NAME, unseen:NAME or other:NAME.
func recordedNetwork(name string) (*onnx.Model, error) {
	set, base, _ := strings.Cut(name, ":")
	switch {
	case set == "zoo":
		return zoo.Build(base, zoo.None)
	case set == "unseen" && unseenNetworks[base].build != nil:
		return unseenNetworks[base].model(), nil
	case set == "other" && otherNetworks[base] != nil:
		return otherNetworks[base](), nil
	}
	return nil, fmt.Errorf("no network %q", name)
}

func readRecordedTimes(t *testing.T) []recordedRow {
	t.Helper()
	f, err := os.Open(recordedTimes)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comment = '#'
	lines, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var rows []recordedRow
	for _, l := range lines[1:] {
		row := recordedRow{model: l[0]}
		var errs [3]error
		row.batch, errs[0] = strconv.ParseInt(l[1], 10, 64)
		row.seconds, errs[1] = strconv.ParseFloat(l[2], 64)
		row.threads, errs[2] = strconv.ParseInt(l[3], 10, 64)
		for _, err := range errs {
			if err != nil {
				t.Fatalf("%v: %v", l, err)
			}
		}
		rows = append(rows, row)
	}
	return rows
}

func readRecordedProfile(t *testing.T) *specs.Device {
	t.Helper()
	f, err := os.Open(recordedSamples)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ReadSamples(z, recordedSamples)
	if err != nil {
		t.Fatal(err)
	}
	d, err := ProfileORT(context.Background(), s, "epyc-2core")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// recordedLimits are the mean absolute errors that predictions of the recording have to keep to, by set, threads and batch.
// They lie a little above what was reached: a change of the form that loses accuracy shows here, on any machine.
var recordedLimits = map[string]float64{
	"unseen, 1 thread, batch 1": 0.035, "unseen, 1 thread, batch 8": 0.05, "unseen, 2 threads, batch 1": 0.07, "unseen, 2 threads, batch 8": 0.07,
	"looked at, 1 thread, batch 1": 0.065, "looked at, 1 thread, batch 8": 0.06, "looked at, 2 threads, batch 1": 0.09, "looked at, 2 threads, batch 8": 0.07,
}

// TestRecordedAccuracy fits the recorded samples and judges the predictions by the recorded times: networks that nobody
// acted on apart from those by which the form was chosen.
func TestRecordedAccuracy(t *testing.T) {
	d := readRecordedProfile(t)
	for _, threads := range []int{1, 2} {
		if c := CalmSeconds(d, threads); c < 1e-6 || c > 1e-4 {
			t.Errorf("%d threads: the probe took %g s in calm, want some microseconds", threads, c)
		}
	}
	sets := map[string][]Row{}
	predictors := map[string]*costmodel.Predictor{}
	for _, row := range readRecordedTimes(t) {
		key := fmt.Sprint(row.model, " ", row.threads)
		p := predictors[key]
		if p == nil {
			m, err := recordedNetwork(row.model)
			if err != nil {
				t.Fatal(err)
			}
			r, err := analyzer.Analyze(context.Background(), m, analyzer.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if p, err = costmodel.Compile(context.Background(), r, d, costmodel.Options{Threads: int(row.threads), NoKernels: true}); err != nil {
				t.Fatal(err)
			}
			predictors[key] = p
		}
		batch := row.batch
		if strings.HasPrefix(row.model, "other:") {
			batch = 0 // their batch is in the model
		}
		got, err := p.At(batch, nil)
		if err != nil {
			t.Fatalf("%s: %v", row.model, err)
		}
		set := "looked at"
		if _, base, _ := strings.Cut(row.model, ":"); strings.HasPrefix(row.model, "unseen:") && unseenNetworks[base].seen == "" {
			set = "unseen"
		}
		set = fmt.Sprintf("%s, %s, batch %d", set, map[int64]string{1: "1 thread", 2: "2 threads"}[row.threads], max(1, batch))
		sets[set] = append(sets[set], Row{Measured: row.seconds, Predicted: got.LatencyS, Low: got.LatencyLowS,
			High: got.LatencyHighS, Ops: got.Baselines.Ops.LatencyS, Roofline: got.Baselines.Roofline.LatencyS})
	}
	for _, name := range slices.Sorted(maps.Keys(sets)) {
		v, err := Validate(sets[name])
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d networks, MAPE %.1f %%, within 10 %%: %.0f %%, in the 90 %% interval: %.0f %%, Spearman %.4f; ops %.1f %%, roofline %.1f %%",
			name, v.Rows, 100*v.MAPE, 100*v.Within10, 100*v.Coverage, v.Spearman, 100*v.OpsMAPE, 100*v.RooflineMAPE)
		limit, ok := recordedLimits[name]
		if !ok {
			t.Errorf("%s: no limit", name)
		}
		if v.MAPE > limit {
			t.Errorf("%s: mean error %.1f %%, want at most %.1f %%", name, 100*v.MAPE, 100*limit)
		}
		if v.OpsMAPE < v.MAPE {
			t.Errorf("%s: time linear in operations has %.1f %%, less than the model's %.1f %%", name, 100*v.OpsMAPE, 100*v.MAPE)
		}
	}
	for name := range recordedLimits {
		if sets[name] == nil {
			t.Errorf("%s: no rows", name)
		}
	}
}
