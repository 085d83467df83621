//go:build !linux && !darwin

package machine

import (
	"runtime"

	"golang.org/x/sys/cpu"
)

// host knows what the Go runtime and the CPUID instruction tell.
func host() *Machine {
	m := &Machine{Load1: -1, Kinds: []Kind{{Cores: runtime.NumCPU()}}}
	m.Features = known(func(f string) bool { return instructionSets()[f] })
	m.note("logical processors are taken to be cores, and all alike: this system is not asked for its cores and caches")
	return m
}

// instructionSets are the features by Linux's names, as far as golang.org/x/sys/cpu tells them. It does not tell F16C,
// which all processors with AVX2 have.
func instructionSets() map[string]bool {
	x, a := &cpu.X86, &cpu.ARM64
	return map[string]bool{
		"sse4_1": x.HasSSE41, "avx": x.HasAVX, "avx2": x.HasAVX2, "fma": x.HasFMA, "f16c": x.HasAVX2, "avx_vnni": x.HasAVXVNNI,
		"avx512f": x.HasAVX512F, "avx512bw": x.HasAVX512BW, "avx512dq": x.HasAVX512DQ, "avx512vl": x.HasAVX512VL,
		"avx512_vnni": x.HasAVX512VNNI, "avx512_bf16": x.HasAVX512BF16,
		"amx_tile": x.HasAMXTile, "amx_int8": x.HasAMXInt8, "amx_bf16": x.HasAMXBF16,
		"asimd": a.HasASIMD, "asimdhp": a.HasASIMDHP, "asimddp": a.HasASIMDDP, "i8mm": a.HasI8MM, "sve": a.HasSVE, "sve2": a.HasSVE2,
	}
}

// Pin does nothing on this system.
func Pin(int) (restore func()) { return func() {} }
