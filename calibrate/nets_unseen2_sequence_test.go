package calibrate

import "github.com/onnxcost/onnxcost/analyzer/onnx"

// A second set of unseen networks on tokens, sound, joints and tables.

// crnn is Shi and others 2015 on 32x100 pixels, as meijieru/crnn.pytorch builds it for 36 characters and a blank.
func crnn() *onnx.Model {
	m := newNet("crnn")
	x := m.image(1, 32, 100)
	tall := sliding{kernel: []int64{2, 2}, strides: []int64{2, 1}, pads: []int64{0, 1, 0, 1}}
	for i, c := range []int64{64, 128, 256, 256, 512, 512, 512} {
		k, pad := int64(3), int64(1)
		if i == 6 {
			k, pad = 2, 0
		}
		if x = m.slide(x, c, square(k, 1, pad), true); i == 2 || i == 4 || i == 6 {
			x = m.batchNorm(x)
		}
		switch x = m.unary("Relu", x); i {
		case 0, 1:
			x = m.pool("MaxPool", x, square(2, 2, 0))
		case 3, 5:
			x = m.pool("MaxPool", x, tall)
		}
	}
	x = permute(m, m.op("Squeeze", []int64{1, 512, x.dims[3]}, []arg{x, m.ints(2)}), []int64{2, 0, 1})
	for _, n := range []int64{256, 37} {
		x = m.linear(m.sideBySide(m.bidirectional("LSTM", 4, x, 256)), n)
	}
	return m.net(m.unary("LogSoftmax", permute(m, x, []int64{1, 0, 2}), attrInt("axis", -1)))
}

// keywordCRNN is the network of Arik and others 2017 with 229 thousand parameters: 1.5 seconds of 40 mel bands, one
// convolution, and two bidirectional GRU layers of 32.
func keywordCRNN() *onnx.Model {
	m := newNet("kws")
	w := sliding{kernel: []int64{20, 5}, strides: []int64{8, 2}, pads: []int64{6, 1, 7, 2}}
	x := m.unary("Relu", m.slide(m.image(1, 151, 40), 32, w, true))
	steps, wide := x.dims[2], 32*x.dims[3]
	x = m.op("Reshape", []int64{steps, 1, wide}, []arg{permute(m, x, []int64{2, 0, 1, 3}), m.ints(steps, -1, wide)})
	for range 2 {
		x = m.sideBySide(m.bidirectional("GRU", 3, x, 32, attrInt("linear_before_reset", 1)))
	}
	x = m.unary("Relu", m.dense(m.flatten(permute(m, x, []int64{1, 0, 2})), 64))
	return m.net(m.unary("Softmax", m.dense(x, 2), attrInt("axis", -1)))
}

// convTasNet is the noncausal network of Luo and Mesgarani 2019 with N=128, L=40, B=128, H=256, Sc=128, P=3, X=7 and R=2,
// for two speakers in one second at 8 kHz; its normalisation over channels and time is written in parts. The paper counts 1.5
// million parameters; of the 1,472,157, 32,896 belong to what the last block would pass on and nothing reads.
func convTasNet() *onnx.Model {
	const filters, taps, hop, narrow, wide, samples = 128, 40, 20, 128, 256, 8000
	m := newNet("convtasnet")
	point := func(x arg, c int64) arg { return m.slide(x, c, sliding{kernel: []int64{1}}, true) }
	prelu := func(x arg) arg { return m.op("PRelu", x.dims, []arg{x, m.positive(1)}) }
	norm := func(x arg) arg {
		mean := func(x arg) arg {
			return m.op("ReduceMean", []int64{1, 1, 1}, []arg{x}, attrInts("axes", 1, 2), attrInt("keepdims", 1))
		}
		diff := m.op("Sub", x.dims, []arg{x, mean(x)})
		variance := mean(m.op("Pow", x.dims, []arg{diff, m.scalar(2)}))
		deviation := m.unary("Sqrt", m.op("Add", variance.dims, []arg{variance, m.scalar(1e-8)}))
		y := m.op("Mul", x.dims, []arg{m.positive(x.dims[1], 1), m.op("Div", x.dims, []arg{diff, deviation})})
		return m.add(y, m.weight(1, x.dims[1], 1))
	}
	sound := m.raw(onnx.Float32, 1, 1, samples)
	code := m.unary("Relu", m.slide(sound, filters, sliding{kernel: []int64{taps}, strides: []int64{hop}}, false))
	steps := code.dims[2]
	x := point(norm(code), narrow)
	var sum *arg
	for stack := range 2 {
		for d := int64(1); d <= 64; d *= 2 {
			w := sliding{kernel: []int64{3}, dilations: []int64{d}, pads: []int64{d, d}, group: wide}
			y := norm(prelu(m.slide(norm(prelu(point(x, wide))), wide, w, true)))
			skip := point(y, narrow)
			if sum != nil {
				skip = m.add(*sum, skip)
			}
			sum = &skip
			if stack == 0 || d < 64 {
				x = m.add(x, point(y, narrow))
			}
		}
	}
	mask := m.reshape(m.unary("Sigmoid", point(prelu(*sum), 2*filters)), 1, 2, filters, steps)
	one := m.op("Unsqueeze", []int64{1, 1, filters, steps}, []arg{code, m.ints(1)})
	both := m.op("Mul", mask.dims, []arg{mask, one})
	both = m.op("Reshape", []int64{2, filters, steps}, []arg{both, m.ints(-1, filters, steps)})
	y := m.op("ConvTranspose", []int64{2, 1, samples}, []arg{both, m.weight(filters, filters, 1, taps)},
		attrInts("kernel_shape", taps), attrInts("strides", hop))
	return m.net(m.reshape(y, 1, 2, samples))
}

// mobileBERT is Sun and others 2020 over 128 tokens, as transformers builds MobileBertModel for google/mobilebert-uncased:
// 24 narrow layers between linear layers, four small feed-forward networks in each, and scales in place of normalisation.
func mobileBERT() *onnx.Model {
	const seq, embedded, wide, narrow = 128, 128, 512, 128
	m := newNet("mobilebert")
	ids, mask, types := m.raw(onnx.Int64, 1, seq), m.raw(onnx.Int64, 1, seq), m.raw(onnx.Int64, 1, seq)
	scale := func(x arg) arg {
		n := x.dims[2]
		return m.add(m.op("Mul", x.dims, []arg{x, m.positive(n)}), m.weight(1, n))
	}
	shift := func(x arg, from, before, after int64) arg {
		y := m.op("Slice", []int64{1, seq - 1, embedded}, []arg{x, m.ints(from), m.ints(from + seq - 1), m.ints(1)})
		return m.op("Pad", x.dims, []arg{y, m.ints(0, before, 0, 0, after, 0)})
	}
	e := m.rows(30522, embedded, ids)
	x := m.linear(m.join(2, shift(e, 1, 0, 1), e, shift(e, 0, 1, 0)), wide)
	x = scale(m.add(m.add(x, m.rows(512, wide, m.positions(seq))), m.rows(2, wide, types)))
	bias := m.maskBias(mask)
	for range 24 {
		in, shared := scale(m.linear(x, narrow)), scale(m.linear(x, narrow))
		a := m.attend(m.linear(shared, narrow), m.linear(shared, narrow), m.linear(x, narrow), 4, &bias)
		y := scale(m.add(m.linear(a, narrow), in))
		for range 4 {
			y = scale(m.add(m.linear(m.unary("Relu", m.linear(y, wide)), narrow), y))
		}
		x = scale(m.add(m.linear(y, wide), x))
	}
	return m.heads(x, m.op("Gather", []int64{1, wide}, []arg{x, m.index(0)}, attrInt("axis", 1)))
}

// t5Encoder is the encoder of the small T5 of Raffel and others 2020 over 64 tokens, without a mask.
func t5Encoder() *onnx.Model {
	const seq, width, heads = 64, 512, 8
	m := newNet("t5")
	norm := func(x arg) arg {
		mean := m.op("ReduceMean", []int64{1, seq, 1}, []arg{m.op("Pow", x.dims, []arg{x, m.scalar(2)})}, attrInts("axes", -1), attrInt("keepdims", 1))
		root := m.unary("Sqrt", m.op("Add", mean.dims, []arg{mean, m.scalar(1e-6)}))
		y := m.op("Mul", x.dims, []arg{x, m.op("Div", root.dims, []arg{m.scalar(1), root})})
		return m.op("Mul", x.dims, []arg{m.positive(width), y})
	}
	x := m.rows(32128, width, m.raw(onnx.Int64, 1, seq))
	// The bucket of a distance: exact to 7, then by its logarithm up to 128, of either sign.
	buckets := make([]int64, seq*seq)
	edges := []int64{8, 12, 16, 23, 32, 46, 64, 91}
	for i := range buckets {
		d := int64(i%seq - i/seq)
		if d > 0 {
			buckets[i] = 16
		}
		if d = max(d, -d); d < 8 {
			buckets[i] += d
			continue
		}
		buckets[i] += 7
		for _, e := range edges {
			if d >= e {
				buckets[i]++
			}
		}
	}
	grid := m.op("Reshape", []int64{seq, seq}, []arg{m.ints(buckets...), m.ints(seq, seq)})
	bias := m.op("Unsqueeze", []int64{1, heads, seq, seq}, []arg{permute(m, m.rows(32, heads, grid), []int64{2, 0, 1}), m.ints(0)})
	for range 6 {
		y := norm(x)
		a := m.attention(m.project(y, width), m.project(y, width), m.project(y, width), heads, func(s arg) arg { return m.add(s, bias) })
		x = m.add(x, m.project(a, width))
		x = m.add(x, m.project(m.unary("Relu", m.project(norm(x), 2048)), width))
	}
	return m.net(norm(x))
}

// sasRec is Kang and McAuley 2018 for the 3416 items of MovieLens-1M, as pmixer/SASRec.pytorch builds it: 200 items of 50
// numbers, two causal layers of one head, and the score of every item.
func sasRec() *onnx.Model {
	const seq, width, items = 200, 50, 3416
	m := newNet("sasrec")
	ids := m.raw(onnx.Int64, 1, seq)
	table := m.weight(width, items+1, width)
	x := m.op("Gather", []int64{1, seq, width}, []arg{table, ids}, attrInt("axis", 0))
	x = m.op("Mul", x.dims, []arg{x, m.scalar(7.0710678)})
	x = m.add(x, m.rows(seq, width, m.positions(seq)))
	there := m.op("Not", ids.dims, []arg{m.op("Equal", ids.dims, []arg{ids, m.index(0)})})
	there = m.op("Unsqueeze", []int64{1, seq, 1}, []arg{m.unary("Cast", there, attrInt("to", int64(onnx.Float32))), m.ints(2)})
	keep := func(x arg) arg { return m.op("Mul", x.dims, []arg{x, there}) }
	bias := m.causal(seq)
	point := func(x arg) arg { return m.slide(x, width, sliding{kernel: []int64{1}}, true) }
	x = keep(x)
	for range 2 {
		q := m.layerNorm(x)
		a := m.attend(m.linear(q, width), m.linear(x, width), m.linear(x, width), 1, &bias)
		y := m.layerNorm(m.add(q, m.linear(a, width)))
		f := permute(m, point(m.unary("Relu", point(permute(m, y, []int64{0, 2, 1})))), []int64{0, 2, 1})
		x = keep(m.add(f, y))
	}
	last := m.op("Gather", []int64{1, width}, []arg{m.layerNorm(x), m.index(-1)}, attrInt("axis", 1))
	return m.net(m.op("Gemm", []int64{1, items + 1}, []arg{last, table}, attrInt("transB", 1)))
}

// deepCross is the Deep & Cross network of Wang and others 2017 for Criteo after its embeddings: 1026 numbers, six cross
// layers beside two of 1024.
func deepCross() *onnx.Model {
	const width = 1026
	m := newNet("dcn")
	x0 := m.raw(onnx.Float32, 1, width)
	x := x0
	for range 6 {
		y := m.op("Mul", x.dims, []arg{x0, m.project(x, 1)})
		x = m.add(m.add(y, m.weight(1, width)), x)
	}
	y := x0
	for range 2 {
		y = m.unary("Relu", m.batchNorm(m.dense(y, 1024)))
	}
	return m.net(m.unary("Sigmoid", m.dense(m.join(1, x, y), 1)))
}

// stGCN is Yan and others 2018 with the spatial partition, for one skeleton of 25 joints over 64 frames and the 60 classes
// of NTU RGB+D.
func stGCN() *onnx.Model {
	const frames, joints, parts = 64, 25, 3
	m := newNet("stgcn")
	x := permute(m, m.image(3, frames, joints), []int64{0, 3, 1, 2})
	x = m.batchNorm(m.reshape(x, 1, joints*3, frames))
	x = permute(m, m.reshape(x, 1, joints, 3, frames), []int64{0, 2, 3, 1})
	links := m.positive(parts, joints, joints)
	for i, c := range []int64{64, 64, 64, 64, 128, 128, 128, 256, 256, 256} {
		s := int64(1)
		if i > 0 && c > x.dims[1] {
			s = 2
		}
		weighted := m.op("Mul", links.dims, []arg{links, m.positive(parts, joints, joints)})
		y := m.slide(x, parts*c, square(1, 1, 0), true)
		y = m.reshape(y, 1, parts, c, y.dims[2], joints)
		y = m.op("Einsum", []int64{1, c, y.dims[3], joints}, []arg{y, weighted}, attrString("equation", "nkctv,kvw->nctw"))
		y = m.unary("Relu", m.batchNorm(y))
		w := sliding{kernel: []int64{9, 1}, strides: []int64{s, 1}, pads: []int64{4, 0, 4, 0}}
		y = m.batchNorm(m.slide(y, c, w, true))
		switch {
		case i == 0:
		case s == 2:
			w := sliding{kernel: []int64{1, 1}, strides: []int64{2, 1}}
			y = m.add(y, m.batchNorm(m.slide(x, c, w, true)))
		default:
			y = m.add(y, x)
		}
		x = m.unary("Relu", y)
	}
	return m.net(m.flatten(m.slide(m.pooled(x), 60, square(1, 1, 0), true)))
}

// quartzNet5x5 is Kriman and others 2020 over two seconds of 64 mel bands: separable convolutions in time.
func quartzNet5x5() *onnx.Model {
	m := newNet("quartznet")
	point := func(x arg, c int64) arg { return m.batchNorm(m.slide(x, c, sliding{kernel: []int64{1}}, false)) }
	separable := func(x arg, c, k, s, dilation int64) arg {
		pad := dilation * (k - 1) / 2
		w := sliding{kernel: []int64{k}, strides: []int64{s}, dilations: []int64{dilation}, pads: []int64{pad, pad}, group: x.dims[1]}
		return point(m.slide(x, x.dims[1], w, false), c)
	}
	x := m.unary("Relu", separable(m.raw(onnx.Float32, 1, 64, 200), 256, 33, 2, 1))
	for _, l := range []struct{ k, c int64 }{{33, 256}, {39, 256}, {51, 512}, {63, 512}, {75, 512}} {
		y := x
		for i := range 5 {
			if i > 0 {
				y = m.unary("Relu", y)
			}
			y = separable(y, l.c, l.k, 1, 1)
		}
		x = m.unary("Relu", m.add(y, point(x, l.c)))
	}
	x = m.unary("Relu", point(m.unary("Relu", separable(x, 512, 87, 1, 2)), 1024))
	x = m.slide(x, 29, sliding{kernel: []int64{1}}, true)
	return m.net(m.unary("LogSoftmax", permute(m, x, []int64{0, 2, 1}), attrInt("axis", -1)))
}
