package onnx

import (
	"encoding/binary"
	"slices"
	"unsafe"
)

// slab hands out small slices from larger allocations. A model is some ten thousand short lists; allocated one by one
// they would cost more than the decoding.
type slab[T any] struct {
	free []T
	next int // elements of the next allocation
}

const (
	slabFirst = 16
	slabLast  = 1024
)

// take returns an empty slice with room for exactly n elements, so that appending beyond them never touches a
// neighbour.
func (s *slab[T]) take(n int) []T {
	if n > len(s.free) {
		s.next = min(max(2*s.next, slabFirst), slabLast)
		if n >= s.next {
			return make([]T, 0, n)
		}
		s.free = make([]T, s.next)
	}
	t := s.free[:0:n]
	s.free = s.free[n:]
	return t
}

// one returns a pointer to a zero T.
func (s *slab[T]) one() *T { return &s.take(1)[:1][0] }

// reserve returns dst with room for n more elements, taken from s when dst is nil.
func reserve[T any](s *slab[T], dst []T, n int) []T {
	if n == 0 {
		return dst
	}
	if dst == nil {
		return s.take(n)
	}
	return slices.Grow(dst, n)
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
	recent [1024]string
}

const textRecent = 128 // longer strings rarely recur

func (t *text) add(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if len(b) > textRecent {
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
