package lower

import (
	"slices"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/op"
)

// foldConstants computes beforehand what depends on constants only, and Shape where the runtime knows every extent as
// a number. (ONNX Runtime: ConstantFolding.)
func foldConstants(g *graph) bool {
	changed := false
	for _, n := range g.topological() {
		if n.dead || !g.foldable(n) {
			continue
		}
		for _, t := range n.out {
			if t == nil {
				continue
			}
			if !t.val.Const { // the report's value stays as it is
				v := *t.val
				v.Const, v.Roots = true, []*op.Value{t.val}
				t.val = &v
			}
			t.from = nil
		}
		inputs := slices.Clone(n.in)
		n.out = nil
		g.remove(n)
		g.sweep(inputs)
		changed = true
	}
	return changed
}

func (g *graph) foldable(n *gnode) bool {
	if n.is("Shape") {
		_, ok := g.knownShape(n.in[0])
		return ok && !n.out[0].output
	}
	if len(n.in) == 0 || len(n.captured) > 0 || n.rule == nil || n.rule.Volatile || n.rule.KeepsWeights ||
		n.rule.Class == op.ControlFlow || n.rule.Class == op.Container {
		return false
	}
	for _, t := range n.in {
		if t != nil && !t.isConst() {
			return false
		}
	}
	for _, t := range n.out {
		if t != nil && (t.output || t.val.Kind != onnx.KindTensor) {
			return false
		}
	}
	return true
}

// sweep removes the makers of tensors that nothing reads any more, and theirs.
func (g *graph) sweep(ts []*tensor) {
	for _, t := range ts {
		if t == nil || t.from == nil || t.from.dead || t.from.read() {
			continue
		}
		n := t.from
		if slices.ContainsFunc(n.out, func(o *tensor) bool { return o != nil && o.output }) {
			continue
		}
		inputs := slices.Clone(n.in)
		g.remove(n)
		g.sweep(inputs)
	}
}

// fuseReshapes replaces the computed shape of a Reshape by a constant where each element is a constant, the extent of
// the same axis of the Reshape's own input, or the only other one; and a chain of reshapes between known shapes by one.
// (ONNX Runtime: ReshapeFusion.)
func fuseReshapes(g *graph) bool {
	changed := false
	for _, n := range g.topological() {
		if n.dead || !n.is("Reshape") {
			continue
		}
		if g.fuseReshapeShape(n) {
			changed = true
		}
		if g.fuseReshapeChain(n) {
			changed = true
		}
	}
	return changed
}

func (g *graph) fuseReshapeShape(n *gnode) bool {
	concat := n.producer(1)
	if concat == nil || !concat.is("Concat") || concat.out[0].output || len(concat.out[0].uses) != 1 {
		return false
	}
	var shape []int64
	unknown := 0
	for i, t := range concat.in {
		if v, ok := ints(t); ok {
			shape = append(shape, v...)
			for _, x := range v {
				if x == -1 {
					unknown++
				}
			}
			continue
		}
		if g.extentOf(t, n.in[0], int64(i)) {
			shape = append(shape, 0)
			continue
		}
		if s, ok := g.knownShape(t); !ok || len(s) != 1 || s[0] != 1 {
			return false
		}
		shape = append(shape, -1)
		unknown++
	}
	if unknown > 1 {
		return false
	}
	g.setInput(n, 1, g.shapeConst(shape...))
	g.fold(n, concat)
	inputs := slices.Clone(concat.in)
	g.remove(concat)
	g.sweep(inputs)
	return true
}

// extentOf reports whether t is axis i of x as a vector of one element: Unsqueeze(Gather(Shape(y), k)) or a Slice of the
// shape, where y is x and k is i, or inference gives both axes the same number or name.
func (g *graph) extentOf(t, x *tensor, i int64) bool {
	n := t.from
	if n == nil {
		return false
	}
	var shape *gnode
	var k int64
	switch {
	case n.is("Slice"):
		lo, ok1 := ints(n.arg(1))
		hi, ok2 := ints(n.arg(2))
		if !ok1 || !ok2 || len(lo) != 1 || len(hi) != 1 || hi[0] != lo[0]+1 {
			return false
		}
		shape, k = n.producer(0), lo[0]
	case n.is("Unsqueeze"):
		gather := n.producer(0)
		if gather == nil || !gather.is("Gather") {
			return false
		}
		index, ok := ints(gather.in[1])
		if !ok || len(index) != 1 || len(gather.in[1].val.Shape) != 0 {
			return false
		}
		shape, k = gather.producer(0), index[0]
	}
	if shape == nil || !shape.is("Shape") || k < 0 {
		return false
	}
	y := shape.in[0]
	return y == x && k == i || g.knownRank(y) > int(k) && g.knownRank(x) > int(i) && g.sameDim(y, int(k), x, int(i))
}

func (g *graph) fuseReshapeChain(n *gnode) bool {
	chain := []*gnode{n}
	for {
		last := chain[len(chain)-1]
		next := last.next()
		if next == nil || !next.is("Reshape", "Squeeze", "Unsqueeze") || last.out[0].output || next.in[0] != last.out[0] {
			break
		}
		if _, ok := g.knownShape(next.out[0]); !ok {
			break
		}
		chain = append(chain, next)
	}
	if len(chain) < 2 {
		return false
	}
	last := chain[len(chain)-1]
	shape, _ := g.knownShape(last.out[0])
	one := g.add("Reshape", "", n.name+"_new_reshape", n.in[0], g.shapeConst(shape...))
	slices.Reverse(chain)
	inputs := []*tensor{}
	for _, m := range chain {
		inputs = append(inputs, m.in[1:]...)
	}
	g.merge(one, chain...)
	g.sweep(inputs)
	return true
}
