package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// torchScript measures networks on a GPU; its head is the runbook for the machine.
const torchScript = "../../calibrate/testdata/measure_torch.py"

// TestRunbook takes the commands of the runbook apart: each must be one of ours with flags that it has.
func TestRunbook(t *testing.T) {
	text, err := os.ReadFile(torchScript)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "onnxcost" && words[0] != "./onnxcost-gpu" {
			continue
		}
		c, rest, err := newRoot(streams{strings.NewReader(""), &bytes.Buffer{}, &bytes.Buffer{}}, nil).Find(words[1:])
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if err := c.ParseFlags(rest); err != nil {
			t.Errorf("%s: %v", strings.TrimSpace(line), err)
		}
		seen[c.Name()]++
	}
	if seen["calibrate"] != 3 || seen["validate"] != 1 {
		t.Errorf("the runbook has %v, want three calibrations and a validation", seen)
	}
}

// TestTorchScriptSplits splits a CSV as the script writes it, and validates with a part.
func TestTorchScriptSplits(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("needs python3")
	}
	dir := t.TempDir()
	head := "# device: none, made up\nmodel,batch,measured_s,precision,mode,p10_s,p90_s,runs,power_w,energy_j,net_energy_j,power_source,instant_w,temperature_c,sm_clock_mhz,throttle,peak_memory_bytes,finite\n"
	rows := "zoo:alexnet,1,0.001,fp16,eager,,,,,,,,,,,,,1\nzoo:alexnet,8,0.002,fp16,eager,,,,,,,,,,,,,1\nzoo:alexnet,1,0.0009,fp16,graph,,,,,,,,,,,,,1\nzoo:alexnet,1,0.002,fp32,eager,,,,,,,,,,,,,0\n"
	if err := os.WriteFile(filepath.Join(dir, "torch.csv"), []byte(head+rows), 0o600); err != nil {
		t.Fatal(err)
	}
	script, err := filepath.Abs(torchScript)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-B", script, "--split", "torch.csv")
	cmd.Dir = dir
	said, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(said), "fp32 eager: 1 rows with results that are not finite are left out") {
		t.Fatalf("%v\n%s", err, said)
	}
	files, err := filepath.Glob(filepath.Join(dir, "torch-*.csv"))
	if err != nil || len(files) != 2 {
		t.Fatalf("got %v (%v), want one file for each of eager and graph in FP16", files, err)
	}
	var out, errs bytes.Buffer
	if got := run([]string{"validate", "--measured", filepath.Join(dir, "torch-fp16-eager.csv"), "--device", "h100-sxm", "--runtime", "eager", "--precision", "fp16"},
		strings.NewReader(""), &out, &errs); got != 0 || !strings.Contains(out.String(), "MAPE of 2") {
		t.Errorf("exit %d\n%s%s", got, out.String(), errs.String())
	}
}
