package memory

import (
	"math/rand/v2"
	"testing"
)

// TestBFCArena: chunks in use never overlap, sizes add up, and what is freed joins to whole regions again.
func TestBFCArena(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 5))
	for name, make := range map[string]func() *bfcArena{"ort": newBFC, "torch": func() *bfcArena { return newCachingAllocator().large }} {
		a := make()
		live := map[int64]int64{}
		for range 4000 {
			if rnd.IntN(2) == 0 {
				size := 1 + rnd.Int64N(3<<20)
				addr := a.alloc(size)
				for other, n := range live {
					if addr < other+n && other < addr+size {
						t.Fatalf("%s: %d bytes at %d overlap %d at %d", name, size, addr, n, other)
					}
				}
				live[addr] = size
				continue
			}
			for addr := range live {
				a.release(addr)
				delete(live, addr)
				break
			}
		}
		var asked int64
		for _, n := range live {
			asked += n
		}
		if a.inUse < asked || a.peak < a.inUse || a.held < a.peak {
			t.Errorf("%s: asked %d, in use %d, peak %d, held %d: want them ascending", name, asked, a.inUse, a.peak, a.held)
		}
		for addr := range live {
			a.release(addr)
		}
		var free int64
		for _, c := range a.free {
			if c.prev != nil || c.next != nil {
				t.Fatalf("%s: a free region is still cut", name)
			}
			free += c.size
		}
		if a.inUse != 0 || free != a.held {
			t.Errorf("%s: after freeing all, %d in use and %d of %d free", name, a.inUse, free, a.held)
		}
	}
}
