package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/zoo"
)

// mutationBound is the time after which a run is called hung: far above the aim of 2 s, because other programs run too.
const mutationBound = 60 * time.Second

// mutations is how many mutants a test run tries, and which of them go through the program itself: 300 and each tenth,
// or as many as ONNXCOST_MUTATIONS asks for and all.
func mutations(t *testing.T) (n, each int) {
	text := os.Getenv("ONNXCOST_MUTATIONS")
	if text == "" {
		return 300, 10
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("ONNXCOST_MUTATIONS is %q, want a number", text)
	}
	return n, 1
}

// realModels are models of the zoo and, where they are there, exports of real frameworks.
func realModels(t *testing.T) [][]byte {
	t.Helper()
	var list [][]byte
	for _, name := range []string{"alexnet", "squeezenet1_1", "resnet18", "googlenet", "enet", "mobilenet_v2"} {
		m, err := zoo.Build(name, zoo.None)
		if err != nil {
			t.Fatal(err)
		}
		data, err := onnx.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, data)
	}
	small, err := onnx.Marshal(decoderOf(100))
	if err != nil {
		t.Fatal(err)
	}
	list = append(list, small)
	if dir := os.Getenv("ONNXCOST_SHARED"); dir != "" {
		for _, pattern := range []string{"onnx-light/*.onnx", "onnx-node-tests/test_loop*/model.onnx", "onnx-node-tests/test_*if*/model.onnx",
			"onnx-node-tests/test_scan*/model.onnx", "onnx-node-tests/test_*_expanded*/model.onnx"} {
			paths, err := filepath.Glob(filepath.Join(dir, filepath.FromSlash(pattern)))
			if err != nil {
				t.Fatal(err)
			}
			for i, path := range paths {
				if i%4 > 0 && strings.Contains(pattern, "expanded") {
					continue
				}
				data, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				list = append(list, data)
			}
		}
	}
	return list
}

// mutantCommands are what a mutant goes through.
var mutantCommands = [][]string{
	{"analyze", "-o", "json"},
	{"analyze", "--by", "scope", "--convention", "thop"},
	{"analyze", "--order", "min-memory", "--verify", "--by", "node", "-o", "csv"},
	{"predict", "--device", "h100-sxm"},
	{"predict", "--device", "jetson-tx1", "-o", "json"},
	{"predict", "--device", "cpu-avx512", "--by", "kernel"},
	{"predict", "--device", "h100-sxm", "--runtime", "ort-cuda"},
	{"predict", "--device", "h100-sxm", "--runtime", "tensorrt"},
}

// TestMutations damages real models and runs commands on them: an exit code of the contract, no panic, no hang.
func TestMutations(t *testing.T) {
	models := realModels(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "mutant.onnx")
	r := rand.New(rand.NewPCG(7, 11))
	codes := map[int]int{}
	failures := 0
	var slowest time.Duration
	n, each := mutations(t)
	for i := range n {
		k, other := r.IntN(len(models)), r.IntN(len(models))
		data, how := mutate(r, models[k], models[other])
		if r.IntN(3) == 0 {
			var second string
			data, second = mutate(r, data, models[other])
			how += ", " + second
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		command := mutantCommands[r.IntN(len(mutantCommands))]
		args := append([]string{command[0], path}, command[1:]...)
		start := time.Now()
		var code int
		var text string
		if i%each == 0 {
			code, text = runBinary(t, args)
		} else {
			code, text = runHere(args)
		}
		spent := time.Since(start)
		slowest = max(slowest, spent)
		codes[code]++
		// Only what a flag can give is the user's to give; the file is at fault otherwise.
		if asked := strings.Contains(text, "give --dim ") || strings.Contains(text, "states no peak for it"); code == exitMisuse && !asked {
			t.Errorf("mutant %d (%s) of model %d, %v: exit %d for a file at fault: %.500s", i, how, k, command, code, text)
		}
		if code < 0 || code > 3 || strings.Contains(text, "panic") || strings.Contains(text, "goroutine ") || spent > mutationBound {
			keep := filepath.Join(os.TempDir(), fmt.Sprintf("onnxcost-mutant-%d.onnx", i))
			if err := os.WriteFile(keep, data, 0o644); err != nil {
				t.Fatal(err)
			}
			t.Errorf("mutant %d (%s) of model %d, %v: exit %d after %v; kept as %s\n%.2000s", i, how, k, command, code, spent, keep, text)
			if failures++; failures > 10 {
				t.Fatal("too many failures")
			}
		}
	}
	if codes[exitInput] == 0 || n >= 100 && codes[exitDone] == 0 {
		t.Errorf("exit codes %v: want some mutants that are refused and some that are analysed", codes)
	}
	t.Logf("%d mutants of %d models, exit codes %v, slowest %v", n, len(models), codes, slowest)
}

// runHere runs the program in this process. A panic becomes exit -1 with its text.
func runHere(args []string) (code int, stderr string) {
	var errs bytes.Buffer
	defer func() {
		if p := recover(); p != nil {
			code, stderr = -1, fmt.Sprintf("panic: %v", p)
		}
	}()
	code = run(args, strings.NewReader(""), io.Discard, &errs)
	return code, errs.String()
}

// runBinary runs the program as its own process.
func runBinary(t *testing.T, args []string) (code int, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*mutationBound)
	defer cancel()
	c := exec.CommandContext(ctx, binary(t), args...)
	var errs bytes.Buffer
	c.Stderr = &errs
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), errs.String()
}

// binary returns the path of the program as testscript has linked it for this test run.
func binary(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("onnxcost")
	if err != nil {
		t.Fatal(err)
	}
	return path
}
