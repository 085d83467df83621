package zoo

import (
	"fmt"
	"slices"
	"strings"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

const (
	irVersion = 8
	opset     = 17
	batchName = "batch"
)

// net builds a network below one path of node names: g.at("layer1").conv("conv1", …) is the node /layer1/conv1.
// Mistakes of a network's code (operands that do not fit) panic: they are found by the first build.
type net struct {
	*graph
	path string
}

// graph is the model under construction, shared by every net of it.
type graph struct {
	weights Weights
	onnx    *onnx.Graph
	stored  map[string]bool // names of the initializers that are shared
}

// tensor is a value of the network: its name and its extents per sample, the batch apart. Feature maps are
// channels, height, width.
type tensor struct {
	name string
	dims []int64
}

func (t tensor) channels() int64 { return t.dims[0] }

func newNet(name string, w Weights) net {
	return net{graph: &graph{weights: w, onnx: &onnx.Graph{Name: name}, stored: map[string]bool{}}}
}

// at is the same network below a deeper path.
func (g net) at(path ...any) net {
	for _, p := range path {
		g.path += "/" + fmt.Sprint(p)
	}
	return g
}

// input declares the graph's input.
func (g net) input(dims ...int64) tensor {
	g.onnx.Inputs = append(g.onnx.Inputs, declare("input", dims))
	return tensor{"input", dims}
}

// output makes x, the result of the last node, the graph's output.
func (g net) output(x tensor) {
	last := g.onnx.Nodes[len(g.onnx.Nodes)-1]
	if last.Outputs[0] != x.name {
		panic("zoo: the output is not the last node's")
	}
	last.Outputs[0] = "output"
	g.onnx.Outputs = append(g.onnx.Outputs, declare("output", x.dims))
}

func declare(name string, dims []int64) onnx.ValueInfo {
	t := &onnx.Type{Kind: onnx.KindTensor, DType: onnx.Float32, HasShape: true, Shape: []onnx.Dimension{{Param: batchName}}}
	for _, d := range dims {
		t.Shape = append(t.Shape, onnx.Dimension{Value: d, HasValue: true})
	}
	return onnx.ValueInfo{Name: name, Type: t}
}

// node appends a node and returns its only output, which has the extents dims per sample.
func (g net) node(op, name string, dims []int64, inputs []string, attrs ...onnx.Attribute) tensor {
	name = g.path + "/" + name
	g.onnx.Nodes = append(g.onnx.Nodes, &onnx.Node{
		Name: name, OpType: op, Inputs: inputs, Outputs: []string{name}, Attributes: attrs,
	})
	return tensor{name, dims}
}

// param adds the weight role ("weight", "bias", …) of the node called name, in the form that the model's Weights ask
// for, and returns its name in the manner of frameworks: layer1.0.conv1.weight.
func (g net) param(name, role string, in initializer, dims ...int64) string {
	path := strings.TrimSuffix(g.path+"/"+name, "/") // without a name, the weight is the path's own
	full := strings.ReplaceAll(path[1:], "/", ".") + "." + role
	if g.weights == Fill {
		g.onnx.Initializers = append(g.onnx.Initializers, in.tensor(full, dims))
		return full
	}
	g.onnx.Nodes = append(g.onnx.Nodes, &onnx.Node{
		Name: path + "/" + role, OpType: "ConstantOfShape", Inputs: []string{g.ints(dims...)}, Outputs: []string{full},
		Attributes: []onnx.Attribute{{Name: "value", Type: onnx.AttrTensor, T: onnx.Float32Tensor("", []int64{1}, in.constant)}},
	})
	return full
}

// ints is a stored vector of integers (a shape, pads, split sizes); equal vectors are stored once.
func (g *graph) ints(v ...int64) string {
	name := "ints." + strings.Trim(strings.ReplaceAll(fmt.Sprint(v), " ", "x"), "[]")
	return g.store(name, onnx.Int64Tensor(name, []int64{int64(len(v))}, v...))
}

// index is a stored integer of rank 0.
func (g *graph) index(i int64) string {
	name := fmt.Sprint("index.", i)
	return g.store(name, onnx.Int64Tensor(name, nil, i))
}

// scalar is a stored literal of rank 0.
func (g *graph) scalar(v float32) string {
	name := fmt.Sprint("scalar.", v)
	return g.store(name, onnx.Float32Tensor(name, nil, v))
}

func (g *graph) store(name string, t *onnx.Tensor) string {
	if !g.stored[name] {
		g.stored[name] = true
		g.onnx.Initializers = append(g.onnx.Initializers, t)
	}
	return name
}

func attrInt(name string, v int64) onnx.Attribute {
	return onnx.Attribute{Name: name, Type: onnx.AttrInt, I: v}
}

func attrInts(name string, v ...int64) onnx.Attribute {
	return onnx.Attribute{Name: name, Type: onnx.AttrInts, Ints: v}
}

func attrFloat(name string, v float32) onnx.Attribute {
	return onnx.Attribute{Name: name, Type: onnx.AttrFloat, F: v}
}

// mustEqual panics where the extents of two operands differ.
func (g net) mustEqual(name string, a, b []int64) {
	if !slices.Equal(a, b) {
		panic(fmt.Sprintf("zoo: %s/%s: extents %v and %v differ", g.path, name, a, b))
	}
}
