package analyzer_test

import (
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// choosing is an If between two graphs behind x [1, T, 8] and a condition that cond makes, out of sr, T and constants.
func choosing(cond []*onnx.Node, then, other *onnx.Graph, after ...*onnx.Node) *onnx.Model {
	nodes := append(nodesOf(node("s = Shape(x)"), node("T = Gather(s, one)", attrInt("axis", 0))), cond...)
	nodes = append(nodes, node("if: y = If(c)", attrGraph("then_branch", then), attrGraph("else_branch", other)))
	return graphOf(inputsOf(tensorInfo("x", onnx.Float32, 1, "T", 8), tensorInfo("sr", onnx.Int64)),
		constants(scalarOf("one", 1), scalarOf("rate", 16000), vectorOf("axis1", 1), vectorOf("axis0", 0), zeroFloats("w2", 8, 4)), append(nodes, after...), "z")
}

// product is a branch of one product with n columns.
func product(name string, columns int64) *onnx.Graph {
	return &onnx.Graph{Name: name, Initializers: constants(zeroFloats("w_"+name, 8, columns)),
		Nodes: nodesOf(node("p_" + name + " = MatMul(x, w_" + name + ")")), Outputs: outputs("p_" + name)}
}

// branchCorpus: of branches that nobody decided the costlier one counts, the weights of both are resident, and a note says
// what decides.
func branchCorpus() []corpusCase {
	data := nodesOf(node("c = Equal(sr, rate)"))
	relu := node("z = Relu(y)")
	one := nodesOf(node("c = Equal(T, one)"))
	squeeze := &onnx.Graph{Name: "squeeze", Nodes: nodesOf(node("q = Squeeze(x, axis1)")), Outputs: outputs("q")}
	keep := &onnx.Graph{Name: "keep", Nodes: nodesOf(node("k = Identity(x)")), Outputs: outputs("k")}
	declared := choosing(data, squeeze, keep, node("z = Identity(y)"))
	declared.Graph.ValueInfo = []onnx.ValueInfo{tensorInfo("y", onnx.Float32, 1, 8)}
	deep := &onnx.Graph{Name: "deep", Initializers: constants(zeroFloats("w_d", 8, 8)),
		Nodes: nodesOf(node("d1 = MatMul(x, w_d)"), node("d2 = MatMul(d1, w_d)"), node("d3 = ReduceSum(d2, axis1)", attrInt("keepdims", 1)),
			node("d4 = Expand(d3, s)")), Outputs: outputs("d4")}
	return []corpusCase{
		{name: "if/two networks", model: choosing(data, product("a", 8), product("b", 8), relu), dims: map[string]int64{"T": 5},
			macs: "320", params: "128", finding: `input "sr" decides this If`, outputs: "z[1,5,8]"},
		{name: "if/the costlier second", model: choosing(data, product("a", 4), product("b", 100), relu), dims: map[string]int64{"T": 5},
			macs: "4000", params: "832", finding: "the costlier branch, else_branch", outputs: "z[1,5,if_0_2]"},
		{name: "if/the peak at the bound", model: choosing(data, product("a", 10), product("b", 100), relu), dims: map[string]int64{"T": 5},
			// y and z at their bound of 100 columns
			peak: 4*5*100 + 4*5*100, free: "none"},
		{name: "if/the peak of the cheaper branch", model: choosing(data, deep, &onnx.Graph{Name: "cheap",
			Nodes:   nodesOf(node("t1 = Concat(x, x, x, x)", attrInt("axis", 2)), node("t2 = ReduceMax(t1)", attrInts("axes", 2), attrInt("keepdims", 1)), node("t3 = Expand(t2, s)")),
			Outputs: outputs("t3")}, relu), dims: map[string]int64{"T": 5},
			// x 160, y 160, s 24, c 1; t1 640 and t2 20
			peak: 160 + 160 + 24 + 1 + 640 + 20},
		{name: "if/a dimension decides", model: choosing(one, squeeze, keep, relu), outputs: "z[1,T,8]", flops: "8*T + 1",
			finding: "dimension T decides this If", silent: "not known"},
		{name: "if/a dimension has decided", model: choosing(one, squeeze, keep, relu), dims: map[string]int64{"T": 1}, outputs: "z[1,8]", silent: "decides"},
		{name: "if/a dimension has decided otherwise", model: choosing(one, squeeze, keep, relu), dims: map[string]int64{"T": 3}, outputs: "z[1,3,8]", silent: "decides"},
		{name: "if/what follows decides", model: choosing(one, squeeze, keep, node("u = Gemm(y, w2)"), node("z = Relu(u)")), outputs: "z[1,4]", macs: "32",
			finding: "float32[1,8], then_branch", silent: "error"},
		{name: "if/ranks differ, declared", model: declared, outputs: "z[1,8]", finding: "float32[1,8], then_branch"},
	}
}

// requirementCorpus: what inference assumed to be equal is kept, checked and solved.
func requirementCorpus() []corpusCase {
	window := attrInts("kernel_shape", 2, 2)
	unet := func() *onnx.Model {
		return graphOf(inputsOf(tensorInfo("x", onnx.Float32, "N", 3, "H", "W")), constants(onnx.NewTensor("sc", onnx.Float32, []int64{4},
			[]byte{0, 0, 128, 63, 0, 0, 128, 63, 0, 0, 0, 64, 0, 0, 0, 64})),
			nodesOf(node("p1 = MaxPool(x)", window, attrInts("strides", 2, 2)), node("p2 = MaxPool(p1)", window, attrInts("strides", 2, 2)),
				node("u2 = Resize(p2, , sc)"), node("k2: k2 = Concat(u2, p1)", attrInt("axis", 1)), node("u1 = Resize(k2, , sc)"), node("k1: y = Concat(u1, x)", attrInt("axis", 1))), "y")
	}
	add := func(op string) *onnx.Model {
		return graphOf(inputsOf(tensorInfo("a", onnx.Float32, 2, "A", 8), tensorInfo("b", onnx.Float32, 2, "B", 8)), nil, nodesOf(node("n: y = "+op)), "y")
	}
	cache := graphOf(inputsOf(tensorInfo("q", onnx.Float32, 1, "seq", 64), tensorInfo("k", onnx.Float32, 1, "seq", 32), tensorInfo("v", onnx.Float32, 1, "seq", 32),
		tensorInfo("pk", onnx.Float32, 1, 2, "past", 16), tensorInfo("pv", onnx.Float32, 1, 2, "past", 16), tensorInfo("mask", onnx.Int64, 1, "total")),
		constants(scalarOf("one", 1), vectorOf("lens", 1)),
		nodesOf(node("ms = Shape(mask)"), node("tl = Gather(ms, one)", attrInt("axis", 0)), node("t32 = Cast(tl)", attrInt("to", 6)), node("l32 = Cast(lens)", attrInt("to", 6)),
			node("gqa: y, nk, nv = com.microsoft.GroupQueryAttention(q, k, v, pk, pv, l32, t32)", attrInt("num_heads", 4), attrInt("kv_num_heads", 2))), "y", "nk")
	baked := graphOf(inputsOf(tensorInfo("x", onnx.Float32, "batch", 4, 6)), constants(vectorOf("to", 1, 24)), nodesOf(node("r: y = Reshape(x, to)")), "y")
	known := graphOf(inputsOf(tensorInfo("x", onnx.Float32, 2, "D")), constants(zeroFloats("w", 16, 4)), nodesOf(node("mm: y = MatMul(x, w)")), "y")
	conv := graphOf(inputsOf(tensorInfo("x", onnx.Float32, 1, "C", "H", 20)), constants(zeroFloats("w", 4, 8, 7, 7)), nodesOf(node("cv: y = Conv(x, w)")), "y")
	return []corpusCase{
		{name: "requires/U-Net", model: unet(), finding: "H divisible by 4; W divisible by 4"},
		{name: "requires/U-Net, fits", model: unet(), dims: map[string]int64{"H": 32, "W": 8}, outputs: "y[1,9,32,8]", silent: "needs"},
		{name: "requires/U-Net, does not fit", model: unet(), dims: map[string]int64{"H": 510, "W": 512}, finding: "error k2: Concat: input 1: axis 2: extent 255, want 254"},
		{name: "requires/Add of two names", model: add("Add(a, b)"), finding: "A = B, or 1 for either"},
		{name: "requires/Add does not fit", model: add("Add(a, b)"), dims: map[string]int64{"A": 4, "B": 3}, finding: "error n: Add:"},
		{name: "requires/Add broadcasts", model: add("Add(a, b)"), dims: map[string]int64{"A": 4, "B": 1}, outputs: "y[2,4,8]", silent: "error"},
		{name: "requires/GroupQueryAttention", model: cache, free: "past seq", finding: "total = past + seq"},
		{name: "requires/GroupQueryAttention, bound", model: cache, dims: map[string]int64{"past": 3, "seq": 2}, outputs: "y[1,2,64] nk[1,2,5,16]"},
		{name: "requires/GroupQueryAttention, solved for the past", model: cache, dims: map[string]int64{"total": 9, "seq": 2}, outputs: "y[1,2,64] nk[1,2,9,16]"},
		{name: "requires/a batch in a Reshape", model: baked, outputs: "y[1,24]", finding: "batch = 1"},
		{name: "requires/another batch", model: baked, dims: map[string]int64{"batch": 8}, finding: "error r: Reshape: 192 elements do not fit"},
		{name: "requires/weights give a size", model: known, macs: "128", free: "none"},
		{name: "requires/weights refuse a size", model: known, dims: map[string]int64{"D": 8}, finding: "error mm: MatMul:"},
		{name: "requires/a size would be negative", model: conv, dims: map[string]int64{"H": 3}, finding: "error cv: Conv:"},
		{name: "requires/channels", model: conv, dims: map[string]int64{"H": 9}, outputs: "y[1,4,3,14]", macs: "65856"},
	}
}
