package lower

import (
	"slices"

	"github.com/onnxcost/onnxcost/analyzer/op"
)

// plainExtents knows everything once every data operand is known, the rank once their ranks are.
func plainExtents(_ *graph, n *gnode, slot int, in []extents) extents {
	e := extents{true, allKnown}
	for i, t := range n.in {
		if t == nil || n.rule != nil && n.rule.IsHost(i) && t.isConst() {
			continue
		}
		if !in[i].ranked {
			return extents{}
		}
		if in[i].known != allKnown && !allAxes(t, in[i]) {
			e.known = 0
		}
	}
	return e
}

// allAxes reports whether every axis of t is known.
func allAxes(t *tensor, e extents) bool {
	want := uint64(1)<<len(t.val.Shape) - 1
	return e.ranked && e.known&want == want
}

// broadcastExtents takes each axis from an operand that has a number other than 1 there, or the name that all have.
func broadcastExtents(g *graph, n *gnode, slot int, in []extents) extents {
	rank := len(n.out[slot].val.Shape)
	for i, t := range n.in {
		if t != nil && !in[i].ranked {
			return extents{}
		}
	}
	e := extents{ranked: true}
	for axis := range rank {
		known := true
		for i, t := range n.in {
			if t == nil {
				continue
			}
			at := axis - rank + len(t.val.Shape)
			if at < 0 {
				continue
			}
			bit := in[i].known>>at&1 == 1
			v, number := t.val.Shape[at].Value()
			if bit && number && v != 1 {
				known = true
				break
			}
			known = known && bit
		}
		if known {
			e.known |= 1 << axis
		}
	}
	return e
}

func reshapeExtents(g *graph, n *gnode, slot int, in []extents) extents {
	shape, ok := ints(n.arg(1))
	if a := n.Attr("shape"); a != nil && len(n.in) < 2 {
		shape, ok = a.Ints, true
	}
	if !ok {
		if g.opset < 14 {
			return extents{}
		}
		return extents{ranked: g.knownRank(n.arg(1)) == 1}
	}
	e := extents{ranked: true}
	numbers := true // the input's extents are all numbers
	if _, ok := g.knownShape(n.in[0]); !ok {
		numbers = false
	}
	for i, s := range shape {
		switch {
		case s > 0, s == -1 && numbers:
			e.known |= 1 << i
		case s == 0 && in[0].ranked:
			e.known |= in[0].known & (1 << i)
		}
	}
	return e
}

func transposeExtents(_ *graph, n *gnode, slot int, in []extents) extents {
	if !in[0].ranked {
		return extents{}
	}
	e := extents{ranked: true}
	for i, p := range permOf(n, len(n.in[0].val.Shape)) {
		e.known |= in[0].known >> p & 1 << i
	}
	return e
}

// permOf is the permutation of a Transpose of the given rank.
func permOf(n *gnode, rank int) []int64 {
	if p := n.IntsAttr("perm"); len(p) == rank && !slices.ContainsFunc(p, func(a int64) bool { return a < 0 || a >= int64(rank) }) {
		return p
	}
	p := make([]int64, rank)
	for i := range p {
		p[i] = int64(rank - 1 - i)
	}
	return p
}

func matmulExtents(_ *graph, n *gnode, slot int, in []extents) extents {
	a, b := n.in[0], n.in[1]
	if !in[0].ranked || !in[1].ranked || len(a.val.Shape) < 2 || len(b.val.Shape) < 2 {
		return extents{}
	}
	e := extents{ranked: true}
	rank := len(n.out[0].val.Shape)
	ra, rb := len(a.val.Shape), len(b.val.Shape)
	for axis := range rank - 2 {
		known := true
		for i, t := range [2]*tensor{a, b} {
			if at := axis - rank + len(t.val.Shape); at >= 0 && in[i].known>>at&1 == 0 {
				known = false
			}
		}
		if known {
			e.known |= 1 << axis
		}
	}
	e.known |= in[0].known >> (ra - 2) & 1 << (rank - 2)
	e.known |= in[1].known >> (rb - 1) & 1 << (rank - 1)
	return e
}

func gemmExtents(_ *graph, n *gnode, slot int, in []extents) extents {
	e := extents{ranked: true}
	m, k := 0, 1
	if n.IntAttr("transA", 0) != 0 {
		m = 1
	}
	if n.IntAttr("transB", 0) != 0 {
		k = 0
	}
	if in[0].ranked {
		e.known |= in[0].known >> m & 1
	}
	if in[1].ranked {
		e.known |= in[1].known >> k & 1 << 1
	}
	return e
}

// windowExtents: convolutions know their channels from the weights; spatial extents only where they are numbers.
func windowExtents(g *graph, n *gnode, slot int, in []extents) extents {
	if !in[0].ranked {
		return extents{}
	}
	x := n.in[0]
	e := extents{ranked: true, known: in[0].known & 3}
	if n.rule != nil && n.rule.Class == op.Contract {
		e.known = in[0].known&1 | 2
	}
	for i := 2; i < len(x.val.Shape); i++ {
		if _, ok := g.knownDim(x, i); ok || n.is("GlobalAveragePool", "GlobalMaxPool") {
			e.known |= 1 << i
		}
	}
	return e
}

// quantizedConvExtents is windowExtents for either place of the channels.
func quantizedConvExtents(g *graph, n *gnode, slot int, in []extents) extents {
	if n.IntAttr("channels_last", 0) == 0 {
		return windowExtents(g, n, slot, in)
	}
	if !in[0].ranked {
		return extents{}
	}
	rank := len(n.in[0].val.Shape)
	e := extents{ranked: true, known: in[0].known&1 | 1<<(rank-1)}
	for i := 1; i < rank-1; i++ {
		if _, ok := g.knownDim(n.in[0], i); ok {
			e.known |= 1 << i
		}
	}
	return e
}

func concatExtents(g *graph, n *gnode, slot int, in []extents) extents {
	rank := len(n.out[0].val.Shape)
	axis := int(n.IntAttr("axis", 1))
	if axis < 0 {
		axis += rank
	}
	e := extents{ranked: true}
	sum := true
	for i, t := range n.in {
		if !in[i].ranked {
			return extents{}
		}
		if _, ok := g.knownDim(t, axis); !ok {
			sum = false
		}
		e.known |= in[i].known
	}
	e.known &^= 1 << axis
	if sum {
		e.known |= 1 << axis
	}
	return e
}

// sliceExtents: bounds that are no constants leave only the rank.
func sliceExtents(g *graph, n *gnode, slot int, in []extents) extents {
	if !in[0].ranked {
		return extents{}
	}
	for _, t := range n.in[1:] {
		if t != nil && !t.isConst() {
			return extents{ranked: true}
		}
	}
	axes, ok := ints(n.arg(3))
	if a := n.IntsAttr("axes"); a != nil {
		axes, ok = a, true
	}
	e := extents{ranked: true, known: in[0].known}
	for i := range n.in[0].val.Shape {
		if ok && !slices.Contains(axes, int64(i)) && !slices.Contains(axes, int64(i-len(n.in[0].val.Shape))) {
			continue
		}
		if _, number := g.knownDim(n.in[0], i); !number {
			e.known &^= 1 << i
		}
	}
	return e
}

func padExtents(g *graph, n *gnode, slot int, in []extents) extents {
	if !in[0].ranked {
		return extents{}
	}
	if t := n.arg(1); t != nil && !t.isConst() {
		return extents{ranked: true}
	}
	e := extents{ranked: true, known: in[0].known}
	for i := range n.in[0].val.Shape {
		if _, number := g.knownDim(n.in[0], i); !number && !n.out[0].val.Shape[i].Equal(n.in[0].val.Shape[i]) {
			e.known &^= 1 << i
		}
	}
	return e
}

func shapeExtents(_ *graph, _ *gnode, slot int, in []extents) extents {
	if !in[0].ranked {
		return extents{ranked: true}
	}
	return extents{true, allKnown}
}

// axesOf returns the axes of a Squeeze, Unsqueeze or reduction, made positive; ok is false where they are computed.
// No axes at all give nil.
func axesOf(n *gnode, rank int) (axes []int64, ok bool) {
	axes = n.IntsAttr("axes")
	if axes == nil && n.arg(1) != nil {
		if axes, ok = ints(n.in[1]); !ok {
			return nil, false
		}
	}
	axes = slices.Clone(axes)
	for i := range axes {
		if axes[i] < 0 {
			axes[i] += int64(rank)
		}
	}
	return axes, true
}

func squeezeExtents(_ *graph, n *gnode, slot int, in []extents) extents {
	rank := len(n.in[0].val.Shape)
	axes, ok := axesOf(n, rank)
	if !in[0].ranked || !ok || axes == nil {
		return extents{}
	}
	e := extents{ranked: true}
	out := 0
	for i := range rank {
		if !slices.Contains(axes, int64(i)) {
			e.known |= in[0].known >> i & 1 << out
			out++
		}
	}
	return e
}

func unsqueezeExtents(_ *graph, n *gnode, slot int, in []extents) extents {
	rank := len(n.out[0].val.Shape)
	axes, ok := axesOf(n, rank)
	if !in[0].ranked || !ok {
		return extents{}
	}
	e := extents{ranked: true}
	at := 0
	for i := range rank {
		if slices.Contains(axes, int64(i)) {
			e.known |= 1 << i
			continue
		}
		e.known |= in[0].known >> at & 1 << i
		at++
	}
	return e
}

// flattenExtents: each side is known where all its extents are numbers.
func flattenExtents(g *graph, n *gnode, slot int, in []extents) extents {
	if !in[0].ranked {
		return extents{}
	}
	rank := len(n.in[0].val.Shape)
	axis := int(n.IntAttr("axis", 1))
	if axis < 0 {
		axis += rank
	}
	e := extents{ranked: true}
	if g.knownProduct(n.in[0], 0, min(axis, rank)) {
		e.known |= 1
	}
	if g.knownProduct(n.in[0], min(axis, rank), rank) {
		e.known |= 2
	}
	return e
}

// knownProduct reports whether inference knows the product of a range of extents: numbers, or one name among ones.
func (g *graph) knownProduct(t *tensor, from, to int) bool {
	e := g.extents(t)
	product, names := int64(1), 0
	for i := from; i < to; i++ {
		switch v, ok := t.val.Shape[i].Value(); {
		case e.known>>i&1 == 0:
			return false
		case ok && v > 1:
			product = v
		case !ok:
			names++
		}
	}
	return names == 0 || names == 1 && product == 1
}

// expandExtents: a computed shape leaves the rank, and the extents that cannot come from it.
func expandExtents(g *graph, n *gnode, slot int, in []extents) extents {
	if n.arg(1).isConst() {
		return plainExtents(g, n, slot, in)
	}
	if !in[0].ranked || g.knownRank(n.in[1]) != 1 {
		return extents{}
	}
	e := extents{ranked: true}
	off := len(n.out[0].val.Shape) - len(n.in[0].val.Shape)
	for i := range n.in[0].val.Shape {
		if v, ok := g.knownDim(n.in[0], i); ok && v != 1 {
			e.known |= 1 << (off + i)
		}
	}
	return e
}

func fillExtents(g *graph, n *gnode, slot int, in []extents) extents {
	if n.in[0].isConst() {
		return extents{true, allKnown}
	}
	_, ok := g.knownDim(n.in[0], 0)
	return extents{ranked: ok}
}

// rankOnly: what is computed from operands that are no constants has a rank and nothing else.
func rankOnly(g *graph, n *gnode, slot int, in []extents) extents {
	for i, t := range n.in {
		if t != nil && !t.isConst() && (i > 0 || n.rule == nil || n.rule.IsHost(i)) {
			return extents{ranked: true}
		}
	}
	return plainExtents(g, n, slot, in)
}

func resizeExtents(g *graph, n *gnode, slot int, in []extents) extents {
	if !in[0].ranked {
		return extents{}
	}
	for _, t := range n.in[1:] {
		if t != nil && !t.isConst() {
			return extents{ranked: true}
		}
	}
	e := extents{ranked: true}
	for i := range n.in[0].val.Shape {
		if _, ok := g.knownDim(n.in[0], i); ok {
			e.known |= 1 << i
		}
	}
	return e
}

func splitExtents(g *graph, n *gnode, slot int, in []extents) extents {
	if !in[0].ranked {
		return extents{}
	}
	rank := len(n.in[0].val.Shape)
	axis := int(n.IntAttr("axis", 0))
	if axis < 0 {
		axis += rank
	}
	e := extents{true, in[0].known &^ (1 << axis)}
	if _, ok := g.knownDim(n.in[0], axis); ok && (n.arg(1) == nil || n.in[1].isConst()) {
		e.known |= 1 << axis
	}
	return e
}

// recurrentExtents: Y has steps, directions, batch and hidden size.
func recurrentExtents(_ *graph, n *gnode, slot int, in []extents) extents {
	if !in[0].ranked {
		return extents{}
	}
	batch := in[0].known >> 1 & 1
	if slot > 0 { // Y_h, Y_c: directions, batch, hidden size
		return extents{true, 5 | batch<<1}
	}
	return extents{true, in[0].known&1 | 10 | batch<<2}
}

func reduceExtents(_ *graph, n *gnode, slot int, in []extents) extents {
	if !in[0].ranked {
		return extents{}
	}
	rank := len(n.in[0].val.Shape)
	axes, ok := axesOf(n, rank)
	if !ok {
		return extents{ranked: n.IntAttr("keepdims", 1) != 0}
	}
	keep := n.IntAttr("keepdims", 1) != 0
	if len(axes) == 0 {
		if n.IntAttr("noop_with_empty_axes", 0) != 0 {
			return in[0]
		}
		return extents{true, allKnown}
	}
	e := extents{ranked: true}
	at := 0
	for i := range rank {
		reduced := slices.Contains(axes, int64(i))
		switch {
		case reduced && keep:
			e.known |= 1 << at
			at++
		case !reduced:
			e.known |= in[0].known >> i & 1 << at
			at++
		}
	}
	return e
}
