package op

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// testEngine serves rules in tests: it names fresh symbols, keeps findings and hands out a prepared body.
type testEngine struct {
	fresh    int
	bounds   map[string]dim.Dim // upper bounds of fresh symbols
	found    []string           // "code: message"
	infer    func(g *onnx.Graph, in []*Value) (*Body, error)
	ran      []dim.Dim // how often bodies ran
	alterns  int
	required []Requirement
}

func (e *testEngine) Fresh(hint string, upper dim.Dim) dim.Dim {
	e.fresh++
	name := fmt.Sprintf("%s_%d", hint, e.fresh)
	if e.bounds == nil {
		e.bounds = map[string]dim.Dim{}
	}
	e.bounds[name] = upper
	return dim.Symbol(name)
}

func (e *testEngine) Diagnose(code, message string) { e.found = append(e.found, code+": "+message) }

func (e *testEngine) Require(r Requirement) { e.required = append(e.required, r) }

func (e *testEngine) Choice(n dim.Dim, classes int64) *Choice { return &Choice{N: n, Classes: classes} }

func (e *testEngine) Share(hint string, upper dim.Dim, _ *Choice, _ int64) dim.Dim {
	return e.Fresh(hint, upper)
}

func (e *testEngine) Assume(elseBranch bool) bool { return elseBranch }

func (e *testEngine) Declared(int) *Value { return nil }

func (e *testEngine) Infer(g *onnx.Graph, in []*Value) (*Body, error) {
	if e.infer == nil {
		return nil, fmt.Errorf("the test gives no body for %q", g.Name)
	}
	return e.infer(g, in)
}

func (e *testEngine) Run(_ *Body, times dim.Dim) { e.ran = append(e.ran, times) }

func (e *testEngine) Alternative(*Body) { e.alterns++ }

func (e *testEngine) ChannelBlock() int64 { return 16 }

// tensorOf is a tensor input; extents are integers or names of symbols.
func tensorOf(dt onnx.DType, extents ...any) *Value {
	v := &Value{}
	v.SetTensor(dt, shapeOf(extents...))
	return v
}

// f32 is a float32 input.
func f32(extents ...any) *Value { return tensorOf(onnx.Float32, extents...) }

// weight marks an input as constant.
func weight(v *Value) *Value {
	v.Const = true
	return v
}

// unranked is a float32 input of unknown rank.
func unranked() *Value {
	v := &Value{}
	v.SetUnranked(onnx.Float32)
	return v
}

// known is a constant int64 vector.
func known(xs ...int64) *Value {
	v := tensorOf(onnx.Int64, len(xs))
	v.Const, v.Data = true, &Data{Nums: intNums(xs)}
	return v
}

// knownScalar is a constant scalar.
func knownScalar(dt onnx.DType, n Num) *Value {
	v := tensorOf(dt)
	v.Const, v.Data = true, &Data{Nums: []Num{n}}
	return v
}

func shapeOf(extents ...any) Shape {
	s := Shape{}
	for _, e := range extents {
		switch e := e.(type) {
		case int:
			s = append(s, dim.Const(int64(e)))
		case int64:
			s = append(s, dim.Const(e))
		case string:
			s = append(s, dim.Symbol(e))
		case dim.Dim:
			s = append(s, e)
		default:
			panic(fmt.Sprintf("extent %v is a %T", e, e))
		}
	}
	return s
}

// attributes by name; values are int, float64, string, []int64, []string, *onnx.Graph.
type attributes map[string]any

func (as attributes) list() []onnx.Attribute {
	var out []onnx.Attribute
	for name, v := range as {
		a := onnx.Attribute{Name: name}
		switch v := v.(type) {
		case int:
			a.Type, a.I = onnx.AttrInt, int64(v)
		case int64:
			a.Type, a.I = onnx.AttrInt, v
		case float64:
			a.Type, a.F = onnx.AttrFloat, float32(v)
		case string:
			a.Type, a.S = onnx.AttrString, v
		case []int64:
			a.Type, a.Ints = onnx.AttrInts, v
		case []string:
			a.Type, a.Strings = onnx.AttrStrings, v
		case []float32:
			a.Type, a.Floats = onnx.AttrFloats, v
		case *onnx.Graph:
			a.Type, a.G = onnx.AttrGraph, v
		default:
			panic(fmt.Sprintf("attribute %s is a %T", name, v))
		}
		out = append(out, a)
	}
	return out
}

// latest is an opset in which every rule of the standard is in force.
const latest = 28

// newCall builds the call of an operator "Op" or "domain.Op" with the given number of outputs, all asked for.
func newCall(name string, opset int64, outs int, as attributes, in ...*Value) (*Call, *Rule) {
	domain, op := "", name
	if i := strings.LastIndex(name, "."); i >= 0 {
		domain, op = name[:i], name[i+1:]
	}
	n := &onnx.Node{OpType: op, Domain: domain, Attributes: as.list()}
	c := &Call{Node: n, Opset: opset, In: in, Engine: &testEngine{}}
	for i := range in {
		n.Inputs = append(n.Inputs, "")
		if in[i] != nil {
			n.Inputs[i] = fmt.Sprintf("in%d", i)
		}
	}
	for i := range outs {
		n.Outputs = append(n.Outputs, fmt.Sprintf("out%d", i))
		c.Out = append(c.Out, &Value{Name: n.Outputs[i]})
	}
	return c, Lookup(domain, op, opset)
}

// apply runs the rule of an operator and returns its outputs as text, and its work.
func apply(t testing.TB, name string, opset int64, outs int, as attributes, in ...*Value) (*Call, Work) {
	t.Helper()
	c, r := newCall(name, opset, outs, as, in...)
	if r == nil {
		t.Fatalf("no rule for %s at opset %d", name, opset)
	}
	if err := r.Shape(c); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return c, checkedWork(t, name, r.Work(c))
}

// checkedWork holds what is true of every Work: the contractions account for all MACs, and nothing overflowed.
func checkedWork(t testing.TB, name string, w Work) Work {
	t.Helper()
	var sum dim.Dim
	for _, ct := range w.Contraction {
		sum = sum.Add(ct.MACs())
	}
	if !sum.Equal(w.MACs) {
		t.Errorf("%s: contractions %+v have %v MACs, work says %v", name, w.Contraction, sum, w.MACs)
	}
	for _, d := range []dim.Dim{w.MACs, w.Vector, w.Special} {
		if d.Err() != nil {
			t.Errorf("%s: %v", name, d.Err())
		}
	}
	return w
}

// applyError runs the shape rule and returns its error's text, "" where there is none.
func applyError(t testing.TB, name string, opset int64, outs int, as attributes, in ...*Value) string {
	t.Helper()
	c, r := newCall(name, opset, outs, as, in...)
	if r == nil {
		t.Fatalf("no rule for %s at opset %d", name, opset)
	}
	if err := r.Shape(c); err != nil {
		return err.Error()
	}
	return ""
}

// types prints the types of all outputs.
func types(c *Call) string {
	parts := make([]string, len(c.Out))
	for i, o := range c.Out {
		parts[i] = o.String()
	}
	return strings.Join(parts, " ")
}

// wantConst compares a count with a plain number.
func wantConst(t testing.TB, what string, got dim.Dim, want int64) {
	t.Helper()
	if !got.Is(want) {
		t.Errorf("%s: got %v, want %d", what, got, want)
	}
}

// seeded is the source of random geometries: the same in every run.
func seeded() *rand.Rand { return rand.New(rand.NewPCG(7, 2016)) }

// between draws an integer from [lo, hi].
func between(r *rand.Rand, lo, hi int) int64 { return int64(lo + r.IntN(hi-lo+1)) }
