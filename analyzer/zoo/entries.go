package zoo

var imagenet, imagenet299 = [3]int64{3, 224, 224}, [3]int64{3, 299, 299}

const (
	torchvision = "as torchvision builds it."
	resNetDoc   = "He, Zhang, Ren, Sun, Deep Residual Learning for Image Recognition, 2015, as facebook/fb.resnet.torch builds it (shortcut B)."
	resNetNote  = "The stride of a downsampling block is in its 3x3 convolution, not in the 1x1 of the paper's table."
)

// entries are the networks in the order of Names.
var entries = []Entry{
	{Name: "alexnet", Title: "AlexNet", Group: Paper, Input: [3]int64{3, 227, 227}, build: alexNet,
		Source: "Krizhevsky, Sutskever, Hinton, ImageNet Classification with Deep Convolutional Neural Networks, 2012, as Caffe's bvlc_alexnet builds it.",
		Note:   "Grouped convolutions; the paper's tool ignored the groups, hence its 2.27 G-Ops where the graph has 1.45."},
	{Name: "bn-alexnet", Title: "BN-AlexNet", Group: Paper, Input: imagenet, build: bnAlexNet,
		Source: "Zagoruyko's Torch AlexNet in two branches with BatchNormalization, 2016.",
		Note:   "The original definition is no longer published; BatchNormalization in the classifier is inferred (16,384 of the 60,541,992 parameters)."},
	{Name: "bn-nin", Title: "BN-NIN", Group: Paper, Input: imagenet, build: bnNIN,
		Source: "Lin, Chen, Yan, Network in Network, 2013, as ninbn.lua of soumith/imagenet-multiGPU.torch builds it."},
	{Name: "enet", Title: "ENet", Group: Paper, Input: imagenet, build: eNet,
		Source: "Paszke, Chaurasia, Kim, Culurciello, ENet, 2016, as enet.lua (version 14) of e-lab/imagenet-multiGPU.torch builds it.",
		Note:   "The ImageNet classifier, not the segmentation network: no dilated or asymmetric convolutions."},
	{Name: "googlenet", Title: "GoogLeNet", Group: Paper, Input: imagenet, build: googLeNet(factorisedStem),
		Source: "Szegedy and others, Going Deeper with Convolutions, 2014, as googlenetFixed_cudnn.lua of e-lab/imagenet-multiGPU.torch builds it.",
		Note:   "The first convolution is factorised into a grouped 7x7 and a 1x1, and there is no LRN; googlenet-bvlc is the published form. Auxiliary heads are left out."},
	{Name: "resnet18", Title: "ResNet-18", Group: Paper, Input: imagenet, build: resNet(false, 2, 2, 2, 2), Source: resNetDoc},
	{Name: "resnet34", Title: "ResNet-34", Group: Paper, Input: imagenet, build: resNet(false, 3, 4, 6, 3), Source: resNetDoc},
	{Name: "resnet50", Title: "ResNet-50", Group: Paper, Input: imagenet, build: resNet(true, 3, 4, 6, 3), Source: resNetDoc,
		Note: resNetNote + " The pretrained Torch file has BatchNormalization after the addition instead of before."},
	{Name: "resnet101", Title: "ResNet-101", Group: Paper, Input: imagenet, build: resNet(true, 3, 4, 23, 3), Source: resNetDoc, Note: resNetNote},
	{Name: "resnet152", Title: "ResNet-152", Group: Paper, Input: imagenet, build: resNet(true, 3, 8, 36, 3), Source: resNetDoc, Note: resNetNote},
	{Name: "vgg16", Title: "VGG-16", Group: Paper, Input: imagenet, build: vgg(3),
		Source: "Simonyan, Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition, 2014, configuration D."},
	{Name: "vgg19", Title: "VGG-19", Group: Paper, Input: imagenet, build: vgg(4),
		Source: "Simonyan, Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition, 2014, configuration E."},
	{Name: "inception-v3", Title: "Inception-v3", Group: Paper, Input: imagenet299, build: inceptionV3,
		Source: "Szegedy and others, Rethinking the Inception Architecture for Computer Vision, 2015, as the TensorFlow graph of December 2015 has it.",
		Note:   "The last module pools the maximum where later ports average; the auxiliary head is left out."},
	{Name: "inception-v4", Title: "Inception-v4", Group: Paper, Input: imagenet299, build: inceptionV4,
		Source: "Szegedy, Ioffe, Vanhoucke, Alemi, Inception-v4, Inception-ResNet and the Impact of Residual Connections on Learning, 2016.",
		Note: "This is the canonical network: 12.25 GMACs (24.54 G-Ops as the paper counts) and 42.68 M parameters. The paper plots 18.45 G-Ops and " +
			"about 31.7 M parameters, which is what remains without the longest branch of the seven Inception-B modules (9.20 GMACs, 32.1 M); why is not known."},

	{Name: "googlenet-bvlc", Title: "GoogLeNet (BVLC)", Group: Variant, Input: imagenet, build: googLeNet(bvlcStem),
		Source: "Szegedy and others, Going Deeper with Convolutions, 2014, as Caffe's bvlc_googlenet builds it.",
		Note:   "Auxiliary heads are left out."},

	{Name: "mobilenet-v2", Title: "MobileNetV2", Group: Modern, Input: imagenet, build: mobileNetV2,
		Source: "Sandler and others, MobileNetV2: Inverted Residuals and Linear Bottlenecks, 2018, " + torchvision},
	{Name: "squeezenet1_1", Title: "SqueezeNet 1.1", Group: Modern, Input: imagenet, build: squeezeNet,
		Source: "Iandola and others, SqueezeNet, 2016, release 1.1, " + torchvision},
	{Name: "densenet121", Title: "DenseNet-121", Group: Modern, Input: imagenet, build: denseNet121,
		Source: "Huang, Liu, van der Maaten, Weinberger, Densely Connected Convolutional Networks, 2017, " + torchvision},
	{Name: "vit_b_16", Title: "ViT-B/16", Group: Modern, Input: imagenet, build: vitB16,
		Source: "Dosovitskiy and others, An Image is Worth 16x16 Words, 2020, " + torchvision},
}
