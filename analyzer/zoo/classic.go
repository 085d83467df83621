package zoo

import "fmt"

// alexNet is the grouped network of Krizhevsky, Sutskever, Hinton (2012) as Caffe's bvlc_alexnet has it.
func alexNet(g net, x tensor) tensor {
	x = g.at("features").text(x, convReLU, `
		conv1: 11x11/4 96 v, norm1: lrn, pool1: max3/2,
		conv2: 5x5 256 g2, norm2: lrn, pool2: max3/2,
		conv3: 3x3 384, conv4: 3x3 384 g2, conv5: 3x3 256 g2, pool5: max3/2`)
	c := g.at("classifier")
	x = c.flatten("flatten", x)
	x = c.relu("relu6", c.fc("fc6", x, 4096))
	x = c.relu("relu7", c.fc("fc7", x, 4096))
	return c.softmax("softmax", c.fc("fc8", x, 1000))
}

// bnAlexNet is Zagoruyko's Torch AlexNet: two branches that meet in the classifier, BatchNormalization after every
// layer but the last.
func bnAlexNet(g net, x tensor) tensor {
	const branch = `
		conv1: 11x11/4 48 p2, pool1: max3/2, conv2: 5x5 128, pool2: max3/2,
		conv3: 3x3 192, conv4: 3x3 192, conv5: 3x3 128, pool5: max3/2`
	x = g.at("features").branches(x, biasedConvBNReLU, branch+"|"+branch)
	c := g.at("classifier")
	x = c.flatten("flatten", x)
	for _, n := range []string{"6", "7"} {
		x = c.relu("relu"+n, c.bn("bn"+n, c.fc("fc"+n, x, 4096), 1e-3))
	}
	return c.logSoftmax("logsoftmax", c.fc("fc8", x, 1000))
}

// bnNIN is Network in Network with BatchNormalization: ninbn.lua of soumith/imagenet-multiGPU.torch.
func bnNIN(g net, x tensor) tensor {
	x = g.at("features").text(x, biasedConvBNReLU, `
		conv1: 11x11/4 96, cccp1: 1x1 96, cccp2: 1x1 96, pool1: max3/2 p1,
		conv2: 5x5 256, cccp3: 1x1 256, cccp4: 1x1 256, pool2: max3/2 p1,
		conv3: 3x3 384, cccp5: 1x1 384, cccp6: 1x1 384, pool3: max3/2 p1,
		conv4: 3x3 1024, cccp7: 1x1 1024, cccp8: 1x1 1024, pool4: avg7`)
	c := g.at("classifier")
	return c.logSoftmax("logsoftmax", c.fc("fc", c.flatten("flatten", x), 1000))
}

// vgg is configuration D (three convolutions in each later stage) or E (four) of Simonyan and Zisserman (2014).
func vgg(later int) func(g net, x tensor) tensor {
	return func(g net, x tensor) tensor {
		stages := []struct {
			convs    int
			channels int64
		}{{2, 64}, {2, 128}, {later, 256}, {later, 512}, {later, 512}}
		for i, s := range stages {
			stage := g.at("features", fmt.Sprint("stage", i+1))
			for j := range s.convs {
				x = convReLU(stage.at(fmt.Sprint("conv", j+1)), x, square(3, 1, s.channels))
			}
			x = stage.maxPool("pool", x, pool{k: 2, stride: 2})
		}
		c := g.at("classifier")
		x = c.flatten("flatten", x)
		x = c.relu("relu6", c.fc("fc6", x, 4096))
		x = c.relu("relu7", c.fc("fc7", x, 4096))
		return c.softmax("softmax", c.fc("fc8", x, 1000))
	}
}
