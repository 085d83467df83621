package calibrate

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/onnxcost/onnxcost/calibrate/cuda"
)

// Single launches drown in the resolution of events (about 6.5 µs): batches of at least this long are timed.
const (
	batchSeconds = 4e-3
	// graphBelow is the run time below which a stream would measure the host's launches: such runs are recorded as graphs.
	graphBelow = 50e-6
	// graphNodes bounds a graph: building one costs the host some microseconds a node.
	graphNodes = 256
)

// gpuTiming is what was seen of a point.
type gpuTiming struct {
	median, p10, p90 float64 // seconds of one run
	spread           float64 // half-width of the 95 % interval of the median, relative
	batches          int
	runs             int
	mode             string
}

// between is the device's time for what enqueue puts into the stream.
func (c *gpuCard) between(enqueue func() error) (float64, error) {
	if err := c.stream.Record(c.start); err != nil {
		return 0, err
	}
	if err := enqueue(); err != nil {
		return 0, err
	}
	if err := c.stream.Record(c.end); err != nil {
		return 0, err
	}
	if err := c.end.Synchronize(); err != nil {
		return 0, err
	}
	return c.end.Since(c.start)
}

// repeat puts n runs into the stream, going on with the operands where the last call stopped.
func (w *gpuWork) repeat(from, n int) error {
	for i := range n {
		if err := w.run(from + i); err != nil {
			return err
		}
	}
	return nil
}

// batch is a prepared way to repeat a work often enough to time it.
type batch struct {
	enqueue func() error
	runs    int
	mode    string
	seconds float64 // of one run, about
	graph   cuda.Graph
}

func (b *batch) Close() error {
	if b.graph == nil {
		return nil
	}
	return b.graph.Close()
}

// batchOf warms a work up, estimates its time and prepares batches: graphs of short runs, plain launches of long ones.
// mode forces one of the two where it is not "".
func (w *gpuWork) batchOf(mode string) (*batch, error) {
	c := w.card
	warm := max(3, min(w.copies, 16))
	if err := w.repeat(0, warm); err != nil {
		return nil, err
	}
	if err := c.stream.Synchronize(); err != nil {
		return nil, err
	}
	n := 4
	t, err := c.between(func() error { return w.repeat(0, n) })
	if err != nil {
		return nil, err
	}
	b := &batch{seconds: math.Max(t/float64(n), 5e-7), mode: mode}
	if b.mode == "" {
		b.mode = modeStream
		if b.seconds < graphBelow {
			b.mode = modeGraph
		}
	}
	want := int(math.Ceil(batchSeconds / b.seconds))
	if b.mode == modeStream {
		// Whole turns of the operands, so that batches are alike; the queue of a stream holds about a thousand launches.
		b.runs = max(1, min(want, 1000))
		if b.runs > w.copies {
			b.runs = b.runs / w.copies * w.copies
		}
		next := 0
		b.enqueue = func() error {
			next += b.runs
			return w.repeat(next-b.runs, b.runs)
		}
		return b, nil
	}
	nodes := max(1, min(want, graphNodes)/w.copies) * w.copies
	if b.graph, err = c.stream.Capture(func() error { return w.repeat(0, nodes) }); err != nil {
		return nil, err
	}
	replays := max(1, (want+nodes-1)/nodes)
	b.runs = nodes * replays
	b.enqueue = func() error {
		for range replays {
			if err := c.stream.Replay(b.graph); err != nil {
				return err
			}
		}
		return nil
	}
	return b, nil
}

// measure times a work by the rules: at least ten batches and 0.2 s with the median known to 1 %, or until the share of
// the time is gone.
func (w *gpuWork) measure(ctx context.Context, mode string, share time.Duration) (t gpuTiming, err error) {
	begin := w.card.clock.Now()
	b, err := w.batchOf(mode)
	if err != nil && mode == "" && !cuda.OutOfMemory(err) && !cuda.Unsupported(err) {
		// A library may refuse to be recorded; a stream still times what is longer than a launch, and the label says which.
		if b, err = w.batchOf(modeStream); err != nil {
			return t, err
		}
	} else if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	if err := b.enqueue(); err != nil { // the first replay of a graph uploads it
		return t, err
	}
	if err := w.card.stream.Synchronize(); err != nil {
		return t, err
	}
	var per []float64
	var total float64
	for {
		sec, err := w.card.between(b.enqueue)
		if err != nil {
			return t, err
		}
		per = append(per, sec/float64(b.runs))
		total += sec
		if len(per) >= 10 && total >= 0.2 && spreadOf(per) <= 0.01 {
			break
		}
		spent := w.card.clock.Now().Sub(begin)
		if spent >= share && (len(per) >= 5 || spent >= 3*share) || ctx.Err() != nil {
			break
		}
	}
	return gpuTiming{median: median(per), p10: quantile(per, 0.1), p90: quantile(per, 0.9), spread: spreadOf(per), batches: len(per),
		runs: len(per) * b.runs, mode: b.mode}, nil
}

// measureHost is the host's time for a launch: calls that return at once, into an empty queue.
func (w *gpuWork) measureHost(ctx context.Context, share time.Duration) (gpuTiming, error) {
	const calls = 200 // well below what a queue holds
	begin := w.card.clock.Now()
	var per []float64
	for len(per) < 10 || w.card.clock.Now().Sub(begin) < share && len(per) < 200 {
		if err := w.card.stream.Synchronize(); err != nil {
			return gpuTiming{}, err
		}
		start := w.card.clock.Now()
		if err := w.repeat(0, calls); err != nil {
			return gpuTiming{}, err
		}
		per = append(per, w.card.clock.Now().Sub(start).Seconds()/calls)
		if ctx.Err() != nil {
			break
		}
	}
	if err := w.card.stream.Synchronize(); err != nil {
		return gpuTiming{}, err
	}
	return gpuTiming{median: median(per), p10: quantile(per, 0.1), p90: quantile(per, 0.9), spread: spreadOf(per), batches: len(per),
		runs: calls * len(per), mode: modeHost}, nil
}

// spreadOf is the half-width of the interval of the median, relative to it.
func spreadOf(v []float64) float64 {
	lo, hi, _ := medianInterval(v, 0.95)
	return (hi - lo) / 2 / median(v)
}
