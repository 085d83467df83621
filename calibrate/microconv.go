package calibrate

import (
	"slices"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// convKeys are the parameters of a two-dimensional convolution: batch, channels, input extents, kernel, stride,
// dilation, groups, whether Relu (act 1) or HardSwish (act 2) follows, whether the input is added to the result (sum), how many of them follow
// each other (depth), and whether the last result is pooled in its own layout (end 0) or reduced in the plain one (end 1):
// were it always the same, its cost could not be told from theirs. Channels alternate between cin and cout down the chain.
var convKeys = []string{"n", "cin", "cout", "h", "w", "kh", "kw", "s", "dil", "g", "act", "sum", "depth", "end"}

// convDraw proposes the shape of one convolution.
type convDraw struct {
	n, cin, cout, h, w, kh, kw, s, dil, g, act, sum, depth int64
}

func (c convDraw) values() []int64 {
	one := func(v int64) int64 { return max(1, v) }
	return []int64{one(c.n), c.cin, c.cout, c.h, c.w, c.kh, c.kw, one(c.s), one(c.dil), one(c.g), c.act, c.sum, one(c.depth)}
}

// convClass is a class of convolutions that differ in what they draw.
func convClass(name string, count int, lo, hi int64, propose func(*draw) convDraw) microClass {
	return microClass{
		name: name, keys: convKeys, count: count,
		draw: func(d *draw) []int64 {
			c := propose(d)
			if c.w == 0 {
				c.w = max(1, c.h+d.pick(0, 0, 0, -1, 1, c.h/3))
			}
			return append(c.values(), d.pick(0, 1))
		},
		fits: func(p micros) bool { return convFits(p, lo, hi) },
		build: func(m *micro, p micros) *onnx.Model {
			y := m.convChain(m.convInput(p), p)
			if p["end"] == 0 {
				y = m.pooled(y)
			}
			return m.model(y)
		},
	}
}

// convFits wants a convolution that exists and that computes between lo and hi multiply-accumulates in all.
func convFits(p micros, lo, hi int64) bool {
	if !p.within(1<<13, "n", "cin", "cout", "h", "w", "kh", "kw", "s", "dil", "g", "depth") {
		return false
	}
	if p["g"] > p["cin"] || p["cin"]%p["g"] != 0 || p["cout"]%p["g"] != 0 {
		return false
	}
	if p["sum"] == 1 && (p["cin"] != p["cout"] || p["s"] != 1) {
		return false
	}
	if p["depth"] > 1 && p["s"] > 1 {
		return false
	}
	oh, ow := convOut(p["h"], p["kh"], p["s"], p["dil"]), convOut(p["w"], p["kw"], p["s"], p["dil"])
	if oh < 1 || ow < 1 || p["h"]*p["w"] > 1<<20 || p["n"]*p["h"]*p["w"] > 1<<22 {
		return false
	}
	if p["n"]*max(p["cin"], p["cout"])*p["h"]*p["w"] > 1<<25 {
		return false
	}
	macs := p["n"] * p["cin"] / p["g"] * p["cout"] * p["kh"] * p["kw"] // at most 2^13 each of the first four and small kernels
	if p["kh"] > 64 || p["kw"] > 64 || macs > 1<<40 {
		return false
	}
	macs = macs * oh * ow * p["depth"]
	return macs >= lo && macs <= hi
}

// convOut is the output extent under padding that keeps it at ⌈in/stride⌉ for odd kernels.
func convOut(in, k, s, dil int64) int64 {
	pad := dil * (k - 1) / 2
	return (in+2*pad-dil*(k-1)-1)/s + 1
}

func (m *micro) convInput(p micros) arg { return m.input(p["n"], p["cin"], p["h"], p["w"]) }

func (m *micro) convChain(x arg, p micros) arg {
	for i := range p["depth"] {
		cout := p["cout"]
		if i%2 == 1 {
			cout = p["cin"]
		}
		x = m.conv(x, cout, p)
	}
	return x
}

// conv is one convolution with bias, and what may follow it.
func (m *micro) conv(x arg, cout int64, p micros) arg {
	cin, kh, kw, s, dil, g := x.dims[1], p["kh"], p["kw"], p["s"], p["dil"], p["g"]
	y := m.op("Conv", []int64{x.dims[0], cout, convOut(x.dims[2], kh, s, dil), convOut(x.dims[3], kw, s, dil)},
		[]arg{x, m.weight(cin/g*kh*kw, cout, cin/g, kh, kw), m.weight(1, cout)},
		attrInts("kernel_shape", kh, kw), attrInts("strides", s, s), attrInts("dilations", dil, dil), attrInt("group", g),
		attrInts("pads", dil*(kh-1)/2, dil*(kw-1)/2, dil*(kh-1)/2, dil*(kw-1)/2))
	if p["sum"] == 1 {
		y = m.op("Add", y.dims, []arg{y, x})
	}
	switch p["act"] {
	case 1:
		y = m.unary("Relu", y)
	case 2:
		y = m.unary("HardSwish", y)
	}
	return y
}

// The classes of convolutions in two dimensions. Which of them run in the blocked layout, and how, is the runtime's
// decision; the draws see to it that each of its ways is met.
var convClasses = []microClass{
	convClass("conv3x3", 16, 3e6, 2.5e8, func(d *draw) convDraw {
		return convDraw{cin: d.channels(16, 640), cout: d.channels(16, 640), h: d.log(6, 120), kh: 3, kw: 3, act: d.pick(0, 1), depth: d.pick(1, 1, 2)}
	}),
	convClass("conv3x3sum", 6, 3e6, 2e8, func(d *draw) convDraw {
		c := d.channels(16, 512)
		return convDraw{cin: c, cout: c, h: d.log(6, 90), kh: 3, kw: 3, act: d.pick(0, 1), sum: 1, depth: d.pick(1, 2, 3)}
	}),
	convClass("conv1x1", 18, 1e6, 2e8, func(d *draw) convDraw {
		return convDraw{cin: d.channels(16, 1536), cout: d.channels(16, 1536), h: d.log(6, 120), kh: 1, kw: 1, act: d.pick(0, 1), depth: d.pick(1, 2, 3)}
	}),
	convClass("conv1x1sum", 6, 1e6, 1e8, func(d *draw) convDraw {
		c := d.channels(16, 640)
		return convDraw{cin: c, cout: c, h: d.log(6, 90), kh: 1, kw: 1, act: d.pick(0, 1), sum: 1, depth: d.pick(2, 3)}
	}),
	convClass("convbatch", 10, 2e7, 7e8, func(d *draw) convDraw {
		k := d.pick(1, 3)
		return convDraw{n: d.pick(2, 4, 8), cin: d.channels(16, 256), cout: d.channels(16, 256), h: d.log(14, 120), kh: k, kw: k, act: d.pick(0, 1)}
	}),
	convClass("convwide", 7, 3e6, 2e8, func(d *draw) convDraw {
		k := d.pick(5, 7)
		c := convDraw{cin: d.channels(16, 256), cout: d.channels(16, 256), h: d.log(6, 60), kh: k, kw: k, act: d.pick(0, 1)}
		switch d.pick(0, 1, 2) {
		case 0:
			c.kh = 1
		case 1:
			c.kw = 1
		}
		return c
	}),
	convClass("conv3x3s2", 7, 3e6, 2e8, func(d *draw) convDraw {
		return convDraw{cin: d.channels(16, 512), cout: d.channels(16, 512), h: d.log(9, 120), kh: 3, kw: 3, s: 2, act: d.pick(0, 1)}
	}),
	convClass("conv1x1s2", 7, 1e6, 1e8, func(d *draw) convDraw {
		return convDraw{cin: d.channels(16, 1024), cout: d.channels(16, 1024), h: d.log(9, 90), kh: 1, kw: 1, s: 2, act: d.pick(0, 1)}
	}),
	convClass("stem", 10, 3e6, 2.5e8, func(d *draw) convDraw {
		k := d.pick(3, 3, 5, 7, 9, 11)
		return convDraw{cin: d.pick(1, 2, 3, 3, 4, 6), cout: d.channels(16, 128), h: d.log(48, 300), kh: k, kw: k, s: d.pick(1, 2, 2, 3, 4), act: d.pick(0, 1)}
	}),
	convClass("patches", 5, 3e6, 3e8, func(d *draw) convDraw {
		k := d.pick(2, 4, 8, 12, 20)
		return convDraw{cin: d.pick(1, 3, 3, 16, 32), cout: d.channels(48, 640), h: k * d.log(5, 24), kh: k, kw: k, s: k}
	}),
	convClass("depthwise", 12, 2e5, 6e7, func(d *draw) convDraw {
		c := d.channels(16, 1152)
		k := d.pick(3, 3, 5, 7)
		return convDraw{cin: c, cout: c, g: c, h: d.log(6, 120), kh: k, kw: k, act: d.pick(0, 1), depth: d.pick(1, 2, 3)}
	}),
	convClass("depthwises2", 6, 1e5, 4e7, func(d *draw) convDraw {
		c := d.channels(16, 768)
		k := d.pick(3, 3, 5)
		return convDraw{cin: c, cout: c, g: c, h: d.log(10, 120), kh: k, kw: k, s: 2, act: d.pick(0, 1)}
	}),
	convClass("grouped", 7, 2e6, 1.5e8, func(d *draw) convDraw {
		g := d.pick(2, 3, 4, 8, 16, 32)
		return convDraw{cin: g * d.times(16, 16, 64), cout: g * d.times(16, 16, 64), g: g, h: d.log(6, 60), kh: 3, kw: 3, act: d.pick(0, 1)}
	}),
	convClass("groupedthin", 7, 1e6, 1e8, func(d *draw) convDraw {
		g := d.pick(2, 4, 8, 16, 32)
		return convDraw{cin: g * d.pick(2, 4, 6, 8, 12), cout: g * d.pick(2, 4, 6, 8, 12), g: g, h: d.log(6, 60), kh: 3, kw: 3, act: d.pick(0, 1)}
	}),
	convClass("dilated", 6, 3e6, 2e8, func(d *draw) convDraw {
		return convDraw{cin: d.channels(16, 384), cout: d.channels(16, 384), h: d.log(8, 80), kh: 3, kw: 3, dil: d.pick(2, 4, 6, 12, 18), act: d.pick(0, 1)}
	}),
	convClass("im2col", 10, 2e6, 1.5e8, func(d *draw) convDraw {
		odd := func() int64 { return d.log(16, 400)/4*4 + d.pick(1, 2, 3) } // no multiple of 4: the blocked layout does not take it
		k := d.pick(1, 1, 3, 3, 5)
		return convDraw{cin: odd(), cout: odd(), h: d.log(6, 90), kh: k, kw: k, s: d.pick(1, 1, 2), act: d.pick(0, 1)}
	}),
	convClass("depthwiseodd", 8, 5e4, 2e7, func(d *draw) convDraw {
		c := d.log(16, 400)/4*4 + d.pick(1, 2, 3)
		return convDraw{cin: c, cout: c, g: c, h: d.log(6, 80), kh: 3, kw: 3, s: d.pick(1, 2), act: d.pick(0, 1)}
	}),
	convClass("convcold", 9, 2e6, 3e8, func(d *draw) convDraw {
		k := d.pick(1, 3)
		return convDraw{cin: d.channels(192, 1024), cout: d.channels(192, 1024), h: d.log(2, 9), kh: k, kw: k, act: 1, depth: d.pick(4, 6, 8, 12)}
	}),
	conv1D,
	convTranspose,
}

var conv1D = microClass{
	name: "conv1d", keys: []string{"n", "cin", "cout", "l", "k", "s", "dil", "g", "act"}, count: 10,
	draw: func(d *draw) []int64 {
		cin, cout, g := d.log(1, 400), d.log(8, 400), int64(1)
		if d.pick(0, 0, 0, 1) == 1 {
			cout = cin
			g = cin
		}
		return []int64{1, cin, cout, d.log(32, 4000), d.pick(1, 3, 3, 5, 7, 9), d.pick(1, 1, 2), d.pick(1, 1, 1, 2, 4), g, d.pick(0, 1)}
	},
	fits: func(p micros) bool {
		if !p.within(1<<14, "n", "cin", "cout", "l", "k", "s", "dil", "g") {
			return false
		}
		if p["cin"]%p["g"] != 0 || p["cout"]%p["g"] != 0 || convOut(p["l"], p["k"], p["s"], p["dil"]) < 1 || p["k"] > 64 {
			return false
		}
		macs := p["n"] * p["cin"] / p["g"] * p["cout"] * p["k"]
		if macs > 1<<40 {
			return false
		}
		macs *= convOut(p["l"], p["k"], p["s"], p["dil"])
		return macs >= 1e5 && macs <= 1.5e8
	},
	build: func(m *micro, p micros) *onnx.Model {
		x := m.input(p["n"], p["cin"], p["l"])
		pad := p["dil"] * (p["k"] - 1) / 2
		y := m.op("Conv", []int64{p["n"], p["cout"], convOut(p["l"], p["k"], p["s"], p["dil"])},
			[]arg{x, m.weight(p["cin"]/p["g"]*p["k"], p["cout"], p["cin"]/p["g"], p["k"]), m.weight(1, p["cout"])},
			attrInts("kernel_shape", p["k"]), attrInts("strides", p["s"]), attrInts("dilations", p["dil"]), attrInt("group", p["g"]), attrInts("pads", pad, pad))
		if p["act"] == 1 {
			y = m.unary("Relu", y)
		}
		return m.model(y)
	},
}

var convTranspose = microClass{
	name: "convtranspose", keys: []string{"n", "cin", "cout", "h", "w", "k", "s", "act"}, count: 9,
	draw: func(d *draw) []int64 {
		s := d.pick(1, 2, 2, 2)
		h := d.log(4, 64)
		return []int64{1, d.log(8, 512), d.log(3, 384), h, h, s + d.pick(0, 1, 2, 2), s, d.pick(0, 1)}
	},
	fits: func(p micros) bool {
		if !p.within(1<<12, "n", "cin", "cout", "h", "w", "k", "s") {
			return false
		}
		macs := p["n"] * p["cin"] * p["cout"]
		if p["k"] > 16 || p["k"] < p["s"] || macs > 1<<28 || p["h"]*p["w"] > 1<<18 {
			return false
		}
		macs *= p["k"] * p["k"] * p["h"] * p["w"]
		return macs >= 1e6 && macs <= 1.5e8
	},
	build: func(m *micro, p micros) *onnx.Model {
		x := m.input(p["n"], p["cin"], p["h"], p["w"])
		pad := (p["k"] - p["s"]) / 2
		out := func(in int64) int64 { return (in-1)*p["s"] - 2*pad + p["k"] }
		y := m.op("ConvTranspose", []int64{p["n"], p["cout"], out(p["h"]), out(p["w"])},
			[]arg{x, m.weight(p["cin"], p["cin"], p["cout"], p["k"], p["k"]), m.weight(1, p["cout"])},
			attrInts("kernel_shape", p["k"], p["k"]), attrInts("strides", p["s"], p["s"]), attrInts("pads", pad, pad, pad, pad))
		if p["act"] == 1 {
			y = m.unary("Relu", y)
		}
		return m.model(y)
	},
}

// microClasses are all classes, in the order of a sweep.
var microClasses = slices.Concat(convClasses, matrixClasses, elementClasses, windowClasses, moveClasses, chainClasses, fusedClasses, blockClasses, restClasses)
