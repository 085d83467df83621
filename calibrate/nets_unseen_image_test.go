package calibrate

import "github.com/onnxcost/onnxcost/analyzer/onnx"

// Unseen networks on images.

// classify ends a network with the mean of the map and a linear layer.
func (m *micro) classify(x arg, classes int64) *onnx.Model {
	return m.net(m.dense(m.flatten(m.pooled(x)), classes))
}

// leNet5 is LeCun and others 1998, every map of the second convolution reading all of the first.
func leNet5() *onnx.Model {
	m := newNet("lenet5")
	x := m.image(1, 32, 32)
	for _, c := range []int64{6, 16} {
		x = m.pool("AveragePool", m.unary("Tanh", m.slide(x, c, square(5, 1, 0), true)), square(2, 2, 0))
	}
	x = m.flatten(m.unary("Tanh", m.slide(x, 120, square(5, 1, 0), true)))
	return m.net(m.dense(m.unary("Tanh", m.dense(x, 84)), 10))
}

// resNet20 is He and others 2015, section 4.2: on 32x32, with shortcuts that subsample and pad channels with zeros.
func resNet20() *onnx.Model {
	m := newNet("resnet20")
	x := m.block(m.image(3, 32, 32), 16, 3, 1, 1, "Relu")
	for _, c := range []int64{16, 32, 64} {
		for range 3 {
			s := c / x.dims[1]
			y := m.block(m.block(x, c, 3, s, 1, "Relu"), c, 3, 1, 1, "")
			if s > 1 {
				in := x.dims[1]
				half := []int64{1, in, y.dims[2], y.dims[3]}
				x = m.op("Slice", half, []arg{x, m.ints(0, 0), m.ints(32, 32), m.ints(2, 3), m.ints(2, 2)})
				x = m.op("Pad", y.dims, []arg{x, m.ints(0, in/2, 0, 0, 0, in/2, 0, 0)})
			}
			x = m.unary("Relu", m.add(y, x))
		}
	}
	return m.classify(x, 10)
}

// vgg11BN is configuration A of Simonyan and Zisserman 2014 with batch normalisation, as torchvision's vgg11_bn.
func vgg11BN() *onnx.Model {
	m := newNet("vgg11bn")
	x := m.image(3, 224, 224)
	for _, c := range []int64{64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0} {
		if c == 0 {
			x = m.pool("MaxPool", x, square(2, 2, 0))
			continue
		}
		x = m.unary("Relu", m.batchNorm(m.slide(x, c, square(3, 1, 1), true)))
	}
	x = m.flatten(x)
	for range 2 {
		x = m.unary("Relu", m.dense(x, 4096))
	}
	return m.net(m.dense(x, 1000))
}

// resNet50Variant is torchvision's resnext50_32x4d (32 groups, wide 2) or wide_resnet50_2 (1 group, wide 2), or with
// squeeze and excitation timm's seresnet50 (1 group, wide 1): the inner width of a bottleneck is `wide` times ResNet-50's.
func resNet50Variant(groups, wide int64, squeeze bool) *onnx.Model {
	m := newNet("resnet50")
	x := m.pool("MaxPool", m.block(m.image(3, 224, 224), 64, 7, 2, 1, "Relu"), square(3, 2, 1))
	for i, n := range []int{3, 4, 6, 3} {
		planes := int64(64) << i
		for j := range n {
			s := int64(1)
			if i > 0 && j == 0 {
				s = 2
			}
			y := m.block(m.block(x, wide*planes, 1, 1, 1, "Relu"), wide*planes, 3, s, groups, "Relu")
			y = m.block(y, 4*planes, 1, 1, 1, "")
			if squeeze {
				y = m.excite(y, planes/4, "Relu", "Sigmoid")
			}
			if j == 0 {
				x = m.block(x, 4*planes, 1, s, 1, "")
			}
			x = m.unary("Relu", m.add(y, x))
		}
	}
	return m.classify(x, 1000)
}

// regNetX400MF is Radosavovic and others 2020, as torchvision's regnet_x_400mf.
func regNetX400MF() *onnx.Model {
	m := newNet("regnet")
	x := m.block(m.image(3, 224, 224), 32, 3, 2, 1, "Relu")
	for _, stage := range []struct{ depth, width int64 }{{1, 32}, {2, 64}, {7, 160}, {12, 400}} {
		for j := range stage.depth {
			s := int64(1)
			if j == 0 {
				s = 2
			}
			y := m.block(m.block(x, stage.width, 1, 1, 1, "Relu"), stage.width, 3, s, stage.width/16, "Relu")
			y = m.block(y, stage.width, 1, 1, 1, "")
			if j == 0 {
				x = m.block(x, stage.width, 1, s, 1, "")
			}
			x = m.unary("Relu", m.add(y, x))
		}
	}
	return m.classify(x, 1000)
}

// mobileNetV1 is Howard and others 2017 at width 0.5 and 192 pixels.
func mobileNetV1() *onnx.Model {
	m := newNet("mobilenetv1")
	x := m.block(m.image(3, 192, 192), 16, 3, 2, 1, "Relu6")
	for _, l := range []struct{ c, s int64 }{{32, 1}, {64, 2}, {64, 1}, {128, 2}, {128, 1}, {256, 2}, {256, 1}, {256, 1}, {256, 1}, {256, 1}, {256, 1}, {512, 2}, {512, 1}} {
		x = m.block(m.block(x, x.dims[1], 3, l.s, x.dims[1], "Relu6"), l.c, 1, 1, 1, "Relu6")
	}
	return m.classify(x, 1000)
}

// mobileNetV3Small is Howard and others 2019, as torchvision's mobilenet_v3_small.
func mobileNetV3Small() *onnx.Model {
	m := newNet("mobilenetv3")
	x := m.block(m.image(3, 224, 224), 16, 3, 2, 1, "HardSwish")
	for _, l := range []struct {
		k, wide, c, squeeze int64
		act                 string
		s                   int64
	}{
		{3, 16, 16, 8, "Relu", 2}, {3, 72, 24, 0, "Relu", 2}, {3, 88, 24, 0, "Relu", 1}, {5, 96, 40, 24, "HardSwish", 2},
		{5, 240, 40, 64, "HardSwish", 1}, {5, 240, 40, 64, "HardSwish", 1}, {5, 120, 48, 32, "HardSwish", 1}, {5, 144, 48, 40, "HardSwish", 1},
		{5, 288, 96, 72, "HardSwish", 2}, {5, 576, 96, 144, "HardSwish", 1}, {5, 576, 96, 144, "HardSwish", 1},
	} {
		y := x
		if l.wide != x.dims[1] {
			y = m.block(y, l.wide, 1, 1, 1, l.act)
		}
		y = m.block(y, l.wide, l.k, l.s, l.wide, l.act)
		if l.squeeze > 0 {
			y = m.excite(y, l.squeeze, "Relu", "HardSigmoid")
		}
		y = m.block(y, l.c, 1, 1, 1, "")
		if l.s == 1 && l.c == x.dims[1] {
			y = m.add(y, x)
		}
		x = y
	}
	x = m.flatten(m.pooled(m.block(x, 576, 1, 1, 1, "HardSwish")))
	return m.net(m.dense(m.unary("HardSwish", m.dense(x, 1024)), 1000))
}

// efficientNetB1 is Tan and Le 2019, as torchvision's efficientnet_b1.
func efficientNetB1() *onnx.Model {
	m := newNet("efficientnet")
	x := m.block(m.image(3, 240, 240), 32, 3, 2, 1, "SiLU")
	for _, l := range []struct{ expand, k, s, c, n int64 }{
		{1, 3, 1, 16, 2}, {6, 3, 2, 24, 3}, {6, 5, 2, 40, 3}, {6, 3, 2, 80, 4}, {6, 5, 1, 112, 4}, {6, 5, 2, 192, 5}, {6, 3, 1, 320, 2},
	} {
		for i := range l.n {
			s := int64(1)
			if i == 0 {
				s = l.s
			}
			in, y := x.dims[1], x
			if l.expand > 1 {
				y = m.block(y, in*l.expand, 1, 1, 1, "SiLU")
			}
			y = m.block(y, in*l.expand, l.k, s, in*l.expand, "SiLU")
			y = m.block(m.excite(y, in/4, "SiLU", "Sigmoid"), l.c, 1, 1, 1, "")
			if i > 0 {
				y = m.add(y, x)
			}
			x = y
		}
	}
	return m.classify(m.block(x, 1280, 1, 1, 1, "SiLU"), 1000)
}

// ghostNet is Han and others 2020 at width 1.0, as its authors build it.
func ghostNet() *onnx.Model {
	m := newNet("ghostnet")
	ghost := func(x arg, c int64, act string) arg {
		y := m.block(x, c/2, 1, 1, 1, act)
		y = m.join(1, y, m.block(y, c/2, 3, 1, c/2, act))
		return m.op("Slice", y.dims, []arg{y, m.ints(0), m.ints(c), m.ints(1)}) // what cuts an odd number of channels
	}
	x := m.block(m.image(3, 224, 224), 16, 3, 2, 1, "Relu")
	for _, l := range []struct{ k, wide, c, squeeze, s int64 }{
		{3, 16, 16, 0, 1}, {3, 48, 24, 0, 2}, {3, 72, 24, 0, 1}, {5, 72, 40, 20, 2}, {5, 120, 40, 32, 1}, {3, 240, 80, 0, 2},
		{3, 200, 80, 0, 1}, {3, 184, 80, 0, 1}, {3, 184, 80, 0, 1}, {3, 480, 112, 120, 1}, {3, 672, 112, 168, 1}, {5, 672, 160, 168, 2},
		{5, 960, 160, 0, 1}, {5, 960, 160, 240, 1}, {5, 960, 160, 0, 1}, {5, 960, 160, 240, 1},
	} {
		y := ghost(x, l.wide, "Relu")
		if l.s > 1 {
			y = m.block(y, l.wide, l.k, l.s, l.wide, "")
		}
		if l.squeeze > 0 {
			y = m.excite(y, l.squeeze, "Relu", "HardSigmoid")
		}
		y = ghost(y, l.c, "")
		if l.s > 1 || l.c != x.dims[1] {
			x = m.block(m.block(x, x.dims[1], l.k, l.s, x.dims[1], ""), l.c, 1, 1, 1, "")
		}
		x = m.add(y, x)
	}
	x = m.pooled(m.block(x, 960, 1, 1, 1, "Relu"))
	x = m.unary("Relu", m.slide(x, 1280, square(1, 1, 0), true))
	return m.net(m.dense(m.flatten(x), 1000))
}

// xception is Chollet 2017.
func xception() *onnx.Model {
	m := newNet("xception")
	separable := func(x arg, c int64) arg {
		w := square(3, 1, 1)
		w.group = x.dims[1]
		return m.block(m.slide(x, x.dims[1], w, false), c, 1, 1, 1, "")
	}
	plain := func(x arg, c, s int64) arg {
		return m.unary("Relu", m.batchNorm(m.slide(x, c, square(3, s, 0), false)))
	}
	x := plain(plain(m.image(3, 299, 299), 32, 2), 64, 1)
	down := func(x arg, mid, c int64, first bool) arg {
		y := x
		if !first {
			y = m.unary("Relu", y)
		}
		y = separable(m.unary("Relu", separable(y, mid)), c)
		return m.add(m.pool("MaxPool", y, square(3, 2, 1)), m.block(x, c, 1, 2, 1, ""))
	}
	x = down(down(down(x, 128, 128, true), 256, 256, false), 728, 728, false)
	for range 8 {
		y := x
		for range 3 {
			y = separable(m.unary("Relu", y), 728)
		}
		x = m.add(y, x)
	}
	x = down(x, 728, 1024, false)
	for _, c := range []int64{1536, 2048} {
		x = m.unary("Relu", separable(x, c))
	}
	return m.classify(x, 1000)
}

// resNet18Features is the trunk of ResNet-18, which ends with 512 maps of a 32nd of the sides.
func resNet18Features(m *micro, x arg) arg { return resNet18Stages(m, x)[3] }

// resNet18Stages are what the four stages of the trunk of ResNet-18 leave.
func resNet18Stages(m *micro, x arg) []arg {
	var stages []arg
	x = m.pool("MaxPool", m.block(x, 64, 7, 2, 1, "Relu"), square(3, 2, 1))
	for i := range 4 {
		c := int64(64) << i
		for range 2 {
			s := c / x.dims[1]
			y := m.block(m.block(x, c, 3, s, 1, "Relu"), c, 3, 1, 1, "")
			if s > 1 {
				x = m.block(x, c, 1, s, 1, "")
			}
			x = m.unary("Relu", m.add(y, x))
		}
		stages = append(stages, x)
	}
	return stages
}

// fcnResNet18 is Long and others 2015, the head as torchvision's FCNHead, on an undilated ResNet-18.
func fcnResNet18() *onnx.Model {
	m := newNet("fcn")
	x := m.block(resNet18Features(m, m.image(3, 256, 256)), 128, 3, 1, 1, "Relu")
	return m.net(m.resize(m.slide(x, 21, square(1, 1, 0), true), 32, "linear"))
}

// uNet is Ronneberger and others 2015 with padding and batch normalisation, as milesial/Pytorch-UNet builds it.
func uNet() *onnx.Model {
	m := newNet("unet")
	double := func(x arg, c int64) arg { return m.block(m.block(x, c, 3, 1, 1, "Relu"), c, 3, 1, 1, "Relu") }
	x := double(m.image(3, 128, 128), 64)
	var skips []arg
	for c := int64(128); c <= 1024; c *= 2 {
		skips = append(skips, x)
		x = double(m.pool("MaxPool", x, square(2, 2, 0)), c)
	}
	for i := len(skips) - 1; i >= 0; i-- {
		c := skips[i].dims[1]
		x = double(m.join(1, skips[i], m.deconv(x, c, 2, 2, 0, 0, true)), c)
	}
	return m.net(m.slide(x, 2, square(1, 1, 0), true))
}

// deepLabHead is atrous spatial pyramid pooling of Chen and others 2017 at output stride 16, on the features that a
// ResNet-50 has of a 256x256 image.
func deepLabHead() *onnx.Model {
	m := newNet("aspp")
	x := m.image(2048, 16, 16)
	parts := []arg{m.block(x, 256, 1, 1, 1, "Relu")}
	for _, d := range []int64{6, 12, 18} {
		w := square(3, 1, d)
		w.dilations = []int64{d, d}
		parts = append(parts, m.unary("Relu", m.batchNorm(m.slide(x, 256, w, false))))
	}
	parts = append(parts, m.resize(m.block(m.pooled(x), 256, 1, 1, 1, "Relu"), 16, "linear"))
	x = m.block(m.join(1, parts...), 256, 1, 1, 1, "Relu")
	x = m.slide(m.block(x, 256, 3, 1, 1, "Relu"), 21, square(1, 1, 0), true)
	return m.net(m.resize(x, 16, "linear"))
}

// yoloV3Tiny is Redmon and Farhadi 2018, the small network, for the 80 classes of COCO.
func yoloV3Tiny() *onnx.Model {
	m := newNet("yolov3tiny")
	x := m.image(3, 416, 416)
	var route arg
	for c := int64(16); c <= 512; c *= 2 {
		x = m.block(x, c, 3, 1, 1, "LeakyRelu")
		if c == 256 {
			route = x
		}
		if c < 512 {
			x = m.pool("MaxPool", x, square(2, 2, 0))
		}
	}
	x = m.pool("MaxPool", x, sliding{kernel: []int64{2, 2}, pads: []int64{0, 0, 1, 1}})
	x = m.block(m.block(x, 1024, 3, 1, 1, "LeakyRelu"), 256, 1, 1, 1, "LeakyRelu")
	head := func(x arg, c int64) arg {
		return m.slide(m.block(x, c, 3, 1, 1, "LeakyRelu"), 255, square(1, 1, 0), true)
	}
	up := m.resize(m.block(x, 128, 1, 1, 1, "LeakyRelu"), 2, "nearest")
	return m.heads(head(x, 512), head(m.join(1, up, route), 256))
}

// centerNet is Zhou and others 2019 on ResNet-18 without deformable convolutions: three transposed convolutions and a
// head each for the heat map, the size and the offset.
func centerNet() *onnx.Model {
	m := newNet("centernet")
	x := resNet18Features(m, m.image(3, 256, 256))
	for range 3 {
		x = m.unary("Relu", m.batchNorm(m.deconv(x, 256, 4, 2, 1, 0, false)))
	}
	var out []arg
	for _, c := range []int64{80, 2, 2} {
		y := m.unary("Relu", m.slide(x, 64, square(3, 1, 1), true))
		out = append(out, m.slide(y, c, square(1, 1, 0), true))
	}
	return m.heads(m.unary("Sigmoid", out[0]), out[1], out[2])
}

// srcnn is Dong and others 2014 (9-1-5), on an enlarged luminance channel.
func srcnn() *onnx.Model {
	m := newNet("srcnn")
	x := m.unary("Relu", m.slide(m.image(1, 128, 128), 64, square(9, 1, 4), true))
	x = m.unary("Relu", m.slide(x, 32, square(1, 1, 0), true))
	return m.net(m.slide(x, 1, square(5, 1, 2), true))
}

// espcn is Shi and others 2016, three times larger.
func espcn() *onnx.Model {
	m := newNet("espcn")
	x := m.unary("Tanh", m.slide(m.image(1, 80, 80), 64, square(5, 1, 2), true))
	x = m.unary("Tanh", m.slide(x, 32, square(3, 1, 1), true))
	x = m.slide(x, 9, square(3, 1, 1), true)
	return m.net(m.op("DepthToSpace", []int64{1, 1, 240, 240}, []arg{x}, attrInt("blocksize", 3), attrString("mode", "CRD")))
}

// fsrcnn is FSRCNN(56,12,4) of Dong and others 2016, three times larger.
func fsrcnn() *onnx.Model {
	m := newNet("fsrcnn")
	x := m.act(m.slide(m.image(1, 80, 80), 56, square(5, 1, 2), true), "PRelu")
	x = m.act(m.slide(x, 12, square(1, 1, 0), true), "PRelu")
	for range 4 {
		x = m.act(m.slide(x, 12, square(3, 1, 1), true), "PRelu")
	}
	x = m.act(m.slide(x, 56, square(1, 1, 0), true), "PRelu")
	return m.net(m.deconv(x, 1, 9, 3, 4, 2, true))
}

// betaVAEDecoder is the decoder of Higgins and others 2017 for 64x64.
func betaVAEDecoder() *onnx.Model {
	m := newNet("betavae")
	x := m.unary("Relu", m.dense(m.raw(onnx.Float32, 1, 10), 256))
	x = m.reshape(m.unary("Relu", m.dense(x, 1024)), 1, 64, 4, 4)
	for _, c := range []int64{64, 32, 32} {
		x = m.unary("Relu", m.deconv(x, c, 4, 2, 1, 0, true))
	}
	return m.net(m.unary("Sigmoid", m.deconv(x, 1, 4, 2, 1, 0, true)))
}

// autoencoderMNIST is Hinton and Salakhutdinov 2006: 784-1000-500-250-30 and back.
func autoencoderMNIST() *onnx.Model {
	m := newNet("autoencoder")
	x := m.raw(onnx.Float32, 1, 784)
	for _, n := range []int64{1000, 500, 250, 30, 250, 500, 1000, 784} {
		if x = m.dense(x, n); n != 30 {
			x = m.unary("Sigmoid", x)
		}
	}
	return m.net(x)
}
