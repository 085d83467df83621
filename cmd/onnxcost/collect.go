package main

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
)

const (
	// collectPercent is by how much the heap grows from one collection to the next: a run is short and its heap small, so
	// that collecting less often saves a tenth of it.
	collectPercent = 400
	// nodeMemory is more than a node usually takes from the file to the summary, in bytes.
	nodeMemory = 1536
	// manyNodes is the size of graph below which a collection takes no time to speak of.
	manyNodes = 1 << 15
)

// expectNodes puts off the first collection until the heap is larger than a graph of so many nodes explains: nearly all of
// it is in use to the end. From then on it may double from one collection to the next, no more: it is large already.
func expectNodes(nodes int) {
	if nodes < manyNodes || os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	debug.SetMemoryLimit(int64(nodes) * nodeMemory)
	debug.SetGCPercent(-1)
	runtime.SetFinalizer(new([64]byte), func(*[64]byte) {
		debug.SetGCPercent(100)
		debug.SetMemoryLimit(math.MaxInt64)
	})
}
