package form

import (
	"slices"
	"testing"
)

// TestMovedAxis compares with moving every axis to every place, for all permutations of up to five axes.
func TestMovedAxis(t *testing.T) {
	for rank := range 6 {
		identity := make([]int64, rank)
		for i := range identity {
			identity[i] = int64(i)
		}
		type move struct{ from, to int }
		moves := map[string][]move{}
		key := func(perm []int64) string {
			b := make([]byte, len(perm))
			for i, p := range perm {
				b[i] = byte('0' + p)
			}
			return string(b)
		}
		for from := range rank {
			for to := range rank {
				if from != to {
					perm := slices.Insert(slices.Delete(slices.Clone(identity), from, from+1), to, int64(from))
					moves[key(perm)] = append(moves[key(perm)], move{from, to})
				}
			}
		}
		var visit func(perm []int64)
		visit = func(perm []int64) {
			if len(perm) < rank {
				for _, i := range identity {
					if !slices.Contains(perm, i) {
						visit(append(slices.Clone(perm), i))
					}
				}
				return
			}
			from, to, ok := movedAxis(perm)
			want := moves[key(perm)]
			switch {
			case ok != (len(want) > 0):
				t.Errorf("%v: moved %v, want %v", perm, ok, want)
			case ok && !slices.Contains(want, move{from, to}):
				t.Errorf("%v: axis %d moved to %d, want one of %v", perm, from, to, want)
			case ok && len(want) == 2 && from < to:
				t.Errorf("%v: neighbours that change places: axis %d moved to %d, want outwards", perm, from, to)
			}
		}
		visit(nil)
	}
}

// TestMovements: the ways in which the runtime moves elements, each seen in its times.
func TestMovements(t *testing.T) {
	for _, c := range []struct {
		x    []float64
		perm []int64
		want movement
	}{
		{[]float64{2, 3, 4}, []int64{0, 1, 2}, movement{how: movedBlocks, run: 24}},
		{[]float64{1, 3, 1, 4}, []int64{2, 1, 0, 3}, movement{how: movedBlocks, run: 12}},
		{[]float64{1, 64, 56, 56}, []int64{0, 2, 3, 1}, movement{how: movedIn, run: 1, rows: 64, matrices: 1}},
		{[]float64{64, 1, 56, 56}, []int64{1, 2, 3, 0}, movement{how: movedIn, run: 1, rows: 64, matrices: 1}},
		{[]float64{8, 56, 56, 64}, []int64{0, 3, 1, 2}, movement{how: movedOut, run: 1, rows: 25088, matrices: 8}},
		{[]float64{256, 3136}, []int64{1, 0}, movement{how: movedOut, run: 1, rows: 256, matrices: 1}},
		{[]float64{1, 196, 12, 64}, []int64{0, 2, 1, 3}, movement{how: movedStrided, run: 64}},
		{[]float64{1, 4, 390, 2}, []int64{0, 2, 1, 3}, movement{how: movedOut, run: 1, rows: 4, matrices: 1}},
		{[]float64{3, 64, 64, 25}, []int64{1, 2, 0, 3}, movement{how: movedBlocks, run: 25}},
		{[]float64{1, 196, 3, 12, 64}, []int64{2, 0, 3, 1, 4}, movement{how: movedCounted, run: 64}},
		{[]float64{32, 8, 64, 49}, []int64{2, 3, 0, 1}, movement{how: movedMixed, run: 1}},
		{[]float64{1, 3, 64, 64, 25, 1}, []int64{2, 3, 1, 4, 0, 5}, movement{how: movedMixed, run: 1}}, // 26 times as long as without the two axes of 1
		{[]float64{196, 1, 12, 64}, []int64{2, 0, 3, 1}, movement{how: movedMixed, run: 1}},
	} {
		if got := movementOf(c.x, c.perm); got != c.want {
			t.Errorf("%v by %v: %+v, want %+v", c.x, c.perm, got, c.want)
		}
	}
}
