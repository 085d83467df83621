package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// TestAction runs the script of the composite action as a runner would, on a budget that fails.
func TestAction(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("needs bash")
	}
	data, err := os.ReadFile("../../action.yml")
	if err != nil {
		t.Fatal(err)
	}
	var action struct {
		Inputs map[string]struct {
			Default  string
			Required bool
		}
		Runs struct {
			Using string
			Steps []struct {
				Name, Run, Shell string
				Env              map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(data, &action); err != nil {
		t.Fatal(err)
	}
	steps := action.Runs.Steps
	last := steps[len(steps)-1]
	if action.Runs.Using != "composite" || last.Shell != "bash" {
		t.Fatalf("%+v", action.Runs)
	}
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "onnxcost"), ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write("budget.yaml", "schema: onnxcost/budget/v1\nmodels:\n  - {match: [zoo:alexnet, zoo:enet], limits: {macs: 1 G}}\n  - {match: zoo:vgg16, limits: {macs: 1 G}}\n")
	for _, tc := range []struct {
		models string
		code   int
		limits int
	}{{"", 1, 3}, {"zoo:alexnet\nzoo:enet", 0, 2}, {"zoo:nosuch", 2, 0}} {
		values := map[string]string{"budget": "budget.yaml", "models": tc.models, "sarif": "out.sarif"}
		summary := filepath.Join(t.TempDir(), "summary.md")
		env := append(os.Environ(), "RUNNER_TEMP="+dir, "GITHUB_STEP_SUMMARY="+summary)
		for name, expr := range last.Env {
			input := strings.TrimSuffix(strings.TrimPrefix(expr, "${{ inputs."), " }}")
			in, ok := action.Inputs[input]
			if !ok {
				t.Fatalf("%s is %s: no such input", name, expr)
			}
			v, given := values[input]
			if !given {
				v = in.Default
			}
			env = append(env, name+"="+v)
		}
		cmd := exec.Command(bash, "--noprofile", "--norc", "-eo", "pipefail", "-c", last.Run)
		cmd.Dir, cmd.Env = dir, env
		out, _ := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != tc.code {
			t.Errorf("models %q: exit %d, want %d\n%s", tc.models, code, tc.code, out)
		}
		table, _ := os.ReadFile(summary)
		if n := strings.Count(string(table), "| zoo:"); n != tc.limits {
			t.Errorf("models %q: %d limits in the summary, want %d\n%s", tc.models, n, tc.limits, out)
		}
		if sarif, err := os.ReadFile(filepath.Join(dir, "out.sarif")); tc.limits > 0 && (err != nil || !strings.Contains(string(sarif), `"version": "2.1.0"`)) {
			t.Errorf("models %q: SARIF %v", tc.models, err)
		}
	}
}

// TestPreCommit: the hook names a command and flags that exist.
func TestPreCommit(t *testing.T) {
	data, err := os.ReadFile("../../.pre-commit-hooks.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var hooks []struct {
		ID, Name, Entry, Language string
		Args                      []string
		PassFilenames             bool `yaml:"pass_filenames"`
	}
	if err := yaml.Unmarshal(data, &hooks); err != nil {
		t.Fatal(err)
	}
	h := hooks[0]
	if len(hooks) != 1 || h.ID != "onnxcost-check" || h.Language != "golang" || h.PassFilenames {
		t.Fatalf("%+v", hooks)
	}
	args := slices.Concat(strings.Fields(h.Entry)[1:], h.Args)
	code, out, errs := runIn(t, map[string]string{"onnxcost.yaml": "schema: onnxcost/budget/v1\nmodels: [{match: zoo:vgg16, limits: {macs: 1 G}}]\n"}, args...)
	if code != exitFindings || !strings.Contains(out, "1 failed") {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
}
