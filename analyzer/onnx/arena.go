package onnx

import (
	"encoding/binary"
	"slices"
	"unsafe"
)

// slab hands out elements of larger allocations. A model is some ten thousand short lists; allocated one by one they
// would cost more than the decoding.
type slab[T any] struct {
	block []T
	used  int
	spent *budget // of the decoder; nil where nobody counts
}

// budget bounds what decoding may allocate by the bytes of the file: an empty record of two bytes becomes a struct of some
// hundred, so that a small file of empty records could ask for a hundred times its size. Real models need five to ten
// bytes for each of theirs.
type budget struct{ used, limit int64 }

const (
	budgetBase    = 32 << 20 // bytes
	budgetPerByte = 32       // of the file
)

// spend counts the allocation of n values like v.
func spend[T any](b *budget, n int) {
	if b != nil {
		var v T
		b.used += int64(n) * int64(unsafe.Sizeof(v))
	}
}

// afford reports whether n bytes more stay within the budget.
func (b *budget) afford(n int64) bool { return b.used+n <= b.limit }

// newOf is new with its cost counted.
func newOf[T any](b *budget) *T {
	spend[T](b, 1)
	return new(T)
}

const (
	slabFirst = 16
	slabLast  = 1024
)

// room makes n unused elements follow each other in the block; false if n is too many for one.
func (s *slab[T]) room(n int) bool {
	if n <= len(s.block)-s.used {
		return true
	}
	size := min(max(2*len(s.block), slabFirst), slabLast)
	if n > size/2 {
		return false
	}
	spend[T](s.spent, size)
	s.block, s.used = make([]T, size), 0
	// Zeros that are read before they are written cost two page faults, the second of which stops all processors: so they
	// are written here.
	clear(s.block)
	return true
}

// take returns an empty slice with room for exactly n elements, so that appending beyond them never touches a
// neighbour.
func (s *slab[T]) take(n int) []T {
	if !s.room(n) {
		spend[T](s.spent, n)
		return make([]T, 0, n)
	}
	s.used += n
	return s.block[s.used-n : s.used-n : s.used]
}

// one returns a pointer to a zero T.
func (s *slab[T]) one() *T {
	s.room(1)
	s.used++
	return &s.block[s.used-1]
}

// push extends list by a zero element and returns that. The list that was pushed to last grows in place, without
// spare capacity; one that another has cut off, or that reaches the end of the block, moves to the heap.
func (s *slab[T]) push(list *[]T) *T {
	n := len(*list)
	switch {
	case n == 0 && cap(*list) == 0:
		s.room(1)
		s.used++
		*list = s.block[s.used-1 : s.used : s.used]
	case n > 0 && n == cap(*list) && s.used < len(s.block) && s.used >= n && &(*list)[n-1] == &s.block[s.used-1]:
		s.used++
		*list = s.block[s.used-1-n : s.used : s.used]
	default:
		return add(list, s.spent)
	}
	return &(*list)[n]
}

// add extends list by a zero element and returns that.
func add[T any](list *[]T, b *budget) *T {
	n := len(*list)
	if n < cap(*list) {
		*list = (*list)[:n+1] // lists only grow here, so the room behind them is zero still
	} else {
		var zero T
		*list = append(*list, zero)
		spend[T](b, cap(*list))
	}
	return &(*list)[n]
}

// grown returns list with room for n more elements.
func grown[T any](list []T, n int) []T {
	if n == 0 {
		return list
	}
	return slices.Grow(list, n)
}

// blocks copies short byte runs out of the mapped file into shared blocks.
type blocks struct {
	block []byte // length: used; capacity: allocated
}

const (
	blockFirst = 1 << 10
	blockLast  = 64 << 10
)

// copy returns a copy of b, which is not empty. Bytes of a block are written once and never again.
func (t *blocks) copy(b []byte) []byte {
	if len(b) > cap(t.block)-len(t.block) {
		size := min(max(2*cap(t.block), blockFirst), blockLast)
		if len(b) > size/4 {
			return append(make([]byte, 0, len(b)), b...)
		}
		t.block = make([]byte, 0, size)
	}
	at := len(t.block)
	t.block = append(t.block, b...)
	return t.block[at:len(t.block):len(t.block)]
}

// text makes strings of bytes of the mapped file. Names recur (a value's name stands where it is made and wherever it
// is used; operator and attribute names stand everywhere), so a small direct-mapped table of recent strings is asked
// first.
type text struct {
	blocks
	recent []string
}

const (
	recentSmall  = 64 // entries, for files of less than recentFile bytes
	recentLarge  = 1024
	recentFile   = 16 << 10
	recentLength = 128 // longer strings rarely recur
)

func (t *text) add(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if len(b) > recentLength {
		return t.make(b)
	}
	slot := &t.recent[textHash(b)%uint64(len(t.recent))]
	if *slot != string(b) {
		*slot = t.make(b)
	}
	return *slot
}

func (t *text) make(b []byte) string {
	return unsafe.String(&t.copy(b)[0], len(b)) // the copy never changes
}

// textHash mixes the length with the first and last eight bytes. Names in a graph differ mostly at the ends.
func textHash(b []byte) uint64 {
	const k = 0x9e3779b97f4a7c15
	var head, tail uint64
	if len(b) >= 8 {
		head, tail = binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[len(b)-8:])
	} else {
		for _, c := range b {
			head = head<<8 | uint64(c)
		}
	}
	return ((head*k ^ tail) + uint64(len(b))) * k >> 40
}
