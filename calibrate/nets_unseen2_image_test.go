package calibrate

import "github.com/onnxcost/onnxcost/analyzer/onnx"

// A second set of unseen networks on images.

// inverted is an inverted residual: expansion, one filter per channel, a linear projection, and a sum where nothing
// changed size.
func (m *micro) inverted(x arg, c, expand, k, s int64, activation string) arg {
	in, y := x.dims[1], x
	if expand > 1 {
		y = m.block(y, in*expand, 1, 1, 1, activation)
	}
	y = m.block(m.block(y, in*expand, k, s, in*expand, activation), c, 1, 1, 1, "")
	if s == 1 && c == in {
		y = m.add(y, x)
	}
	return y
}

// invertedStage is n inverted residuals, the first with a stride.
type invertedStage struct{ expand, k, s, c, n int64 }

func (m *micro) invertedStages(x arg, activation string, stages ...invertedStage) arg {
	for _, l := range stages {
		x = m.inverted(x, l.c, l.expand, l.k, l.s, activation)
		for range l.n - 1 {
			x = m.inverted(x, l.c, l.expand, l.k, 1, activation)
		}
	}
	return x
}

// mnasNet05 is Tan and others 2019 at width 0.5, as torchvision's mnasnet0_5.
func mnasNet05() *onnx.Model {
	m := newNet("mnasnet")
	x := m.block(m.block(m.image(3, 224, 224), 16, 3, 2, 1, "Relu"), 16, 3, 1, 16, "Relu")
	x = m.invertedStages(m.block(x, 8, 1, 1, 1, ""), "Relu",
		invertedStage{3, 3, 2, 16, 3}, invertedStage{3, 5, 2, 24, 3}, invertedStage{6, 5, 2, 40, 3},
		invertedStage{6, 3, 1, 48, 2}, invertedStage{6, 5, 2, 96, 4}, invertedStage{6, 3, 1, 160, 1})
	return m.classify(m.block(x, 1280, 1, 1, 1, "Relu"), 1000)
}

// efficientNetLite0 is the EfficientNet-B0 of Tan and Le 2019 without gates and with Relu6, as timm's efficientnet_lite0.
func efficientNetLite0() *onnx.Model {
	m := newNet("efficientnetlite")
	x := m.invertedStages(m.block(m.image(3, 224, 224), 32, 3, 2, 1, "Relu6"), "Relu6",
		invertedStage{1, 3, 1, 16, 1}, invertedStage{6, 3, 2, 24, 2}, invertedStage{6, 5, 2, 40, 2}, invertedStage{6, 3, 2, 80, 3},
		invertedStage{6, 5, 1, 112, 3}, invertedStage{6, 5, 2, 192, 4}, invertedStage{6, 3, 1, 320, 1})
	return m.classify(m.block(x, 1280, 1, 1, 1, "Relu6"), 1000)
}

// shuffleNetV1 is Zhang and others 2018 with three groups at width 1, as its authors build it.
func shuffleNetV1() *onnx.Model {
	const groups = 3
	m := newNet("shufflenet")
	shuffle := func(x arg) arg {
		y := m.reshape(x, 1, groups, x.dims[1]/groups, x.dims[2], x.dims[3])
		return m.reshape(permute(m, y, []int64{0, 2, 1, 3, 4}), x.dims...)
	}
	x := m.pool("MaxPool", m.block(m.image(3, 224, 224), 24, 3, 2, 1, "Relu"), square(3, 2, 1))
	for i, n := range []int{4, 8, 4} {
		c := int64(240) << i
		for j := range n {
			first, s, out := int64(groups), int64(1), c
			if j == 0 {
				s, out = 2, c-x.dims[1]
				if i == 0 {
					first = 1
				}
			}
			y := shuffle(m.block(x, c/4, 1, 1, first, "Relu"))
			y = m.block(m.block(y, c/4, 3, s, c/4, ""), out, 1, 1, groups, "")
			if j == 0 {
				x = m.join(1, m.pool("AveragePool", x, square(3, 2, 1)), m.unary("Relu", y))
			} else {
				x = m.unary("Relu", m.add(x, y))
			}
		}
	}
	x = m.flatten(m.pooled(x))
	return m.net(m.project(x, 1000))
}

// convNeXtAtto is the smallest ConvNeXt of Liu and others 2022 as timm's convnext_atto: linear layers are convolutions,
// and layer normalisation sees channels last.
func convNeXtAtto() *onnx.Model {
	m := newNet("convnext")
	norm := func(x arg) arg {
		return permute(m, m.layerNorm(permute(m, x, []int64{0, 2, 3, 1})), []int64{0, 3, 1, 2})
	}
	x := norm(m.slide(m.image(3, 224, 224), 40, square(4, 4, 0), true))
	for i, n := range []int{2, 2, 6, 2} {
		c := int64(40) << i
		if i > 0 {
			x = m.slide(norm(x), c, square(2, 2, 0), true)
		}
		for range n {
			w := square(7, 1, 3)
			w.group = c
			y := gelu(m, m.slide(norm(m.slide(x, c, w, true)), 4*c, square(1, 1, 0), true))
			y = m.slide(y, c, square(1, 1, 0), true)
			x = m.add(m.op("Mul", y.dims, []arg{y, m.weight(100, c, 1, 1)}), x)
		}
	}
	return m.net(m.dense(m.flatten(norm(m.pooled(x))), 1000))
}

// darknet19 is the classifier of Redmon and Farhadi 2017.
func darknet19() *onnx.Model {
	m := newNet("darknet19")
	x := m.image(3, 224, 224)
	for i, n := range []int{1, 1, 3, 3, 5, 5} {
		if i > 0 {
			x = m.pool("MaxPool", x, square(2, 2, 0))
		}
		for j := range n {
			if c := int64(32) << i; j%2 == 0 {
				x = m.block(x, c, 3, 1, 1, "LeakyRelu")
			} else {
				x = m.block(x, c/2, 1, 1, 1, "LeakyRelu")
			}
		}
	}
	x = m.flatten(m.pooled(m.slide(x, 1000, square(1, 1, 0), true)))
	return m.net(m.unary("Softmax", x, attrInt("axis", -1)))
}

// wideResNet28x2 is WRN-28-2 of Zagoruyko and Komodakis 2016 on 32x32, which normalises before it convolves.
func wideResNet28x2() *onnx.Model {
	m := newNet("wrn")
	before := func(x arg) arg { return m.unary("Relu", m.batchNorm(x)) }
	x := m.slide(m.image(3, 32, 32), 16, square(3, 1, 1), false)
	for i := range 3 {
		c := int64(32) << i
		for j := range 4 {
			s := int64(1)
			if i > 0 && j == 0 {
				s = 2
			}
			y := before(x)
			if j == 0 {
				x = m.slide(y, c, square(1, s, 0), false)
			}
			y = m.slide(before(m.slide(y, c, square(3, s, 1), false)), c, square(3, 1, 1), false)
			x = m.add(x, y)
		}
	}
	return m.classify(before(x), 10)
}

// pilotNet is Bojarski and others 2016.
func pilotNet() *onnx.Model {
	m := newNet("pilotnet")
	x := m.image(3, 66, 200)
	for _, l := range []struct{ c, k, s int64 }{{24, 5, 2}, {36, 5, 2}, {48, 5, 2}, {64, 3, 1}, {64, 3, 1}} {
		x = m.unary("Relu", m.slide(x, l.c, square(l.k, l.s, 0), true))
	}
	x = m.flatten(x)
	for _, n := range []int64{100, 50, 10} {
		x = m.unary("Relu", m.dense(x, n))
	}
	return m.net(m.dense(x, 1))
}

// voxNet is Maturana and Scherer 2015 on a 32x32x32 occupancy grid, for the 40 classes of ModelNet40.
func voxNet() *onnx.Model {
	cube := func(k, s int64) sliding { return sliding{kernel: []int64{k, k, k}, strides: []int64{s, s, s}} }
	m := newNet("voxnet")
	x := m.act(m.slide(m.raw(onnx.Float32, 1, 1, 32, 32, 32), 32, cube(5, 2), true), "LeakyRelu")
	x = m.pool("MaxPool", m.act(m.slide(x, 32, cube(3, 1), true), "LeakyRelu"), cube(2, 2))
	return m.net(m.unary("Softmax", m.dense(m.unary("Relu", m.dense(m.flatten(x), 128)), 40), attrInt("axis", -1)))
}

// dcganDiscriminator judges 64x64 images, Radford and others 2016 as pytorch/examples builds it.
func dcganDiscriminator() *onnx.Model {
	m := newNet("discriminator")
	x := m.image(3, 64, 64)
	for c := int64(64); c <= 512; c *= 2 {
		x = m.slide(x, c, square(4, 2, 1), false)
		if c > 64 {
			x = m.batchNorm(x)
		}
		x = m.unary("LeakyRelu", x, onnx.Attribute{Name: "alpha", Type: onnx.AttrFloat, F: 0.2})
	}
	return m.net(m.flatten(m.unary("Sigmoid", m.slide(x, 1, square(4, 1, 0), false))))
}

// linkNet is Chaurasia and Culurciello 2017: the stages of a ResNet-18 and decoders that add what the encoders had.
func linkNet() *onnx.Model {
	m := newNet("linknet")
	norm := func(x arg) arg { return m.unary("Relu", m.batchNorm(x)) }
	stages := resNet18Stages(m, m.image(3, 256, 256))
	x := stages[3]
	for i := 3; i >= 0; i-- {
		c := stages[max(0, i-1)].dims[1]
		x = m.block(x, x.dims[1]/4, 1, 1, 1, "Relu")
		if i > 0 {
			x = norm(m.deconv(x, x.dims[1], 3, 2, 1, 1, false))
		} else { // the first stage has the size of the pool before it
			x = norm(m.deconv(x, x.dims[1], 3, 1, 1, 0, false))
		}
		if x = m.block(x, c, 1, 1, 1, "Relu"); i > 0 {
			x = m.add(x, stages[i-1])
		}
	}
	x = m.block(norm(m.deconv(x, 32, 3, 2, 1, 1, false)), 32, 3, 1, 1, "Relu")
	return m.net(m.deconv(x, 20, 2, 2, 0, 0, true))
}

// segNetBasic is the small network of Badrinarayanan and others 2017: the decoder puts values back where the maxima were.
// The paper counts 1.425 million parameters, this has 1,416,587.
func segNetBasic() *onnx.Model {
	const depth = 4
	m := newNet("segnet")
	x := m.unary("LRN", m.image(3, 96, 128), attrInt("size", 5))
	var places [depth]arg
	for i := range depth {
		x = m.unary("Relu", m.batchNorm(m.slide(x, 64, square(7, 1, 3), true)))
		dims, a := square(2, 2, 0).out(x)
		half := append([]int64{1, 64}, dims...)
		both := m.ops("MaxPool", [][]int64{half, half}, []arg{x}, a...)
		x, places[i] = both[0], both[1]
	}
	for i := depth - 1; i >= 0; i-- {
		full := []int64{1, 64, 2 * x.dims[2], 2 * x.dims[3]}
		x = m.op("MaxUnpool", full, []arg{x, places[i]}, attrInts("kernel_shape", 2, 2), attrInts("strides", 2, 2))
		x = m.batchNorm(m.slide(x, 64, square(7, 1, 3), true))
	}
	return m.net(m.unary("Softmax", m.slide(x, 11, square(1, 1, 0), true), attrInt("axis", 1)))
}

// fastSCNN is Poudel and others 2019 on a crop of 384x384, where the grids of its pyramid divide the map. The paper counts
// 1.11 million parameters, this has 1,137,795: it does not say how wide the branches of the pyramid are, here 32.
func fastSCNN() *onnx.Model {
	m := newNet("fastscnn")
	separable := func(x arg, c, s int64) arg {
		return m.block(m.block(x, x.dims[1], 3, s, x.dims[1], "Relu"), c, 1, 1, 1, "Relu")
	}
	fine := separable(separable(m.block(m.image(3, 384, 384), 32, 3, 2, 1, "Relu"), 48, 2), 64, 2)
	x := m.invertedStages(fine, "Relu", invertedStage{6, 3, 2, 64, 3}, invertedStage{6, 3, 2, 96, 3}, invertedStage{6, 3, 1, 128, 3})
	parts := []arg{x}
	for _, grid := range []int64{1, 2, 3, 6} {
		k := x.dims[2] / grid
		y := m.block(m.pool("AveragePool", x, square(k, k, 0)), 32, 1, 1, 1, "Relu")
		parts = append(parts, m.resize(y, k, "linear"))
	}
	x = m.resize(m.block(m.join(1, parts...), 128, 1, 1, 1, "Relu"), 4, "linear")
	w := square(3, 1, 4)
	w.group, w.dilations = 128, []int64{4, 4}
	x = m.block(m.unary("Relu", m.batchNorm(m.slide(x, 128, w, false))), 128, 1, 1, 1, "")
	x = m.unary("Relu", m.add(m.block(fine, 128, 1, 1, 1, ""), x))
	x = m.slide(separable(separable(x, 128, 1), 128, 1), 19, square(1, 1, 0), true)
	return m.net(m.resize(x, 8, "linear"))
}

// blazeFace is Bazarevsky and others 2019 with 3x3 filters, as MediaPipe's model for the front camera.
func blazeFace() *onnx.Model {
	m := newNet("blazeface")
	x := m.image(3, 128, 128)
	x = m.unary("Relu", m.slide(x, 24, sliding{kernel: []int64{5, 5}, strides: []int64{2, 2}, pads: []int64{1, 1, 2, 2}}, true))
	step := func(c, s int64) {
		in, w := x.dims[1], square(3, 1, 1)
		if s == 2 {
			w = sliding{kernel: []int64{3, 3}, strides: []int64{2, 2}, pads: []int64{0, 0, 1, 1}}
		}
		w.group = in
		y := m.slide(m.slide(x, in, w, true), c, square(1, 1, 0), true)
		if s == 2 {
			x = m.pool("MaxPool", x, square(2, 2, 0))
		}
		if c > in {
			x = m.op("Pad", y.dims, []arg{x, m.ints(0, 0, 0, 0, 0, c-in, 0, 0)})
		}
		x = m.unary("Relu", m.add(y, x))
	}
	for _, l := range []struct{ c, s int64 }{{24, 1}, {28, 1}, {32, 2}, {36, 1}, {42, 1}, {48, 2}, {56, 1}, {64, 1}, {72, 1}, {80, 1}, {88, 1}} {
		step(l.c, l.s)
	}
	fine := x
	for _, s := range []int64{2, 1, 1, 1, 1} {
		step(96, s)
	}
	head := func(x arg, anchors, each int64) arg {
		y := permute(m, m.slide(x, anchors*each, square(1, 1, 0), true), []int64{0, 2, 3, 1})
		return m.reshape(y, 1, y.elements()/each, each)
	}
	return m.heads(m.join(1, head(fine, 2, 1), head(x, 6, 1)), m.join(1, head(fine, 2, 16), head(x, 6, 16)))
}

// edsrBaseline is EDSR of Lim and others 2017, the baseline, from 48x48 to twice the size.
func edsrBaseline() *onnx.Model {
	m := newNet("edsr")
	conv := func(x arg, c int64) arg { return m.slide(x, c, square(3, 1, 1), true) }
	shift := func(x arg) arg { return m.slide(x, 3, square(1, 1, 0), true) } // subtracts or adds the mean colour
	x := conv(shift(m.image(3, 48, 48)), 64)
	y := x
	for range 16 {
		y = m.add(conv(m.unary("Relu", conv(y, 64)), 64), y)
	}
	x = conv(m.add(conv(y, 64), x), 256)
	x = m.op("DepthToSpace", []int64{1, 64, 96, 96}, []arg{x}, attrInt("blocksize", 2), attrString("mode", "CRD"))
	return m.net(shift(conv(x, 3)))
}

// dnCNN is DnCNN-S of Zhang and others 2017, which subtracts the noise that it finds.
func dnCNN() *onnx.Model {
	m := newNet("dncnn")
	noisy := m.image(1, 64, 64)
	x := m.unary("Relu", m.slide(noisy, 64, square(3, 1, 1), true))
	for range 15 {
		x = m.block(x, 64, 3, 1, 1, "Relu")
	}
	return m.net(m.op("Sub", noisy.dims, []arg{noisy, m.slide(x, 1, square(3, 1, 1), false)}))
}

// styleTransfer is Johnson and others 2016 with instance normalisation, as pytorch/examples builds it.
func styleTransfer() *onnx.Model {
	m := newNet("style")
	conv := func(x arg, c, k, s int64) arg {
		p := k / 2
		dims := []int64{1, x.dims[1], x.dims[2] + 2*p, x.dims[3] + 2*p}
		x = m.op("Pad", dims, []arg{x, m.ints(0, 0, p, p, 0, 0, p, p)}, attrString("mode", "reflect"))
		return m.slide(x, c, square(k, s, 0), true)
	}
	norm := func(x arg) arg {
		return m.op("InstanceNormalization", x.dims, []arg{x, m.positive(x.dims[1]), m.weight(1, x.dims[1])})
	}
	block := func(x arg, c, k, s int64) arg { return m.unary("Relu", norm(conv(x, c, k, s))) }
	x := block(block(block(m.image(3, 128, 128), 32, 9, 1), 64, 3, 2), 128, 3, 2)
	for range 5 {
		x = m.add(norm(conv(block(x, 128, 3, 1), 128, 3, 1)), x)
	}
	for _, c := range []int64{64, 32} {
		x = block(m.resize(x, 2, "nearest"), c, 3, 1)
	}
	return m.net(conv(x, 3, 9, 1))
}
