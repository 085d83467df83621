package ort

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

func touch(t *testing.T, path string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFind(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("the places are those of linux/amd64")
	}
	dir := t.TempDir()
	env := func(library, loader string) {
		t.Setenv(EnvLibrary, library)
		t.Setenv("LD_LIBRARY_PATH", loader)
		t.Setenv("VIRTUAL_ENV", filepath.Join(dir, "venv"))
		t.Setenv("HOME", dir)
	}
	t.Chdir(dir)
	node := touch(t, filepath.Join(dir, "node_modules/onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime.so.1"))
	touch(t, filepath.Join(dir, "node_modules/onnxruntime-node/bin/napi-v3/linux/x64/libonnxruntime.so.1"))
	below := filepath.Join(dir, "a/b")
	if err := os.MkdirAll(below, 0o755); err != nil {
		t.Fatal(err)
	}
	python := touch(t, filepath.Join(dir, "venv/lib/python3.11/site-packages/onnxruntime/capi/libonnxruntime.so.1.30.0"))
	touch(t, filepath.Join(dir, "venv/lib/python3.11/site-packages/onnxruntime/capi/libonnxruntime.so.1.9.0"))
	loader := touch(t, filepath.Join(dir, "lib[1]/libonnxruntime.so"))

	want := func(name, explicit, path string) {
		t.Helper()
		got, err := Find(explicit)
		if err != nil || got != path {
			t.Errorf("%s: got %s, %v, want %s", name, got, err, path)
		}
	}
	env("", "")
	if usual := libraryInAny(here.loaderDirs(func(string) string { return "" })); usual != "" {
		t.Skip("this machine has a library where the loader looks: " + usual)
	}
	want("node_modules here, newest interface first", "", node)
	t.Chdir(below)
	want("node_modules of a parent", "", node)
	if err := os.RemoveAll(filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	want("Python, 1.30 above 1.9", "", python)
	env("", filepath.Dir(loader))
	want("the loader's path before Python", "", loader)
	env(python, filepath.Dir(loader))
	want("the variable before the loader", "", python)
	want("explicit before the variable", loader, loader)
	want("a directory stands for the library in it", filepath.Dir(loader), loader)

	if _, err := Find(filepath.Join(dir, "none.so")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a name that leads nowhere: got %v, want it to say so and not to look elsewhere", err)
	}
	if _, err := Find(below); !errors.Is(err, ErrNotFound) {
		t.Errorf("a directory without a library: got %v", err)
	}
	env("", "")
	if err := os.RemoveAll(filepath.Join(dir, "venv")); err != nil {
		t.Fatal(err)
	}
	_, err := Find("")
	if err == nil {
		t.Skip("this machine has a system-wide Python package")
	}
	if !Available {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("without cgo: got %v, want it to say that no library would help", err)
		}
		return
	}
	if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "onnxruntime-node") || !strings.Contains(err.Error(), EnvLibrary) {
		t.Errorf("got %v, want it to say how to get one", err)
	}
}

// TestFindOnOtherSystems looks where packages for macOS and Windows put the library, which is nowhere else.
func TestFindOnOtherSystems(t *testing.T) {
	const node = "node_modules/onnxruntime-node/bin/napi-v6/"
	for _, c := range []struct {
		system system
		files  []string
		want   string
	}{
		{system{"darwin", "arm64"}, []string{node + "darwin/arm64/libonnxruntime.1.30.0.dylib", node + "darwin/arm64/libonnxruntime.1.dylib",
			node + "linux/arm64/libonnxruntime.so.1"}, node + "darwin/arm64/libonnxruntime.1.30.0.dylib"},
		{system{"darwin", "amd64"}, []string{node + "darwin/arm64/libonnxruntime.1.30.0.dylib"}, ""},
		{system{"darwin", "arm64"}, []string{".venv/lib/python3.13/site-packages/onnxruntime/capi/libonnxruntime.1.30.0.dylib",
			".venv/lib/python3.13/site-packages/onnxruntime/capi/libonnxruntime.1.9.0.dylib"},
			".venv/lib/python3.13/site-packages/onnxruntime/capi/libonnxruntime.1.30.0.dylib"},
		{system{"darwin", "arm64"}, []string{"Library/Python/3.9/lib/python/site-packages/onnxruntime/capi/libonnxruntime.1.30.0.dylib",
			"Library/Python/3.12/lib/python/site-packages/onnxruntime/capi/libonnxruntime.1.30.0.dylib"},
			"Library/Python/3.12/lib/python/site-packages/onnxruntime/capi/libonnxruntime.1.30.0.dylib"},
		{system{"windows", "amd64"}, []string{node + "win32/x64/onnxruntime.dll", node + "win32/x64/DirectML.dll"}, node + "win32/x64/onnxruntime.dll"},
		{system{"linux", "arm64"}, []string{node + "linux/x64/libonnxruntime.so.1", node + "linux/arm64/libonnxruntime.so.1"},
			node + "linux/arm64/libonnxruntime.so.1"},
	} {
		dir := t.TempDir()
		for _, f := range c.files {
			touch(t, filepath.Join(dir, filepath.FromSlash(f)))
		}
		t.Chdir(dir)
		t.Setenv("HOME", dir)
		for _, name := range []string{"LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PATH", "VIRTUAL_ENV"} {
			t.Setenv(name, "")
		}
		got := c.system.find()
		if rel, err := filepath.Rel(dir, got); got != "" && err == nil {
			got = filepath.ToSlash(rel)
		}
		if got != c.want {
			t.Errorf("%v with %v: got %s, want %s", c.system, c.files, got, c.want)
		}
	}
}

// TestVersionOfPackages reads the release from the files of every system in an onnxruntime-node package.
func TestVersionOfPackages(t *testing.T) {
	npm := os.Getenv("ONNXCOST_NPM")
	if npm == "" {
		t.Skip("needs ONNXCOST_NPM, a node_modules folder with onnxruntime-node")
	}
	var stated struct{ Version string }
	b, err := os.ReadFile(filepath.Join(npm, "onnxruntime-node", "package.json"))
	if err == nil {
		err = json.Unmarshal(b, &stated)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"linux/x64/libonnxruntime.so.1", "linux/arm64/libonnxruntime.so.1", "darwin/arm64/libonnxruntime." + stated.Version + ".dylib"} {
		path := filepath.Join(npm, "onnxruntime-node", "bin", "napi-v6", filepath.FromSlash(file))
		if got := fileVersion(path); got != stated.Version {
			t.Errorf("%s: got %q, want %s", file, got, stated.Version)
		}
	}
}

func libraryInAny(dirs []string) string {
	for _, d := range dirs {
		if l := here.libraryIn(d); l != "" {
			return l
		}
	}
	return ""
}

func TestVersions(t *testing.T) {
	err := error(&VersionError{Path: "lib.so", Have: "1.17.0", Want: wantVersion()})
	if got, want := err.Error(), "lib.so: the library is ONNX Runtime 1.17.0; want 1.29 or later"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if v := fileVersion(touch(t, filepath.Join(t.TempDir(), "libonnxruntime.so"))); v != "" {
		t.Errorf("a file that is no library has version %s", v)
	}
	for _, c := range []struct {
		v            string
		major, minor int
		ok           bool
	}{{"1.30.0", 1, 30, true}, {"1.9", 1, 9, true}, {"", 0, 0, false}, {"1.x", 1, 0, false}} {
		if major, minor, ok := splitVersion(c.v); ok != c.ok || ok && (major != c.major || minor != c.minor) {
			t.Errorf("%q: got %d, %d, %v", c.v, major, minor, ok)
		}
	}
}

// TestFloat16 compares with the definition: the nearest of all half-precision numbers, the even one on ties.
func TestFloat16(t *testing.T) {
	decode := func(h uint16) float64 {
		exp, frac := int(h>>10&31), float64(h&0x3ff)
		v := math.Ldexp(1+frac/1024, exp-15)
		if exp == 0 {
			v = math.Ldexp(frac/1024, -14)
		}
		if h>>15 == 1 {
			return -v
		}
		return v
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 200000 {
		f := float32(r.NormFloat64() * math.Exp2(float64(r.IntN(30)-26)))
		h := float16(f)
		if h&0x7c00 == 0x7c00 {
			t.Fatalf("%g became infinite", f)
		}
		d := math.Abs(decode(h) - float64(f))
		for _, near := range []uint16{h - 1, h + 1} {
			if near&0x7c00 == 0x7c00 || (near^h)&0x8000 != 0 {
				continue
			}
			if n := math.Abs(decode(near) - float64(f)); n < d || n == d && h&1 == 1 {
				t.Fatalf("%g: got %#x (%g), but %#x (%g) is nearer", f, h, decode(h), near, decode(near))
			}
		}
	}
}

func TestRandomTensor(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	x, err := RandomTensor(onnx.Float32, []int64{100, 100}, 0, r)
	if err != nil {
		t.Fatal(err)
	}
	var sum, sq float64
	for i := 0; i < len(x.Data); i += 4 {
		v := float64(math.Float32frombits(binary.LittleEndian.Uint32(x.Data[i:])))
		sum += v
		sq += v * v
	}
	if mean, variance := sum/1e4, sq/1e4; math.Abs(mean) > 0.05 || math.Abs(variance-1) > 0.05 {
		t.Errorf("mean %g, variance %g, want 0 and 1", mean, variance)
	}
	ids, err := RandomTensor(onnx.Int64, []int64{1000}, 7, r)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[uint64]bool{}
	for i := 0; i < len(ids.Data); i += 8 {
		seen[binary.LittleEndian.Uint64(ids.Data[i:])] = true
	}
	if len(seen) != 7 || !seen[0] || !seen[6] {
		t.Errorf("integers below 7: got %v", seen)
	}
	mask, err := RandomTensor(onnx.Bool, []int64{3}, 0, r)
	if err != nil || mask.Data[0]&mask.Data[1]&mask.Data[2] != 1 {
		t.Errorf("bool: got %v, %v, want true", mask, err)
	}
	for _, c := range []struct {
		dt   onnx.DType
		dims []int64
	}{{onnx.String, []int64{1}}, {onnx.Float32, []int64{-1}}, {onnx.Float32, []int64{1 << 20, 1 << 20}}} {
		if _, err := RandomTensor(c.dt, c.dims, 0, r); err == nil {
			t.Errorf("%s %v: want an error", c.dt, c.dims)
		}
	}
}

const profileText = `[
{"cat":"Session","pid":1,"tid":1,"dur":300,"ts":1,"ph":"X","name":"model_loading_uri","args":{}},
{"cat":"Node","dur":40,"ts":120,"ph":"X","name":"b_kernel_time","args":{"op_name":"Relu","provider":"CPUExecutionProvider","mem_in_use_peak":"512","output_type_shape":[{"float":[1,2]}],"input_type_shape":[{"float":[1,2]},{"int64":[]}]}},
{"cat":"Node","dur":1,"ts":101,"ph":"B","name":"a_fence_before","args":{"op_name":"Conv"}},
{"cat":"Node","dur":10,"ts":105,"ph":"X","name":"a_kernel_time","args":{"op_name":"Conv","provider":"CUDAExecutionProvider","node_index":"0"}},
{"cat":"Session","dur":100,"ts":100,"ph":"X","name":"model_run","args":{}},
{"cat":"Node","dur":11,"ts":210,"ph":"X","name":"a_kernel_time","args":{"op_name":"Conv","provider":"CPUExecutionProvider"}},
{"cat":"Session","dur":90,"ts":200,"ph":"X","name":"model_run","args":{}}
]
`

func TestReadProfile(t *testing.T) {
	p, err := readProfile(strings.NewReader(profileText))
	if err != nil {
		t.Fatal(err)
	}
	want := &Profile{Runs: []Run{
		{100e-6, []NodeRecord{
			{Name: "a", Op: "Conv", Provider: "CUDAExecutionProvider", Seconds: 10e-6},
			{Name: "b", Op: "Relu", Provider: "CPUExecutionProvider", Seconds: 40e-6, Inputs: []Shape{{"float", []int64{1, 2}}, {"int64", []int64{}}},
				Outputs: []Shape{{"float", []int64{1, 2}}}, Memory: map[string]int64{"mem_in_use_peak": 512}},
		}},
		{90e-6, []NodeRecord{{Name: "a", Op: "Conv", Provider: "CPUExecutionProvider", Seconds: 11e-6}}},
	}}
	near := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-12 })
	if d := cmp.Diff(want, p, near); d != "" {
		t.Errorf("profile (-want +got):\n%s", d)
	}
	for _, text := range []string{"", "{}", "[", `[{"cat":1}]`, `[{"cat":"Node","name":"a_kernel_time","dur":-1}]`, profileText[:400]} {
		if _, err := readProfile(strings.NewReader(text)); err == nil {
			t.Errorf("%.20q: want an error", text)
		}
	}
}

func TestProviderFallback(t *testing.T) {
	p, err := readProfile(strings.NewReader(profileText))
	if err != nil {
		t.Fatal(err)
	}
	var fallback *FallbackError
	if err := p.checkProvider("m.onnx", "cuda"); !errors.As(err, &fallback) || fallback.Nodes != 1 || len(fallback.CPU) != 1 || fallback.CPU[0] != "Conv" {
		t.Errorf("the last run was the CPU's: got %v", err)
	}
	p.Runs = p.Runs[:1]
	if err := p.checkProvider("m.onnx", "cuda"); err != nil {
		t.Errorf("one node ran on the device: got %v", err)
	}
}

func FuzzReadProfile(f *testing.F) {
	f.Add(profileText)
	f.Add(`[{"cat":"Node","name":"_kernel_time","dur":1e300,"args":{"input_type_shape":[{"float":[9223372036854775807]}]}}]`)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := readProfile(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, r := range p.Runs {
			for _, n := range r.Nodes {
				if n.Seconds < 0 {
					t.Fatalf("negative duration %g", n.Seconds)
				}
			}
		}
	})
}
