package form

import (
	"math"
	"strconv"

	"github.com/onnxcost/onnxcost/costmodel/plan"
)

// conv sorts a convolution by the way in which MLAS computes it.
func (k *ortKernel) conv() {
	x, y, w := first(k.in, 0), first(k.out, 0), first(k.w, 0)
	if x == nil || y == nil || len(y) < 3 || k.Layout != plan.LayoutNCHWc || len(y) != 4 {
		k.plainConv(y)
		return
	}
	if len(w) != 4 {
		k.group = "conv"
		k.add("macs", k.batch*k.g*k.gm*k.gn*k.gk)
		return
	}
	g := k.geometry(x, y, w)
	switch {
	case w[1] == 1 && g.groups > 1 || len(k.Contraction) == 0:
		k.divide(divided(g.n*g.cout/k.tiles.block*g.oh, k.threads))
		k.depthwise(g)
	case g.cin < k.tiles.block:
		k.divideSets(g)
		k.stem(g)
	case g.kh == 1 && g.kw == 1 && g.groups == 1:
		k.divideSets(g)
		k.pointwise(g)
	default:
		k.divide(1 / k.threads) // evenly, as its times at one and at two threads show, whatever the number of channels
		k.direct(g)
	}
	k.epilogue(k.group, g.outputs)
}

// convGeometry is a blocked convolution in numbers; channels are padded to whole blocks where the kernel computes them.
type convGeometry struct {
	n, cin, cout, h, w, oh, ow, kh, kw, groups, stride float64
	taps                                               float64 // taps inside of the image, over all outputs of one channel pair
	rows                                               float64 // row taps inside of the image, over all output rows
	edge                                               float64 // columns of output some of whose taps lie outside of the image
	outputs                                            float64 // elements
}

// geometry reads the convolution from its operands: x and y with blocked channels, w as out×in/groups×kh×kw.
func (k *ortKernel) geometry(x, y, w []float64) convGeometry {
	g := convGeometry{n: y[0], cin: w[1], cout: y[1], h: x[2], w: x[3], oh: y[2], ow: y[3], kh: w[2], kw: w[3], groups: 1, stride: 1,
		outputs: volume(y)}
	stride, dilation := []int64(nil), []int64(nil)
	if len(k.Contraction) > 0 {
		g.groups = k.g
		stride, dilation = k.Contraction[0].Strides, k.Contraction[0].Dilation
	}
	at := func(v []int64, i int) float64 {
		if i < len(v) && v[i] > 0 {
			return float64(v[i])
		}
		return 1
	}
	g.stride = at(stride, 1)
	g.rows = insideTaps(g.h, g.oh, g.kh, at(stride, 0), at(dilation, 0))
	g.edge = g.ow - insideColumns(g.w, g.ow, g.kw, at(stride, 1), at(dilation, 1))
	g.taps = g.rows * insideTaps(g.w, g.ow, g.kw, at(stride, 1), at(dilation, 1))
	return g
}

// insideTaps counts the pairs of output position and tap along one axis that fall inside of the image, with the padding
// divided evenly.
func insideTaps(in, out, taps, stride, dilation float64) float64 {
	pad := math.Floor(math.Max(0, (out-1)*stride+dilation*(taps-1)+1-in) / 2)
	total := 0.0
	for t := range int64(math.Min(taps, 1<<12)) {
		// Positions o in [0, out) with 0 ≤ o·stride − pad + t·dilation < in.
		off := float64(t)*dilation - pad
		lo := math.Max(0, math.Ceil(-off/stride))
		hi := math.Min(out-1, math.Floor((in-1-off)/stride))
		total += math.Max(0, hi-lo+1)
	}
	return total
}

// divideSets gives the busiest thread its rows of a blocked convolution.
func (k *ortKernel) divideSets(g convGeometry) {
	k.divide(divideRows(g.n*g.groups, math.Ceil(g.cout/g.groups/k.tiles.block), g.oh, k.threads))
}

// insideColumns counts the outputs along one axis all of whose taps fall inside of the image. The others are computed one
// by one, with a look at the image's edge for every tap.
func insideColumns(in, out, taps, stride, dilation float64) float64 {
	span := dilation*(taps-1) + 1
	pad := math.Floor(math.Max(0, (out-1)*stride+span-in) / 2)
	lo, hi := math.Ceil(pad/stride), math.Min(out-1, math.Floor((in-span+pad)/stride))
	return math.Max(0, hi-lo+1)
}

// pointwiseDepth is how many input channels a 1×1 convolution sums before it writes.
const pointwiseDepth = 128

// direct is the blocked convolution with a window: the output is read and written again for each block of input
// channels.
func (k *ortKernel) direct(g convGeometry) {
	k.group = "conv"
	if g.groups > 1 {
		k.group = "conv_grouped"
	}
	perGroup := g.cout / g.groups
	sets := math.Ceil(perGroup/k.tiles.channels()) * g.groups
	passes := math.Ceil(g.ow / k.tiles.convOutputs)
	k.add("macs", g.n*g.cout*g.cin*g.taps)
	k.add("broadcasts", g.n*g.cin*g.taps*sets)
	k.add("weight_loads", g.n*g.cin*g.cout*g.rows*g.kw*passes)
	k.add("edge_macs", g.n*g.cout*g.cin*g.rows*g.kw*g.edge)
	k.add("accumulations", g.n*g.oh*g.ow*g.cout*g.cin/k.tiles.block)
	k.add("rows", g.n*g.oh*sets*g.cin/k.tiles.block)
	if g.stride > 1 {
		k.add("strided_broadcasts", g.n*g.cin*g.taps*sets)
	}
	k.add("weights", k.weights/4)
	k.add("inputs", g.n*g.cin*g.groups*g.h*g.w)
}

// pointwise is the blocked 1×1 convolution: a matrix product over all pixels where it does not stride.
func (k *ortKernel) pointwise(g convGeometry) {
	k.group = "conv1x1"
	sets := math.Ceil(g.cout / k.tiles.channels())
	pixels := g.oh * g.ow
	passes := math.Ceil(pixels / k.tiles.convOutputs)
	if g.stride > 1 {
		k.group = "conv1x1_strided"
		passes = g.oh * math.Ceil(g.ow/k.tiles.convOutputs)
	}
	k.add("macs", g.n*g.cout*g.cin*pixels)
	k.add("broadcasts", g.n*g.cin*pixels*sets)
	k.add("weight_loads", g.n*g.cin*g.cout*passes)
	k.add("accumulations", g.n*pixels*g.cout*math.Ceil(g.cin/pointwiseDepth))
	k.add("weights", k.weights/4)
	k.add("inputs", g.n*g.cin*pixels)
	k.add("rows", passes*sets*g.n)
}

// stem is the convolution that reads the plain layout and writes the blocked one.
func (k *ortKernel) stem(g convGeometry) {
	k.group = "conv_stem"
	sets := math.Ceil(g.cout / k.tiles.channels())
	passes := math.Ceil(g.ow / k.tiles.convOutputs)
	k.add("macs", g.n*g.cout*g.cin*g.taps)
	k.add("broadcasts", g.n*g.cin*g.taps*sets)
	k.add("weight_loads", g.n*g.cin*g.cout*g.rows*g.kw*passes)
	k.add("edge_macs", g.n*g.cout*g.cin*g.rows*g.kw*g.edge)
	k.add("accumulations", g.n*g.oh*g.ow*g.cout)
	k.add("rows", g.n*g.oh*sets)
	k.add("inputs", g.n*g.cin*g.h*g.w)
}

// depthwise is the blocked convolution of each channel by itself.
func (k *ortKernel) depthwise(g convGeometry) {
	k.group = "depthwise"
	if g.kh == 1 && g.kw == 1 { // what a BatchNormalization or a scale per channel becomes
		k.group = "depthwise1x1"
	}
	blocks := g.cout / k.tiles.block
	k.add("macs", g.n*g.cout*g.taps)
	k.add("weight_loads", g.n*g.cout*g.rows*g.kw*math.Ceil(g.ow/k.tiles.convOutputs))
	k.add("edge_macs", g.n*g.cout*g.rows*g.kw*g.edge)
	k.add("outputs", g.outputs)
	k.add("inputs", g.n*g.cout*g.h*g.w)
	k.add("rows", g.n*g.oh*blocks)
	k.call()
}

// plainConv is the convolution in the plain layout: columns are gathered, then multiplied.
func (k *ortKernel) plainConv(y []float64) {
	outputs := volume(y)
	if len(k.Contraction) == 0 {
		k.group = "im2col"
		k.add("outputs", outputs)
		return
	}
	products := k.batch * k.g
	c := k.Contraction[0]
	images := 1.0
	if len(y) > 0 {
		images = y[0]
	}
	products *= images
	m := k.gm / math.Max(1, images) // pixels of one image
	window, strided := 1.0, false
	for i, t := range c.Window {
		window *= float64(t)
		if i < len(c.Strides) && c.Strides[i] > 1 {
			strided = true
		}
	}
	k.group = "im2col"
	if k.gn == 1 && k.gk == window { // one channel in, one out
		k.group = "im2col_depthwise"
	}
	if products >= k.threads {
		k.divide(divided(products, k.threads))
	} else {
		k.divide(1 / productThreads(k.gn*m*k.gk, k.threads))
	}
	// The filter is the first operand: rows are output channels, columns are pixels.
	p16 := math.Ceil(m/16) * 16
	k.add("macs", products*k.gn*p16*k.gk)
	k.add("b_loads", products*math.Ceil(k.gn/k.tiles.gemmRows)*p16*k.gk)
	k.add("a_loads", products*k.gn*k.gk*math.Ceil(m/k.tiles.gemmColumns))
	k.add("outputs", products*k.gn*m)
	add := k.add
	if k.gn > m { // more filters than pixels: the calling thread gathers all columns, and every thread packs all of them
		add = k.addWhole
	}
	if window > 1 || strided {
		if len(c.Window) == 2 {
			add("columns", products*m*k.gk)
			add("column_rows", products*m*k.gk/math.Max(1, lastExtent(y)))
		} else { // other numbers of axes have a loop of their own, element by element
			add("columns_"+strconv.Itoa(len(c.Window))+"d", products*m*k.gk)
		}
	}
	add("pack", products*k.gk*m)
	k.add("products", products)
	k.epilogue(k.group, outputs)
}

func lastExtent(s []float64) float64 {
	if len(s) == 0 {
		return 1
	}
	return s[len(s)-1]
}
