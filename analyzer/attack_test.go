package analyzer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// attackBound is ten times the aim of 2 s: other programs may run.
const attackBound = 20 * time.Second

// TestAttacks analyses graphs that are meant to break an analysis: an error or a report, within bounds of time and of
// memory per byte of the file.
func TestAttacks(t *testing.T) {
	f32 := func(name string, dims ...any) []onnx.ValueInfo {
		return []onnx.ValueInfo{tensorInfo(name, onnx.Float32, dims...)}
	}
	relu := func(in ...any) *onnx.Model {
		return model(&onnx.Graph{Inputs: f32("x", in...), Nodes: []*onnx.Node{node("n: y = Relu(x)")}, Outputs: outputs("y")})
	}
	for _, c := range []struct {
		name  string
		model *onnx.Model
		err   string // "" where there is a report
		code  string // a diagnostic that the report has; "" for none in particular
	}{
		{"negative dim", relu(-1, 3), "", ""},
		{"dim of -2^63", relu(math.MinInt64, 3), "", ""},
		{"dim of 2^63-1", relu(math.MaxInt64), "", analyzer.CodeOverflow},
		{"product that overflows", relu(1<<32, 1<<32, 2), "", analyzer.CodeOverflow},
		{"product that overflows, with a zero", relu(1<<32, 1<<32, 0), "", ""},
		{"zero-size dims", relu(0, 0), "", ""},
		{"zero-size convolution", model(&onnx.Graph{Inputs: f32("x", 0, 3, 0, 8), Initializers: []*onnx.Tensor{noData("w", 4, 3, 3, 3)},
			Nodes: []*onnx.Node{node("n: y = Conv(x, w)")}, Outputs: outputs("y")}), "", ""},
		{"weight of negative extent", model(&onnx.Graph{Inputs: f32("x", 2, 3), Initializers: []*onnx.Tensor{noData("w", 3, -5)},
			Nodes: []*onnx.Node{node("n: y = MatMul(x, w)")}, Outputs: outputs("y")}), "dims[1] is -5", ""},
		{"weight whose size overflows", model(&onnx.Graph{Inputs: f32("x", 2, 3), Initializers: []*onnx.Tensor{noData("w", 1<<32, 1<<32)},
			Nodes: []*onnx.Node{node("n: y = MatMul(x, w)")}, Outputs: outputs("y")}), "2^63-1", ""},
		{"two nodes of one name", model(&onnx.Graph{Inputs: f32("x", 2), Nodes: []*onnx.Node{node("n: a = Relu(x)"), node("n: y = Exp(a)")}, Outputs: outputs("y")}), "", ""},
		{"output of an input's name", model(&onnx.Graph{Inputs: f32("x", 2), Nodes: []*onnx.Node{node("n: x = Relu(x)")}, Outputs: outputs("x")}), "defined twice", ""},
		{"two inputs of one name", model(&onnx.Graph{Inputs: append(f32("x", 2), f32("x", 3)...), Nodes: []*onnx.Node{node("n: y = Relu(x)")}, Outputs: outputs("y")}), "", ""},
		{"two initializers of one name", model(&onnx.Graph{Initializers: []*onnx.Tensor{noData("w", 2), noData("w", 3)},
			Inputs: f32("x", 2), Nodes: []*onnx.Node{node("n: y = Add(x, w)")}, Outputs: outputs("y")}), "", ""},
		{"node that reads itself", model(&onnx.Graph{Inputs: f32("x", 2), Nodes: []*onnx.Node{node("n: y = Add(x, y)")}, Outputs: outputs("y")}), "cycle", ""},
		{"cycle through a body", model(&onnx.Graph{Inputs: []onnx.ValueInfo{tensorInfo("c", onnx.Bool)}, Outputs: outputs("y"),
			Nodes: []*onnx.Node{node("i: y = If(c)", attrGraph("then_branch", &onnx.Graph{Nodes: []*onnx.Node{node("a = Relu(z)")}, Outputs: outputs("a")}),
				attrGraph("else_branch", &onnx.Graph{Nodes: []*onnx.Node{node("b = Relu(z)")}, Outputs: outputs("b")})), node("r: z = Relu(y)")}}), "cycle", ""},
		{"cycle of two functions", model(&onnx.Graph{Inputs: f32("x", 2), Nodes: []*onnx.Node{node("y = local.A(x)")}, Outputs: outputs("y")},
			&onnx.Function{Name: "A", Domain: "local", Inputs: []string{"a"}, Outputs: []string{"b"}, Nodes: []*onnx.Node{node("b = local.B(a)")}},
			&onnx.Function{Name: "B", Domain: "local", Inputs: []string{"a"}, Outputs: []string{"b"}, Nodes: []*onnx.Node{node("b = local.A(a)")}}), "calls itself", ""},
		{"function that calls itself in a body", model(&onnx.Graph{Inputs: []onnx.ValueInfo{tensorInfo("c", onnx.Bool)}, Nodes: []*onnx.Node{node("y = local.A(c)")}, Outputs: outputs("y")},
			&onnx.Function{Name: "A", Domain: "local", Inputs: []string{"a"}, Outputs: []string{"b"}, Nodes: []*onnx.Node{node("b = If(a)",
				attrGraph("then_branch", &onnx.Graph{Nodes: []*onnx.Node{node("p = local.A(a)")}, Outputs: outputs("p")}),
				attrGraph("else_branch", &onnx.Graph{Nodes: []*onnx.Node{node("q = local.A(a)")}, Outputs: outputs("q")}))}}), "calls itself", ""},
		{"10,000 nested bodies", model(nestedIfs(10_000)), "nested deeper", ""},
		{"a body per body, doubled", model(sharedIfs(60)), "unfold", ""},
		{"too few inputs", model(&onnx.Graph{Inputs: f32("x", 2), Nodes: []*onnx.Node{node("n: y = Add(x)")}, Outputs: outputs("y")}), "", analyzer.CodeInvalidNode},
		{"too many outputs", model(&onnx.Graph{Inputs: f32("x", 2), Nodes: []*onnx.Node{node("n: y, z = Relu(x)")}, Outputs: outputs("y")}), "", analyzer.CodeInvalidNode},
		{"a million empty nodes", model(&onnx.Graph{Inputs: f32("x", 2), Nodes: emptyNodes(1_000_000), Outputs: outputs("x")}), "", analyzer.CodeUnknownOp},
		{"100,000 users of one value", model(fan(100_000)), "", ""},
		{"a long chain in reverse", model(reversed(100_000)), "", analyzer.CodeOrder},
	} {
		t.Run(c.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			r, err := analyzer.Analyze(context.Background(), c.model, analyzer.Options{})
			if err == nil {
				r.Summary("m", false)
			}
			spent := time.Since(start)
			runtime.ReadMemStats(&after)
			var g *analyzer.GraphError
			switch {
			case c.err != "" && (!errors.As(err, &g) || !strings.Contains(err.Error(), c.err)):
				t.Errorf("got %.300v, want a graph error with %q", err, c.err)
			case c.err == "" && err != nil:
				t.Errorf("got %.300v, want a report", err)
			case c.code != "" && !hasCode(r, c.code):
				t.Errorf("diagnostics %v, want one of %s", codes(r), c.code)
			}
			if spent > attackBound {
				t.Errorf("took %v", spent)
			}
			limit := int64(64 << 20)
			if c.err == "unfold" {
				limit *= 2 // for the nodes that it may unfold to
			}
			size := int64(64 * len(c.model.Graph.Nodes)) // a node that says anything takes as much; the million say nothing
			if got := int64(after.TotalAlloc - before.TotalAlloc); got > limit+64*size {
				t.Errorf("allocates %d bytes for %d nodes", got, len(c.model.Graph.Nodes))
			}
		})
	}
}

func hasCode(r *analyzer.Report, code string) bool {
	for _, d := range r.Diagnostics {
		if d.Code == code {
			return true
		}
	}
	return false
}

// nestedIfs is an If in an If, n deep.
func nestedIfs(n int) *onnx.Graph {
	inner := &onnx.Graph{Name: "leaf", Nodes: []*onnx.Node{node("v = Relu(x)")}, Outputs: outputs("v")}
	for range n {
		inner = &onnx.Graph{Name: "b", Nodes: []*onnx.Node{node("v = If(c)", attrGraph("then_branch", inner),
			attrGraph("else_branch", &onnx.Graph{Nodes: []*onnx.Node{node("w = Relu(x)")}, Outputs: outputs("w")}))}, Outputs: outputs("v")}
	}
	inner.Inputs = []onnx.ValueInfo{tensorInfo("c", onnx.Bool), tensorInfo("x", onnx.Float32, 2)}
	return inner
}

// sharedIfs is an If whose branches are the same graph, n deep: 2^n leaves.
func sharedIfs(n int) *onnx.Graph {
	inner := &onnx.Graph{Name: "leaf", Nodes: []*onnx.Node{node("v = Relu(x)")}, Outputs: outputs("v")}
	for range n {
		inner = &onnx.Graph{Name: "b", Nodes: []*onnx.Node{node("v = If(c)", attrGraph("then_branch", inner), attrGraph("else_branch", inner))}, Outputs: outputs("v")}
	}
	inner.Inputs = []onnx.ValueInfo{tensorInfo("c", onnx.Bool), tensorInfo("x", onnx.Float32, 2)}
	return inner
}

func emptyNodes(n int) []*onnx.Node {
	list := make([]*onnx.Node, n)
	for i := range list {
		list[i] = &onnx.Node{}
	}
	return list
}

// fan is n nodes that read one value, and one that reads them all.
func fan(n int) *onnx.Graph {
	g := &onnx.Graph{Inputs: []onnx.ValueInfo{tensorInfo("x", onnx.Float32, "n", 4)}, Outputs: outputs("y")}
	last := &onnx.Node{Name: "last", OpType: "Sum", Outputs: []string{"y"}}
	for i := range n {
		name := fmt.Sprint("v", i)
		g.Nodes = append(g.Nodes, node(name+" = Relu(x)"))
		last.Inputs = append(last.Inputs, name)
	}
	g.Nodes = append(g.Nodes, last)
	return g
}

// reversed is a chain of n nodes, the last one first.
func reversed(n int) *onnx.Graph {
	g := &onnx.Graph{Inputs: []onnx.ValueInfo{tensorInfo("v0", onnx.Float32, "n", 4)}, Outputs: outputs(fmt.Sprint("v", n))}
	for i := n; i > 0; i-- {
		g.Nodes = append(g.Nodes, node(fmt.Sprintf("v%d = Relu(v%d)", i, i-1)))
	}
	return g
}

// TestHostileParams: whatever stands in dim_param, the graph is analysed in bounded time, and the text is a formula or one
// name.
func TestHostileParams(t *testing.T) {
	for name, text := range map[string]string{
		"power of a sum":     "(a+b+c+d+e+f+g+h)^64",
		"towers of powers":   strings.Repeat("(", 100) + "a" + strings.Repeat("^9)", 100),
		"parentheses":        strings.Repeat("(", 1_000_000),
		"signs":              strings.Repeat("-", 1_000_000) + "a",
		"a long sum":         strings.Repeat("a+", 400_000) + "a",
		"many names":         manyNames(30_000),
		"nested floors":      strings.Repeat("floor(", 120) + "a" + strings.Repeat("/2)", 120),
		"nested max":         strings.Repeat("max(a,b+", 100) + "c" + strings.Repeat(")", 100),
		"division by zero":   "a//0",
		"a reserved word":    "overflow",
		"overflow":           "9223372036854775807*a*9223372036854775807",
		"no integer":         "99999999999999999999999",
		"line feeds":         "a\nb\x00c",
		"quotes":             "\"" + strings.Repeat("\\", 1000),
		"invalid UTF-8":      "\xff\xfe\x80",
		"two megabytes":      strings.Repeat("x", 2<<20),
		"a difference":       "seq - 1000000",
		"product of names":   strings.TrimSuffix(strings.Repeat("a*", 100), "*"),
		"modulus of formula": "(a*b + c) % (d*e + 1) % (f + 2)",
	} {
		t.Run(name, func(t *testing.T) {
			var infos []onnx.ValueInfo
			for i, c := range "abcdefgh" {
				_ = i
				infos = append(infos, tensorInfo("p"+string(c), onnx.Float32, string(c)))
			}
			infos = append(infos, tensorInfo("x", onnx.Float32, text, text, 4))
			m := model(&onnx.Graph{Inputs: infos, Nodes: []*onnx.Node{node("r: z = Relu(x)"), node("s: y = ReduceSum(z)")}, Outputs: outputs("y")})
			data, err := onnx.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			if m, err = onnx.Decode(data, "m.onnx"); err != nil {
				t.Fatal(err)
			}
			r, err := analyzer.Analyze(context.Background(), m, analyzer.Options{})
			if (r == nil) == (err == nil) {
				t.Fatalf("got report %t and error %v", r != nil, err)
			}
			if r != nil {
				r.Summary("m", true)
				if len(r.Inputs) != len(infos) || !r.Inputs[len(infos)-1].Ranked {
					t.Errorf("the input is lost: %v", r.Inputs)
				}
			}
			if spent := time.Since(start); spent > attackBound {
				t.Errorf("took %v", spent)
			}
		})
	}
}

func manyNames(n int) string {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, "s%d + ", i)
	}
	return b.String() + "a"
}

// TestManyFreshSymbols: data-dependent extents that multiply stay bounded.
func TestManyFreshSymbols(t *testing.T) {
	g := &onnx.Graph{Inputs: []onnx.ValueInfo{tensorInfo("x", onnx.Float32, "n", 4)}, Outputs: outputs("y")}
	sum := &onnx.Node{Name: "c", OpType: "Concat", Outputs: []string{"y"}, Attributes: []onnx.Attribute{attrInt("axis", 1)}}
	for i := range 20_000 {
		name := fmt.Sprint("nz", i)
		g.Nodes = append(g.Nodes, node(name+" = NonZero(x)"))
		sum.Inputs = append(sum.Inputs, name)
	}
	g.Nodes = append(g.Nodes, sum)
	start := time.Now()
	r, err := analyzer.Analyze(context.Background(), model(g), analyzer.Options{Dims: dim.Env{"n": 3}})
	if err != nil {
		t.Fatal(err)
	}
	r.Summary("m", false)
	if spent := time.Since(start); spent > attackBound {
		t.Errorf("%d data-dependent extents took %v", len(g.Nodes), spent)
	}
}
