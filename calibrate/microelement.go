package calibrate

import (
	"math"
	"slices"
	"strings"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// elementKeys are the extents of a feature map and the length of the chain.
var elementKeys = []string{"c", "h", "w", "depth"}

// elementDraw proposes feature maps from a thousand elements to four million: within each cache and beyond.
func elementDraw(d *draw) []int64 {
	return append(featureMap(d.size(1000, 3_000_000), d.log(4, 1024)), d.pick(2, 3, 4))
}

// featureMap has about so many elements, in at most c channels of a dozen or more.
func featureMap(e, c int64) []int64 {
	c = max(1, min(e/12, c))
	hw := max(1, e/c)
	h := max(1, int64(math.Sqrt(float64(hw))))
	return []int64{c, h, max(1, hw/h)}
}

func elementFits(p micros) bool {
	if !p.within(1<<21, "c", "h", "w") {
		return false
	}
	return p["c"]*p["h"] <= 1<<22 && p["c"]*p["h"]*p["w"] <= 1<<22
}

// unaryClass is a chain of one operator on feature maps.
func unaryClass(op string, attrs ...onnx.Attribute) microClass {
	return elementClass(strings.ToLower(op), func(m *micro, x arg) arg { return m.unary(op, x, attrs...) })
}

// elementClass is a chain of a form that keeps the shape.
func elementClass(name string, form func(m *micro, x arg) arg) microClass {
	return microClass{
		name: name, keys: elementKeys, count: 5, draw: elementDraw, fits: elementFits,
		build: func(m *micro, p micros) *onnx.Model {
			x := m.input(1, p["c"], p["h"], p["w"])
			for range p["depth"] {
				x = form(m, x)
			}
			return m.model(x)
		},
	}
}

// binaryClass is a chain of an operator with two operands: the same shape (mode 0), one value per channel (1), a literal
// (2), a row of the last axis (3).
func binaryClass(op string, count int) microClass {
	return microClass{
		name: strings.ToLower(op), keys: append(slices.Clone(elementKeys), "mode"), count: count,
		draw: func(d *draw) []int64 { return append(elementDraw(d), d.turn(0, 1, 2, 0, 1, 3)) },
		fits: func(p micros) bool { return elementFits(p) && p["mode"] <= 3 },
		build: func(m *micro, p micros) *onnx.Model {
			x := m.input(1, p["c"], p["h"], p["w"])
			var y arg
			switch p["mode"] {
			case 0:
				y = m.input(x.dims...)
			case 1:
				y = m.input(1, p["c"], 1, 1)
			case 2:
				y = m.scalar(0.75)
			case 3:
				y = m.positive(p["w"])
			}
			for range p["depth"] {
				x = m.op(op, x.dims, []arg{x, y})
			}
			return m.model(x)
		},
	}
}

// rowKeys are a matrix: operators that work along the last axis.
var rowKeys = []string{"rows", "cols", "depth"}

func rowDraw(d *draw) []int64 {
	cols := d.log(16, 3000)
	return []int64{max(1, d.size(2000, 2_000_000)/cols), cols, d.pick(1, 2, 3)}
}

func rowFits(p micros) bool {
	return p["rows"] >= 1 && p["cols"] >= 2 && p["rows"] <= 1<<20 && p["cols"] <= 1<<16 && p["rows"]*p["cols"] <= 1<<22
}

func rowClass(name string, count int, form func(m *micro, x arg) arg) microClass {
	return microClass{
		name: name, keys: rowKeys, count: count, draw: rowDraw, fits: rowFits,
		build: func(m *micro, p micros) *onnx.Model {
			x := m.input(1, p["rows"], p["cols"])
			for range p["depth"] {
				x = form(m, x)
			}
			return m.model(x)
		},
	}
}

// elementClasses are what costs per element: activations, arithmetic, the forms that exporters take apart and the
// runtime puts together again, and normalisations.
var elementClasses = []microClass{
	unaryClass("Relu"), unaryClass("Sigmoid"), unaryClass("Tanh"), unaryClass("Erf"), unaryClass("Sqrt"), unaryClass("HardSigmoid"),
	unaryClass("HardSwish"), unaryClass("LeakyRelu"), unaryClass("Elu"), unaryClass("Softplus"), unaryClass("Neg"), unaryClass("Abs"),
	elementClass("exp", func(m *micro, x arg) arg { return m.unary("Exp", m.unary("Neg", x)) }),
	elementClass("log", func(m *micro, x arg) arg { return m.unary("Log", m.op("Add", x.dims, []arg{x, m.scalar(1.5)})) }),
	elementClass("clip", func(m *micro, x arg) arg {
		return m.op("Clip", x.dims, []arg{m.unary("Neg", x), m.scalar(-3), m.scalar(3)})
	}),
	preluClass,
	elementClass("cast", func(m *micro, x arg) arg {
		return m.unary("Cast", m.unary("Cast", x, attrInt("to", int64(onnx.Int32))), attrInt("to", int64(onnx.Float32)))
	}),
	elementClass("where", func(m *micro, x arg) arg {
		return m.op("Where", x.dims, []arg{m.op("Greater", x.dims, []arg{x, m.scalar(0.5)}), x, m.scalar(0.25)})
	}),
	elementClass("silu", func(m *micro, x arg) arg { return m.op("Mul", x.dims, []arg{x, m.unary("Sigmoid", x)}) }),
	elementClass("gelu", gelu),
	binaryClass("Add", 14), binaryClass("Mul", 14), binaryClass("Sub", 8), binaryClass("Div", 8), binaryClass("Pow", 6), binaryClass("Max", 6),
	rowClass("softmax", 7, func(m *micro, x arg) arg { return m.unary("Softmax", x, attrInt("axis", -1)) }),
	rowClass("layernorm", 6, func(m *micro, x arg) arg {
		n := x.dims[2]
		return m.op("LayerNormalization", x.dims, []arg{x, m.positive(n), m.weight(1, n)}, attrInt("axis", -1))
	}),
	rowClass("layernormparts", 6, layerNormParts),
	rowClass("addlayernorm", 5, func(m *micro, x arg) arg {
		n := x.dims[2]
		s := m.op("Add", x.dims, []arg{x, m.unary("Neg", x)})
		return m.op("LayerNormalization", x.dims, []arg{s, m.positive(n), m.weight(1, n)}, attrInt("axis", -1))
	}),
	rowClass("biasgelu", 5, func(m *micro, x arg) arg {
		return gelu(m, m.op("Add", x.dims, []arg{x, m.weight(1, x.dims[2])}))
	}),
	elementClass("batchnorm", func(m *micro, x arg) arg {
		c := x.dims[1]
		return m.op("BatchNormalization", x.dims, []arg{x, m.positive(c), m.weight(1, c), m.weight(1, c), m.positive(c)})
	}),
	elementClass("instancenorm", func(m *micro, x arg) arg {
		c := x.dims[1]
		return m.op("InstanceNormalization", x.dims, []arg{x, m.positive(c), m.weight(1, c)})
	}),
	elementClass("lrn", func(m *micro, x arg) arg { return m.unary("LRN", x, attrInt("size", 5)) }),
}

// preluClass is a chain of four: the runtime branches at every number, and how well the processor foresees that depends on
// the data. Of the first four in ten are negative, of the second eight, of the others all; on the average that is like
// channels of a network, most of which lean to one side.
var preluClass = func() microClass {
	c := elementClass("prelu", func(m *micro, x arg) arg {
		return m.op("PRelu", x.dims, []arg{m.op("Sub", x.dims, []arg{x, m.scalar(0.4)}), m.positive(x.dims[1], 1, 1)})
	})
	c.draw = func(d *draw) []int64 { return append(elementDraw(d)[:3], 4) }
	return c
}()

// gelu is x/2·(1+erf(x/√2)) as exporters write it.
func gelu(m *micro, x arg) arg {
	e := m.unary("Erf", m.op("Div", x.dims, []arg{x, m.scalar(math.Sqrt2)}))
	y := m.op("Mul", x.dims, []arg{x, m.op("Add", x.dims, []arg{e, m.scalar(1)})})
	return m.op("Mul", x.dims, []arg{y, m.scalar(0.5)})
}

// layerNormParts is a layer normalisation taken apart, as exporters before opset 17 write it.
func layerNormParts(m *micro, x arg) arg {
	n := x.dims[2]
	row := []int64{x.dims[0], x.dims[1], 1}
	mean := m.op("ReduceMean", row, []arg{x}, attrInts("axes", -1), attrInt("keepdims", 1))
	diff := m.op("Sub", x.dims, []arg{x, mean})
	square := m.op("Pow", x.dims, []arg{diff, m.scalar(2)})
	variance := m.op("ReduceMean", row, []arg{square}, attrInts("axes", -1), attrInt("keepdims", 1))
	deviation := m.unary("Sqrt", m.op("Add", row, []arg{variance, m.scalar(1e-5)}))
	y := m.op("Mul", x.dims, []arg{m.op("Div", x.dims, []arg{diff, deviation}), m.positive(n)})
	return m.op("Add", x.dims, []arg{y, m.weight(1, n)})
}
