package calibrate

import "github.com/onnxcost/onnxcost/analyzer/onnx"

// gemmFits wants between lo and hi multiply-accumulates in all layers.
func gemmFits(p micros, lo, hi int64) bool {
	for _, k := range []string{"b", "m", "k", "n", "depth"} {
		if v, ok := p[k]; ok && (v < 1 || v > 1<<14) {
			return false
		}
	}
	macs := max(1, p["b"]) * p["m"] * p["k"]
	if macs > 1<<34 || p["k"]*p["n"] > 1<<26 {
		return false
	}
	macs *= p["n"] * max(1, p["depth"])
	return macs >= lo && macs <= hi
}

// gemmBuild is a chain of Gemm nodes with bias, k→n→k→…
func gemmBuild(m *micro, p micros) *onnx.Model {
	x := m.input(p["m"], p["k"])
	for i := range p["depth"] {
		n := p["n"]
		if i%2 == 1 {
			n = p["k"]
		}
		k := x.dims[1]
		w := m.weight(k, k, n)
		if p["t"] == 1 {
			w = m.weight(k, n, k)
		}
		x = m.op("Gemm", []int64{p["m"], n}, []arg{x, w, m.weight(1, n)}, attrInt("transB", p["t"]))
		if p["act"] == 1 {
			x = m.unary("Relu", x)
		}
	}
	return m.model(x)
}

var gemmKeys = []string{"m", "k", "n", "t", "act", "depth"}

// matrixClasses are products of matrices and what is made of them. In gemv and gemvcold the weights decide: one layer
// whose weights stay in the cache, and several that push each other out of it.
var matrixClasses = []microClass{
	{
		name: "gemv", keys: gemmKeys, count: 10, build: gemmBuild,
		draw: func(d *draw) []int64 {
			return []int64{1, d.log(48, 3000), d.log(48, 3000), 1, d.pick(0, 1), d.pick(1, 2)}
		},
		fits: func(p micros) bool { return gemmFits(p, 2e4, 6e6) },
	},
	{
		name: "gemvcold", keys: gemmKeys, count: 8, build: gemmBuild,
		draw: func(d *draw) []int64 {
			return []int64{1, d.log(700, 5000), d.log(700, 5000), 1, d.pick(0, 1), d.pick(2, 3, 4, 6)}
		},
		fits: func(p micros) bool { return gemmFits(p, 2e6, 3.2e7) },
	},
	{ // between two runs, a stream of e thousand elements pushes the weights out as the rest of a network does
		name: "gemvstream", keys: []string{"m", "k", "n", "e"}, count: 10,
		draw: func(d *draw) []int64 { return []int64{1, d.log(500, 3000), d.log(500, 3000), d.log(100, 4000)} },
		fits: func(p micros) bool { return gemmFits(p, 8e5, 5e6) && p["e"] >= 1 && p["e"] <= 1<<13 },
		build: func(m *micro, p micros) *onnx.Model {
			y := m.op("Gemm", []int64{1, p["n"]}, []arg{m.input(1, p["k"]), m.weight(p["k"], p["n"], p["k"]), m.weight(1, p["n"])}, attrInt("transB", 1))
			return m.model(y, m.unary("Neg", m.input(1, 1000*p["e"])))
		},
	},
	{
		name: "gemm", keys: gemmKeys, count: 10, build: gemmBuild,
		draw: func(d *draw) []int64 {
			return []int64{d.log(2, 600), d.log(32, 2500), d.log(32, 2500), d.pick(0, 1), d.pick(0, 1), d.pick(1, 2)}
		},
		fits: func(p micros) bool { return gemmFits(p, 5e5, 2e8) },
	},
	{
		name: "matmul", keys: []string{"b", "m", "k", "n", "bias", "depth"}, count: 14,
		draw: func(d *draw) []int64 {
			return []int64{d.pick(1, 1, 2, 4), d.log(4, 600), d.log(24, 2500), d.log(24, 2500), d.pick(0, 1), d.pick(1, 2)}
		},
		fits:  func(p micros) bool { return gemmFits(p, 5e5, 2e8) },
		build: matmulBuild,
	},
	{ // as many rows as batches of token sequences have
		name: "matmultall", keys: []string{"b", "m", "k", "n", "bias", "depth"}, count: 8,
		draw: func(d *draw) []int64 {
			return []int64{1, d.log(600, 6000), d.log(48, 1500), d.log(48, 2500), d.pick(0, 1), 1}
		},
		fits:  func(p micros) bool { return gemmFits(p, 5e7, 7e8) },
		build: matmulBuild,
	},
	{
		name: "matmulcold", keys: []string{"b", "m", "k", "n", "bias", "depth"}, count: 6,
		draw: func(d *draw) []int64 {
			return []int64{1, d.log(4, 40), d.log(600, 2600), d.log(600, 2600), 1, d.pick(3, 4, 6)}
		},
		fits:  func(p micros) bool { return gemmFits(p, 3e7, 3e8) },
		build: matmulBuild,
	},
	{
		name: "batched", keys: []string{"b", "m", "k", "n"}, count: 10,
		draw: func(d *draw) []int64 { return []int64{d.log(2, 64), d.log(8, 300), d.log(8, 300), d.log(8, 300)} },
		fits: func(p micros) bool { return gemmFits(p, 2e5, 1e8) },
		build: func(m *micro, p micros) *onnx.Model {
			x, y := m.input(p["b"], p["m"], p["k"]), m.input(p["b"], p["k"], p["n"])
			return m.model(m.op("MatMul", []int64{p["b"], p["m"], p["n"]}, []arg{x, y}))
		},
	},
	recurrent("rnn", "RNN", 1), recurrent("gru", "GRU", 3), recurrent("lstm", "LSTM", 4),
}

func matmulBuild(m *micro, p micros) *onnx.Model {
	x := m.input(p["b"], p["m"], p["k"])
	for i := range p["depth"] {
		n := p["n"]
		if i%2 == 1 {
			n = p["k"]
		}
		k := x.dims[2]
		x = m.op("MatMul", []int64{p["b"], p["m"], n}, []arg{x, m.weight(k, k, n)})
		if p["bias"] == 1 {
			x = m.op("Add", x.dims, []arg{x, m.weight(1, n)})
		}
	}
	return m.model(x)
}

// recurrent is a recurrent cell: t steps, batch n, input i, hidden h, one direction or both.
func recurrent(name, op string, gates int64) microClass {
	return microClass{
		name: name, keys: []string{"t", "n", "i", "h", "dirs"}, count: 14,
		draw: func(d *draw) []int64 {
			return []int64{d.log(4, 120), d.pick(1, 1, 1, 2, 4, 8), d.log(16, 700), d.log(24, 700), d.pick(1, 1, 2)}
		},
		fits: func(p micros) bool {
			if !p.within(1<<12, "t", "n", "i", "h", "dirs") {
				return false
			}
			macs := p["t"] * p["n"] * gates * p["h"] * (p["i"] + p["h"])
			return p["dirs"] <= 2 && macs >= 2e5 && macs*p["dirs"] <= 8e7
		},
		build: func(m *micro, p micros) *onnx.Model {
			h, dirs := p["h"], p["dirs"]
			x := m.input(p["t"], p["n"], p["i"])
			bias := m.weight(1, dirs, 2*gates*h)
			if op == "RNN" {
				bias = m.weight(1, dirs, 2*h)
			}
			direction := "forward"
			if dirs == 2 {
				direction = "bidirectional"
			}
			y := m.op(op, []int64{p["t"], dirs, p["n"], h},
				[]arg{x, m.weight(h, dirs, gates*h, p["i"]), m.weight(h, dirs, gates*h, h), bias},
				attrInt("hidden_size", h), attrString("direction", direction))
			return m.model(y)
		},
	}
}
