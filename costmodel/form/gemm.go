package form

import (
	"math"

	"github.com/onnxcost/onnxcost/specs"
)

// gemmRate is how fast one path of a GPU multiplies matrices.
type gemmRate struct {
	perUnit float64 // FLOP/s of one unit at an endless product of the largest tiles
	path    specs.Path
	// edge is e of A/(A+e), A = Tm·Tn/(Tm+Tn): operands are loaded per tile edge, arithmetic is done per tile area.
	edge float64
	// k0 is the length of K that filling and draining a tile is worth.
	k0 float64
	// tail is a of W = w + (⌈w⌉-w)/(1+a): 0 where a last partial wave costs a whole one, large where units help each
	// other out.
	tail float64
	// align is the multiple that N and K are padded to for the vector loads of the path.
	align float64
}

// tile is one shape of the output block that a unit computes at a time.
type tile struct{ m, n float64 }

// tiles are the block shapes that vendor libraries ship; both orders, at most 128×256.
var tiles = []tile{{256, 128}, {128, 256}, {128, 128}, {256, 64}, {64, 256}, {128, 64}, {64, 128}, {64, 64}, {128, 32},
	{32, 128}, {64, 32}, {32, 64}, {32, 32}}

// largest is A of the largest tile, at which the rate is quoted.
const largest = 256 * 128 / (256. + 128.)

// splits are the parts that K is divided into where the output alone has too few tiles for the units.
var splits = []float64{1, 2, 4, 8, 16}

// shortestSplit is the K that libraries leave to a part at least.
const shortestSplit = 128

// gemmSeconds is the arithmetic time of Batch·Groups products of M×K by K×N on units, the best tile and split taken:
//
//	t = W · 2·Tm·Tn·(K/s+k0) / rate · (A+e)/A,   w = batch·⌈M/Tm⌉·⌈N/Tn⌉·s / units,   W = max(1, w + (⌈w⌉-w)/(1+a))
//
// sumBandwidth is that of the traffic by which the parts of a split are added up.
func gemmSeconds(r gemmRate, units float64, batch, m, n, k, sumBandwidth float64) float64 {
	return gemmSecondsOver(tiles, r, units, batch, m, n, k, sumBandwidth)
}

// gemmSecondsOver is gemmSeconds with the tiles of a fit.
func gemmSecondsOver(tiles []tile, r gemmRate, units float64, batch, m, n, k, sumBandwidth float64) float64 {
	if batch <= 0 || m <= 0 || n <= 0 || k <= 0 {
		return 0
	}
	if r.align > 1 {
		n, k = math.Ceil(n/r.align)*r.align, math.Ceil(k/r.align)*r.align
	}
	best := math.Inf(1)
	for _, t := range tiles {
		a := t.m * t.n / (t.m + t.n)
		perTile := 2 * t.m * t.n / r.perUnit * (a + r.edge) / a
		blocks := batch * math.Ceil(m/t.m) * math.Ceil(n/t.n)
		for _, s := range splits {
			if s > 1 && (k/s < shortestSplit || blocks*s > 2*units) {
				break
			}
			w := blocks * s / units
			if w < 1 {
				w = 1
			} else {
				w += (math.Ceil(w) - w) / (1 + r.tail)
			}
			sec := w * perTile * (k/s + r.k0)
			if s > 1 {
				sec += 2 * 4 * s * batch * m * n / sumBandwidth
			}
			best = min(best, sec)
		}
	}
	return best
}
