package analyzer_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer"
)

// TestExplainCoversTotals: whatever the JSON calls a total has a definition.
func TestExplainCoversTotals(t *testing.T) {
	totals := reflect.TypeFor[analyzer.TotalsSummary]()
	for i := range totals.NumField() {
		name, _, _ := strings.Cut(totals.Field(i).Tag.Get("json"), ",")
		if _, ok := analyzer.Explain(name); !ok {
			t.Errorf("total %q has no definition", name)
		}
	}
	for _, name := range []string{"coverage", "formulas", "free_dims", "lower_bounds", "convention:paper", "convention:onnx-tool"} {
		if m, ok := analyzer.Explain(name); !ok || m.Name != name {
			t.Errorf("Explain(%q) gives %q, %v", name, m.Name, ok)
		}
	}
	if m, _ := analyzer.Explain("Peak-Activation-Bytes"); m.Name != "peak_activation_bytes" {
		t.Errorf("Explain is strict about case and dashes: got %q", m.Name)
	}
	if _, ok := analyzer.Explain("joules"); ok {
		t.Error("Explain defines a figure that a Report does not have")
	}
}

// TestMetrics: every definition is complete, two to six sentences long, and found once.
func TestMetrics(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range analyzer.Metrics() {
		if seen[m.Name] {
			t.Errorf("%s is defined twice", m.Name)
		}
		seen[m.Name] = true
		for field, s := range map[string]string{"unit": m.Unit, "definition": m.Definition, "formula": m.Formula, "differs": m.Differs} {
			if s == "" {
				t.Errorf("%s has no %s", m.Name, field)
			}
			if strings.Contains(s, "  ") || strings.Contains(s, "://") {
				t.Errorf("%s: %s has a double space or an address: %q", m.Name, field, s)
			}
		}
		if n := strings.Count(m.Definition+" ", ". "); n < 2 || n > 6 {
			t.Errorf("%s: the definition has %d sentences, want 2 to 6", m.Name, n)
		}
	}
}
