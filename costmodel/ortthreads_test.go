package costmodel

import (
	"math"
	"testing"
)

// TestDivideRows hands the rows of small convolutions out one by one and weighs what each thread got.
func TestDivideRows(t *testing.T) {
	for images := 1; images <= 3; images++ {
		for blocks := 1; blocks <= 11; blocks++ {
			for rows := 1; rows <= 7; rows++ {
				for threads := 1; threads <= 5; threads++ {
					var weights []int // of the units in order
					for range images {
						for set := 0; set < blocks; set += 4 {
							for range rows {
								weights = append(weights, min(4, blocks-set))
							}
						}
					}
					busiest, at := 0, 0
					for i := range threads {
						n := len(weights) / threads
						if i < len(weights)%threads {
							n++
						}
						work := 0
						for _, w := range weights[at : at+n] {
							work += w
						}
						at += n
						busiest = max(busiest, work)
					}
					want := float64(busiest) / float64(images*blocks*rows)
					got := divideRows(float64(images), float64(blocks), float64(rows), float64(threads))
					if math.Abs(got-want) > 1e-12 {
						t.Fatalf("%d images of %d blocks and %d rows on %d threads: the busiest has %g, want %g", images, blocks, rows, threads, got, want)
					}
				}
			}
		}
	}
}

// TestPooledLoops holds the thread pool's decision to what Eigen's cost model says of a loop of one load, one store and
// one cycle for each element: 2.375 cycles, so that a second thread joins at 210,000 cycles.
func TestPooledLoops(t *testing.T) {
	for _, c := range []struct {
		n, threads, want float64
	}{{1000, 2, 1}, {88_000, 2, 1}, {89_000, 2, 0.5}, {89_000, 8, 0.125}, {1e7, 4, 0.25}} {
		if got := pooled(c.n, 8, 1, c.threads); got != c.want {
			t.Errorf("%g elements on %g threads: the busiest has %g, want %g", c.n, c.threads, got, c.want)
		}
	}
}
