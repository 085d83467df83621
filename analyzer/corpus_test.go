package analyzer_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/op"
)

// corpusCase is a small model of something that has gone wrong once, with the figures that it has by hand. Empty fields
// are not compared.
type corpusCase struct {
	name   string
	model  *onnx.Model
	dims   map[string]int64
	shapes map[string]op.Shape

	macs, flops, params string // under the report's bindings
	nodes               int64
	outputs             string // name type, separated by spaces
	peak                int64
	free                string // dimensions that have to be given, or "none"
	finding             string // part of a diagnostic
	silent              string // part of none
	err                 string // part of Analyze's error
}

func TestCorpus(t *testing.T) {
	for _, c := range corpus() {
		t.Run(c.name, func(t *testing.T) { c.check(t) })
	}
}

func (c *corpusCase) check(t *testing.T) {
	r, err := analyzer.Analyze(context.Background(), c.model, analyzer.Options{Dims: c.dims, Shapes: c.shapes})
	if err != nil || c.err != "" {
		if err == nil || c.err == "" || !strings.Contains(err.Error(), c.err) {
			t.Fatalf("error: got %v, want %q", err, c.err)
		}
		return
	}
	same := func(what string, got, want any) {
		t.Helper()
		if want != "" && want != int64(0) && got != want {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}
	s := r.Summary("m", true)
	same("MACs", s.Totals.MACs.String(), c.macs)
	same("FLOPs", s.Totals.FLOPs.String(), c.flops)
	same("params", s.Totals.Params.String(), c.params)
	same("nodes", s.Totals.Nodes, c.nodes)
	free := strings.Join(r.Missing(r.Dims), " ")
	if free == "" {
		free = "none"
	}
	same("free", free, c.free)
	var outs []string
	for _, o := range s.Outputs {
		var dims []string
		for _, d := range o.Shape {
			dims = append(dims, d.String())
			if v, ok := d.Value(); ok && v < 0 {
				t.Errorf("output %s has the size %d", o.Name, v)
			}
		}
		outs = append(outs, fmt.Sprintf("%s[%s]", o.Name, strings.Join(dims, ",")))
	}
	same("outputs", strings.Join(outs, " "), c.outputs)
	if c.peak != 0 {
		if p := s.Totals.PeakActivationBytes; p == nil || !p.Equal(dim.Const(c.peak)) {
			t.Errorf("peak: got %v, want %d", p, c.peak)
		}
		if bound, p := s.Totals.ArenaBoundBytes, s.Totals.PeakActivationBytes; bound != nil && p != nil {
			if v, ok := p.Value(); ok && v+64*int64(len(s.Peak.Tensors)+4) < *bound { // a plan aligns each tensor to 64 bytes
				t.Errorf("peak %d is below the arena's bound %d", v, *bound)
			}
		}
	}
	found := ""
	for _, d := range r.Diagnostics {
		found += fmt.Sprintf("%s %s: %s\n", d.Severity, d.Node, d.Message)
	}
	if !strings.Contains(found, c.finding) {
		t.Errorf("findings: want %q in\n%s", c.finding, found)
	}
	if c.silent != "" && strings.Contains(found, c.silent) {
		t.Errorf("findings: want no %q in\n%s", c.silent, found)
	}
}

// graphOf is a model of one graph at opset 18.
func graphOf(in []onnx.ValueInfo, init []*onnx.Tensor, nodes []*onnx.Node, outs ...string) *onnx.Model {
	m := model(&onnx.Graph{Name: "main", Inputs: in, Initializers: init, Nodes: nodes, Outputs: outputs(outs...)})
	m.Opsets = append(m.Opsets, onnx.OpsetID{Domain: "com.microsoft", Version: 1})
	m.Opsets[0].Version = 18
	return m
}

func inputsOf(vs ...onnx.ValueInfo) []onnx.ValueInfo { return vs }
func constants(ts ...*onnx.Tensor) []*onnx.Tensor    { return ts }
func nodesOf(ns ...*onnx.Node) []*onnx.Node          { return ns }
func scalarOf(name string, v int64) *onnx.Tensor     { return onnx.Int64Tensor(name, nil, v) }
func vectorOf(name string, v ...int64) *onnx.Tensor {
	return onnx.Int64Tensor(name, []int64{int64(len(v))}, v...)
}
func zeroFloats(name string, dims ...int64) *onnx.Tensor {
	n := int64(4)
	for _, d := range dims {
		n *= d
	}
	return onnx.NewTensor(name, onnx.Float32, dims, make([]byte, n))
}

// emptyVector is a list of no integers.
func emptyVector(name string) *onnx.Tensor {
	return onnx.NewTensor(name, onnx.Int64, []int64{0}, []byte{})
}

func attrInts(name string, v ...int64) onnx.Attribute {
	return onnx.Attribute{Name: name, Type: onnx.AttrInts, Ints: v}
}

func attrText(name, v string) onnx.Attribute {
	return onnx.Attribute{Name: name, Type: onnx.AttrString, S: v}
}

func corpus() []corpusCase {
	var all []corpusCase
	for _, list := range [][]corpusCase{loopCorpus(), whileCorpus(), branchCorpus(), requirementCorpus(), shapeCorpus(), invalidCorpus(), expertCorpus()} {
		all = append(all, list...)
	}
	return all
}
