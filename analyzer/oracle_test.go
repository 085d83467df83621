package analyzer_test

import (
	"context"
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// shared returns a path below the shared test data, or skips the test by name where it is absent.
func shared(t testing.TB, parts ...string) string {
	t.Helper()
	dir := os.Getenv("ONNXCOST_SHARED")
	if dir == "" {
		t.Skip("needs ONNXCOST_SHARED")
	}
	return filepath.Join(append([]string{dir}, parts...)...)
}

func analyze(t testing.TB, path string, opt analyzer.Options) *analyzer.Report {
	t.Helper()
	m, err := onnx.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := analyzer.Analyze(context.Background(), m, opt)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// table reads a CSV with a header row as one map per row.
func table(t *testing.T, path string) []map[string]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]string
	for _, row := range rows[1:] {
		m := map[string]string{}
		for i, name := range rows[0] {
			m[name] = row[i]
		}
		out = append(out, m)
	}
	return out
}

func integer(t *testing.T, s string) int64 {
	t.Helper()
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestOnnxLight compares with counts that another program made of the nine networks of the standard's own suite.
func TestOnnxLight(t *testing.T) {
	for _, row := range table(t, shared(t, "oracles", "onnx-light.csv")) {
		t.Run(row["model"], func(t *testing.T) {
			r := analyze(t, shared(t, "onnx-light", row["model"]+".onnx"), analyzer.Options{})
			tot := r.Totals()
			for _, c := range []struct {
				name string
				got  int64
				want string
			}{
				{"macs", mustInt(t, tot.MACs), row["conv+gemm MACs no bias"]},
				{"params", mustInt(t, tot.Params), row["params float consts only"]},
				{"nodes", tot.Nodes, row["nodes_nonconst"]},
				{"peak_activation_bytes", peak(t, r), row["peak live bytes (file order, no in-place, incl graph input)"]},
			} {
				if want := integer(t, c.want); c.got != want {
					t.Errorf("%s: got %d, want %d", c.name, c.got, want)
				}
			}
			if share, unknown := r.Coverage(); share != 1 {
				t.Errorf("coverage: got %v, want 1; unknown operators %v", share, unknown)
			}
		})
	}
}

func peak(t *testing.T, r *analyzer.Report) int64 {
	t.Helper()
	l, err := r.Liveness(nil)
	if err != nil {
		t.Fatal(err)
	}
	return l.PeakBytes
}

func mustInt(t *testing.T, d interface{ Value() (int64, bool) }) int64 {
	t.Helper()
	v, ok := d.Value()
	if !ok {
		t.Fatalf("%v is not a number", d)
	}
	return v
}

// TestExports compares the MACs of real framework exports with the figures that torchvision publishes, and requires
// every operator and every extent to be known while the batch is free.
func TestExports(t *testing.T) {
	files, err := filepath.Glob(shared(t, "models", "*.onnx"))
	if err != nil || len(files) != 13 {
		t.Fatalf("got %d models, want 13 (%v)", len(files), err)
	}
	published := map[string]string{}
	for _, row := range table(t, shared(t, "oracles", "torchvision.csv")) {
		published[row["model"]] = row["gmacs"]
	}
	compared := 0
	for _, f := range files {
		name := filepath.Base(f[:len(f)-len(".onnx")])
		r := analyze(t, f, analyzer.Options{})
		if share, unknown := r.Coverage(); share != 1 {
			t.Errorf("%s: coverage %v, want 1; unknown operators %v", name, share, unknown)
		}
		for _, d := range r.Diagnostics {
			if d.Severity != analyzer.SeverityNote {
				t.Errorf("%s: %s: %s: %s", name, d.Node, d.Code, d.Message)
			}
		}
		for _, s := range r.Symbols {
			if s.Input == "" {
				t.Errorf("%s: extent %s of node %s is left open", name, s.Name, s.Node)
			}
		}
		want, ok := published[name]
		if !ok {
			continue
		}
		compared++
		macs, err := r.Totals().MACs.Eval(r.Dims)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		gmacs, err := strconv.ParseFloat(want, 64)
		if err != nil {
			t.Fatal(err)
		}
		if got := math.Round(float64(macs)/1e6) / 1e3; got != gmacs {
			t.Errorf("%s: got %v GMACs, want %v", name, got, gmacs)
		}
	}
	if compared != 10 {
		t.Errorf("compared %d models with published figures, want 10", compared)
	}
}

// TestFormulas checks the polynomials of models with several free dimensions against counts by hand.
func TestFormulas(t *testing.T) {
	for _, c := range []struct{ model, macs string }{
		// 6 layers: 4 projections of 768² and an MLP of 2·768·3072 a token; scores and values 2·768 a token pair.
		{"encoder6_768", "9216*batch*seq^2 + 42467328*batch*seq"},
		// two bidirectional layers, 2·4·512·(80+512) and 2·4·512·(1024+512) a step, and a projection of 1024·64.
		{"lstm2_512", "8781824*batch*time"},
	} {
		r := analyze(t, shared(t, "models", c.model+".onnx"), analyzer.Options{KeepFree: true})
		if got := r.Totals().MACs.String(); got != c.macs {
			t.Errorf("%s: got %s, want %s", c.model, got, c.macs)
		}
	}
}
