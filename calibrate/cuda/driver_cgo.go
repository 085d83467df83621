//go:build cgo && linux

package cuda

/*
#cgo linux LDFLAGS: -ldl
#cgo CFLAGS: -std=gnu11
#include <stdlib.h>
#include "api.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"
	"unsafe"
)

// driver is the process's one: libraries stay loaded, because unloading CUDA under its own threads is not safe.
type driver struct{ cublas string }

var (
	openMu sync.Mutex
	opened *driver
)

// Open loads the driver and cuBLASLt and initialises them. A machine without a driver, without a card or without
// cuBLASLt gives an error that wraps errors.ErrUnsupported; once both are open, later calls return the same Driver.
func Open(o Options) (Driver, error) {
	openMu.Lock()
	defer openMu.Unlock()
	if opened != nil {
		return opened, nil
	}
	text := make([]byte, 512)
	if C.oc_open_driver((*C.char)(unsafe.Pointer(&text[0])), C.size_t(len(text))) == 0 {
		return nil, lacking("no NVIDIA driver: %s", cText(text))
	}
	if err := check(C.oc_init()); err != nil {
		var e *Error
		if errors.As(err, &e) && e.Code == codeNoDevice {
			return nil, lacking("%v", err)
		}
		return nil, err
	}
	path, err := openCublas(o)
	if err != nil {
		return nil, err
	}
	opened = &driver{cublas: path}
	return opened, nil
}

// openCublas opens the first candidate that loads and says why the others did not.
func openCublas(o Options) (string, error) {
	var why []string
	text := make([]byte, 512)
	for _, path := range cublasCandidates(o.LibDir, getenv) {
		name := C.CString(path)
		ok := C.oc_open_cublas(name, (*C.char)(unsafe.Pointer(&text[0])), C.size_t(len(text)))
		C.free(unsafe.Pointer(name))
		if ok != 0 {
			return path, nil
		}
		why = append(why, cText(text))
	}
	hint := "set LD_LIBRARY_PATH to the directory that holds it, or install the Python package nvidia-cublas in an environment whose python is on the PATH"
	if o.LibDir != "" {
		hint = "none of " + strings.Join(cublasNames, ", ") + " in " + o.LibDir + " loads"
	}
	if len(why) > 0 {
		hint += " (" + why[len(why)-1] + ")"
	}
	return "", lacking("no cuBLASLt: %s", hint)
}

func cText(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}

// check turns a result into an error.
func check(r C.oc_result) error {
	if r.code == 0 {
		return nil
	}
	name := C.GoString(r.failed)
	text := ""
	if strings.HasPrefix(name, "cublas") {
		text = C.GoString(C.oc_cublas_text(r.code))
	} else {
		text = C.GoString(C.oc_driver_text(r.code))
	}
	return NewError(name, int(r.code), text)
}

func (d *driver) Versions() (cuda, cublas string) {
	var v C.int
	if check(C.oc_driver_version(&v)) == nil {
		cuda = fmt.Sprintf("%d.%d", v/1000, v%1000/10)
	}
	return cuda, cublasVersion(int(C.oc_cublas_version()))
}

// cublasVersion reads CUBLAS_VERSION of cublas_api.h: major·10000 + minor·100 + patch.
func cublasVersion(v int) string { return fmt.Sprintf("%d.%d.%d", v/10000, v/100%100, v%100) }

// count is the number of cards that the process may use; 0 is an error.
func (d *driver) count() (int, error) {
	var n C.int
	if err := check(C.oc_count(&n)); err != nil {
		return 0, err
	}
	if n == 0 {
		return 0, lacking("cuDeviceGetCount: no CUDA-capable device")
	}
	return int(n), nil
}

// Close keeps the libraries: see driver.
func (d *driver) Close() error { return nil }

type context struct {
	card C.oc_card
	info Info
}

func (d *driver) Open(card int) (Context, error) {
	n, err := d.count()
	if err != nil {
		return nil, err
	}
	if card < 0 || card >= n {
		return nil, fmt.Errorf("card %d: this machine has 0 to %d", card, n-1)
	}
	runtime.LockOSThread() // cublasLtCreate reads the thread's context
	defer runtime.UnlockOSThread()
	c := &context{}
	var i C.oc_info
	if err := check(C.oc_card_open(C.int(card), &c.card, &i)); err != nil {
		return nil, err
	}
	c.info = Info{Name: C.GoString(&i.name[0]), PCI: C.GoString(&i.pci[0]), Major: int(i.major), Minor: int(i.minor), SMs: int(i.sms),
		ClockHz: 1e3 * float64(i.clock_khz), MemoryClockHz: 1e3 * float64(i.memory_khz), BusBits: int(i.bus_bits),
		MemoryBytes: int64(i.memory_bytes), L2Bytes: int64(i.l2_bytes), Integrated: i.integrated != 0}
	return c, nil
}

func (c *context) Info() Info         { return c.info }
func (c *context) Synchronize() error { return check(C.oc_sync(&c.card)) }
func (c *context) Close() error       { return check(C.oc_card_close(&c.card)) }

func (c *context) FreeMemory() (int64, error) {
	var free, total C.size_t
	err := check(C.oc_memory(&c.card, &free, &total))
	return int64(free), err
}

type buffer struct {
	c     *context
	ptr   C.uint64_t
	bytes int64
}

func (c *context) Alloc(bytes int64) (Buffer, error) {
	if bytes <= 0 {
		return nil, fmt.Errorf("cuMemAlloc: %d bytes, want at least 1", bytes)
	}
	b := &buffer{c: c, bytes: bytes}
	if err := check(C.oc_alloc(&c.card, C.size_t(bytes), &b.ptr)); err != nil {
		return nil, fmt.Errorf("%d bytes: %w", bytes, err)
	}
	return b, nil
}

func (b *buffer) Bytes() int64 { return b.bytes }

func (b *buffer) Close() error {
	if b.ptr == 0 {
		return nil
	}
	err := check(C.oc_free(&b.c.card, b.ptr))
	b.ptr = 0
	return err
}

type module struct {
	c *context
	h C.oc_handle
}

type kernel struct {
	name string
	h    C.oc_handle
}

func (k *kernel) Name() string { return k.name }

func (c *context) Module(ptx string) (Module, error) {
	text := C.CString(ptx)
	defer C.free(unsafe.Pointer(text))
	log := make([]byte, 8192)
	m := &module{c: c}
	if err := check(C.oc_module_new(&c.card, text, &m.h, (*C.char)(unsafe.Pointer(&log[0])), C.size_t(len(log)))); err != nil {
		if l := strings.TrimSpace(cText(log)); l != "" {
			return nil, fmt.Errorf("%w: %s", err, l)
		}
		return nil, err
	}
	return m, nil
}

func (m *module) Kernel(name string) (Kernel, error) {
	n := C.CString(name)
	defer C.free(unsafe.Pointer(n))
	k := &kernel{name: name}
	if err := check(C.oc_kernel(&m.c.card, m.h, n, &k.h)); err != nil {
		return nil, fmt.Errorf("kernel %s: %w", name, err)
	}
	return k, nil
}

func (m *module) Close() error {
	if m.h == nil {
		return nil
	}
	err := check(C.oc_module_free(&m.c.card, m.h))
	m.h = nil
	return err
}

type event struct {
	c *context
	h C.oc_handle
}

func (c *context) Event() (Event, error) {
	e := &event{c: c}
	if err := check(C.oc_event_new(&c.card, &e.h)); err != nil {
		return nil, err
	}
	return e, nil
}

func (e *event) Synchronize() error { return check(C.oc_event_sync(&e.c.card, e.h)) }

func (e *event) Since(start Event) (float64, error) {
	s, ok := start.(*event)
	if !ok {
		return 0, errForeign
	}
	var ms C.float
	err := check(C.oc_event_elapsed(&e.c.card, s.h, e.h, &ms))
	return float64(ms) / 1e3, err
}

func (e *event) Close() error {
	if e.h == nil {
		return nil
	}
	err := check(C.oc_event_free(&e.c.card, e.h))
	e.h = nil
	return err
}

var errForeign = errors.New("object of another driver")

type matmul struct {
	c *context
	g GEMM
	h *C.oc_matmul
}

// Values of cudaDataType in library_types.h and of cublasComputeType_t in cublas_api.h.
const (
	r32F, r16F, r8I, r32I, r16BF, r8FE4M3       = 0, 2, 3, 10, 14, 28
	compute32F, computeTF32, compute32I   C.int = 68, 77, 72
)

func describeGEMM(g GEMM, workspace int64) (C.oc_gemm, error) {
	d := C.oc_gemm{batch: C.int64_t(g.Batch), m: C.int64_t(g.M), n: C.int64_t(g.N), k: C.int64_t(g.K), max_workspace: C.size_t(workspace)}
	if g.Batch < 1 || g.M < 1 || g.N < 1 || g.K < 1 || g.Batch > math.MaxInt32 || max(g.M, g.N, g.K) > math.MaxInt32 {
		return d, fmt.Errorf("product %+v: want extents from 1 to 2^31-1", g)
	}
	d.compute, d.scale = compute32F, r32F
	switch g.DType {
	case FP32:
		d.in_type, d.out_type = r32F, r32F
	case TF32:
		d.in_type, d.out_type, d.compute = r32F, r32F, computeTF32
	case FP16:
		d.in_type, d.out_type = r16F, r16F
	case BF16:
		d.in_type, d.out_type = r16BF, r16BF
	case INT8:
		d.in_type, d.out_type, d.compute, d.scale = r8I, r32I, compute32I, r32I
	case FP8:
		d.in_type, d.out_type = r8FE4M3, r16BF
	default:
		return d, fmt.Errorf("product in %q: %w", g.DType, ErrNoAlgorithm)
	}
	return d, nil
}

func (c *context) Matmul(g GEMM, workspace int64) (Matmul, error) {
	d, err := describeGEMM(g, workspace)
	if err != nil {
		return nil, err
	}
	m := &matmul{c: c, g: g}
	var found C.int
	if err := check(C.oc_matmul_new(&c.card, &d, &m.h, &found)); err != nil {
		return nil, err
	}
	if found == 0 {
		return nil, fmt.Errorf("%s product of %d×%d×%d (batch %d): %w", g.DType, g.M, g.N, g.K, g.Batch, ErrNoAlgorithm)
	}
	return m, nil
}

func (m *matmul) GEMM() GEMM       { return m.g }
func (m *matmul) Workspace() int64 { return int64(C.oc_matmul_workspace(m.h)) }

func (m *matmul) Close() error {
	if m.h != nil {
		C.oc_matmul_free(m.h)
		m.h = nil
	}
	return nil
}

type stream struct {
	c *context
	h C.oc_handle
}

func (c *context) Stream() (Stream, error) {
	s := &stream{c: c}
	if err := check(C.oc_stream_new(&c.card, &s.h)); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *stream) Synchronize() error { return check(C.oc_stream_sync(&s.c.card, s.h)) }

func (s *stream) Close() error {
	if s.h == nil {
		return nil
	}
	err := check(C.oc_stream_free(&s.c.card, s.h))
	s.h = nil
	return err
}

func (s *stream) Launch(l Launch) error {
	k, ok := l.Kernel.(*kernel)
	if !ok {
		return errForeign
	}
	var slots [16]C.uint64_t
	if len(l.Args) > len(slots) {
		return fmt.Errorf("kernel %s: %d arguments, want at most %d", k.name, len(l.Args), len(slots))
	}
	for i, a := range l.Args {
		switch v := a.(type) {
		case *buffer:
			slots[i] = v.ptr
		case uint64:
			slots[i] = C.uint64_t(v)
		case uint32:
			slots[i] = C.uint64_t(v)
		case float32:
			slots[i] = C.uint64_t(math.Float32bits(v))
		default:
			return fmt.Errorf("kernel %s: argument %d of type %T", k.name, i, a)
		}
	}
	return check(C.oc_launch(&s.c.card, k.h, C.uint(l.Grid), C.uint(l.Block), s.h, &slots[0], C.int(len(l.Args))))
}

func (s *stream) Copy(dst, src Buffer, bytes int64) error {
	d, ok1 := dst.(*buffer)
	b, ok2 := src.(*buffer)
	if !ok1 || !ok2 {
		return errForeign
	}
	if bytes > d.bytes || bytes > b.bytes || bytes < 0 {
		return fmt.Errorf("copy of %d bytes between buffers of %d and %d", bytes, b.bytes, d.bytes)
	}
	return check(C.oc_copy(&s.c.card, d.ptr, b.ptr, C.size_t(bytes), s.h))
}

func (s *stream) Matmul(m Matmul, o Operands) error {
	mm, ok := m.(*matmul)
	if !ok || mm.h == nil {
		return errForeign
	}
	var ptr [4]C.uint64_t
	var workspace int64
	need := [4]int64{0, 0, 0, mm.Workspace()}
	need[0], need[1], need[2] = mm.g.Sizes()
	for i, b := range []Buffer{o.A, o.B, o.D, o.Workspace} {
		if b == nil && need[i] == 0 {
			continue
		}
		bb, ok := b.(*buffer)
		if !ok {
			return errForeign
		}
		if bb.bytes < need[i] {
			return fmt.Errorf("product %+v: buffer %d has %d bytes, want %d", mm.g, i, bb.bytes, need[i])
		}
		ptr[i] = bb.ptr
		if i == 3 {
			workspace = bb.bytes
		}
	}
	return check(C.oc_matmul_run(&s.c.card, mm.h, ptr[0], ptr[1], ptr[2], ptr[3], C.size_t(workspace), s.h))
}

func (s *stream) Record(e Event) error {
	ev, ok := e.(*event)
	if !ok {
		return errForeign
	}
	return check(C.oc_event_record(&s.c.card, ev.h, s.h))
}

type graph struct {
	c *context
	h C.oc_handle
}

// Capture always ends what it began, so that a failure inside leaves the stream usable.
func (s *stream) Capture(enqueue func() error) (Graph, error) {
	if err := check(C.oc_capture_begin(&s.c.card, s.h)); err != nil {
		return nil, err
	}
	inner := enqueue()
	keep := C.int(1)
	if inner != nil {
		keep = 0
	}
	g := &graph{c: s.c}
	end := check(C.oc_capture_end(&s.c.card, s.h, keep, &g.h))
	if inner != nil {
		return nil, inner
	}
	if end != nil {
		return nil, end
	}
	return g, nil
}

func (s *stream) Replay(g Graph) error {
	gr, ok := g.(*graph)
	if !ok || gr.h == nil {
		return errForeign
	}
	return check(C.oc_graph_launch(&s.c.card, gr.h, s.h))
}

func (g *graph) Close() error {
	if g.h == nil {
		return nil
	}
	err := check(C.oc_graph_free(&g.c.card, g.h))
	g.h = nil
	return err
}
