package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer"
)

// params70B counts the weights of size70B by hand: embedding and head, per layer the projections of attention, the three
// of the MLP and two norms, and the last norm.
const params70B = 2*128256*8192 + 80*(2*8192*8192+2*8192*1024+3*8192*28672+2*8192) + 8192

// largeMemory is the resident memory, in bytes, that the analysis of a 70-billion-parameter model may take at its peak.
const largeMemory = 64 << 20

// TestLarge analyses a model of 70 billion parameters whose weights are not there, as a program of its own.
func TestLarge(t *testing.T) {
	path := writeModel(t, decoder(size70B))
	c := exec.Command(binary(t), "analyze", path, "--dim", "sequence=2048", "--by", "total", "-o", "json")
	c.Env = append(os.Environ(), "GOGC=") // the program chooses its own
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		t.Fatalf("%v: %s", err, errs.String())
	}
	var doc struct{ Reports []analyzer.Summary }
	if err := json.Unmarshal(out.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if got, ok := doc.Reports[0].Totals.Params.Value(); !ok || got != params70B {
		t.Errorf("params %v, want %d", doc.Reports[0].Totals.Params, int64(params70B))
	}
	if doc.Reports[0].LowerBounds {
		t.Error("the totals are lower bounds")
	}
	resident := c.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
	if resident > largeMemory {
		t.Errorf("takes %d MiB, want at most %d", resident>>20, largeMemory>>20)
	}
	t.Logf("%d nodes: %v of processor time, %d MiB resident", doc.Reports[0].Totals.Nodes,
		c.ProcessState.UserTime()+c.ProcessState.SystemTime(), resident>>20)
}
