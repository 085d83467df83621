package form

import (
	"math"

	"github.com/onnxcost/onnxcost/costmodel/internal/ortops"
	"github.com/onnxcost/onnxcost/costmodel/plan"
)

// How ONNX Runtime divides a kernel among its threads. Terms count the work of the thread that has most of it, so that a
// coefficient means the same at every number of threads as long as caches and memory keep up.
//
// There are three ways. MLAS cuts pooling and blocked convolutions without a window, or from few channels, into rows of
// output and gives every thread as many of them, heavy or light; those with a window it divides evenly. It cuts products
// into rows or columns where they have a given number of multiply-accumulates for each thread. Everything else asks the
// thread pool, which weighs an estimate of the loop's cycles (Eigen's cost model for tensors: bytes loaded and stored at
// 11/64 cycles each, and the operator's own estimate) against what starting threads costs.

// The constants of the thread pool's decision, in cycles: another thread joins a loop of more than startCycles for each
// further perThreadCycles of it.
const (
	startCycles     = 100_000
	perThreadCycles = 100_000
	cyclesPerByte   = 11.0 / 64
)

// productMACsPerThread is how many multiply-accumulates a product has for each thread that works on it.
const productMACsPerThread = 64 << 10

// pooled is the part of a loop of n elements that the busiest thread has, by the thread pool's decision; bytes and cycles
// are those of an element.
func pooled(n, bytes, cycles, threads float64) float64 {
	cost := n * (bytes*cyclesPerByte + cycles)
	if math.Floor((cost-startCycles)/perThreadCycles+0.9) < 2 {
		return 1
	}
	return 1 / threads
}

// divided is the part of n equal units that the busiest thread has.
func divided(n, threads float64) float64 {
	if n <= 1 {
		return 1
	}
	return math.Ceil(n/threads) / n
}

// productThreads is how many threads work on a product of so many multiply-accumulates.
func productThreads(macs, threads float64) float64 {
	return math.Min(threads, math.Floor(macs/productMACsPerThread)+1)
}

// divideRows is the part of a blocked convolution that the busiest thread has. The units are rows of output of a set of up
// to four blocks of channels, set after set, image after image; threads take equally many in turn, and the last set of an
// image may have fewer blocks.
func divideRows(images, blocks, rows, threads float64) float64 {
	const perSet = blocksPerSet
	sets := math.Ceil(blocks / perSet)
	units := images * sets * rows
	if units <= 1 || threads <= 1 {
		return 1
	}
	last := blocks - perSet*(sets-1)
	before := func(u float64) float64 { // work in blocks·rows of the first u units
		image := math.Floor(u / (sets * rows))
		u -= image * sets * rows
		full := math.Min(u, (sets-1)*rows)
		return image*blocks*rows + full*perSet + (u-full)*last
	}
	each, extra := math.Floor(units/threads), math.Mod(units, threads)
	busiest, from := 0.0, 0.0
	for i := 0.0; i < threads && from < units; i++ {
		to := from + each
		if i < extra {
			to++
		}
		busiest = math.Max(busiest, before(to)-before(from))
		from = to
	}
	return busiest / (images * blocks * rows)
}

// divide makes the terms that follow those of the busiest thread, which has this part of the work.
func (k *ortKernel) divide(share float64) {
	k.share = share
	if share < 1 {
		k.forks = 1
	}
}

// divideStream decides for a kernel that is no contraction; n is the number of elements of its loop.
func (k *ortKernel) divideStream(inputs, outputs float64) {
	t := k.threads
	x, y := first(k.in, 0), first(k.out, 0)
	n := math.Max(inputs, outputs)
	row := ortops.Of(k.FullOp())
	switch {
	case t <= 1 || row.Threads == ortops.Serial:
	case k.Layout == plan.LayoutNCHWc && k.Kind == plan.KindPooling:
		if len(y) == 4 {
			k.divide(divided(y[0]*math.Ceil(y[1]/k.tiles.block)*y[2], t))
		}
	case k.Kind == plan.KindPooling:
		if len(x) > 2 {
			k.divide(divided(x[0]*x[1], t))
		}
	case row.Threads == ortops.Tasks:
		k.divide(divided(math.Max(1, math.Floor(outputs/row.Task)), t))
	case row.Threads == ortops.Rows:
		if len(x) > 0 {
			k.divide(divided(volume(x)/math.Max(1, lastExtent(x)), t))
		}
	case k.Kind == plan.KindReduction:
		if outputs > 1 { // six cycles for each byte that is read
			k.divide(pooled(inputs, 4, 24, t))
		}
	case k.Op == "Transpose":
		switch m := k.moved(); m.how {
		case movedIn, movedOut:
			k.divide(divided(n, t))
			k.forks = m.matrices
		case movedStrided:
			k.divide(pooled(n, 8, 1, t))
		}
	case k.Op == "Concat":
		k.divide(pooled(n/math.Max(1, float64(len(k.in))), 8, 0, t))
	case k.Op == "Split":
		k.divide(pooled(n/math.Max(1, float64(len(k.out))), 8, 0, t))
	case k.Kind == plan.KindReorder:
		k.divide(pooled(n, 0, 1, t))
	default:
		k.divide(pooled(outputs, 8, row.PerElement(), t))
	}
}
