package cuda

import (
	_ "embed"
	"errors"
	"fmt"
)

// A Driver is an opened CUDA driver with cuBLASLt.
type Driver interface {
	// Versions are those of the driver's CUDA ("13.0") and of cuBLASLt ("13.1.0").
	Versions() (cuda, cublas string)
	// Open takes a card into use through its primary context, the one that libraries share.
	Open(card int) (Context, error)
	Close() error
}

// Info describes a card. Figures that the driver does not tell are 0.
type Info struct {
	Name          string
	PCI           string // bus address, by which NVML knows the card
	Major, Minor  int    // compute capability
	SMs           int
	ClockHz       float64 // highest clock of the SMs
	MemoryClockHz float64
	BusBits       int
	MemoryBytes   int64
	L2Bytes       int64
	Integrated    bool // shares the host's memory
}

// A Context is one card in use. Its methods may be called from any goroutine, one at a time.
type Context interface {
	Info() Info
	FreeMemory() (int64, error) // bytes
	// Alloc gets device memory, aligned to 256 bytes; OutOfMemory tells whether an error means that there is none left.
	Alloc(bytes int64) (Buffer, error)
	Stream() (Stream, error)
	Event() (Event, error)
	// Module compiles PTX for the card.
	Module(ptx string) (Module, error)
	// Matmul prepares a product: it asks cuBLASLt's heuristic for an algorithm within a workspace of so many bytes. The
	// error is ErrNoAlgorithm where the card or the library cannot do it.
	Matmul(g GEMM, workspace int64) (Matmul, error)
	// Synchronize waits for all work of the context.
	Synchronize() error
	// Close waits for the work and gives the card back. Buffers and all else must have been closed.
	Close() error
}

// A Buffer is device memory.
type Buffer interface {
	Bytes() int64
	Close() error
}

// A Module is compiled kernels.
type Module interface {
	Kernel(name string) (Kernel, error)
	Close() error
}

// A Kernel is a function of a module; it lives as long as the module.
type Kernel interface{ Name() string }

// A Launch is a kernel with its grid of blocks of threads and its arguments: Buffer, uint64, uint32 or float32.
type Launch struct {
	Kernel      Kernel
	Grid, Block int
	Args        []any
}

// A Matmul is a prepared product.
type Matmul interface {
	GEMM() GEMM
	Workspace() int64 // bytes that the algorithm needs
	Close() error
}

// Operands are the places of a product's matrices; see GEMM for their extents.
type Operands struct{ A, B, D, Workspace Buffer }

// A Stream is a queue of work.
type Stream interface {
	Launch(l Launch) error
	Copy(dst, src Buffer, bytes int64) error
	Matmul(m Matmul, o Operands) error
	Record(e Event) error
	Synchronize() error
	// Capture records what enqueue puts into the stream as a graph, without running it.
	Capture(enqueue func() error) (Graph, error)
	Replay(g Graph) error
	Close() error
}

// An Event is a moment in a stream.
type Event interface {
	Synchronize() error
	// Since is the seconds on the device from an earlier event to this one; both have been reached.
	Since(start Event) (float64, error)
	Close() error
}

// A Graph is recorded work.
type Graph interface{ Close() error }

// DType is a format of a product's operands, with the arithmetic that goes with it.
type DType string

// The formats of products. Sums are kept in FP32, those of INT8 in INT32. TF32 multiplies FP32 tensors.
const (
	FP32 DType = "fp32"
	TF32 DType = "tf32"
	FP16 DType = "fp16"
	BF16 DType = "bf16"
	INT8 DType = "int8"
	FP8  DType = "fp8" // E4M3
)

// DTypes lists the formats that a card of a compute capability multiplies at a rate worth measuring.
func DTypes(i Info) []DType {
	at := func(major, minor int) bool { return i.Major > major || i.Major == major && i.Minor >= minor }
	out := []DType{FP32}
	if at(8, 0) {
		out = append(out, TF32)
	}
	if at(7, 0) {
		out = append(out, FP16)
	}
	if at(8, 0) {
		out = append(out, BF16)
	}
	if at(7, 2) {
		out = append(out, INT8)
	}
	if at(8, 9) {
		out = append(out, FP8)
	}
	return out
}

// inBytes is the size of an element of A and B, outBytes that of D.
func (d DType) inBytes() int64 {
	switch d {
	case FP32, TF32:
		return 4
	case FP16, BF16:
		return 2
	}
	return 1
}

// outBytes is the size of an element of D: INT8 gives INT32, FP8 gives BF16.
func (d DType) outBytes() int64 {
	switch d {
	case FP16, BF16, FP8:
		return 2
	}
	return 4
}

// Multiple is what the extents of a product in the format must be multiples of, for cuBLASLt to have an algorithm.
func (d DType) Multiple() int64 {
	if d == INT8 || d == FP8 {
		return 16
	}
	return 1
}

// A GEMM is Batch products D[M×N] = A[M×K]·B[N×K]ᵀ of row-major matrices, the operands of a product one after the other
// in memory: a linear layer of N outputs on M rows. This arrangement is the one that every format has algorithms for.
type GEMM struct {
	DType          DType
	Batch, M, N, K int64
}

// FLOPs counts a multiply-add as two.
func (g GEMM) FLOPs() float64 {
	return 2 * float64(g.Batch) * float64(g.M) * float64(g.N) * float64(g.K)
}

// Sizes are the bytes of A, B and D.
func (g GEMM) Sizes() (a, b, d int64) {
	return g.Batch * g.M * g.K * g.DType.inBytes(), g.Batch * g.N * g.K * g.DType.inBytes(), g.Batch * g.M * g.N * g.DType.outBytes()
}

// Kernels is the PTX of the kernels below; vectors are four FP32, blocks any size, one thread a vector.
//
//	empty()                                 nothing
//	copy(dst, src, vectors uint64)          dst = src
//	relu(dst, src, vectors uint64)          dst = max(src, 0)
//	triad(dst, a, b, s float32, vectors uint64)   dst = a + s·b
//	fill(dst, words uint64, seed, kind uint32)    random values, about normally distributed; see FillKind
//
//go:embed kernels/kernels.ptx
var Kernels string

// FillKind is the kind of the fill kernel for a format.
func FillKind(d DType) uint32 {
	switch d {
	case FP16:
		return 1
	case BF16:
		return 2
	case INT8:
		return 3
	case FP8:
		return 4
	}
	return 0
}

// ErrNoAlgorithm says that a product cannot be computed in this format on this card with this library.
var ErrNoAlgorithm = errors.New("cuBLASLt has no algorithm")

// An Error is a call that the driver or cuBLASLt refused.
type Error struct {
	Func string // cuMemAlloc, cublasLtMatmul
	Code int
	Text string // the code in words
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %s (code %d)", e.Func, e.Text, e.Code) }

// NewError makes the error of a call to the driver, or of one to cuBLASLt where the function's name says so.
func NewError(function string, code int, text string) *Error { return &Error{function, code, text} }

// Codes of CUresult in cuda.h and cublasStatus_t in cublas_api.h that callers tell apart.
const (
	codeOutOfMemory  = 2
	codeNoDevice     = 100
	statusAlloc      = 3
	statusInvalid    = 7
	statusArch       = 8
	statusNotSupport = 15
)

// OutOfMemory reports whether an error says that the card has no memory left.
func OutOfMemory(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	if e.cublas() {
		return e.Code == statusAlloc
	}
	return e.Code == codeOutOfMemory
}

// Unsupported reports whether an error says that this product is not to be had here, while others may be.
func Unsupported(err error) bool {
	if errors.Is(err, ErrNoAlgorithm) {
		return true
	}
	var e *Error
	return errors.As(err, &e) && e.cublas() && (e.Code == statusInvalid || e.Code == statusArch || e.Code == statusNotSupport)
}

func (e *Error) cublas() bool { return len(e.Func) > 6 && e.Func[:6] == "cublas" }

// unsupported is a sentence about what this machine or build lacks; it wraps errors.ErrUnsupported without its words.
type unsupported struct{ text string }

func (e *unsupported) Error() string { return e.text }
func (e *unsupported) Unwrap() error { return errors.ErrUnsupported }

func lacking(format string, args ...any) error { return &unsupported{fmt.Sprintf(format, args...)} }
