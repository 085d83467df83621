package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite golden files, scripts and the README's outputs")

// TestReadme runs the commands of the README's console blocks and compares what they print with what stands there.
// Only onnxcost commands run; with -update the README is rewritten.
func TestReadme(t *testing.T) {
	const path = "../../README.md"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	var out strings.Builder
	ran := 0
	for i, block := range strings.Split(string(data), "```") {
		if i > 0 {
			out.WriteString("```")
		}
		if i%2 == 1 {
			writeShown(t, block)
		}
		if i%2 == 0 || !strings.HasPrefix(block, "console\n") {
			out.WriteString(block)
			continue
		}
		got, n := runConsole(t, block)
		ran += n
		out.WriteString(got)
	}
	if ran == 0 {
		t.Fatal("the README shows no onnxcost command")
	}
	if out.String() == string(data) {
		return
	}
	if *update {
		if err := os.WriteFile(readmePath(t), []byte(out.String()), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("the README's outputs are not what the commands print (go test ./cmd/onnxcost -run Readme -update rewrites them):\n%s",
		cmp.Diff(string(data), out.String()))
}

// writeShown writes a block of YAML that begins with a comment "# NAME.yaml" to that file, for the commands below it.
func writeShown(t *testing.T, block string) {
	t.Helper()
	text, ok := strings.CutPrefix(block, "yaml\n")
	first, _, _ := strings.Cut(text, "\n")
	name := strings.TrimPrefix(first, "# ")
	if !ok || name == first || !strings.HasSuffix(name, ".yaml") || strings.ContainsAny(name, " /") {
		return
	}
	if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

var startDir, _ = os.Getwd()

func readmePath(t *testing.T) string {
	t.Helper()
	return startDir + "/../../README.md"
}

// runConsole re-runs a block: a line "$ onnxcost …" is a command, the lines up to the next one its output.
func runConsole(t *testing.T, block string) (rerun string, ran int) {
	t.Helper()
	var out strings.Builder
	out.WriteString("console\n")
	lines := strings.Split(strings.TrimPrefix(block, "console\n"), "\n")
	keep := true // output of commands that are not ours stays
	for i, line := range lines {
		if !strings.HasPrefix(line, "$ ") {
			if keep && i < len(lines)-1 {
				out.WriteString(line + "\n")
			}
			continue
		}
		out.WriteString(line + "\n")
		command, last := cutTail(t, strings.TrimPrefix(line, "$ "))
		args := strings.Fields(command)
		if keep = args[0] != "onnxcost"; keep {
			continue
		}
		ran++
		var stdout, stderr bytes.Buffer
		code := run(args[1:], strings.NewReader(""), &stdout, &stderr)
		out.WriteString(lastLines(stdout.String(), last) + stderr.String())
		if code != 0 {
			fmt.Fprintf(&out, "exit status %d\n", code)
		}
	}
	return out.String(), ran
}

// cutTail takes "| tail -N" off a command: the only pipe that the README uses.
func cutTail(t *testing.T, line string) (command string, last int) {
	t.Helper()
	command, n, piped := strings.Cut(line, " | tail -")
	if !piped {
		return line, 0
	}
	last, err := strconv.Atoi(n)
	if err != nil || last < 1 {
		t.Fatalf("%q: want a number of lines after tail", line)
	}
	return command, last
}

func lastLines(text string, n int) string {
	lines := strings.SplitAfter(text, "\n")
	if n == 0 || len(lines) <= n+1 {
		return text
	}
	return strings.Join(lines[len(lines)-n-1:], "")
}
