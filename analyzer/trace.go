package analyzer

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/onnxcost/onnxcost/analyzer/dim"
)

// traceStep is how long a node lasts in a memory trace, in the format's microseconds. The time axis counts nodes, not
// seconds: node i runs from i to i+1 milliseconds of the axis.
const traceStep = 1000

// traceEvent is an entry of the Chrome trace-event format, which Perfetto and chrome://tracing open: "M" names a process
// or thread, "X" is a slice, "C" a counter and "i" an instant.
type traceEvent struct {
	Name  string         `json:"name"`
	Phase string         `json:"ph"`
	TS    int64          `json:"ts"`
	Dur   int64          `json:"dur,omitempty"`
	PID   int            `json:"pid"`
	TID   int            `json:"tid"`
	Scope string         `json:"s,omitempty"`
	Args  map[string]any `json:"args,omitempty"`
}

// The threads of a trace. Buffers that live together have threads of their own, from traceBuffers on.
const (
	traceNodes   = 1
	traceBuffers = 2
)

// MemoryTrace is the memory timelines of models as Chrome trace events.
type MemoryTrace struct {
	events []traceEvent
	models int
}

// Add puts a model into the trace as a process of its own: a slice for every node of the main graph in its order, the
// counters live_bytes (no tensor shares memory, as in peak_activation_bytes), arena_live_bytes (buffers after aliasing)
// and arena_used_bytes (the highest end of a live buffer of the plan), a slice for the life of every buffer of at least
// a hundredth of the arena, and marks at the peaks. Node i lasts from i to i+1 ms: the axis counts nodes, not time.
// env is the one that the plan was made under. The error names a dimension without a value.
func (m *MemoryTrace) Add(r *Report, name string, a *Arena, env dim.Env) error {
	live, err := r.Liveness(env)
	if err != nil {
		return err
	}
	if env == nil {
		env, _ = r.Bounded(r.Dims)
	}
	m.models++
	pid := m.models
	emit := func(e traceEvent) {
		e.PID = pid
		m.events = append(m.events, e)
	}
	emit(traceEvent{Name: "process_name", Phase: "M", Args: map[string]any{"name": name}})
	emit(traceEvent{Name: "thread_name", Phase: "M", TID: traceNodes, Args: map[string]any{"name": "nodes (1 ms each: the axis counts nodes)"}})
	sums, tops := a.timeline(len(r.Nodes))
	for i, n := range r.Nodes {
		ts := int64(i) * traceStep
		args := map[string]any{"node": i, "op": n.Op()}
		if f, err := n.Work.FLOPs().Eval(env); err == nil {
			args["flops"] = f
		}
		emit(traceEvent{Name: n.Name, Phase: "X", TS: ts, Dur: traceStep, TID: traceNodes, Args: args})
		for _, c := range []struct {
			name  string
			value int64
		}{{"live_bytes", live.Timeline[i]}, {"arena_live_bytes", sums[i]}, {"arena_used_bytes", tops[i]}} {
			emit(traceEvent{Name: c.name, Phase: "C", TS: ts, Args: map[string]any{"bytes": c.value}})
		}
	}
	end := int64(len(r.Nodes)) * traceStep
	for _, c := range []string{"live_bytes", "arena_live_bytes", "arena_used_bytes"} {
		emit(traceEvent{Name: c, Phase: "C", TS: end, Args: map[string]any{"bytes": int64(0)}})
	}
	if live.PeakStep >= 0 {
		var tensors []string
		for _, v := range live.Live {
			tensors = append(tensors, fmt.Sprintf("%s: %d", v.Value.Name, v.Bytes))
		}
		emit(traceEvent{Name: fmt.Sprintf("peak_activation_bytes %d", live.PeakBytes), Phase: "i", Scope: "p", TID: traceNodes,
			TS: int64(live.PeakStep)*traceStep + traceStep/2, Args: map[string]any{"tensors": tensors}})
	}
	if a.BoundStep >= 0 {
		emit(traceEvent{Name: fmt.Sprintf("arena_bytes %d", a.Bytes), Phase: "i", Scope: "p", TID: traceNodes,
			TS: int64(a.BoundStep)*traceStep + traceStep/2, Args: map[string]any{"bound": a.Bound, "planner": a.Planner}})
	}
	m.buffers(a, len(r.Nodes), emit)
	return nil
}

// timeline is the sum of the live buffers and the highest end among them, for every node.
func (a *Arena) timeline(steps int) (sums, tops []int64) {
	sums, tops = make([]int64, steps), make([]int64, steps)
	for _, b := range a.Buffers {
		for s := max(b.First, 0); s <= min(b.Last, steps-1); s++ {
			sums[s] += b.Bytes
			if b.Bytes > 0 {
				tops[s] = max(tops[s], b.Offset+b.Bytes)
			}
		}
	}
	return sums, tops
}

// buffers emits the lives of the larger buffers, those that overlap in time on different threads.
func (m *MemoryTrace) buffers(a *Arena, steps int, emit func(traceEvent)) {
	var free []int // for every thread, the step from which it is free
	for _, b := range a.Buffers {
		if b.Bytes*100 < a.Bytes || b.Bytes == 0 {
			continue
		}
		first, last := max(b.First, 0), min(b.Last, steps-1)
		t := 0
		for t < len(free) && free[t] > first {
			t++
		}
		if t == len(free) {
			free = append(free, 0)
			emit(traceEvent{Name: "thread_name", Phase: "M", TID: traceBuffers + t, Args: map[string]any{"name": fmt.Sprintf("buffers %d", t+1)}})
		}
		free[t] = last + 1
		name := "workspace"
		names := make([]string, len(b.Values))
		for i, v := range b.Values {
			names[i] = v.Name
		}
		if len(names) > 0 {
			name = names[0]
		}
		emit(traceEvent{Name: name, Phase: "X", TS: int64(first) * traceStep, Dur: int64(last-first+1) * traceStep, TID: traceBuffers + t,
			Args: map[string]any{"bytes": b.Bytes, "offset": b.Offset, "tensors": names}})
	}
}

// WriteTo writes the trace as JSON, an event per line.
func (m *MemoryTrace) WriteTo(w io.Writer) (int64, error) {
	var n int64
	put := func(s string) error {
		k, err := io.WriteString(w, s)
		n += int64(k)
		return err
	}
	if err := put(`{"displayTimeUnit":"ms","traceEvents":[` + "\n"); err != nil {
		return n, err
	}
	for i, e := range m.events {
		line, err := json.Marshal(e)
		if err != nil {
			return n, err
		}
		sep := ",\n"
		if i == len(m.events)-1 {
			sep = "\n"
		}
		if err := put(string(line) + sep); err != nil {
			return n, err
		}
	}
	return n, put("]}\n")
}
