package analyzer_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/zoo"
)

// everyModel calls f for the networks of the zoo and, where the shared data is there, for its models, at a batch size.
// Other free dimensions are 32.
func everyModel(t *testing.T, batch int64, f func(t *testing.T, name string, r *analyzer.Report)) {
	t.Helper()
	bind := func(r *analyzer.Report) *analyzer.Report {
		for s := range r.Dims {
			r.Dims[s] = batch
		}
		for _, s := range r.FreeDims() {
			r.Dims[s] = 32
		}
		return r
	}
	for _, name := range zoo.Names() {
		t.Run(name, func(t *testing.T) {
			m, err := zoo.Build(name, zoo.None)
			if err != nil {
				t.Fatal(err)
			}
			r, err := analyzer.Analyze(context.Background(), m, analyzer.Options{})
			if err != nil {
				t.Fatal(err)
			}
			f(t, name, bind(r))
		})
	}
	dir := os.Getenv("ONNXCOST_SHARED")
	for _, folder := range []string{"models", "onnx-light"} {
		files, _ := filepath.Glob(filepath.Join(dir, folder, "*.onnx"))
		for _, file := range files {
			name := filepath.Base(file)
			t.Run(name, func(t *testing.T) { f(t, name, bind(analyze(t, file, analyzer.Options{}))) })
		}
	}
}

// TestArenaMeetsBound: the plan stands within 1 % of what no plan can go below, on every network.
func TestArenaMeetsBound(t *testing.T) {
	for _, batch := range []int64{1, 8} {
		everyModel(t, batch, func(t *testing.T, name string, r *analyzer.Report) {
			start := time.Now()
			a, err := r.Arena(nil, analyzer.ArenaOptions{})
			if err != nil {
				t.Fatal(err)
			}
			took := time.Since(start)
			greedy, _ := r.Arena(nil, analyzer.ArenaOptions{Planner: analyzer.PlanBestFit})
			over := func(b int64) float64 { return 100 * (float64(b)/float64(a.Bound) - 1) }
			t.Logf("%-28s batch %d: peak %11d bound %11d arena +%.3f %% (%s, %v) best fit +%.3f %%", name, batch, peak(t, r), a.Bound,
				over(a.Bytes), a.Planner, took.Round(time.Microsecond), over(greedy.Bytes))
			if over(a.Bytes) > 1 {
				t.Errorf("arena of %d bytes is %.2f %% above the bound of %d", a.Bytes, over(a.Bytes), a.Bound)
			}
		})
	}
}

// TestSummaryOfMemory: the summary, which works out lifetimes once and plans beside it, says what Liveness and Arena say.
// Bodies of control flow have tensors of their own.
func TestSummaryOfMemory(t *testing.T) {
	same := func(t *testing.T, name string, r *analyzer.Report) {
		t.Helper()
		l, err := r.Liveness(nil)
		if err != nil {
			return
		}
		a, err := r.Arena(nil, analyzer.ArenaOptions{})
		s := r.Summary(name, true)
		if s.Totals.PeakActivationBytes == nil || !s.Totals.PeakActivationBytes.Is(l.PeakBytes) {
			t.Errorf("%s: peak %v, want %d", name, s.Totals.PeakActivationBytes, l.PeakBytes)
		}
		switch {
		case err != nil && s.Arena != nil:
			t.Errorf("%s: an arena beside the error %v", name, err)
		case err == nil:
			if d := cmp.Diff(a.Summary(true), s.Arena); d != "" {
				t.Errorf("%s: arena (-want +got):\n%s", name, d)
			}
		}
	}
	everyModel(t, 2, same)
	bodies := 0
	files, err := filepath.Glob(shared(t, "onnx-node-tests", "*", "model.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		r := analyze(t, file, analyzer.Options{})
		if slices.ContainsFunc(r.Nodes, func(n *analyzer.Node) bool { return len(n.Bodies) > 0 }) {
			bodies++
			same(t, file, r)
		}
	}
	if bodies < 10 {
		t.Errorf("%d models with control flow, want at least 10", bodies)
	}
}
