package specs

import (
	"bytes"
	"encoding/json"
	"go/parser"
	"go/token"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func builtin(t testing.TB, name string) *Device {
	t.Helper()
	d, err := LoadDevice(name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDeviceNames(t *testing.T) {
	names := DeviceNames()
	for _, want := range []string{
		"jetson-tx1", "jetson-orin-nano", "jetson-agx-orin", "t4", "l4", "v100", "a100-sxm", "h100-sxm", "h200",
		"rtx-3090", "rtx-4090", "rtx-5090", "cpu-generic", "cpu-avx512", "cpu-arm64", "graviton3", "apple-m2",
	} {
		if !slices.Contains(names, want) {
			t.Errorf("no device %s", want)
		}
	}
	if !slices.IsSortedFunc(names, compareNatural) {
		t.Errorf("names are not sorted: %v", names)
	}
}

// TestBuiltinDevices checks that every built-in file says where its figures
// come from, cites no address, and cites no source for nothing.
func TestBuiltinDevices(t *testing.T) {
	for _, name := range DeviceNames() {
		t.Run(name, func(t *testing.T) {
			d := builtin(t, name)
			if d.Name != name {
				t.Errorf("name: got %s, want that of the file", d.Name)
			}
			for what, text := range map[string]string{"title": d.Title, "vendor": d.Vendor, "architecture": d.Architecture, "mode": d.Mode} {
				if text == "" {
					t.Errorf("no %s", what)
				}
			}
			used := map[string]bool{d.Source: true}
			if d.Processor != nil {
				used[d.Processor.Source] = true
			}
			if (d.Processor != nil) != (d.Class == CPU) {
				t.Errorf("class %s, section cpu %t", d.Class, d.Processor != nil)
			}
			d.eachFigure(func(path string, f Figure) {
				used[f.Source] = true
				if d.Citation(f) == "" {
					t.Errorf("%s: no citation", path)
				}
				if f.Estimate != "" && len(f.Estimate) < 20 {
					t.Errorf("%s: the estimate %q gives no reason", path, f.Estimate)
				}
			})
			for _, fit := range d.Fits {
				if fit.Samples != nil {
					used[fit.Samples.Source] = true
				}
			}
			for key := range d.Sources {
				if !used[key] {
					t.Errorf("source %s is cited nowhere", key)
				}
			}
			if d.Power.IdleW == nil || d.Power.LimitW == nil || d.Overhead.DispatchS == nil {
				t.Error("idle power, power limit or dispatch overhead missing")
			}
			if c, ok := cacheOf(d, "L2"); !ok || c.BandwidthBytesPerS == nil {
				t.Error("no L2 with a bandwidth")
			}
			data, err := deviceFiles.ReadFile("devices/" + name + ".yaml")
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(data, []byte("://")) {
				t.Error("the file has an address")
			}
		})
	}
}

// cacheOf gives the cache of a name, and false where a device has none.
func cacheOf(d *Device, name string) (*Cache, bool) {
	i := slices.IndexFunc(d.Caches, func(c Cache) bool { return c.Name == name })
	if i < 0 {
		return nil, false
	}
	return &d.Caches[i], true
}

// TestPeaksFollowFromUnitsAndClocks recomputes the peaks that data sheets state
// from what the hardware does per clock: an independent check of both. Rates
// per unit and clock are those of the CUDA programming guide's table of
// arithmetic throughput and of the architecture whitepapers, a multiply-add
// counting as two. Stated figures are rounded, to 1 % at worst.
func TestPeaksFollowFromUnitsAndClocks(t *testing.T) {
	perClock := map[string]map[DType]float64{ // per SM and clock, in Device.Peak
		"v100":             {FP16: 1024},
		"t4":               {FP16: 1024, INT8: 2048, INT4: 4096},
		"a100-sxm":         {FP64: 128, TF32: 1024, FP16: 2048, BF16: 2048, INT8: 4096, INT4: 8192},
		"h100-sxm":         {TF32: 2048, FP16: 4096, BF16: 4096, FP8: 8192, INT8: 8192},
		"h200":             {TF32: 2048, FP16: 4096, BF16: 4096, FP8: 8192, INT8: 8192},
		"l4":               {TF32: 512, FP16: 1024, BF16: 1024, FP8: 2048, INT8: 2048},
		"rtx-3090":         {TF32: 256, FP16: 512, BF16: 512, INT8: 2048, INT4: 4096},
		"rtx-4090":         {TF32: 256, FP16: 512, BF16: 512, FP8: 1024, INT8: 2048, INT4: 4096},
		"rtx-5090":         {TF32: 256, FP16: 512, BF16: 512, FP8: 1024, INT8: 2048, FP4: 4096},
		"jetson-agx-orin":  {TF32: 1024, FP16: 2048, INT8: 4096},
		"jetson-orin-nano": {TF32: 1024, FP16: 2048, INT8: 4096},
		"jetson-tx1":       {FP16: 512},
		"cpu-avx512":       {INT8: 256},
		"cpu-arm64":        {FP16: 32, INT8: 64},
		"graviton3":        {FP16: 64, BF16: 128, INT8: 256},
		"apple-m2":         {FP16: 64, INT8: 128},
	}
	for _, name := range DeviceNames() {
		d := builtin(t, name)
		units, boost := d.Compute.Units.Value, d.Compute.BoostHz.Value
		near := func(what string, got, want, tolerance float64) {
			if math.Abs(got/want-1) > tolerance {
				t.Errorf("%s: %s: stated %.4g, units and clocks give %.4g", name, what, got, want)
			}
		}
		vector := 2 * units * d.Compute.LanesPerUnit.Value * boost
		near("peak_vector.fp32", d.PeakVector[FP32].Value, vector, 0.01)
		near("peak.fp32", d.Peak[FP32].Value, vector, 0.01)
		clock := boost
		if d.Compute.MatrixHz != nil {
			clock = d.Compute.MatrixHz.Value
		}
		for dtype, rate := range perClock[name] {
			near("peak."+string(dtype), d.Peak[dtype].Value, units*rate*clock, 0.025)
		}
		for dtype, rate := range d.PeakFP16Accumulate {
			near("peak_fp16_accumulate."+string(dtype), rate.Value, 2*d.Peak[dtype].Value, 0.01)
		}
		if d.Class != CPU {
			l1, ok := cacheOf(d, "L1")
			if ok && l1.BandwidthBytesPerS != nil {
				near("L1 bandwidth", l1.BandwidthBytesPerS.Value, 128*boost, 0.01)
			}
		}
	}
}

func TestPeakRate(t *testing.T) {
	d := builtin(t, "v100")
	if r, ok := d.PeakRate(FP16); !ok || r.Path != Matrix || r.Accumulate != FP32 {
		t.Errorf("fp16 on v100: got %+v, %v; want the tensor cores with fp32 sums", r, ok)
	}
	if _, ok := d.PeakRate(BF16); ok {
		t.Error("bf16 on v100: got a peak, want none")
	}
	delete(d.Peak, FP16)
	if r, ok := d.PeakRate(FP16); !ok || r.Path != Vector {
		t.Errorf("fp16 without matrix units: got %+v, %v; want the vector rate", r, ok)
	}
}

func TestCacheTotals(t *testing.T) {
	d := builtin(t, "h100-sxm")
	l1, _ := cacheOf(d, "L1")
	if got, want := d.TotalBytes(l1), 132*256*1024.0; got != want {
		t.Errorf("L1: got %v bytes, want %v", got, want)
	}
	l2, _ := cacheOf(d, "L2")
	if got, want := d.TotalBytes(l2), 50*1024*1024.0; got != want {
		t.Errorf("L2: got %v bytes, want %v", got, want)
	}
	if bw, ok := d.TotalBandwidth(l2); !ok || bw != l2.BandwidthBytesPerS.Value {
		t.Errorf("L2: got %v, %v", bw, ok)
	}
}

func TestCitation(t *testing.T) {
	d := builtin(t, "h100-sxm")
	for _, tc := range []struct {
		f    Figure
		want string
	}{
		{d.Peak[FP16].Figure, "NVIDIA, NVIDIA H100 Tensor Core GPU Architecture, 2022, table of A100 and H100 specifications"},
		{d.Memory.BandwidthBytesPerS, "NVIDIA, NVIDIA H100 Tensor Core GPU Architecture, 2022, 3352 GB/s"},
		{Figure{Estimate: "a guess"}, "estimate: a guess"},
		{Figure{Estimate: "a guess", Source: "datasheet"}, "estimate: a guess; after NVIDIA, NVIDIA H100 Tensor Core GPU Datasheet, 2023, table of specifications"},
	} {
		if got := d.Citation(tc.f); got != tc.want {
			t.Errorf("got %q, want %q", got, tc.want)
		}
	}
}

// TestMarshalDevice: what is written loads back as an equal device, and equal
// devices are written with equal bytes.
func TestMarshalDevice(t *testing.T) {
	for _, name := range DeviceNames() {
		d := builtin(t, name)
		first, err := MarshalDevice(d)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		back, err := ParseDevice(first, name)
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, first)
		}
		if diff := cmp.Diff(d, back); diff != "" {
			t.Errorf("%s changed in writing and reading (-want +got):\n%s", name, diff)
		}
		second, err := MarshalDevice(back)
		if err != nil || !bytes.Equal(first, second) {
			t.Errorf("%s: written twice, bytes differ (%v)", name, err)
		}
	}
}

// TestMarshalCalibrated pins the written form of a profile with fits.
func TestMarshalCalibrated(t *testing.T) {
	data, err := os.ReadFile("testdata/calibrated.yaml")
	if err != nil {
		t.Fatal(err)
	}
	d, err := ParseDevice(data, "calibrated.yaml")
	if err != nil {
		t.Fatal(err)
	}
	out, err := MarshalDevice(d)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(data), string(out)); diff != "" {
		t.Errorf("the canonical form changed (-want +got):\n%s", diff)
	}
}

func TestMarshalDeviceRefuses(t *testing.T) {
	d := builtin(t, "t4")
	d.Memory.BandwidthBytesPerS.Value = math.Inf(1)
	d.Peak[FP32] = Rate{Figure: Figure{Value: -1}, Accumulate: FP32, Path: Vector}
	d.Class = "abacus"
	_, err := MarshalDevice(d)
	for _, want := range []string{
		"t4: memory.bandwidth_bytes_per_s: want B/s as a number, have +Inf, which is not finite",
		"t4: peak.fp32: want FLOP/s as a number above 0, have -1",
		`t4: class: want one of gpu, integrated-gpu, cpu, have "abacus"`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestDeviceJSON: JSON has the keys of the file, in its order, and is valid.
func TestDeviceJSON(t *testing.T) {
	d := builtin(t, "h100-sxm")
	out, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	if want := []byte(`{"schema":"onnxcost/device/v1","name":"h100-sxm",`); !bytes.HasPrefix(out, want) {
		t.Errorf("got %.80s…, want %s…", out, want)
	}
	var m struct {
		Peak map[string]struct {
			Value float64 `json:"value"`
		} `json:"peak"`
	}
	if err := json.Unmarshal(out, &m); err != nil || m.Peak["fp16"].Value != 989.4e12 {
		t.Errorf("peak.fp16.value: got %v, %v", m.Peak["fp16"].Value, err)
	}
}

func TestLoadDevice(t *testing.T) {
	if _, err := LoadDevice("h100"); err == nil || !strings.Contains(err.Error(), `unknown device "h100"`) || !strings.Contains(err.Error(), "did you mean h100-sxm?") {
		t.Errorf("h100: got %v, want a proposal", err)
	}
	if _, err := LoadDevice("abacus"); err == nil || !strings.Contains(err.Error(), "jetson-tx1") {
		t.Errorf("abacus: got %v, want the names that exist", err)
	}
	if _, err := LoadDevice("rtx-4091"); err == nil || !strings.Contains(err.Error(), "did you mean rtx-4090?") {
		t.Errorf("rtx-4091: got %v, want a proposal", err)
	}
	if _, err := LoadDevice("no/such.yaml"); !os.IsNotExist(err) {
		t.Errorf("missing file: got %v, want an error of package os", err)
	}
	if _, err := LoadDevice(t.TempDir() + "/"); err == nil {
		t.Error("a directory loaded")
	}
	file := filepath.Join(t.TempDir(), "mine.yaml")
	data, err := MarshalDevice(builtin(t, "t4"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if d, err := LoadDevice(file); err != nil || d.Name != "t4" {
		t.Errorf("file: got %v, %v", d, err)
	}
	if err := os.WriteFile(file, bytes.Repeat([]byte("# too much\n"), maxFileBytes/11+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadDevice(file); err == nil || !strings.Contains(err.Error(), "want at most") {
		t.Errorf("oversized file: got %v", err)
	}
}

func TestFindFit(t *testing.T) {
	d := &Device{Fits: []Fit{
		{Measure: MeasureTime, Form: "a", Runtime: "ort-cpu", Threads: 1},
		{Measure: MeasureTime, Form: "a", Runtime: "ort-cpu", Threads: 2},
		{Measure: MeasureTime, Form: "b", Precision: FP16},
		{Measure: MeasurePower, Form: "c"},
	}}
	for _, tc := range []struct {
		key  FitKey
		want int
	}{
		{FitKey{Measure: MeasureTime, Runtime: "ort-cpu", Threads: 2, Precision: FP32}, 1},
		{FitKey{Measure: MeasureTime, Runtime: "ort-cpu", Threads: 3, Precision: FP32}, -1},
		{FitKey{Measure: MeasureTime, Runtime: "eager", Threads: 3, Precision: FP16}, 2},
		{FitKey{Measure: MeasurePower, Runtime: "eager"}, 3},
		{FitKey{Measure: MeasureEnergy}, -1},
	} {
		got := -1
		if f := d.FindFit(tc.key); f != nil {
			for i := range d.Fits {
				if f == &d.Fits[i] {
					got = i
				}
			}
		}
		if got != tc.want {
			t.Errorf("%v: got fit %d, want %d", tc.key, got, tc.want)
		}
	}
	if diff := cmp.Diff([]int{1, 2}, d.FitThreads("ort-cpu")); diff != "" {
		t.Error(diff)
	}
}

func TestResidualsQuantile(t *testing.T) {
	r := &Residuals{Count: 9, P: []float64{0.05, 0.5, 0.95}, Q: []float64{-0.2, 0, 0.1}}
	for _, tc := range []struct{ p, want float64 }{{0.01, -0.2}, {0.05, -0.2}, {0.275, -0.1}, {0.5, 0}, {0.725, 0.05}, {0.99, 0.1}} {
		if got := r.Quantile(tc.p); math.Abs(got-tc.want) > 1e-15 {
			t.Errorf("quantile %v: got %v, want %v", tc.p, got, tc.want)
		}
	}
}

func TestFormatNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 132: "132", 4.5: "4.5", 0.25: "0.25", -3: "-3",
		989.4e12: "989.4e12", 1.98e9: "1.98e9", 700: "700", 25600000: "25600000", 936e9: "936e9",
		85899345920: "85899345920", 3e-6: "3e-6", 1.25e-11: "12.5e-12", 0.001: "0.001", 6.02214076e23: "602.214076e21",
	} {
		got := formatNumber(v)
		if got != want {
			t.Errorf("%v: got %s, want %s", v, got, want)
		}
		if k, back := scalar(got); k != kindNumber || back != v {
			t.Errorf("%s reads back as %v", got, back)
		}
	}
}

// TestYAMLBehindOneFile keeps the YAML library replaceable.
func TestYAMLBehindOneFile(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, imp := range f.Imports {
			if p, _ := strconv.Unquote(imp.Path.Value); strings.Contains(p, "yaml") && file != "yaml.go" {
				t.Errorf("%s imports %s: want YAML in yaml.go alone", file, p)
			}
		}
	}
}

func BenchmarkLoadDevice(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		builtin(b, "h100-sxm")
	}
}
