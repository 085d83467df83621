package op

import (
	"slices"

	"github.com/onnxcost/onnxcost/analyzer/dim"
)

// A mixture of experts picks experts by TopK and asks for each of them which tokens it has: Equal(chosen, e), or a row of
// OneHot(chosen), then NonZero. How many tokens one expert gets depends on data; all experts together get as many as were
// chosen. So the number of places is followed from the choice to the NonZeros.

// Choice is a tensor of class numbers from 0 to Classes-1.
type Choice struct {
	Node    string
	N       dim.Dim // elements
	Classes int64
}

type originKind uint8

const (
	chosen originKind = iota // the class numbers
	oneHot                   // ones where axis is the class
	mark                     // true where the class is key
)

// origin says what a value is of a Choice.
type origin struct {
	of   *Choice
	kind originKind
	axis int
	key  int64
}

// SameOrigin reports whether both values are the same of the same choice, or neither is of any.
func SameOrigin(a, b *Value) bool {
	return a.from == b.from || a.from != nil && b.from != nil && *a.from == *b.from
}

// FollowChoices records what the outputs are of a choice. It runs after Shape.
func FollowChoices(c *Call) {
	switch c.Node.OpType {
	case "TopK", "ArgMax":
		c.choose()
		return
	}
	var x *Value
	for _, v := range c.In {
		if v != nil && v.from != nil {
			x = v
			break
		}
	}
	if x == nil || len(c.Out) == 0 {
		return
	}
	o := *x.from
	first := len(c.In) > 0 && c.In[0] == x
	switch c.Node.OpType {
	case "Identity", "Cast":
	case "Reshape", "Squeeze", "Unsqueeze", "Flatten":
		if o.kind == oneHot || !first {
			return
		}
	case "Transpose":
		p, err := permutation(c, len(x.Shape))
		if err != nil {
			return
		}
		o.axis = max(0, slices.Index(p, o.axis))
	case "Equal":
		key, known := Num{}, false
		for _, v := range c.In {
			if v != x {
				key, known = scalar(v)
			}
		}
		n, plain := key.Int64()
		if o.kind != chosen || !known || !plain || n < 0 || n >= o.of.Classes {
			return
		}
		o.kind, o.key = mark, n
	case "OneHot":
		d, ok := scalar(c.Input(1))
		n, plain := d.Int64()
		a, err := axis(c.Int("axis", -1), len(c.Out[0].Shape))
		if o.kind != chosen || !first || !ok || !plain || n != o.of.Classes || err != nil {
			return
		}
		o.kind, o.axis = oneHot, a
	case "Gather":
		n, ok := scalar(c.Input(1))
		key, plain := n.Int64()
		a, err := axis(c.Int("axis", 0), len(x.Shape))
		if o.kind != oneHot || !first || !ok || !plain || err != nil || a != o.axis {
			return
		}
		if key < 0 {
			key += o.of.Classes
		}
		o.kind, o.key = mark, key
	case "Split":
		a, err := axis(c.Int("axis", 0), len(x.Shape))
		if o.kind != oneHot || !first || err != nil || a != o.axis || int64(len(c.Out)) != o.of.Classes {
			return
		}
		for i, out := range c.Out {
			out.from = &origin{of: o.of, kind: mark, key: int64(i)}
		}
		return
	default:
		return
	}
	c.Out[0].from = &o
}

// choose begins a choice among the classes of an axis.
func (c *Call) choose() {
	x, out := c.Input(0), c.Out[len(c.Out)-1]
	if x == nil || !x.Ranked || !out.Ranked || c.Node.OpType == "TopK" && len(c.Out) < 2 {
		return
	}
	def := int64(-1)
	if c.Node.OpType == "ArgMax" {
		def = 0
	}
	a, err := axis(c.Int("axis", def), len(x.Shape))
	if err != nil {
		return
	}
	if n, ok := x.Shape[a].Value(); ok && n > 1 {
		out.from = &origin{of: c.Engine.Choice(out.Shape.Elements(), n)}
	}
}

// placesOf is the number of places where v is not 0, of at most upper.
func (c *Call) placesOf(v *Value, upper dim.Dim) dim.Dim {
	if v.from == nil || v.from.kind != mark {
		return c.fresh("nonzero", upper)
	}
	return c.Engine.Share("nonzero", upper, v.from.of, v.from.key)
}
