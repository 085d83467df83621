package calibrate

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/onnxcost/onnxcost/calibrate/cuda"
)

// fakeCard is a card whose durations are formulas of its own, in virtual time: launches cost the host time, kernels run
// one after the other, a cache serves what was touched a short while ago, energy is counted in steps.
type fakeCard struct {
	t    testing.TB
	info cuda.Info
	now  float64 // host
	end  float64 // of the last kernel
	rnd  *rand.Rand

	noise    float64 // deviation of the logarithm of every duration
	start    float64 // of a memory kernel
	gap      float64 // between kernels of a stream
	dram     float64
	cache    float64
	usable   float64 // bytes of the cache
	products map[cuda.DType]fakeProducts
	slow     func(at float64) float64 // factor on durations; nil for 1
	lacks    map[cuda.DType]bool

	idleW, activeW, joulesByte float64
	joulesOp                   map[cuda.DType]float64
	noEnergy, noPower          bool
	powerBias                  float64 // of the instantaneous reading

	memory  int64 // total
	used    int64
	open    int // contexts, buffers, streams, events, graphs, modules, products
	calls   map[string]int
	fail    func(call string, n int) error
	touched float64
	done    []segment // in the order of time
	settled float64   // joules before the first of done
	capture *[]fakeKernel
	opened  bool
	closed  bool
	onCall  func() // after every launch
}

type fakeProducts struct{ rate, start, edge, fill, tail, share float64 }

// segment is a kernel that ran: its dynamic energy is spread over it.
type segment struct{ from, to, joules float64 }

type fakeKernel struct {
	seconds func() float64
	joules  func() float64
}

func newFakeCard(t testing.TB) *fakeCard {
	return &fakeCard{t: t, rnd: rand.New(rand.NewPCG(1, 2)), noise: 0.004,
		info: cuda.Info{Name: "NVIDIA Fake 100", PCI: "0000:01:00.0", Major: 9, SMs: 120, ClockHz: 1.8e9, MemoryClockHz: 2.5e9,
			BusBits: 5120, MemoryBytes: 64 << 30, L2Bytes: 48 << 20},
		start: 2.1e-6, gap: 0.7e-6, dram: 2.9e12, cache: 6.5e12, usable: 22 << 20,
		products: map[cuda.DType]fakeProducts{
			cuda.FP32: {55e12, 3.0e-6, 6, 30, 1.5, 0.9}, cuda.TF32: {420e12, 3.4e-6, 24, 90, 0.8, 0.9},
			cuda.FP16: {850e12, 3.6e-6, 30, 140, 0.6, 0.85}, cuda.BF16: {830e12, 3.6e-6, 30, 140, 0.6, 0.85},
			cuda.INT8: {1500e12, 3.8e-6, 44, 240, 0.5, 0.8}, cuda.FP8: {1550e12, 4.0e-6, 40, 260, 0.5, 0.8}},
		idleW: 75, activeW: 60, joulesByte: 60e-12,
		joulesOp: map[cuda.DType]float64{cuda.FP32: 7e-12, cuda.TF32: 1.1e-12, cuda.FP16: 0.55e-12, cuda.BF16: 0.55e-12, cuda.INT8: 0.28e-12, cuda.FP8: 0.28e-12},
		memory:   64 << 30, calls: map[string]int{}}
}

// Now and Sleep make the card a clock.
func (f *fakeCard) Now() time.Time {
	return time.Unix(1700000000, 0).Add(time.Duration(f.now * 1e9))
}
func (f *fakeCard) Sleep(d time.Duration) { f.now += d.Seconds() }

// call counts a call, lets it fail, and takes the host some time.
func (f *fakeCard) call(name string, host float64) error {
	f.now += host
	f.calls[name]++
	if f.fail != nil {
		return f.fail(name, f.calls[name])
	}
	return nil
}

func (f *fakeCard) Versions() (string, string) { return "13.0", "13.1.0" }
func (f *fakeCard) Close() error               { return nil }

func (f *fakeCard) Open(int) (cuda.Context, error) {
	if err := f.call("open", 0.2); err != nil {
		return nil, err
	}
	f.open++
	f.opened = true
	return (*fakeContext)(f), nil
}

type fakeContext fakeCard

func (c *fakeContext) card() *fakeCard    { return (*fakeCard)(c) }
func (c *fakeContext) Info() cuda.Info    { return c.info }
func (c *fakeContext) Synchronize() error { c.now = math.Max(c.now, c.end); return nil }
func (c *fakeContext) FreeMemory() (int64, error) {
	return c.memory - c.used, nil
}

func (c *fakeContext) Close() error {
	c.open--
	c.closed = true
	if c.open != 0 || c.used != 0 {
		c.t.Errorf("the context was closed with %d objects and %d bytes in use", c.open, c.used)
	}
	return nil
}

type fakeObject struct {
	f     *fakeCard
	bytes int64
	freed bool
	at    float64 // events
	nodes []fakeKernel
	name  string
	gemm  cuda.GEMM
	work  float64 // seconds of the product's arithmetic
	last  float64 // where in the card's traffic a buffer was touched last, 0 for never
}

func (o *fakeObject) Close() error {
	if o.freed {
		o.f.t.Errorf("%s was closed twice", o.name)
	}
	o.freed = true
	o.f.open--
	o.f.used -= o.bytes
	return nil
}

func (o *fakeObject) Bytes() int64       { return o.bytes }
func (o *fakeObject) Name() string       { return o.name }
func (o *fakeObject) GEMM() cuda.GEMM    { return o.gemm }
func (o *fakeObject) Workspace() int64   { return 1 << 20 }
func (o *fakeObject) Synchronize() error { o.f.now = math.Max(o.f.now, o.at); return nil }
func (o *fakeObject) Since(start cuda.Event) (float64, error) {
	return o.at - start.(*fakeObject).at, nil
}
func (o *fakeObject) Kernel(name string) (cuda.Kernel, error) {
	return &fakeObject{f: o.f, name: name}, nil
}

func (f *fakeCard) object(name string, host float64) (*fakeObject, error) {
	if err := f.call(name, host); err != nil {
		return nil, err
	}
	f.open++
	return &fakeObject{f: f, name: name}, nil
}

func (c *fakeContext) Alloc(bytes int64) (cuda.Buffer, error) {
	if c.used+bytes > c.memory {
		return nil, cuda.NewError("cuMemAlloc", 2, "out of memory")
	}
	o, err := c.card().object("alloc", 20e-6)
	if err != nil {
		return nil, err
	}
	o.bytes = bytes
	c.used += bytes
	return o, nil
}

func (c *fakeContext) Event() (cuda.Event, error) {
	o, err := c.card().object("event", 1e-6)
	if err != nil {
		return nil, err
	}
	return o, nil
}

func (c *fakeContext) Module(string) (cuda.Module, error) {
	o, err := c.card().object("module", 0.1)
	if err != nil {
		return nil, err
	}
	return o, nil
}

func (c *fakeContext) Stream() (cuda.Stream, error) {
	o, err := c.card().object("stream", 1e-5)
	if err != nil {
		return nil, err
	}
	return &fakeStream{o}, nil
}

func (c *fakeContext) Matmul(g cuda.GEMM, _ int64) (cuda.Matmul, error) {
	if c.lacks[g.DType] {
		return nil, fmt.Errorf("%s: %w", g.DType, cuda.ErrNoAlgorithm)
	}
	if q := g.DType.Multiple(); g.M%q+g.N%q+g.K%q != 0 {
		c.t.Errorf("%+v: dimensions are no multiples of %d", g, q)
	}
	o, err := c.card().object("matmul", 50e-6)
	if err != nil {
		return nil, err
	}
	o.gemm = g
	padded := g // odd dimensions cost the padding of the vector loads
	if g.DType != cuda.FP32 {
		padded.N, padded.K = (g.N+7)/8*8, (g.K+7)/8*8
	}
	o.work = c.products[g.DType].seconds(padded, float64(c.info.SMs), c.dram)
	return o, nil
}

type fakeStream struct{ *fakeObject }

func (s *fakeStream) Synchronize() error { s.f.now = math.Max(s.f.now, s.f.end); return nil }

// enqueue runs a kernel, or records it.
func (s *fakeStream) enqueue(k fakeKernel, name string, host float64) error {
	if s.f.capture != nil {
		*s.f.capture = append(*s.f.capture, k)
		return s.f.call(name, 0.3e-6)
	}
	if err := s.f.call(name, host); err != nil {
		return err
	}
	s.f.execute(k, s.f.gap)
	if s.f.onCall != nil {
		s.f.onCall()
	}
	return nil
}

func (f *fakeCard) execute(k fakeKernel, gap float64) {
	from := math.Max(f.now, f.end+gap)
	sec := k.seconds() * math.Exp(f.noise*f.rnd.NormFloat64())
	if f.slow != nil {
		sec *= f.slow(from)
	}
	f.end = from + sec
	f.done = append(f.done, segment{from, f.end, k.joules() + f.activeW*sec})
	if len(f.done) > 20000 {
		for _, d := range f.done[:10000] {
			f.settled += d.joules
		}
		f.done = append(f.done[:0], f.done[10000:]...)
	}
}

// traffic is the bytes that buffers cost: from the cache as far as they were touched a short while ago.
func (f *fakeCard) traffic(buffers ...cuda.Buffer) (sec, dram float64) {
	var far float64
	total := 0.0
	for _, b := range buffers {
		total += float64(b.Bytes())
	}
	for _, b := range buffers {
		distance := math.Inf(1)
		if at := b.(*fakeObject).last; at > 0 {
			distance = f.touched + total - at
		}
		hit := math.Max(0, math.Min(1, 2-distance/f.usable))
		far += float64(b.Bytes()) * (1 - hit)
		sec += float64(b.Bytes()) * (hit/f.cache + (1-hit)/f.dram)
	}
	f.touched += total
	for _, b := range buffers {
		b.(*fakeObject).last = f.touched
	}
	return sec, far
}

func (s *fakeStream) Launch(l cuda.Launch) error {
	var buffers []cuda.Buffer
	for _, a := range l.Args {
		if b, ok := a.(cuda.Buffer); ok {
			if b.(*fakeObject).freed {
				s.f.t.Errorf("kernel %s works on freed memory", l.Kernel.Name())
			}
			buffers = append(buffers, b)
		}
	}
	var far float64
	return s.enqueue(fakeKernel{
		seconds: func() float64 { sec, d := s.f.traffic(buffers...); far = d; return s.f.start + sec },
		joules:  func() float64 { return far * s.f.joulesByte },
	}, "launch", 2.4e-6)
}

func (s *fakeStream) Copy(dst, src cuda.Buffer, _ int64) error {
	var far float64
	return s.enqueue(fakeKernel{
		seconds: func() float64 { sec, d := s.f.traffic(dst, src); far = d; return s.f.start + sec },
		joules:  func() float64 { return far * s.f.joulesByte },
	}, "copy", 2.6e-6)
}

// seconds is the arithmetic of a product, written from the description of the form and not from its code.
func (p fakeProducts) seconds(g cuda.GEMM, sms float64, dram float64) float64 {
	best := math.Inf(1)
	for _, t := range [][2]float64{{256, 128}, {128, 256}, {128, 128}, {128, 64}, {64, 128}, {64, 64}, {256, 64}, {64, 256}, {32, 64}, {64, 32}, {32, 32}, {32, 128}, {128, 32}} {
		area := t[0] * t[1]
		a := area / (t[0] + t[1])
		blocks := float64(g.Batch) * math.Ceil(float64(g.M)/t[0]) * math.Ceil(float64(g.N)/t[1])
		for parts := 1.0; parts <= 16; parts *= 2 {
			if parts > 1 && (float64(g.K)/parts < 128 || blocks*parts > 2*sms) {
				continue
			}
			waves := blocks * parts / sms
			if waves < 1 {
				waves = 1
			} else {
				waves += (math.Ceil(waves) - waves) / (1 + p.tail)
			}
			sec := waves * 2 * area * (float64(g.K)/parts + p.fill) / (p.rate / sms * a / (a + p.edge))
			if parts > 1 {
				sec += 8 * parts * float64(g.Batch*g.M*g.N) / dram
			}
			best = math.Min(best, sec)
		}
	}
	return best
}

func (s *fakeStream) Matmul(m cuda.Matmul, o cuda.Operands) error {
	g := m.GEMM()
	p := s.f.products[g.DType]
	if a, b, d := g.Sizes(); o.A.Bytes() < a || o.B.Bytes() < b || o.D.Bytes() < d || o.Workspace.Bytes() < m.Workspace() {
		s.f.t.Errorf("%+v: operands of %d, %d and %d bytes", g, o.A.Bytes(), o.B.Bytes(), o.D.Bytes())
	}
	work := m.(*fakeObject).work
	var far float64
	return s.enqueue(fakeKernel{
		seconds: func() float64 {
			sec, d := s.f.traffic(o.A, o.B, o.D)
			far = d
			return p.start + math.Max(work, sec/p.share)
		},
		joules: func() float64 { return far*s.f.joulesByte + g.FLOPs()*s.f.joulesOp[g.DType] },
	}, "gemm", 4e-6)
}

func (s *fakeStream) Record(e cuda.Event) error {
	e.(*fakeObject).at = math.Max(s.f.now, s.f.end)
	return s.f.call("record", 0.5e-6)
}

func (s *fakeStream) Capture(enqueue func() error) (cuda.Graph, error) {
	o, err := s.f.object("graph", 1e-4)
	if err != nil {
		return nil, err
	}
	s.f.capture = &o.nodes
	err = enqueue()
	s.f.capture = nil
	if err != nil {
		return nil, errors.Join(err, o.Close())
	}
	return o, nil
}

func (s *fakeStream) Replay(g cuda.Graph) error {
	if err := s.f.call("replay", 6e-6); err != nil {
		return err
	}
	for _, k := range g.(*fakeObject).nodes {
		s.f.execute(k, 0)
	}
	if s.f.onCall != nil {
		s.f.onCall()
	}
	return nil
}

// energy is what has been used until a moment.
func (f *fakeCard) energy(at float64) float64 {
	j := f.settled + f.idleW*at
	for _, d := range f.done {
		switch {
		case d.to <= at:
			j += d.joules
		case d.from < at:
			j += d.joules * (at - d.from) / (d.to - d.from)
		}
	}
	return j
}

type fakeMeter struct{ f *fakeCard }

func (m fakeMeter) EnergyJ() (float64, bool) {
	m.f.now += 0.3e-3
	return m.f.energy(math.Floor(m.f.now*10) / 10), !m.f.noEnergy
}

func (m fakeMeter) PowerW() (float64, bool, bool) {
	m.f.now += 0.3e-3
	const span = 0.02
	return (m.f.energy(m.f.now) - m.f.energy(m.f.now-span)) / span * (1 + m.f.powerBias), true, !m.f.noPower
}

func (m fakeMeter) State() cuda.State {
	return cuda.State{TemperatureC: 40 + 20*math.Min(1, m.f.now/30), SMClockHz: 1.7e9, MemoryHz: 2.5e9, LimitW: 700, Throttle: []string{"sw-power-cap"}}
}
func (m fakeMeter) DriverVersion() string { return "580.1" }
func (m fakeMeter) Close() error          { return nil }
