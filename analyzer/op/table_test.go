package op

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite OPERATORS.md")

// TestOperatorTable keeps OPERATORS.md, the operators that users can look up, equal to the registry.
func TestOperatorTable(t *testing.T) {
	var b strings.Builder
	rules := Rules()
	ops := map[ruleKey]bool{}
	for _, r := range rules {
		if r.Doc == "" {
			t.Errorf("%s since %d: no Doc", r.Op, r.Since)
		}
		ops[ruleKey{r.Domain, r.Op}] = true
	}
	fmt.Fprintf(&b, `# Operators

%d operators, %d rules; generated from the registry by `+"`go test ./analyzer/op -run OperatorTable -update`"+`.
"since" is the opset from which a row holds, until the next row of the same operator. "memory" says what an execution reads and
writes: stream (each byte once), view (nothing: the result is the input under another shape), indexed (the touched part), host
(shape arithmetic), control (what its bodies do). "shape" names the rule in this package; Definition.shape is one of formulas.
Operators of TRT and mmdeploy are known by their names in any domain, those of com.microsoft also in the default one, and
those of ai.onnx.contrib also in com.microsoft.extensions.
`, len(ops), len(rules))
	domain := "\x00"
	for _, r := range rules {
		if r.Domain != domain {
			domain = r.Domain
			name := domain
			if name == "" {
				name = "ai.onnx"
			}
			fmt.Fprintf(&b, "\n## %s\n\n| operator | since | shape | memory | work |\n|---|---:|---|---|---|\n", name)
		}
		fmt.Fprintf(&b, "| %s | %d | %s | %v | %s |\n", r.Op, r.Since, funcName(r.Shape), r.Memory, strings.ReplaceAll(r.Doc, "|", "\\|"))
	}
	const path = "OPERATORS.md"
	old, err := os.ReadFile(path)
	if err != nil && !*update {
		t.Fatal(err)
	}
	if string(old) == b.String() {
		return
	}
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("%s is not what the registry says (-update rewrites it):\n%s", path, cmp.Diff(string(old), b.String()))
}

// funcName is the name of a shape rule; rules made by a function carry that function's name.
func funcName(f func(*Call) error) string {
	name := runtime.FuncForPC(reflect.ValueOf(f).Pointer()).Name()
	name = name[strings.LastIndexByte(name, '/')+1:]
	if method, ok := strings.CutSuffix(name, "-fm"); ok { // a method value: type and method
		return strings.TrimPrefix(method, "op.")
	}
	parts := strings.Split(strings.TrimPrefix(name, "op."), ".")
	for i := len(parts) - 1; i >= 0; i-- {
		if p := parts[i]; !strings.HasPrefix(p, "func") && p != "init" && p != "0" && p != "glob" {
			return p
		}
	}
	return name
}
