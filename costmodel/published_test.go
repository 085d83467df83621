package costmodel

import (
	"bytes"
	"context"
	"encoding/csv"
	"math"
	"strconv"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/zoo"
	"github.com/onnxcost/onnxcost/costmodel/plan"
	"github.com/onnxcost/onnxcost/specs"
)

// zooReport analyses a network of the zoo.
func zooReport(t testing.TB, name string) *analyzer.Report {
	t.Helper()
	m, err := zoo.Build(name, zoo.None)
	if err != nil {
		t.Fatal(err)
	}
	r, err := analyzer.Analyze(context.Background(), m, analyzer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func device(t testing.TB, name string) *specs.Device {
	t.Helper()
	d, err := specs.LoadDevice(name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestPublishedThroughput judges data-sheet predictions by published measurements. The priors were set without them;
// do not tune one against the other.
func TestPublishedThroughput(t *testing.T) {
	c := csv.NewReader(bytes.NewReader(mustRead(t, "testdata/published-throughput.csv")))
	c.Comment = '#'
	rows, err := c.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	reports := map[string]*analyzer.Report{}
	var sum, ops, roof float64
	inside, n := 0, 0
	perDevice := map[string][]float64{}
	for _, row := range rows[1:] {
		batch, _ := strconv.ParseInt(row[2], 10, 64)
		measured, err := strconv.ParseFloat(row[3], 64)
		if err != nil {
			t.Fatal(err)
		}
		if reports[row[1]] == nil {
			reports[row[1]] = zooReport(t, row[1])
		}
		p, err := Predict(context.Background(), reports[row[1]], device(t, row[0]), Options{Runtime: plan.Eager, Precision: specs.FP16, Batch: batch, NoKernels: true})
		if err != nil {
			t.Fatal(err)
		}
		seconds := float64(batch) / measured
		e := p.LatencyS/seconds - 1
		sum += math.Abs(e)
		ops += math.Abs(p.Baselines.Ops.LatencyS/seconds - 1)
		roof += math.Abs(p.Baselines.Roofline.LatencyS/seconds - 1)
		if p.LatencyLowS <= seconds && seconds <= p.LatencyHighS {
			inside++
		}
		n++
		perDevice[row[0]] = append(perDevice[row[0]], e)
		t.Logf("%s %-13s %8.0f/s measured, %8.0f/s predicted: time %+.0f %%", row[0], row[1], measured, p.ThroughputPS, 100*e)
	}
	mean := sum / float64(n)
	for _, d := range []string{"rtx-3090", "rtx-4090", "rtx-5090"} {
		var abs, bias float64
		for _, e := range perDevice[d] {
			abs, bias = abs+math.Abs(e), bias+e
		}
		k := float64(len(perDevice[d]))
		t.Logf("%s: mean error %.1f %%, bias %+.1f %%", d, 100*abs/k, 100*bias/k)
	}
	t.Logf("mean error of %d: %.1f %%; ops %.1f %%, roofline %.1f %%; %d in the 90 %% interval", n, 100*mean, 100*ops/float64(n), 100*roof/float64(n), inside)
	if mean > 0.25 {
		t.Errorf("mean error %.1f %%, want at most 25 %%", 100*mean)
	}
}
