package lower

import (
	"maps"
	"slices"
	"sync"

	"github.com/onnxcost/onnxcost/analyzer/op"
	"github.com/onnxcost/onnxcost/costmodel/plan"
)

// ortCUDALevels are the transformers of ONNX Runtime that apply to its CUDA provider: those of the CPU provider, less
// activations fused into Gemm and Conv and less the packed layout, which are for the CPU only. (The provider sets of
// graph_transformer_utils.cc, release 1.30.)
var ortCUDALevels = sync.OnceValue(func() []level {
	cpuOnly := []string{"GemmActivationFusion", "ConvActivationFusion"}
	all := ortLevels()
	second := slices.DeleteFunc(slices.Clone(all[1]), func(p pass) bool { return slices.Contains(cpuOnly, p.name) })
	return []level{all[0], second}
})

// tensorRTLevels are the fusions that NVIDIA documents for TensorRT (Developer Guide, "Optimizing TensorRT
// Performance": layer fusion, types of fusions, pointwise fusion; and the paragraphs on eliminated layers). What the
// builder does beyond that depends on timing on the device and is not modelled: formats and their reformat layers,
// horizontal fusion of convolutions of one input, and operators of the Myelin compiler larger than those here.
var tensorRTLevels = sync.OnceValue(func() []level {
	rules := ruleTable(eliminations, gemmRules, convFolds, map[string][]rewriteRule{
		"Pad": {padFusion}, "ConvTranspose": {foldConvAdd, foldConvMul, foldConvBatchNorm}})
	qdq := []string{"DequantizeLinear"}
	table := func(name string, t fusions) pass { return pass{name, t.anchors(), t.run} }
	return []level{
		{
			{"eliminated layers, Conv + BN + scale", slices.Collect(maps.Keys(rules)), rules.run},
			{"duplicates", nil, mergeDuplicates},
			{"constants", nil, foldConstants},
			{"shuffles", []string{"Transpose"}, joinTransposes},
			{"Q and DQ", qdq, removeDoubleQDQ},
			{"Q and DQ over moved data", qdq, propagateQDQ},
			{"a DQ for each reader", qdq, uniqueDQ},
		},
		{
			table("LayerNormalization", layerNormRows("2")),
			table("RMS normalisation", simplifiedNormTable()),
			table("GELU, SiLU, hard swish", tensorRTActivations()),
			table("multi-head attention", attentionTable()),
			{"Conv, Gemm, MatMul + bias + sum + activation", nil, fuseEpilogues},
			{"pointwise", nil, fusePointwise},
			{"quantised layers", qdq, fuseQuantizedLayers},
			{"shuffles", []string{"Transpose"}, fuseShuffles},
			{"concatenations", []string{"Concat"}, eliminateConcat},
		},
	}
})

var tensorRTActivations = sync.OnceValue(func() fusions {
	const erf = "Add(Erf(Div|Mul(x, C)), 1)"
	return compileFusions(
		fusion{name: "GELU with erf, 1/2 last", op: "Gelu", inputs: "x", pattern: "Mul(Mul(x, " + erf + "), 0.5)"},
		fusion{name: "GELU with erf, x/2 first", op: "Gelu", inputs: "x", pattern: "Mul(Mul(x, 0.5), " + erf + ")"},
		fusion{name: "GELU with tanh, 1/2 last", op: "Gelu", inputs: "x",
			pattern: "Mul(Mul(x, Add(Tanh(Mul(Add(x, Mul(Pow(x, 3), 0.044715)), 0.7978846)), 1)), 0.5)"},
		fusion{name: "GELU with tanh, x/2 first", op: "Gelu", inputs: "x",
			pattern: "Mul(Mul(x, 0.5), Add(Tanh(Mul(Add(x, Mul(Pow(x, 3), 0.044715)), 0.7978846)), 1))"},
		fusion{name: "quick GELU", op: "Swish", inputs: "x", pattern: "Mul(x, Sigmoid(Mul(x, A)))"},
		fusion{name: "SiLU", op: "Swish", inputs: "x", pattern: "Mul(x, Sigmoid(x))"},
		fusion{name: "hard swish", op: "HardSwish", inputs: "x", pattern: "Mul(x, HardSigmoid(x))"},
	)
})

// attentionTable is scaled dot-product attention as exporters write it, with the scale before or after the first
// product, with and without a mask.
var attentionTable = sync.OnceValue(func() fusions {
	row := func(name, inputs, pattern string) fusion {
		return fusion{name: name, op: "Attention", inputs: inputs, pattern: pattern, then: keepProduct}
	}
	return compileFusions(
		row("attention with a mask", "q k v b", "MatMul(Softmax(Add(Mul|Div(MatMul(q, k), C), b)), v)"),
		row("attention with a mask, scaled before", "q k v b", "MatMul(Softmax(Add(MatMul(q, k), b)), v)"),
		row("attention", "q k v", "MatMul(Softmax(Mul|Div(MatMul(q, k), C)), v)"),
		row("attention, scaled before", "q k v", "MatMul(Softmax(MatMul(q, k)), v)"),
	)
})

// contracts reports whether n is a product that can apply something to its result.
func (n *gnode) contracts() bool {
	return n.domain == "" && slices.Contains([]string{"Conv", "ConvTranspose", "Gemm", "MatMul"}, n.op)
}

// pointwise reports whether n computes each element of its results from those at the same place.
func (n *gnode) pointwise() bool {
	if n.is("BatchNormalization") { // a scale and a shift per channel
		return plainBatchNorm(n)
	}
	return n.rule != nil && n.rule.Class == op.Elementwise && len(n.captured) == 0
}

// fuseEpilogues lets a product take over the element-wise nodes behind it: a bias, one tensor to add, an activation.
func fuseEpilogues(g *graph) bool {
	changed := false
	for _, n := range g.topological() {
		if n.dead || !n.contracts() {
			continue
		}
		for {
			next := n.next()
			if next == nil || n.out[0].output || !next.pointwise() || !g.takesEpilogue(n, next) {
				break
			}
			changed = true
		}
	}
	return changed
}

// takesEpilogue absorbs next into n where n still can: constants before the activation, one other tensor, one
// activation.
func (g *graph) takesEpilogue(n, next *gnode) bool {
	if n.act != "" || !sameSize(next.out[0], n.out[0]) {
		return false
	}
	var other *tensor
	for i, t := range next.in {
		if t == nil || t == n.out[0] || next.rule.IsHost(i) {
			continue
		}
		if other != nil {
			return false
		}
		other = t
	}
	switch {
	case next.is("BatchNormalization"):
		return false
	case other == nil, next.is("Clip"):
		n.act = next.op
	case other.isConst():
	case next.is("Add", "Sum") && !n.sum && sameSize(other, n.out[0]) && g.before(other, n):
		n.sum = true
	default:
		return false
	}
	if other != nil {
		g.setInput(n, len(n.in), other)
	}
	n.name = joinNames(n.name, " + ", next.name)
	g.absorb(n, next)
	g.handOver(next, 0, n, 0)
	g.remove(next)
	return true
}

func sameSize(a, b *tensor) bool {
	return a.val.Ranked && b.val.Ranked && a.val.Shape.Equal(b.val.Shape)
}

// before reports whether t does not depend on n, so that n can read it.
func (g *graph) before(t *tensor, n *gnode) bool {
	g.stamp++
	stack := []*tensor{t}
	for len(stack) > 0 {
		t := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if t == nil || t.from == nil || t.from.mark == g.stamp || t.from.index < n.index && n.index < g.fileNodes {
			continue // nodes of the file are in topological order
		}
		if t.from == n {
			return false
		}
		t.from.mark = g.stamp
		stack = append(stack, t.from.in...)
		stack = append(stack, t.from.captured...)
	}
	return true
}

// fuseQuantizedLayers makes a layer of integers of one whose operands have a DQ each: a product whatever its result is,
// other layers where a Q follows. (Developer Guide, "Q/DQ Layer-Placement Recommendations".)
func fuseQuantizedLayers(g *graph) bool {
	changed := false
	for _, n := range g.topological() {
		if n.dead || n.domain != "" || n.quantizes() || n.dequantizes() || len(n.in) == 0 || len(n.out) == 0 || n.out[0] == nil {
			continue
		}
		u := unitOf(n)
		switch {
		case u.in[0] == nil:
		case slices.Contains(moveOnly, n.op):
			changed = u.out != nil && g.sameParams(u.in[0], u.out) && u.in[0].scalarParams() && g.dropUnit(u) || changed
		case n.contracts():
			changed = u.in[1] != nil && g.integer(u, n.op, "", len(u.in)) || changed
		case u.out != nil && u.covered() && (n.pointwise() || n.is("Concat", "AveragePool", "GlobalAveragePool")):
			changed = g.integer(u, n.op, "", len(u.in)) || changed
		}
	}
	return changed
}

// covered reports whether every operand that is no constant has a DQ.
func (u unit) covered() bool {
	for i, t := range u.node.in {
		if t != nil && u.in[i] == nil && !t.isConst() {
			return false
		}
	}
	return true
}

// fusePointwise joins element-wise nodes: one whose result only another reads becomes part of that one.
func fusePointwise(g *graph) bool {
	changed := false
	for _, n := range g.topological() {
		if n.dead || !n.pointwise() || n.out[0].output {
			continue
		}
		var next *gnode
		for _, u := range n.out[0].uses {
			if u.arg < 0 || next != nil && u.node != next {
				next = nil
				break
			}
			next = u.node
		}
		if next == nil || !next.pointwise() || len(n.out) > 1 || len(n.in)+len(next.in) > maxPointwise {
			continue
		}
		var in []*tensor
		for _, t := range append(slices.Clone(n.in), next.in...) {
			if t != nil && t != n.out[0] && !slices.Contains(in, t) {
				in = append(in, t)
			}
		}
		for i := range next.in {
			g.setInput(next, i, nil)
		}
		next.in = nil
		for i, t := range in {
			g.setInput(next, i, t)
		}
		name := next.name
		if inside, ok := insidePWN(name); ok {
			name = inside
		}
		if name = joinNames(n.name, ", ", name); len(name) <= maxName {
			name = "PWN(" + name + ")"
		}
		next.name = name
		g.absorb(next, n)
		next.rule = withoutHosts(next.rule)
		g.remove(n)
		changed = true
	}
	return changed
}

// maxPointwise is the number of tensors up to which element-wise nodes are joined: a kernel's parameters are at most 4096
// bytes (CUDA C++ Programming Guide, function parameters), a tensor among them takes a pointer and its strides.
const maxPointwise = 64

// maxName is the length in bytes from which on the name of a joined node takes no further ones in.
const maxName = 1024

// joinNames is the name of two nodes that became one.
func joinNames(a, separator, b string) string {
	if len(a) > maxName || len(b) > maxName {
		if len(a) > len(b) {
			return a
		}
		return b
	}
	return a + separator + b
}

// insidePWN returns what the name of a pointwise kernel holds.
func insidePWN(name string) (string, bool) {
	if len(name) > 5 && name[:4] == "PWN(" {
		return name[4 : len(name)-1], true
	}
	return "", false
}

// withoutHosts is a rule whose inputs are all operands: the inputs of a joined node are no single operator's.
func withoutHosts(r *op.Rule) *op.Rule {
	if r == nil || r.HostInputs == 0 {
		return r
	}
	c := *r
	c.HostInputs = 0
	return &c
}

// joinTransposes makes one of two transpositions in a row.
func joinTransposes(g *graph) bool {
	changed := false
	for _, n := range g.topological() {
		above := n.producer(0)
		p, q := transposePerm(above), transposePerm(n)
		if n.dead || p == nil || len(q) != len(p) {
			continue
		}
		t := &transposer{graph: g}
		(&push{transposer: t, above: above, node: n, perm: p, inverse: p.inverse()}).join(q)
		changed = true
	}
	return changed
}

// fuseShuffles joins transpositions with the reshapes around them: one copy does all.
func fuseShuffles(g *graph) bool {
	changed := false
	for _, n := range g.topological() {
		if n.dead || !n.is("Transpose") {
			continue
		}
		for {
			next := n.next()
			if next == nil || n.out[0].output || !next.is("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose") || next.in[0] != n.out[0] {
				break
			}
			n.name = joinNames(n.name, " + ", next.name)
			g.absorb(n, next)
			g.handOver(next, 0, n, 0)
			g.remove(next)
			changed = true
		}
	}
	return changed
}

// eliminateConcat lets the producers of a concatenation's operands write to their place in its result, where each
// operand has a producer and no other reader.
func eliminateConcat(g *graph) bool {
	for _, n := range g.topological() {
		if !n.dead && n.is("Concat") && !n.out[0].output && !slices.ContainsFunc(n.in, func(t *tensor) bool {
			return t == nil || t.from == nil || t.output || len(t.uses) != 1
		}) {
			n.inPlace = true
		}
	}
	return false
}

// onGPU reports whether n launches something: views, tensors written in place and shape arithmetic do not.
func (n *gnode) onGPU() bool {
	switch n.kind() {
	case plan.KindView, plan.KindHost:
		return false
	}
	return !n.inPlace && (n.origin == nil || len(n.src) != 1 || !steersOnly(n.origin))
}
