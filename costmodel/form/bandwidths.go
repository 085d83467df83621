package form

import "math"

// bandwidths is the path of a kernel's bytes: one cache level that a tensor may still be in, and the memory behind it.
type bandwidths struct {
	dram       float64 // B/s sustained
	cache      float64 // B/s sustained; 0 without a cache level
	cacheBytes float64
	// resident says that all weights stay in the cache from one inference to the next.
	resident bool
}

// usableCache is the part of a last-level cache that a kernel finds its inputs in: the rest holds what it writes.
const usableCache = 0.5

// cached is the share of a working set that the cache serves. A set larger than the cache is streamed through it and
// replaces itself, so that the share falls to nothing at twice the usable size rather than at infinity.
func (b *bandwidths) cached(set float64) float64 {
	usable := usableCache * b.cacheBytes
	if b.cache == 0 || usable == 0 {
		return 0
	}
	return math.Max(0, math.Min(1, 2-set/usable))
}

// seconds is the time of a kernel's traffic, how much of it the cache took, and the bytes that it served.
func (b *bandwidths) seconds(read, written, weights float64) (total, inCache, cacheBytes float64) {
	hit := b.cached(read + written)
	fast, slow := (read+written)*hit, (read+written)*(1-hit)
	if b.resident {
		fast += weights
	} else {
		slow += weights
	}
	if fast > 0 {
		inCache = fast / b.cache
	}
	return inCache + slow/b.dram, inCache, fast
}
