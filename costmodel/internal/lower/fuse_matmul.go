package lower

import (
	"slices"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/op"
	"github.com/onnxcost/onnxcost/costmodel/plan"
)

// gemmRules are the rules on Gemm and MatMul that need no other rule first. (ONNX Runtime: GemmSumFusion,
// GemmTransposeFusion, MatmulBNFusion.)
var gemmRules = map[string][]rewriteRule{
	"Gemm":   {fuseGemmSum, fuseGemmTranspose},
	"MatMul": {fuseMatMulBatchNorm},
}

// fuseGemmSum gives the second operand of a Sum to the Gemm before it as its C.
func fuseGemmSum(g *graph, n *gnode) bool {
	sum := n.next()
	if sum == nil || !sum.is("Sum") || len(sum.in) != 2 || n.out[0].output || len(n.in) > 2 && n.in[2] != nil {
		return false
	}
	other := sum.in[0]
	if other == n.out[0] {
		other = sum.in[1]
	}
	if other == n.out[0] || g.knownRank(other) < 0 || len(other.val.Shape) > 2 {
		return false
	}
	g.setInput(n, 2, other)
	n.SetAttr(onnx.Attribute{Name: "beta", Type: onnx.AttrFloat, F: 1})
	g.absorb(n, sum)
	g.handOver(sum, 0, n, 0)
	g.remove(sum)
	return true
}

// fuseGemmTranspose turns the transposition of an operand, or of the result where there is no C, into the Gemm's own
// attributes.
func fuseGemmTranspose(g *graph, n *gnode) bool {
	changed := false
	for i, name := range []string{"transA", "transB"} {
		t := n.producer(i)
		if t == nil || !t.is("Transpose") || t.rank0() != 2 || permOf(t, 2)[0] != 1 {
			continue
		}
		g.setInput(n, i, t.in[0])
		n.SetInt(name, 1-n.IntAttr(name, 0))
		if !t.read() && !t.out[0].output {
			g.fold(n, t)
			g.remove(t)
		}
		changed = true
	}
	next := n.next()
	if next == nil || !next.is("Transpose") || n.out[0].output || len(n.in) > 2 && n.in[2] != nil || permOf(next, 2)[0] != 1 {
		return changed
	}
	a, b := n.in[0], n.in[1]
	ta, tb := n.IntAttr("transA", 0), n.IntAttr("transB", 0)
	g.setInput(n, 0, b)
	g.setInput(n, 1, a)
	n.SetInt("transA", 1-tb)
	n.SetInt("transB", 1-ta)
	g.fold(n, next)
	g.handOver(next, 0, n, 0)
	g.remove(next)
	return true
}

// rank0 is the rank of the first input; -1 where it is unknown.
func (n *gnode) rank0() int {
	if t := n.arg(0); t != nil {
		return t.rank()
	}
	return -1
}

// fuseMatMulBatchNorm folds a BatchNormalization into the weights of the MatMul before it, which becomes a Gemm for
// the bias.
func fuseMatMulBatchNorm(g *graph, n *gnode) bool {
	bn := n.next()
	if bn == nil || !bn.is("BatchNormalization") || n.out[0].output || bn.in[0] != n.out[0] || !plainBatchNorm(bn) ||
		!n.in[1].isConst() || g.knownRank(n.in[0]) != 2 || len(n.in[1].val.Shape) != 2 {
		return false
	}
	cols := n.in[1].val.Shape[1]
	if !bn.in[1].val.Shape[0].Equal(cols) {
		return false
	}
	bias := g.newConst(n.in[1].val, op.Shape{cols})
	gemm := g.add("Gemm", "", n.name+"/MatMulBnFusion/", n.in[0], n.in[1], bias)
	g.absorb(gemm, n)
	gemm.origin = n.origin
	g.fold(gemm, bn)
	gemm.work.Vector = gemm.work.Vector.Add(elements(n.out[0]))
	g.handOver(bn, 0, gemm, 0)
	g.remove(n)
	g.remove(bn)
	return true
}

// fuseMatMulAdd turns a product of matrices and the addition of a bias into a Gemm. An operand with more axes is
// reshaped to a matrix and back, which takes extents that are numbers. (ONNX Runtime: MatMulAddFusion.)
func fuseMatMulAdd(g *graph) bool { return g.matMulAdds(nil) }

// fuseMatMulAddFirst is fuseMatMulAdd at the first level, which leaves the products around an attention alone.
func fuseMatMulAddFirst(g *graph) bool {
	return g.matMulAdds(&projections{norms: map[*gnode]bool{}, sums: map[*gnode]bool{}})
}

func (g *graph) matMulAdds(kept *projections) bool {
	changed := false
	for _, n := range g.topological() {
		if n.dead || !n.is("MatMul") || n.out[0].output {
			continue
		}
		add := n.next()
		if add == nil || !add.is("Add") {
			continue
		}
		a, b := n.in[0], n.in[1]
		ra, rb := g.knownRank(a), g.knownRank(b)
		if ra < 2 || rb != 2 || a.val.DType != b.val.DType {
			continue
		}
		bias := add.in[0]
		if bias == n.out[0] {
			bias = add.in[1]
		}
		if bias == n.out[0] || !g.gemmBias(bias, a, b) {
			continue
		}
		var leading []int64 // extents of a, where it has to be reshaped
		if ra != 2 {
			shape, ok := g.knownShape(a)
			if !ok || kept.has(a, add) || len(bias.val.Shape) > 1 && !bias.val.Shape[0].Is(1) {
				continue
			}
			leading = shape[:ra-1]
		}
		g.gemmFrom(n, add, bias, leading)
		changed = true
	}
	return changed
}

// projections are the normalisations before an attention and the sums with a bias behind it, as far as they have been met.
type projections struct{ norms, sums map[*gnode]bool }

// has reports whether a product of x with its sum is one of the four around an attention: three read a normalisation that
// otherwise only one sum reads, and Shape; the fourth makes, with its own sum, the other operand of that one. A nil
// receiver has none.
func (p *projections) has(x *tensor, add *gnode) bool {
	if p == nil {
		return false
	}
	norm := x.from
	if p.norms[norm] || p.sums[add] {
		return true
	}
	if norm == nil || norm.op != "LayerNormalization" {
		return false
	}
	readers := map[string]int{}
	var residual *gnode
	all := 0
	for _, t := range norm.out {
		if t == nil {
			continue
		}
		for _, u := range t.uses {
			all++
			if readers[u.node.op]++; u.node.op == "Add" {
				residual = u.node
			}
		}
	}
	if readers["Add"] != 1 || readers["MatMul"] != 3 || readers["Shape"] != all-4 {
		return false
	}
	other := residual.producer(0)
	if other == norm {
		other = residual.producer(1)
	}
	if other == nil || other.op != "Add" {
		return false
	}
	p.norms[norm], p.sums[other] = true, true
	return true
}

// gemmBias reports whether a tensor can be the C of a Gemm of a and b: N, 1×N, M×1 or M×N.
func (g *graph) gemmBias(c, a, b *tensor) bool {
	cols, ok := g.knownDim(b, 1)
	if !ok {
		return false
	}
	last := g.knownRank(c) - 1
	if last < 0 || last > 1 {
		return false
	}
	have, ok := g.knownDim(c, last)
	if !ok || have != cols && !(last == 1 && have == 1) {
		return false
	}
	if last == 0 {
		return true
	}
	rows, ok := g.knownDim(c, 0)
	if ok && rows == 1 {
		return have == cols
	}
	return g.sameDim(c, 0, a, 0)
}

// gemmFrom puts a Gemm in the place of a product and a sum. Leading extents of the first operand go through it as one.
func (g *graph) gemmFrom(n, add *gnode, bias *tensor, leading []int64) {
	a, b := n.in[0], n.in[1]
	gemm := g.add("Gemm", "", n.name+"/MatMulAddFusion", a, b, bias)
	g.absorb(gemm, n)
	g.absorb(gemm, add)
	gemm.origin = n.origin
	if leading == nil {
		g.handOver(add, 0, gemm, 0)
	} else {
		rows := int64(1)
		for _, d := range leading {
			rows *= d
		}
		k, _ := a.val.Shape[len(leading)].Value()
		cols, _ := b.val.Shape[1].Value()
		flat := g.add("Reshape", "", "gemm_input_reshape", a, g.shapeConst(rows, k))
		g.addOutput(flat, g.newTensor(a.val.Name+"_flat", a.val, op.Consts(rows, k)))
		g.setInput(gemm, 0, flat.out[0])
		g.addOutput(gemm, g.newTensor(n.out[0].val.Name+"_flat", n.out[0].val, op.Consts(rows, cols)))
		back := g.add("Reshape", "", "gemm_output_reshape", gemm.out[0], g.shapeConst(append(leading, cols)...))
		g.handOver(add, 0, back, 0)
	}
	g.remove(n)
	g.remove(add)
}

// shapeConst makes the constant shape operand of an added Reshape.
func (g *graph) shapeConst(v ...int64) *tensor {
	t := g.newConst(&op.Value{Name: "shape", DType: onnx.Int64}, op.Consts(int64(len(v))))
	t.val.Data = &op.Data{}
	for _, x := range v {
		t.val.Data.Nums = append(t.val.Data.Nums, op.IntOf(x))
	}
	return t
}

// fuseMatMulTranspose turns transpositions of the operands into attributes of the product: of the last two axes, of the
// first axis behind the other batch axes, or both. (ONNX Runtime: MatmulTransposeFusion.)
func fuseMatMulTranspose(g *graph) bool {
	changed := false
	for _, n := range g.topological() {
		if n.dead || n.key != "MatMul" && n.key != plan.DomainMS+".FusedMatMul" || len(n.in) != 2 ||
			n.in[0].val.DType != onnx.Float32 && n.in[0].val.DType != onnx.Float16 && n.in[0].val.DType != onnx.Float64 {
			continue
		}
		var how [2]operandOrder
		for i := range how {
			if t := n.producer(i); t != nil && t.is("Transpose") {
				how[i] = orderOf(permOf(t, max(t.rank0(), len(t.IntsAttr("perm")))))
				if r := g.knownRank(n.in[i]); how[i]&batchBehind != 0 && (r < 0 || g.knownRank(n.in[1-i]) != r) {
					how[i] = asStored // the batch axes of both operands have to be known to line up
				}
			}
		}
		if how[0] == asStored && how[1] == asStored {
			continue
		}
		f := g.add("FusedMatMul", plan.DomainMS, n.name+"/MatmulTransposeFusion/", n.in...)
		f.Attrs = slices.Clone(n.Attrs)
		g.merge(f, n)
		for i, side := range []string{"A", "B"} {
			t := f.producer(i)
			if how[i] == asStored || n.IntAttr("trans"+side, 0) != 0 || n.IntAttr("transBatch"+side, 0) != 0 {
				continue
			}
			if how[i]&lastSwapped != 0 {
				f.SetInt("trans"+side, 1)
			}
			if how[i]&batchBehind != 0 {
				f.SetInt("transBatch"+side, 1)
			}
			g.setInput(f, i, t.in[0])
			if !t.read() && !t.out[0].output {
				g.fold(f, t)
				g.remove(t)
			}
		}
		changed = true
	}
	return changed
}

// operandOrder says how a product can read an operand that is stored in another order.
type operandOrder uint8

const (
	asStored    operandOrder = 0
	lastSwapped operandOrder = 1 // the last two axes are swapped
	batchBehind operandOrder = 2 // the first stored axis is the last but one (with lastSwapped: the last)
)

// orderOf recognises the permutations that a FusedMatMul can undo: …, n-1, n-2; 1, …, n-2, 0, n-1; and 1, …, n-1, 0.
func orderOf(p []int64) operandOrder {
	n := len(p)
	if n < 2 {
		return asStored
	}
	for _, o := range []operandOrder{lastSwapped, batchBehind, batchBehind | lastSwapped} {
		want := func(i int) int {
			switch {
			case o == lastSwapped && i >= n-2:
				return 2*n - 3 - i
			case o == lastSwapped:
				return i
			case o == batchBehind && i == n-1:
				return i
			case o == batchBehind && i == n-2, o == batchBehind|lastSwapped && i == n-1:
				return 0
			}
			return i + 1
		}
		match := o == lastSwapped || n > 2
		for i, x := range p {
			match = match && int(x) == want(i)
		}
		if match {
			return o
		}
	}
	return asStored
}

// fuseMatMulScale takes multiplications and divisions by a constant around a product into the product's alpha.
// (ONNX Runtime: MatMulScaleFusion.)
func fuseMatMulScale(g *graph) bool {
	changed := false
	for _, n := range g.topological() {
		if n.dead || n.key != "MatMul" && n.key != plan.DomainMS+".FusedMatMul" || n.in[0].val.DType != onnx.Float32 {
			continue
		}
		scales := g.scalesAround(n)
		if len(scales) == 0 {
			continue
		}
		f := g.add("FusedMatMul", plan.DomainMS, n.name+"/MatMulScaleFusion/", n.in...)
		f.Attrs = slices.Clone(n.Attrs)
		f.origin = n.origin
		for _, s := range scales {
			if x := s.scaled(); x == n.out[0] { // the scale of the result
				g.moveOutput(s, 0, n, 0)
				g.fold(f, s)
				g.remove(s)
			}
		}
		g.merge(f, n)
		for _, s := range scales {
			if s.dead {
				continue
			}
			for i := range 2 {
				if f.in[i] == s.out[0] {
					g.setInput(f, i, s.scaled())
				}
			}
			if !s.read() && !s.out[0].output {
				g.fold(f, s)
				g.remove(s)
			}
		}
		changed = true
	}
	return changed
}

// scalesAround returns the scalings of the operands and of the result of a product.
func (g *graph) scalesAround(n *gnode) []*gnode {
	var out []*gnode
	for i := range 2 {
		if p := n.producer(i); p != nil && p.scaled() != nil && g.knownRank(p.scaled()) >= 0 && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	if next := n.next(); next != nil && !n.out[0].output && next.scaled() == n.out[0] {
		out = append(out, next)
	}
	return out
}

// scaled returns what n multiplies or divides by a constant with one element; nil where it does not.
func (n *gnode) scaled() *tensor {
	if !n.is("Mul", "Div") {
		return nil
	}
	if _, ok := scalar(n.in[1]); ok && !n.in[0].isConst() {
		return n.in[0]
	}
	if _, ok := scalar(n.in[0]); ok && n.is("Mul") && !n.in[1].isConst() {
		return n.in[1]
	}
	return nil
}
