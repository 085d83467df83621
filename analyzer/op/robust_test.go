package op

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// TestRulesNeverPanic gives every rule nodes that no exporter writes: inputs that are absent, of the wrong kind, rank or
// type, elements and attributes at random. A rule may refuse them; it may not panic, and what it accepts must have a
// Work without overflow.
func TestRulesNeverPanic(t *testing.T) {
	calls := 500
	if testing.Short() {
		calls = 40
	}
	names := attributeNames(t)
	for _, r := range Rules() {
		rng := rand.New(rand.NewPCG(uint64(r.Since), uint64(len(r.Op))))
		failures := 0
		for range calls {
			if failures += tryRule(t, r, wildCall(rng, r, names)); failures > 2 {
				break
			}
		}
	}
}

func tryRule(t *testing.T, r *Rule, c *Call) (failures int) {
	defer func() {
		if p := recover(); p != nil {
			failures = 1
			t.Errorf("%s.%s since %d panics: %v\n%s\n%s", r.Domain, r.Op, r.Since, p, describeCall(c), firstFrames())
		}
	}()
	if err := r.Shape(c); err != nil {
		return 0
	}
	if r.Fold != nil && len(c.Out) > 0 && c.Out[0].Data == nil {
		r.Fold(c)
	}
	for i, o := range c.Out {
		if o.Data == nil || !o.Ranked || o.DType == onnx.String {
			continue
		}
		if n, ok := o.Shape.Elements().Value(); ok && n != int64(len(o.Data.Nums)) {
			t.Errorf("%s.%s since %d: output %d of %v has %d elements\n%s", r.Domain, r.Op, r.Since, i, o, len(o.Data.Nums), describeCall(c))
			return 1
		}
	}
	unrankedIn := slices.ContainsFunc(c.In, func(v *Value) bool { return v != nil && v.Kind == onnx.KindTensor && !v.Ranked })
	if !unrankedIn { // the engine does not ask for the work of unknown shapes
		r.Work(c)
		if r.Traffic != nil {
			r.Traffic(c)
		}
	}
	return 0
}

// wildCall is a node of the rule with anything for inputs and attributes.
func wildCall(rng *rand.Rand, r *Rule, names []string) *Call {
	n := &onnx.Node{OpType: r.Op, Domain: r.Domain}
	c := &Call{Node: n, Opset: r.Since, Engine: &testEngine{infer: func(g *onnx.Graph, in []*Value) (*Body, error) {
		b := &Body{Work: Work{MACs: dim.Symbol("m")}}
		for range rng.IntN(4) {
			b.Outputs = append(b.Outputs, wildValue(rng, 1))
		}
		return b, nil
	}}}
	for i := range rng.IntN(6) {
		v := wildValue(rng, 1)
		if rng.IntN(8) == 0 {
			v = nil
		}
		if i > 0 && rng.IntN(3) == 0 { // operands often agree
			v = c.In[0]
		}
		c.In = append(c.In, v)
		n.Inputs = append(n.Inputs, fmt.Sprint("i", i))
	}
	for i := range 1 + rng.IntN(4) {
		n.Outputs = append(n.Outputs, fmt.Sprint("o", i))
		c.Out = append(c.Out, &Value{})
	}
	for range rng.IntN(6) {
		n.Attributes = append(n.Attributes, wildAttribute(rng, names[rng.IntN(len(names))]))
	}
	if r.Class == ControlFlow {
		for _, name := range []string{"body", "then_branch", "else_branch", "decoder"} {
			n.Attributes = append(n.Attributes, onnx.Attribute{Name: name, Type: onnx.AttrGraph, G: &onnx.Graph{}})
		}
	}
	return c
}

func wildAttribute(rng *rand.Rand, name string) onnx.Attribute {
	a := onnx.Attribute{Name: name}
	ints := []int64{0, 1, 2, 3, -1, -2, 7, 64, math.MaxInt64, math.MinInt64}
	pick := func() int64 { return ints[rng.IntN(len(ints))] }
	switch rng.IntN(6) {
	case 0, 1:
		a.Type, a.I = onnx.AttrInt, pick()
	case 2, 3:
		a.Type = onnx.AttrInts
		for range rng.IntN(5) {
			a.Ints = append(a.Ints, pick())
		}
	case 4:
		a.Type, a.F = onnx.AttrFloat, float32(rng.NormFloat64())
		a.Floats = []float32{1, 2}
	default:
		a.Type, a.S = onnx.AttrString, []string{"", "linear", "reflect", "SAME_UPPER", "bij,bjk->bik", "not_larger"}[rng.IntN(6)]
		a.Strings = []string{"a", "b"}
	}
	return a
}

func wildValue(rng *rand.Rand, depth int) *Value {
	v := &Value{}
	if rng.IntN(12) == 0 {
		return v
	}
	if depth > 0 && rng.IntN(10) == 0 {
		v.Kind = []onnx.TypeKind{onnx.KindSequence, onnx.KindOptional, onnx.KindMap}[rng.IntN(3)]
		if rng.IntN(2) == 0 {
			v.Elem = wildValue(rng, depth-1)
		}
		if rng.IntN(2) == 0 {
			v.HasItems = true
			for range rng.IntN(3) {
				v.Items = append(v.Items, wildValue(rng, depth-1))
			}
		}
		return v
	}
	types := []onnx.DType{onnx.Float32, onnx.Float32, onnx.Int64, onnx.Int64, onnx.Int32, onnx.Bool, onnx.Uint8, onnx.String, onnx.Float16, onnx.Int4}
	dt := types[rng.IntN(len(types))]
	if rng.IntN(10) == 0 {
		v.SetUnranked(dt)
		return v
	}
	s := make(Shape, rng.IntN(6))
	for i := range s {
		s[i] = dim.Const(int64(rng.IntN(5)))
		if rng.IntN(30) == 0 { // next to an extent of 0 that is a tensor of no elements all the same
			s[i] = dim.Const(1 << 40)
		}
		if rng.IntN(5) == 0 {
			s[i] = dim.Symbol(string(rune('p' + rng.IntN(3))))
		}
	}
	v.SetTensor(dt, s)
	n, constant := s.Elements().Value()
	if !constant || n > 64 || rng.IntN(3) == 0 {
		return v
	}
	v.Data = &Data{}
	if dt == onnx.String {
		v.Data.Strs = make([]string, n)
		return v
	}
	v.Data.Nums = make([]Num, n)
	for i := range v.Data.Nums {
		switch rng.IntN(8) {
		case 0:
		case 1:
			v.Data.Nums[i] = Int(dim.Symbol("q").AddInt(int64(rng.IntN(3))))
		case 2:
			v.Data.Nums[i] = []Num{Float(math.NaN()), Float(math.Inf(1)), Float(1e30), IntOf(math.MaxInt64), IntOf(math.MinInt64)}[rng.IntN(5)]
		case 3:
			v.Data.Nums[i] = Float(rng.NormFloat64())
		default:
			v.Data.Nums[i] = IntOf(int64(rng.IntN(7) - 3))
		}
	}
	return v
}

func describeCall(c *Call) string {
	s := ""
	for i, v := range c.In {
		s += fmt.Sprintf("  in %d: %v", i, v)
		if v != nil && v.Data != nil {
			s += fmt.Sprintf(" %v", v.Data)
		}
		s += "\n"
	}
	for _, a := range c.Node.Attributes {
		s += fmt.Sprintf("  %s: type %d i=%d ints=%v s=%q\n", a.Name, a.Type, a.I, a.Ints, a.S)
	}
	return s
}

// firstFrames is the part of the stack that names the rule's own lines.
func firstFrames() string {
	stack := make([]byte, 1<<14)
	stack = stack[:runtime.Stack(stack, false)]
	var out string
	for _, m := range regexp.MustCompile(`analyzer/op/[a-z0-9_]+\.go:\d+`).FindAllString(string(stack), -1) {
		if !regexp.MustCompile(`robust_test`).MatchString(m) {
			out += "  " + m
		}
	}
	return out
}

// attributeNames lists the attributes that the package's sources ask for.
func attributeNames(t *testing.T) []string {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no sources: %v", err)
	}
	asks := regexp.MustCompile(`(?:Int|Ints|Str|Float|HasAttr|Attr|strings|floats)\("([A-Za-z_0-9]+)"`)
	var names []string
	for _, f := range files {
		src, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range asks.FindAllSubmatch(src, -1) {
			names = append(names, string(m[1]))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
