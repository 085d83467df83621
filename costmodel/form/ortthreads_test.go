package form

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

// TestInsideOfTheImage counts taps and columns one by one.
func TestInsideOfTheImage(t *testing.T) {
	for in := 1; in <= 9; in++ {
		for taps := 1; taps <= 5; taps++ {
			for stride := 1; stride <= 3; stride++ {
				for dilation := 1; dilation <= 4; dilation++ {
					pad := dilation * (taps - 1) / 2
					out := (in+2*pad-dilation*(taps-1)-1)/stride + 1
					pad = max(0, (out-1)*stride+dilation*(taps-1)+1-in) / 2 // what the output needs, divided evenly
					inside, columns := 0, 0
					for o := range out {
						n := 0
						for k := range taps {
							if at := o*stride - pad + k*dilation; at >= 0 && at < in {
								n++
							}
						}
						inside += n
						if n == taps {
							columns++
						}
					}
					f := func(v int) float64 { return float64(v) }
					if got := insideTaps(f(in), f(out), f(taps), f(stride), f(dilation)); got != f(inside) {
						t.Fatalf("in %d, out %d, taps %d, stride %d, dilation %d: %g taps inside, want %d", in, out, taps, stride, dilation, got, inside)
					}
					if got := insideColumns(f(in), f(out), f(taps), f(stride), f(dilation)); got != f(columns) {
						t.Fatalf("in %d, out %d, taps %d, stride %d, dilation %d: %g columns inside, want %d", in, out, taps, stride, dilation, got, columns)
					}
				}
			}
		}
	}
}
