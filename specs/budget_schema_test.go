package specs

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the units of the budget schema")

// unitSchema is the schema of a quantity, made from the table that the parser reads by. Where a bare number needs no
// unit, a number is allowed too.
func unitSchema(d Dimension) map[string]any {
	var names []string
	bare := false
	for _, u := range d.units() {
		if u.name == "" {
			bare = true
			continue
		}
		names = append(names, regexp.QuoteMeta(u.name))
	}
	unit, sign := "("+strings.Join(names, "|")+")", ""
	if bare {
		unit += "?"
	}
	if d == DimProportion {
		sign = "[+]?"
	}
	text := map[string]any{"type": "string", "pattern": "^ *" + sign + `([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)? *` + unit + " *$"}
	if !bare {
		return text
	}
	return map[string]any{"oneOf": []any{text, map[string]any{"type": "number", "exclusiveMinimum": 0.0}}}
}

// TestBudgetSchemaUnits holds the units of the schema to those of the parser; -update writes them.
func TestBudgetSchemaUnits(t *testing.T) {
	var doc struct {
		Defs map[string]json.RawMessage `json:"$defs"`
	}
	if err := json.Unmarshal(BudgetSchema(), &doc); err != nil {
		t.Fatal(err)
	}
	text := BudgetSchema()
	seen := 0
	for key, raw := range doc.Defs {
		d := Dimension(key)
		if d.units() == nil {
			continue
		}
		seen++
		var have any
		if err := json.Unmarshal(raw, &have); err != nil {
			t.Fatal(err)
		}
		want := unitSchema(d)
		if diff := cmp.Diff(any(want), have); diff != "" && !*update {
			t.Errorf("%s: -want +have:\n%s", key, diff)
		}
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(want); err != nil {
			t.Fatal(err)
		}
		text = bytes.Replace(text, append([]byte(`"`+key+`": `), raw...), append([]byte(`"`+key+`": `), bytes.TrimSpace(b.Bytes())...), 1)
	}
	if seen != 8 {
		t.Errorf("the schema has %d dimensions, want 8", seen)
	}
	if *update {
		if err := os.WriteFile("schema/budget-v1.schema.json", text, 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// TestBudgetSchemaKeys: every key that the loader knows is in the schema, so that editors offer it, and the limits are
// the same.
func TestBudgetSchemaKeys(t *testing.T) {
	var doc struct {
		Defs struct {
			Settings, Limits struct{ Properties map[string]any }
		} `json:"$defs"`
		Properties map[string]any
	}
	if err := json.Unmarshal(BudgetSchema(), &doc); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		have map[string]any
		of   reflect.Type
	}{
		{doc.Properties, reflect.TypeFor[Budget]()},
		{doc.Defs.Settings.Properties, reflect.TypeFor[BudgetSettings]()},
		{doc.Defs.Limits.Properties, reflect.TypeFor[Limits]()},
	} {
		var have []string
		for k := range c.have {
			have = append(have, k)
		}
		want := fieldNames(fieldsOf(c.of))
		slices.Sort(have)
		slices.Sort(want)
		if diff := cmp.Diff(want, have); diff != "" {
			t.Errorf("%s: -loader +schema:\n%s", c.of, diff)
		}
	}
}
