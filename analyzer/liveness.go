package analyzer

import (
	"cmp"
	"fmt"
	"slices"
	"sync"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/op"
)

// Liveness is which tensors live when the nodes of the main graph run in the stated order and no buffer is shared: a
// node's inputs and outputs live together, a tensor dies after its last use, graph inputs live from the start and
// graph outputs to the end. Constants, and what is dequantised from them alone, are apart. A control-flow node's own outputs
// live while its bodies run: a Loop collects its scans in them, and what a branch of an If hands on is the If's own. Of
// branches that nobody decided the one counts that needs most. It is a property of the graph, not of a runtime.
type Liveness struct {
	PeakBytes int64
	PeakStep  int         // index into Report.Nodes of the first node at the peak; -1 where there is no node
	Live      []LiveValue // at the peak, largest first
	Timeline  []int64     // live bytes while node i runs
	Partial   bool        // some tensor's size is unknown: the figures are lower bounds
}

// LiveValue is one tensor of a live set.
type LiveValue struct {
	Value *op.Value
	Bytes int64
	First int // node that makes it, -1 for graph inputs
	Last  int // last node that uses it; len(Nodes) for graph outputs
}

// Liveness evaluates the live sets under env (the Report's own Dims where env is nil). The error names the dimensions
// without a value.
func (r *Report) Liveness(env dim.Env) (*Liveness, error) {
	if env == nil {
		env, _ = r.Bounded(r.Dims)
	}
	l := &liveness{env: env, scale: r.scale, places: zeros[place](r.values)}
	return l.run(r.Nodes, r.Inputs, r.Outputs, nil)
}

// livenessAndArena is Liveness and Arena with the lifetimes of the tensors worked out once. The arena is nil where the
// bodies of a node keep it from being planned; err is that of Liveness.
func (r *Report) livenessAndArena(env dim.Env) (live *Liveness, arena *Arena, err error) {
	l := &liveness{env: env, scale: r.scale, places: zeros[place](r.values)}
	vals, err := l.lifetimes(r.Nodes, r.Inputs, r.Outputs, nil)
	if err != nil {
		return nil, nil, err
	}
	beside := *l
	if slices.ContainsFunc(r.Nodes, func(n *Node) bool { return len(n.Bodies) > 0 }) { // their tensors take places, too
		beside.places = slices.Clone(l.places)
	}
	var planned sync.WaitGroup
	planned.Go(func() {
		if bufs, err := beside.group(vals, r.Nodes); err == nil {
			arena = planBuffers(bufs, len(r.Nodes), ArenaOptions{})
			arena.Partial = beside.partial
		}
	})
	live, err = l.weigh(vals, r.Nodes)
	planned.Wait()
	return live, arena, err
}

type liveness struct {
	env     dim.Env
	scale   func(onnx.DType) float64 // nil for the sizes of the model
	places  []place                  // by value ID
	runs    int32
	partial bool
	// viewsOnly says that no result takes the place of an input; see buffers.
	viewsOnly bool
}

// place says where a value stands: in which run (one per graph or body) and at which position of its list.
type place struct{ run, pos int32 }

// bytes is the size of a tensor under the bindings; what has no known size counts 0 and makes the result partial.
func (l *liveness) bytes(v *op.Value) (int64, error) {
	b, ok := v.Bytes()
	if !ok {
		l.partial = true
		return 0, nil
	}
	n, err := b.Eval(l.env)
	if err != nil {
		return 0, fmt.Errorf("size of %q: %w", v.Name, err)
	}
	if l.scale != nil && v.Kind == onnx.KindTensor {
		n = int64(float64(n) * l.scale(v.DType))
	}
	return n, nil
}

func (l *liveness) run(nodes []*Node, inputs, outputs, handed []*op.Value) (*Liveness, error) {
	vals, err := l.lifetimes(nodes, inputs, outputs, handed)
	if err != nil {
		return nil, err
	}
	return l.weigh(vals, nodes)
}

// weigh sums what lives at every step, given the lifetimes.
func (l *liveness) weigh(vals []LiveValue, nodes []*Node) (*Liveness, error) {
	delta := make([]int64, len(nodes)+2)
	for _, v := range vals {
		delta[max(v.First, 0)] += v.Bytes
		delta[min(v.Last, len(nodes))+1] -= v.Bytes
	}
	res := &Liveness{Timeline: make([]int64, len(nodes)), PeakStep: -1}
	var live int64
	for i := range nodes {
		live += delta[i]
		inner, err := l.inner(nodes[i])
		if err != nil {
			return nil, err
		}
		step := live + inner
		res.Timeline[i] = step
		if step > res.PeakBytes {
			res.PeakBytes, res.PeakStep = step, i
		}
	}
	if len(nodes) == 0 {
		for _, v := range vals {
			res.PeakBytes += v.Bytes
		}
	}
	for _, v := range vals {
		if v.First <= res.PeakStep && v.Last >= res.PeakStep {
			res.Live = append(res.Live, v)
		}
	}
	slices.SortStableFunc(res.Live, func(a, b LiveValue) int { return cmp.Compare(b.Bytes, a.Bytes) })
	res.Partial = l.partial
	return res, nil
}

// lifetimes finds first and last use of every tensor that is no constant and belongs to this graph; those that are handed
// on belong to the node that runs it.
func (l *liveness) lifetimes(nodes []*Node, inputs, outputs, handed []*op.Value) ([]LiveValue, error) {
	l.runs++
	run := l.runs
	vals := make([]LiveValue, 0, len(nodes)+len(inputs))
	var failed error
	define := func(v *op.Value, step int) {
		if v == nil || v.Resident() || l.places[v.ID].run == run || slices.Contains(handed, v) {
			return
		}
		b, err := l.bytes(v)
		if err != nil && failed == nil {
			failed = err
		}
		vals = append(vals, LiveValue{Value: v, Bytes: b, First: step, Last: max(step, 0)})
		l.places[v.ID] = place{run, int32(len(vals) - 1)}
	}
	extend := func(v *op.Value, step int) {
		if p := l.places[v.ID]; p.run == run {
			vals[p.pos].Last = step
		}
	}
	for _, v := range inputs {
		define(v, -1)
	}
	for i, n := range nodes {
		for _, o := range n.Outputs {
			define(o, i)
		}
		uses(n, func(v *op.Value) { extend(v, i) })
	}
	for _, v := range outputs {
		extend(v, len(nodes))
	}
	return vals, failed
}

// uses calls f for every value that a node reads, those that its bodies take from outside included.
func uses(n *Node, f func(*op.Value)) {
	for _, in := range n.Inputs {
		if in != nil {
			f(in)
		}
	}
	for _, b := range n.Bodies {
		for _, o := range b.Outputs {
			f(o)
		}
		for _, m := range b.Nodes {
			uses(m, f)
		}
	}
}

// inner is the peak of the tensors that the node's bodies make, of the body that needs most.
func (l *liveness) inner(n *Node) (int64, error) {
	var peak int64
	for _, b := range n.Bodies {
		res, err := l.run(b.Nodes, b.Inputs, b.Outputs, n.handed(b))
		if err != nil {
			return 0, err
		}
		peak = max(peak, res.PeakBytes)
	}
	return peak, nil
}

// handed are the tensors of a body that become the node's own: the outputs of the branch of an If.
func (n *Node) handed(b *Body) []*op.Value {
	if n.Proto.OpType != "If" {
		return nil
	}
	return b.Outputs
}
