package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite golden files, scripts and the README's outputs")

// pages are those whose commands run, below the root of the module.
var pages = []string{"README.md", "cmd/onnxcost/README.md", "costmodel/README.md", "calibrate/README.md", "plots/README.md"}

// TestReadme runs the commands of the pages' console blocks and compares what they print with what stands there.
// Only onnxcost commands run; with -update the pages are rewritten.
func TestReadme(t *testing.T) {
	for _, page := range pages {
		t.Run(page, func(t *testing.T) { checkPage(t, filepath.Join(startDir, "../..", page)) })
	}
}

func checkPage(t *testing.T, path string) {
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	var out strings.Builder
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
		got, ran := runConsole(t, block)
		if ran == 0 {
			t.Errorf("a console block shows no onnxcost command:\n%s", block)
		}
		out.WriteString(got)
	}
	if out.String() == string(data) {
		return
	}
	if *update {
		if err := os.WriteFile(path, []byte(out.String()), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("the outputs are not what the commands print (go test ./cmd/onnxcost -run Readme -update rewrites them):\n%s",
		cmp.Diff(string(data), out.String()))
}

// TestReadmeSize keeps the first page short; what is longer belongs to the page of a folder.
func TestReadmeSize(t *testing.T) {
	const most = 12 << 10
	data, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if len(data) >= most {
		t.Errorf("README.md has %d bytes, want fewer than %d", len(data), most)
	}
}

// TestReadmeGo holds the README's Go to the example of that name in costmodel, which is compiled and run.
func TestReadmeGo(t *testing.T) {
	const example = "../../costmodel/readme_example_test.go"
	page, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	code, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	shown := 0
	for i, block := range strings.Split(string(page), "```") {
		text, ok := strings.CutPrefix(block, "go\n")
		if i%2 == 0 || !ok {
			continue
		}
		shown++
		var body strings.Builder
		for line := range strings.Lines(text) {
			body.WriteString("\t" + line)
		}
		if !strings.Contains(string(code), body.String()) {
			t.Errorf("%s has not these lines of the README:\n%s", example, body.String())
		}
	}
	if shown == 0 {
		t.Error("the README shows no Go")
	}
}

// TestLinks wants every relative link of the pages to lead to a file or a folder.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#]+)(#[^)]*)?\)`)
	for _, page := range append([]string{"CONTRIBUTING.md", "ARCHITECTURE.md", "CHANGELOG.md", "SECURITY.md", "analyzer/README.md"}, pages...) {
		path := filepath.Join("../..", page)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(data), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), m[1])); err != nil {
				t.Errorf("%s: a link leads nowhere: %v", page, err)
			}
		}
	}
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
