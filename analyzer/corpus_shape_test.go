package analyzer_test

import (
	"fmt"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/op"
)

// shapeCorpus: names, shapes that only the run knows, and what the file declares.
func shapeCorpus() []corpusCase {
	x := inputsOf(tensorInfo("x", onnx.Float32, 1, 8))
	block := &onnx.Function{Domain: "local", Name: "block", Inputs: []string{"a"}, Outputs: []string{"y"}, Opsets: []onnx.OpsetID{{Version: 18}, {Domain: "local", Version: 1}},
		Nodes: nodesOf(node("t = Neg(a)"), node("y = local.act(t)"))}
	act := &onnx.Function{Domain: "local", Name: "act", Inputs: []string{"a"}, Outputs: []string{"result", "same"}, Opsets: []onnx.OpsetID{{Version: 18}}, Nodes: nodesOf(node("result = Relu(a)"), node("same = Identity(a)"))}
	calls := graphOf(x, nil, nodesOf(node("h = local.block(x)"), node("z = local.block(h)"), node("p, q = local.act(z)")), "z", "p", "q")
	calls.Functions = []*onnx.Function{block, act}
	old := graphOf(x, nil, nodesOf(node("y = Relu(x)")), "y")
	old.IRVersion, old.Opsets = 1, nil

	unknown := func(declare bool) *onnx.Model {
		m := graphOf(inputsOf(tensorInfo("x", onnx.Float32, 1, 8, 4, 4)), constants(zeroFloats("w", 2, 8, 1, 1)), nodesOf(node("u = custom.Warp(x)"), node("c: z = Conv(u, w)")), "z")
		if declare {
			m.Graph.Outputs = []onnx.ValueInfo{tensorInfo("z", onnx.Float32, 1, 2, 4, 4)}
		}
		return m
	}
	axes := inputsOf(tensorInfo("x", onnx.Float32, 3, 4), tensorInfo("ax", onnx.Int64, 2))
	return []corpusCase{
		{name: "names/functions", model: calls, outputs: "z[1,8] p[1,8] q[1,8]"},
		{name: "names/a constant", model: graphOf(x, constants(zeroFloats("w", 2, 2)), nodesOf(node("z = Relu(x)"), node("anchors = Identity(w)")), "z", "anchors"), outputs: "z[1,8] anchors[2,2]"},
		{name: "names/one constant twice", model: graphOf(x, constants(zeroFloats("w", 2, 2)), nodesOf(node("z = Relu(x)"), node("a = Identity(w)"), node("b = Identity(w)")), "a", "z", "b"),
			outputs: "a[2,2] z[1,8] b[2,2]"},
		{name: "opsets/none before IR 3", model: old, outputs: "y[1,8]", flops: "8"},
		{name: "declared/output behind an unknown operator", model: unknown(true), macs: "256", outputs: "z[1,2,4,4]", finding: "no rule for operator custom.Warp"},
		{name: "declared/a shape for an inner tensor", model: unknown(false), shapes: map[string]op.Shape{"u": op.Consts(1, 8, 6, 6)}, macs: "576", outputs: "z[1,2,6,6]"},
		{name: "declared/a shape that does not fit", model: unknown(false), shapes: map[string]op.Shape{"z": op.Consts(1, 3, 6, 6)}, err: `shape 1x3x6x6 of "z": does not fit`},
		{name: "declared/a shape for nothing", model: unknown(false), shapes: map[string]op.Shape{"v": op.Consts(1)}, err: `no input "v"`},
		{name: "unsqueeze/axes at run time", model: graphOf(axes, nil, nodesOf(node("u = Unsqueeze(x, ax)"), node("y = Relu(u)")), "y"), flops: "12",
			outputs: "y[unsqueeze_0,unsqueeze_1,unsqueeze_2,unsqueeze_3]", peak: 48 + 16 + 48, silent: "not known"},
		{name: "reshape/shape at run time", model: graphOf(axes, nil, nodesOf(node("u = Reshape(x, ax)"), node("y = Relu(u)")), "y"), flops: "12", silent: "not known"},
		{name: "squeeze/no axes", model: graphOf(inputsOf(tensorInfo("x", onnx.Float32, 3, 1, 5, 1)), constants(emptyVector("ax")), nodesOf(node("y = Squeeze(x, ax)")), "y"), outputs: "y[3,5]"},
	}
}

// invalidCorpus: what ONNX Runtime refuses is refused, and no size is negative.
func invalidCorpus() []corpusCase {
	var all []corpusCase
	add := func(name, finding string, opset int64, shape []any, init []*onnx.Tensor, nodes []*onnx.Node, outs ...string) {
		m := graphOf(inputsOf(tensorInfo("x", onnx.Float32, shape...)), init, nodes, outs...)
		m.Opsets[0].Version = opset
		all = append(all, corpusCase{name: "invalid/" + name, model: m, finding: finding})
	}
	batch := constants(zeroFloats("s", 3), zeroFloats("b", 3), zeroFloats("m", 3), zeroFloats("v", 3))
	body := &onnx.Graph{Name: "body", Inputs: []onnx.ValueInfo{{Name: "a"}}, Nodes: nodesOf(node("o = Relu(a)")), Outputs: outputs("o")}
	add("Split into more than there is", "error n: Split: extent 2 does not split into 4 parts", 18, []any{2, 5}, nil, nodesOf(node("n: a, b, c, d = Split(x)", attrInt("num_outputs", 4))), "a", "d")
	add("Split with an empty last part", "error n: Split:", 18, []any{4, 5}, nil, nodesOf(node("n: a, b, c = Split(x)", attrInt("num_outputs", 3))), "a", "c")
	add("Split of a free size", "error n: Split:", 18, []any{"N", 15}, nil, nodesOf(node("n: a, b, c = Split(x)", attrInt("num_outputs", 3))), "a", "c")
	add("Split that does not add up", "the parts add up to 6, want 10", 18, []any{2, 10}, constants(vectorOf("p", 3, 3)), nodesOf(node("n: a, b = Split(x, p)", attrInt("axis", 1))), "a", "b")
	add("Split with a negative part", "part 1 is -2", 18, []any{2, 10}, constants(vectorOf("p", 12, -2)), nodesOf(node("n: a, b = Split(x, p)", attrInt("axis", 1))), "a", "b")
	add("EyeLike of rank 3", "input 0 has rank 3, want 2", 18, []any{2, 3, 4}, nil, nodesOf(node("n: y = EyeLike(x)")), "y")
	add("Scan axes", "attribute scan_input_axes has 2 entries, want 1", 18, []any{2, 3}, nil,
		nodesOf(node("n: y = Scan(x)", attrGraph("body", body), attrInt("num_scan_inputs", 1), attrInts("scan_input_axes", 0, 1))), "y")
	add("Attention bias", "input 2 has 11 elements, want 12", 18, []any{1, 3, 4}, constants(zeroFloats("w", 4, 12), zeroFloats("b", 11)),
		nodesOf(node("n: y = com.microsoft.Attention(x, w, b)", attrInt("num_heads", 2))), "y")
	add("Einsum ellipsis", "the ellipsis stands for", 18, []any{2, 3, 4, 5}, constants(zeroFloats("w", 3, 5, 6)), nodesOf(node("n: y = Einsum(x, w)", attrText("equation", "...ij,...jk->...ik"))), "y")
	add("Einsum without the ellipsis", "the output has no ellipsis", 18, []any{2, 4, 5}, nil, nodesOf(node("n: y = Einsum(x)", attrText("equation", "...ij->ij"))), "y")
	add("BatchNormalization of inference", "has 3 outputs, want 1", 15, []any{2, 3, 4}, batch, nodesOf(node("n: y, p, q = BatchNormalization(x, s, b, m, v)")), "y", "p")
	add("BatchNormalization of training", "has 1 output, want 3", 15, []any{2, 3, 4}, batch, nodesOf(node("n: y = BatchNormalization(x, s, b, m, v)", attrInt("training_mode", 1))), "y")
	add("BatchNormalization before opset 14", "has 3 outputs, want 5", 9, []any{2, 3, 4}, batch, nodesOf(node("n: y, p, q = BatchNormalization(x, s, b, m, v)")), "y", "p")
	add("Tile by -1", "axis 0 has size -2", 18, []any{2, 2}, constants(vectorOf("r", -1, 1)), nodesOf(node("n: y = Tile(x, r)")), "y")
	add("OneHot of -2", "has size -2", 18, []any{2}, constants(vectorOf("d", -2), zeroFloats("v", 2)), nodesOf(node("i = Cast(x)", attrInt("to", 7)), node("n: y = OneHot(i, d, v)")), "y")
	add("TopK of more than there is", "k is 3, want at most", 18, []any{2, 2}, constants(vectorOf("k", 3)), nodesOf(node("n: y, z = TopK(x, k)")), "y", "z")
	add("DepthToSpace", "axis 1 has size 6, want a multiple of 4", 18, []any{1, 6, 2, 2}, nil, nodesOf(node("n: y = DepthToSpace(x)", attrInt("blocksize", 2))), "y")
	add("SpaceToDepth", "axis 2 has size 3, want a multiple of 2", 18, []any{1, 1, 3, 2}, nil, nodesOf(node("n: y = SpaceToDepth(x)", attrInt("blocksize", 2))), "y")
	add("Slice in steps of 0", "step along axis 0 is 0", 18, []any{3, 5}, constants(vectorOf("s", 0), vectorOf("e", 2), vectorOf("a", 0), vectorOf("t", 0)), nodesOf(node("n: y = Slice(x, s, e, a, t)")), "y")
	return all
}

// experts is a mixture of four experts of 16·8 + 8·16 weights for 12 tokens that choose 2 each; route makes the mask of
// expert e from the choice ti.
func experts(route func(e int) []*onnx.Node, tokens any) *onnx.Model {
	init := constants(zeroFloats("Wr", 16, 4), vectorOf("k", 2), scalarOf("i0", 0), scalarOf("four", 4), vectorOf("last", -1), onnx.NewTensor("onoff", onnx.Int64, []int64{2}, make([]byte, 16)))
	nodes := nodesOf(node("lg = MatMul(x, Wr)"), node("top: tv, ti = TopK(lg, k)"), node("oh = OneHot(ti, four, onoff)"), node("ot = Transpose(oh)", attrInts("perm", 2, 1, 0)))
	for e := range 4 {
		init = append(init, scalarOf(fmt.Sprint("e", e), int64(e)), zeroFloats(fmt.Sprint("U", e), 16, 8), zeroFloats(fmt.Sprint("D", e), 8, 16))
		nodes = append(nodes, route(e)...)
		f := func(text string) string { return fmt.Sprintf(text, e) }
		nodes = append(nodes, node(f("nz%[1]d = NonZero(m%[1]d)")), node(f("tk%[1]d = Gather(nz%[1]d, i0)"), attrInt("axis", 0)), node(f("xe%[1]d = Gather(x, tk%[1]d)"), attrInt("axis", 0)),
			node(f("u%[1]d = MatMul(xe%[1]d, U%[1]d)")), node(f("d%[1]d = MatMul(u%[1]d, D%[1]d)")), node(f("s%[1]d = ReduceSum(d%[1]d, i0)"), attrInt("keepdims", 0)))
	}
	nodes = append(nodes, node("y = Sum(s0, s1, s2, s3)"))
	return graphOf(inputsOf(tensorInfo("x", onnx.Float32, tokens, 16)), init, nodes, "y")
}

// expertCorpus: experts chosen by TopK take tokens·k rows in all.
func expertCorpus() []corpusCase {
	equal := func(e int) []*onnx.Node { return nodesOf(node(fmt.Sprintf("m%[1]d = Equal(ti, e%[1]d)", e))) }
	rows := func(e int) []*onnx.Node {
		return nodesOf(node(fmt.Sprintf("m%[1]d = Gather(ot, e%[1]d)", e), attrInt("axis", 0)))
	}
	some := func(e int) []*onnx.Node {
		if e == 3 {
			return nodesOf(node("m3 = Equal(ti, e0)"))
		}
		return equal(e)
	}
	const routing, row = 12 * 16 * 4, 16*8 + 8*16
	all := fmt.Sprint(routing + 24*row)
	return []corpusCase{
		{name: "experts/Equal", model: experts(equal, 12), macs: all, free: "none", finding: "24 rows in all"},
		{name: "experts/OneHot", model: experts(rows, 12), macs: all, finding: "24 rows in all"},
		{name: "experts/a number that does not divide", model: experts(equal, "n"), dims: map[string]int64{"n": 7}, macs: fmt.Sprint(7*16*4 + 14*row)},
		{name: "experts/each at most", model: experts(equal, 12), dims: map[string]int64{"nonzero*": 24}, macs: fmt.Sprint(routing + 4*24*row)},
		{name: "experts/not all of them", model: experts(some, 12), finding: "4 data-dependent sizes", silent: "rows in all"},
	}
}
