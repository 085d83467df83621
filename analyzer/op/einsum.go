package op

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/onnxcost/onnxcost/analyzer/dim"
)

// Einsum. Operands are contracted from left to right, two at a time; an index is summed in the first step after which
// no later operand and not the output needs it. Another order may need fewer operations, so this is what a runtime
// without a planner does, not a bound.

// index is one axis of an Einsum operand: a letter, or an axis of the ellipsis counted from the last (-1 is the
// last). Both are small integers, so that sets of them are easily written.
type index = int

// einsum is a parsed equation over operands of known shapes.
type einsum struct {
	operands [][]index
	output   []index
	extents  map[index]dim.Dim
	equal    [][2]dim.Dim // sizes that one letter stands for in two places
}

const maxEinsumRank = 64

// parseEinsum reads the equation. Repeated letters within one operand are its diagonal. Without an arrow the output
// is the ellipsis and, in alphabetical order, the letters that occur once.
func parseEinsum(equation string, shapes []Shape) (e einsum, err error) {
	text := strings.ReplaceAll(equation, " ", "")
	left, right, explicit := strings.Cut(text, "->")
	terms := strings.Split(left, ",")
	if len(terms) != len(shapes) {
		return e, fmt.Errorf("equation %q has %d operands, want %d", equation, len(terms), len(shapes))
	}
	e.extents = map[index]dim.Dim{}
	count := map[index]int{}
	ellipsis, ellipses := 0, false
	for i, term := range terms {
		dots, err := ellipsisAxes(term, len(shapes[i]))
		if err != nil {
			return e, fmt.Errorf("equation %q: operand %d: %w", equation, i, err)
		}
		ids, err := einsumIndices(term, dots)
		if err != nil {
			return e, fmt.Errorf("equation %q: operand %d: %w", equation, i, err)
		}
		if strings.Contains(term, "...") {
			if ellipses && dots != ellipsis {
				return e, fmt.Errorf("equation %q: operand %d: the ellipsis stands for %d axes, want %d as before", equation, i, dots, ellipsis)
			}
			ellipses, ellipsis = true, dots
		}
		for a, id := range ids {
			d := shapes[i][a]
			if have, ok := e.extents[id]; ok {
				e.equal = append(e.equal, [2]dim.Dim{have, d})
				if d, err = broadcastDim(have, d); err != nil {
					return e, fmt.Errorf("equation %q: input %d: axis %d: %w", equation, i, a, err)
				}
			}
			e.extents[id] = d
			count[id]++
		}
		e.operands = append(e.operands, ids)
	}
	if explicit {
		if ellipsis > 0 && !strings.Contains(right, "...") {
			return e, fmt.Errorf("equation %q: the output has no ellipsis, want one for the %d axes of the operands'", equation, ellipsis)
		}
		if e.output, err = einsumIndices(right, ellipsis); err != nil {
			return e, fmt.Errorf("equation %q: output: %w", equation, err)
		}
	} else {
		for id := -ellipsis; id < 0; id++ {
			e.output = append(e.output, id)
		}
		for _, id := range slices.Sorted(maps.Keys(count)) {
			if id >= 0 && count[id] == 1 {
				e.output = append(e.output, id)
			}
		}
	}
	for i, id := range e.output {
		if _, ok := e.extents[id]; !ok {
			return e, fmt.Errorf("equation %q: output index %q is in no operand", equation, rune(id))
		}
		if slices.Contains(e.output[:i], id) {
			return e, fmt.Errorf("equation %q: output index %q is given twice", equation, rune(id))
		}
	}
	return e, nil
}

// ellipsisAxes is the number of axes that "..." stands for in an operand of the given rank.
func ellipsisAxes(term string, rank int) (int, error) {
	letters := len(strings.Replace(term, "...", "", 1))
	switch dots := rank - letters; {
	case rank > maxEinsumRank:
		return 0, fmt.Errorf("rank %d, want at most %d", rank, maxEinsumRank)
	case dots == 0, dots > 0 && strings.Contains(term, "..."):
		return dots, nil
	}
	return 0, fmt.Errorf("%q has %d indices, want %d", term, letters, rank)
}

// einsumIndices reads the letters of a term and puts dots axes in the place of "...".
func einsumIndices(term string, dots int) (ids []index, err error) {
	head, tail, hasDots := strings.Cut(term, "...")
	for _, r := range head + tail {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') {
			return nil, fmt.Errorf("%q is not a letter", r)
		}
	}
	for _, r := range head {
		ids = append(ids, index(r))
	}
	for i := range dots {
		if hasDots {
			ids = append(ids, i-dots)
		}
	}
	for _, r := range tail {
		ids = append(ids, index(r))
	}
	return ids, nil
}

// size is the product of the extents of the indices.
func (e einsum) size(ids []index) dim.Dim {
	n := dim.Const(1)
	for _, id := range ids {
		n = n.Mul(e.extents[id])
	}
	return n
}

func readEinsum(c *Call) (e einsum, known bool, err error) {
	if !c.HasAttr("equation") {
		return e, false, c.errorf("attribute equation is absent")
	}
	shapes := make([]Shape, len(c.In))
	for i := range c.In {
		v, err := c.want(i)
		if err != nil {
			return e, false, err
		}
		if !v.Ranked {
			return e, false, nil
		}
		shapes[i] = v.Shape
	}
	e, err = parseEinsum(c.Str("equation", ""), shapes)
	for _, p := range e.equal {
		c.require(Broadcast, p[0], p[1], dim.Dim{})
	}
	return e, err == nil, err
}

func einsumShape(c *Call) error {
	if _, err := c.want(0); err != nil {
		return err
	}
	e, known, err := readEinsum(c)
	if err != nil {
		return err
	}
	s := make(Shape, len(e.output))
	for i, id := range e.output {
		s[i] = e.extents[id]
	}
	c.setOut(0, c.typeOf(0), s, known)
	return nil
}

// einsumWork contracts from left to right. Within a step, indices that are in both operands and still needed are the
// batch, those summed in both the inner extent. An index that only one operand has and nothing needs is summed before
// the product, one addition per element. A step that sums nothing is an element-wise product: one operation per
// element of its result and no MACs.
func einsumWork(c *Call) Work {
	e, known, err := readEinsum(c)
	if err != nil || !known {
		return Work{}
	}
	uses := map[index]int{} // by the output and the operands not yet multiplied
	for _, id := range e.output {
		uses[id]++
	}
	for i, ids := range e.operands {
		e.operands[i] = withoutRepeats(ids)
		for _, id := range e.operands[i] {
			uses[id]++
		}
	}
	take := func(i int) []index {
		for _, id := range e.operands[i] {
			uses[id]--
		}
		return e.operands[i]
	}
	needed := func(id index) bool { return uses[id] > 0 }
	var w Work
	left := take(0)
	if len(e.operands) == 1 {
		w.Vector = e.presum(&left, needed)
	}
	for i := 1; i < len(e.operands); i++ {
		left = e.step(&w, left, take(i), needed, weightAt(c, i))
	}
	return w
}

// weightAt is the constant operand of the product with operand i.
func weightAt(c *Call, i int) int {
	switch {
	case c.In[i].Const:
		return i
	case i == 1 && c.In[0].Const:
		return 0
	}
	return -1
}

// presum removes from ids what is not kept and counts an addition per element where there is any.
func (e einsum) presum(ids *[]index, keep func(index) bool) dim.Dim {
	kept := slices.DeleteFunc(slices.Clone(*ids), func(id index) bool { return !keep(id) })
	if len(kept) == len(*ids) {
		return dim.Dim{}
	}
	n := e.size(*ids)
	*ids = kept
	return n
}

// step multiplies two operands, adds the work to w and returns the indices of the result.
func (e einsum) step(w *Work, a, b []index, needed func(index) bool, weight int) []index {
	w.Vector = w.Vector.Add(e.presum(&a, func(id index) bool { return needed(id) || slices.Contains(b, id) }))
	w.Vector = w.Vector.Add(e.presum(&b, func(id index) bool { return needed(id) || slices.Contains(a, id) }))
	var batch, m, n, k []index
	for _, id := range a {
		switch shared := slices.Contains(b, id); {
		case shared && needed(id):
			batch = append(batch, id)
		case shared:
			k = append(k, id)
		default:
			m = append(m, id)
		}
	}
	for _, id := range b {
		if !slices.Contains(a, id) {
			n = append(n, id)
		}
	}
	result := slices.Concat(batch, m, n)
	if len(k) == 0 {
		w.Vector = w.Vector.Add(e.size(result))
		return result
	}
	ct := Contraction{Kind: MatMulKind, Batch: e.size(batch), Groups: dim.Const(1), M: e.size(m), N: e.size(n), K: e.size(k), Weight: weight}
	w.Contraction = append(w.Contraction, ct)
	w.MACs = w.MACs.Add(ct.MACs())
	return result
}

// withoutRepeats drops repeated indices: the diagonal of an operand is a view.
func withoutRepeats(ids []index) []index {
	var out []index
	for _, id := range ids {
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

var einsumRules = []Rule{
	{Op: "Einsum", Since: 12, Shape: einsumShape, Work: einsumWork, Memory: Stream, Class: Contract,
		Doc: "operands from left to right, batch·M·N·K MACs each; indices of one operand are summed before (1 per element), " +
			"a step that sums nothing is an element-wise product (1 per element)"},
}
