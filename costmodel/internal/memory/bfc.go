package memory

import (
	"cmp"
	"math/bits"
	"slices"
)

// bfcArena is the allocator that ONNX Runtime took from TensorFlow (best fit with coalescing): regions of memory cut into
// chunks, freed neighbours joined, requests served from the smallest chunk that fits.
type bfcArena struct {
	round int64 // sizes are multiples of it
	next  int64 // least size of the next region, where regions double
	// region gives the size of a new region for a request; nil for regions that double.
	region func(size int64) int64
	// cut says whether a chunk is cut for a request.
	cut func(chunk, size int64) bool

	chunks map[int64]*bfcChunk // by address
	free   []*bfcChunk         // by size, then address
	at     int64               // where the next region begins

	inUse, peak, held int64
}

type bfcChunk struct {
	addr, size int64
	used       bool
	prev, next *bfcChunk // neighbours in the region
}

// newBFC is ONNX Runtime's arena with its default settings: regions start at 1 MiB and double; chunks are cut when they
// are at least twice as large as asked for, or 128 MiB larger.
func newBFC() *bfcArena {
	return &bfcArena{round: 256, next: 1 << 20, chunks: map[int64]*bfcChunk{},
		cut: func(chunk, size int64) bool { return chunk >= 2*size || chunk-size >= 128<<20 }}
}

func compareChunks(a, b *bfcChunk) int {
	return cmp.Or(cmp.Compare(a.size, b.size), cmp.Compare(a.addr, b.addr))
}

func (a *bfcArena) putFree(c *bfcChunk) {
	i, _ := slices.BinarySearchFunc(a.free, c, compareChunks)
	a.free = slices.Insert(a.free, i, c)
}

func (a *bfcArena) takeFree(c *bfcChunk) {
	if i, ok := slices.BinarySearchFunc(a.free, c, compareChunks); ok {
		a.free = slices.Delete(a.free, i, i+1)
	}
}

// alloc returns the address of a new chunk. Requests of 0 bytes get none, which is -1.
func (a *bfcArena) alloc(bytes int64) int64 {
	if bytes <= 0 {
		return -1
	}
	size := (bytes + a.round - 1) / a.round * a.round
	i := a.fit(size)
	if i < 0 {
		a.extend(size)
		i = a.fit(size)
	}
	c := a.free[i]
	a.free = slices.Delete(a.free, i, i+1)
	if c.size > size && a.cut(c.size, size) {
		rest := &bfcChunk{addr: c.addr + size, size: c.size - size, prev: c, next: c.next}
		if c.next != nil {
			c.next.prev = rest
		}
		c.next, c.size = rest, size
		a.chunks[rest.addr] = rest
		a.putFree(rest)
	}
	c.used = true
	a.inUse += c.size
	a.peak = max(a.peak, a.inUse)
	return c.addr
}

// fit returns the smallest free chunk of at least size; -1 where there is none.
func (a *bfcArena) fit(size int64) int {
	i, _ := slices.BinarySearchFunc(a.free, size, func(c *bfcChunk, s int64) int { return cmp.Compare(c.size, s) })
	if i == len(a.free) {
		return -1
	}
	return i
}

// extend adds a region that holds size.
func (a *bfcArena) extend(size int64) {
	if a.region != nil {
		a.addRegion(a.region(size))
		return
	}
	grown := false
	for size > a.next && bits.Len64(uint64(a.next)) < 62 {
		a.next *= 2
		grown = true
	}
	a.addRegion(max(a.next, size))
	if !grown {
		a.next *= 2
	}
}

func (a *bfcArena) addRegion(size int64) {
	c := &bfcChunk{addr: a.at, size: size}
	a.at += size + a.round // regions never join
	a.held += size
	a.chunks[c.addr] = c
	a.putFree(c)
}

// release frees the chunk at an address that alloc gave.
func (a *bfcArena) release(addr int64) {
	c := a.chunks[addr]
	if c == nil || !c.used {
		return
	}
	c.used = false
	a.inUse -= c.size
	if n := c.next; n != nil && !n.used {
		a.takeFree(n)
		a.join(c, n)
	}
	if p := c.prev; p != nil && !p.used {
		a.takeFree(p)
		a.join(p, c)
		c = p
	}
	a.putFree(c)
}

// join makes c one chunk with the one behind it.
func (a *bfcArena) join(c, behind *bfcChunk) {
	c.size += behind.size
	c.next = behind.next
	if behind.next != nil {
		behind.next.prev = c
	}
	delete(a.chunks, behind.addr)
}
