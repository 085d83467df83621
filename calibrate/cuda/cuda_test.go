package cuda

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestOpenWithoutDriver says in one sentence what is missing; with a driver it opens and closes a card.
func TestOpenWithoutDriver(t *testing.T) {
	d, err := Open(Options{})
	if err != nil {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Fatalf("got %v, want an error that wraps ErrUnsupported where there is no driver", err)
		}
		if s := err.Error(); strings.Contains(s, "\n") || !strings.HasPrefix(s, "no ") && !strings.HasPrefix(s, "cuInit: ") {
			t.Errorf("got %q, want one sentence that begins with what is missing", s)
		}
		if _, err := OpenMeter("0000:00:00.0"); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("meter: got %v, want an error that wraps ErrUnsupported", err)
		}
		return
	}
	c, err := d.Open(0)
	if err != nil {
		t.Fatal(err)
	}
	if i := c.Info(); i.SMs == 0 || i.MemoryBytes == 0 || i.Name == "" {
		t.Errorf("got %+v", i)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestCublasCandidates(t *testing.T) {
	root := t.TempDir()
	file := func(parts ...string) string {
		p := filepath.Join(append([]string{root}, parts...)...)
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, nil, 0o700); err != nil {
			t.Fatal(err)
		}
		return p
	}
	venv13 := file("venv", "lib", "python3.12", "site-packages", "nvidia", "cu13", "lib", "libcublasLt.so.13")
	user12 := file("home", ".local", "lib", "python3.11", "site-packages", "nvidia", "cublas", "lib", "libcublasLt.so.12")
	path12 := file("ld", "libcublasLt.so.12")
	file("system", "bin", "python3.12")
	if err := os.MkdirAll(filepath.Join(root, "venv", "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(root, "system", "bin", "python3.12"), filepath.Join(root, "venv", "bin", "python3")); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"PATH": filepath.Join(root, "venv", "bin"), "HOME": filepath.Join(root, "home"), "LD_LIBRARY_PATH": filepath.Join(root, "ld")}
	got := cublasCandidates("", func(k string) string { return env[k] })
	at := func(p string) int { return slices.Index(got, p) }
	if a, b, c, d := at(path12), at("libcublasLt.so.13"), at(venv13), at(user12); a != 0 || b < a || c < b || d < c {
		t.Errorf("got %v, want LD_LIBRARY_PATH, the loader, the newest of Python's, the older", got)
	}
	if got := cublasCandidates(filepath.Join(root, "ld"), nil); !slices.Equal(got, []string{path12}) {
		t.Errorf("a given directory: got %v, want what is in it and nothing else", got)
	}
}

func TestErrors(t *testing.T) {
	oom := fmt.Errorf("4096 bytes: %w", NewError("cuMemAlloc", 2, "out of memory"))
	for _, c := range []struct {
		err              error
		oom, unsupported bool
		text             string
	}{
		{oom, true, false, "4096 bytes: cuMemAlloc: out of memory (code 2)"},
		{NewError("cublasLtCreate", 3, "alloc failed"), true, false, "cublasLtCreate: alloc failed (code 3)"},
		{NewError("cublasLtMatmul", 15, "not supported"), false, true, "cublasLtMatmul: not supported (code 15)"},
		{NewError("cuLaunchKernel", 719, "unspecified launch failure"), false, false, "cuLaunchKernel: unspecified launch failure (code 719)"},
		{fmt.Errorf("fp8: %w", ErrNoAlgorithm), false, true, "fp8: cuBLASLt has no algorithm"},
	} {
		if OutOfMemory(c.err) != c.oom || Unsupported(c.err) != c.unsupported || c.err.Error() != c.text {
			t.Errorf("%v: got out of memory %v, unsupported %v, want %v, %v, %q", c.err, OutOfMemory(c.err), Unsupported(c.err), c.oom, c.unsupported, c.text)
		}
	}
}

func TestDTypes(t *testing.T) {
	for _, c := range []struct {
		major, minor int
		want         []DType
	}{
		{6, 1, []DType{FP32}},
		{7, 0, []DType{FP32, FP16}},
		{7, 5, []DType{FP32, FP16, INT8}},
		{8, 0, []DType{FP32, TF32, FP16, BF16, INT8}},
		{9, 0, []DType{FP32, TF32, FP16, BF16, INT8, FP8}},
	} {
		if got := DTypes(Info{Major: c.major, Minor: c.minor}); !slices.Equal(got, c.want) {
			t.Errorf("capability %d.%d: got %v, want %v", c.major, c.minor, got, c.want)
		}
	}
	g := GEMM{INT8, 2, 32, 64, 48}
	if a, b, d := g.Sizes(); a != 2*32*48 || b != 2*64*48 || d != 2*32*64*4 || g.FLOPs() != 2*2*32*64*48 {
		t.Errorf("sizes of %+v: got %d, %d, %d", g, a, b, d)
	}
}

// TestKernels checks the PTX against what callers rely on: the names, the arguments and a target that old cards compile.
func TestKernels(t *testing.T) {
	want := map[string][]string{"empty": nil, "copy": {"u64", "u64", "u64"}, "relu": {"u64", "u64", "u64"},
		"triad": {"u64", "u64", "u64", "f32", "u64"}, "fill": {"u64", "u64", "u32", "u32"}}
	for _, line := range []string{".version 6.0", ".target sm_60", ".address_size 64"} {
		if !strings.Contains(Kernels, line+"\n") {
			t.Errorf("no %s", line)
		}
	}
	entries := regexp.MustCompile(`(?s)\.visible \.entry (\w+)\((.*?)\)`).FindAllStringSubmatch(Kernels, -1)
	param := regexp.MustCompile(`\.param \.(\w+)`)
	if len(entries) != len(want) {
		t.Errorf("got %d kernels, want %d", len(entries), len(want))
	}
	for _, e := range entries {
		var got []string
		for _, p := range param.FindAllStringSubmatch(e[2], -1) {
			got = append(got, p[1])
		}
		if !slices.Equal(got, want[e[1]]) {
			t.Errorf("kernel %s: got arguments %v, want %v", e[1], got, want[e[1]])
		}
	}
}

func TestThrottleNames(t *testing.T) {
	if got := throttleNames(0x1 | 0x4 | 0x40); !slices.Equal(got, []string{"sw-power-cap", "hw-thermal"}) {
		t.Errorf("got %v", got)
	}
}
