package specs

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/onnxcost/onnxcost/internal/bound"
)

const budget = `schema: onnxcost/budget/v1
device: jetson-tx1
defaults: {runtime: eager, precision: fp32, batch: 1, dims: {seq: 64}}
models:
  - match: models/*.onnx
    dims: {seq: 128}
    limits: &small
      energy: 250 mJ
      latency: 33 ms
      power: 12 W
      peak_memory: 512 MiB
      params: 30 M
      macs: 5 G
      throughput: 30 /s
  - match: [zoo:resnet50, "models/**/big-*.onnx"]
    devices: [t4, board.yaml]
    batch: [1, 8]
    limits:
      <<: *small
      energy: 1.1 J
      energy_per_day: {at: 10 /s, max: 600 kJ}
      arena: 8 MiB
      peak_activations: 10 MB
      file_size: 100 MB
      coverage: 100 %
`

// brokenBudgets are edits of budget and the one problem that each must give. schema says that the JSON Schema refuses
// it too.
var brokenBudgets = []struct {
	name, from, to, want string
	schema               bool
}{
	{"unknown key", "device: jetson-tx1", "devcie: jetson-tx1", "b.yaml:2:1: devcie: unknown key; did you mean device?", true},
	{"unknown limit", "latency: 33 ms", "latencey: 33 ms", "b.yaml:9:7: models[0].limits.latencey: unknown key; did you mean latency?", true},
	{"duplicate key", "power: 12 W", "latency: 12 ms", `b.yaml:10:7: key "latency" appears twice, first on line 9`, false},
	{"second document", "coverage: 100 %\n", "coverage: 100 %\n---\nschema: x\n", "b.yaml:27:1: a second document begins here: want one document per file", false},
	{"wrong dimension", "energy: 250 mJ", "energy: 5 GB", `b.yaml:8:17: models[0].limits.energy: want an energy such as 250 mJ or 1.1 kJ, have "5 GB", which is a size in bytes`, true},
	{"no unit", "latency: 33 ms", "latency: 33", `b.yaml:9:18: models[0].limits.latency: want a time such as 33 ms or 2 s, have "33", which has no unit`, true},
	{"unknown unit", "latency: 33 ms", "latency: 33 msec", `b.yaml:9:19: models[0].limits.latency: want a time such as 33 ms or 2 s, have "33 msec", and "msec" is no unit`, true},
	{"not finite", "macs: 5 G", "macs: .inf", `b.yaml:13:13: models[0].limits.macs: want a number of multiply-accumulates such as 5 G or 1.5 GMACs, have ".inf"`, false},
	{"not a number", "energy: 250 mJ", "energy: .nan", `b.yaml:8:15: models[0].limits.energy: want an energy such as 250 mJ or 1.1 kJ, have ".nan"`, false},
	{"out of range", "energy: 250 mJ", "energy: 1e400 J", `b.yaml:8:15: models[0].limits.energy: want an energy such as 250 mJ or 1.1 kJ, have "1e400 J", which is out of range`, false},
	{"negative", "energy: 250 mJ", "energy: -1 J", `b.yaml:8:15: models[0].limits.energy: want an energy such as 250 mJ or 1.1 kJ, have "-1 J", with a sign`, true},
	{"zero", "energy: 250 mJ", "energy: 0 J", "b.yaml:8:15: models[0].limits.energy: want more than 0, have 0 J", false},
	{"more than all", "coverage: 100 %", "coverage: 101 %", "b.yaml:25:17: models[1].limits.coverage: want at most 100 %, have 101 %", false},
	{"a list as limit", "energy: 250 mJ", "energy: [250 mJ]", "b.yaml:8:15: models[0].limits.energy: want an energy such as 250 mJ or 1.1 kJ, have a list", true},
	{"day without rate", "{at: 10 /s, max: 600 kJ}", "{max: 600 kJ}", "b.yaml:21:23: models[1].limits.energy_per_day.at: missing: want a rate such as 30 /s or 5 /min", true},
	{"day rate in watts", "{at: 10 /s, max: 600 kJ}", "{at: 10 W, max: 600 kJ}", `b.yaml:21:31: models[1].limits.energy_per_day.at: want a rate such as 30 /s or 5 /min, have "10 W", which is a power`, true},
	{"batch of zero", "batch: [1, 8]", "batch: [1, 0]", "b.yaml:17:16: models[1].batch[1]: want a whole number above 0, have 0", true},
	{"batch twice", "batch: [1, 8]", "batch: [8, 8]", "b.yaml:17:16: models[1].batch[1]: 8 stands in the list twice", true},
	{"batch as text", "batch: [1, 8]", "batch: many", `b.yaml:17:12: models[1].batch: want a whole number, have "many"`, true},
	{"precision", "precision: fp32", "precision: fp12", `b.yaml:3:39: defaults.precision: want one of fp64, fp32, tf32, fp16, bf16, fp8, fp4, int8, int4, int32, have "fp12"`, true},
	{"dim", "{seq: 128}", "{seq: -1}", "b.yaml:6:17: models[0].dims.seq: want a whole number, 0 or more, have -1", true},
	{"both devices", "    devices: [t4, board.yaml]", "    device: t4\n    devices: [t4, board.yaml]", "b.yaml:17:14: models[1].devices: stands beside device: want one of the two", true},
	{"empty match", "match: models/*.onnx", `match: ""`, "b.yaml:5:12: models[0].match: empty: want a path, a pattern or zoo:NAME", true},
	{"malformed pattern", "match: models/*.onnx", "match: models/[a.onnx", `b.yaml:5:12: models[0].match: "models/[a.onnx" is no pattern: "[a.onnx" is malformed`, false},
	{"no match", "  - match: models/*.onnx\n    dims", "  - dims", "b.yaml:5:5: models[0].match: missing", true},
	{"no limits", "      energy: 1.1 J\n      energy_per_day: {at: 10 /s, max: 600 kJ}\n      arena: 8 MiB\n      peak_activations: 10 MB\n      file_size: 100 MB\n      coverage: 100 %\n", "",
		"", false},
	{"another kind of file", "onnxcost/budget/v1", "onnxcost/device/v1", `b.yaml:1:9: schema: want onnxcost/budget/v1, have "onnxcost/device/v1"`, true},
	{"no schema", "schema: onnxcost/budget/v1\n", "", "b.yaml:1:1: schema: missing: want onnxcost/budget/v1", true},
	{"endless alias", "limits: &small", "limits: &small\n      x: *small", "b.yaml:8:10: alias *small stands inside the value it names", false},
	{"tag", "energy: 250 mJ", "energy: !!str 250 mJ", "b.yaml:8:15: tag !!str: want no tags", false},
}

func TestParseBudgetErrors(t *testing.T) {
	schema := compileBudgetSchema(t)
	for _, tc := range brokenBudgets {
		t.Run(tc.name, func(t *testing.T) {
			doc := edit(t, budget, tc.from, tc.to)
			_, err := ParseBudget([]byte(doc), "b.yaml")
			if tc.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil || err.Error() != tc.want {
				t.Errorf("got\n%v\nwant\n%s", err, tc.want)
			}
			if tc.schema && schema.Validate(asJSON(t, []byte(doc))) == nil {
				t.Error("the schema accepts what the loader refuses")
			}
		})
	}
}

func compileBudgetSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(BudgetSchema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("budget.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("budget.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestBudgetSchemaAccepts: the schema accepts the budgets that the loader accepts.
func TestBudgetSchemaAccepts(t *testing.T) {
	schema := compileBudgetSchema(t)
	docs := []string{budget, "schema: onnxcost/budget/v1\nmodels: [{match: a.onnx, limits: {macs: 5000000, params: 1e6, arena: 1 B}}]\n"}
	for _, row := range dimensions() {
		keys := map[Dimension]string{DimEnergy: "energy", DimTime: "latency", DimPower: "power", DimBytes: "file_size", DimMACs: "macs", DimParams: "params",
			DimRate: "throughput", DimProportion: "coverage"}
		for _, u := range row.units {
			if key := keys[row.dim]; key != "" {
				docs = append(docs, "schema: onnxcost/budget/v1\ndevice: t4\nmodels: [{match: a.onnx, limits: {"+key+": 0.5 "+u.name+"}}]\n")
			}
		}
	}
	for _, doc := range docs {
		if _, err := ParseBudget([]byte(doc), "b.yaml"); err != nil {
			t.Errorf("loader: %v\n%s", err, doc)
		}
		if err := schema.Validate(asJSON(t, []byte(doc))); err != nil {
			t.Errorf("schema: %v\n%s", err, doc)
		}
	}
}

// TestBudgetCases: settings come from the model, then the defaults, then the top; limits merge through anchors.
func TestBudgetCases(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write("ci/budget.yaml", strings.ReplaceAll(budget, "models/", "../models/"))
	write("ci/board.yaml", base)
	for _, f := range []string{"a.onnx", "b.onnx", ".c.onnx", "x/y/big-1.onnx", "x/small.onnx", "d.onnx/big-2.onnx"} {
		write("models/"+f, "")
	}
	b, err := ReadBudget(filepath.Join(dir, "ci", "budget.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range b.Cases() {
		model := c.Model
		if rel, err := filepath.Rel(dir, c.Model); err == nil && filepath.IsAbs(c.Model) {
			model = filepath.ToSlash(rel)
		}
		got = append(got, strings.Join([]string{c.Path, model, c.Device.Name, c.Runtime, string(c.Precision),
			Quantity{float64(c.Batch), DimCount}.String(), Quantity{float64(c.Dims["seq"]), DimCount}.String(), Quantity{float64(c.DefaultDims["seq"]), DimCount}.String(), c.Limits.Energy.String()}, " "))
	}
	want := []string{
		"models[0] models/a.onnx jetson-tx1 eager fp32 1 128 64 250 mJ",
		"models[0] models/b.onnx jetson-tx1 eager fp32 1 128 64 250 mJ",
	}
	for _, model := range []string{"zoo:resnet50", "models/d.onnx/big-2.onnx", "models/x/y/big-1.onnx"} {
		for _, d := range []string{"t4", "toy"} {
			for _, n := range []string{"1", "8"} {
				want = append(want, "models[1] "+model+" "+d+" eager fp32 "+n+" 0 64 1.1 J")
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	last := b.Cases()[len(got)-1].Limits
	if last.Latency.Value != 0.033 || last.EnergyPerDay.At.Value != 10 || last.EnergyPerDay.Max.Value != 6e5 || last.Coverage.Value != 1 {
		t.Errorf("merged limits: %+v", last)
	}
	if line, col := b.Line("models[1].limits.latency"); line != 9 || col != 16 {
		t.Errorf("a merged limit stands at %d:%d, want the anchor's 9:16", line, col)
	}
}

// TestReadBudgetErrors: problems with other files come together with those of the text, in the order of the file.
func TestReadBudgetErrors(t *testing.T) {
	t.Chdir(t.TempDir())
	doc := edit(t, budget, "energy: 250 mJ", "energy: 5 GB")
	doc = edit(t, doc, "device: jetson-tx1", "device: jetson-tx")
	if err := os.WriteFile("b.yaml", []byte(doc), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("board.yaml", []byte("schema: onnxcost/device/v1\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	_, err := ReadBudget("b.yaml", func(b *Budget, at func(path, format string, args ...any)) {
		at("models[1].match[0]", "no network %q", b.Models[1].Match[0])
		at("models[0].limits.energy", "not shown: refused already")
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`b.yaml:2:9: device: unknown device "jetson-tx"; did you mean jetson-tx1? (or give the path of a device file)`,
		`b.yaml:5:12: models[0].match: "models/*.onnx" matches no file in .`,
		`b.yaml:8:17: models[0].limits.energy: want an energy`,
		`b.yaml:15:13: models[1].match[0]: no network "zoo:resnet50"`,
		`b.yaml:15:27: models[1].match[1]: "models/**/big-*.onnx" matches no file in .`,
		`b.yaml:16:19: models[1].devices[1]: board.yaml is no valid device file`,
		`board.yaml:1:1: name: missing`,
	} {
		if strings.Count(err.Error(), want) != 1 {
			t.Errorf("want once %s in\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "not shown") {
		t.Errorf("a refused value is judged again:\n%v", err)
	}
	if _, err := ReadBudget("missing.yaml"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want that the file does not exist", err)
	}
}

// TestLimitsNeedDevice names every limit that only a prediction can answer.
func TestLimitsNeedDevice(t *testing.T) {
	doc := edit(t, budget, "device: jetson-tx1\n", "")
	doc = edit(t, doc, "    devices: [t4, board.yaml]\n", "")
	_, err := ParseBudget([]byte(doc), "b.yaml")
	for _, key := range []string{"models[0].limits.energy", "models[0].limits.latency", "models[0].limits.power", "models[0].limits.peak_memory",
		"models[0].limits.throughput", "models[1].limits.energy_per_day"} {
		if err == nil || !strings.Contains(err.Error(), key+": needs a device: give device at the top of the file or to this model") {
			t.Errorf("want %s in\n%v", key, err)
		}
	}
	if n := strings.Count(err.Error(), "\n"); n != 6 { // models[1].limits.energy replaces the anchor's, so seven problems
		t.Errorf("%d problems, want 7:\n%v", n+1, err)
	}
}

// FuzzBudget: any bytes give a budget or errors with a place, never a panic; what loads is accepted by the schema.
func FuzzBudget(f *testing.F) {
	f.Add([]byte(budget))
	for _, tc := range brokenBudgets {
		f.Add([]byte(edit(f, budget, tc.from, tc.to)))
	}
	schema := compileBudgetSchema(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		var b *Budget
		var err error
		bound.Run(t, len(data), func() { b, err = ParseBudget(data, "fuzz.yaml") })
		if (b == nil) == (err == nil) {
			t.Fatalf("got budget %t and error %v", b != nil, err)
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
		b.Cases()
	})
}
