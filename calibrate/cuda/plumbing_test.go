//go:build cgo && linux

package cuda

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPlumbing runs this test binary again with libraries that write down their arguments: what arrives there is what
// the interface meant, field by field. Real libraries check none of it where no card is.
func TestPlumbing(t *testing.T) {
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("needs a C compiler")
	}
	dir := t.TempDir()
	for name, define := range map[string]string{"libcuda.so.1": "DRIVER", "libcublasLt.so.13": "CUBLAS", "libnvidia-ml.so.1": "NVML"} {
		out, err := exec.Command(cc, "-shared", "-fPIC", "-w", "-D"+define, "-o", filepath.Join(dir, name), "testdata/fake.c").CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	log := filepath.Join(dir, "log")
	cmd := exec.Command(os.Args[0], "-test.run=^TestPlumbingInside$", "-test.v")
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+dir, "FAKE_CUDA_LOG="+log)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "PASS: TestPlumbingInside") {
		t.Fatalf("%v\n%s", err, out)
	}
	data, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	got := string(data)
	for _, want := range []string{
		"retain 71\n", "stream 1\n", "alloc 12288\n",
		": 5, 6 8191\n",
		"launch 0xf0 7.1.1 256.1.1 shared 0 on 0x51: 7f0000000000 123456789abc 3735928559 1.5, extra (nil)\n",
		"copy 7f0000003000 7f0000000000 4096 on 0x51\n",
		// D[48×64] = A[48×32]·B[64×32]ᵀ in FP16, batch 2, as column-major Dᵀ = Bᵀ·A.
		"desc compute 68 scale 0\ndesc 3 = 1 (4)\npref 1 = 33554432 (8)\nA type 2, 32x64 ld 32, batch 2 stride 2048\nB type 2, 32x48 ld 32, batch 2 stride 1536\n" +
			"C type 2, 64x48 ld 64, batch 2 stride 3072\nD type 2, 64x48 ld 64, batch 2 stride 3072\n",
		"matmul 0xb1 alpha 3f800000 A 0x7f0000003000 B 0x7f0000000000 C 0x7f0000006000 D 0x7f0000006000 algo a190 workspace 0x7f000000c000 4096 on 0x51\n",
		"desc compute 72 scale 10\n", "A type 3, 512x512 ld 512, batch 1 stride 0\n", "C type 10, 512x512", "matmul 0xb1 alpha 1 A",
		"desc compute 77 scale 0\n", "A type 14, 512x512", "desc 25 = 1 (1)\n", "A type 28, 512x512", "C type 14, 512x512",
		"capture 0x51 mode 2\n", " captured\n", "instantiate 0x90 0\ngraph gone 0x90\n", "replay 0x91 on 0x51\n", "exec gone 0x91\n",
		"event gone 0xe0\n", "module gone 0x30\n", "stream gone 0x51\n", "handle gone 0xb1\nrelease 71\n",
		"pci 0000:0A:00.0\n", "field 186 of 1\n", "nvml gone\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the libraries never saw %q", want)
		}
	}
	if strings.Contains(got, "without the context") {
		t.Error("a call came without the card's context")
	}
	if t.Failed() {
		t.Log(got)
	}
}

// TestPlumbingInside makes the calls.
func TestPlumbingInside(t *testing.T) {
	if os.Getenv("FAKE_CUDA_LOG") == "" {
		t.Skip("runs inside TestPlumbing")
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	d, err := Open(Options{})
	must(err)
	if v, lt := d.Versions(); v != "13.2" || lt != "13.1.0" {
		t.Errorf("versions %s, %s", v, lt)
	}
	if _, err := d.Open(2); err == nil {
		t.Error("opened a card that is not there")
	}
	c, err := d.Open(1)
	must(err)
	want := Info{Name: "Fake card 71", PCI: "0000:0A:00.0", Major: 9, SMs: 132, MemoryClockHz: 3.201e9, BusBits: 6144, MemoryBytes: 150 << 30, L2Bytes: 50 << 20}
	if c.Info() != want {
		t.Errorf("got %+v, want %+v", c.Info(), want)
	}
	if free, err := c.FreeMemory(); err != nil || free != 140<<30 {
		t.Errorf("free %d, %v", free, err)
	}
	if _, err := c.Alloc(101 << 30); !OutOfMemory(err) {
		t.Errorf("too much memory: got %v", err)
	}
	var bufs [4]Buffer
	for i := range bufs {
		bufs[i], err = c.Alloc(12288)
		must(err)
	}
	s, err := c.Stream()
	must(err)
	m, err := c.Module(Kernels)
	must(err)
	if _, err := c.Module("broken"); err == nil || !strings.Contains(err.Error(), "line 3: broken") {
		t.Errorf("PTX that does not compile: got %v, want the compiler's words", err)
	}
	k, err := m.Kernel("copy")
	must(err)
	if _, err := m.Kernel("none"); err == nil {
		t.Error("found a kernel that is not there")
	}
	launch := Launch{Kernel: k, Grid: 7, Block: 256, Args: []any{bufs[0], uint64(0x123456789abc), uint32(0xdeadbeef), float32(1.5)}}
	must(s.Launch(launch))
	must(s.Copy(bufs[1], bufs[0], 4096))
	if s.Copy(bufs[1], bufs[0], 12289) == nil {
		t.Error("copied beyond a buffer")
	}
	mm, err := c.Matmul(GEMM{FP16, 2, 48, 64, 32}, 32<<20)
	must(err)
	must(s.Matmul(mm, Operands{bufs[0], bufs[1], bufs[2], bufs[3]}.limit(t, 4096, c)))
	if s.Matmul(mm, Operands{A: bufs[0], B: bufs[1], D: bufs[2]}) == nil {
		t.Error("multiplied without the workspace")
	}
	must(mm.Close())
	big, err := c.Alloc(512 * 512 * 4)
	must(err)
	for _, dt := range []DType{INT8, TF32, BF16, FP8} {
		mm, err := c.Matmul(GEMM{dt, 1, 512, 512, 512}, 32<<20)
		must(err)
		must(s.Matmul(mm, Operands{big, big, big, big}))
		must(mm.Close())
	}
	if _, err := c.Matmul(GEMM{FP8, 1, 16, 16, 16}, 32<<20); !Unsupported(err) || !strings.Contains(err.Error(), "the operation is not supported") {
		t.Errorf("a product without an algorithm: got %v", err)
	}
	if _, err := c.Matmul(GEMM{"fp7", 1, 16, 16, 16}, 0); !errors.Is(err, ErrNoAlgorithm) {
		t.Errorf("a format that is none: got %v", err)
	}
	g, err := s.Capture(func() error { return s.Launch(launch) })
	must(err)
	must(s.Replay(g))
	must(g.Close())
	broken := errors.New("broken")
	if _, err := s.Capture(func() error { return broken }); !errors.Is(err, broken) {
		t.Errorf("a recording that fails: got %v", err)
	}
	a, err := c.Event()
	must(err)
	b, err := c.Event()
	must(err)
	must(s.Record(a))
	must(s.Record(b))
	must(b.Synchronize())
	if sec, err := b.Since(a); err != nil || sec != 0.0025 {
		t.Errorf("elapsed %g, %v", sec, err)
	}
	for _, x := range []interface{ Close() error }{a, b, bufs[0], bufs[1], bufs[2], bufs[3], big, m, s} {
		must(x.Close())
	}
	must(c.Synchronize())
	must(c.Close())
	meter, err := OpenMeter(want.PCI)
	must(err)
	if j, ok := meter.EnergyJ(); !ok || j != 123.456 {
		t.Errorf("energy %g, %v", j, ok)
	}
	if w, instant, ok := meter.PowerW(); !ok || !instant || w != 345.6 {
		t.Errorf("power %g, %v, %v", w, instant, ok)
	}
	if st := meter.State(); st.TemperatureC != 41 || st.SMClockHz != 1.98e9 || st.MemoryHz != 3.201e9 || st.LimitW != 700 || strings.Join(st.Throttle, " ") != "sw-power-cap" {
		t.Errorf("state %+v", st)
	}
	if v := meter.DriverVersion(); v != "580.1" {
		t.Errorf("driver %q", v)
	}
	must(meter.Close())
	must(meter.Close())
}

// limit replaces the workspace by one of so many bytes, which is what the library is told.
func (o Operands) limit(t *testing.T, bytes int64, c Context) Operands {
	t.Helper()
	b, err := c.Alloc(bytes)
	if err != nil {
		t.Fatal(err)
	}
	o.Workspace = b
	return o
}
