package plots

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gonum.org/v1/plot/vg"
)

// TestPlaceCrowds scatters labelled points, clustered and not, and wants every label free of the others and in bounds.
func TestPlaceCrowds(t *testing.T) {
	bounds := vg.Rectangle{Max: vg.Point{X: 500, Y: 350}}
	for seed := range uint64(12) {
		rng := rand.New(rand.NewPCG(seed, 1))
		sc := scene{bounds: bounds, segments: []segment{{vg.Point{X: 0, Y: 0}, vg.Point{X: 500, Y: 350}}}}
		var rs []request
		for i := range 26 {
			x, y := vg.Length(rng.Float64()*500), vg.Length(rng.Float64()*350)
			if i < 8 { // a tight cluster
				x, y = 60+x/20, 80+y/20
			}
			p := vg.Point{X: x, Y: y}
			sc.dots = append(sc.dots, disc{p, 2})
			sc.discs = append(sc.discs, disc{p, 8})
			rs = append(rs, request{anchor: p, radius: 8, w: 40 + vg.Length(rng.Float64()*25), h: 10, spread: math.Pi})
		}
		got := place(rs, sc)
		for i, p := range got {
			if !p.clear {
				t.Errorf("seed %d: label %d lies on another or out of bounds", seed, i)
			}
			if p.leader == nil && distance(nearest(p.box, rs[i].anchor), rs[i].anchor) > rs[i].radius+8 {
				t.Errorf("seed %d: label %d is far from its mark and has no leader", seed, i)
			}
		}
		for i, p := range place(rs, sc) {
			if p.box != got[i].box || (p.leader == nil) != (got[i].leader == nil) {
				t.Errorf("seed %d: label %d goes elsewhere in a second run", seed, i)
			}
		}
	}
}

// TestSpread compares with what least squares must satisfy: gaps kept, order kept, no move where none is needed, and no
// better result among random feasible ones.
func TestSpread(t *testing.T) {
	if diff := cmp.Diff([]float64{5, 30, 60}, spread([]float64{5, 30, 60}, 10, 0, 100)); diff != "" {
		t.Errorf("positions that are apart moved (-want +got):\n%s", diff)
	}
	rng := rand.New(rand.NewPCG(7, 7))
	for range 200 {
		want := make([]float64, 2+rng.IntN(8))
		x := 10.0
		for i := range want {
			x += rng.ExpFloat64() * 6
			want[i] = math.Min(x, 200)
		}
		const gap, lo, hi = 9, 0, 220
		got := spread(want, gap, lo, hi)
		loss := func(v []float64) (sum float64) {
			for i := range v {
				sum += (v[i] - want[i]) * (v[i] - want[i])
			}
			return sum
		}
		for i := range got {
			if got[i] < lo-1e-9 || got[i] > hi+1e-9 || i > 0 && got[i]-got[i-1] < gap-1e-9 {
				t.Fatalf("%v from %v: gap or range is violated", got, want)
			}
		}
		for range 200 {
			other := make([]float64, len(got))
			for i := range other {
				other[i] = got[i] + rng.NormFloat64()
				if i > 0 {
					other[i] = math.Max(other[i], other[i-1]+gap)
				}
			}
			if other[0] >= lo && other[len(other)-1] <= hi && loss(other) < loss(got)-1e-9 {
				t.Fatalf("%v is nearer to %v than %v", other, want, got)
			}
		}
	}
}
