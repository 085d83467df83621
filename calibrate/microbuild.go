package calibrate

import (
	"encoding/binary"
	"hash/fnv"
	"io"
	"math"
	"math/rand/v2"
	"strconv"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// The versions that microbenchmarks are written in: opset 17 is the first with LayerNormalization, and what exporters
// write most.
const (
	microOpset = 17
	microIR    = 8
)

// micro builds the model of one microbenchmark. Its form is always the same: inputs, the operators under test, one
// output of one element. A single small output keeps the runtime's arena from growing and the result's copy out of the
// time.
type micro struct {
	g     *onnx.Graph
	nodes int
	opset int64 // 0 for microOpset
}

// arg is a value of the model under construction.
type arg struct {
	name string
	dims []int64
}

func (a arg) elements() int64 { return product(a.dims) }

func product(dims []int64) int64 {
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	return n
}

// input declares a float input and passes it through Relu: what the runtime's caller left in memory is copied once, so
// that the operator under test finds its input where a network would have it.
func (m *micro) input(dims ...int64) arg {
	return m.op("Relu", dims, []arg{m.raw(onnx.Float32, dims...)})
}

// raw declares an input.
func (m *micro) raw(dt onnx.DType, dims ...int64) arg {
	name := "x" + strconv.Itoa(len(m.g.Inputs))
	m.g.Inputs = append(m.g.Inputs, onnx.ValueInfo{Name: name, Type: tensorType(dt, dims)})
	return arg{name, dims}
}

func tensorType(dt onnx.DType, dims []int64) *onnx.Type {
	t := &onnx.Type{Kind: onnx.KindTensor, DType: dt, HasShape: true}
	for _, d := range dims {
		t.Shape = append(t.Shape, onnx.Dimension{Value: d, HasValue: true})
	}
	return t
}

// weight is a stored float tensor of normal numbers whose deviation is 1/√fanIn, so that values keep their size from
// layer to layer. The values are made when the model is written.
func (m *micro) weight(fanIn int64, dims ...int64) arg {
	name := "w" + strconv.Itoa(len(m.g.Initializers))
	std := 1 / math.Sqrt(float64(max(1, fanIn)))
	n := product(dims)
	m.g.Initializers = append(m.g.Initializers, onnx.GeneratedTensor(name, onnx.Float32, dims, func(w io.Writer) error {
		return writeNormal(w, name, std, n)
	}))
	return arg{name, dims}
}

// positive is a stored vector of numbers in [0.5, 1.5), for variances and scales.
func (m *micro) positive(dims ...int64) arg {
	name := "w" + strconv.Itoa(len(m.g.Initializers))
	v := make([]float32, product(dims))
	for i := range v {
		v[i] = 0.5 + float32(i%64)/64
	}
	m.g.Initializers = append(m.g.Initializers, onnx.Float32Tensor(name, dims, v...))
	return arg{name, dims}
}

// ints is a stored vector of integers that steers an operator.
func (m *micro) ints(v ...int64) arg {
	name := "i" + strconv.Itoa(len(m.g.Initializers))
	dims := []int64{int64(len(v))}
	m.g.Initializers = append(m.g.Initializers, onnx.Int64Tensor(name, dims, v...))
	return arg{name, dims}
}

// scalar is a stored literal.
func (m *micro) scalar(v float32) arg {
	name := "c" + strconv.Itoa(len(m.g.Initializers))
	m.g.Initializers = append(m.g.Initializers, onnx.Float32Tensor(name, nil, v))
	return arg{name, nil}
}

// op appends a node and returns its first output, which has the given extents.
func (m *micro) op(op string, dims []int64, in []arg, attrs ...onnx.Attribute) arg {
	return m.ops(op, [][]int64{dims}, in, attrs...)[0]
}

// ops appends a node with several outputs.
func (m *micro) ops(op string, dims [][]int64, in []arg, attrs ...onnx.Attribute) []arg {
	m.nodes++
	n := &onnx.Node{OpType: op, Name: op + strconv.Itoa(m.nodes), Attributes: attrs}
	for _, a := range in {
		n.Inputs = append(n.Inputs, a.name)
	}
	out := make([]arg, len(dims))
	for i, d := range dims {
		out[i] = arg{"v" + strconv.Itoa(m.nodes) + "_" + strconv.Itoa(i), d}
		if d == nil {
			out[i].name = "" // an output that nobody asks for
		}
		n.Outputs = append(n.Outputs, out[i].name)
	}
	m.g.Nodes = append(m.g.Nodes, n)
	return out
}

// unary appends a node whose output is like its input.
func (m *micro) unary(op string, x arg, attrs ...onnx.Attribute) arg {
	return m.op(op, x.dims, []arg{x}, attrs...)
}

// maximum reduces each value to one element.
func (m *micro) maximum(x arg) arg {
	if x.elements() == 1 {
		return x
	}
	one := make([]int64, len(x.dims))
	for i := range one {
		one[i] = 1
	}
	return m.op("ReduceMax", one, []arg{x}, attrInt("keepdims", 1))
}

// pooled reduces a feature map in whatever layout it is in: the global average pool knows the blocked one.
func (m *micro) pooled(x arg) arg {
	d := []int64{x.dims[0], x.dims[1]}
	for range x.dims[2:] {
		d = append(d, 1)
	}
	return m.op("GlobalAveragePool", d, []arg{x})
}

// model ends the graph: one output of one element.
func (m *micro) model(results ...arg) *onnx.Model {
	var outs []arg
	for _, x := range results {
		outs = append(outs, m.maximum(x))
	}
	last := outs[0]
	if len(outs) > 1 {
		flat := make([]arg, len(outs))
		shape := m.ints(1)
		for i, x := range outs {
			flat[i] = m.op("Reshape", []int64{1}, []arg{x, shape})
		}
		last = m.op("Max", []int64{1}, flat)
	}
	m.g.Outputs = []onnx.ValueInfo{{Name: last.name, Type: tensorType(onnx.Float32, last.dims)}}
	return &onnx.Model{IRVersion: microIR, ProducerName: "onnxcost", Opsets: []onnx.OpsetID{{Version: max(m.opset, microOpset)}}, Graph: m.g}
}

func attrInt(name string, v int64) onnx.Attribute {
	return onnx.Attribute{Name: name, Type: onnx.AttrInt, I: v}
}

func attrInts(name string, v ...int64) onnx.Attribute {
	return onnx.Attribute{Name: name, Type: onnx.AttrInts, Ints: v}
}

func attrString(name, v string) onnx.Attribute {
	return onnx.Attribute{Name: name, Type: onnx.AttrString, S: v}
}

// normalBlock is how many random numbers are drawn for a weight; a larger weight repeats them, which no dense kernel
// can notice and which keeps writing as fast as copying.
const normalBlock = 1 << 14

func writeNormal(w io.Writer, name string, std float64, n int64) error {
	h := fnv.New64a()
	io.WriteString(h, name)
	r := rand.New(rand.NewPCG(h.Sum64(), 1))
	block := make([]byte, 4*min(n, normalBlock))
	for i := 0; i < len(block); i += 4 {
		binary.LittleEndian.PutUint32(block[i:], math.Float32bits(float32(r.NormFloat64()*std)))
	}
	for n *= 4; n > 0; {
		k := min(n, int64(len(block)))
		if _, err := w.Write(block[:k]); err != nil {
			return err
		}
		n -= k
	}
	return nil
}
