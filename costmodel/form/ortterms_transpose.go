package form

import "slices"

// How a transposition moves elements in the runtime's CPU kernel: by the permutation as it stands, axes of extent 1
// included, apart from those that leave the order of the elements as it is.
const (
	movedBlocks  = ""         // one axis moves inwards, but not to the end: blocks are copied; or the order stays
	movedCounted = "_counted" // several axes move: blocks are copied, each found by counting through all axes
	movedStrided = "_strided" // one axis moves outwards, not from the end: blocks are copied by the threads
	movedMixed   = "_mixed"   // several axes move, the last among them: element by element
	movedIn      = "_in"      // one axis becomes the innermost: matrices are transposed
	movedOut     = "_out"     // the innermost axis becomes an outer one: likewise
)

// movement is how elements move.
type movement struct {
	how  string
	run  float64 // elements that stay together
	rows float64 // of all matrices, where matrices are transposed
	// matrices is their number: the threads are called together for each.
	matrices float64
}

// movementOf finds it for a tensor with extents x.
func movementOf(x []float64, perm []int64) movement {
	var order []int64
	for _, p := range perm {
		if p < 0 || p >= int64(len(x)) {
			return movement{how: movedMixed, run: 1}
		}
		if x[p] > 1 {
			order = append(order, p)
		}
	}
	if slices.IsSorted(order) {
		return movement{how: movedBlocks, run: max(1, volume(x))}
	}
	if from, to, ok := movedAxis(perm); ok {
		m := movement{run: volume(x[max(from, to)+1:])}
		if m.run == 2 { // two floats are moved as one number
			m.run = 1
		}
		switch inward := from < to; {
		case m.run > 1 && inward:
			m.how = movedBlocks
		case m.run > 1:
			m.how = movedStrided
		case inward: // of each matrix, a row is an element of the axis
			m.how, m.rows, m.matrices = movedIn, volume(x[:from+1]), volume(x[:from])
		default:
			m.how, m.rows, m.matrices = movedOut, volume(x[:from]), volume(x[:to])
		}
		return m
	}
	last := len(perm)
	for last > 0 && perm[last-1] == int64(last-1) {
		last--
	}
	if run := volume(x[last:]); run > 1 {
		return movement{how: movedCounted, run: run}
	}
	return movement{how: movedMixed, run: 1}
}

// movedAxis finds the one axis that a permutation moves while the others keep their order. Two neighbours that change
// places are an axis that moves outwards.
func movedAxis(perm []int64) (from, to int, ok bool) {
	first := 0
	for first < len(perm) && perm[first] == int64(first) {
		first++
	}
	if first == len(perm) {
		return 0, 0, false
	}
	moves := func(from, to int) bool {
		rest := slices.Delete(slices.Clone(perm), to, to+1)
		return perm[to] == int64(from) && slices.IsSorted(rest)
	}
	if from = int(perm[first]); moves(from, first) {
		return from, first, true
	}
	if to = slices.Index(perm, int64(first)); to >= 0 && moves(first, to) {
		return first, to, true
	}
	return 0, 0, false
}

// moved is the movement of a Transpose.
func (k *ortKernel) moved() movement {
	x := first(k.in, 0)
	return movementOf(x, k.Permutation(len(x)))
}

// transpose costs by element and by run of elements that stay together.
func (k *ortKernel) transpose(elements float64) {
	m := k.moved()
	k.group += m.how
	if m.how == movedIn && k.share < 1 { // threads take the rows of a matrix one by one
		k.add("rows", m.rows*k.threads)
	}
	k.moves(m, elements*k.share)
}

// transposed adds a transposition that is part of another operator and runs on the calling thread.
func (k *ortKernel) transposed(x []float64, perm []int64) {
	m, n := movementOf(x, perm), volume(x)
	if m.run >= n { // the order stays: another shape for the same memory
		return
	}
	k.moves(m, n)
}

// moves adds what it takes one thread to move so many elements.
func (k *ortKernel) moves(m movement, elements float64) {
	if elements <= 0 {
		return
	}
	group := "Transpose" + m.how
	if m.run > 1 {
		k.list = append(k.list, Term{group, "runs", elements / m.run})
	}
	k.list = append(k.list, Term{group, "elements", elements})
}
