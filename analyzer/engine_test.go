package analyzer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// node is a short way to write a node: "name: y = Op(a, b)" with attributes apart.
func node(text string, attrs ...onnx.Attribute) *onnx.Node {
	n := &onnx.Node{Attributes: attrs}
	if i := strings.Index(text, ": "); i >= 0 {
		n.Name, text = text[:i], text[i+2:]
	}
	outs, call, _ := strings.Cut(text, " = ")
	n.Outputs = strings.Split(outs, ", ")
	op, args, _ := strings.Cut(strings.TrimSuffix(call, ")"), "(")
	n.OpType = op
	if i := strings.LastIndexByte(op, '.'); i >= 0 {
		n.Domain, n.OpType = op[:i], op[i+1:]
	}
	if args != "" {
		n.Inputs = strings.Split(args, ", ")
	}
	return n
}

func tensorInfo(name string, dt onnx.DType, dims ...any) onnx.ValueInfo {
	t := &onnx.Type{Kind: onnx.KindTensor, DType: dt, HasShape: true}
	for _, d := range dims {
		switch d := d.(type) {
		case int:
			t.Shape = append(t.Shape, onnx.Dimension{HasValue: true, Value: int64(d)})
		case string:
			t.Shape = append(t.Shape, onnx.Dimension{Param: d})
		}
	}
	return onnx.ValueInfo{Name: name, Type: t}
}

func attrInt(name string, v int64) onnx.Attribute {
	return onnx.Attribute{Name: name, Type: onnx.AttrInt, I: v}
}

func attrGraph(name string, g *onnx.Graph) onnx.Attribute {
	return onnx.Attribute{Name: name, Type: onnx.AttrGraph, G: g}
}

func outputs(names ...string) []onnx.ValueInfo {
	var out []onnx.ValueInfo
	for _, n := range names {
		out = append(out, onnx.ValueInfo{Name: n})
	}
	return out
}

func model(g *onnx.Graph, functions ...*onnx.Function) *onnx.Model {
	return &onnx.Model{IRVersion: 8, Opsets: []onnx.OpsetID{{Version: 17}, {Domain: "local", Version: 1}, {Domain: "custom", Version: 1}},
		Graph: g, Functions: functions}
}

func run(t *testing.T, m *onnx.Model, opt analyzer.Options) *analyzer.Report {
	t.Helper()
	r, err := analyzer.Analyze(context.Background(), m, opt)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// codes lists the codes of the diagnostics other than notes on default dimensions.
func codes(r *analyzer.Report) []string {
	var out []string
	for _, d := range r.Diagnostics {
		if d.Code != analyzer.CodeDefaultDim && d.Code != analyzer.CodeFreeDim {
			out = append(out, d.Code)
		}
	}
	return out
}

func noData(name string, dims ...int64) *onnx.Tensor {
	return onnx.VirtualTensor(name, onnx.Float32, dims)
}

func TestGraphErrors(t *testing.T) {
	in := []onnx.ValueInfo{tensorInfo("x", onnx.Float32, 2, 3)}
	deep := &onnx.Graph{Name: "g", Outputs: outputs("y")}
	for _, c := range []struct {
		name  string
		model *onnx.Model
		want  string
	}{
		{"no graph", &onnx.Model{}, "has no graph"},
		{"dangling input", model(&onnx.Graph{Inputs: in, Nodes: []*onnx.Node{node("n: y = Relu(z)")}, Outputs: outputs("y")}), `input 0 "z" is produced by no node`},
		{"dangling output", model(&onnx.Graph{Inputs: in, Outputs: outputs("y")}), `graph output "y" is produced by no node`},
		{"cycle", model(&onnx.Graph{Inputs: in, Nodes: []*onnx.Node{node("a: u = Add(x, v)"), node("b: v = Relu(u)")}, Outputs: outputs("v")}), "cycle"},
		{"defined twice", model(&onnx.Graph{Inputs: in, Nodes: []*onnx.Node{node("a: y = Relu(x)"), node("b: y = Exp(x)")}, Outputs: outputs("y")}), `"y" is defined twice`},
		{"no opset", &onnx.Model{Graph: &onnx.Graph{Inputs: in, Nodes: []*onnx.Node{node("a: y = Relu(x)")}, Outputs: outputs("y")}}, "no opset"},
		{"recursive function", model(&onnx.Graph{Inputs: in, Nodes: []*onnx.Node{node("y = local.F(x)")}, Outputs: outputs("y")},
			&onnx.Function{Name: "F", Domain: "local", Inputs: []string{"a"}, Outputs: []string{"b"}, Nodes: []*onnx.Node{node("b = local.F(a)")}}), "calls itself"},
		{"functions that unfold without bound", model(&onnx.Graph{Inputs: in, Nodes: []*onnx.Node{node("y = local.F0(x)")}, Outputs: outputs("y")},
			doubling(40)...), "unfold to more than"},
		{"graph that holds itself", func() *onnx.Model {
			deep.Nodes = []*onnx.Node{node("y = If(c)", attrGraph("then_branch", deep), attrGraph("else_branch", deep))}
			return model(&onnx.Graph{Inputs: []onnx.ValueInfo{tensorInfo("c", onnx.Bool)}, Nodes: deep.Nodes, Outputs: outputs("y")})
		}(), "nested deeper"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := analyzer.Analyze(context.Background(), c.model, analyzer.Options{})
			var g *analyzer.GraphError
			if !errors.As(err, &g) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want a graph error with %q", err, c.want)
			}
		})
	}
}

// doubling is a chain of functions of which each calls the next twice.
func doubling(n int) []*onnx.Function {
	var fs []*onnx.Function
	for i := range n {
		f := &onnx.Function{Name: fmt.Sprintf("F%d", i), Domain: "local", Inputs: []string{"a"}, Outputs: []string{"c"}}
		if i == n-1 {
			f.Nodes = []*onnx.Node{node("c = Relu(a)")}
		} else {
			f.Nodes = []*onnx.Node{node(fmt.Sprintf("b = local.F%d(a)", i+1)), node(fmt.Sprintf("c = local.F%d(b)", i+1))}
		}
		fs = append(fs, f)
	}
	return fs
}

// TestUnknownOperator: neither free nor the same as its input; the totals say that they are lower bounds.
func TestUnknownOperator(t *testing.T) {
	r := run(t, model(&onnx.Graph{
		Inputs:    []onnx.ValueInfo{tensorInfo("x", onnx.Float32, 2, 3)},
		ValueInfo: []onnx.ValueInfo{tensorInfo("u", onnx.Float32, 2, 5)},
		Nodes:     []*onnx.Node{node("n: u = custom.Mystery(x)"), node("m: y = Relu(u)"), node("o: z = custom.Mystery(x)"), node("p: w = Relu(z)")},
		Outputs:   outputs("y", "w"),
	}), analyzer.Options{})
	share, unknown := r.Coverage()
	if share != 0.25 || len(unknown) != 1 || unknown[0] != "custom.Mystery" {
		t.Errorf("coverage %v %v, want 0.25 (two unknown, one behind an unknown shape) and custom.Mystery", share, unknown)
	}
	if !r.LowerBound() {
		t.Error("totals do not say that they are lower bounds")
	}
	if got := r.Totals().FLOPs.String(); got != "10" {
		t.Errorf("FLOPs %s, want 10: the declared shape of u decides the first Relu", got)
	}
}

// TestInvalidNode: a node that contradicts itself is a finding; what does not depend on it is still counted.
func TestInvalidNode(t *testing.T) {
	r := run(t, model(&onnx.Graph{
		Inputs:       []onnx.ValueInfo{tensorInfo("x", onnx.Float32, "batch", 3, 8, 8)},
		Initializers: []*onnx.Tensor{noData("w", 4, 3, 3), noData("k", 4, 3, 1, 1)},
		Nodes:        []*onnx.Node{node("bad: y = Conv(x, w)"), node("good: z = Conv(x, k)")},
		Outputs:      outputs("y", "z"),
	}), analyzer.Options{})
	if got := r.Totals().MACs.String(); got != "768*batch" {
		t.Errorf("MACs %s, want 768*batch of the good node", got)
	}
	found := false
	for _, d := range r.Diagnostics {
		found = found || d.Code == analyzer.CodeInvalidNode && d.Node == "bad" && strings.Contains(d.Message, "rank 3, want 4")
	}
	if !found {
		t.Errorf("no diagnostic says what is wrong: %v", r.Diagnostics)
	}
}

// TestUnsortedNodes: nodes in any order give the same figures, with a note.
func TestUnsortedNodes(t *testing.T) {
	g := &onnx.Graph{Inputs: []onnx.ValueInfo{tensorInfo("x", onnx.Float32, 4, 4)}, Outputs: outputs("c"),
		Nodes: []*onnx.Node{node("c = MatMul(b, a)"), node("b = Exp(a)"), node("a = Relu(x)")}}
	r := run(t, model(g), analyzer.Options{})
	if got := codes(r); len(got) != 1 || got[0] != analyzer.CodeOrder {
		t.Errorf("diagnostics %v, want one note on the order", got)
	}
	var order []string
	for _, n := range r.Nodes {
		order = append(order, n.Op())
	}
	if got := strings.Join(order, " "); got != "Relu Exp MatMul" {
		t.Errorf("order %s, want Relu Exp MatMul", got)
	}
}

// TestDeadAndConstantNodes: neither executes.
func TestDeadAndConstantNodes(t *testing.T) {
	r := run(t, model(&onnx.Graph{
		Inputs:       []onnx.ValueInfo{tensorInfo("x", onnx.Float32, 2, 3)},
		Initializers: []*onnx.Tensor{noData("w", 3, 5), noData("unused", 100)},
		Nodes: []*onnx.Node{node("t: wt = Transpose(w)"), node("u: wtt = Transpose(wt)"), node("m: y = MatMul(x, wtt)"),
			node("d: dead = Exp(y)")},
		Outputs: outputs("y"),
	}), analyzer.Options{})
	if len(r.Nodes) != 1 || r.Nodes[0].Name != "m" {
		t.Fatalf("executed nodes %v, want m alone", len(r.Nodes))
	}
	tot := r.Totals()
	if tot.Params.String() != "15" || tot.ConstantBytes.String() != "60" {
		t.Errorf("params %v, constant bytes %v, want 15 and 60", tot.Params, tot.ConstantBytes)
	}
}

// TestWeights: what counts as a parameter, once.
func TestWeights(t *testing.T) {
	r := run(t, model(&onnx.Graph{
		Inputs: []onnx.ValueInfo{tensorInfo("ids", onnx.Int64, "n"), tensorInfo("x", onnx.Float32, "n", 4)},
		Initializers: []*onnx.Tensor{noData("table", 10, 4), noData("eps"), noData("scale", 4),
			onnx.Int64Tensor("target", []int64{2}, -1, 4)},
		Nodes: []*onnx.Node{
			node("g: e = Gather(table, ids)"), node("tt: back = Transpose(table)"),
			node("a: h = Add(e, x)"), node("s: k = Mul(h, scale)"), node("p: q = Add(k, eps)"),
			node("r: v = Reshape(q, target)"), node("m: y = MatMul(v, back)"),
		},
		Outputs: outputs("y"),
	}), analyzer.Options{KeepFree: true})
	tot := r.Totals()
	if got := tot.Params.String(); got != "44" {
		t.Errorf("params %s, want 44: the tied table once and the scale; no literal, no shape", got)
	}
	if got := tot.MACs.String(); got != "40*n" {
		t.Errorf("MACs %s, want 40*n", got)
	}
	if got := r.FreeDims(); len(got) != 1 || got[0] != "n" {
		t.Errorf("free dims %v, want n", got)
	}
}

// TestFunctions: calls are inlined with attributes, defaults and absent inputs; nested calls too.
func TestFunctions(t *testing.T) {
	inner := &onnx.Function{Name: "Dense", Domain: "local", Inputs: []string{"a", "w", "b"}, Outputs: []string{"r"},
		Attributes: []string{"t"}, AttributeDefaults: []onnx.Attribute{attrInt("u", 0)},
		Nodes: []*onnx.Node{{OpType: "Gemm", Inputs: []string{"a", "w", "b"}, Outputs: []string{"r"},
			Attributes: []onnx.Attribute{{Name: "transB", RefAttrName: "t", Type: onnx.AttrInt}, {Name: "transA", RefAttrName: "u", Type: onnx.AttrInt}}}}}
	outer := &onnx.Function{Name: "Block", Domain: "local", Inputs: []string{"a", "w"}, Outputs: []string{"r"}, Attributes: []string{"t"},
		Nodes: []*onnx.Node{{Name: "dense", OpType: "Dense", Domain: "local", Inputs: []string{"a", "w"}, Outputs: []string{"h"},
			Attributes: []onnx.Attribute{{Name: "t", RefAttrName: "t", Type: onnx.AttrInt}}}, node("act: r = Relu(h)")}}
	call := node("block1: y = local.Block(x, w)", attrInt("t", 1))
	r := run(t, model(&onnx.Graph{Inputs: []onnx.ValueInfo{tensorInfo("x", onnx.Float32, "batch", 6)},
		Initializers: []*onnx.Tensor{noData("w", 5, 6)}, Nodes: []*onnx.Node{call}, Outputs: outputs("y")}, inner, outer), analyzer.Options{KeepFree: true})
	if got := r.Totals().MACs.String(); got != "30*batch" {
		t.Errorf("MACs %s, want 30*batch", got)
	}
	if got := r.Outputs[0].String(); got != "float32[batch,5]" {
		t.Errorf("output %s, want float32[batch,5]", got)
	}
	var names []string
	for _, n := range r.Nodes {
		names = append(names, n.Name)
	}
	if got := strings.Join(names, " "); got != "block1/dense/r block1/act" {
		t.Errorf("names %q, want the call's name before each", got)
	}
}

// TestBindings: a symbol bound after the analysis gives what the bound model gives.
func TestBindings(t *testing.T) {
	g := &onnx.Graph{Inputs: []onnx.ValueInfo{tensorInfo("x", onnx.Float32, "batch", "seq", 8)},
		Initializers: []*onnx.Tensor{noData("w", 8, 8)},
		Nodes: []*onnx.Node{node("q = MatMul(x, w)"), node("k = Transpose(q)", onnx.Attribute{Name: "perm", Type: onnx.AttrInts, Ints: []int64{0, 2, 1}}),
			node("s = MatMul(q, k)"), node("p = Softmax(s)", attrInt("axis", -1))},
		Outputs: outputs("p")}
	free := run(t, model(g), analyzer.Options{KeepFree: true})
	for _, env := range []dim.Env{{"batch": 1, "seq": 1}, {"batch": 3, "seq": 17}} {
		bound := run(t, model(g), analyzer.Options{Dims: env})
		for _, pair := range [][2]dim.Dim{{free.Totals().MACs, bound.Totals().MACs}, {free.Totals().FLOPs, bound.Totals().FLOPs},
			{free.Totals().BytesRead, bound.Totals().BytesRead}} {
			a, errA := pair[0].Eval(env)
			b, errB := pair[1].Eval(env)
			if errA != nil || errB != nil || a != b {
				t.Errorf("%v: %d (%v) and %d (%v) differ", env, a, errA, b, errB)
			}
		}
		formula, ok := free.PeakFormula(nil)
		if !ok {
			t.Fatal("no peak formula")
		}
		want, err := bound.Liveness(nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := formula.Eval(env); err != nil || got != want.PeakBytes {
			t.Errorf("%v: peak formula %s gives %d (%v), want %d", env, formula, got, err, want.PeakBytes)
		}
	}
	if _, err := analyzer.Analyze(context.Background(), model(g), analyzer.Options{Dims: map[string]int64{"btach": 1}}); err == nil ||
		!strings.Contains(err.Error(), `no free dimension "btach"; it has batch, seq`) {
		t.Errorf("a misspelt dimension gives %v", err)
	}
}

// TestZeroDim: an extent of 0 is a number from the start, because symbols stand for positive ones.
func TestZeroDim(t *testing.T) {
	r := run(t, model(&onnx.Graph{Inputs: []onnx.ValueInfo{tensorInfo("past", onnx.Float32, 1, "p", 4), tensorInfo("x", onnx.Float32, 1, "s", 4)},
		Nodes: []*onnx.Node{node("y = Concat(past, x)", attrInt("axis", 1))}, Outputs: outputs("y")}),
		analyzer.Options{Dims: map[string]int64{"p": 0, "s": 3}})
	if got := r.Summary("m", false).Outputs[0].Shape[1].String(); got != "3" {
		t.Errorf("extent %s, want 3", got)
	}
}

// TestCancel: a cancelled context stops the analysis.
func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	g := &onnx.Graph{Inputs: []onnx.ValueInfo{tensorInfo("x", onnx.Float32, 2)}, Nodes: []*onnx.Node{node("y = Relu(x)")}, Outputs: outputs("y")}
	if _, err := analyzer.Analyze(ctx, model(g), analyzer.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}
