package analyzer

import (
	"fmt"

	"github.com/onnxcost/onnxcost/analyzer/op"
)

// ArenaSummary is the plan of the activations as programs read it.
type ArenaSummary struct {
	Align    int64           `json:"align"`
	Planner  Planner         `json:"planner"`
	Verified bool            `json:"verified,omitempty"` // Arena.Verify found nothing
	Buffers  []BufferSummary `json:"buffers,omitempty"`  // with the list of nodes
}

// BufferSummary is a buffer of the plan. First and Last are positions in the order of execution: -1 for graph inputs, the
// number of nodes for graph outputs.
type BufferSummary struct {
	Offset  int64    `json:"offset"`
	Bytes   int64    `json:"bytes"`
	First   int      `json:"first"`
	Last    int      `json:"last"`
	Tensors []string `json:"tensors"` // empty for the workspace of a body
}

// Summary is the plan with its buffers, or without them.
func (a *Arena) Summary(buffers bool) *ArenaSummary {
	s := &ArenaSummary{Align: a.Align, Planner: a.Planner}
	if !buffers {
		return s
	}
	for _, b := range a.Buffers {
		x := BufferSummary{Offset: b.Offset, Bytes: b.Bytes, First: b.First, Last: b.Last, Tensors: []string{}}
		for _, v := range b.Values {
			x.Tensors = append(x.Tensors, v.Name)
		}
		s.Buffers = append(s.Buffers, x)
	}
	return s
}

// OrderSummary compares an order of execution with the file's.
type OrderSummary struct {
	Name    string `json:"name"`    // "min-memory"
	Changed bool   `json:"changed"` // false where the file's order was kept because nothing better was found
	Optimal bool   `json:"optimal"` // no order has less live at its peak
	// The figures of the file's order. Those of the new one are the totals.
	FilePeakActivationBytes int64 `json:"file_peak_activation_bytes"`
	FileArenaBytes          int64 `json:"file_arena_bytes"`
}

// MinMemory returns the Report in the order of MinMemoryOrder under its own Dims where that lowers arena_bytes and does
// not raise peak_activation_bytes, and the Report itself otherwise.
func (r *Report) MinMemory() (*Report, *OrderSummary, error) {
	s, err := r.MinMemoryOrder(nil)
	if err != nil {
		return nil, nil, err
	}
	out := &OrderSummary{Name: "min-memory", Optimal: s.Optimal}
	sorted, err := r.Reordered(s.Order)
	if err != nil {
		return nil, nil, err
	}
	measure := func(r *Report) (peak, arena int64, err error) {
		l, err := r.Liveness(nil)
		if err != nil {
			return 0, 0, err
		}
		a, err := r.Arena(nil, ArenaOptions{})
		if err != nil {
			return 0, 0, err
		}
		return l.PeakBytes, a.Bytes, nil
	}
	if out.FilePeakActivationBytes, out.FileArenaBytes, err = measure(r); err != nil {
		return nil, nil, err
	}
	peak, arena, err := measure(sorted)
	if err != nil {
		return nil, nil, err
	}
	if arena >= out.FileArenaBytes || peak > out.FilePeakActivationBytes {
		return r, out, nil
	}
	out.Changed = true
	return sorted, out, nil
}

// A tensor dominates the peak where it is this part of it, and where the peak would fall by the other part without it.
const (
	dominantShare  = 0.5
	dominantSaving = 0.2
)

// suggest says what would lower the peak where one tensor dominates it; "" where none does.
func (r *Report) suggest(l *Liveness) string {
	if len(l.Live) == 0 || l.PeakStep < 0 {
		return ""
	}
	big := l.Live[0]
	var without int64
	for i, live := range l.Timeline {
		if i >= big.First && i <= big.Last {
			live -= big.Bytes
		}
		without = max(without, live)
	}
	share, saving := float64(big.Bytes)/float64(l.PeakBytes), 1-float64(without)/float64(l.PeakBytes)
	if share < dominantShare || saving < dominantSaving {
		return ""
	}
	readers := r.readers(big.Value)
	text := fmt.Sprintf("tensor %q is %.0f %% of the peak, which would be %.0f %% lower without it", big.Value.Name, 100*share, 100*saving)
	switch {
	case big.First < 0:
		return text + ": it is an input of the graph; a smaller or narrower input lowers the peak"
	case big.Last > l.PeakStep && big.First < l.PeakStep:
		return text + fmt.Sprintf(": %s waits for %s while other nodes run; using it earlier or computing it again lowers the peak",
			r.Nodes[big.First].Name, readers)
	}
	return text + fmt.Sprintf(": running %s and %s in bands, or a narrower type between them, lowers the peak", r.Nodes[big.First].Name, readers)
}

// readers names the nodes that read a tensor.
func (r *Report) readers(v *op.Value) string {
	first, more := "", 0
	for _, n := range r.Nodes {
		found := false
		uses(n, func(u *op.Value) { found = found || u == v })
		switch {
		case found && first == "":
			first = n.Name
		case found:
			more++
		}
	}
	switch {
	case first == "":
		return "the caller"
	case more > 0:
		return fmt.Sprintf("%s (and %d more)", first, more)
	}
	return first
}
