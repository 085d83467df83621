package zoo

import (
	"fmt"
	"math"
	"slices"
)

// vitB16 is ViT-B/16 of Dosovitskiy and others, An Image is Worth 16x16 Words (2020): patches of 16×16, 12 layers of
// width 768 with 12 heads, learned positions, classification from a token of its own.
func vitB16(g net, x tensor) tensor {
	const width, heads, layers, hidden = 768, 12, 12, 3072
	x = g.conv("conv_proj", x, square(16, 16, width).pad(0).biased())
	patches := x.dims[1] * x.dims[2]
	x = g.reshape("patches", x, width, patches)
	x = g.transpose("tokens", x, 1, 0)

	x = g.prepend("class_token", x)
	position := g.param("pos_embedding", "weight", normal(0.02), 1, patches+1, width)
	x = g.node("Add", "pos_embedding", x.dims, []string{x.name, position})
	for i := range layers {
		l := g.at("encoder", fmt.Sprint("layer", i))
		y := l.at("self_attention").attention(l.layerNorm("ln_1", x), heads)
		x = l.add("add_1", x, y)
		m := l.at("mlp")
		y = m.linear("fc2", m.gelu(m.linear("fc1", l.layerNorm("ln_2", x), hidden)), width)
		x = l.add("add_2", x, y)
	}
	x = g.at("encoder").layerNorm("ln", x)
	x = g.node("Gather", "select", []int64{width}, []string{x.name, g.index(0)}, attrInt("axis", 1))
	return g.fc("head", x, 1000)
}

// prepend puts a learned token before those of x, one copy for each sample of the batch.
func (g net) prepend(name string, x tensor) tensor {
	width := x.dims[1]
	token := g.param(name, "weight", normal(0.02), 1, 1, width)
	g = g.at(name)
	batch := g.node("Shape", "shape", nil, []string{x.name}, attrInt("start", 0), attrInt("end", 1))
	target := g.node("Concat", "target", nil, []string{batch.name, g.ints(1, width)}, attrInt("axis", 0))
	t := g.node("Expand", "expand", []int64{1, width}, []string{token, target.name})
	return g.concat("concat", t, x)
}

// attention is multi-head self-attention with one projection for queries, keys and values.
func (g net) attention(x tensor, heads int64) tensor {
	tokens, width := x.dims[0], x.dims[1]
	size := width / heads
	qkv := g.linear("in_proj", x, 3*width)
	parts := g.split("split", qkv, 3)
	for i, name := range []string{"q", "k", "v"} {
		parts[i] = g.reshape(name, parts[i], tokens, heads, size)
	}
	q := g.transpose("q_heads", parts[0], 1, 0, 2)
	k := g.transpose("k_heads", parts[1], 1, 2, 0)
	v := g.transpose("v_heads", parts[2], 1, 0, 2)

	scores := g.matMul("scores", g.scale("q_scaled", q, float32(1/math.Sqrt(float64(size)))), k)
	y := g.matMul("mix", g.softmax("softmax", scores), v)
	y = g.transpose("merge", y, 1, 0, 2)
	return g.linear("out_proj", g.reshape("concat_heads", y, tokens, width), width)
}

// linear is a fully connected layer with bias over the last axis.
func (g net) linear(name string, x tensor, out int64) tensor {
	in := x.dims[len(x.dims)-1]
	g = g.at(name)
	y := g.node("MatMul", "matmul", withLast(x.dims, out), []string{x.name, g.param("", "weight", heNormal(in), in, out)})
	return g.node("Add", "add", y.dims, []string{y.name, g.param("", "bias", constant(0), out)})
}

// layerNorm normalises over the last axis.
func (g net) layerNorm(name string, x tensor) tensor {
	width := x.dims[len(x.dims)-1]
	in := []string{x.name, g.param(name, "weight", constant(1), width), g.param(name, "bias", constant(0), width)}
	return g.node("LayerNormalization", name, x.dims, in, attrInt("axis", -1), attrFloat("epsilon", 1e-6))
}

// gelu is x/2·(1 + erf(x/√2)): the operator Gelu came with opset 20 only, and runtimes fuse this form.
func (g net) gelu(x tensor) tensor {
	g = g.at("gelu")
	y := g.node("Div", "div", x.dims, []string{x.name, g.scalar(math.Sqrt2)})
	y = g.node("Erf", "erf", x.dims, []string{y.name})
	y = g.node("Add", "add", x.dims, []string{y.name, g.scalar(1)})
	y = g.node("Mul", "mul", x.dims, []string{x.name, y.name})
	return g.scale("half", y, 0.5)
}

func (g net) scale(name string, x tensor, by float32) tensor {
	return g.node("Mul", name, x.dims, []string{x.name, g.scalar(by)})
}

func (g net) matMul(name string, a, b tensor) tensor {
	n := len(a.dims)
	g.mustEqual(name, a.dims[n-1:], b.dims[n-2:n-1])
	return g.node("MatMul", name, withLast(a.dims, b.dims[n-1]), []string{a.name, b.name})
}

// reshape gives each sample new extents.
func (g net) reshape(name string, x tensor, dims ...int64) tensor {
	return g.node("Reshape", name, dims, []string{x.name, g.ints(append([]int64{0}, dims...)...)})
}

// transpose permutes the axes of a sample.
func (g net) transpose(name string, x tensor, perm ...int64) tensor {
	dims, full := make([]int64, len(perm)), []int64{0}
	for i, p := range perm {
		dims[i] = x.dims[p]
		full = append(full, p+1)
	}
	return g.node("Transpose", name, dims, []string{x.name}, attrInts("perm", full...))
}

// split cuts the last axis into equal parts.
func (g net) split(name string, x tensor, parts int64) []tensor {
	part := x.dims[len(x.dims)-1] / parts
	sizes := g.ints(slices.Repeat([]int64{part}, int(parts))...)
	first := g.node("Split", name, withLast(x.dims, part), []string{x.name, sizes}, attrInt("axis", -1))
	node := g.onnx.Nodes[len(g.onnx.Nodes)-1]
	out := []tensor{first}
	for i := int64(1); i < parts; i++ {
		t := tensor{fmt.Sprintf("%s_%d", first.name, i), first.dims}
		node.Outputs = append(node.Outputs, t.name)
		out = append(out, t)
	}
	return out
}

// withLast is dims with another last extent.
func withLast(dims []int64, n int64) []int64 {
	d := slices.Clone(dims)
	d[len(d)-1] = n
	return d
}
