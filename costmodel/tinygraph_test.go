package costmodel_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/costmodel"
)

// tinyModel is one model of testdata/fusions.txt. A file is a list of them:
//
//	=== NAME
//	RUNTIME: the kernels wanted, sorted, "Op" or "Op*count"
//	ort-cpu/8: those where blocks are of 8 channels, where they differ; ort-cpu/0 without a blocked layout
//	opset 17                          where it is not 17
//	in x batch,3,8 [TYPE]             an input; named or fixed extents, [] for a scalar
//	out y ?  [TYPE]                   an output, its shape left to inference
//	weight w 16,3,3,3 [TYPE]          a stored tensor with some content, the same for names with the same first letter
//	floats f 1,0.5; ints i 0,-1       stored vectors
//	scalar s 0.5; int i 3; bool b 1   stored scalars; zero z uint8 is a 0 of a type
//	y, z = Op(x, _, w) attr=1,2       a node; _ is an absent input, {0.5} a tensor attribute, a trailing comma a list
type tinyModel struct {
	name  string
	line  int
	model *onnx.Model
	want  map[string]string // kernels by runtime
}

// record makes tests against ONNX Runtime write down what it does on the processor at hand where a file has no line for it.
var record = flag.Bool("record", false, "write ONNX Runtime's kernels for this processor into the files of small models")

// wantOn are the kernels of ort-cpu with that many channels in a block.
func (m *tinyModel) wantOn(block int64) (kernels string, ok bool) {
	if kernels, ok = m.want[fmt.Sprintf("%s/%d", costmodel.ORTCPU, block)]; !ok {
		kernels, ok = m.want[string(costmodel.ORTCPU)]
	}
	return kernels, ok
}

// tinyLine is a line to be added behind the first one of a model.
type tinyLine struct {
	after int // line of the model's name
	text  string
}

// insertLines adds lines behind the ort-cpu lines of models.
func insertLines(t *testing.T, path string, add []tinyLine) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	for _, l := range slices.Backward(add) {
		at := l.after + 1 // behind "=== NAME" and "ort-cpu:"
		lines = slices.Insert(lines, at, l.text+"\n")
	}
	if err := os.WriteFile(path, []byte(strings.Join(lines, "")), 0o644); err != nil {
		t.Fatal(err)
	}
}

// readTiny parses a file of models.
func readTiny(t testing.TB, path string) []tinyModel {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var models []tinyModel
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if name, ok := strings.CutPrefix(line, "=== "); ok {
			models = append(models, tinyModel{name: name, line: i + 1, want: map[string]string{}, model: &onnx.Model{IRVersion: 10,
				Opsets: []onnx.OpsetID{{Version: 17}, {Domain: "com.microsoft", Version: 1}}, Graph: &onnx.Graph{Name: name}}})
			continue
		}
		if len(models) == 0 {
			t.Fatalf("%s:%d: want === NAME first", path, i+1)
		}
		if err := models[len(models)-1].add(line); err != nil {
			t.Fatalf("%s:%d: %v", path, i+1, err)
		}
	}
	return models
}

func (m *tinyModel) add(line string) error {
	if outs, node, ok := strings.Cut(line, " = "); ok {
		return m.node(outs, node)
	}
	g := m.model.Graph
	f := strings.Fields(line)
	if key, ok := strings.CutSuffix(f[0], ":"); ok {
		m.want[key] = strings.Join(f[1:], " ")
		return nil
	}
	store := func(t *onnx.Tensor) { g.Initializers = append(g.Initializers, t) }
	for len(f) < 4 {
		f = append(f, "")
	}
	word, name, value := f[0], f[1], f[2]
	dt := onnx.Float32
	if f[3] != "" {
		var ok bool
		if dt, ok = onnx.DTypeByName(f[3]); !ok {
			return fmt.Errorf("unknown type %q", f[3])
		}
	}
	switch word {
	case "opset":
		v, err := strconv.ParseInt(name, 10, 64)
		m.model.Opsets[0].Version = v
		return err
	case "in":
		g.Inputs = append(g.Inputs, valueInfo(name, value, dt))
	case "out":
		g.Outputs = append(g.Outputs, valueInfo(name, value, dt))
	case "weight":
		dims, err := integers(value)
		if err != nil {
			return err
		}
		store(someTensor(name, dims, dt))
	case "floats", "scalar":
		var v []float32
		for _, x := range items(value) {
			f, err := strconv.ParseFloat(x, 32)
			if err != nil {
				return err
			}
			v = append(v, float32(f))
		}
		dims := []int64{int64(len(v))}
		if word == "scalar" {
			dims = nil
		}
		store(onnx.Float32Tensor(name, dims, v...))
	case "ints", "int":
		v, err := integers(value)
		if err != nil {
			return err
		}
		dims := []int64{int64(len(v))}
		if word == "int" {
			dims = nil
		}
		store(onnx.Int64Tensor(name, dims, v...))
	case "bool":
		store(onnx.NewTensor(name, onnx.Bool, nil, []byte{value[0] - '0'}))
	case "zero":
		dt, ok := onnx.DTypeByName(value)
		if !ok {
			return fmt.Errorf("unknown type %q", value)
		}
		store(onnx.NewTensor(name, dt, nil, make([]byte, dt.Bits()/8)))
	default:
		return fmt.Errorf("unknown word %q", word)
	}
	return nil
}

// items splits a list at commas; "[]" is empty.
func items(s string) []string {
	if s == "[]" || s == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(s, ","), ",")
}

func integers(s string) ([]int64, error) {
	var out []int64
	for _, x := range items(s) {
		v, err := strconv.ParseInt(x, 10, 64)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

func valueInfo(name, shape string, dt onnx.DType) onnx.ValueInfo {
	t := &onnx.Type{Kind: onnx.KindTensor, DType: dt, HasShape: shape != "?"}
	if t.HasShape {
		for _, d := range items(shape) {
			v, err := strconv.ParseInt(d, 10, 64)
			if err != nil {
				t.Shape = append(t.Shape, onnx.Dimension{Param: d})
			} else {
				t.Shape = append(t.Shape, onnx.Dimension{Value: v, HasValue: true})
			}
		}
	}
	return onnx.ValueInfo{Name: name, Type: t}
}

// someTensor is a tensor with positive content.
func someTensor(name string, dims []int64, dt onnx.DType) *onnx.Tensor {
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	if dt != onnx.Float32 {
		raw := make([]byte, n*int64(dt.Bits())/8)
		for i := range raw {
			raw[i] = byte(i*7 + int(name[0]))
		}
		return onnx.NewTensor(name, dt, dims, raw)
	}
	v := make([]float32, n)
	for i := range v {
		v[i] = 0.5 + float32((i*7+int(name[0]))%13)/16
	}
	return onnx.Float32Tensor(name, dims, v...)
}

// listAttributes are lists even with one element.
var listAttributes = map[string]bool{"axes": true, "kernel_shape": true, "pads": true, "strides": true, "perm": true, "dilations": true,
	"starts": true, "ends": true}

func (m *tinyModel) node(outs, text string) error {
	open, closing := strings.IndexByte(text, '('), strings.IndexByte(text, ')')
	if open < 0 || closing < open {
		return fmt.Errorf("want Op(INPUT, ...), have %q", text)
	}
	n := &onnx.Node{OpType: text[:open]}
	if i := strings.LastIndexByte(n.OpType, '.'); i >= 0 {
		n.Domain, n.OpType = strings.Replace(n.OpType[:i], "ms", "com.microsoft", 1), n.OpType[i+1:]
	}
	for _, o := range strings.Split(outs, ",") {
		n.Outputs = append(n.Outputs, strings.TrimSpace(o))
	}
	n.Name = "n_" + n.Outputs[0]
	for _, in := range items(text[open+1 : closing]) {
		if in = strings.TrimSpace(in); in == "_" {
			in = ""
		}
		n.Inputs = append(n.Inputs, in)
	}
	for _, a := range strings.Fields(text[closing+1:]) {
		name, value, _ := strings.Cut(a, "=")
		at, err := attribute(name, value)
		if err != nil {
			return err
		}
		n.Attributes = append(n.Attributes, at)
	}
	m.model.Graph.Nodes = append(m.model.Graph.Nodes, n)
	return nil
}

func attribute(name, value string) (onnx.Attribute, error) {
	at := onnx.Attribute{Name: name}
	if x, ok := strings.CutPrefix(value, "{"); ok {
		f, err := strconv.ParseFloat(strings.TrimSuffix(x, "}"), 32)
		at.Type, at.T = onnx.AttrTensor, onnx.Float32Tensor("", []int64{1}, float32(f))
		return at, err
	}
	if v, err := integers(value); err == nil {
		if len(v) == 1 && !listAttributes[name] && !strings.HasSuffix(value, ",") {
			at.Type, at.I = onnx.AttrInt, v[0]
		} else {
			at.Type, at.Ints = onnx.AttrInts, v
		}
		return at, nil
	}
	if f, err := strconv.ParseFloat(value, 32); err == nil {
		at.Type, at.F = onnx.AttrFloat, float32(f)
		return at, nil
	}
	at.Type, at.S = onnx.AttrString, value
	return at, nil
}
