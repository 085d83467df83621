package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/onnxcost/onnxcost/calibrate/cuda"
)

// TestCalibrateFromPlots refits the samples of a fake card (calibrate/testdata): the pictures of the fit, in every format,
// and a profile that predicts.
func TestCalibrateFromPlots(t *testing.T) {
	const samples = "../../calibrate/testdata/fake-card.txt"
	dir := t.TempDir()
	profile := filepath.Join(dir, "gpu.yaml")
	command := func(exit int, args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		if got := run(args, strings.NewReader(""), &out, &errs); got != exit {
			t.Fatalf("%v: exit %d, want %d: %s", args, got, exit, errs.String())
		}
		return out.String() + errs.String()
	}
	for format, magic := range map[string]string{"png": "\x89PNG", "svg": "<?xml", "pdf": "%PDF"} {
		out := command(0, "calibrate", "--from", samples, "-o", profile, "--plot", filepath.Join(dir, "fit."+format))
		for _, name := range []string{"fit." + format, "fit-roofline." + format, "fit-power." + format} {
			data, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil || !bytes.HasPrefix(data, []byte(magic)) && !bytes.HasPrefix(data, []byte("<svg")) {
				t.Errorf("%s: %v, begins with %.20q", name, err, data)
			}
			if !strings.Contains(out, name+"\n") {
				t.Errorf("%s is not named in %q", name, out)
			}
		}
		if !regexp.MustCompile(`(?m)^  Roofs, fitted: memory 2\.\d+ TB/s; cache .* fp16 8\d\d TFLOP/s, ridge at `).MatchString(out) ||
			!regexp.MustCompile(`(?m)^fp16 products: fitted to \S+ %; `).MatchString(out) {
			t.Errorf("no findings: %q", out)
		}
	}
	if out := command(0, "predict", "zoo:resnet50", "--device", profile, "--runtime", "eager", "--precision", "fp16", "-o", "json"); !strings.Contains(out, `"provenance":"calibrated"`) && !strings.Contains(out, `"provenance": "calibrated"`) {
		t.Errorf("predict with the profile: %.300s", out)
	}
	if out := command(exitMisuse, "calibrate", "--from", samples, "-o", profile, "--plot", filepath.Join(dir, "fit.gif")); !strings.Contains(out, "want a file that ends in .png, .svg, .pdf") {
		t.Errorf("a format that is none: %q", out)
	}
}

// TestCalibrateWithoutGPU wants one clear sentence and exit 3 where there is no card, and nothing written.
func TestCalibrateWithoutGPU(t *testing.T) {
	if d, err := cuda.Open(cuda.Options{}); err == nil {
		d.Close()
		t.Skip("this machine has a GPU")
	}
	dir := t.TempDir()
	file := func(name, content string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	profile := filepath.Join(dir, "gpu.yaml")
	few := file("few.txt", "gpu: NVIDIA Fake\ngpu-sms: 120\nBenchmarkCUDA/class=stream/kind=copy/bytes=65472/cache=cold 10 0.000002 sec/op\n")
	bad := file("bad.txt", "BenchmarkCUDA/class=gemm/dtype=fp16/batch=1/m=8/n=8/k=8/cache=warm 10 0.000002 sec/op\n")
	for _, c := range []struct {
		args string
		exit int
		want string
	}{
		{"calibrate --backend cuda", exitInput, `^onnxcost: (no NVIDIA driver|cuInit|no cuBLASLt): .+\n$`},
		{"calibrate --backend cuda --card -1", exitMisuse, `--card -1: want at least 0`},
		{"calibrate", exitMisuse, `give --backend ort\|cuda to measure`},
		{"calibrate --from " + few, exitInput, `the samples give no profile: 1 samples of bandwidth, want at least 10`},
		{"calibrate --from " + bad, exitInput, `gpu-sms "": want a number of SMs`},
		{"measure zoo:alexnet --backend cuda", exitMisuse, `--backend`},
	} {
		var out, errs bytes.Buffer
		args := strings.Fields(c.args)
		if args[0] == "calibrate" {
			args = append(args, "-o", profile)
		}
		if got := run(args, strings.NewReader(""), &out, &errs); got != c.exit {
			t.Errorf("%s: exit %d, want %d", c.args, got, c.exit)
		}
		if !regexp.MustCompile(c.want).MatchString(errs.String()) || out.Len() > 0 {
			t.Errorf("%s: got %q, want %q", c.args, errs.String(), c.want)
		}
		if _, err := os.Stat(profile); err == nil {
			t.Errorf("%s wrote a profile", c.args)
		}
	}
}
