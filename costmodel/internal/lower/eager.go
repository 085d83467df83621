package lower

import (
	"cmp"
	"slices"
	"sync"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/op"
	"github.com/onnxcost/onnxcost/costmodel/plan"
)

// An eager framework fuses nothing, but its operators are larger than ONNX's: an exporter writes one Gelu as five nodes,
// a linear layer as two, attention as four. The table puts together what the framework launches as one kernel. The
// reference is PyTorch 2: torch.nn.functional gelu, silu, layer_norm, linear (addmm with the bias in cuBLASLt's epilogue)
// and scaled_dot_product_attention, which never writes the scores to memory.
var eagerTable = sync.OnceValue(func() fusions {
	const erf = "Add(Erf(Div|Mul(x, C)), 1)"
	return compileFusions(
		fusion{name: "gelu, 1/2 last", op: "Gelu", inputs: "x", pattern: "Mul(Mul(x, " + erf + "), 0.5)"},
		fusion{name: "gelu, x/2 first", op: "Gelu", inputs: "x", pattern: "Mul(Mul(x, 0.5), " + erf + ")"},
		fusion{name: "silu", op: "Swish", inputs: "x", pattern: "Mul(x, Sigmoid(x))", then: keepOuter},
		fusion{name: "layer_norm", op: "LayerNormalization", inputs: "x G B",
			pattern: "Add(Mul(Div(d:Sub(x, m:ReduceMean(x)), Sqrt(Add(v:ReduceMean(Pow(d, 2)), E))), G), B)"},
		fusion{name: "linear", op: "MatMul", inputs: "x W B", pattern: "Add(MatMul(x, W), B)", when: biasIsVector, then: keepProduct},
		fusion{name: "attention with a mask", op: "Attention", inputs: "q k v b", then: keepProduct,
			pattern: "MatMul(Softmax(Add(Mul|Div(MatMul(q, k), C), b)), v)"},
		fusion{name: "attention with a mask, scaled before", op: "Attention", inputs: "q k v b", then: keepProduct,
			pattern: "MatMul(Softmax(Add(MatMul(q, k), b)), v)"},
		fusion{name: "attention", op: "Attention", inputs: "q k v", then: keepProduct, pattern: "MatMul(Softmax(Mul|Div(MatMul(q, k), C)), v)"},
		fusion{name: "attention, scaled before", op: "Attention", inputs: "q k v", then: keepProduct, pattern: "MatMul(Softmax(MatMul(q, k)), v)"},
	)
})

// keepOuter gives a fused node the kind of its outermost operator.
func keepOuter(_ *graph, n *gnode, m *match) { n.rule = m.nodes[0].rule }

// keepProduct gives a fused node the kind of the product inside it.
func keepProduct(_ *graph, n *gnode, m *match) {
	for _, x := range m.nodes {
		if x.is("MatMul") {
			n.rule = x.rule
			return
		}
	}
}

// biasIsVector: one number per column, as a linear layer adds it.
func biasIsVector(_ *graph, c compiled, m *match) bool {
	b := c.value(m, "B").val
	return b.Ranked && len(b.Shape) == 1
}

// strided are the operators that a framework with strided tensors does without moving data, unless a reshape of their
// result needs it in order.
var strided = []string{"Transpose", "Split", "Slice", "Expand"}

// lowerFramework makes the kernels of an eager framework with strided tensors, in the order of the file.
func (p lowering) lowerFramework(nodes []*analyzer.Node, outputs []*op.Value, times dim.Dim, depth int) {
	g := newGraph(p.Report, nodes, outputs)
	eagerTable().run(g)
	order := slices.Clone(g.topological())
	at := func(n *gnode) int {
		if n.origin == nil {
			return -1
		}
		return n.origin.Index
	}
	slices.SortStableFunc(order, func(a, b *gnode) int { return cmp.Compare(at(a), at(b)) })
	for _, n := range order {
		if n.origin == nil || n.constant() {
			continue // computed before the first run
		}
		k := newKernel(n.origin, times, depth)
		if len(n.src) > 1 {
			n.kernel(k, times, depth)
		}
		if k.Kind == plan.KindView || k.Kind == plan.KindHost || len(n.src) == 1 && steersOnly(n.origin) || n.viewed() {
			p.Free = append(p.Free, n.origin)
		} else {
			p.Kernels = append(p.Kernels, k)
		}
		for _, b := range n.origin.Bodies {
			if !b.Alternative {
				p.lowerFramework(b.Nodes, b.Outputs, times.Mul(b.Times), depth+1)
			}
		}
	}
}

// constant reports whether all results are known before the first run.
func (n *gnode) constant() bool {
	for _, t := range n.out {
		if t != nil && !t.val.Const {
			return false
		}
	}
	return len(n.out) > 0
}

// viewed reports whether n only renames elements and nobody needs the result in order.
func (n *gnode) viewed() bool {
	if n.domain != "" || !slices.Contains(strided, n.op) || len(n.src) != 1 {
		return false
	}
	for _, t := range n.out {
		if t == nil {
			continue
		}
		for _, u := range t.uses {
			if u.node.is("Reshape") || u.node.is("Flatten") {
				return false
			}
		}
	}
	return true
}
