package costmodel

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/zoo"
	"github.com/onnxcost/onnxcost/costmodel/internal/lower"
	"github.com/onnxcost/onnxcost/costmodel/internal/memory"
	"github.com/onnxcost/onnxcost/costmodel/plan"
	"github.com/onnxcost/onnxcost/specs"
)

// TestLoweringsShareNothing lowers many models under all runtimes, side by side and over and over, so that every graph
// is made of memory that another one has used, and evaluates a Plan only after later ones have been made. Each prediction
// is the same, byte for byte, as in a lowering whose memory is new.
func TestLoweringsShareNothing(t *testing.T) {
	type job struct {
		name    string
		report  *analyzer.Report
		device  *specs.Device
		runtime plan.Runtime
		want    []byte
	}
	var jobs []*job
	for _, r := range poolReports(t) {
		for runtime, device := range map[plan.Runtime]string{plan.Eager: "h100-sxm", plan.ORTCPU: "cpu-avx512", plan.ORTCUDA: "h100-sxm", plan.TensorRT: "h100-sxm", plan.Torch7: "jetson-tx1"} {
			d, err := specs.LoadDevice(device)
			if err != nil {
				t.Fatal(err)
			}
			lower.Graphs = sync.Pool{New: lower.Graphs.New} // forget what has been used
			j := &job{name: fmt.Sprintf("%s, %s", r.Model.Path, runtime), report: r, device: d, runtime: runtime}
			c, err := Compile(context.Background(), r, d, Options{Runtime: runtime})
			if err != nil {
				t.Fatalf("%s: %v", j.name, err)
			}
			j.want = evaluated(c)
			jobs = append(jobs, j)
		}
	}
	const workers, rounds, behind = 4, 2, 7
	var wait sync.WaitGroup
	for w := range workers {
		wait.Go(func() {
			rng := rand.New(rand.NewPCG(3, uint64(w)))
			type pending struct {
				*job
				c *Predictor
			}
			var late []pending
			check := func(keep int) {
				for ; len(late) > keep; late = late[1:] {
					if got := evaluated(late[0].c); !bytes.Equal(got, late[0].want) {
						t.Errorf("%s: another prediction than from new memory\ngot  %.600s\nwant %.600s", late[0].name, got, late[0].want)
					}
				}
			}
			for range rounds {
				for _, i := range rng.Perm(len(jobs)) {
					j := jobs[i]
					c, err := Compile(context.Background(), j.report, j.device, Options{Runtime: j.runtime})
					if err != nil {
						t.Errorf("%s: %v", j.name, err)
						return
					}
					late = append(late, pending{j, c})
					check(behind)
				}
			}
			check(0)
		})
	}
	wait.Wait()
	t.Logf("%d models and runtimes, %d predictions each", len(jobs), workers*rounds)
}

// evaluated is everything that a Predictor says, as text.
func evaluated(c *Predictor) []byte {
	var b bytes.Buffer
	p, err := c.At(0, nil)
	fmt.Fprintln(&b, err)
	if err == nil {
		if err := json.NewEncoder(&b).Encode(p); err != nil {
			fmt.Fprintln(&b, err)
		}
	}
	m, err := memory.Of(c.Plan, nil, memory.Options{Threads: 2})
	fmt.Fprintf(&b, "%+v %v\n", m, err)
	for _, k := range c.Plan.Kernels {
		fmt.Fprintln(&b, k.Name, k.FullOp(), k.Inputs, k.Outputs, k.Weights, k.Work, k.Read(), k.Written(), k.Layout)
		for _, n := range k.Nodes {
			fmt.Fprintln(&b, " ", n.Name)
		}
	}
	for _, n := range c.Plan.Free {
		fmt.Fprintln(&b, "free", n.Name)
	}
	return b.Bytes()
}

// poolReports are networks of the zoo and, where they are there, real exports and operators with bodies.
func poolReports(t *testing.T) []*analyzer.Report {
	t.Helper()
	var models []*onnx.Model
	for _, name := range []string{"alexnet", "squeezenet1_1", "mobilenet-v2", "inception-v3", "vit_b_16"} {
		m, err := zoo.Build(name, zoo.None)
		if err != nil {
			t.Fatal(err)
		}
		m.Path = name
		models = append(models, m)
	}
	if os.Getenv("ONNXCOST_SHARED") != "" {
		for _, pattern := range []string{"models/*.onnx", "onnx-light/*.onnx", "onnx-node-tests/test_loop*/model.onnx", "onnx-node-tests/test_scan*/model.onnx",
			"onnx-node-tests/test_if*/model.onnx", "onnx-node-tests/test_*attention*_expanded/model.onnx"} {
			paths, err := filepath.Glob(filepath.Join(os.Getenv("ONNXCOST_SHARED"), filepath.FromSlash(pattern)))
			if err != nil || len(paths) == 0 {
				t.Fatalf("no file matches %s: %v", pattern, err)
			}
			for _, path := range paths {
				m, err := onnx.Open(path)
				if err != nil {
					t.Fatal(err)
				}
				m.Path = filepath.Base(filepath.Dir(path)) + "/" + filepath.Base(path)
				models = append(models, m)
			}
		}
	}
	var reports []*analyzer.Report
	for _, m := range models {
		r, err := analyzer.Analyze(context.Background(), m, analyzer.Options{})
		if err != nil {
			t.Fatalf("%s: %v", m.Path, err)
		}
		reports = append(reports, r)
	}
	return reports
}
