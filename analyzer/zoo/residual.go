package zoo

import "fmt"

// resNet is a residual network of He, Zhang, Ren, Sun (2015) as facebook/fb.resnet.torch has it: shortcut B, and the
// stride of a bottleneck in its 3x3 convolution.
func resNet(bottleneck bool, blocks ...int) func(g net, x tensor) tensor {
	return func(g net, x tensor) tensor {
		x = g.relu("relu1", g.bn("bn1", g.conv("conv1", x, square(7, 2, 64)), 1e-5))
		x = g.maxPool("maxpool", x, pool{k: 3, stride: 2, pad: 1})
		for stage, n := range blocks {
			width := int64(64 << stage)
			for i := range n {
				stride := int64(1)
				if stage > 0 && i == 0 {
					stride = 2
				}
				x = residual(g.at(fmt.Sprint("layer", stage+1), i), x, width, stride, bottleneck)
			}
		}
		x = g.avgPool("avgpool", x, pool{k: 7, stride: 1})
		return g.fc("fc", g.flatten("flatten", x), 1000)
	}
}

func residual(g net, x tensor, width, stride int64, bottleneck bool) tensor {
	branch := []kernel{square(3, stride, width), square(3, 1, width)}
	if bottleneck {
		branch = []kernel{square(1, 1, width), square(3, stride, width), square(1, 1, 4*width)}
	}
	y := x
	for i, k := range branch {
		y = g.conv(fmt.Sprint("conv", i+1), y, k)
		if i == len(branch)-1 {
			y = g.scaledBN(fmt.Sprint("bn", i+1), y, 1e-5, branchScale)
			break
		}
		y = g.relu(fmt.Sprint("relu", i+1), g.bn(fmt.Sprint("bn", i+1), y, 1e-5))
	}
	if y.channels() != x.channels() {
		s := g.at("shortcut")
		x = s.bn("bn", s.conv("conv", x, square(1, stride, y.channels())), 1e-5)
	}
	return g.relu("relu", g.add("add", y, x))
}

// eNet is ENet for ImageNet, version 14: models/enet.lua of e-lab/imagenet-multiGPU.torch. It is the encoder of Paszke
// and others, ENet: A Deep Neural Network Architecture for Real-Time Semantic Segmentation (2016), without dilated and
// asymmetric convolutions.
func eNet(g net, x tensor) tensor {
	init := g.at("initial")
	x = init.concat("concat", init.conv("conv", x, square(3, 2, 13).biased()), init.maxPool("pool", x, pool{k: 2, stride: 2}))
	x = init.prelu("prelu", init.bn("bn", x, 1e-3))
	for stage, s := range []struct {
		out, scale int64
		blocks     int // after the one that halves the map
	}{{64, 1, 0}, {128, 4, 0}, {128, 4, 0}, {256, 4, 2}, {512, 4, 2}, {1024, 4, 2}} {
		for i := range 1 + s.blocks {
			down := i == 0 && stage != 1 && stage != 2
			x = eNetBottleneck(g.at(fmt.Sprint("stage", stage+1), fmt.Sprint("bottleneck", i+1)), x, s.out, s.scale, down)
		}
	}
	return classify(g, x, g.logSoftmax)
}

// eNetBottleneck adds to x, pooled and padded with channels of zeros where it has to be, three convolutions through
// out/scale channels.
func eNetBottleneck(g net, x tensor, out, scale int64, down bool) tensor {
	inner, reduce := out/scale, square(1, 1, out/scale)
	if down {
		reduce = square(2, 2, inner).pad(0)
	}
	y := g.prelu("prelu1", g.bn("bn1", g.conv("conv1", x, reduce), 1e-3))
	y = g.prelu("prelu2", g.bn("bn2", g.conv("conv2", y, square(3, 1, inner).biased()), 1e-3))
	y = g.scaledBN("bn3", g.conv("conv3", y, square(1, 1, out)), 1e-3, branchScale)
	if down {
		x = g.maxPool("pool", x, pool{k: 2, stride: 2})
	}
	if x.channels() != out {
		x = g.padChannels("pad", x, out)
	}
	return g.prelu("prelu", g.add("add", y, x))
}
