package specs

// A DType names a number format by which peaks are listed. TF32 is a way to
// multiply FP32 tensors, not a storage format.
type DType string

// The formats that devices state peaks for.
const (
	FP64 DType = "fp64"
	FP32 DType = "fp32"
	TF32 DType = "tf32"
	FP16 DType = "fp16"
	BF16 DType = "bf16"
	FP8  DType = "fp8"
	FP4  DType = "fp4"
	INT8 DType = "int8"
	INT4 DType = "int4"
	// INT32 is what integer products are summed in.
	INT32 DType = "int32"
)

func (DType) allowed() []string {
	return []string{"fp64", "fp32", "tf32", "fp16", "bf16", "fp8", "fp4", "int8", "int4", "int32"}
}

// Bits is the storage size of one element, and 0 for an unknown format. TF32
// tensors are stored as FP32.
func (d DType) Bits() int {
	switch d {
	case FP64:
		return 64
	case FP32, TF32, INT32:
		return 32
	case FP16, BF16:
		return 16
	case FP8, INT8:
		return 8
	case FP4, INT4:
		return 4
	}
	return 0
}

// Integer says whether sums of products in this format are exact integers.
func (d DType) Integer() bool { return d == INT8 || d == INT4 || d == INT32 }

// Kind says where a profile's figures come from.
type Kind string

// A datasheet profile states what the vendor states; a calibrated one adds
// coefficients fitted to measurements.
const (
	Datasheet  Kind = "datasheet"
	Calibrated Kind = "calibrated"
)

func (Kind) allowed() []string { return []string{"datasheet", "calibrated"} }

// Class is the sort of processor.
type Class string

// An integrated GPU shares its memory and its power budget with CPU cores.
const (
	GPU           Class = "gpu"
	IntegratedGPU Class = "integrated-gpu"
	CPU           Class = "cpu"
)

func (Class) allowed() []string { return []string{"gpu", "integrated-gpu", "cpu"} }

// Path is the hardware that reaches a peak.
type Path string

// Matrix is a matrix unit such as a tensor core; Vector is the ordinary SIMD
// arithmetic, which is also what element-wise work runs on.
const (
	Matrix Path = "matrix"
	Vector Path = "vector"
)

func (Path) allowed() []string { return []string{"matrix", "vector"} }

// Scope says how many instances of a cache a device has.
type Scope string

// PerUnit caches exist once in every SM or core, PerDevice caches once.
const (
	PerUnit   Scope = "unit"
	PerDevice Scope = "device"
)

func (Scope) allowed() []string { return []string{"unit", "device"} }

// PowerScope is what watts and joules are of. One is never presented as another.
type PowerScope string

// The scopes, from the supply inwards.
const (
	ScopeSystem      PowerScope = "system"       // at the wall or the battery
	ScopeBoard       PowerScope = "board"        // a card or single-board computer
	ScopePackage     PowerScope = "package"      // all processor packages
	ScopePackageDRAM PowerScope = "package+dram" // and the memory attached to them
)

func (PowerScope) allowed() []string { return []string{"system", "board", "package", "package+dram"} }
