package specs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/onnxcost/onnxcost/internal/bound"
)

// base is a small sound device; the cases below break one thing each.
const base = `schema: onnxcost/device/v1
name: toy
class: gpu
kind: datasheet
source: ds
sources:
  ds: {title: Toy Datasheet, year: 2020}
compute:
  units: 4
  boost_hz: 1e9
peak:
  fp16: {value: 8e12, accumulate: fp32, path: matrix}
  fp32: {value: 1e12, accumulate: fp32, path: vector}
memory:
  capacity_bytes: 1073741824
  bandwidth_bytes_per_s: {value: 100e9, where: page 3}
caches:
  - name: L2
    scope: device
    capacity_bytes: 1048576
overhead:
  gap_s: 1e-6
power:
  idle_w: 5
  limit_w: 50
`

// fits turns base into a calibrated device with one fit.
const fits = `fits:
  - measure: time
    form: toy/v1
    runtime: eager
    threads: 2
    precision: fp16
    groups:
      gemm:
        terms: {t0: 1e-6, macs: {value: 1e-12, se: 1e-14}}
        lists:
          tiles: [3, 4]
        domain:
          macs: {min: 1, max: 2}
    residuals: {count: 20, p: [0.05, 0.5, 0.95], q: [-0.1, 0, 0.1]}
    samples: {count: 20}
    conditions: {date: "2026-11-22", libraries: {onnxruntime: "1.30"}}
`

func edit(t testing.TB, doc, from, to string) string {
	t.Helper()
	if strings.Count(doc, from) != 1 {
		t.Fatalf("%q stands %d times in the document, want once", from, strings.Count(doc, from))
	}
	return strings.Replace(doc, from, to, 1)
}

var calibrated = strings.Replace(base, "kind: datasheet", "kind: calibrated", 1) + fits

// broken lists single faults. Where schema is true, the JSON Schema must refuse
// the file as well.
var broken = []struct {
	name     string
	doc      string
	from, to string
	want     string
	schema   bool
}{
	{"text for a number", base, "units: 4", "units: many", `toy.yaml:9:10: compute.units: want units as a number, have "many"`, true},
	{"text for a rate", base, "{value: 8e12", "{value: fast", `toy.yaml:12:17: peak.fp16: want FLOP/s as a number, have "fast"`, true},
	{"short text for a rate", base, "{value: 8e12, accumulate: fp32, path: matrix}", "fast", `toy.yaml:12:9: peak.fp16: want FLOP/s as a number, have "fast"`, true},
	{"short number for a rate", base, "{value: 8e12, accumulate: fp32, path: matrix}", "8e12", "toy.yaml:12:9: peak.fp16.accumulate: missing: want one of fp64, fp32, tf32, fp16, bf16, fp8, fp4, int8, int4, int32\ntoy.yaml:12:9: peak.fp16.path: missing: want one of matrix, vector", true},
	{"unit in a rate", base, "{value: 8e12", "{value: 8 TFLOP/s", `toy.yaml:12:17: peak.fp16: want FLOP/s as a number, have "8 TFLOP/s"; write plain SI without a unit`, true},
	{"unit in bytes", base, "capacity_bytes: 1073741824", "capacity_bytes: 1 GiB", `toy.yaml:15:19: memory.capacity_bytes: want bytes as a number, have "1 GiB"; write plain SI without a unit`, true},
	{"negative", base, "gap_s: 1e-6", "gap_s: -1e-6", "toy.yaml:22:10: overhead.gap_s: want seconds as a number, 0 or more, have -1e-6", true},
	{"zero", base, "limit_w: 50", "limit_w: 0", "toy.yaml:25:12: power.limit_w: want watts as a number above 0, have 0", true},
	{"infinite", base, "limit_w: 50", "limit_w: .inf", "toy.yaml:25:12: power.limit_w: want watts as a number, have .inf, which is not finite", false},
	{"not a number", base, "limit_w: 50", "limit_w: .nan", "toy.yaml:25:12: power.limit_w: want watts as a number, have .nan, which is not finite", false},
	{"overflow", base, "limit_w: 50", "limit_w: 1e999", "toy.yaml:25:12: power.limit_w: want watts as a number, have 1e999, which is not finite", false},
	{"hexadecimal", base, "units: 4", "units: 0x4", `toy.yaml:9:10: compute.units: want units as a number, have "0x4"`, true},
	{"quoted number", base, "units: 4", `units: "4"`, `toy.yaml:9:10: compute.units: want units as a number, have "4"`, true},
	{"fraction of a unit", base, "units: 4", "units: 4.5", "toy.yaml:9:10: compute.units: want a whole number, have 4.5", false},
	{"nothing", base, "units: 4", "units:", "toy.yaml:9:9: compute.units: want units as a number, have nothing", true},
	{"list for a number", base, "units: 4", "units: [4]", "toy.yaml:9:10: compute.units: want units as a number, have a list", true},
	{"number for a text", base, "name: toy", "name: 7", "toy.yaml:2:7: name: want a text, have 7; write it in quotes", true},
	{"bad name", base, "name: toy", "name: Toy 1", `toy.yaml:2:7: name: want lower-case letters, digits and . _ -, at most 64, have "Toy 1"`, true},
	{"unknown feature", base, "class: gpu", "class: cpu\ncpu: {features: [avx2, avx513f]}", `toy.yaml:4:24: cpu.features[1]: unknown word "avx513f"; did you mean avx512f?`, true},
	{"features of two families", base, "class: gpu", "class: cpu\ncpu: {features: [avx2, asimd], estimate: guess}", "toy.yaml:4:17: cpu.features: want features of x86-64 or of arm64, have both", false},
	{"channel block", base, "class: gpu", "class: cpu\ncpu: {features: [avx2], estimate: guess, channel_block: {value: 4, estimate: guess}}", "toy.yaml:4:65: cpu.channel_block: want 16, 8 or 0, have 4", false},
	{"processor of a GPU", base, "class: gpu", "class: gpu\ncpu: {features: [avx2], estimate: guess}", "toy.yaml:4:6: cpu: device class gpu has no CPU kernels", false},
	{"unknown class", base, "class: gpu", "class: tpu", `toy.yaml:3:8: class: want one of gpu, integrated-gpu, cpu, have "tpu"`, true},
	{"unknown key", base, "boost_hz", "bost_hz", "toy.yaml:10:3: compute.bost_hz: unknown key; did you mean boost_hz?", true},
	{"unknown top key", base, "power:", "energy:", "toy.yaml:23:1: energy: unknown key; want one of schema, name,", true},
	{"unknown format", base, "  fp16:", "  fp17:", "toy.yaml:12:3: peak.fp17: unknown key; did you mean", true},
	{"key with a dot", base, "  gap_s: 1e-6", "  gap.s: 1e-6", `toy.yaml:22:3: overhead["gap.s"]: unknown key; did you mean gap_s?`, true},
	{"missing", base, "  capacity_bytes: 1073741824\n", "", "toy.yaml:15:3: memory.capacity_bytes: missing: want bytes", true},
	{"missing schema", base, "schema: onnxcost/device/v1\n", "", "toy.yaml:1:1: schema: missing: want onnxcost/device/v1", true},
	{"other schema", base, "onnxcost/device/v1", "onnxcost/budget/v1", `toy.yaml:1:9: schema: want onnxcost/device/v1, have "onnxcost/budget/v1"`, true},
	{"duplicate", base, "class: gpu", "class: gpu\nclass: cpu", `toy.yaml:4:1: key "class" appears twice, first on line 3`, false},
	{"duplicate in flow", base, "{value: 8e12,", "{value: 8e12, value: 9e12,", `toy.yaml:12:23: key "value" appears twice, first on line 12`, false},
	{"second document", base, "power:", "---\npower:", "toy.yaml:24:1: a second document begins here: want one document per file", false},
	{"tag", base, "units: 4", "units: !!float 4", "toy.yaml:9:10: tag !!float: want no tags", false},
	{"key is a list", base, "gap_s: 1e-6", "[a, b]: 1e-6", "toy.yaml:22:3: want a name as key, have a list", false},

	{"no such source", base, "source: ds", "source: dss", `toy.yaml:5:9: source: no source "dss"; did you mean ds?`, false},
	{"no such source of a figure", base, "where: page 3", "source: other", `toy.yaml:16:49: memory.bandwidth_bytes_per_s.source: no source "other"; want ds`, false},
	{"no source at all", base, "source: ds\n", "", "toy.yaml:8:10: compute.units: no source: want source, a default source for the file, or estimate with the reason", false},
	{"idle above limit", base, "idle_w: 5", "idle_w: 51", "toy.yaml:24:11: power.idle_w: 51 is above limit_w, 50", false},
	{"sums too narrow", base, "{value: 1e12, accumulate: fp32", "{value: 1e12, accumulate: fp16", "toy.yaml:13:35: peak.fp32.accumulate: sums of fp32 products cannot be kept in fp16", false},
	{"integer sums of floats", base, "{value: 8e12, accumulate: fp32", "{value: 8e12, accumulate: int32", "toy.yaml:12:35: peak.fp16.accumulate: sums of fp16 products cannot be kept in int32", false},
	{"year", base, "year: 2020", "year: 20", "toy.yaml:7:36: sources.ds.year: want a year, have 20", true},
	{"cache order", base, "overhead:", "  - {name: L3, scope: device, capacity_bytes: 5}\noverhead:", "toy.yaml:21:47: caches[1].capacity_bytes: smaller than L2", false},
	{"two caches of a name", base, "overhead:", "  - {name: L2, scope: device, capacity_bytes: 1048576}\noverhead:", `toy.yaml:21:12: caches[1].name: a second cache "L2"`, false},
	{"no peak", base, "peak:\n  fp16: {value: 8e12, accumulate: fp32, path: matrix}\n  fp32: {value: 1e12, accumulate: fp32, path: vector}", "peak: {}", "toy.yaml:11:7: peak: want the rate of at least one format", true},

	{"calibrated without fits", base, "kind: datasheet", "kind: calibrated", "toy.yaml:4:7: kind: calibrated, but there are no fits", true},
	{"datasheet with fits", calibrated, "kind: calibrated", "kind: datasheet", "toy.yaml:4:7: kind: datasheet, but there are fits; want calibrated", true},
	{"empty group", calibrated, "terms: {t0: 1e-6, macs: {value: 1e-12, se: 1e-14}}\n        lists:\n          tiles: [3, 4]", "samples: 3", "toy.yaml:34:9: fits[0].groups.gemm: want terms or lists", false},
	{"text in a list", calibrated, "[3, 4]", "[3, x]", `toy.yaml:36:22: fits[0].groups.gemm.lists.tiles[1]: want a number, have "x"`, true},
	{"infinity in a list", calibrated, "[3, 4]", "[3, .inf]", `toy.yaml:36:22: fits[0].groups.gemm.lists.tiles[1]: want a number, have .inf, which is not finite`, false},
	{"domain upside down", calibrated, "{min: 1, max: 2}", "{min: 3, max: 2}", "toy.yaml:38:17: fits[0].groups.gemm.domain.macs: min 3 is above max 2", false},
	{"probabilities", calibrated, "p: [0.05, 0.5, 0.95]", "p: [0.5, 0.05, 0.95]", "toy.yaml:39:31: fits[0].residuals.p: want probabilities between 0 and 1 in ascending order", false},
	{"probability of one", calibrated, "0.95]", "1]", "toy.yaml:39:31: fits[0].residuals.p: want probabilities between 0 and 1 in ascending order", true},
	{"quantiles", calibrated, "q: [-0.1, 0, 0.1]", "q: [-0.1, 0]", "toy.yaml:39:53: fits[0].residuals.q: want 3 quantiles, one for each probability, have 2", false},
	{"threads", calibrated, "threads: 2", "threads: 2.5", "toy.yaml:30:14: fits[0].threads: want a whole number above 0, have 2.5", true},
	{"digest", calibrated, "samples: {count: 20}", "samples: {count: 20, digest: abc}", `toy.yaml:40:34: fits[0].samples.digest: want sha256: and 64 hexadecimal digits, have "abc"`, true},
	{"date", calibrated, `"2026-11-22"`, `"22.11.2026"`, `toy.yaml:41:24: fits[0].conditions.date: want a date such as 2026-11-30, have "22.11.2026"`, true},
	{"version as a number", calibrated, `onnxruntime: "1.30"`, "onnxruntime: 1.30", "toy.yaml:41:63: fits[0].conditions.libraries.onnxruntime: want a text, have 1.30; write it in quotes", true},
	{"standard error", calibrated, "se: 1e-14", "se: -1", "toy.yaml:34:52: fits[0].groups.gemm.terms.macs.se: want a number, 0 or more, have -1", true},
}

func TestParseDeviceErrors(t *testing.T) {
	for _, tc := range broken {
		if tc.from == "" || tc.want == "" {
			continue
		}
		t.Run(tc.name, func(t *testing.T) {
			_, err := ParseDevice([]byte(edit(t, tc.doc, tc.from, tc.to)), "toy.yaml")
			var es Errors
			if !errors.As(err, &es) {
				t.Fatalf("got %v, want Errors", err)
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got\n%v\nwant\n%s", err, tc.want)
			}
			if n := strings.Count(tc.want, "\n") + 1; len(es) != n && tc.name != "no source at all" && tc.name != "second document" {
				t.Errorf("got %d problems, want %d:\n%v", len(es), n, err)
			}
		})
	}
}

// TestErrorsAllAtOnce: problems of every sort are reported in one go, in the
// order of the file.
func TestErrorsAllAtOnce(t *testing.T) {
	doc := base
	for _, e := range [][2]string{
		{"class: gpu", "class: tpu"},
		{"units: 4", "units: many"},
		{"{value: 8e12", "{value: -8e12"},
		{"where: page 3", "wher: page 3"},
		{"gap_s: 1e-6", "gap_s: 1 us"},
		{"idle_w: 5", "idle_w: 51"},
		{"  limit_w: 50", "  limit_w: 50\n  limit_w: 60"},
	} {
		doc = edit(t, doc, e[0], e[1])
	}
	_, err := ParseDevice([]byte(doc), "toy.yaml")
	want := `toy.yaml:3:8: class: want one of gpu, integrated-gpu, cpu, have "tpu"
toy.yaml:9:10: compute.units: want units as a number, have "many"
toy.yaml:12:17: peak.fp16: want FLOP/s as a number above 0, have -8e12
toy.yaml:16:41: memory.bandwidth_bytes_per_s.wher: unknown key; did you mean where?
toy.yaml:22:10: overhead.gap_s: want seconds as a number, have "1 us"; write plain SI without a unit
toy.yaml:24:11: power.idle_w: 51 is above limit_w, 50
toy.yaml:26:3: key "limit_w" appears twice, first on line 25`
	if err == nil {
		t.Fatal("no error")
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	var one *Error
	if !errors.As(err, &one) || one.Line != 3 || one.Column != 8 || one.Path != "class" || one.File != "toy.yaml" {
		t.Errorf("errors.As: got %+v, want the first problem", one)
	}
}

// TestSyntaxErrors: what is not YAML is placed on the line that breaks it.
func TestSyntaxErrors(t *testing.T) {
	for _, tc := range []struct {
		name, from, to string
		line           int
	}{
		{"tab", "  units: 4", "\tunits: 4", 9},
		{"indentation", "  boost_hz: 1e9", "   boost_hz: 1e9", 10},
		{"unclosed brace", "path: matrix}", "path: matrix", 12},
		{"stray bracket", "limit_w: 50", "limit_w: ]", 25},
		{"no colon", "name: toy", "name toy", 2},
		{"unclosed quote", "name: toy", "name: \"toy", 2},
		{"undefined alias", "units: 4", "units: *four", 9},
		{"control character", "units: 4", "units: \x01", 9},
		{"not UTF-8", "units: 4", "units: \xff", 9},
	} {
		_, err := ParseDevice([]byte(edit(t, base, tc.from, tc.to)), "toy.yaml")
		var es Errors
		if !errors.As(err, &es) {
			t.Errorf("%s: got %v, want Errors", tc.name, err)
			continue
		}
		if es[0].Line != tc.line {
			t.Errorf("%s: got line %d, want %d: %v", tc.name, es[0].Line, tc.line, err)
		}
	}
	for _, doc := range []string{"", "# nothing\n", "---\n", "- a\n", "text", "\x00", "%YAML 9.9\n---\na: b\n"} {
		if _, err := ParseDevice([]byte(doc), "toy.yaml"); err == nil {
			t.Errorf("%q: no error", doc)
		}
	}
}

// TestAnchors: anchors, aliases and merge keys are shorthand, with exact places.
func TestAnchors(t *testing.T) {
	doc := edit(t, base, "boost_hz: 1e9", "boost_hz: &clock 1e9\n  base_hz: *clock")
	doc = edit(t, doc, "  fp16: {value: 8e12, accumulate: fp32, path: matrix}", "  fp16: &half {value: 8e12, accumulate: fp32, path: matrix}\n  bf16: {<<: *half, value: 7e12}")
	d, err := ParseDevice([]byte(doc), "toy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if d.Compute.BaseHz.Value != 1e9 {
		t.Errorf("alias: got %v", d.Compute.BaseHz.Value)
	}
	if got := d.Peak[BF16]; got.Value != 7e12 || got.Path != Matrix {
		t.Errorf("merge: got %+v", got)
	}

	bad := edit(t, base, "boost_hz: 1e9", "boost_hz: &clock fast\n  base_hz: *clock")
	_, err = ParseDevice([]byte(bad), "toy.yaml")
	want := `toy.yaml:10:20: compute.boost_hz: want Hz as a number, have "fast"`
	if err == nil || err.Error() != want {
		t.Errorf("value with an anchor, used twice: got\n%v\nwant once\n%s", err, want)
	}
	for _, tc := range []struct{ from, to, want string }{
		{"units: 4", "units: &u [*u]", "stands inside the value it names"},
		{"gap_s: 1e-6", "<<: 3", "want a mapping to merge, have 3"},
	} {
		if _, err := ParseDevice([]byte(edit(t, base, tc.from, tc.to)), "toy.yaml"); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", tc.to, err, tc.want)
		}
	}
}

// TestBounded: files made to be expensive are refused soon.
func TestBounded(t *testing.T) {
	var laughs strings.Builder
	laughs.WriteString(strings.Replace(base, "name: toy", "name: toy\nnotes: &n0 [a, a, a, a, a, a, a, a, a, a]", 1))
	laughs.WriteString("x0: &x0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]\n")
	for i := 1; i < 12; i++ {
		fmt.Fprintf(&laughs, "x%d: &x%d [%s*x%d]\n", i, i, strings.Repeat(fmt.Sprintf("*x%d, ", i-1), 9), i-1)
	}
	var lists strings.Builder
	lists.WriteString("l0: &l [" + strings.Repeat("1,", 5000) + "1]\n")
	for i := 1; i <= 5000; i++ {
		fmt.Fprintf(&lists, "          l%d: *l\n", i)
	}
	merge := "m0: &m0 {k: 1}\n"
	for i := 1; i < 2000; i++ {
		merge += fmt.Sprintf("m%d: &m%d {<<: *m%d, k%d: 1}\n", i, i, i-1, i)
	}
	for name, doc := range map[string]string{
		"aliases of aliases": laughs.String(),
		"aliased lists":      strings.Replace(calibrated, "tiles: [3, 4]\n", lists.String(), 1),
		"merged merges":      base + merge,
		"deep list":          strings.Replace(base, "units: 4", "units: "+strings.Repeat("[", 9000), 1),
		"deep closed list":   strings.Replace(base, "units: 4", "units: "+strings.Repeat("[", 500)+strings.Repeat("]", 500), 1),
		"deep block":         base + strings.Repeat("- ", 9000),
		"many problems":      base + strings.Repeat("- 1\n", 100000),
		"many unknown keys": base + func() string {
			var b strings.Builder
			for i := range 100000 {
				fmt.Fprintf(&b, "k%d: 1\n", i)
			}
			return b.String()
		}(),
		"one long text":       base + "vendor: " + strings.Repeat("x", 3<<20) + "\nvendor: 1\n",
		"many quotes":         base + strings.Repeat("\"", 1<<16),
		"many anchors":        base + strings.Repeat("&a ", 1<<14),
		"many question marks": base + strings.Repeat("? ", 1<<14),
		"many comments":       strings.Repeat("#\n", 1<<18) + "a",
	} {
		start := time.Now()
		_, err := ParseDevice([]byte(doc), "toy.yaml")
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%s: took %v", name, took)
		} else {
			t.Logf("%s: %v, %d bytes of message", name, took, len(err.Error()))
		}
		if n := len(err.Error()); n > 64<<10 {
			t.Errorf("%s: the message has %d bytes", name, n)
		}
	}
}

func compileSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(DeviceSchema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("device.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("device.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// asJSON gives a YAML document to the schema as an editor does.
func asJSON(t testing.TB, doc []byte) any {
	t.Helper()
	r := newReport("")
	root := parseYAML(doc, r)
	if root == nil {
		t.Fatal(r.err())
	}
	var b bytes.Buffer
	root.json(&b)
	v, err := jsonschema.UnmarshalJSON(&b)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSchemaAgreesWithLoader(t *testing.T) {
	schema := compileSchema(t)
	for _, name := range DeviceNames() {
		data, err := deviceFiles.ReadFile("devices/" + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(asJSON(t, data)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	example, err := os.ReadFile("testdata/calibrated.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, doc := range map[string]string{"base": base, "calibrated": calibrated, "example": string(example)} {
		if _, err := ParseDevice([]byte(doc), name); err != nil {
			t.Errorf("%s: loader: %v", name, err)
		}
		if err := schema.Validate(asJSON(t, []byte(doc))); err != nil {
			t.Errorf("%s: schema: %v", name, err)
		}
	}
	both := 0
	for _, tc := range broken {
		if !tc.schema {
			continue
		}
		both++
		if err := schema.Validate(asJSON(t, []byte(edit(t, tc.doc, tc.from, tc.to)))); err == nil {
			t.Errorf("%s: the schema accepts what the loader refuses", tc.name)
		}
	}
	if both < 20 {
		t.Errorf("only %d faults are checked against both", both)
	}
	// Every key that the loader knows is in the schema, so that editors offer it.
	if !json.Valid(DeviceSchema()) {
		t.Error("the schema is not JSON")
	}
	for _, key := range allKeys() {
		if !bytes.Contains(DeviceSchema(), []byte(`"`+key+`"`)) {
			t.Errorf("the schema lacks the key %s", key)
		}
	}
}

// FuzzDevice: any bytes give a device or errors with a place, never a panic;
// what loads is accepted by the schema, is written, and loads back equal.
func FuzzDevice(f *testing.F) {
	for _, name := range DeviceNames() {
		data, err := deviceFiles.ReadFile("devices/" + name + ".yaml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(base))
	f.Add([]byte(calibrated))
	for _, tc := range broken {
		if tc.from != "" {
			f.Add([]byte(edit(f, tc.doc, tc.from, tc.to)))
		}
	}
	schema := compileSchema(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		var d *Device
		var err error
		bound.Run(t, len(data), func() { d, err = ParseDevice(data, "fuzz.yaml") })
		if (d == nil) == (err == nil) {
			t.Fatalf("got device %t and error %v", d != nil, err)
		}
		if err != nil {
			var es Errors
			if !errors.As(err, &es) || len(es) == 0 {
				t.Fatalf("got %T, want Errors", err)
			}
			return
		}
		if err := schema.Validate(asJSON(t, data)); err != nil {
			t.Fatalf("loads, but the schema says: %v", err)
		}
		out, err := MarshalDevice(d)
		if err != nil {
			t.Fatalf("loads, but is not written: %v", err)
		}
		back, err := ParseDevice(out, "written.yaml")
		if err != nil {
			t.Fatalf("written, but does not load: %v\n%s", err, out)
		}
		if diff := cmp.Diff(d, back); diff != "" {
			t.Fatalf("-read +written and read:\n%s", diff)
		}
	})
}

func TestTwoFitsOfOneKey(t *testing.T) {
	doc := calibrated + strings.TrimPrefix(fits, "fits:\n")
	_, err := ParseDevice([]byte(doc), "toy.yaml")
	want := "toy.yaml:42:5: fits[1]: the same combination as fits[0]: time toy/v1 eager threads=2 fp16"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
