package calibrate

import (
	"errors"
	"fmt"

	"github.com/onnxcost/onnxcost/calibrate/cuda"
)

// gpuCard is a card in use with what every measurement needs of it.
type gpuCard struct {
	ctx        cuda.Context
	stream     cuda.Stream
	module     cuda.Module
	kernels    map[string]cuda.Kernel
	start, end cuda.Event
	clock      hostClock
	seed       uint32
}

// threadsPerBlock is the block size of the embedded kernels.
const threadsPerBlock = 256

// openCard takes a card into use. Close gives everything back, also after an error half-way.
func openCard(d cuda.Driver, index int, clock hostClock) (*gpuCard, error) {
	ctx, err := d.Open(index)
	if err != nil {
		return nil, err
	}
	c := &gpuCard{ctx: ctx, clock: clock, kernels: map[string]cuda.Kernel{}}
	if err := c.prepare(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *gpuCard) prepare() (err error) {
	if c.stream, err = c.ctx.Stream(); err != nil {
		return err
	}
	if c.start, err = c.ctx.Event(); err != nil {
		return err
	}
	if c.end, err = c.ctx.Event(); err != nil {
		return err
	}
	if c.module, err = c.ctx.Module(cuda.Kernels); err != nil {
		return err
	}
	for _, name := range []string{"empty", streamCopy, streamRelu, streamTriad, "fill"} {
		if c.kernels[name], err = c.module.Kernel(name); err != nil {
			return err
		}
	}
	return nil
}

// Close waits for what runs and frees everything.
func (c *gpuCard) Close() error {
	errs := []error{}
	if c.stream != nil {
		errs = append(errs, c.stream.Synchronize())
	}
	closers := []interface{ Close() error }{}
	if c.start != nil {
		closers = append(closers, c.start)
	}
	if c.end != nil {
		closers = append(closers, c.end)
	}
	if c.module != nil {
		closers = append(closers, c.module)
	}
	if c.stream != nil {
		closers = append(closers, c.stream)
	}
	for _, x := range append(closers, c.ctx) {
		errs = append(errs, x.Close())
	}
	return errors.Join(errs...)
}

// gpuWork is something that a card repeats.
type gpuWork struct {
	card *gpuCard
	run  func(i int) error // puts run i into the stream
	// copies is the number of sets of operands that runs take turns with; cold says that no cache holds them all.
	copies  int
	cold    bool
	buffers []cuda.Buffer
	matmul  cuda.Matmul
}

func (w *gpuWork) Close() error {
	errs := []error{w.card.stream.Synchronize()}
	for _, b := range w.buffers {
		errs = append(errs, b.Close())
	}
	if w.matmul != nil {
		errs = append(errs, w.matmul.Close())
	}
	w.buffers, w.matmul = nil, nil
	return errors.Join(errs...)
}

// alloc gets memory that the work frees.
func (w *gpuWork) alloc(bytes int64) (cuda.Buffer, error) {
	b, err := w.card.ctx.Alloc((bytes + 255) / 256 * 256)
	if err == nil {
		w.buffers = append(w.buffers, b)
	}
	return b, err
}

// random gets memory with random values: arithmetic on zeros draws less power and runs faster.
func (w *gpuWork) random(bytes int64, d cuda.DType) (cuda.Buffer, error) {
	b, err := w.alloc(bytes)
	if err != nil {
		return nil, err
	}
	w.card.seed++
	words := uint64(b.Bytes() / 4)
	return b, w.card.launch("fill", words, b, words, w.card.seed*2654435761, cuda.FillKind(d))
}

// launch starts an embedded kernel of so many threads.
func (c *gpuCard) launch(name string, threads uint64, args ...any) error {
	grid := (threads + threadsPerBlock - 1) / threadsPerBlock
	if grid > 1<<31-1 {
		return fmt.Errorf("kernel %s: %d blocks, want at most 2^31-1", name, grid)
	}
	return c.stream.Launch(cuda.Launch{Kernel: c.kernels[name], Grid: max(1, int(grid)), Block: threadsPerBlock, Args: args})
}

// The sets of operands that cold runs take turns with: together several times the cache, within reason.
const (
	coldCaches = 2.5
	maxCopies  = 64
)

// copiesFor is the number of sets of so many bytes for cold or warm runs within a limit of memory, and whether they
// outgrow the cache. Small operands cannot: they are warm whatever was wanted.
func (c *gpuCard) copiesFor(bytes int64, wantCold bool, limit int64) (copies int, cold bool) {
	cache := float64(c.ctx.Info().L2Bytes)
	copies = 1
	if wantCold {
		copies = int(min(maxCopies, 1+coldCaches*cache/float64(bytes), max(1, float64(limit)/float64(bytes))))
	}
	if float64(copies)*float64(bytes) < 2*cache {
		return 1, false // turns that a cache half holds are neither warm nor cold
	}
	return copies, true
}

// workspaceBytes is what cuBLASLt may use beside the operands: what PyTorch gives it on Hopper.
const workspaceBytes = 32 << 20

// workspaceFor is the most that it may take of a point's memory.
func workspaceFor(limit int64) int64 { return min(workspaceBytes, limit/4) }

// gemmWork prepares a product.
func (c *gpuCard) gemmWork(g cuda.GEMM, wantCold bool, limit int64) (w *gpuWork, err error) {
	w = &gpuWork{card: c}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
			w = nil
		}
	}()
	if w.matmul, err = c.ctx.Matmul(g, workspaceFor(limit)); err != nil {
		return w, err
	}
	a, b, d := g.Sizes()
	w.copies, w.cold = c.copiesFor(a+b+d, wantCold, limit)
	var workspace cuda.Buffer
	if n := w.matmul.Workspace(); n > 0 {
		if workspace, err = w.alloc(n); err != nil {
			return w, err
		}
	}
	sets := make([]cuda.Operands, w.copies)
	for i := range sets {
		o := &sets[i]
		o.Workspace = workspace
		if o.A, err = w.random(a, g.DType); err != nil {
			return w, err
		}
		if o.B, err = w.random(b, g.DType); err != nil {
			return w, err
		}
		if o.D, err = w.alloc(d); err != nil {
			return w, err
		}
	}
	m := w.matmul
	w.run = func(i int) error { return c.stream.Matmul(m, sets[i%len(sets)]) }
	return w, nil
}

// streamWork prepares a kernel that moves bytes in all.
func (c *gpuCard) streamWork(kind string, bytes int64, wantCold bool, limit int64) (w *gpuWork, err error) {
	w = &gpuWork{card: c}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
			w = nil
		}
	}()
	w.copies, w.cold = c.copiesFor(bytes, wantCold, limit)
	operands := int64(2)
	if kind == streamTriad {
		operands = 3
	}
	each := bytes / operands
	sets := make([][]cuda.Buffer, w.copies)
	for i := range sets {
		for range operands {
			b, err := w.random(each, cuda.FP32)
			if err != nil {
				return w, err
			}
			sets[i] = append(sets[i], b)
		}
	}
	vectors := uint64(each / 16)
	w.run = func(i int) error {
		s := sets[i%len(sets)]
		switch kind {
		case streamTriad:
			return c.launch(kind, vectors, s[0], s[1], s[2], float32(1.5), vectors)
		case streamMemcpy:
			return c.stream.Copy(s[0], s[1], each)
		}
		return c.launch(kind, vectors, s[0], s[1], vectors)
	}
	return w, nil
}

// emptyWork launches a kernel that does nothing.
func (c *gpuCard) emptyWork() *gpuWork {
	return &gpuWork{card: c, copies: 1, run: func(int) error { return c.launch("empty", 1) }}
}

// work prepares a point.
func (c *gpuCard) work(p *gpuPoint, limit int64) (*gpuWork, error) {
	switch {
	case p.class == classGEMM:
		return c.gemmWork(p.gemm, p.cold, limit)
	case p.class == classStream:
		return c.streamWork(p.kind, p.bytes, p.cold, limit)
	case p.kind == "busy":
		return c.streamWork(streamRelu, p.bytes, false, limit)
	}
	return c.emptyWork(), nil
}
