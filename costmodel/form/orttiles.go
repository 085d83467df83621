package form

import "github.com/onnxcost/onnxcost/specs"

// kernelTiles are the shapes in which a set of MLAS kernels computes: what they hold in registers at a time.
type kernelTiles struct {
	block       float64 // channels of a block of the blocked layout
	convOutputs float64 // outputs along a row that a blocked convolution computes together
	gemmRows    float64 // rows of a matrix product's register tile
	gemmColumns float64 // its columns
}

// blocksPerSet is how many blocks of output channels a blocked convolution computes together, on every processor
// (MLAS, snchwc.cpp: FilterSetSize).
const blocksPerSet = 4

// channels is the number of output channels of a convolution's register tile.
func (t *kernelTiles) channels() float64 { return blocksPerSet * t.block }

// tilesOf are the tiles of the kernels that MLAS chooses on a processor (platform.cpp). Sources: SconvKernelAvx512F (6
// outputs by 4 blocks), SconvKernelFma3 and SconvKernelAvx (3 by 4), SconvKernelSse2 (1 by 4); SgemmKernelAvx512F (12 rows
// by 32 columns), FgemmKernelFma3Common (6 by 16), FgemmKernelAvxCommon (4 by 16), FgemmKernelSse2Common (2 by 16),
// SgemmKernelNeon (4 by 16).
func tilesOf(p *specs.Processor) kernelTiles {
	block := float64(p.Block())
	switch {
	case p.Architecture() == specs.ARM64:
		return kernelTiles{block, 2, 4, 16}
	case p.Has(specs.AVX512F):
		return kernelTiles{block, 6, 12, 32}
	case p.Has(specs.AVX2) && p.Has(specs.FMA):
		return kernelTiles{block, 3, 6, 16}
	case p.Has(specs.AVX):
		return kernelTiles{block, 3, 4, 16}
	}
	return kernelTiles{block, 1, 2, 16}
}
