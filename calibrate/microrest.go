package calibrate

import (
	"slices"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// restClasses are the modes of operators that have kernels of their own, and operators that few networks have but that may
// cost more than all the rest where they stand. They stand behind the other classes, whose shapes a class in between would
// change.
var restClasses = []microClass{
	resizeModeClass("resizecubic", "cubic", 0),
	resizeModeClass("resizelinearantialias", "linear", 1),
	resizeModeClass("resizecubicantialias", "cubic", 1),
	windowModeClass("maxpooldilated", "MaxPool", attrInts("dilations", 2, 2)),
	{ // where the largest element of each window lies, and back to there
		name: "unpool", keys: []string{"c", "h", "w"}, count: 5,
		draw: func(d *draw) []int64 { return featureMap(d.size(1000, 300_000), d.log(4, 256)) },
		fits: func(p micros) bool { return elementFits(p) && p["c"]*p["h"]*p["w"] <= 1<<19 },
		build: func(m *micro, p micros) *onnx.Model {
			x := m.input(1, p["c"], 2*p["h"], 2*p["w"])
			half := []int64{1, p["c"], p["h"], p["w"]}
			window := []onnx.Attribute{attrInts("kernel_shape", 2, 2), attrInts("strides", 2, 2)}
			y := m.ops("MaxPool", [][]int64{half, half}, []arg{x}, window...)
			return m.model(m.op("MaxUnpool", x.dims, y, window...))
		},
	},
	windowModeClass("lppool", "LpPool", attrInt("p", 2)),
	padModeClass("padreflect", "reflect"), padModeClass("padedge", "edge"),
	mapClass("cumsum", func(m *micro, x arg, mode int64) arg {
		return m.op("CumSum", x.dims, []arg{x, m.int([]int64{3, 2, 1}[mode])})
	}),
	mapClass("tile", func(m *micro, x arg, mode int64) arg {
		by := []int64{1, 1, 1, 1}
		by[1+mode] = 2
		dims := slices.Clone(x.dims)
		dims[1+mode] *= 2
		return m.op("Tile", dims, []arg{x, m.ints(by...)})
	}),
	mapClass("trilu", func(m *micro, x arg, mode int64) arg { return m.unary("Trilu", x, attrInt("upper", mode%2)) }),
	mapClass("argmax", func(m *micro, x arg, mode int64) arg {
		dims := slices.Clone(x.dims)
		dims[3-mode] = 1
		y := m.op("ArgMax", dims, []arg{x}, attrInt("axis", 3-mode), attrInt("keepdims", 1))
		return m.unary("Cast", y, attrInt("to", int64(onnx.Float32)))
	}),
	elementClass("round", func(m *micro, x arg) arg { return m.unary("Round", m.unary("Floor", m.unary("Sin", x))) }),
	elementClass("reciprocal", func(m *micro, x arg) arg {
		return m.unary("Reciprocal", m.op("Add", x.dims, []arg{m.unary("Cos", x), m.scalar(2)}))
	}),
	elementClass("sign", func(m *micro, x arg) arg { return m.unary("Ceil", m.unary("Sign", m.unary("Softsign", x))) }),
	elementClass("selu", func(m *micro, x arg) arg {
		return m.unary("ThresholdedRelu", m.unary("Selu", x), attrFloat("alpha", 0.1))
	}),
	elementClass("integers", func(m *micro, x arg) arg { // arithmetic and comparison of whole numbers
		i := m.cast(x, onnx.Int64)
		s := m.op("Add", x.dims, []arg{i, i})
		p := m.op("Mul", x.dims, []arg{s, m.op("Sub", x.dims, []arg{s, i})})
		return m.cast(p, onnx.Float32)
	}),
	elementClass("remainder", func(m *micro, x arg) arg {
		i := m.cast(m.op("Mul", x.dims, []arg{x, m.scalar(100)}), onnx.Int64)
		seven := m.int(7)
		return m.cast(m.op("Mod", x.dims, []arg{m.op("Div", x.dims, []arg{i, seven}), seven}), onnx.Float32)
	}),
	elementClass("logic", func(m *micro, x arg) arg {
		a, b := m.op("Less", x.dims, []arg{x, m.scalar(0.5)}), m.op("Greater", x.dims, []arg{x, m.scalar(-0.5)})
		c := m.op("Or", x.dims, []arg{m.op("And", x.dims, []arg{a, b}), m.unary("Not", a)})
		return m.cast(c, onnx.Float32)
	}),
	elementClass("equal", func(m *micro, x arg) arg {
		i := m.cast(x, onnx.Int64)
		return m.cast(m.op("Equal", x.dims, []arg{i, m.int(0)}), onnx.Float32)
	}),
	elementClass("castbool", func(m *micro, x arg) arg { return m.cast(m.cast(x, onnx.Bool), onnx.Float32) }),
	elementClass("casthalf", func(m *micro, x arg) arg { return m.cast(m.cast(x, onnx.Float16), onnx.Float32) }),
	elementClass("castints", func(m *micro, x arg) arg {
		return m.cast(m.cast(m.cast(x, onnx.Int32), onnx.Int64), onnx.Float32)
	}),
	elementClass("min", func(m *micro, x arg) arg { return m.op("Min", x.dims, []arg{x, m.unary("Neg", x)}) }),
	reduceClass("reducemin", "ReduceMin"), reduceClass("reduceprod", "ReduceProd"), reduceClass("reducelogsumexp", "ReduceLogSumExp"),
	reduceClass("reducel1", "ReduceL1"), reduceClass("reducesumsquare", "ReduceSumSquare"),
	{
		name: "reducemeanall", keys: rowKeys, count: 5, draw: rowDraw, fits: rowFits,
		build: func(m *micro, p micros) *onnx.Model {
			x := m.input(p["rows"], p["cols"])
			return m.model(m.op("ReduceMean", []int64{1, 1}, []arg{x}, attrInt("keepdims", 1)))
		},
	},
	{
		name: "topk", keys: []string{"rows", "cols", "k"}, count: 7,
		draw: func(d *draw) []int64 {
			cols := d.log(20, 20000)
			return []int64{max(1, d.size(1000, 300_000)/cols), cols, min(cols, d.log(1, 1000))}
		},
		fits: func(p micros) bool {
			return p.within(1<<18, "rows", "cols", "k") && p["rows"]*p["cols"] <= 1<<21 && p["k"] <= p["cols"]
		},
		build: func(m *micro, p micros) *onnx.Model {
			dims := []int64{p["rows"], p["k"]}
			y := m.ops("TopK", [][]int64{dims, dims}, []arg{m.input(p["rows"], p["cols"]), m.ints(p["k"])})
			return m.model(y[0])
		},
	},
	{
		name: "nonmaxsuppression", keys: []string{"boxes", "classes", "most"}, count: 6,
		draw: func(d *draw) []int64 { return []int64{d.size(50, 4000), d.pick(1, 2, 8), d.log(5, 300)} },
		fits: func(p micros) bool {
			return p.within(1<<13, "boxes", "most") && p.within(64, "classes") && p["boxes"]*p["classes"]*p["most"] <= 1<<23
		},
		build: func(m *micro, p micros) *onnx.Model {
			// Corners of random boxes, and scores that none of them lacks.
			a, b := m.raw(onnx.Float32, 1, p["boxes"], 4), m.raw(onnx.Float32, 1, p["classes"], p["boxes"])
			y := m.op("NonMaxSuppression", []int64{-1, 3}, []arg{a, b, m.ints(p["most"]), m.vector(0.5), m.vector(-10)})
			return m.model(m.op("ReduceMax", []int64{1, 1}, []arg{m.cast(y, onnx.Float32)}, attrInt("keepdims", 1)))
		},
	},
	{
		name: "gridsample", keys: []string{"c", "h", "w", "mode"}, count: 6,
		draw: func(d *draw) []int64 {
			return append(featureMap(d.size(2000, 600_000), d.log(3, 128)), d.turn(0, 1, 0, 2))
		},
		fits: func(p micros) bool { return elementFits(p) && p["mode"] <= 2 && p["c"]*p["h"]*p["w"] <= 1<<20 },
		build: func(m *micro, p micros) *onnx.Model {
			x, grid := m.input(1, p["c"], p["h"], p["w"]), m.raw(onnx.Float32, 1, p["h"], p["w"], 2)
			return m.model(m.op("GridSample", x.dims, []arg{x, grid}, attrString("mode", []string{"bilinear", "nearest", "bicubic"}[p["mode"]])))
		},
	},
	{ // rows of a table by computed places, read and written
		name: "gatherscatter", keys: []string{"table", "cols", "rows", "mode"}, count: 8,
		draw: func(d *draw) []int64 {
			return []int64{d.log(50, 4000), d.log(4, 256), d.log(8, 2000), d.turn(0, 1, 2, 3)}
		},
		fits: func(p micros) bool {
			return p.within(1<<14, "table", "rows") && p.within(1<<12, "cols") && p["table"]*p["cols"] <= 1<<21 && p["rows"]*p["cols"] <= 1<<20 &&
				p["mode"] <= 3
		},
		build: gatherScatter,
	},
	{
		name: "onehot", keys: []string{"rows", "cols"}, count: 5,
		draw: func(d *draw) []int64 {
			cols := d.log(4, 2000)
			return []int64{max(1, d.size(1000, 1_000_000)/cols), cols}
		},
		fits: func(p micros) bool {
			return p.within(1<<18, "rows") && p.within(1<<12, "cols") && p["rows"]*p["cols"] <= 1<<22
		},
		build: func(m *micro, p micros) *onnx.Model {
			ids := m.cast(m.input(p["rows"]), onnx.Int64)
			return m.model(m.op("OneHot", []int64{p["rows"], p["cols"]}, []arg{ids, m.int(p["cols"]), m.vector(0, 1)}))
		},
	},
	loopClass("loop"), loopClass("scan"), loopClass("if"),
}

// attrFloat is a real attribute.
func attrFloat(name string, v float32) onnx.Attribute {
	return onnx.Attribute{Name: name, Type: onnx.AttrFloat, F: v}
}

// cast converts x.
func (m *micro) cast(x arg, to onnx.DType) arg { return m.unary("Cast", x, attrInt("to", int64(to))) }

// int is a stored whole number.
func (m *micro) int(v int64) arg {
	a := m.ints(v)
	m.g.Initializers[len(m.g.Initializers)-1] = onnx.Int64Tensor(a.name, nil, v)
	return arg{a.name, nil}
}

// vector is a stored list of numbers.
func (m *micro) vector(v ...float32) arg {
	a := m.scalar(0)
	dims := []int64{int64(len(v))}
	m.g.Initializers[len(m.g.Initializers)-1] = onnx.Float32Tensor(a.name, dims, v...)
	return arg{a.name, dims}
}

// mapClass is one operator on a feature map, in three modes.
func mapClass(name string, form func(m *micro, x arg, mode int64) arg) microClass {
	return moveClass(name, 6, func(m *micro, p micros) arg { return form(m, m.input(1, p["c"], p["h"], p["w"]), p["mode"]) })
}

// resizeModeClass interpolates by factors that are no whole numbers too, with and without a filter against aliasing.
func resizeModeClass(name, mode string, antialias int64) microClass {
	return microClass{
		name: name, keys: []string{"c", "h", "w", "by"}, count: 5, // by is the factor in quarters
		draw: func(d *draw) []int64 {
			by := d.turn(8, 2, 6, 3, 16)
			e := d.size(2000, 250_000)
			return append(featureMap(max(48, e*16/(by*by)), d.log(3, 128)), by)
		},
		fits: func(p micros) bool {
			return elementFits(p) && p["by"] >= 1 && p["by"] <= 32 && p["h"]*p["by"] >= 4 && p["w"]*p["by"] >= 4 &&
				p["c"]*(p["h"]*p["by"]/4)*(p["w"]*p["by"]/4) <= 1<<21 && p["c"]*p["h"]*p["w"] <= 1<<22
		},
		build: func(m *micro, p micros) *onnx.Model {
			x := m.input(1, p["c"], p["h"], p["w"])
			scales := m.vector(1, 1, float32(p["by"])/4, float32(p["by"])/4)
			attrs := []onnx.Attribute{attrString("mode", mode), attrString("coordinate_transformation_mode", "half_pixel")}
			if antialias != 0 {
				m.opset = 18
				attrs = append(attrs, attrInt("antialias", antialias))
			}
			return m.model(m.op("Resize", []int64{1, p["c"], p["h"] * p["by"] / 4, p["w"] * p["by"] / 4}, []arg{x, {}, scales}, attrs...))
		},
	}
}

// windowModeClass slides windows that the runtime has no fast kernel for.
func windowModeClass(name, op string, attr onnx.Attribute) microClass {
	return microClass{
		name: name, keys: []string{"c", "h", "w", "k"}, count: 5,
		draw: func(d *draw) []int64 {
			h := d.log(8, 80)
			return []int64{max(1, d.size(2000, 400_000)/(h*h)), h, h, d.pick(2, 3, 3)}
		},
		fits: func(p micros) bool {
			return elementFits(p) && p.within(16, "k") && p["h"] >= 2*p["k"] && p["w"] >= 2*p["k"] && p["c"]*p["h"]*p["w"] <= 1<<20
		},
		build: func(m *micro, p micros) *onnx.Model {
			x := m.input(1, p["c"], p["h"], p["w"])
			span := p["k"] - 1
			if attr.Name == "dilations" {
				span *= attr.Ints[0]
			}
			dims := []int64{1, p["c"], p["h"] - span, p["w"] - span}
			return m.model(m.op(op, dims, []arg{x}, attrInts("kernel_shape", p["k"], p["k"]), attr))
		},
	}
}

// padModeClass fills a frame from the map itself.
func padModeClass(name, mode string) microClass {
	return microClass{
		name: name, keys: []string{"c", "h", "w", "by"}, count: 5,
		draw: func(d *draw) []int64 { return append(elementDraw(d)[:3], d.pick(1, 2, 3)) },
		fits: func(p micros) bool {
			return elementFits(p) && p.within(8, "by") && p["h"] > p["by"] && p["w"] > p["by"] && p["c"]*p["h"]*p["w"] <= 1<<20
		},
		build: func(m *micro, p micros) *onnx.Model {
			x, by := m.input(1, p["c"], p["h"], p["w"]), p["by"]
			return m.model(m.op("Pad", []int64{1, p["c"], p["h"] + 2*by, p["w"] + 2*by},
				[]arg{x, m.ints(0, 0, by, by, 0, 0, by, by)}, attrString("mode", mode)))
		},
	}
}

// gatherScatter reads or writes a table at places that lie in its first row, which random numbers would leave.
func gatherScatter(m *micro, p micros) *onnx.Model {
	table := m.input(p["table"], p["cols"])
	switch p["mode"] {
	case 0:
		at := m.cast(m.input(p["rows"], p["cols"]), onnx.Int64) // whole parts of normal numbers: nearly all 0 to 3
		return m.model(m.op("GatherElements", at.dims, []arg{table, at}, attrInt("axis", 0)))
	case 1:
		at := m.cast(m.input(p["rows"], 1), onnx.Int64)
		return m.model(m.op("GatherND", []int64{p["rows"], p["cols"]}, []arg{table, at}))
	case 2:
		at, v := m.cast(m.input(p["rows"], p["cols"]), onnx.Int64), m.input(p["rows"], p["cols"])
		return m.model(m.op("ScatterElements", table.dims, []arg{table, at, v}, attrInt("axis", 0)))
	}
	at, v := m.cast(m.input(p["rows"], 1), onnx.Int64), m.input(p["rows"], p["cols"])
	return m.model(m.op("ScatterND", table.dims, []arg{table, at, v}))
}

// loopClass goes around a body of a few trivial nodes: what control flow costs beyond what it runs.
func loopClass(kind string) microClass {
	return microClass{
		name: kind + "overhead", keys: []string{"trips", "depth"}, count: 5,
		draw: func(d *draw) []int64 { return []int64{d.log(2, 64), d.pick(1, 2, 4)} },
		fits: func(p micros) bool { return p.within(1<<10, "trips") && p.within(16, "depth") },
		build: func(m *micro, p micros) *onnx.Model {
			tensor := func(name string, dims ...int64) onnx.ValueInfo {
				return onnx.ValueInfo{Name: name, Type: tensorType(onnx.Float32, dims)}
			}
			body := func(in string, dims ...int64) (*onnx.Graph, string) {
				b := &micro{g: &onnx.Graph{Name: "body"}}
				x := arg{in, dims}
				for range p["depth"] {
					x = b.unary("Sigmoid", x)
				}
				for i, n := range b.g.Nodes {
					n.Name = "b_" + n.Name
					if i == len(b.g.Nodes)-1 {
						n.Outputs[0] = "b_out"
					} else {
						n.Outputs[0] = "b_" + n.Outputs[0]
					}
					if i > 0 {
						n.Inputs[0] = b.g.Nodes[i-1].Outputs[0]
					}
				}
				b.g.Outputs = []onnx.ValueInfo{tensor("b_out", dims...)}
				return b.g, "b_out"
			}
			graph := func(name string, g *onnx.Graph) onnx.Attribute {
				return onnx.Attribute{Name: name, Type: onnx.AttrGraph, G: g}
			}
			switch kind {
			case "loop":
				g, out := body("b_x", 1, 8)
				g.Inputs = []onnx.ValueInfo{
					{Name: "b_i", Type: &onnx.Type{Kind: onnx.KindTensor, DType: onnx.Int64, HasShape: true}},
					{Name: "b_go", Type: &onnx.Type{Kind: onnx.KindTensor, DType: onnx.Bool, HasShape: true}}, tensor("b_x", 1, 8)}
				g.Nodes = append(g.Nodes, &onnx.Node{OpType: "Identity", Name: "b_keep", Inputs: []string{"b_go"}, Outputs: []string{"b_on"}})
				g.Outputs = []onnx.ValueInfo{{Name: "b_on", Type: &onnx.Type{Kind: onnx.KindTensor, DType: onnx.Bool, HasShape: true}}, tensor(out, 1, 8)}
				x := m.input(1, 8)
				return m.model(m.op("Loop", []int64{1, 8}, []arg{m.int(p["trips"]), {}, x}, graph("body", g)))
			case "scan":
				g, _ := body("b_x", 8)
				g.Inputs = []onnx.ValueInfo{tensor("b_x", 8)}
				x := m.input(p["trips"], 8)
				return m.model(m.op("Scan", []int64{p["trips"], 8}, []arg{x}, graph("body", g), attrInt("num_scan_inputs", 1)))
			}
			x := m.input(1, 8)
			for range min(p["trips"], 16) { // one behind the other
				yes, _ := body(x.name, 1, 8)
				no, _ := body(x.name, 1, 8)
				test := m.op("Less", []int64{}, []arg{m.op("ReduceMax", []int64{}, []arg{x}, attrInt("keepdims", 0)), m.scalar(100)})
				x = m.op("If", []int64{1, 8}, []arg{test}, graph("then_branch", yes), graph("else_branch", no))
			}
			return m.model(x)
		},
	}
}
