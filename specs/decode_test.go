package specs

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// limits is a document with written-out quantities, as budgets have them.
type limits struct {
	Schema   string              `spec:"schema,required"`
	Defaults map[string]Quantity `spec:"defaults" dim:"time"`
	Models   []struct {
		Match  string         `spec:"match,required"`
		Dims   map[string]int `spec:"dims,flow" range:">0"`
		Limits struct {
			Energy  *Quantity `spec:"energy" dim:"energy"`
			Latency *Quantity `spec:"latency" dim:"time"`
			Memory  *Quantity `spec:"peak_memory" dim:"bytes"`
			Params  *Quantity `spec:"params" dim:"params"`
			Daily   *struct {
				At  Quantity `spec:"at,required" dim:"rate"`
				Max Quantity `spec:"max,required" dim:"energy"`
			} `spec:"energy_per_day"`
		} `spec:"limits,flow"`
	} `spec:"models,required"`
}

const limitsDoc = `schema: test/limits/v1
models:
  - match: models/*.onnx
    dims: {seq: 128}
    limits: &strict {energy: 250 mJ, latency: 33 ms, peak_memory: 512 MiB, params: 30 M}
  - match: zoo:resnet50
    limits: {<<: *strict, energy: "1.1 J", energy_per_day: {at: 10 /s, max: 600 kJ}}
`

// TestDecodeQuantities: the strict decoder serves documents with units, and
// errors stand at the character that is wrong.
func TestDecodeQuantities(t *testing.T) {
	var doc limits
	r, ok := decodeAs("test/limits/v1", "limits.yaml", []byte(limitsDoc), &doc)
	if err := r.err(); !ok || err != nil {
		t.Fatal(err)
	}
	l := doc.Models[1].Limits
	if *l.Energy != (Quantity{1.1, DimEnergy}) || *l.Latency != (Quantity{0.033, DimTime}) || l.Daily.Max.Value != 600e3 {
		t.Errorf("got %+v", l)
	}
	if diff := cmp.Diff(map[string]int{"seq": 128}, doc.Models[0].Dims); diff != "" {
		t.Error(diff)
	}
	out, err := formatYAML(encode(&doc))
	if err != nil {
		t.Fatal(err)
	}
	var back limits
	r, _ = decodeAs("test/limits/v1", "written.yaml", out, &back)
	if err := r.err(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if diff := cmp.Diff(doc, back); diff != "" {
		t.Error(diff)
	}

	for _, tc := range []struct{ from, to, want string }{
		{"250 mJ", "5 GB", `limits.yaml:5:32: models[0].limits.energy: want an energy such as 250 mJ or 1.1 kJ, have "5 GB", which is a size in bytes`},
		{`"1.1 J"`, `"1.1 j"`, `limits.yaml:7:40: models[1].limits.energy: want an energy such as 250 mJ or 1.1 kJ, have "1.1 j", and "j" is no unit`},
		{"33 ms", "33", `limits.yaml:5:49: models[0].limits.latency: want a time such as 33 ms or 2 s, have "33", which has no unit`},
		{"10 /s", "10 s", `limits.yaml:7:68: models[1].limits.energy_per_day.at: want a rate such as 30 /s or 5 /min, have "10 s", which is a time`},
		{"max: 600 kJ", "most: 600 kJ", `limits.yaml:7:60: models[1].limits.energy_per_day.max: missing`},
		{"30 M}", "[30 M]}", `limits.yaml:5:84: models[0].limits.params: want a number of parameters such as 30 M, have a list`},
	} {
		var doc limits
		r, _ := decodeAs("test/limits/v1", "limits.yaml", []byte(edit(t, limitsDoc, tc.from, tc.to)), &doc)
		if err := r.err(); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got\n%v\nwant\n%s", tc.to, err, tc.want)
		}
	}
}

func TestCompareNatural(t *testing.T) {
	sorted := []string{"", "a", "bf16", "fp4", "fp8", "fp016", "fp16", "fp32", "fp32a", "int8", "x2y10", "x10y2"}
	for i, a := range sorted {
		for j, b := range sorted {
			got, want := compareNatural(a, b), i-j
			if (got < 0) != (want < 0) || (got > 0) != (want > 0) {
				t.Errorf("%q against %q: got %d, want the sign of %d", a, b, got, want)
			}
		}
	}
}
