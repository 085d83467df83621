package analyzer

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/onnxcost/onnxcost/analyzer/dim"
)

// Arena is one block of memory that holds all activations of an inference, with an offset for every buffer.
type Arena struct {
	Bytes int64 // the highest end of a buffer
	// Bound is what no plan for these buffers and this order can go below: the maximum over the nodes of the sum of the
	// live buffers, each but one rounded up to the alignment.
	Bound     int64
	BoundStep int // first node at which the bound stands; -1 without nodes
	Align     int64
	Buffers   []Placed
	Planner   Planner // that made the plan
	Partial   bool    // some tensor's size is unknown and counts 0
}

// Placed is a buffer with its place in the arena.
type Placed struct {
	Buffer
	Offset int64
}

// Planner names a way to choose offsets.
type Planner string

// The planners. All are deterministic.
const (
	// PlanSearch tries several orders, the two greedy planners' among them, and improves on the best until it meets the
	// bound or its budget is spent.
	PlanSearch Planner = "search"
	// PlanBestFit places the largest buffer first, each in the smallest gap that fits between those that live with it
	// (LiteRT's GREEDY_BY_SIZE).
	PlanBestFit Planner = "best-fit"
	// PlanFirstFit is PlanBestFit with the lowest gap that fits (TensorFlow Lite Micro's greedy planner).
	PlanFirstFit Planner = "first-fit"
	// PlanResidentFirst is PlanBestFit with the buffers that live through the whole run first, lowest (TensorFlow Lite's
	// CPU arena).
	PlanResidentFirst Planner = "resident-first"
)

// Planners lists the planners.
func Planners() []Planner {
	return []Planner{PlanSearch, PlanBestFit, PlanFirstFit, PlanResidentFirst}
}

// DefaultAlign is the alignment of buffers where none is asked for: a cache line, in bytes.
const DefaultAlign = 64

// ArenaOptions steer a plan. The zero value is PlanSearch with DefaultAlign.
type ArenaOptions struct {
	Planner Planner
	Align   int64 // bytes, any positive number
}

// Arena plans the activations of the main graph in the stated order under env (the Report's own Dims where env is nil).
// The error names the dimensions without a value, or says what is wrong with the options.
func (r *Report) Arena(env dim.Env, opt ArenaOptions) (*Arena, error) {
	if opt.Planner != "" && !slices.Contains(Planners(), opt.Planner) {
		return nil, &OptionError{Msg: fmt.Sprintf("planner %q: want one of %v", opt.Planner, Planners())}
	}
	if opt.Align < 0 {
		return nil, &OptionError{Msg: fmt.Sprintf("alignment %d: want at least 1 byte", opt.Align)}
	}
	bufs, partial, err := r.Buffers(env)
	if err != nil {
		return nil, err
	}
	a := planBuffers(bufs, len(r.Nodes), opt)
	a.Partial = partial
	return a, nil
}

// lease is a stretch of memory that is needed from step First to step Last, both included.
type lease struct {
	Bytes       int64
	First, Last int
}

func (o ArenaOptions) align() int64 {
	if o.Align <= 0 {
		return DefaultAlign
	}
	return o.Align
}

func planBuffers(bufs []Buffer, steps int, opt ArenaOptions) *Arena {
	leases := make([]lease, len(bufs))
	for i, b := range bufs { // inputs are there before the first node, outputs stay after the last
		leases[i] = lease{b.Bytes, max(b.First, 0), max(0, min(b.Last, steps-1))}
	}
	p := newPlacer(leases, opt.align())
	offsets, total, by := p.plan(opt.Planner)
	a := &Arena{Bytes: total, Bound: p.bound, BoundStep: p.boundStep, Align: opt.align(), Planner: by, Buffers: make([]Placed, len(bufs))}
	if steps == 0 {
		a.BoundStep = -1
	}
	for i, b := range bufs {
		a.Buffers[i] = Placed{b, offsets[i]}
	}
	return a
}

// Live returns the buffers that live while node step runs, largest first.
func (a *Arena) Live(step int) []Placed {
	var live []Placed
	for _, b := range a.Buffers {
		if b.First <= step && b.Last >= step && b.Bytes > 0 {
			live = append(live, b)
		}
	}
	slices.SortStableFunc(live, func(x, y Placed) int { return cmp.Compare(y.Bytes, x.Bytes) })
	return live
}
