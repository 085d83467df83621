package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const checkBudget = `schema: onnxcost/budget/v1
device: jetson-tx1
models:
  - match: zoo:alexnet
    batch: [1, 2]
    limits: {energy: 240 mJ, latency: 1 ms, power: 100 W, params: 61 M, macs: 700 M, coverage: 100 %}
  - match: broken.onnx
    limits: {macs: 1 G}
`

// runIn runs the program in a new folder with the files.
func runIn(t *testing.T, files map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range files {
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	var out, errs bytes.Buffer
	code = run(args, strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

// TestCheckSARIF holds the log to the structure that the standard demands, and to its own cross references.
func TestCheckSARIF(t *testing.T) {
	schemaFile, err := filepath.Abs("testdata/sarif-2.1.0-subset.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	schema, err := c.Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	code, out, _ := runIn(t, map[string]string{"budget.yaml": checkBudget, "broken.onnx": "no model"}, "check", "--budget", "budget.yaml", "-o", "sarif")
	if code != exitInput {
		t.Errorf("exit %d, want %d", code, exitInput)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(doc); err != nil {
		t.Error(err)
	}
	var log sarifFile
	if err := json.Unmarshal([]byte(out), &log); err != nil {
		t.Fatal(err)
	}
	r := log.Runs[0]
	levels, prints := map[string]int{}, map[string]bool{}
	for _, x := range r.Results {
		levels[x.RuleID+" "+string(x.Level)]++
		prints[x.Fingerprints["limit/v1"]] = true
		if r.Tool.Driver.Rules[x.RuleIndex].ID != x.RuleID {
			t.Errorf("result of %s points at rule %s", x.RuleID, r.Tool.Driver.Rules[x.RuleIndex].ID)
		}
		if p := x.Locations[0].Physical; p.Artifact.URI != "budget.yaml" || p.Region.StartLine != 6 || p.Region.StartColumn < 2 {
			t.Errorf("%s lies at %+v", x.RuleID, p)
		}
	}
	if levels["energy warning"] != 1 || levels["latency error"] != 2 || levels["macs error"] != 2 || len(r.Results) != 5 || len(prints) != 5 {
		t.Errorf("got %v, want an uncertain energy, a failed latency and failed macs at two batch sizes", levels)
	}
	if r.Invocations[0].Successful || !strings.Contains(r.Invocations[0].Notifications[0].Message.Text, "broken.onnx") {
		t.Errorf("invocation: %+v", r.Invocations[0])
	}
}

func TestFileURI(t *testing.T) {
	for path, want := range map[string]string{"./ci/a b.yaml": "ci/a%20b.yaml", "/x/ü.yaml": "file:///x/%C3%BC.yaml", "../b.yaml": "../b.yaml"} {
		if got := fileURI(path); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}

// TestCheckJUnit reads the report back and adds it up.
func TestCheckJUnit(t *testing.T) {
	for uncertain, failures := range map[string]int{"warn": 4, "fail": 5, "pass": 4} {
		code, out, _ := runIn(t, map[string]string{"budget.yaml": checkBudget, "broken.onnx": "no model"}, "check", "--budget", "budget.yaml", "-o", "junit", "--uncertain", uncertain)
		var r junitReport
		if err := xml.Unmarshal([]byte(out), &r); err != nil {
			t.Fatal(err)
		}
		var tests, failed, errs, skipped int
		for _, su := range r.Suites {
			for _, c := range su.Cases {
				tests++
				if c.Failure != nil {
					failed++
				}
				if c.Error != nil {
					errs++
				}
				if c.Skipped != nil {
					skipped++
				}
				if c.Error == nil && (c.Class != "zoo:alexnet" || c.Line != 6) {
					t.Errorf("case %+v", c)
				}
			}
		}
		if failed != failures || r.Failures != failed || r.Tests != tests || errs != 1 || r.Errors != 1 || r.Skipped != skipped || (skipped == 1) != (uncertain == "warn") {
			t.Errorf("--uncertain %s: %d tests, %d failures (want %d), %d errors, %d skipped; the report says %d, %d, %d, %d", uncertain, tests, failed, failures, errs, skipped,
				r.Tests, r.Failures, r.Errors, r.Skipped)
		}
		if code != exitInput {
			t.Errorf("exit %d, want %d", code, exitInput)
		}
	}
}

// TestCheckGitHub: annotations are on stdout, the table goes to the summary of the job.
func TestCheckGitHub(t *testing.T) {
	summary := filepath.Join(t.TempDir(), "summary.md")
	t.Setenv("GITHUB_STEP_SUMMARY", summary)
	_, out, _ := runIn(t, map[string]string{"budget.yaml": checkBudget, "broken.onnx": "no model"}, "check", "--budget", "budget.yaml", "-o", "github")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 6 || !strings.HasPrefix(lines[0], "::warning file=budget.yaml,line=6,col=22,title=energy of zoo%3Aalexnet%3A uncertain::zoo:alexnet: energy ") {
		t.Errorf("annotations:\n%s", out)
	}
	if !strings.HasPrefix(lines[5], "::error file=broken.onnx,title=model not judged::") {
		t.Errorf("last annotation: %s", lines[5])
	}
	table, err := os.ReadFile(summary)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(table), "\n| "); n != 1+10+1 {
		t.Errorf("%d lines of table, want header, 10 limits and a problem:\n%s", n, table)
	}
	if got, want := annotation(levelError, "a,b:c.yaml", 1, 0, "50 %: x", "a\nb %"), "::error file=a%2Cb%3Ac.yaml,line=1,title=50 %25%3A x::a%0Ab %25"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
