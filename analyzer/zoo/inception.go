package zoo

import "fmt"

// googLeNet is GoogLeNet (Szegedy and others, 2014) behind the given stem; both auxiliary heads are left out.
func googLeNet(stem string) func(g net, x tensor) tensor {
	return func(g net, x tensor) tensor {
		x = g.at("stem").text(x, convReLU, stem)
		for _, m := range []struct {
			name                     string
			c1, r3, c3, r5, c5, proj int
		}{
			{"3a", 64, 96, 128, 16, 32, 32},
			{"3b", 128, 128, 192, 32, 96, 64},
			{name: "pool3"},
			{"4a", 192, 96, 208, 16, 48, 64},
			{"4b", 160, 112, 224, 24, 64, 64},
			{"4c", 128, 128, 256, 24, 64, 64},
			{"4d", 112, 144, 288, 32, 64, 64},
			{"4e", 256, 160, 320, 32, 128, 128},
			{name: "pool4"},
			{"5a", 256, 160, 320, 32, 128, 128},
			{"5b", 384, 192, 384, 48, 128, 128},
		} {
			if m.c1 == 0 {
				x = g.maxPool(m.name, x, pool{k: 3, stride: 2, ceil: true})
				continue
			}
			x = g.at("inception_"+m.name).branches(x, convReLU, fmt.Sprintf(
				"1x1 %d | 1x1 %d, 3x3 %d | 1x1 %d, 5x5 %d | max3 p1, 1x1 %d", m.c1, m.r3, m.c3, m.r5, m.c5, m.proj))
		}
		return classify(g, x, g.logSoftmax)
	}
}

const (
	// factorisedStem is the one of the network that the paper measured, googlenetFixed_cudnn.lua of
	// e-lab/imagenet-multiGPU.torch (March 2016).
	factorisedStem = `
		conv1: 7x7/2 24 g3, conv1_proj: 1x1 64, pool1: max3/2 ceil,
		conv2_reduce: 1x1 64, conv2: 3x3 192, pool2: max3/2 ceil`
	// bvlcStem is the published one, with Caffe's normalisation layers.
	bvlcStem = `
		conv1: 7x7/2 64, pool1: max3/2 ceil, norm1: lrn,
		conv2_reduce: 1x1 64, conv2: 3x3 192, norm2: lrn, pool2: max3/2 ceil`
)

// inceptionV3 is the network of Szegedy and others, Rethinking the Inception Architecture for Computer Vision (2015),
// as the TensorFlow graph of December 2015 has it: the last module pools the maximum.
func inceptionV3(g net, x tensor) tensor {
	x = g.at("stem").text(x, convBNReLU, "3x3/2 32 v, 3x3 32 v, 3x3 64, max3/2, 1x1 80, 3x3 192 v, max3/2")
	module := func(name, s string, arg ...any) { x = g.at(name).branches(x, convBNReLU, fmt.Sprintf(s, arg...)) }

	for i, c := range []int{32, 64, 64} {
		module(fmt.Sprint("inception_a", i+1), "1x1 64 | 1x1 48, 5x5 64 | 1x1 64, 3x3 96, 3x3 96 | avg3 p1, 1x1 %d", c)
	}
	module("reduction_a", "3x3/2 384 v | 1x1 64, 3x3 96, 3x3/2 96 v | max3/2")
	for i, c := range []int{128, 160, 160, 192} {
		module(fmt.Sprint("inception_b", i+1), "1x1 192 | 1x1 %[1]d, 1x7 %[1]d, 7x1 192 | "+
			"1x1 %[1]d, 7x1 %[1]d, 1x7 %[1]d, 7x1 %[1]d, 1x7 192 | avg3 p1, 1x1 192", c)
	}
	module("reduction_b", "1x1 192, 3x3/2 320 v | 1x1 192, 1x7 192, 7x1 192, 3x3/2 192 v | max3/2")
	for i, pool := range []string{"avg", "max"} {
		module(fmt.Sprint("inception_c", i+1), "1x1 320 | 1x1 384, {1x3 384 | 3x1 384} | "+
			"1x1 448, 3x3 384, {1x3 384 | 3x1 384} | %s3 p1, 1x1 192", pool)
	}
	return classify(g, x, g.softmax)
}

// inceptionV4 is the network of Szegedy, Ioffe, Vanhoucke, Alemi, Inception-v4, Inception-ResNet and the Impact of
// Residual Connections on Learning (2016), figures 3 to 9.
func inceptionV4(g net, x tensor) tensor {
	x = g.at("stem").text(x, convBNReLU, `
		3x3/2 32 v, 3x3 32 v, 3x3 64,
		{max3/2 | 3x3/2 96 v},
		{1x1 64, 3x3 96 v | 1x1 64, 1x7 64, 7x1 64, 3x3 96 v},
		{3x3/2 192 v | max3/2}`)
	module := func(name, s string) { x = g.at(name).branches(x, convBNReLU, s) }

	for i := range 4 {
		module(fmt.Sprint("inception_a", i+1), "1x1 96 | 1x1 64, 3x3 96 | 1x1 64, 3x3 96, 3x3 96 | avg3 p1, 1x1 96")
	}
	module("reduction_a", "3x3/2 384 v | 1x1 192, 3x3 224, 3x3/2 256 v | max3/2")
	for i := range 7 {
		module(fmt.Sprint("inception_b", i+1), "1x1 384 | 1x1 192, 1x7 224, 7x1 256 | "+
			"1x1 192, 7x1 192, 1x7 224, 7x1 224, 1x7 256 | avg3 p1, 1x1 128")
	}
	module("reduction_b", "1x1 192, 3x3/2 192 v | 1x1 256, 1x7 256, 7x1 320, 3x3/2 320 v | max3/2")
	for i := range 3 {
		module(fmt.Sprint("inception_c", i+1), "1x1 256 | 1x1 384, {1x3 256 | 3x1 256} | "+
			"1x1 384, 3x1 448, 1x3 512, {1x3 256 | 3x1 256} | avg3 p1, 1x1 256")
	}
	return classify(g, x, g.softmax)
}

// classify averages the whole map and maps the features to the classes.
func classify(g net, x tensor, last func(string, tensor) tensor) tensor {
	x = g.avgPool("avgpool", x, pool{k: x.dims[1], stride: 1})
	return last("softmax", g.fc("fc", g.flatten("flatten", x), 1000))
}
