package lower

import (
	"slices"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/costmodel/internal/ortops"
	"github.com/onnxcost/onnxcost/costmodel/plan"
)

// The allocation plan of one graph is what ONNX Runtime decides before the first run, from what its own
// shape inference knows of the tensors. (Its planner is AllocationPlanner in core/framework, for sequential execution;
// the rules here were checked against the profiler's records of every allocation.)
//
//   - A graph output has memory of its own.
//   - Operators that only rename pass their input's buffer on.
//   - Some operators may write over an input that nobody else needs and that has the same shape.
//   - Otherwise an output takes over the buffer that was freed last among those of the same shape and element size:
//     the same shape, not the same number of bytes. An extent that inference does not know prevents it.
//   - What a node needs no more is freed after it, and buffers that are taken over stay until their last user. An output
//     that nobody reads has no last user: it stays to the end.

// ortBuffer is what the planner keeps of a buffer.
type ortBuffer struct {
	shape ortShape
	uses  int // by arguments and by the caller that are still to come
}

// ortShape is a shape as the planner sees it: two are the same where rank, extents and element size are.
type ortShape struct {
	shape []dim.Dim
	width int // bits; 0 where an extent or the element type is not known
}

func (a ortShape) same(b ortShape) bool {
	return a.width > 0 && a.width == b.width && slices.EqualFunc(a.shape, b.shape, dim.Dim.Equal)
}

// newProgram plans a graph whose nodes run in order, one kernel each. The bodies that they run have programs of their
// own.
func newProgram(g *graph, order []*gnode, kernels []plan.Kernel) *plan.Program {
	b := &ortPlanner{graph: g, prog: &plan.Program{Steps: make([]plan.Step, len(order))}, bufOf: map[*tensor]int{}, places: map[*tensor]int{}}
	for i := range order {
		b.prog.Steps[i].Kernel = &kernels[i]
	}
	b.plan(order)
	return b.prog
}

// ortPlanner follows the runtime's planner over one graph.
type ortPlanner struct {
	prog   *plan.Program
	kept   []ortBuffer // of the program's buffers
	graph  *graph
	bufOf  map[*tensor]int // tensors that a node has made; -1 for memory of the session or the caller
	places map[*tensor]int // arguments and outputs that a tensor still has
	free   []int           // buffers without further use, the latest last
}

func (b *ortPlanner) plan(order []*gnode) {
	steps := b.prog.Steps
	for _, n := range order {
		for _, ts := range [2][]*tensor{n.in, n.captured} {
			for _, t := range ts {
				if t != nil {
					b.places[t]++
				}
			}
		}
		for _, t := range n.out {
			if t != nil && t.output {
				b.places[t]++
			}
		}
	}
	for i, n := range order {
		b.node(i, n)
	}
	for k := range b.prog.Buffers {
		if last := b.prog.Buffers[k].Last; last < len(steps) {
			steps[last].Frees = append(steps[last].Frees, k)
		}
	}
}

func (b *ortPlanner) node(step int, n *gnode) {
	for i, t := range n.out {
		if t == nil {
			continue
		}
		if at := b.reuse(n, i, t); at != unshared {
			b.bufOf[t] = at
			if at >= 0 {
				b.kept[at].uses += b.places[t]
			}
			continue
		}
		bytes, known := t.val.Bytes()
		b.bufOf[t] = len(b.prog.Buffers)
		b.prog.Buffers = append(b.prog.Buffers, plan.Buffer{Name: t.val.Name, DType: t.val.DType, Bytes: plan.NewFormula(bytes), Known: known, Last: len(b.prog.Steps)})
		b.kept = append(b.kept, ortBuffer{shape: b.shapeOf(t), uses: b.places[t]})
		b.prog.Steps[step].Allocs = append(b.prog.Steps[step].Allocs, b.bufOf[t])
	}
	for _, ts := range [2][]*tensor{n.in, n.captured} {
		for _, t := range ts {
			if t == nil {
				continue
			}
			if at, made := b.bufOf[t]; made && at >= 0 {
				if b.kept[at].uses--; b.kept[at].uses == 0 {
					b.dead(at, step)
				}
			}
		}
	}
}

func (b *ortPlanner) dead(at, step int) {
	b.prog.Buffers[at].Last = step
	b.free = append(b.free, at)
}

// unshared says that an output needs memory of its own.
const unshared = -2

// reuse returns the buffer that output i of a node takes over, -1 where it is an alias of the caller's or the
// session's memory, unshared where it takes none.
func (b *ortPlanner) reuse(n *gnode, i int, t *tensor) int {
	if t.output || t.val.Kind != onnx.KindTensor {
		return unshared
	}
	row := ortops.Of(n.key)
	if i == 0 && row.Buffer == ortops.Alias && n.arg(0) != nil {
		if at, made := b.bufOf[n.in[0]]; made {
			return at
		}
		return -1
	}
	want := b.shapeOf(t)
	arg := -1
	switch {
	case i > 0:
	case row.Buffer == ortops.InPlace:
		arg = 0
	case row.Buffer == ortops.OnSum && n.sum:
		arg = len(n.in) - 1
	}
	if arg >= 0 && n.arg(arg) != nil {
		at, made := b.bufOf[n.in[arg]]
		if made && at >= 0 && b.kept[at].uses == 1 && b.shapeOf(n.in[arg]).same(want) {
			return at
		}
	}
	if len(want.shape) == 0 {
		return unshared
	}
	for f := len(b.free) - 1; f >= 0; f-- {
		if at := b.free[f]; b.kept[at].shape.same(want) {
			b.free = slices.Delete(b.free, f, f+1)
			b.prog.Buffers[at].Last = len(b.prog.Steps)
			return at
		}
	}
	return unshared
}

// shapeOf is what the runtime's inference knows of a tensor.
func (b *ortPlanner) shapeOf(t *tensor) ortShape {
	if !allAxes(t, b.graph.extents(t)) {
		return ortShape{}
	}
	return ortShape{t.val.Shape, t.val.DType.Bits()}
}
