package memory

import (
	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/costmodel/plan"
)

// The caching allocator of PyTorch (c10/cuda/CUDACachingAllocator.cpp, as documented in its header comments): sizes are
// multiples of 512 bytes; up to 1 MiB they come from segments of 2 MiB, up to 10 MiB from segments of 20 MiB, and above
// from segments rounded to 2 MiB. A block of the small pool is cut where 512 bytes stay, one of the large pool where
// more than 1 MiB stays.
const (
	torchRound        = 512
	torchSmall        = 1 << 20
	torchSmallSegment = 2 << 20
	torchLarge        = 10 << 20
	torchLargeSegment = 20 << 20
	torchSegmentRound = 2 << 20
)

// cachingAllocator has a pool for small and one for large requests.
type cachingAllocator struct{ small, large *bfcArena }

func newCachingAllocator() *cachingAllocator {
	return &cachingAllocator{
		small: &bfcArena{round: torchRound, chunks: map[int64]*bfcChunk{}, region: func(int64) int64 { return torchSmallSegment },
			cut: func(chunk, size int64) bool { return chunk-size >= torchRound }},
		large: &bfcArena{round: torchRound, chunks: map[int64]*bfcChunk{},
			region: func(size int64) int64 {
				if size < torchLarge {
					return torchLargeSegment
				}
				return (size + torchSegmentRound - 1) / torchSegmentRound * torchSegmentRound
			},
			cut: func(chunk, size int64) bool { return chunk-size > torchSmall }},
	}
}

// pool is where a request goes.
func (a *cachingAllocator) pool(bytes int64) *bfcArena {
	if (bytes+torchRound-1)/torchRound*torchRound <= torchSmall {
		return a.small
	}
	return a.large
}

func (a *cachingAllocator) inUse() int64 { return a.small.inUse + a.large.inUse }
func (a *cachingAllocator) held() int64  { return a.small.held + a.large.held }

// eagerMemory runs the nodes in the file's order through the caching allocator: every result is allocated when its node
// runs and freed when nothing refers to it any more; views share their base.
//
// Two rules are not known, so the figure is an interval. Modules may be built to work in place (inplace=True), which the
// exported graph does not tell: the low end writes every element-wise result over an input that dies. And convolution
// libraries choose workspaces by measuring: the high end is what the allocator holds in segments.
func eagerMemory(plan *plan.Plan, env dim.Env, opt Options) (*Use, error) {
	r := plan.Report.Scaled(opt.scale)
	m := &Use{PeakKernel: -1, WeightBytes: int64(weightBytesOf(r, opt))}
	separate, partial, err := r.ViewBuffers(env)
	if err != nil {
		return nil, err
	}
	inPlace, _, err := r.Buffers(env)
	if err != nil {
		return nil, err
	}
	if partial {
		m.unknown("the size of some tensor is not known")
	}
	m.unknown("whether modules work in place, and the workspaces of convolutions")
	low := eagerRun(&Use{}, inPlace, len(r.Nodes))
	a := eagerRun(m, separate, len(r.Nodes))
	m.ActivationBytes, m.HeldBytes = a.peak, a.held
	m.InUseBytes = a.inUse
	m.ActivationLowBytes, m.ActivationHighBytes = min(low.peak, a.peak), max(a.held, a.peak)
	return m, nil
}

// eagerPeaks are the peaks of what was asked for and of what the allocator had in use, and what it holds.
type eagerPeaks struct{ peak, inUse, held int64 }

func eagerRun(m *Use, bufs []analyzer.Buffer, steps int) (p eagerPeaks) {
	a := newCachingAllocator()
	at := make([]int64, len(bufs))
	size := func(i int) int64 { return bufs[i].Bytes }
	ends := make([][]int, steps+1)
	for i, b := range bufs {
		ends[max(0, min(b.Last, steps))] = append(ends[max(0, min(b.Last, steps))], i)
	}
	var live int64
	next := 0
	for s := range steps {
		for ; next < len(bufs) && bufs[next].First <= s; next++ {
			at[next] = a.pool(size(next)).alloc(size(next))
			live += size(next)
		}
		p.inUse = max(p.inUse, a.inUse())
		if live > p.peak {
			p.peak, m.PeakKernel = live, s
		}
		m.Timeline = append(m.Timeline, live)
		for _, i := range ends[s] {
			if i < next {
				a.pool(size(i)).release(at[i])
				live -= size(i)
			}
		}
	}
	p.held = a.held()
	return p
}

func weightBytesOf(r *analyzer.Report, opt Options) (sum float64) {
	for _, w := range r.Weights {
		if n, err := w.Bytes.Eval(r.Dims); err == nil {
			sum += float64(n) * opt.scale(w.Value.DType)
		}
	}
	return sum
}
