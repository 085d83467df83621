package op

import (
	"fmt"

	"github.com/onnxcost/onnxcost/analyzer/dim"
)

// Requirement is an equality of two sizes that a node needs and that their formulas do not show: it holds or not once the
// dimensions have values.
type Requirement struct {
	Kind RequirementKind
	A, B dim.Dim
	Room dim.Dim // Cache: the places that the cache has
}

// RequirementKind says what is required of A and B.
type RequirementKind uint8

// The kinds of requirement.
const (
	Equal     RequirementKind = iota // A = B
	Broadcast                        // A = B, or either is 1
	Cache                            // A = B, or A fits into the Room of a buffer that is larger than what it holds
)

// Holds reports whether the requirement is met for values of A, B and Room.
func (k RequirementKind) Holds(a, b, room int64) bool {
	return a == b || k == Broadcast && (a == 1 || b == 1) || k == Cache && a <= room
}

// require records what the node at hand needs of two sizes, unless numbers or the form of the formulas decide it.
func (c *Call) require(kind RequirementKind, a, b, room dim.Dim) {
	if c.Engine == nil || a.IsConst() && b.IsConst() || a.Equal(b) || a.Err() != nil || b.Err() != nil {
		return
	}
	if kind == Broadcast && (a.Is(1) || b.Is(1)) {
		return
	}
	c.Engine.Require(Requirement{kind, a, b, room})
}

// equal records that a and b have to be equal wherever the model runs.
func (c *Call) equal(a, b dim.Dim) { c.require(Equal, a, b, dim.Dim{}) }

// sameDim merges two sizes that must be equal, keeping the more definite one.
func (c *Call) sameDim(a, b dim.Dim) (dim.Dim, error) {
	if a.Equal(b) {
		return a, nil
	}
	av, okA := a.Value()
	bv, okB := b.Value()
	if okA && okB {
		return a, fmt.Errorf("extent %d, want %d", bv, av)
	}
	c.equal(a, b)
	if okB {
		return b, nil
	}
	return a, nil
}

// mayEqual reports whether two shapes are equal for some values of their symbols, which are required to have such.
func (c *Call) mayEqual(a, b Shape) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if _, err := c.sameDim(a[i], b[i]); err != nil {
			return false
		}
	}
	return true
}

// broadcast is the shape that the given shapes broadcast to.
func (c *Call) broadcast(shapes ...Shape) (Shape, error) {
	out, err := broadcast(shapes...)
	if err != nil {
		return nil, err
	}
	for i := range out {
		var first dim.Dim
		have := false
		for _, s := range shapes {
			j := i - (len(out) - len(s))
			if j < 0 || s[j].Is(1) {
				continue
			}
			if !have {
				first, have = s[j], true
				continue
			}
			c.require(Broadcast, first, s[j], dim.Dim{})
		}
	}
	return out, nil
}
