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

// A recording is microbenchmarks for each number of threads and the times of networks, measured on one machine within the
// hour. The times are the lowest median of a quiet burst, as validate takes them.
type recording struct {
	name string // of the files in testdata: NAME.txt.gz are the samples, NAME.csv the times
	// limits are the mean absolute errors that predictions have to keep to, by set, threads and batch. They lie a little
	// above what was reached: a change of the form that loses accuracy shows here, on any machine.
	limits map[string]float64
}

var recordings = []recording{
	{name: "epyc-2core", limits: map[string]float64{
		"unseen, 1 thread, batch 1": 0.035, "unseen, 1 thread, batch 8": 0.05, "unseen, 2 threads, batch 1": 0.07, "unseen, 2 threads, batch 8": 0.07,
		"looked at, 1 thread, batch 1": 0.065, "looked at, 1 thread, batch 8": 0.06, "looked at, 2 threads, batch 1": 0.09, "looked at, 2 threads, batch 8": 0.07,
	}},
}

// recordedRow is one measured time.
type recordedRow struct {
	model          string
	batch, threads int64
	seconds        float64
}

// recordedNetwork builds a network of a recording: zoo:NAME, unseen:NAME, other:NAME, or timm:NAME among the published
// graphs.
func recordedNetwork(name string, published map[string]string) (*onnx.Model, error) {
	set, base, _ := strings.Cut(name, ":")
	switch {
	case set == "zoo":
		return zoo.Build(base, zoo.None)
	case set == "unseen" && unseenNetworks[base].build != nil:
		return unseenNetworks[base].model(), nil
	case set == "timm" && published[base] != "":
		return onnx.Open(published[base])
	case set == "other" && otherNetworks[base] != nil:
		return otherNetworks[base](), nil
	}
	return nil, fmt.Errorf("no network %q", name)
}

func readRecordedTimes(t *testing.T, path string) []recordedRow {
	t.Helper()
	f, err := os.Open(path)
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

func readRecordedProfile(t *testing.T, path string) *specs.Device {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ReadSamples(z, path)
	if err != nil {
		t.Fatal(err)
	}
	d, err := ProfileORT(context.Background(), s, "recorded")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// setOf sorts a network of a recording: by whether anybody acted on its error. Published graphs are apart, since they were
// drawn into halves before any was measured.
func setOf(model string, unseen map[string]bool) string {
	set, base, _ := strings.Cut(model, ":")
	switch {
	case set == "timm" && unseen[base]:
		return "published, unseen"
	case set == "timm":
		return "published, looked at"
	case set == "unseen" && unseenNetworks[base].seen == "":
		return "unseen"
	}
	return "looked at"
}

// TestRecordedAccuracy fits the samples of each recording and judges the predictions by the recorded times: networks that
// nobody acted on apart from those by which the form was chosen.
func TestRecordedAccuracy(t *testing.T) {
	t.Parallel()
	var published map[string]string
	var unseen map[string]bool
	if os.Getenv("ONNXCOST_SHARED") != "" {
		published = publishedGraphs(t)
		unseen = unseenPublished(sortedNames(published))
	}
	for _, r := range recordings {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			r.judge(t, published, unseen)
		})
	}
}

func (r *recording) judge(t *testing.T, published map[string]string, unseen map[string]bool) {
	d := readRecordedProfile(t, "testdata/"+r.name+".txt.gz")
	for _, threads := range []int{1, 2} {
		if c := CalmSeconds(d, threads); c < 1e-6 || c > 1e-4 {
			t.Errorf("%d threads: the probe took %g s in calm, want some microseconds", threads, c)
		}
	}
	sets := map[string][]Row{}
	predictors := map[string]*costmodel.Predictor{}
	left := 0
	for _, row := range readRecordedTimes(t, "testdata/"+r.name+".csv") {
		if published == nil && strings.HasPrefix(row.model, "timm:") {
			left++
			continue
		}
		key := fmt.Sprint(row.model, " ", row.threads)
		p := predictors[key]
		if p == nil {
			m, err := recordedNetwork(row.model, published)
			if err != nil {
				t.Fatal(err)
			}
			a, err := analyzer.Analyze(context.Background(), m, analyzer.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if p, err = costmodel.Compile(context.Background(), a, d, costmodel.Options{Threads: int(row.threads), NoKernels: true}); err != nil {
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
		set := fmt.Sprintf("%s, %s, batch %d", setOf(row.model, unseen), map[int64]string{1: "1 thread", 2: "2 threads"}[row.threads], max(1, batch))
		sets[set] = append(sets[set], Row{Measured: row.seconds, Predicted: got.LatencyS, Low: got.LatencyLowS,
			High: got.LatencyHighS, Ops: got.Baselines.Ops.LatencyS, Roofline: got.Baselines.Roofline.LatencyS})
		if testing.Verbose() && os.Getenv("ONNXCOST_ROWS") != "" {
			t.Logf("row %s, %s: measured %.4g, predicted %.4g (%+.1f %%)", set, row.model, row.seconds, got.LatencyS, 100*(got.LatencyS/row.seconds-1))
		}
	}
	if left > 0 {
		t.Logf("%d rows of published graphs left out: needs ONNXCOST_SHARED", left)
	}
	for _, name := range slices.Sorted(maps.Keys(sets)) {
		v, err := Validate(sets[name])
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d networks, MAPE %.1f %%, within 10 %%: %.0f %%, in the 90 %% interval: %.0f %%, Spearman %.4f; ops %.1f %%, roofline %.1f %%",
			name, v.Rows, 100*v.MAPE, 100*v.Within10, 100*v.Coverage, v.Spearman, 100*v.OpsMAPE, 100*v.RooflineMAPE)
		limit, ok := r.limits[name]
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
	for name := range r.limits {
		if sets[name] == nil && (published != nil || !strings.HasPrefix(name, "published")) {
			t.Errorf("%s: no rows", name)
		}
	}
}
