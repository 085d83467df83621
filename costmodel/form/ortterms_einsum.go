package form

import (
	"slices"
	"strings"
)

// einsum is a product of two activations between transpositions of all of them, by the calling thread.
func (k *ortKernel) einsum() {
	k.group = "Einsum"
	if len(k.Contraction) > 0 {
		k.add("macs", k.batch*k.g*k.gm*k.gn*k.gk)
		k.add("products", k.batch*k.g)
	}
	for _, s := range slices.Concat(k.in, k.out, k.w) {
		k.add("elements", volume(s))
	}
	k.call()
	k.einsumMoves([2][]float64{k.extents(k.Args[0]), k.extents(k.Args[1])}, strings.ReplaceAll(k.Attrs.StrAttr("equation", ""), " ", ""))
}

// einsumMoves adds the transpositions around the product of two operands, as the runtime finds them: each operand gets its
// axes in the order in which letters occur in the equation, then the left one those of both sides, its own, the summed and
// the rest, the right one those of both sides, the summed, its own and the rest, and the result those of the output. An
// axis belongs to a side by its extent: one of extent 1 on the left is the right side's. Equations that it does not
// follow, with an ellipsis, a diagonal or without an arrow, have none.
func (k *ortKernel) einsumMoves(operands [2][]float64, equation string) {
	terms, output, ok := strings.Cut(equation, "->")
	left, right, two := strings.Cut(terms, ",")
	if !ok || !two || strings.Contains(equation, ".") || len(left) != len(operands[0]) || len(right) != len(operands[1]) {
		return
	}
	var letters []byte
	for _, c := range []byte(left + right) {
		if !slices.Contains(letters, c) {
			letters = append(letters, c)
		}
	}
	var sides [2][]float64 // extents by letter, 1 for those that the operand does not have
	for i, term := range []string{left, right} {
		sides[i] = slices.Repeat([]float64{1}, len(letters))
		var perm []int64
		for l, c := range letters {
			if a := strings.IndexByte(term, c); a >= 0 {
				sides[i][l] = operands[i][a]
				perm = append(perm, int64(a))
			}
		}
		if len(perm) != len(term) { // a diagonal
			return
		}
		k.transposed(operands[i], perm)
	}
	var both, own, summed, rest []int64
	for l, c := range letters {
		switch a, b := sides[0][l], sides[1][l]; {
		case strings.IndexByte(output, c) < 0:
			summed = append(summed, int64(l))
		case a > 1 && b > 1:
			both = append(both, int64(l))
		case a > 1:
			own = append(own, int64(l))
		default:
			rest = append(rest, int64(l))
		}
	}
	k.transposed(sides[0], slices.Concat(both, own, summed, rest))
	k.transposed(sides[1], slices.Concat(both, summed, rest, own))
	made := slices.Concat(both, own, rest) // axes of the product, by letter
	extents := make([]float64, len(made))
	perm := make([]int64, 0, len(output))
	for i, l := range made {
		extents[i] = max(sides[0][l], sides[1][l])
	}
	for _, c := range []byte(output) {
		if at := slices.Index(made, int64(slices.Index(letters, c))); at >= 0 {
			perm = append(perm, int64(at))
		}
	}
	k.transposed(extents, perm)
}
