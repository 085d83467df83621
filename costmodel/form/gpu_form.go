package form

import (
	"fmt"
	"math"

	"github.com/onnxcost/onnxcost/specs"
)

// FormGPU is the time of kernels on a GPU, fitted to microbenchmarks: products by tiles and waves (GPUProducts), all
// else by traffic (GPUMemory). One fit per format. Its groups:
//
//	product   start_s, flops_per_s, edge, fill, tail, align, traffic_share; lists tile_m and tile_n
//	memory    start_s, dram_bytes_per_s, cache_bytes_per_s, cache_bytes
//	overhead  launch_s, gap_s
//	conv      the rate of convolutions relative to the product of the same size, by class; priors where it is absent
const FormGPU = "gpu/tile-wave/v1"

const (
	gpuProduct  = "product"
	gpuMemory   = "memory"
	gpuOverhead = "overhead"
	gpuConv     = "conv"
)

// GPUProducts is how a GPU multiplies matrices in one format:
//
//	t = start + max( tiles , traffic / share )
//
// where tiles is gemmSeconds and traffic the time that a copy of the same bytes takes. Make one with NewGPUProducts.
type GPUProducts struct {
	Units  float64 // SMs
	StartS float64
	Rate   float64 // FLOP/s of the device at an endless product of infinite tiles
	Edge   float64 // e of A/(A+e), in elements
	Fill   float64 // k0, in elements of K
	Tail   float64 // a of W = w + (⌈w⌉-w)/(1+a)
	Align  float64 // N and K are padded to multiples of it
	// TrafficShare is the bandwidth that products reach, of that of a copy.
	TrafficShare float64
	Tiles        [][2]float64 // heights and widths; empty for those that vendor libraries ship

	tiles []tile
}

// NewGPUProducts prepares a form for use; changing its tiles afterwards has no effect.
func NewGPUProducts(g GPUProducts) *GPUProducts {
	g.tiles = g.tileSet()
	return &g
}

// Seconds is the time of batch products of M×K by K×N whose bytes a copy moves in trafficS seconds. dram is the
// bandwidth in B/s by which the parts of a split are added up.
func (g *GPUProducts) Seconds(batch, m, n, k, trafficS, dram float64) float64 {
	return g.StartS + math.Max(g.arithmetic(batch, m, n, k, dram), trafficS/g.TrafficShare)
}

func (g *GPUProducts) arithmetic(batch, m, n, k, dram float64) float64 {
	return gemmSecondsOver(g.tiles, gemmRate{perUnit: g.Rate / g.Units, edge: g.Edge, k0: g.Fill, tail: g.Tail, align: g.Align},
		g.Units, batch, m, n, k, dram)
}

// tileSet converts the list of tiles.
func (g *GPUProducts) tileSet() []tile {
	if len(g.Tiles) == 0 {
		return tiles
	}
	out := make([]tile, len(g.Tiles))
	for i, t := range g.Tiles {
		out[i] = tile{t[0], t[1]}
	}
	return out
}

// DefaultTiles are the tiles that vendor libraries ship, as heights and widths.
func DefaultTiles() [][2]float64 {
	var out [][2]float64
	for _, t := range tiles {
		out = append(out, [2]float64{t.m, t.n})
	}
	return out
}

// Group writes the form down.
func (g *GPUProducts) Group() specs.Group {
	out := specs.Group{Terms: map[string]specs.Coefficient{
		"start_s":       {Value: g.StartS, Unit: "s"},
		"flops_per_s":   {Value: g.Rate, Unit: "FLOP/s"},
		"edge":          {Value: g.Edge, Unit: "elements"},
		"fill":          {Value: g.Fill, Unit: "elements"},
		"tail":          {Value: g.Tail, Unit: "1"},
		"align":         {Value: g.Align, Unit: "elements"},
		"traffic_share": {Value: g.TrafficShare, Unit: "1"},
	}, Lists: map[string][]float64{}}
	for _, t := range g.Tiles {
		out.Lists["tile_m"] = append(out.Lists["tile_m"], t[0])
		out.Lists["tile_n"] = append(out.Lists["tile_n"], t[1])
	}
	return out
}

// GPUProductsOf reads what Group wrote. It wants positive rates and shares and lists of one length.
func GPUProductsOf(group specs.Group, units float64) (*GPUProducts, error) {
	g := GPUProducts{Units: units, StartS: group.Term("start_s"), Rate: group.Term("flops_per_s"), Edge: group.Term("edge"),
		Fill: group.Term("fill"), Tail: group.Term("tail"), Align: group.Term("align"), TrafficShare: group.Term("traffic_share")}
	if !(g.Rate > 0) || !(g.TrafficShare > 0) || !(units > 0) || g.StartS < 0 || g.Edge < 0 || g.Fill < 0 || g.Tail < 0 {
		return nil, fmt.Errorf("group %s: want flops_per_s and traffic_share above 0 and no negative term", gpuProduct)
	}
	m, n := group.Lists["tile_m"], group.Lists["tile_n"]
	if len(m) != len(n) {
		return nil, fmt.Errorf("group %s: %d tile heights and %d widths, want as many", gpuProduct, len(m), len(n))
	}
	for i := range m {
		if !(m[i] > 0) || !(n[i] > 0) {
			return nil, fmt.Errorf("group %s: tile %g×%g: want positive extents", gpuProduct, m[i], n[i])
		}
		g.Tiles = append(g.Tiles, [2]float64{m[i], n[i]})
	}
	return NewGPUProducts(g), nil
}

// GPUMemory is how a GPU moves bytes: t = start + cached bytes/cache bandwidth + others/DRAM bandwidth. The bandwidth
// curve BW = max·b/(b+b½) is the same line: b½/max and the start of a kernel are one constant, which is start.
type GPUMemory struct {
	StartS     float64
	DRAM       float64 // B/s
	Cache      float64 // B/s; 0 without a cache level
	CacheBytes float64 // capacity; half of it is of use to a kernel that reads and writes, see usableCache
}

func (g *GPUMemory) bandwidths() bandwidths {
	return bandwidths{dram: g.DRAM, cache: g.Cache, cacheBytes: g.CacheBytes}
}

// TrafficS is the time of bytes, warm where the same ones were touched just before: then the cache serves what it holds.
func (g *GPUMemory) TrafficS(bytes float64, warm bool) float64 {
	if !warm {
		return bytes / g.DRAM
	}
	b := g.bandwidths()
	t, _, _ := b.seconds(bytes, 0, 0)
	return t
}

// Seconds is the time of a kernel that moves bytes and computes little.
func (g *GPUMemory) Seconds(bytes float64, warm bool) float64 {
	return g.StartS + g.TrafficS(bytes, warm)
}

// EnergyBytes is the bytes of main memory that cost as much energy as the traffic does.
func (g *GPUMemory) EnergyBytes(bytes float64, warm bool) float64 {
	if !warm {
		return bytes
	}
	b := g.bandwidths()
	return bytes * (1 - (1-powerCache)*b.cached(bytes))
}

// Group writes the form down.
func (g *GPUMemory) Group() specs.Group {
	return specs.Group{Terms: map[string]specs.Coefficient{
		"start_s":           {Value: g.StartS, Unit: "s"},
		"dram_bytes_per_s":  {Value: g.DRAM, Unit: "B/s"},
		"cache_bytes_per_s": {Value: g.Cache, Unit: "B/s"},
		"cache_bytes":       {Value: g.CacheBytes, Unit: "bytes"},
	}}
}

// GPUMemoryOf reads what Group wrote.
func GPUMemoryOf(group specs.Group) (*GPUMemory, error) {
	g := &GPUMemory{group.Term("start_s"), group.Term("dram_bytes_per_s"), group.Term("cache_bytes_per_s"), group.Term("cache_bytes")}
	if !(g.DRAM > 0) || g.StartS < 0 || g.Cache < 0 || g.CacheBytes < 0 {
		return nil, fmt.Errorf("group %s: want dram_bytes_per_s above 0 and no negative term", gpuMemory)
	}
	return g, nil
}
