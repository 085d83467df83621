package analyzer

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// searchBudget bounds the search by the pairs of leases it may look at, so that the result does not depend on the
// machine: a few tens of milliseconds.
const searchBudget = 512 << 10

// plan runs a planner and returns its offsets; by is the planner that did it.
func (p *placer) plan(by Planner) (offsets []int64, total int64, _ Planner) {
	switch by {
	case PlanBestFit:
		total = p.run(p.sorted(bySize), fitSmallest, math.MaxInt64)
	case PlanFirstFit:
		total = p.run(p.sorted(bySize), fitLowest, math.MaxInt64)
	case PlanResidentFirst:
		total = p.run(p.sorted(p.residentFirst()), fitSmallest, math.MaxInt64)
	default:
		return p.search()
	}
	return p.offsets, total, by
}

// precedence compares two leases: the lesser is placed first.
type precedence func(p *placer, a, b int32) int

func bySize(p *placer, a, b int32) int { return cmp.Compare(p.leases[b].Bytes, p.leases[a].Bytes) }

func byArea(p *placer, a, b int32) int {
	area := func(i int32) float64 {
		return float64(p.leases[i].Bytes) * float64(p.leases[i].Last-p.leases[i].First+1)
	}
	return cmp.Compare(area(b), area(a))
}

func byDuration(p *placer, a, b int32) int {
	d := func(i int32) int { return p.leases[i].Last - p.leases[i].First }
	return cmp.Or(cmp.Compare(d(b), d(a)), bySize(p, a, b))
}

func byEnd(p *placer, a, b int32) int {
	return cmp.Or(cmp.Compare(p.leases[b].Last, p.leases[a].Last), bySize(p, a, b))
}

func byStart(p *placer, a, b int32) int {
	return cmp.Or(cmp.Compare(p.leases[a].First, p.leases[b].First), bySize(p, a, b))
}

// residentFirst puts what lives through the whole run before everything else.
func (p *placer) residentFirst() precedence {
	steps := 0
	for _, l := range p.leases {
		steps = max(steps, l.Last)
	}
	rank := func(i int32) int {
		if l := &p.leases[i]; l.First == 0 && l.Last == steps {
			return 0
		}
		return 1
	}
	return func(p *placer, a, b int32) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), bySize(p, a, b))
	}
}

// byPressure places first what lives at the fullest step.
func byPressure(p *placer, a, b int32) int {
	most := p.pressure()
	return cmp.Or(cmp.Compare(most[b], most[a]), bySize(p, a, b))
}

// pressure is for every lease the largest live sum of its steps. It is worked out once, when an order asks for it.
func (p *placer) pressure() []int64 {
	if p.most == nil {
		p.most = p.findPressure()
	}
	return p.most
}

func (p *placer) findPressure() []int64 {
	steps := 0
	for _, l := range p.leases {
		steps = max(steps, l.Last+1)
	}
	live := make([]int64, steps+1)
	for _, l := range p.leases {
		live[l.First] += l.Bytes
		live[l.Last+1] -= l.Bytes
	}
	for s := 1; s <= steps; s++ {
		live[s] += live[s-1]
	}
	top := newRangeMax(live)
	most := make([]int64, len(p.leases))
	for i, l := range p.leases {
		most[i] = top.max(l.First, l.Last)
	}
	return most
}

func (p *placer) sorted(by precedence) []int32 {
	o := make([]int32, len(p.leases))
	for i := range o {
		o[i] = int32(i)
	}
	slices.SortStableFunc(o, func(a, b int32) int { return by(p, a, b) })
	return o
}

// stack lies the leases one above the other, which is the best plan where all of them live at one step; ok is false
// where it is not known to be.
func (p *placer) stack() (total int64, ok bool) {
	top := 0 // the lease that loses most by rounding lies on top
	slack := func(i int) int64 { return p.round(p.leases[i].Bytes) - p.leases[i].Bytes }
	for i := range p.leases {
		if slack(i) > slack(top) {
			top = i
		}
	}
	place := func(i int) {
		p.offsets[i] = 0
		if p.leases[i].Bytes > 0 {
			p.offsets[i] = total
			total += p.round(p.leases[i].Bytes)
		}
	}
	for i := range p.leases {
		if i != top {
			place(i)
		}
	}
	if len(p.leases) > 0 {
		place(top)
		total -= slack(top)
	}
	return total, total == p.bound
}

// search runs the greedy orders and, where none meets the bound, improves the best: the leases that end above the
// bound, and what lies below them, change their place in the order.
func (p *placer) search() ([]int64, int64, Planner) {
	if total, ok := p.stack(); ok {
		return p.offsets, total, PlanSearch
	}
	best := int64(math.MaxInt64)
	var bestOrder []int32
	bestFit, by := fitLowest, PlanSearch
	offsets := make([]int64, len(p.leases))
	for _, c := range []struct {
		by  precedence
		fit fit
		as  Planner
	}{
		{bySize, fitSmallest, PlanBestFit}, {bySize, fitLowest, PlanFirstFit}, {byStart, fitEnds, PlanSearch}, {byArea, fitLowest, PlanSearch},
		{byPressure, fitLowest, PlanSearch}, {byPressure, fitEnds, PlanSearch}, {byDuration, fitLowest, PlanSearch},
		{byStart, fitSmallest, PlanSearch}, {byEnd, fitSmallest, PlanSearch}, {byArea, fitSmallest, PlanSearch},
		{p.residentFirst(), fitSmallest, PlanResidentFirst},
	} {
		order := p.sorted(c.by)
		if total := p.run(order, c.fit, best-1); total < best {
			best, bestFit, bestOrder, by = total, c.fit, order, c.as
			copy(offsets, p.offsets)
		}
		if best <= p.bound || p.visits > searchBudget {
			return offsets, best, by
		}
	}
	if p.nearAt == nil { // a run takes too long to have many
		return offsets, best, by
	}
	// First among the leases of the fullest steps alone, which are few in most networks, then among all.
	b := &candidate{order: bestOrder, fit: bestFit, offsets: offsets, total: best}
	crowd := p.crowd(bestOrder)
	improved := p.improve(b, crowd, searchBudget/2)
	if b.total > p.bound {
		improved = p.improve(b, len(b.order), searchBudget) || improved
	}
	if improved {
		by = PlanSearch
	}
	return b.offsets, b.total, by
}

// candidate is an order with the plan that it gives.
type candidate struct {
	order   []int32
	fit     fit
	offsets []int64
	total   int64
}

// crowdShare is the part of the bound above which a step is full.
const crowdShare = 0.75

// crowd moves the leases of full steps to the front of the order, keeping their order, and returns their number.
func (p *placer) crowd(order []int32) int {
	most := p.pressure()
	full := func(i int32) bool { return float64(most[i]) >= crowdShare*float64(p.bound) }
	n := 0
	for _, i := range order {
		if full(i) {
			n++
		}
	}
	slices.SortStableFunc(order, func(a, b int32) int {
		switch x, y := full(a), full(b); {
		case x == y:
			return 0
		case x:
			return -1
		}
		return 1
	})
	return n
}

// improve moves leases forward in the order, guided by those that stand too high: squeaky-wheel optimisation with a
// fixed seed. Only the first n of the order move, and are judged; where they do better, the others are placed too.
func (p *placer) improve(best *candidate, n, budget int) (improved bool) {
	rnd := rand.New(rand.NewPCG(1, uint64(len(p.leases))))
	current, order := slices.Clone(best.order), slices.Clone(best.order)
	how, top := best.fit, p.run(current[:n], best.fit, math.MaxInt64)
	least := top // of the first n so far
	offsets := slices.Clone(p.offsets)
	p.settle(best, current, how, n, top, &improved)
	var wheels []int32
	for p.visits < budget && best.total > p.bound && (least > p.bound || n == len(order)) {
		copy(order, current)
		p.visits += 4 * n // for the moves in the list
		wheels = wheels[:0]
		for _, i := range order[:n] {
			if offsets[i]+p.leases[i].Bytes > p.bound {
				wheels = append(wheels, i)
			}
		}
		for range 1 + rnd.IntN(3) {
			w := int32(0)
			if len(wheels) > 0 {
				w = wheels[rnd.IntN(len(wheels))]
			} else {
				w = order[rnd.IntN(n)]
			}
			if rnd.IntN(3) == 0 { // or a neighbour that stands in its way
				if near := p.near[p.nearAt[w]:p.nearAt[w+1]]; len(near) > 0 {
					w = near[rnd.IntN(len(near))]
				}
			}
			from := slices.Index(order[:n], w)
			if from < 0 {
				continue
			}
			to := rnd.IntN(from + 1)
			if rnd.IntN(4) == 0 {
				to = rnd.IntN(n)
			}
			move(order, from, to)
		}
		next := how
		if rnd.IntN(8) == 0 {
			next = fit(rnd.IntN(3))
		}
		// A little worse is accepted, so that the search leaves a valley.
		limit := top + (least-p.bound)/2
		total := p.run(order[:n], next, limit)
		if total > limit {
			continue
		}
		copy(current, order)
		copy(offsets, p.offsets)
		top, how = total, next
		if total < least || total < best.total {
			least = min(least, total)
			p.settle(best, current, how, n, total, &improved)
		} else if rnd.IntN(64) == 0 {
			copy(current, best.order)
			how = best.fit
			top = p.run(current[:n], how, math.MaxInt64)
			copy(offsets, p.offsets)
		}
	}
	return improved
}

// move takes the element at from out of the list and puts it at to.
func move(list []int32, from, to int) {
	x := list[from]
	if to < from {
		copy(list[to+1:from+1], list[to:from])
	} else {
		copy(list[from:to], list[from+1:to+1])
	}
	list[to] = x
}

// settle places the whole order whose first n reach top, and keeps it where that is the best so far.
func (p *placer) settle(best *candidate, order []int32, f fit, n int, top int64, improved *bool) {
	if top >= best.total {
		return
	}
	for _, rest := range [...]fit{f, fitSmallest, fitLowest} {
		total := top
		if n < len(order) || rest != f {
			total = p.runRest(order, n, f, rest, best.total-1)
		}
		if total < best.total {
			best.total, best.fit, *improved = total, f, true
			copy(best.order, order)
			copy(best.offsets, p.offsets)
		}
	}
}

// runRest places the first n leases of an order with one fit and the others with another.
func (p *placer) runRest(order []int32, n int, first, rest fit, limit int64) int64 {
	total := p.run(order[:n], first, limit)
	if total > limit || n == len(order) {
		return total
	}
	return max(total, p.extend(order[n:], rest, limit))
}

// rangeMax answers maxima of ranges of a fixed list: a sparse table.
type rangeMax [][]int64

func newRangeMax(v []int64) rangeMax {
	t := rangeMax{v}
	for w := 1; 2*w <= len(v); w *= 2 {
		last := t[len(t)-1]
		row := make([]int64, len(v)-2*w+1)
		for i := range row {
			row[i] = max(last[i], last[i+w])
		}
		t = append(t, row)
	}
	return t
}

// max is the maximum of v[from..to], both included.
func (t rangeMax) max(from, to int) int64 {
	k := 0
	for 2<<k <= to-from+1 {
		k++
	}
	return max(t[k][from], t[k][to-1<<k+1])
}
