package calibrate

import "github.com/onnxcost/onnxcost/analyzer/onnx"

// blockClasses are kernels one after the other as networks have them: with several threads, each reads what another core
// has just written, which no kernel by itself shows. With them are the groups that other classes meet by chance only. They
// stand behind the other classes, whose shapes a class in between would change.
var blockClasses = []microClass{
	{ // a convolution without a window to more channels, one per channel, and one back
		name: "separable", keys: []string{"cin", "cout", "h", "w", "k", "depth"}, count: 10,
		draw: func(d *draw) []int64 {
			h := d.log(6, 80)
			return []int64{d.channels(16, 320), d.channels(16, 640), h, h, d.pick(3, 3, 5), d.pick(2, 3, 4)}
		},
		fits: func(p micros) bool {
			return layers(p, 2*p["cin"]+p["k"]*p["k"], 1e6, 1e8)
		},
		build: func(m *micro, p micros) *onnx.Model {
			x := m.input(1, p["cin"], p["h"], p["w"])
			one := micros{"kh": 1, "kw": 1, "s": 1, "dil": 1, "g": 1, "act": 1}
			each := micros{"kh": p["k"], "kw": p["k"], "s": 1, "dil": 1, "g": p["cout"], "act": 1}
			for range p["depth"] {
				x = m.conv(m.conv(m.conv(x, p["cout"], one), p["cout"], each), p["cin"], one)
			}
			return m.model(m.pooled(x))
		},
	},
	{
		name: "chainconv1d", keys: []string{"cin", "cout", "l", "k", "dil", "act", "depth"}, count: 8,
		draw: func(d *draw) []int64 {
			return []int64{d.log(8, 256), d.log(8, 256), d.log(48, 3000), d.pick(2, 3, 3, 5, 7), d.pick(1, 1, 2, 4, 8), d.pick(0, 1), d.pick(2, 3, 4)}
		},
		fits: func(p micros) bool {
			long := micros{"cin": p["cin"], "cout": p["cout"], "h": p["l"], "w": 1, "k": p["k"], "depth": p["depth"]}
			return layers(long, p["cin"]*p["k"], 5e5, 1e8) && p["dil"] >= 1 && p["dil"] <= 16 && p["l"] > p["dil"]*p["k"]
		},
		build: func(m *micro, p micros) *onnx.Model {
			x := m.input(1, p["cin"], p["l"])
			for i := range p["depth"] {
				cout := p["cout"]
				if i%2 == 1 {
					cout = p["cin"]
				}
				cin, k, pad := x.dims[1], p["k"], p["dil"]*(p["k"]-1) // causal: all of it before
				x = m.op("Conv", []int64{1, cout, p["l"]}, []arg{x, m.weight(cin*k, cout, cin, k), m.weight(1, cout)},
					attrInts("kernel_shape", k), attrInts("dilations", p["dil"]), attrInts("pads", pad, 0))
				if p["act"] == 1 {
					x = m.unary("Relu", x)
				}
			}
			return m.model(x)
		},
	},
	{ // twice as large and half as many channels at every step
		name: "chaintransposed", keys: []string{"cin", "h", "w", "depth"}, count: 6,
		draw: func(d *draw) []int64 {
			h := d.log(3, 32)
			return []int64{d.times(8, 16, 384), h, h, d.pick(2, 3)}
		},
		fits: func(p micros) bool {
			first := micros{"cin": p["cin"], "cout": p["cin"], "h": p["h"], "w": p["w"], "k": 4, "depth": p["depth"]}
			return p["cin"]%8 == 0 && p["depth"] <= 3 && layers(first, p["cin"]*8, 1e6, 1e8)
		},
		build: func(m *micro, p micros) *onnx.Model {
			x := m.input(1, p["cin"], p["h"], p["w"])
			for range p["depth"] {
				c := x.dims[1]
				x = m.unary("Relu", m.op("ConvTranspose", []int64{1, c / 2, 2 * x.dims[2], 2 * x.dims[3]},
					[]arg{x, m.weight(c, c, c/2, 4, 4), m.weight(1, c/2)},
					attrInts("kernel_shape", 4, 4), attrInts("strides", 2, 2), attrInts("pads", 1, 1, 1, 1)))
			}
			return m.model(x)
		},
	},
	{ // weights that no cache of a usual machine holds
		name: "gemvfar", keys: gemmKeys, count: 5, build: gemmBuild,
		draw: func(d *draw) []int64 {
			return []int64{1, d.log(2000, 6000), d.log(2000, 6000), 1, d.pick(0, 1), d.pick(1, 2, 3)}
		},
		fits: func(p micros) bool { return gemmFits(p, 8e6, 3.4e7) },
	},
	{
		name: "softmaxaxis", keys: []string{"c", "h", "w", "mode"}, count: 6, fits: elementFits,
		draw: func(d *draw) []int64 {
			return append([]int64{d.log(2, 300)}, append(elementDraw(d)[1:3], d.turn(0, 1))...)
		},
		build: func(m *micro, p micros) *onnx.Model {
			x := m.input(1, p["c"], p["h"], p["w"])
			return m.model(m.unary([]string{"Softmax", "LogSoftmax"}[p["mode"]%2], x, attrInt("axis", 1)))
		},
	},
	rowClass("logsoftmax", 5, func(m *micro, x arg) arg { return m.unary("LogSoftmax", x, attrInt("axis", -1)) }),
	plainPoolClass("maxpoolplain", "MaxPool"), plainPoolClass("averagepoolplain", "AveragePool"),
	{
		name: "upsampleblocked", keys: []string{"c", "h", "w"}, count: 5, fits: elementFits,
		draw: func(d *draw) []int64 {
			h := d.log(4, 60)
			return []int64{d.channels(16, 256), h, h}
		},
		build: func(m *micro, p micros) *onnx.Model {
			p["blocked"] = 1
			return m.model(m.pooled(m.resized(m.poolInput(p), "nearest", 2)))
		},
	},
	{
		name: "conv3d", keys: []string{"cin", "cout", "h", "k", "s", "act"}, count: 7,
		draw: func(d *draw) []int64 {
			return []int64{d.pick(1, 4, 16, 32), d.log(8, 64), d.log(6, 32), d.pick(1, 3, 3, 5), d.pick(1, 1, 2), d.pick(0, 1)}
		},
		fits: func(p micros) bool {
			outputs := micros{"cin": p["cin"], "cout": p["cout"], "h": p["h"] * p["h"], "w": p["h"], "k": p["k"], "depth": 1}
			return p["h"] <= 1<<6 && p["k"] <= 7 && p["h"] >= p["k"] && p["s"] >= 1 && p["s"] <= 4 && layers(outputs, p["cin"]*p["k"]*p["k"]*p["k"], 1e6, 3e8)
		},
		build: func(m *micro, p micros) *onnx.Model {
			k, s, pad := p["k"], p["s"], (p["k"]-1)/2
			h := convOut(p["h"], k, s, 1)
			y := m.op("Conv", []int64{1, p["cout"], h, h, h},
				[]arg{m.input(1, p["cin"], p["h"], p["h"], p["h"]), m.weight(p["cin"]*k*k*k, p["cout"], p["cin"], k, k, k), m.weight(1, p["cout"])},
				attrInts("kernel_shape", k, k, k), attrInts("strides", s, s, s), attrInts("pads", pad, pad, pad, pad, pad, pad))
			if p["act"] == 1 {
				y = m.unary("Relu", y)
			}
			return m.model(y)
		},
	},
	{ // as written for graphs, for scores and for values of attention
		name: "einsum", keys: []string{"b", "m", "k", "n", "mode"}, count: 9,
		draw: func(d *draw) []int64 {
			return []int64{d.log(1, 64), d.log(8, 256), d.log(8, 96), d.log(8, 256), d.turn(0, 1, 2)}
		},
		fits: func(p micros) bool { return gemmFits(p, 5e5, 6e7) },
		build: func(m *micro, p micros) *onnx.Model {
			b, rows, k, n := p["b"], p["m"], p["k"], p["n"]
			einsum := func(equation string, out []int64, x, y arg) *onnx.Model {
				return m.model(m.op("Einsum", out, []arg{x, y}, attrString("equation", equation)))
			}
			switch p["mode"] % 3 {
			case 0:
				return einsum("bctv,kvw->bctw", []int64{1, b, rows, n}, m.input(1, b, rows, k), m.weight(k, 1, k, n))
			case 1:
				return einsum("bqhd,bkhd->bhqk", []int64{1, b, rows, n}, m.input(1, rows, b, k), m.input(1, n, b, k))
			default:
				return einsum("bhqk,bkhd->bqhd", []int64{1, rows, b, n}, m.input(1, b, rows, k), m.input(1, k, b, n))
			}
		},
	},
	rowClass("rmsnorm", 5, func(m *micro, x arg) arg {
		n := x.dims[2]
		row := []int64{x.dims[0], x.dims[1], 1}
		mean := m.op("ReduceMean", row, []arg{m.op("Pow", x.dims, []arg{x, m.scalar(2)})}, attrInts("axes", -1), attrInt("keepdims", 1))
		root := m.unary("Sqrt", m.op("Add", row, []arg{mean, m.scalar(1e-6)}))
		return m.op("Mul", x.dims, []arg{m.op("Div", x.dims, []arg{x, root}), m.positive(n)})
	}),
	elementClass("powers", func(m *micro, x arg) arg {
		return m.op("Pow", x.dims, []arg{m.op("Pow", x.dims, []arg{x, m.scalar(2)}), m.scalar(3)})
	}),
	convClass("conveven", 7, 2e6, 2e8, func(d *draw) convDraw {
		k := d.pick(2, 4, 4, 6)
		return convDraw{cin: d.channels(16, 384), cout: d.channels(16, 384), h: d.log(8, 100), kh: k, kw: k, s: d.pick(1, 2, 2), act: d.pick(0, 1)}
	}),
	{ // feature maps that no cache holds from one kernel to the next
		name: "far", keys: []string{"c", "h", "w", "mode"}, count: 6,
		draw: func(d *draw) []int64 {
			return append(featureMap(d.size(4_000_000, 10_000_000), d.log(16, 256)), d.turn(0, 1))
		},
		fits: func(p micros) bool {
			return p.within(1<<10, "c") && p.within(1<<12, "h", "w") && p["c"]*p["h"]*p["w"] <= 1<<24
		},
		build: func(m *micro, p micros) *onnx.Model {
			x := m.input(1, p["c"], p["h"], p["w"])
			y := m.unary("Relu", x)
			if p["mode"] == 1 {
				y = m.op("Add", x.dims, []arg{x, y})
			}
			return m.model(m.unary("LeakyRelu", y))
		},
	},
	{ // blocks, by an axis that moves inwards and by several that move
		name: "transposeblocks", keys: []string{"parts", "rows", "heads", "depth", "mode"}, count: 10,
		draw: func(d *draw) []int64 {
			return []int64{d.log(2, 8), d.log(8, 400), d.log(2, 32), d.log(2, 100), d.turn(0, 1)}
		},
		fits: func(p micros) bool {
			n := p["parts"] * p["rows"] * p["heads"] * p["depth"] // at most 2^48 where they are within
			return p.within(1<<12, "parts", "rows", "heads", "depth") && n >= 1000 && n <= 1<<21
		},
		build: func(m *micro, p micros) *onnx.Model {
			if p["mode"] == 0 {
				return m.model(m.flat(permute(m, m.input(p["parts"], p["rows"], p["heads"], p["depth"]), []int64{1, 2, 0, 3})))
			}
			return m.model(m.flat(permute(m, m.input(1, p["rows"], p["parts"], p["heads"], p["depth"]), []int64{2, 0, 3, 1, 4})))
		},
	},
}

// layers wants extents and channels within reason and between lo and hi multiply-accumulates in all, of depth layers with
// perOutput of them for each of cout·h·w outputs.
func layers(p micros, perOutput, lo, hi int64) bool {
	if !p.within(1<<12, "cin", "cout", "h", "w", "k", "depth") {
		return false
	}
	if p["k"] > 16 || p["depth"] > 8 || p["h"]*p["w"] > 1<<18 || perOutput > 1<<20 {
		return false
	}
	macs := p["cout"] * p["h"] * p["w"] * perOutput * p["depth"] // at most 2^(12+18+20+3)
	return macs >= lo && macs <= hi
}
