package calibrate

import (
	"context"
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/zoo"
	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/specs"
)

// The processors that others ran ONNX Runtime on, by the name that recordings have.
var processors = map[string]*specs.Processor{
	"avx512": avx512,
	"avx2":   {Features: []specs.Feature{specs.AVX, specs.AVX2, specs.FMA}},
	"arm64":  {Features: []specs.Feature{specs.ASIMD, specs.ASIMDDP}},
}

// sharedDir is where the independent data lie; the test is skipped where they are absent.
func sharedDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("ONNXCOST_SHARED")
	if dir == "" {
		t.Skip("needs ONNXCOST_SHARED")
	}
	return dir
}

// publishedGraphs unpacks the graphs of published architectures and returns their paths by name.
func publishedGraphs(t *testing.T) map[string]string {
	t.Helper()
	dir := t.TempDir()
	archive := filepath.Join(sharedDir(t), "published", "timm", "graphs.tar.xz")
	if out, err := exec.Command("tar", "-xJf", archive, "-C", dir).CombinedOutput(); err != nil {
		t.Skipf("needs tar and xz: %v %s", err, out)
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*", "*.onnx"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no graph in %s: %v", archive, err)
	}
	graphs := map[string]string{}
	for _, p := range paths {
		graphs[strings.TrimSuffix(filepath.Base(p), ".onnx")] = p
	}
	return graphs
}

// oracleModel opens a network that an oracle names: an export or a network of the zoo and, the second time that a name
// comes, the published graph of the same name.
func oracleModel(t *testing.T, name string, again bool, published map[string]string) *onnx.Model {
	t.Helper()
	var m *onnx.Model
	var err error
	if base, isZoo := strings.CutPrefix(name, "zoo:"); isZoo {
		m, err = zoo.Build(base, zoo.None)
	} else {
		path := published[name]
		for _, dir := range []string{"models", "onnx-light"} {
			p := filepath.Join(sharedDir(t), dir, name+".onnx")
			if _, err := os.Stat(p); err == nil && !again {
				path = p
			}
		}
		m, err = onnx.Open(path)
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return m
}

// TestPlansOfOracles holds kernels and memory against what ONNX Runtime itself reported on processors that need not be at
// hand: the number of kernels, the peak of requested bytes within 1 % and that of the arena within 5 %, each on at least
// 95 % of the networks.
func TestPlansOfOracles(t *testing.T) {
	published := publishedGraphs(t)
	for _, target := range []string{"avx2", "arm64"} {
		t.Run(target, func(t *testing.T) {
			f, err := os.Open(filepath.Join(sharedDir(t), "oracles", "ort-plans-"+target+".csv"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			rows, err := csv.NewReader(f).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			var all, kernels, requested, inUse, inUseAll int
			plans, seen := map[string]*costmodel.Plan{}, map[string]int{}
			for _, row := range rows[1:] {
				name := row[0]
				number := func(i int) int64 {
					n, err := strconv.ParseInt(row[i], 10, 64)
					if err != nil {
						t.Fatal(err)
					}
					return n
				}
				seen[name+" "+row[1]]++
				again := seen[name+" "+row[1]] > 1
				key := fmt.Sprint(name, again)
				p := plans[key]
				if p == nil {
					m, _, err := storeGenerated(oracleModel(t, name, again, published))
					if err != nil {
						t.Fatal(err)
					}
					p = planOf(t, m, processors[target])
					plans[key] = p
				}
				job := &Job{Name: name, Model: p.Report.Model}
				env, _, err := job.bind(p.Report, number(1))
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				use, err := costmodel.Memory(p, env, costmodel.MemoryOptions{})
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				all++
				if int64(len(p.Kernels)) == number(2) {
					kernels++
				} else {
					t.Logf("%s: %d kernels, ONNX Runtime had %s", name, len(p.Kernels), row[2])
				}
				if e := relative(use.ActivationBytes, number(4)); math.Abs(e) <= 0.01 {
					requested++
				} else {
					t.Logf("%s batch %s: requested %d, ONNX Runtime %s (%+.2f %%)", name, row[1], use.ActivationBytes, row[4], 100*e)
				}
				if row[5] == "" {
					continue
				}
				inUseAll++
				if e := relative(use.InUseBytes, number(5)); math.Abs(e) <= 0.05 {
					inUse++
				} else {
					t.Logf("%s batch %s: in use %d, ONNX Runtime %s (%+.2f %%)", name, row[1], use.InUseBytes, row[5], 100*e)
				}
			}
			t.Logf("kernels equal: %d of %d; requested within 1 %%: %d; in use within 5 %%: %d of %d", kernels, all, requested, inUse, inUseAll)
			for what, n := range map[string][2]int{"kernels": {kernels, all}, "requested": {requested, all}, "in use": {inUse, inUseAll}} {
				if 100*n[0] < 95*n[1] {
					t.Errorf("%s: %d of %d, want 95 %%", what, n[0], n[1])
				}
			}
		})
	}
}

// TestPublishedGraphsAreRead: all architectures are analysed and have a plan on every processor.
func TestPublishedGraphsAreRead(t *testing.T) {
	for name, path := range publishedGraphs(t) {
		m, err := onnx.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		r, err := analyzer.Analyze(context.Background(), m, analyzer.Options{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, cpu := range processors {
			if p := mustLower(t, r, cpu); len(p.Kernels) == 0 {
				t.Errorf("%s: no kernels", name)
			}
		}
	}
}
