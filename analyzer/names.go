package analyzer

import (
	"hash/maphash"
	"unsafe"
)

// slotTable numbers names in the order of their arrival. A large graph has millions of them, which no cache holds, and
// looks each up once for every use: a map takes twice the memory, which is what its time goes to.
type slotTable struct {
	names []string // by slot
	// at has a place for each name, behind those that its hash sends there as well; a power of two, a quarter of it empty.
	at []slotPlace
}

// slotPlace is a slot counted from 1, 0 where the place is empty, and the high half of its name's hash.
type slotPlace struct {
	slot int32
	high uint32
}

// slotSeed makes the hashes of one process differ from those of all others, so that no file can choose names that meet.
var slotSeed = maphash.MakeSeed()

// newSlotTable is an empty table for about n names.
func newSlotTable(n int) slotTable {
	size := 8
	for 3*size < 4*n {
		size *= 2
	}
	return slotTable{names: make([]string, 0, n), at: zeros[slotPlace](size)}
}

// find returns the slot of a name.
func (t *slotTable) find(name string) (slot int32, ok bool) {
	p := t.place(name, maphash.String(slotSeed, name))
	return p.slot - 1, p.slot > 0
}

// guess is find where the name is likely to have one of two slots: files list weights in the order of their use, and most
// nodes take what the one before made.
func (t *slotTable) guess(name string, a, b int32) (slot int32, ok bool) {
	for _, slot := range [2]int32{a, b} {
		if slot >= 0 && int(slot) < len(t.names) && t.names[slot] == name {
			return slot, true
		}
	}
	return t.find(name)
}

// add returns the slot of a name, a new one where fresh.
func (t *slotTable) add(name string) (slot int32, fresh bool) {
	hash := maphash.String(slotSeed, name)
	p := t.place(name, hash)
	if p.slot > 0 {
		return p.slot - 1, false
	}
	t.names = append(t.names, name)
	*p = slotPlace{int32(len(t.names)), uint32(hash >> 32)}
	slot = p.slot - 1
	if 4*len(t.names) > 3*len(t.at) {
		t.grow()
	}
	return slot, true
}

// place returns where a name is, or the empty place where it belongs.
func (t *slotTable) place(name string, hash uint64) *slotPlace {
	mask := uint64(len(t.at) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		p := &t.at[i]
		if p.slot == 0 || p.high == uint32(hash>>32) && t.names[p.slot-1] == name {
			return p
		}
	}
}

// zeros returns n zeros whose pages are there already: one value of each page is written. A table that is read before it is
// written would take two faults a page otherwise, the second of which stops all processors. To write all values would take
// as long again, and longer where a collection runs.
func zeros[T any](n int) []T {
	s := make([]T, n)
	var zero T
	for i := 0; i < n; i += max(1, pageSize/int(unsafe.Sizeof(zero))) {
		s[i] = zero
	}
	return s
}

const pageSize = 4096 // bytes, or a multiple: then some pages are written several times

func (t *slotTable) grow() {
	t.at = zeros[slotPlace](2 * len(t.at))
	for i, name := range t.names {
		hash := maphash.String(slotSeed, name)
		*t.place(name, hash) = slotPlace{int32(i + 1), uint32(hash >> 32)}
	}
}
