package lower

import (
	"cmp"
	"math"
	"slices"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/op"
)

// piece is a node that takes the positions from lo to hi of one axis.
type piece struct {
	node    *gnode
	axis    int
	lo, hi  int64
	squeeze bool // the axis goes away
}

// pieceOf recognises a Gather of one constant index and a Slice of one axis by constants.
func (g *graph) pieceOf(n *gnode, x *tensor) (p piece, ok bool) {
	rank := g.knownRank(x)
	if rank < 1 || n.in[0] != x || n.dead || n.out[0].val == nil {
		return p, false
	}
	var axis int64
	switch {
	case n.is("Gather"):
		index, ok := ints(n.arg(1))
		if !ok || len(index) != 1 {
			return p, false
		}
		axis, p.lo, p.squeeze = n.IntAttr("axis", 0), index[0], len(n.in[1].val.Shape) == 0
		p.hi = p.lo + 1
	case n.is("Slice") && n.opset() >= 10:
		lo, ok1 := ints(n.arg(1))
		hi, ok2 := ints(n.arg(2))
		axes, ok3 := ints(n.arg(3))
		if !ok1 || !ok2 || !ok3 || len(lo) != 1 || len(hi) != 1 || len(axes) != 1 {
			return p, false
		}
		if t := n.arg(4); t != nil {
			if step, ok := ints(t); !ok || len(step) != 1 || step[0] != 1 {
				return p, false
			}
		}
		axis, p.lo, p.hi = axes[0], lo[0], hi[0]
	default:
		return p, false
	}
	if axis < 0 {
		axis += int64(rank)
	}
	extent, known := g.knownDim(x, int(axis))
	if axis < 0 || axis >= int64(rank) || !known {
		return p, false
	}
	at := func(v int64) int64 {
		if v < 0 {
			v += extent
		}
		return min(max(v, 0), extent)
	}
	p.node, p.axis, p.lo = n, int(axis), at(p.lo)
	if p.hi == math.MaxInt64 {
		p.hi = extent
	}
	p.hi = at(p.hi)
	if n.is("Gather") {
		p.hi = p.lo + 1
	}
	return p, p.lo < p.hi
}

// splitPieces makes a Split of the nodes that together take every position of one axis of a tensor once. Parts of a shape
// stay as they are. (ONNX Runtime:
// GatherSliceToSplitFusion.)
func splitPieces(g *graph) bool {
	changed := false
	seen := map[*tensor]bool{}
	for _, n := range slices.Clone(g.topological()) {
		for _, x := range n.in {
			if x != nil && !x.isConst() && len(x.uses) > 1 && !seen[x] && (x.from == nil || !x.from.is("Shape")) {
				seen[x] = true
				if g.splitAt(x) {
					changed = true
				}
			}
		}
	}
	return changed
}

func (g *graph) splitAt(x *tensor) bool {
	var pieces []piece
	for _, u := range x.uses {
		if u.arg != 0 {
			continue
		}
		if p, ok := g.pieceOf(u.node, x); ok && (len(pieces) == 0 || p.axis == pieces[0].axis) {
			pieces = append(pieces, p)
		}
	}
	if len(pieces) < 2 {
		return false
	}
	slices.SortStableFunc(pieces, func(a, b piece) int { return cmp.Compare(a.lo, b.lo) })
	axis := pieces[0].axis
	end := int64(0)
	sizes := make([]int64, len(pieces))
	for i, p := range pieces {
		if p.lo != end {
			return false
		}
		end, sizes[i] = p.hi, p.hi-p.lo
	}
	if extent, ok := g.knownDim(x, axis); !ok || end != extent {
		return false
	}
	split := g.add("Split", "", "SplitFusion", x, g.shapeConst(sizes...))
	split.SetInt("axis", int64(axis))
	for i, p := range pieces {
		if split.origin == nil {
			split.origin = p.node.origin
		}
		if !p.squeeze {
			g.handOver(p.node, 0, split, i)
		} else {
			shape := g.newShape(x.val.Shape)
			shape[axis] = dim.Const(sizes[i])
			g.addOutput(split, g.newTensor(p.node.name+"_split", x.val, shape))
			sq := g.add("Squeeze", "", "SqueezeFusion", split.out[i], g.shapeConst(int64(axis)))
			g.handOver(p.node, 0, sq, 0)
		}
		g.absorb(split, p.node)
		g.remove(p.node)
	}
	return true
}

// sliceRanges makes a Slice of a Gather whose indices a Range makes; the bounds become vectors. (ONNX Runtime:
// GatherToSliceFusion.)
func sliceRanges(g *graph) bool {
	changed := false
	for _, n := range g.topological() {
		if n.dead || !n.is("Gather") {
			continue
		}
		r := n.producer(1)
		if r == nil || !r.is("Range") || r.out[0].output || len(r.out[0].uses) != 1 || n.out[0].val == nil {
			continue
		}
		var bound [3]*tensor
		for i := range bound {
			u := g.add("Unsqueeze", "", "Unsqueeze range", r.in[i], g.shapeConst(0))
			g.addOutput(u, g.newTensor(r.name+"_bound", r.in[i].val, op.Consts(1)))
			bound[i] = u.out[0]
		}
		s := g.add("Slice", "", "Slice", n.in[0], bound[0], bound[1], g.shapeConst(n.IntAttr("axis", 0)), bound[2])
		s.origin = n.origin
		g.handOver(n, 0, s, 0)
		g.absorb(s, n)
		g.absorb(s, r)
		g.remove(n)
		g.remove(r)
		changed = true
	}
	return changed
}
