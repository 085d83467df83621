// Package bound holds readers to what their input explains: an input of n bytes may take so much memory and so much time,
// whatever it says. It serves tests and fuzz targets only.
package bound

import (
	"runtime/metrics"
	"testing"
	"time"
)

// maxTime is how long one input may keep the processor: ten times the aim of 2 s, because fuzzed programs are instrumented
// and machines differ.
const maxTime = 20 * time.Second

// Bytes is what an input of n bytes may allocate, freed memory included.
func Bytes(n int) uint64 { return 64<<20 + 64*uint64(n) }

// Run calls f, which works on an input of n bytes, and fails the test where it takes more than the input explains. Other
// work of the process counts too.
func Run(t testing.TB, n int, f func()) {
	t.Helper()
	start, before := processorTime(), allocated()
	f()
	if spent := processorTime() - start; spent > maxTime {
		t.Errorf("%d bytes take %v, want at most %v", n, spent, maxTime)
	}
	if got := allocated() - before; got > Bytes(n) {
		t.Errorf("%d bytes allocate %d, want at most %d", n, got, Bytes(n))
	}
}

// allocated is the bytes that the process has ever allocated on the heap. Reading it does not stop the process.
func allocated() uint64 {
	sample := [1]metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample[:])
	return sample[0].Value.Uint64()
}
