package calibrate

import (
	"slices"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// poolClass slides a window over feature maps: plain ones, or blocked ones as a convolution leaves them.
func poolClass(name, op string) microClass {
	return poolClassOf(name, op, 8, func(d *draw) []int64 {
		h := d.log(7, 112)
		return []int64{d.channels(16, 512), h, h, d.pick(2, 3, 3, 5), d.pick(1, 2, 2), d.pick(0, 1, 1)}
	})
}

// plainPoolClass has few channels, in the plain layout.
func plainPoolClass(name, op string) microClass {
	return poolClassOf(name, op, 6, func(d *draw) []int64 {
		h := d.log(5, 112)
		return []int64{d.log(3, 256), h, h, d.pick(2, 2, 3), d.pick(1, 2, 2), 0}
	})
}

func poolClassOf(name, op string, count int, draw func(d *draw) []int64) microClass {
	return microClass{
		name: name, keys: []string{"c", "h", "w", "k", "s", "blocked"}, count: count, draw: draw,
		fits: func(p micros) bool {
			return elementFits(p) && p["k"] >= 1 && p["k"] <= 16 && p["s"] >= 1 && p["s"] <= 8 && p["h"] >= p["k"] && p["w"] >= p["k"] &&
				p["c"]*p["h"]*p["w"] <= 1<<21
		},
		build: func(m *micro, p micros) *onnx.Model {
			x := m.poolInput(p)
			pad := (p["k"] - 1) / 2
			out := func(in int64) int64 { return (in+2*pad-p["k"])/p["s"] + 1 }
			y := m.op(op, []int64{1, p["c"], out(p["h"]), out(p["w"])}, []arg{x}, attrInts("kernel_shape", p["k"], p["k"]),
				attrInts("strides", p["s"], p["s"]), attrInts("pads", pad, pad, pad, pad))
			return m.model(m.pooled(y))
		},
	}
}

// poolInput is a feature map, blocked where p asks for it: then a thin convolution makes it.
func (m *micro) poolInput(p micros) arg {
	if p["blocked"] == 0 {
		return m.input(1, p["c"], p["h"], p["w"])
	}
	one := micros{"kh": 1, "kw": 1, "s": 1, "dil": 1, "g": 1}
	return m.conv(m.input(1, 16, p["h"], p["w"]), p["c"], one)
}

// reduceClass reduces the inner or the outer axes.
func reduceClass(name, op string) microClass {
	return microClass{
		name: name, keys: []string{"rows", "cols", "inner"}, count: 6,
		draw: func(d *draw) []int64 {
			cols := d.log(16, 4000)
			return []int64{max(2, d.size(3000, 2_000_000)/cols), cols, d.turn(0, 1, 1)}
		},
		fits: rowFits,
		build: func(m *micro, p micros) *onnx.Model {
			x := m.input(1, p["rows"], p["cols"])
			axis, dims := int64(1), []int64{1, 1, p["cols"]}
			if p["inner"] == 1 {
				axis, dims = 2, []int64{1, p["rows"], 1}
			}
			if op == "ReduceSum" { // its axes are an input since opset 13
				return m.model(m.op(op, dims, []arg{x, m.ints(axis)}, attrInt("keepdims", 1)))
			}
			return m.model(m.op(op, dims, []arg{x}, attrInts("axes", axis), attrInt("keepdims", 1)))
		},
	}
}

// windowClasses slide windows and reduce.
var windowClasses = []microClass{
	poolClass("maxpool", "MaxPool"), poolClass("averagepool", "AveragePool"),
	{
		name: "globalpool", keys: []string{"c", "h", "w", "blocked"}, count: 6,
		draw: func(d *draw) []int64 {
			h := d.log(3, 60)
			return []int64{d.channels(16, 1024), h, h, d.pick(0, 0, 1)}
		},
		fits:  elementFits,
		build: func(m *micro, p micros) *onnx.Model { return m.model(m.pooled(m.poolInput(p))) },
	},
	reduceClass("reducemean", "ReduceMean"), reduceClass("reducesum", "ReduceSum"), reduceClass("reducemax", "ReduceMax"),
	reduceClass("reducel2", "ReduceL2"),
}

// moveClass moves feature maps without computing.
func moveClass(name string, count int, form func(m *micro, p micros) arg) microClass {
	return microClass{
		name: name, keys: []string{"c", "h", "w", "mode"}, count: count,
		draw:  func(d *draw) []int64 { return append(elementDraw(d)[:3], d.turn(0, 1, 2)) },
		fits:  func(p micros) bool { return elementFits(p) && p["mode"] <= 2 && p["c"]*p["h"]*p["w"] <= 1<<20 },
		build: func(m *micro, p micros) *onnx.Model { return m.model(form(m, p)) },
	}
}

// perms are permutations of four axes: channels last, channels first, the split of attention heads, the transposed
// matrix, and one that mixes all.
var perms = [][]int64{{0, 2, 3, 1}, {0, 3, 1, 2}, {0, 2, 1, 3}, {0, 1, 3, 2}, {0, 3, 2, 1}}

// flat makes a row of x, which keeps the runtime from moving a Transpose past what follows.
func (m *micro) flat(x arg) arg {
	return m.op("Reshape", []int64{1, x.elements()}, []arg{x, m.ints(1, x.elements())})
}

func permute(m *micro, x arg, perm []int64) arg {
	dims := make([]int64, len(perm))
	for i, a := range perm {
		dims[i] = x.dims[a]
	}
	return m.op("Transpose", dims, []arg{x}, attrInts("perm", perm...))
}

// moveClasses copy and rearrange.
var moveClasses = []microClass{
	moveClass("concat", 7, func(m *micro, p micros) arg {
		x, y := m.input(1, p["c"], p["h"], p["w"]), m.input(1, p["c"], p["h"], p["w"])
		axis := []int64{1, 2, 3}[p["mode"]]
		dims := slices.Clone(x.dims)
		dims[axis] *= 2
		return m.op("Concat", dims, []arg{x, y}, attrInt("axis", axis))
	}),
	moveClass("split", 6, func(m *micro, p micros) arg {
		x := m.input(1, 2*p["c"], p["h"], p["w"])
		half := []int64{1, p["c"], p["h"], p["w"]}
		parts := m.ops("Split", [][]int64{half, half}, []arg{x}, attrInt("axis", 1))
		return m.op("Max", half, parts)
	}),
	moveClass("slice", 6, func(m *micro, p micros) arg {
		x := m.input(1, p["c"], 2*p["h"], p["w"])
		step := 1 + p["mode"]%2
		start := (p["h"] + 1) / 2 * (1 - p["mode"]%2)
		return m.op("Slice", []int64{1, p["c"], p["h"], p["w"]}, []arg{x, m.ints(start), m.ints(start + p["h"]*step), m.ints(2), m.ints(step)})
	}),
	{
		name: "transpose", keys: []string{"c", "h", "w", "mode"}, count: 18,
		draw: func(d *draw) []int64 {
			return append(featureMap(d.size(1000, 1_500_000), d.log(3, 400)), d.turn(0, 1, 2, 3, 4, 2))
		},
		fits: func(p micros) bool {
			return elementFits(p) && p["mode"] < int64(len(perms)) && p["c"]*p["h"]*p["w"] <= 1<<21 && p["c"]*p["h"]*p["w"] >= 1000
		},
		build: func(m *micro, p micros) *onnx.Model {
			return m.model(m.flat(permute(m, m.input(1, p["c"], p["h"], p["w"]), perms[p["mode"]])))
		},
	},
	moveClass("shuffle", 5, func(m *micro, p micros) arg {
		x := m.input(1, 4*p["c"], p["h"], p["w"])
		y := m.op("Reshape", []int64{1, 4, p["c"], p["h"] * p["w"]}, []arg{x, m.ints(1, 4, p["c"], p["h"]*p["w"])})
		return m.flat(permute(m, y, []int64{0, 2, 1, 3}))
	}),
	moveClass("pad", 5, func(m *micro, p micros) arg {
		x := m.input(1, p["c"], p["h"], p["w"])
		return m.op("Pad", []int64{1, p["c"], p["h"] + 2, p["w"] + 2}, []arg{x, m.ints(0, 0, 1, 1, 0, 0, 1, 1)})
	}),
	moveClass("expand", 5, func(m *micro, p micros) arg {
		x := m.input(1, p["c"], 1, p["w"])
		return m.op("Expand", []int64{1, p["c"], p["h"], p["w"]}, []arg{x, m.ints(1, p["c"], p["h"], p["w"])})
	}),
	moveClass("depthtospace", 5, func(m *micro, p micros) arg {
		x := m.input(1, 4*p["c"], p["h"], p["w"])
		return m.op("DepthToSpace", []int64{1, p["c"], 2 * p["h"], 2 * p["w"]}, []arg{x}, attrInt("blocksize", 2))
	}),
	resizeClass("resizenearest", "nearest", 10), resizeClass("resizelinear", "linear", 6),
	{
		name: "gather", keys: []string{"table", "cols", "rows"}, count: 6,
		draw: func(d *draw) []int64 { return []int64{d.log(200, 30000), d.log(16, 1024), d.log(1, 3000)} },
		fits: func(p micros) bool {
			return p["table"] >= 1 && p["cols"] >= 1 && p["rows"] >= 1 && p["table"] <= 1<<18 && p["cols"] <= 1<<12 &&
				p["table"]*p["cols"] <= 1<<23 && p["rows"]*p["cols"] <= 1<<21 && p["rows"] <= 1<<16
		},
		build: func(m *micro, p micros) *onnx.Model {
			ids := m.raw(onnx.Int64, p["rows"])
			return m.model(m.op("Gather", []int64{p["rows"], p["cols"]}, []arg{m.weight(1, p["table"], p["cols"]), ids}, attrInt("axis", 0)))
		},
	},
	{ // into the blocked layout and out of it again, with the least work in between
		name: "reorder", keys: []string{"c", "h", "w"}, count: 8,
		draw: func(d *draw) []int64 {
			h := d.log(6, 112)
			return []int64{d.channels(16, 768), h, h}
		},
		fits: func(p micros) bool { return elementFits(p) && p["c"]*p["h"]*p["w"] <= 1<<21 },
		build: func(m *micro, p micros) *onnx.Model {
			x := m.input(1, p["c"], p["h"], p["w"])
			return m.model(m.conv(x, p["c"], micros{"kh": 1, "kw": 1, "s": 1, "dil": 1, "g": p["c"]}))
		},
	},
}

// resizeClass makes the resolution two, four and eight times as high.
func resizeClass(name, mode string, count int) microClass {
	return microClass{
		name: name, keys: []string{"c", "h", "w", "by"}, count: count, before: micros{"by": 2},
		draw: func(d *draw) []int64 {
			by := d.turn(2, 4, 2, 8)
			return append(featureMap(max(1, d.size(3000, 3_000_000)/(by*by)), d.log(4, 512)), by)
		},
		fits: func(p micros) bool {
			return elementFits(p) && p["by"] >= 1 && p["by"] <= 8 && p["c"]*p["h"]*p["w"]*p["by"]*p["by"] <= 1<<22
		},
		build: func(m *micro, p micros) *onnx.Model {
			return m.model(m.resized(m.input(1, p["c"], p["h"], p["w"]), mode, p["by"]))
		},
	}
}

// resized makes a feature map so many times as large along both of its axes.
func (m *micro) resized(x arg, mode string, by int64) arg {
	scales := "f" + mode
	m.g.Initializers = append(m.g.Initializers, onnx.Float32Tensor(scales, []int64{4}, 1, 1, float32(by), float32(by)))
	return m.op("Resize", []int64{1, x.dims[1], by * x.dims[2], by * x.dims[3]}, []arg{x, {}, {scales, nil}},
		attrString("mode", mode), attrString("coordinate_transformation_mode", "asymmetric"), attrString("nearest_mode", "floor"))
}

// chainClass is a chain of nodes with next to no work: what a node costs beyond its work. Chains are timed like
// everything else, without the runtime's profiler, which adds a microsecond or two to every node.
func chainClass(name string, step func(m *micro, x arg, i int64) arg, dims ...int64) microClass {
	return microClass{
		name: name, keys: []string{"depth"}, count: 5,
		draw: func(d *draw) []int64 { return []int64{d.log(4, 200)} },
		fits: func(p micros) bool { return p["depth"] >= 1 && p["depth"] <= maxMicroDepth },
		build: func(m *micro, p micros) *onnx.Model {
			x := m.input(dims...)
			for i := range p["depth"] {
				x = step(m, x, i)
			}
			return m.model(x)
		},
	}
}

var chainClasses = []microClass{
	chainClass("chainunary", func(m *micro, x arg, _ int64) arg { return m.unary("Sigmoid", x) }, 1, 8),
	chainClass("chainbinary", func(m *micro, x arg, _ int64) arg { return m.op("Mul", x.dims, []arg{x, m.positive(8)}) }, 1, 8),
	chainClass("chainconv", func(m *micro, x arg, _ int64) arg {
		return m.conv(x, 16, micros{"kh": 1, "kw": 1, "s": 1, "dil": 1, "g": 1, "act": 1})
	}, 1, 16, 2, 2),
	chainClass("chaingemm", func(m *micro, x arg, _ int64) arg {
		return m.op("Gemm", x.dims, []arg{x, m.weight(16, 16, 16), m.weight(1, 16)})
	}, 1, 16),
	chainClass("chaintranspose", func(m *micro, x arg, _ int64) arg {
		return m.op("Reshape", x.dims, []arg{permute(m, x, []int64{0, 2, 1, 3}), m.ints(x.dims...)})
	}, 1, 4, 4, 4),
	chainClass("chainview", func(m *micro, x arg, i int64) arg {
		dims := [][]int64{{1, 16}, {4, 4}}[i%2]
		return m.unary("Neg", m.op("Reshape", dims, []arg{x, m.ints(dims...)}))
	}, 4, 4),
	chainClass("chainsoftmax", func(m *micro, x arg, _ int64) arg { return m.unary("Softmax", x, attrInt("axis", -1)) }, 1, 8),
}
