package zoo

import (
	"slices"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// kernel is the geometry of a convolution. The zero group count means one group.
type kernel struct {
	out    int64 // channels
	kh, kw int64
	stride int64
	ph, pw int64 // padding on each side
	groups int64
	bias   bool
}

// square is a k×k kernel without bias, padded by half its size.
func square(k, stride, out int64) kernel {
	return kernel{out: out, kh: k, kw: k, stride: stride, ph: k / 2, pw: k / 2}
}

func (k kernel) pad(p int64) kernel     { k.ph, k.pw = p, p; return k }
func (k kernel) grouped(n int64) kernel { k.groups = n; return k }
func (k kernel) biased() kernel         { k.bias = true; return k }

func (g net) conv(name string, x tensor, k kernel) tensor {
	groups := max(1, k.groups)
	perGroup := x.channels() / groups
	fanIn := perGroup * k.kh * k.kw
	in := []string{x.name, g.param(name, "weight", heNormal(fanIn), k.out, perGroup, k.kh, k.kw)}
	if k.bias {
		in = append(in, g.param(name, "bias", constant(0), k.out))
	}
	dims := []int64{k.out, extent(x.dims[1], k.kh, k.stride, k.ph, false), extent(x.dims[2], k.kw, k.stride, k.pw, false)}
	return g.node("Conv", name, dims, in,
		attrInts("kernel_shape", k.kh, k.kw), attrInts("strides", k.stride, k.stride),
		attrInts("pads", k.ph, k.pw, k.ph, k.pw), attrInt("group", groups))
}

// extent is the size of a window operator's output along one axis.
func extent(size, k, stride, pad int64, ceil bool) int64 {
	span := size + 2*pad - k
	if ceil {
		span += stride - 1
	}
	return span/stride + 1
}

// bn is BatchNormalization over the channels, or over the features of a vector.
func (g net) bn(name string, x tensor, eps float32) tensor { return g.scaledBN(name, x, eps, 1) }

// branchScale is the gamma of the last BatchNormalization of a residual branch in models with made-up weights. With 1
// the activations would double their variance at each addition: 2⁵⁰ after ResNet-152's blocks, against 1.06⁵⁰ ≈ 20.
const branchScale = 0.25

// scaledBN is bn with gamma filled with scale.
func (g net) scaledBN(name string, x tensor, eps, scale float32) tensor {
	c := x.channels()
	in := []string{x.name, g.param(name, "weight", constant(scale), c), g.param(name, "bias", constant(0), c),
		g.param(name, "running_mean", constant(0), c), g.param(name, "running_var", constant(1), c)}
	return g.node("BatchNormalization", name, x.dims, in, attrFloat("epsilon", eps))
}

func (g net) relu(name string, x tensor) tensor {
	return g.node("Relu", name, x.dims, []string{x.name})
}

// relu6 clips to [0, 6].
func (g net) relu6(name string, x tensor) tensor {
	return g.node("Clip", name, x.dims, []string{x.name, g.scalar(0), g.scalar(6)})
}

// prelu has one slope per channel.
func (g net) prelu(name string, x tensor) tensor {
	slope := g.param(name, "slope", constant(0.25), x.channels(), 1, 1)
	return g.node("PRelu", name, x.dims, []string{x.name, slope})
}

// pool is the geometry of a pooling window. Averages leave padding out.
type pool struct {
	k, stride, pad int64
	ceil           bool
}

func (g net) maxPool(name string, x tensor, p pool) tensor { return g.pool("MaxPool", name, x, p) }
func (g net) avgPool(name string, x tensor, p pool) tensor { return g.pool("AveragePool", name, x, p) }

func (g net) pool(op, name string, x tensor, p pool) tensor {
	attrs := []onnx.Attribute{attrInts("kernel_shape", p.k, p.k), attrInts("strides", p.stride, p.stride),
		attrInts("pads", p.pad, p.pad, p.pad, p.pad)}
	if p.ceil {
		attrs = append(attrs, attrInt("ceil_mode", 1))
	}
	dims := []int64{x.channels(), extent(x.dims[1], p.k, p.stride, p.pad, p.ceil), extent(x.dims[2], p.k, p.stride, p.pad, p.ceil)}
	return g.node(op, name, dims, []string{x.name}, attrs...)
}

func (g net) globalAvgPool(name string, x tensor) tensor {
	return g.node("GlobalAveragePool", name, []int64{x.channels(), 1, 1}, []string{x.name})
}

// concat joins along the channels.
func (g net) concat(name string, xs ...tensor) tensor {
	dims := slices.Clone(xs[0].dims)
	in := []string{xs[0].name}
	for _, x := range xs[1:] {
		g.mustEqual(name, dims[1:], x.dims[1:])
		dims[0] += x.channels()
		in = append(in, x.name)
	}
	return g.node("Concat", name, dims, in, attrInt("axis", 1))
}

func (g net) add(name string, a, b tensor) tensor {
	g.mustEqual(name, a.dims, b.dims)
	return g.node("Add", name, a.dims, []string{a.name, b.name})
}

// padChannels appends channels of zeros until there are out.
func (g net) padChannels(name string, x tensor, out int64) tensor {
	dims := slices.Clone(x.dims)
	dims[0] = out
	return g.node("Pad", name, dims, []string{x.name, g.ints(0, 0, 0, 0, 0, out-x.channels(), 0, 0)})
}

// lrn is the local response normalisation of AlexNet: 5 channels, alpha 1e-4, beta 0.75, k 1.
func (g net) lrn(name string, x tensor) tensor {
	return g.node("LRN", name, x.dims, []string{x.name},
		attrInt("size", 5), attrFloat("alpha", 1e-4), attrFloat("beta", 0.75), attrFloat("bias", 1))
}

func (g net) flatten(name string, x tensor) tensor {
	n := int64(1)
	for _, d := range x.dims {
		n *= d
	}
	return g.node("Flatten", name, []int64{n}, []string{x.name}, attrInt("axis", 1))
}

// fc is a fully connected layer with bias, on vectors.
func (g net) fc(name string, x tensor, out int64) tensor {
	g.mustEqual(name, x.dims, x.dims[:1])
	in := []string{x.name, g.param(name, "weight", heNormal(x.dims[0]), out, x.dims[0]), g.param(name, "bias", constant(0), out)}
	return g.node("Gemm", name, []int64{out}, in, attrInt("transB", 1))
}

func (g net) softmax(name string, x tensor) tensor {
	return g.node("Softmax", name, x.dims, []string{x.name}, attrInt("axis", int64(len(x.dims))))
}

func (g net) logSoftmax(name string, x tensor) tensor {
	return g.node("LogSoftmax", name, x.dims, []string{x.name}, attrInt("axis", int64(len(x.dims))))
}
