package zoo

import "fmt"

// mobileNetV2 is the network of Sandler and others, MobileNetV2: Inverted Residuals and Linear Bottlenecks (2018),
// table 2.
func mobileNetV2(g net, x tensor) tensor {
	f := g.at("features")
	unit := func(g net, x tensor, k kernel) tensor {
		return g.relu6("relu6", g.bn("bn", g.conv("conv", x, k), 1e-5))
	}
	x = unit(f.at("stem"), x, square(3, 2, 32))
	block := 0
	for _, row := range []struct{ expand, out, repeat, stride int64 }{
		{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1},
	} {
		for i := range row.repeat {
			block++
			b, stride := f.at(fmt.Sprint("block", block)), int64(1)
			if i == 0 {
				stride = row.stride
			}
			y, hidden := x, row.expand*x.channels()
			if row.expand > 1 {
				y = unit(b.at("expand"), y, square(1, 1, hidden))
			}
			y = unit(b.at("depthwise"), y, square(3, stride, hidden).grouped(hidden))
			p := b.at("project")
			y = p.bn("bn", p.conv("conv", y, square(1, 1, row.out)), 1e-5)
			if stride == 1 && x.channels() == row.out {
				y = b.add("add", x, y)
			}
			x = y
		}
	}
	x = unit(f.at("head"), x, square(1, 1, 1280))
	return g.fc("classifier", g.flatten("flatten", g.globalAvgPool("avgpool", x)), 1000)
}

// squeezeNet is SqueezeNet 1.1: the network of Iandola and others (2016) with smaller filters and earlier pooling.
func squeezeNet(g net, x tensor) tensor {
	f := g.at("features")
	x = f.text(x, convReLU, "conv1: 3x3/2 64 v, pool1: max3/2 ceil")
	for i, squeeze := range []int{16, 16, 32, 32, 48, 48, 64, 64} {
		if i == 2 || i == 4 {
			x = f.maxPool(fmt.Sprint("pool", i+1), x, pool{k: 3, stride: 2, ceil: true})
		}
		x = f.at(fmt.Sprint("fire", i+2)).text(x, convReLU,
			fmt.Sprintf("squeeze: 1x1 %d, expand: {1x1 %[2]d | 3x3 %[2]d}", squeeze, 4*squeeze))
	}
	x = g.at("classifier").text(x, convReLU, "conv10: 1x1 1000")
	return g.flatten("flatten", g.globalAvgPool("avgpool", x))
}

// denseNet121 is DenseNet-BC with growth 32 of Huang, Liu, van der Maaten, Weinberger (2017), table 1.
func denseNet121(g net, x tensor) tensor {
	const growth = 32
	f := g.at("features")
	x = f.relu("relu0", f.bn("norm0", f.conv("conv0", x, square(7, 2, 2*growth)), 1e-5))
	x = f.maxPool("pool0", x, pool{k: 3, stride: 2, pad: 1})
	for i, layers := range []int{6, 12, 24, 16} {
		if i > 0 {
			t := f.at(fmt.Sprint("transition", i))
			x = t.conv("conv", t.relu("relu", t.bn("norm", x, 1e-5)), square(1, 1, x.channels()/2))
			x = t.avgPool("pool", x, pool{k: 2, stride: 2})
		}
		all := []tensor{x}
		for j := range layers {
			l := f.at(fmt.Sprint("denseblock", i+1), fmt.Sprint("layer", j+1))
			if j > 0 {
				x = l.concat("concat", all...)
			}
			y := l.conv("conv1", l.relu("relu1", l.bn("norm1", x, 1e-5)), square(1, 1, 4*growth))
			y = l.conv("conv2", l.relu("relu2", l.bn("norm2", y, 1e-5)), square(3, 1, growth))
			all = append(all, y)
		}
		x = f.at(fmt.Sprint("denseblock", i+1)).concat("concat", all...)
	}
	x = f.relu("relu5", f.bn("norm5", x, 1e-5))
	return g.fc("classifier", g.flatten("flatten", g.globalAvgPool("avgpool", x)), 1000)
}
