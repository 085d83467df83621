package analyzer

import (
	"cmp"
	"math/bits"
	"slices"
)

// placer packs leases under one order after another. The offsets of a run come from gaps between the leases that are
// placed already and share a step with the next one.
type placer struct {
	leases    []lease
	align     int64
	bound     int64
	boundStep int

	// The leases that share a step with lease i are near[nearAt[i]:nearAt[i+1]]. Where that would take too much memory,
	// nearAt is nil and every run scans all leases that are placed.
	near   []int32
	nearAt []int32
	visits int // pairs looked at so far: the unit of the budget

	offsets []int64
	placed  []bool
	taken   []span // scratch
	byStart []int32
	most    []int64 // see pressure
}

// span is memory taken, [from, to).
type span struct{ from, to int64 }

// maxNear bounds the list of pairs: 4 bytes each.
const maxNear = 8 << 20

func newPlacer(leases []lease, align int64) *placer {
	p := &placer{leases: leases, align: align, offsets: make([]int64, len(leases)), placed: make([]bool, len(leases))}
	p.lowerBound()
	p.neighbours()
	return p
}

func (p *placer) round(n int64) int64 { return (n + p.align - 1) / p.align * p.align }

// lowerBound finds the maximum over the steps of what the live leases need: all rounded up but the one that gains most
// from lying on top.
func (p *placer) lowerBound() {
	steps := 0
	for _, l := range p.leases {
		steps = max(steps, l.Last+1)
	}
	delta := make([]int64, steps+1)
	for _, l := range p.leases {
		delta[l.First] += p.round(l.Bytes)
		delta[l.Last+1] -= p.round(l.Bytes)
	}
	// The slack of the top: a sweep over leases by start, with the largest slacks that have not ended kept in a heap.
	starts := make([]int32, len(p.leases))
	for i := range starts {
		starts[i] = int32(i)
	}
	slices.SortStableFunc(starts, func(a, b int32) int { return cmp.Compare(p.leases[a].First, p.leases[b].First) })
	p.byStart = starts
	slack := func(i int32) int64 { return p.round(p.leases[i].Bytes) - p.leases[i].Bytes }
	var heap slackHeap
	next, live := 0, int64(0)
	for s := range steps {
		live += delta[s]
		for ; next < len(starts) && p.leases[starts[next]].First == s; next++ {
			if i := starts[next]; slack(i) > 0 {
				heap.push(slackEntry{slack(i), p.leases[i].Last})
			}
		}
		for len(heap) > 0 && heap[0].last < s {
			heap.pop()
		}
		need := live
		if len(heap) > 0 {
			need -= heap[0].slack
		}
		if need > p.bound {
			p.bound, p.boundStep = need, s
		}
	}
}

// neighbours lists for every lease those that share a step with it.
func (p *placer) neighbours() {
	n := len(p.leases)
	count := make([]int32, n+1)
	pairs := 0
	sweep := func(f func(a, b int32)) bool {
		var active []int32
		for _, i := range p.byStart {
			keep := active[:0]
			for _, j := range active {
				if p.leases[j].Last >= p.leases[i].First {
					keep = append(keep, j)
					f(i, j)
				}
			}
			active = keep
			if pairs > maxNear {
				return false
			}
			if p.leases[i].Bytes > 0 {
				active = append(active, i)
			}
		}
		return true
	}
	if !sweep(func(a, b int32) { count[a+1]++; count[b+1]++; pairs += 2 }) {
		return
	}
	for i := range n {
		count[i+1] += count[i]
	}
	p.nearAt = slices.Clone(count)
	p.near = make([]int32, count[n])
	pairs = 0
	sweep(func(a, b int32) {
		p.near[count[a]], p.near[count[b]] = b, a
		count[a]++
		count[b]++
	})
}

// fit says which of the free places a lease takes.
type fit uint8

const (
	fitLowest fit = iota
	fitSmallest
	// fitEnds is the lowest place for leases that start at an even step and the highest below the bound for the others:
	// neighbours of a chain grow towards each other and meet the bound whatever their sizes.
	fitEnds
)

// run places the leases in the given order and returns the highest end, or stops at the first lease that ends above
// limit and returns that end.
func (p *placer) run(order []int32, f fit, limit int64) (total int64) {
	switch {
	case p.nearAt == nil && len(order) > maxScan:
		return p.runInOrder()
	case p.nearAt == nil:
		return p.runScan(order, f, limit)
	}
	clear(p.placed)
	p.visits += len(order)
	return p.extend(order, f, limit)
}

// extend is run without taking away what is placed already.
func (p *placer) extend(order []int32, f fit, limit int64) (total int64) {
	for _, i := range order {
		taken := p.taken[:0]
		near := p.near[p.nearAt[i]:p.nearAt[i+1]]
		for _, j := range near {
			if p.placed[j] {
				taken = append(taken, span{p.offsets[j], p.offsets[j] + p.round(p.leases[j].Bytes)})
			}
		}
		sortSpans(taken)
		p.visits += len(near) + len(taken)*bits.Len(uint(len(taken)))
		p.taken = taken
		p.offsets[i] = p.gap(taken, &p.leases[i], f)
		p.placed[i] = true
		if total = max(total, p.offsets[i]+p.leases[i].Bytes); total > limit {
			return total
		}
	}
	return total
}

// runScan is run for leases that nearly all live together.
func (p *placer) runScan(order []int32, f fit, limit int64) (total int64) {
	type done struct {
		span
		first, last int32
	}
	all := make([]done, 0, len(order)) // by offset
	for _, i := range order {
		l := &p.leases[i]
		first, last := int32(l.First), int32(l.Last)
		taken := p.taken[:0]
		p.visits += len(all) + 1
		for k := range all {
			if d := &all[k]; d.first <= last && d.last >= first {
				taken = append(taken, d.span)
			}
		}
		p.taken = taken
		o := p.gap(taken, l, f)
		p.offsets[i] = o
		if total = max(total, o+l.Bytes); total > limit {
			return total
		}
		if l.Bytes > 0 {
			at, _ := slices.BinarySearchFunc(all, o, func(d done, o int64) int { return cmp.Compare(d.from, o) })
			all = slices.Insert(all, at, done{span{o, o + p.round(l.Bytes)}, first, last})
		}
	}
	return total
}

const (
	// maxScan is the number of leases up to which each is compared with each.
	maxScan = 1 << 14
	// maxFree bounds the free ranges that runInOrder remembers, and maxTry those that it tries.
	maxFree, maxTry = 1 << 14, 1 << 10
)

// runInOrder is run for more leases than can be compared with each other: it places them in the order in which they
// start, as an allocator would that takes the smallest free range.
func (p *placer) runInOrder() (total int64) {
	p.visits += searchBudget // another order would change nothing
	byEnd := slices.Clone(p.byStart)
	slices.SortStableFunc(byEnd, func(a, b int32) int { return cmp.Compare(p.leases[a].Last, p.leases[b].Last) })
	var free []span // by offset, none next to another
	var top int64   // from here on nothing is taken
	ended := 0
	for _, i := range p.byStart {
		l := &p.leases[i]
		for ; p.leases[byEnd[ended]].Last < l.First; ended++ { // they start before they end, so they are placed
			if e := byEnd[ended]; p.leases[e].Bytes > 0 {
				free, top = giveBack(free, top, span{p.offsets[e], p.offsets[e] + p.round(p.leases[e].Bytes)})
			}
		}
		if p.offsets[i] = 0; l.Bytes == 0 {
			continue
		}
		size, best := p.round(l.Bytes), -1
		for k := range free[:min(len(free), maxTry)] {
			if room := free[k].to - free[k].from; room >= size && (best < 0 || room < free[best].to-free[best].from) {
				best = k
			}
		}
		switch {
		case best < 0:
			p.offsets[i] = top
			top += size
		case free[best].to-free[best].from == size:
			p.offsets[i] = free[best].from
			free = slices.Delete(free, best, best+1)
		default:
			p.offsets[i] = free[best].from
			free[best].from += size
		}
		total = max(total, p.offsets[i]+l.Bytes)
	}
	return total
}

// giveBack adds a range to the free ones, joined with its neighbours. Where there are too many it is lost.
func giveBack(free []span, top int64, s span) ([]span, int64) {
	at, _ := slices.BinarySearchFunc(free, s.from, func(f span, from int64) int { return cmp.Compare(f.from, from) })
	if at < len(free) && free[at].from == s.to {
		s.to = free[at].to
		free = slices.Delete(free, at, at+1)
	}
	if at > 0 && free[at-1].to == s.from {
		at--
		s.from = free[at].from
		free = slices.Delete(free, at, at+1)
	}
	switch {
	case s.to == top:
		return free, s.from
	case len(free) < maxFree:
		free = slices.Insert(free, at, s)
	}
	return free, top
}

// gap returns the offset of a free place for l among spans sorted by their start; behind all of them where none fits
// between.
func (p *placer) gap(taken []span, l *lease, f fit) int64 {
	size := l.Bytes
	if size == 0 {
		return 0
	}
	high := f == fitEnds && l.First%2 == 1
	var end int64 // of what lies below
	at, room := int64(-1), int64(0)
	for _, t := range taken {
		if free := t.from - end; free >= size && (at < 0 || high || free < room) {
			at, room = end, free
			switch {
			case high:
				at = (t.from - size) / p.align * p.align
			case f != fitSmallest:
				return at
			}
		}
		end = max(end, t.to)
	}
	if high {
		if top := (p.bound - size) / p.align * p.align; top >= end {
			return top
		}
	}
	if at >= 0 {
		return at
	}
	return end
}

// sortSpans sorts by start; most lists are short.
func sortSpans(s []span) {
	if len(s) > 24 {
		slices.SortFunc(s, func(a, b span) int { return cmp.Compare(a.from, b.from) })
		return
	}
	for i := 1; i < len(s); i++ {
		for k := i; k > 0 && s[k].from < s[k-1].from; k-- {
			s[k], s[k-1] = s[k-1], s[k]
		}
	}
}

// slackEntry is the slack of a lease that ends at step last.
type slackEntry struct {
	slack int64
	last  int
}

// slackHeap is a binary heap with the largest slack on top.
type slackHeap []slackEntry

func (h *slackHeap) push(e slackEntry) {
	*h = append(*h, e)
	s := *h
	for i := len(s) - 1; i > 0; {
		up := (i - 1) / 2
		if s[up].slack >= s[i].slack {
			return
		}
		s[up], s[i] = s[i], s[up]
		i = up
	}
}

func (h *slackHeap) pop() {
	s := *h
	n := len(s) - 1
	s[0] = s[n]
	s = s[:n]
	*h = s
	for i := 0; ; {
		k := 2*i + 1
		if k >= n {
			return
		}
		if k+1 < n && s[k+1].slack > s[k].slack {
			k++
		}
		if s[i].slack >= s[k].slack {
			return
		}
		s[i], s[k] = s[k], s[i]
		i = k
	}
}
