package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
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
	c := exec.Command(binary(t), "analyze", path, "--dim", "sequence=2048", "--by", "node", "-o", "json")
	c.Env = append(os.Environ(), "GOGC=") // the program chooses its own
	var out, errs bytes.Buffer
	c.Stderr = &errs
	pipe, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	// The rows of all nodes are more than a pipe holds: with the first byte in hand, the program waits for its reader.
	if _, err := io.CopyN(&out, pipe, 1); err != nil {
		t.Fatalf("%v: %s", err, errs.String())
	}
	resident := residentPeak(t, c.Process.Pid)
	if _, err := io.Copy(&out, pipe); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
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
	if resident > largeMemory {
		t.Errorf("takes %d MiB, want at most %d", resident>>20, largeMemory>>20)
	}
	t.Logf("%d nodes: %v of processor time, %d MiB resident", doc.Reports[0].Totals.Nodes,
		c.ProcessState.UserTime()+c.ProcessState.SystemTime(), resident>>20)
}

// residentPeak is the most memory that a running process had in bytes. What the system says of one that has ended would
// count the memory of this process, which it was part of until it became another program.
func residentPeak(t *testing.T, pid int) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmHWM:" {
			kib, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatal("the system tells no peak of resident memory")
	return 0
}
