package calibrate

import (
	"encoding/binary"
	"math"
	"math/rand/v2"

	"github.com/onnxcost/onnxcost/calibrate/cuda"
)

// The ranges that shapes are drawn from, log-uniformly.
const (
	gemmLow, gemmHigh     = 16, 16384
	streamLow, streamHigh = 64 << 10, 2 << 30
	// longestRun bounds a product by the seconds of one run: a point that takes longer than its share teaches nothing that
	// a smaller one does not.
	longestRun = 0.03
	// leastProduct is the FLOPs of the largest product at least; smallProduct bounds the draws from below.
	leastProduct = 1e9
	smallProduct = 1e5
)

// gpuSweep draws the points of a sweep, in random order. perDType is the number of products per format; maxFLOPs has the
// largest product of every format to be measured. Each product is drawn by itself: two cards, or a short and a long sweep,
// share those that neither finds too large, so that benchstat has pairs to compare.
func gpuSweep(seed uint64, info cuda.Info, perDType int, maxFLOPs map[cuda.DType]float64) []gpuPoint {
	r := rand.New(rand.NewPCG(seed, 0x67707573))
	points := append(streamPoints(r), launchPoints(info)...)
	for _, d := range cuda.DTypes(info) {
		most, ok := maxFLOPs[d]
		family := rand.NewPCG(seed, binary.LittleEndian.Uint64([]byte(string(d)+"       ")))
		for i := 0; ok && i < perDType; i++ {
			own := rand.New(rand.NewPCG(family.Uint64(), uint64(i)))
			points = append(points, gpuPoint{class: classGEMM, gemm: drawGEMM(own, d, i, math.Max(most, leastProduct)), cold: i%4 != 3})
		}
	}
	r.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
	return points
}

// squares are the anchors of the sweep: sizes that people quote.
var squares = []int64{512, 1024, 2048, 4096, 8192}

// drawGEMM takes turns between families: general, skinny, batched, squares and implicit convolutions.
func drawGEMM(r *rand.Rand, d cuda.DType, i int, maxFLOPs float64) cuda.GEMM {
	if i < len(squares) {
		n := squares[i]
		for n > 512 && 2*math.Pow(float64(n), 3) > maxFLOPs {
			n /= 2
		}
		return cuda.GEMM{DType: d, Batch: 1, M: n, N: n, K: n}
	}
	for try := 0; ; try++ {
		g := cuda.GEMM{DType: d, Batch: 1}
		switch i % 5 {
		case 0, 1:
			g.M, g.N, g.K = extent(r, gemmLow, gemmHigh), extent(r, gemmLow, gemmHigh), extent(r, gemmLow, gemmHigh)
		case 2: // skinny: a batch of a few rows through a wide layer
			g.M, g.N, g.K = int64(logUniform(r, 1, 64)), extent(r, 256, gemmHigh), extent(r, 256, gemmHigh)
		case 3: // attention: many small products
			g.Batch, g.M, g.N, g.K = int64(logUniform(r, 4, 512)), extent(r, 32, 1024), extent(r, 32, 1024), extent(r, 32, 256)
		case 4:
			g = implicitConv(r, d)
		}
		g = aligned(g)
		for try > 100 && g.FLOPs() > maxFLOPs { // a card so slow that few draws fit
			switch {
			case g.Batch > 1:
				g.Batch /= 2
			case g.M >= g.N && g.M >= g.K:
				g.M /= 2
			case g.N >= g.K:
				g.N /= 2
			default:
				g.K /= 2
			}
			g = aligned(g)
		}
		if g.FLOPs() <= maxFLOPs && g.FLOPs() >= smallProduct {
			return g
		}
	}
}

// implicitConv is the product that a convolution of 1x1, 3x3 or 5x5 is: rows are output positions.
func implicitConv(r *rand.Rand, d cuda.DType) cuda.GEMM {
	side := float64(int(logUniform(r, 7, 112)))
	taps := []int64{1, 1, 9, 9, 25}[r.IntN(5)]
	m := math.Round(side * side * logUniform(r, 1, 64))
	return cuda.GEMM{DType: d, Batch: 1, M: int64(m), N: 8 * int64(logUniform(r, 4, 128)), K: taps * 8 * int64(logUniform(r, 2, 128))}
}

// aligned rounds the extents up to what the format asks.
func aligned(g cuda.GEMM) cuda.GEMM {
	q := g.DType.Multiple()
	up := func(v int64) int64 { return (v + q - 1) / q * q }
	g.M, g.N, g.K = up(g.M), up(g.N), up(g.K)
	return g
}

func logUniform(r *rand.Rand, lo, hi float64) float64 {
	return lo * math.Exp(r.Float64()*math.Log(hi/lo))
}

// extent draws a size. Nine in ten are multiples of 8, as networks' are; the others show what odd ones cost.
func extent(r *rand.Rand, lo, hi float64) int64 {
	v := int64(logUniform(r, lo, hi))
	if r.IntN(10) > 0 {
		v = max(8, v/8*8)
	}
	return v
}

// streamPoints are the sizes of the bandwidth curve, warm where a cache can hold them, and cold.
func streamPoints(r *rand.Rand) []gpuPoint {
	var out []gpuPoint
	kinds := []string{streamCopy, streamTriad, streamRelu, streamMemcpy}
	const steps = 16
	for i := range steps {
		at := streamLow * math.Pow(streamHigh/streamLow, (float64(i)+r.Float64()*0.5)/(steps-0.5))
		bytes := int64(at) / 192 * 192 // whole vectors for kernels of two and of three buffers
		for j, cold := range []bool{true, false} {
			if !cold && bytes > streamHigh/4 {
				continue
			}
			out = append(out, gpuPoint{class: classStream, kind: kinds[(i+2*j)%len(kinds)], bytes: bytes, cold: cold})
		}
	}
	return out
}

// launchPoints measure what a launch costs the host and the device. Busy ones run long enough to hide the host.
func launchPoints(info cuda.Info) []gpuPoint {
	busy := max(1<<20, 2*info.L2Bytes/192*192)
	return []gpuPoint{
		{class: classLaunch, kind: "empty", mode: modeStream},
		{class: classLaunch, kind: "empty", mode: modeGraph},
		{class: classLaunch, kind: "empty", mode: modeHost},
		{class: classLaunch, kind: "busy", mode: modeStream, bytes: busy},
		{class: classLaunch, kind: "busy", mode: modeGraph, bytes: busy},
	}
}
