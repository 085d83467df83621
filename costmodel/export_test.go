package costmodel

import "github.com/onnxcost/onnxcost/specs"

// The processors that plans are tested for.
var (
	avx512 = &specs.Processor{Features: []specs.Feature{specs.AVX, specs.AVX2, specs.FMA, specs.AVX512F}}
	avx2   = &specs.Processor{Features: []specs.Feature{specs.AVX, specs.AVX2, specs.FMA}}
	arm64  = &specs.Processor{Features: []specs.Feature{specs.ASIMD, specs.ASIMDDP}}
)

// Processors are those that plans are tested for, by the name that recordings have.
func Processors() map[string]*specs.Processor {
	return map[string]*specs.Processor{"avx512": avx512, "avx2": avx2, "arm64": arm64}
}
