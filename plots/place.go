package plots

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/plot/vg"
)

// request asks for a place for one label beside its mark.
type request struct {
	anchor vg.Point  // centre of the mark
	radius vg.Length // of the mark
	w, h   vg.Length // of the text
	angle  float64   // preferred direction from the mark, in radians
	spread float64   // candidates lie within ± this of the preferred direction
}

// scene is what labels should keep clear of.
type scene struct {
	bounds   vg.Rectangle
	segments []segment
	discs    []disc // a label's own disc may be among them: it is left out where centre and radius agree
	dots     []disc // small marks that must stay visible
	boxes    []vg.Rectangle
}

// placement is where a label went. Leader is drawn where the label is not beside its mark.
type placement struct {
	box    vg.Rectangle
	leader *segment
	cost   float64
	clear  bool // it lies on no other label and within bounds
}

// The weights of what makes a place bad. A label on a label is worse than everything else together.
const (
	costLabel   = 1e4
	costBox     = 5e3
	costDot     = 60.0 // touching a small mark
	costDisc    = 1.2  // per point of depth in a blob
	costSegment = 2.0  // per point of line under the text
	costLeader  = 25.0 // a leader over a label, a mark or another leader
	costAway    = 0.55 // per point of distance
	costTurn    = 5.0  // opposite to the preferred direction
	costVague   = 8.0  // beside another blob too, without a leader
	labelGap    = vg.Length(1.5)
)

// place finds places for labels: each has a ring of candidates around its mark, static costs against the scene are
// computed once, and simulated annealing over the choices (Christensen, Marks and Shieber 1995) resolves the conflicts
// between labels. The random numbers are seeded, so equal scenes give equal places.
func place(rs []request, sc scene) []placement {
	cand := make([][]placement, len(rs))
	for i, r := range rs {
		cand[i] = candidates(r, sc)
	}
	choice := make([]int, len(rs))
	pair := func(i, ci, j, cj int) float64 { return conflict(&cand[i][ci], &cand[j][cj]) }
	local := func(i, ci int) float64 {
		c := cand[i][ci].cost
		for j := range rs {
			if j != i {
				c += pair(i, ci, j, choice[j])
			}
		}
		return c
	}
	// Greedy start: best candidate by the scene alone, then two rounds of improvement.
	for i := range rs {
		for c := range cand[i] {
			if cand[i][c].cost < cand[i][choice[i]].cost {
				choice[i] = c
			}
		}
	}
	descend := func() {
		for changed, round := true, 0; changed && round < 20; round++ {
			changed = false
			for i := range rs {
				best, cost := choice[i], local(i, choice[i])
				for c := range cand[i] {
					if v := local(i, c); v < cost-1e-9 {
						best, cost = c, v
					}
				}
				changed = changed || best != choice[i]
				choice[i] = best
			}
		}
	}
	total := func() float64 {
		sum := 0.0
		for i := range rs {
			sum += cand[i][choice[i]].cost
			for j := range i {
				sum += pair(i, choice[i], j, choice[j])
			}
		}
		return sum
	}
	descend()
	best, least := append([]int(nil), choice...), total()
	rng := rand.New(rand.NewPCG(1605, 7678))
	for t := 60.0; t > 0.4 && len(rs) > 1; t *= 0.9 {
		for range 24 * len(rs) {
			i := rng.IntN(len(rs))
			c := rng.IntN(len(cand[i]))
			if d := local(i, c) - local(i, choice[i]); d < 0 || rng.Float64() < math.Exp(-d/t) {
				choice[i] = c
			}
		}
	}
	descend()
	if total() < least {
		best = choice
	}
	out := make([]placement, len(rs))
	for i := range rs {
		out[i] = cand[i][best[i]]
		out[i].clear = inside(out[i].box, sc.bounds)
		for j := range rs {
			out[i].clear = out[i].clear && (i == j || overlap(out[i].box, cand[j][best[j]].box) == 0)
		}
	}
	return out
}

// candidates are the places around a mark, near ones first. There is always one, if need be out of bounds.
func candidates(r request, sc scene) []placement {
	const turns = 24
	var out []placement
	for _, gap := range []vg.Length{2.5, 6, 11, 18, 27, 38, 52, 70, 95, 130} {
		for k := range turns {
			off := float64((k+1)/2) * 2 * math.Pi / turns // 0, +1, -1, +2, …
			if off > r.spread+1e-9 {
				break
			}
			theta := r.angle + off
			if k%2 == 0 {
				theta = r.angle - off
			}
			p := around(r, theta, gap)
			if !inside(p.box, sc.bounds) {
				continue
			}
			p.cost += costAway*float64(gap-2.5) + costTurn*off/math.Pi + sceneCost(r, &p, sc)
			out = append(out, p)
		}
	}
	if out == nil { // a mark in a corner that is too tight: pull the label inside
		p := around(r, r.angle, 2.5)
		p.box = pull(p.box, sc.bounds)
		out = append(out, p)
	}
	return out
}

// around puts the label's box against the mark in a direction.
func around(r request, theta float64, gap vg.Length) placement {
	sin, cos := math.Sincos(theta)
	// The box touches the circle of radius+gap: push its centre out until the nearest point of the box is that far.
	reach := r.radius + gap
	lo, hi := 0.0, float64(reach)+float64(r.w)+float64(r.h)
	for range 24 {
		mid := (lo + hi) / 2
		b := box(vg.Point{X: r.anchor.X + vg.Length(mid*cos), Y: r.anchor.Y + vg.Length(mid*sin)}, r.w, r.h)
		if distance(nearest(b, r.anchor), r.anchor) < reach {
			lo = mid
		} else {
			hi = mid
		}
	}
	p := placement{box: box(vg.Point{X: r.anchor.X + vg.Length(hi*cos), Y: r.anchor.Y + vg.Length(hi*sin)}, r.w, r.h)}
	if gap > 7 {
		end := nearest(p.box, r.anchor)
		p.leader = &segment{r.anchor, end} // to the centre: blobs may hide each other's edges
	}
	return p
}

// pull moves a box into bounds.
func pull(b, bounds vg.Rectangle) vg.Rectangle {
	dx := max(bounds.Min.X-b.Min.X, 0) + min(bounds.Max.X-b.Max.X, 0)
	dy := max(bounds.Min.Y-b.Min.Y, 0) + min(bounds.Max.Y-b.Max.Y, 0)
	return b.Add(vg.Point{X: dx, Y: dy})
}

// sceneCost is what a place costs whatever the other labels do.
func sceneCost(r request, p *placement, sc scene) float64 {
	cost := 0.0
	wide := grow(p.box, 0.5)
	for _, s := range sc.segments {
		cost += costSegment * clip(s, wide)
		if p.leader != nil && crosses(*p.leader, s) {
			cost += costLeader / 4
		}
	}
	for _, d := range sc.discs {
		if d.c == r.anchor {
			continue
		}
		cost += costDisc * d.depth(p.box)
		if p.leader != nil {
			if onSegment(d.c, *p.leader) < d.r {
				cost += costDisc * 4
			}
		} else if (disc{d.c, d.r + 3}).depth(p.box) > 0 {
			cost += costVague
		}
	}
	for _, d := range sc.dots {
		if d.depth(wide) > 0 {
			cost += costDot
		}
		if p.leader != nil && d.c != r.anchor && onSegment(d.c, *p.leader) < d.r+0.5 {
			cost += costLeader
		}
	}
	for _, b := range sc.boxes {
		if overlap(wide, b) > 0 {
			cost += costBox
		}
		if p.leader != nil && clip(*p.leader, b) > 0 {
			cost += costLeader
		}
	}
	return cost
}

// conflict is what two labels cost each other.
func conflict(a, b *placement) float64 {
	cost := 0.0
	if o := overlap(grow(a.box, labelGap), b.box); o > 0 {
		cost += costLabel + o
	}
	for _, x := range []struct{ l, o *placement }{{a, b}, {b, a}} {
		if x.l.leader != nil && clip(*x.l.leader, grow(x.o.box, 0.5)) > 0 {
			cost += 12 * costLeader
		}
	}
	if a.leader != nil && b.leader != nil && crosses(*a.leader, *b.leader) {
		cost += 4 * costLeader
	}
	return cost
}
