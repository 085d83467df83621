package specs

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

func compileOperatorsSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(OperatorsSchema())))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("ops.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("ops.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestOperatorsExample: the documented example loads, and the schema accepts it.
func TestOperatorsExample(t *testing.T) {
	o, err := ParseOperators(OperatorsExample(), "ops.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(o.Operators) != 2 || o.Operators[0].Inputs[1].Shape[1] != "2*offset_groups*KH*KW" || o.Operators[0].MACs[0].Kind != "conv" {
		t.Errorf("got %+v", o.Operators)
	}
	if err := compileOperatorsSchema(t).Validate(asJSON(t, OperatorsExample())); err != nil {
		t.Errorf("the schema refuses the example: %v", err)
	}
}

// TestOperatorsShortForms: what stands for a mapping or a list of one.
func TestOperatorsShortForms(t *testing.T) {
	const text = "schema: onnxcost/ops/v1\noperators:\n" +
		"  - {op: A, inputs: [x, {name: y, shape: [B, ..., 4, _]}], attributes: [axis, {name: s, default: 0.5}], let: [kept], outputs: [{shape: [kept, 64]}], macs: 2*kept}\n"
	o, err := ParseOperators([]byte(text), "ops.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := Operator{Op: "A", Inputs: []OperatorInput{{Name: "x"}, {Name: "y", Shape: []Formula{"B", "...", "4", "_"}}},
		Attributes: []OperatorAttribute{{Name: "axis"}, {Name: "s", Default: []float64{0.5}}}, Let: []OperatorSize{{Name: "kept"}},
		Outputs: []OperatorOutput{{Shape: []Formula{"kept", "64"}}}, MACs: []OperatorProduct{{Count: "2*kept"}}}
	if diff := cmp.Diff(want, o.Operators[0]); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if err := compileOperatorsSchema(t).Validate(asJSON(t, []byte(text))); err != nil {
		t.Errorf("the schema refuses it: %v", err)
	}
}

// TestOperatorsErrors: what is wrong is named with its place.
func TestOperatorsErrors(t *testing.T) {
	for _, k := range []struct{ text, want string }{
		{"schema: onnxcost/ops/v1\noperators: []\n", "f:2:12: operators: want at least one operator"},
		{"schema: onnxcost/budget/v1\n", "f:1:9: schema: want onnxcost/ops/v1"},
		{"schema: onnxcost/ops/v1\noperators:\n  - op: A\n    outputs: [{shape: [1.5]}]\n", "f:4:24: operators[0].outputs[0].shape[0]: want a formula or a whole number, have 1.5"},
		{"schema: onnxcost/ops/v1\noperators:\n  - op: A\n    outptus: []\n", `f:4:5: operators[0].outptus: unknown key; did you mean outputs?`},
		{"schema: onnxcost/ops/v1\noperators:\n  - {op: A, outputs: [{shape: []}], macs: {count: 1, m: 2, n: 1, k: 1}}\n", "count stands beside m, n, k"},
		{"schema: onnxcost/ops/v1\noperators:\n  - {op: A, outputs: [{shape: []}], macs: [{kind: conv}]}\n", "f:3:44: operators[0].macs[0]: want m, n and k, or a count"},
		{"schema: onnxcost/ops/v1\noperators:\n  - {op: A, outputs: [{shape: []}], class: convolution}\n", "want one of contraction, elementwise"},
	} {
		_, err := ParseOperators([]byte(k.text), "f")
		if err == nil || !strings.Contains(err.Error(), k.want) {
			t.Errorf("%q:\ngot  %v\nwant %s", k.text, err, k.want)
		}
	}
}

// TestOperatorsSchemaKeys: every key that the loader knows is in the schema.
func TestOperatorsSchemaKeys(t *testing.T) {
	var doc struct {
		Defs map[string]struct{ Properties map[string]any } `json:"$defs"`
	}
	if err := json.Unmarshal(OperatorsSchema(), &doc); err != nil {
		t.Fatal(err)
	}
	for name, of := range map[string]reflect.Type{"operator": reflect.TypeFor[Operator](), "input": reflect.TypeFor[OperatorInput](),
		"attribute": reflect.TypeFor[OperatorAttribute](), "size": reflect.TypeFor[OperatorSize](), "output": reflect.TypeFor[OperatorOutput](),
		"product": reflect.TypeFor[OperatorProduct]()} {
		var have []string
		for k := range doc.Defs[name].Properties {
			have = append(have, k)
		}
		want := fieldNames(fieldsOf(of))
		slices.Sort(have)
		slices.Sort(want)
		if diff := cmp.Diff(want, have); diff != "" {
			t.Errorf("%s: -loader +schema:\n%s", name, diff)
		}
	}
}
