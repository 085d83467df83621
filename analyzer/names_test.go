package analyzer

import (
	"fmt"
	"testing"
)

// TestSlotTable: names have slots in the order of their arrival, however far the table grows, the empty name included.
func TestSlotTable(t *testing.T) {
	const names = 10_000
	for _, expected := range []int{0, 100, names} {
		table := newSlotTable(expected)
		name := func(i int) string {
			if i == 0 {
				return ""
			}
			return fmt.Sprint("value_", i)
		}
		for i := range names {
			if slot, ok := table.find(name(i)); ok {
				t.Fatalf("%q has slot %d before it was added", name(i), slot)
			}
			if slot, fresh := table.add(name(i)); slot != int32(i) || !fresh {
				t.Fatalf("%q: got slot %d, fresh %v, want %d, true", name(i), slot, fresh, i)
			}
		}
		for i := range names {
			if slot, fresh := table.add(name(i)); slot != int32(i) || fresh {
				t.Fatalf("%q again: got slot %d, fresh %v, want %d, false", name(i), slot, fresh, i)
			}
			if slot, ok := table.find(name(i)); slot != int32(i) || !ok {
				t.Fatalf("%q: got slot %d, %v, want %d", name(i), slot, ok, i)
			}
		}
	}
}
