package op

import (
	"fmt"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// Engine is what a rule may ask of the analysis that runs it.
type Engine interface {
	// Fresh returns a new symbol for an extent that depends on data. The hint names it; upper is a bound that is
	// recorded with the symbol, the zero Dim where there is none.
	Fresh(hint string, upper dim.Dim) dim.Dim
	// ChannelBlock is how many channels the blocked layout of com.microsoft.nchwc keeps together.
	ChannelBlock() int64
	// Diagnose records a finding about the node at hand.
	Diagnose(code, message string)
	// Choice begins a choice among classes at the node at hand, with n elements.
	Choice(n dim.Dim, classes int64) *Choice
	// Share returns the number of places that one class of a choice has; hint and upper are as those of Fresh.
	Share(hint string, upper dim.Dim, of *Choice, class int64) dim.Dim
	// Require records what the node at hand needs of two sizes.
	Require(r Requirement)
	// Assume says whether the outputs of the If at hand have the ranks of its else branch, given what it would seem.
	Assume(elseBranch bool) bool
	// Declared returns what the file declares for output i of the node at hand, nil where it declares nothing.
	Declared(i int) *Value
	// Infer analyses a subgraph with the given inputs and the values of the enclosing scope.
	Infer(g *onnx.Graph, in []*Value) (*Body, error)
	// Run records that body executes times times as part of the node at hand.
	Run(body *Body, times dim.Dim)
	// Alternative records a body that could run instead, for the report (the other branch of an If).
	Alternative(body *Body)
}

// Body is an analysed subgraph.
type Body struct {
	Name    string // the attribute that holds the graph
	Outputs []*Value
	Work    Work    // of one execution, nested bodies included
	Traffic dim.Dim // bytes read and written likewise
	// Invalid says that some node in it contradicts the shapes that it gets, so that the body cannot run with them.
	Invalid bool
	Handle  any // the engine's own record
}

// Call is one node while its rule runs.
type Call struct {
	Node   *onnx.Node
	Opset  int64    // imported version of the node's domain
	In     []*Value // nil where an optional input is absent
	Out    []*Value // one per output name; unnamed outputs are present too and may be filled or not
	Engine Engine

	defined *definedNode // what a Definition has made of the node
}

// errorf makes the error of a node; the analyzer adds which node it is.
func (c *Call) errorf(format string, args ...any) error { return fmt.Errorf(format, args...) }

// Input returns input i or nil where it is absent; a rule writes -1 for an input that its operator does not have.
func (c *Call) Input(i int) *Value {
	if i >= 0 && i < len(c.In) {
		return c.In[i]
	}
	return nil
}

// Has reports whether input i is present.
func (c *Call) Has(i int) bool { return c.Input(i) != nil }

// want returns input i or an error where it is absent.
func (c *Call) want(i int) (*Value, error) {
	if v := c.Input(i); v != nil {
		return v, nil
	}
	return nil, fmt.Errorf("input %d is absent, want one", i)
}

// wantRank returns the shape of input i. known is false where its rank is not known; a known rank outside
// [lo, hi] is an error (hi < 0: no upper bound).
func (c *Call) wantRank(i, lo, hi int) (s Shape, known bool, err error) {
	v, err := c.want(i)
	if err != nil || !v.Ranked {
		return nil, false, err
	}
	n := len(v.Shape)
	switch {
	case n >= lo && (hi < 0 || n <= hi):
		return v.Shape, true, nil
	case lo == hi:
		return nil, false, fmt.Errorf("input %d has rank %d, want %d", i, n, lo)
	case hi < 0:
		return nil, false, fmt.Errorf("input %d has rank %d, want at least %d", i, n, lo)
	}
	return nil, false, fmt.Errorf("input %d has rank %d, want %d to %d", i, n, lo, hi)
}

// HasOut reports whether output i is asked for.
func (c *Call) HasOut(i int) bool { return i < len(c.Node.Outputs) && c.Node.Outputs[i] != "" }

// fresh is Engine.Fresh.
func (c *Call) fresh(hint string, upper dim.Dim) dim.Dim { return c.Engine.Fresh(hint, upper) }

// freshShape is a shape of the given rank with unknown extents.
func (c *Call) freshShape(hint string, rank int) Shape {
	s := make(Shape, rank)
	for i := range s {
		s[i] = c.fresh(fmt.Sprintf("%s_%d", hint, i), dim.Dim{})
	}
	return s
}

// Int returns an integer attribute, def where it is absent.
func (c *Call) Int(name string, def int64) int64 {
	if a := c.Node.Attr(name); a != nil && a.Type == onnx.AttrInt {
		return a.I
	}
	return def
}

// HasAttr reports whether the attribute is present.
func (c *Call) HasAttr(name string) bool { return c.Node.Attr(name) != nil }

// Float returns a float attribute, def where it is absent.
func (c *Call) Float(name string, def float64) float64 {
	if a := c.Node.Attr(name); a != nil && a.Type == onnx.AttrFloat {
		return float64(a.F)
	}
	return def
}

// Str returns a string attribute, def where it is absent.
func (c *Call) Str(name, def string) string {
	if a := c.Node.Attr(name); a != nil && a.Type == onnx.AttrString {
		return a.S
	}
	return def
}

// Ints returns an integer-list attribute, nil where it is absent.
func (c *Call) Ints(name string) []int64 {
	if a := c.Node.Attr(name); a != nil && a.Type == onnx.AttrInts {
		return a.Ints
	}
	return nil
}

// Graph returns a graph attribute or an error.
func (c *Call) Graph(name string) (*onnx.Graph, error) {
	if a := c.Node.Attr(name); a != nil && a.G != nil {
		return a.G, nil
	}
	return nil, fmt.Errorf("attribute %q is absent, want a graph", name)
}

// axis normalises a possibly negative axis against a rank.
func axis(a int64, rank int) (int, error) {
	n := int64(rank)
	if a < -n || a >= n {
		return 0, fmt.Errorf("axis %d is outside rank %d", a, rank)
	}
	if a < 0 {
		a += n
	}
	return int(a), nil
}

// axes normalises a list of axes and refuses a repeated one.
func axes(as []int64, rank int) ([]int, error) {
	out := make([]int, len(as))
	var seen uint64
	for i, a := range as {
		x, err := axis(a, rank)
		if err != nil {
			return nil, err
		}
		if x < 64 && seen&(1<<x) != 0 {
			return nil, fmt.Errorf("axis %d is given twice", a)
		}
		seen |= 1 << min(x, 63)
		out[i] = x
	}
	return out, nil
}
