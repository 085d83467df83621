package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onnxcost/onnxcost/calibrate/ort"
)

// command is this program as a process of its own: the test's executable is onnxcost by that name.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return &exec.Cmd{Path: self, Args: append([]string{"onnxcost"}, args...), Dir: t.TempDir()}
}

// TestPredictRunsNoModel: what answers for a prediction can reach no runtime, and none is opened although one lies ready.
func TestPredictRunsNoModel(t *testing.T) {
	t.Run("imports", func(t *testing.T) {
		out, err := exec.Command("go", "list", "-deps", module+"costmodel", module+"analyzer/zoo").Output()
		if err != nil {
			t.Fatal(err)
		}
		deps := strings.Fields(string(out))
		for _, d := range deps {
			for _, no := range []string{module + "calibrate", "github.com/yalue/onnxruntime_go", "github.com/NVIDIA/go-nvml", "os/exec", "plugin", "runtime/cgo"} {
				if d == no || strings.HasPrefix(d, no+"/") {
					t.Errorf("predictions depend on %s", d)
				}
			}
		}
		if !slices.Contains(deps, module+"analyzer") {
			t.Fatalf("go list found %v, want the analyzer among them", deps)
		}
	})
	// The dynamic loader writes down every file that it is asked to open, before it looks at what that holds.
	t.Run("loader", func(t *testing.T) {
		if runtime.GOOS != "linux" || !ort.Available {
			t.Skip("watches the dynamic loader of Linux, which a program without cgo does not use")
		}
		profile := filepath.Join(t.TempDir(), "here.yaml")
		if err := os.WriteFile(profile, calibrated(t), 0o666); err != nil {
			t.Fatal(err)
		}
		trap := filepath.Join(t.TempDir(), "libonnxruntime.so")
		if err := os.WriteFile(trap, []byte("no library\n"), 0o777); err != nil {
			t.Fatal(err)
		}
		opened := func(args ...string) (string, bool) {
			c := command(t, args...)
			c.Env = append(os.Environ(), "LD_DEBUG=files", ort.EnvLibrary+"="+trap, "LD_LIBRARY_PATH="+filepath.Dir(trap))
			var out, errs bytes.Buffer
			c.Stdout, c.Stderr = &out, &errs
			_ = c.Run() // measure has to fail
			return out.String(), strings.Contains(errs.String(), "file="+trap)
		}
		if _, seen := opened("measure", "zoo:squeezenet1_1"); !seen {
			t.Skip("this loader does not tell what it opens")
		}
		for _, args := range [][]string{
			{"predict", "zoo:squeezenet1_1", "--device", profile, "--batch", "1,8"},
			{"predict", "zoo:squeezenet1_1", "--device", "cpu-generic", "--runtime", "ort-cpu"},
			{"analyze", "zoo:squeezenet1_1"},
		} {
			out, seen := opened(args...)
			if seen {
				t.Errorf("%s opened ONNX Runtime", strings.Join(args, " "))
			}
			if !strings.Contains(out, "squeezenet1_1") {
				t.Errorf("%s: got %q, want its result", strings.Join(args, " "), out)
			}
		}
	})
}

// TestInterrupted: what had been measured before Ctrl-C is printed, judged too, and the exit code says that it is not all.
func TestInterrupted(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot be sent an interrupt there")
	}
	if !ort.Available || os.Getenv(ort.EnvLibrary) == "" {
		t.Skip("needs ONNXRUNTIME_LIB, the path of ONNX Runtime's C library, and cgo")
	}
	for _, args := range [][]string{
		{"measure", "zoo:squeezenet1_1", "--for", "1h", "-o", "csv"},
		{"validate", "zoo:squeezenet1_1", "--for", "1h", "-o", "csv", "--backend", "ort", "--device", "cpu-generic"},
	} {
		// How long loading takes is not known: an interruption that came before the first run is tried again later.
		for wait := 500 * time.Millisecond; ; wait *= 2 {
			ctx, cancel := context.WithTimeout(context.Background(), wait+2*time.Minute)
			c := command(t, args...)
			var out, errs bytes.Buffer
			c.Stdout, c.Stderr = &out, &errs
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(wait)
			if err := c.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			stop := context.AfterFunc(ctx, func() { c.Process.Kill() })
			c.Wait()
			stop()
			cancel()
			if !strings.Contains(errs.String(), "interrupted; what follows had been measured") || c.ProcessState.ExitCode() == exitDone {
				t.Fatalf("%s: exit %d, stderr %q, want it to say that it was interrupted", args[0], c.ProcessState.ExitCode(), errs.String())
			}
			if strings.Contains(out.String(), "\nzoo:squeezenet1_1,1,") {
				if c.ProcessState.ExitCode() != exitMisuse {
					t.Errorf("%s: exit %d, want %d; stderr %q", args[0], c.ProcessState.ExitCode(), exitMisuse, errs.String())
				}
				break
			}
			if wait > time.Minute {
				t.Fatalf("%s: after %s nothing had been measured: %q", args[0], wait, errs.String())
			}
		}
	}
}
