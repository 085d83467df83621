package analyzer_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onnxcost/onnxcost/analyzer"
)

// TestGreedyPlanners: the offsets that the unit tests of LiteRT (GREEDY_BY_SIZE) and of TensorFlow Lite Micro expect.
func TestGreedyPlanners(t *testing.T) {
	chain := []analyzer.Lease{{16, 0, 1}, {8, 1, 2}, {64, 2, 3}, {32, 3, 4}, {8, 4, 5}}
	for _, c := range []struct {
		name    string
		leases  []analyzer.Lease
		planner analyzer.Planner
		align   int64
		offsets []int64
		total   int64
	}{
		{"chain", chain, analyzer.PlanBestFit, 1, []int64{0, 64, 0, 64, 0}, 96},
		{"chain, 128-byte alignment", chain, analyzer.PlanBestFit, 128, []int64{0, 128, 0, 128, 0}, 160},
		{"complex", []analyzer.Lease{{32, 0, 1}, {32, 1, 4}, {8, 2, 5}, {16, 3, 5}, {8, 4, 5}, {64, 5, 7}, {8, 6, 8}, {8, 7, 8}, {16, 8, 9}},
			analyzer.PlanBestFit, 1, []int64{0, 32, 80, 64, 88, 0, 64, 72, 0}, 96},
		{"TFLM, two apart", []analyzer.Lease{{10, 0, 1}, {20, 2, 3}}, analyzer.PlanFirstFit, 1, []int64{0, 0}, 20},
		{"TFLM, five", []analyzer.Lease{{10, 0, 1}, {20, 1, 2}, {30, 2, 3}, {40, 3, 4}, {50, 0, 1}}, analyzer.PlanFirstFit, 1,
			[]int64{50, 70, 40, 0, 0}, 90},
		{"TFLM, middle", []analyzer.Lease{{100, 0, 1}, {50, 2, 3}, {20, 1, 2}}, analyzer.PlanFirstFit, 1, []int64{0, 0, 100}, 120},
		{"resident first", []analyzer.Lease{{10, 0, 3}, {50, 0, 1}, {40, 2, 3}}, analyzer.PlanResidentFirst, 1, []int64{0, 10, 10}, 60},
		{"empty lease", []analyzer.Lease{{0, 0, 3}, {50, 0, 1}}, analyzer.PlanFirstFit, 1, []int64{0, 0}, 50},
		{"none", nil, analyzer.PlanSearch, 1, []int64{}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			offsets, total, bound := analyzer.PlaceLeases(c.leases, analyzer.ArenaOptions{Planner: c.planner, Align: c.align})
			if d := cmp.Diff(c.offsets, offsets); d != "" || total != c.total {
				t.Errorf("total %d, want %d; offsets (-want +got):\n%s", total, c.total, d)
			}
			if bound > total {
				t.Errorf("bound %d above the plan's %d", bound, total)
			}
		})
	}
}

// checkPlacement compares every pair of leases.
func checkPlacement(t *testing.T, leases []analyzer.Lease, offsets []int64, total, bound, align int64) {
	t.Helper()
	var top int64
	for i, a := range leases {
		if offsets[i] < 0 || offsets[i]%align != 0 {
			t.Fatalf("lease %d at offset %d: want a multiple of %d", i, offsets[i], align)
		}
		top = max(top, offsets[i]+a.Bytes)
		for k, b := range leases[:i] {
			if a.First <= b.Last && b.First <= a.Last && offsets[i] < offsets[k]+b.Bytes && offsets[k] < offsets[i]+a.Bytes {
				t.Fatalf("leases %d %v at %d and %d %v at %d overlap", i, a, offsets[i], k, b, offsets[k])
			}
		}
	}
	if top != total || bound > total {
		t.Fatalf("total %d, want %d as the highest end and at least the bound %d", total, top, bound)
	}
}

func randomLeases(rnd *rand.Rand, n, steps int, most int64) []analyzer.Lease {
	ls := make([]analyzer.Lease, n)
	for i := range ls {
		first := rnd.IntN(steps)
		ls[i] = analyzer.Lease{Bytes: rnd.Int64N(most), First: first, Last: min(steps-1, first+int(rnd.ExpFloat64()*3))}
	}
	return ls
}

// TestPlacementsAreDisjoint checks all planners on random instances, and the search against the best of all orders.
func TestPlacementsAreDisjoint(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 7))
	for round := range 300 {
		leases := randomLeases(rnd, rnd.IntN(40), 1+rnd.IntN(30), 300)
		align := []int64{1, 7, 64}[round%3]
		for _, by := range analyzer.Planners() {
			opt := analyzer.ArenaOptions{Planner: by, Align: align}
			offsets, total, bound := analyzer.PlaceLeases(leases, opt)
			checkPlacement(t, leases, offsets, total, bound, align)
			again, _, _ := analyzer.PlaceLeases(leases, opt)
			if !slices.Equal(offsets, again) {
				t.Fatalf("%s gives two plans for the same leases", by)
			}
		}
	}
	worst := 0.0
	for range 60 {
		leases := randomLeases(rnd, 2+rnd.IntN(6), 6, 20)
		best := optimum(leases)
		_, total, bound := analyzer.PlaceLeases(leases, analyzer.ArenaOptions{Align: 1})
		if bound > best {
			t.Fatalf("bound %d above the optimum %d of %v", bound, best, leases)
		}
		if total < best {
			t.Fatalf("total %d below the optimum %d of %v", total, best, leases)
		}
		if total > best {
			worst = max(worst, float64(total)/float64(best)-1)
		}
	}
	if worst > 0 {
		t.Errorf("search stays %.1f %% above the optimum of instances of up to 7 leases", 100*worst)
	}
}

// optimum tries every order of placement with the lowest gap, which some optimal packing has.
func optimum(leases []analyzer.Lease) int64 {
	offsets := make([]int64, len(leases))
	done := make([]bool, len(leases))
	best := int64(1 << 60)
	var rec func(left int, top int64)
	rec = func(left int, top int64) {
		if top >= best {
			return
		}
		if left == 0 {
			best = top
			return
		}
		for i, l := range leases {
			if done[i] {
				continue
			}
			offsets[i] = 0
			for moved := true; moved; {
				moved = false
				for k, o := range leases {
					if done[k] && l.First <= o.Last && o.First <= l.Last && offsets[i] < offsets[k]+o.Bytes && offsets[k] < offsets[i]+l.Bytes {
						offsets[i], moved = offsets[k]+o.Bytes, true
					}
				}
			}
			done[i] = true
			rec(left-1, max(top, offsets[i]+l.Bytes))
			done[i] = false
		}
	}
	rec(len(leases), 0)
	return best
}

// BenchmarkPlaceLeases places 10,000 buffers, which aims at 50 ms; the excess over the bound is reported beside it.
func BenchmarkPlaceLeases(b *testing.B) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for _, c := range []struct {
		name string
		life func() int
	}{
		{"chain", func() int { return 1 }},
		{"network", func() int { return 1 + int(rnd.ExpFloat64()*3) }},
		{"skips", func() int { return 1 + int(rnd.ExpFloat64()*40) }},
		{"all-live", func() int { return 10000 }},
	} {
		leases := make([]analyzer.Lease, 10000)
		for i := range leases {
			leases[i] = analyzer.Lease{Bytes: 64 * (1 + rnd.Int64N(10000)), First: i, Last: min(9999, i+c.life())}
		}
		b.Run("lives="+c.name, func(b *testing.B) {
			b.ReportAllocs()
			var total, bound int64
			for b.Loop() {
				_, total, bound = analyzer.PlaceLeases(leases, analyzer.ArenaOptions{})
			}
			b.ReportMetric(100*(float64(total)/float64(bound)-1), "%excess")
		})
	}
}

// TestVerifier: plans of every network and planner hold, and a plan with one offset moved onto a live buffer does not.
func TestVerifier(t *testing.T) {
	everyModel(t, 1, func(t *testing.T, name string, r *analyzer.Report) {
		for _, by := range analyzer.Planners() {
			a, err := r.Arena(nil, analyzer.ArenaOptions{Planner: by})
			if err != nil {
				t.Fatal(err)
			}
			if err := a.Verify(r, nil); err != nil {
				t.Fatalf("%s: %v", by, err)
			}
			live := a.Live(a.BoundStep)
			if len(live) < 2 {
				continue
			}
			for i := range a.Buffers {
				if a.Buffers[i].Values[0] == live[0].Values[0] {
					a.Buffers[i].Offset = live[1].Offset
				}
			}
			a.Bytes += live[0].Bytes
			var bad *analyzer.VerifyError
			if err := a.Verify(r, nil); !errors.As(err, &bad) {
				t.Errorf("%s: %q was moved onto %q; Verify returned %v", by, live[0].Values[0].Name, live[1].Values[0].Name, err)
			}
		}
	})
}

// FuzzPlaceLeases reads leases from bytes: size, start and duration.
// TestPlaceManyLeases: so many leases that live together are placed apart all the same, and not far above the bound.
func TestPlaceManyLeases(t *testing.T) {
	const n, alive = 40_000, 900
	r := rand.New(rand.NewPCG(5, 8))
	leases := make([]analyzer.Lease, n)
	for i := range leases {
		leases[i] = analyzer.Lease{Bytes: r.Int64N(1 << r.IntN(20)), First: i / 2, Last: i/2 + r.IntN(alive)}
	}
	for _, planner := range analyzer.Planners() {
		offsets, total, bound := analyzer.PlaceLeases(leases, analyzer.ArenaOptions{Planner: planner})
		for i, a := range leases {
			if a.Bytes > 0 && offsets[i]+a.Bytes > total {
				t.Fatalf("%s: lease %d ends at %d, above the total %d", planner, i, offsets[i]+a.Bytes, total)
			}
			for j := i + 1; j < n && leases[j].First <= a.Last; j++ {
				if b := leases[j]; a.Bytes > 0 && b.Bytes > 0 && offsets[i] < offsets[j]+b.Bytes && offsets[j] < offsets[i]+a.Bytes {
					t.Fatalf("%s: leases %d %+v at %d and %d %+v at %d share a byte", planner, i, a, offsets[i], j, b, offsets[j])
				}
			}
		}
		if total < bound || total > bound*3/2 {
			t.Errorf("%s: takes %d bytes, want from the bound %d to half as much again", planner, total, bound)
		}
	}
	together := make([]analyzer.Lease, n)
	for i := range together {
		together[i] = analyzer.Lease{Bytes: 64, First: i, Last: n}
	}
	if _, total, bound := analyzer.PlaceLeases(together, analyzer.ArenaOptions{}); total != bound || total != 64*n {
		t.Errorf("leases that all live at the end: %d bytes with bound %d, want %d", total, bound, 64*n)
	}
}

func FuzzPlaceLeases(f *testing.F) {
	f.Add([]byte{16, 0, 1, 8, 1, 1, 64, 2, 1, 32, 3, 1, 8, 4, 1}, uint8(1))
	f.Add([]byte{255, 0, 9, 255, 0, 0, 1, 1, 8, 0, 0, 0}, uint8(64))
	f.Fuzz(func(t *testing.T, data []byte, align uint8) {
		var leases []analyzer.Lease
		for ; len(data) >= 3 && len(leases) < 200; data = data[3:] {
			leases = append(leases, analyzer.Lease{Bytes: int64(data[0]), First: int(data[1]), Last: int(data[1]) + int(data[2])})
		}
		for _, by := range analyzer.Planners() {
			offsets, total, bound := analyzer.PlaceLeases(leases, analyzer.ArenaOptions{Planner: by, Align: max(1, int64(align))})
			checkPlacement(t, leases, offsets, total, bound, max(1, int64(align)))
		}
	})
}
