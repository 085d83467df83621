package lower

import (
	"slices"
	"sync"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// The tables of ONNX Runtime's level-2 fusions. Conditions that a pattern cannot say are functions below.

var gemmActivationTable = sync.OnceValue(func() fusions {
	return compileFusions(
		fusion{name: "Gemm + activation (GemmActivationFusion)", op: "ms.FusedGemm", inputs: "a",
			pattern: "Relu|Sigmoid|Tanh|LeakyRelu|Elu|HardSigmoid|Selu|Softplus|Softsign|ThresholdedRelu(Gemm(a))",
			when:    isFloat32, then: keepInner, nodeName: fusedName},
	)
})

var convActivationTable = sync.OnceValue(func() fusions {
	return compileFusions(
		fusion{name: "Conv + activation (ConvActivationFusion)", op: "ms.FusedConv", inputs: "x",
			pattern: "Relu|Sigmoid|Tanh|LeakyRelu|Clip|HardSigmoid(Conv(x))",
			when:    convTakesActivation, then: keepInner, nodeName: func(m *match) string { return m.nodes[1].name }},
	)
})

var geluTable = sync.OnceValue(func() fusions { return geluRows("ms.Gelu") })

// standardGeluTable makes the standard's operator, where the opset has it.
var standardGeluTable = sync.OnceValue(func() fusions { return geluRows("Gelu") })

func geluRows(to string) fusions {
	return compileFusions(
		fusion{name: "Gelu, x/2 first (GeluFusion)", op: to, inputs: "x", when: isReal,
			pattern: "Mul(Mul(x, 0.5), Add(Erf(Div(x, 1.4142135)), 1))"},
		fusion{name: "Gelu, 1/2 last (GeluFusion)", op: to, inputs: "x", when: isReal,
			pattern: "Mul(Mul(x, Add(Erf(Div(x, 1.4142135)), 1)), 0.5)"},
	)
}

// fastGeluTable is Gelu by tanh.
var fastGeluTable = sync.OnceValue(func() fusions {
	row := func(name, inner string) fusion {
		return fusion{name: name, op: "ms.FastGelu", inputs: "x", when: insideFloat32,
			pattern:  "Mul(Mul(x, 0.5), Add(Tanh(" + inner + "), 1))",
			nodeName: func(*match) string { return "GPT2Gelu" }}
	}
	return compileFusions(
		row("Gelu by tanh, cube (FastGeluFusion)", "Mul(Add(x, Mul(Pow(x, 3), 0.044715)), 0.7978845608)"),
		row("Gelu by tanh, square (FastGeluFusion)", "Mul(Mul(x, 0.7978845608), Add(Mul(x, Mul(x, 0.044715)), 1))"),
	)
})

// layerNormTable takes any exponent, as ONNX Runtime does.
var layerNormTable = sync.OnceValue(func() fusions { return layerNormRows("P") })

func layerNormRows(exponent string) fusions {
	row := func(name, difference string) fusion {
		return fusion{name: name, op: "LayerNormalization", inputs: "x g b", when: normalisesLast,
			pattern:  "Add(Mul(Div(d:Sub(x, m:ReduceMean(x)), Sqrt(Add(v:ReduceMean(Pow(" + difference + ", " + exponent + ")), E))), g), b)",
			nodeName: func(m *match) string { return m.nodes[1].name + "/LayerNormFusion/" }}
	}
	return compileFusions(
		row("LayerNormalization (LayerNormFusion)", "d"),
		row("LayerNormalization, difference taken twice (LayerNormFusion)", "Sub(x, m)"),
	)
}

var simplifiedNormTable = sync.OnceValue(func() fusions {
	return compileFusions(
		fusion{name: "RMS normalisation (SimplifiedLayerNormFusion)", op: "SimplifiedLayerNormalization", inputs: "x g", when: normalisesLast,
			pattern:  "Mul(Div(x, Sqrt(Add(v:ReduceMean(Pow(x, 2)), E))), g)",
			nodeName: func(m *match) string { return m.nodes[0].name + "/SimplifiedLayerNormFusion/" }},
	)
})

var biasGeluTable = sync.OnceValue(func() fusions {
	return compileFusions(
		fusion{name: "bias + Gelu (BiasGeluFusion)", op: "ms.BiasGelu", inputs: "x b", when: biasOfLastAxis, pattern: "ms.Gelu|Gelu(Add(x, b))"},
		fusion{name: "bias + FastGelu (BiasGeluFusion)", op: "ms.FastGelu", inputs: "x b", when: biasOfLastAxis, pattern: "ms.FastGelu(Add(x, b))"},
	)
})

var skipNormTable = sync.OnceValue(func() fusions {
	row := func(name, inputs, pattern string) fusion {
		return fusion{name: name, op: "ms.SkipLayerNormalization", inputs: inputs, when: residual, pattern: pattern}
	}
	return compileFusions(
		row("bias + residual + LayerNormalization (SkipLayerNormFusion)", "x r g b C", "LayerNormalization(Add(a:Add(x, C), r), g, b)"),
		row("residual + LayerNormalization (SkipLayerNormFusion)", "x r g b", "LayerNormalization(Add(x, r), g, b)"),
		row("bias + residual + LayerNormalization without shift (SkipLayerNormFusion)", "x r g C", "LayerNormalization(Add(a:Add(x, C), r), g)"),
		row("residual + LayerNormalization without shift (SkipLayerNormFusion)", "x r g", "LayerNormalization(Add(x, r), g)"),
	)
})

var quickGeluTable = sync.OnceValue(func() fusions {
	return compileFusions(
		fusion{name: "x·sigmoid(αx) (QuickGeluFusion)", op: "ms.QuickGelu", inputs: "x", when: scalesByScalar, pattern: "Mul(x, Sigmoid(Mul(x, A)))",
			nodeName: func(m *match) string { return m.nodes[0].name + "/QuickGeluFusion/" }},
		fusion{name: "x·sigmoid(x) (QuickGeluFusion)", op: "ms.QuickGelu", inputs: "x", when: isReal, pattern: "Mul(x, Sigmoid(x))",
			nodeName: func(m *match) string { return m.nodes[0].name + "/QuickGeluFusion/" }},
	)
})

// keepInner completes a fused node that is an operator with something applied to its result: it takes the inputs,
// attributes and kind of the inner operator and notes the outer one.
func keepInner(g *graph, n *gnode, m *match) {
	inner := m.nodes[len(m.nodes)-1]
	for i := len(n.in); i < len(inner.in); i++ {
		g.setInput(n, i, inner.in[i])
	}
	n.Proto, n.Attrs, n.rule, n.origin = inner.Proto, slices.Clone(inner.Attrs), inner.rule, inner.origin
	n.act = m.nodes[0].op
}

func fusedName(m *match) string { return "fused " + m.nodes[len(m.nodes)-1].name }

func isFloat32(_ *graph, _ compiled, m *match) bool {
	return m.nodes[0].out[0].val.DType == onnx.Float32
}

// insideFloat32: the result is no graph output, and of float32. A cube of what a Cast makes has to end in a Cast too.
func insideFloat32(g *graph, c compiled, m *match) bool {
	cube := slices.ContainsFunc(m.nodes, func(n *gnode) bool { return n.is("Pow") })
	from := c.value(m, "x").from
	return !m.nodes[0].out[0].output && isFloat32(g, c, m) && !(cube && from != nil && from.is("Cast"))
}

func isReal(_ *graph, _ compiled, m *match) bool {
	switch m.nodes[0].out[0].val.DType {
	case onnx.Float32, onnx.Float64, onnx.Float16:
		return true
	}
	return false
}

// convTakesActivation: float32 only, and the bounds of a Clip must be constants.
func convTakesActivation(g *graph, c compiled, m *match) bool {
	return clipsByConstants(m.nodes[0]) && isFloat32(g, c, m)
}

// normalisesLast: both means go over the last axis alone, and scale and shift have those axes only. Of the
// full normalisation the runtime does not look at the exponent.
func normalisesLast(g *graph, c compiled, m *match) bool {
	var axes []int64
	for _, n := range m.nodes {
		if !n.is("ReduceMean") {
			continue
		}
		a, ok := axesOf(n, 0) // negative axes stay as written
		if !ok || len(a) != 1 || axes != nil && !slices.Equal(a, axes) {
			return false
		}
		axes = a
	}
	x := c.value(m, "x")
	for i, a := range axes { // -k … -1, or the same counted from the front
		want := int64(i - len(axes))
		if a != want && (g.knownRank(x) < 0 || a != want+int64(len(x.val.Shape))) {
			return false
		}
	}
	scale := c.value(m, "g")
	if g.knownRank(scale) != len(axes) {
		return false
	}
	if i := slices.Index(c.names, "b"); i >= 0 && (g.knownRank(m.values[i]) < 0 || !m.values[i].val.Shape.Equal(scale.val.Shape)) {
		return false
	}
	return isReal(g, c, m)
}

// biasOfLastAxis: one operand has a single axis, as long as the last one of the other.
func biasOfLastAxis(g *graph, c compiled, m *match) bool {
	x, b := c.value(m, "x"), c.value(m, "b")
	if g.knownRank(x) < 1 || g.knownRank(b) < 1 {
		return false
	}
	if len(b.val.Shape) != 1 {
		x, b = b, x
	}
	if len(b.val.Shape) != 1 {
		return false
	}
	m.values[slices.Index(c.names, "x")], m.values[slices.Index(c.names, "b")] = x, b
	last, ok := g.knownDim(x, len(x.val.Shape)-1)
	size, ok2 := g.knownDim(b, 0)
	return ok && ok2 && last == size
}

// residual: both operands of the addition have the same three extents, as numbers or by name, the normalisation goes
// over the last one, and a bias is the second operand of its own addition.
func residual(g *graph, c compiled, m *match) bool {
	x, r := c.value(m, "x"), c.value(m, "r")
	if x.isConst() || r.isConst() || g.knownRank(x) != 3 || g.knownRank(r) != 3 || g.knownRank(c.value(m, "g")) != 1 {
		return false
	}
	if i := slices.Index(c.names, "a"); i >= 0 && m.values[i].from.in[1] != c.value(m, "C") {
		return false
	}
	for i := range 3 {
		if !g.sameDim(x, i, r, i) {
			return false
		}
	}
	return isReal(g, c, m)
}

func scalesByScalar(g *graph, c compiled, m *match) bool {
	_, ok := scalar(c.value(m, "A"))
	return ok && isReal(g, c, m)
}
