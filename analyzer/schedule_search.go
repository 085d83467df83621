package analyzer

import (
	"math/bits"
	"slices"
)

// pieceSearch orders one piece of a graph. Which buffers live follows from the set of nodes that have run, so two
// orders of the same set differ only by the peak on the way: the search goes through sets, one layer for each number of
// executed nodes.
type pieceSearch struct {
	s     *scheduler
	nodes []int // of the piece
	local []pieceNode
	width int // states kept in a layer
}

// pieceNode is a node of the piece with its relations in positions of the piece.
type pieceNode struct {
	before    []int      // producers within the piece
	grows     int64      // bytes made
	stays     int64      // of them, bytes that somebody needs afterwards
	inner     int64      // workspace
	frees     []pieceBuf // buffers that can die here
	overwrite []pieceBuf // buffers whose place the result may take when they die here
}

// pieceBuf is a buffer that dies when its last user in the piece has run.
type pieceBuf struct {
	bytes int64
	users []int // the other users, by position in the piece
}

// pieceState is a set of executed nodes.
type pieceState struct {
	done       []uint64
	peak, live int64
	parent     int32 // in the layer before
	node       int32 // executed last
}

func newPieceSearch(s *scheduler, nodes []int) *pieceSearch {
	p := &pieceSearch{s: s, nodes: nodes, local: make([]pieceNode, len(nodes)), width: max(8, scheduleStates/len(nodes))}
	at := make(map[int]int, len(nodes))
	for k, i := range nodes {
		at[i] = k
	}
	for k, i := range nodes {
		n, x := &s.nodes[i], &p.local[k]
		for _, b := range n.before {
			if j, ok := at[b]; ok {
				x.before = append(x.before, j)
			}
		}
		x.inner = n.inner
		for _, b := range n.makes {
			x.grows += s.bufs[b].bytes
			if len(s.bufs[b].users) > 0 || s.bufs[b].output {
				x.stays += s.bufs[b].bytes
			}
		}
		for _, b := range n.uses {
			if pb, ok := p.dies(b, k, at); ok {
				x.frees = append(x.frees, pb)
				if slices.Contains(n.overwrite, b) {
					x.overwrite = append(x.overwrite, pb)
				}
			}
		}
	}
	return p
}

// dies describes buffer b as seen by user k; ok is false where a later piece or the caller needs it.
func (p *pieceSearch) dies(b, k int, at map[int]int) (pieceBuf, bool) {
	buf := &p.s.bufs[b]
	if buf.output {
		return pieceBuf{}, false
	}
	pb := pieceBuf{bytes: buf.bytes}
	last := p.nodes[len(p.nodes)-1]
	for _, u := range buf.users {
		j, inside := at[u]
		switch {
		case inside && j != k:
			pb.users = append(pb.users, j)
		case u > last:
			return pieceBuf{}, false
		}
	}
	return pb, true
}

func has(set []uint64, i int) bool { return set[i/64]&(1<<(i%64)) != 0 }

func hasAll(set []uint64, is []int) bool {
	for _, i := range is {
		if !has(set, i) {
			return false
		}
	}
	return true
}

// step executes node k after the set done: the live sum while it runs and after it.
func (p *pieceSearch) step(done []uint64, live int64, k int) (during, after int64) {
	n := &p.local[k]
	during = live + n.grows + n.inner
	for i := range n.overwrite {
		if hasAll(done, n.overwrite[i].users) {
			during -= n.overwrite[i].bytes
			break
		}
	}
	after = live + n.stays
	for i := range n.frees {
		if hasAll(done, n.frees[i].users) {
			after -= n.frees[i].bytes
		}
	}
	return during, after
}

// peakOf is the peak of the piece in its own order.
func (p *pieceSearch) peakOf(live int64) (peak int64) {
	done := make([]uint64, (len(p.nodes)+63)/64)
	for k := range p.nodes {
		during, after := p.step(done, live, k)
		peak, live = max(peak, during), after
		done[k/64] |= 1 << (k % 64)
	}
	return peak
}

// search returns the best order as positions of the piece; exact says that no set was left out.
func (p *pieceSearch) search(live int64) (order []int, peak int64, exact bool) {
	exact = true
	words := (len(p.nodes) + 63) / 64
	layers := [][]pieceState{{{done: make([]uint64, words), live: live, parent: -1, node: -1}}}
	for range p.nodes {
		from := layers[len(layers)-1]
		next := p.layer(from, words)
		if len(next) > p.width {
			slices.SortStableFunc(next, func(a, b pieceState) int { return compareStates(&a, &b) })
			next, exact = next[:p.width], false
		}
		for i := range from {
			from[i].done = nil
		}
		layers = append(layers, next)
	}
	order = make([]int, len(p.nodes))
	at := int32(0)
	peak = layers[len(layers)-1][0].peak
	for i := len(layers) - 1; i > 0; i-- {
		st := layers[i][at]
		order[i-1], at = int(st.node), st.parent
	}
	return order, peak, exact
}

// layer makes the sets with one node more.
func (p *pieceSearch) layer(from []pieceState, words int) []pieceState {
	var next []pieceState
	seen := make(map[uint64][]int32, len(from))
	for si := range from {
		st := &from[si]
		for k := range p.local {
			if has(st.done, k) || !hasAll(st.done, p.local[k].before) {
				continue
			}
			during, after := p.step(st.done, st.live, k)
			peak := max(st.peak, during)
			h := hashWith(st.done, k)
			if old := find(next, seen[h], st.done, k); old >= 0 {
				if peak < next[old].peak {
					next[old].peak, next[old].parent, next[old].node = peak, int32(si), int32(k)
				}
				continue
			}
			done := make([]uint64, words)
			copy(done, st.done)
			done[k/64] |= 1 << (k % 64)
			seen[h] = append(seen[h], int32(len(next)))
			next = append(next, pieceState{done: done, peak: peak, live: after, parent: int32(si), node: int32(k)})
		}
	}
	return next
}

// find returns the position of the set done ∪ {k} among candidates of the same hash, -1 where it is none of them.
func find(states []pieceState, candidates []int32, done []uint64, k int) int {
	for _, c := range candidates {
		same := true
		for w, x := range states[c].done {
			want := done[w]
			if w == k/64 {
				want |= 1 << (k % 64)
			}
			if x != want {
				same = false
				break
			}
		}
		if same {
			return int(c)
		}
	}
	return -1
}

// hashWith hashes the set done ∪ {k}.
func hashWith(done []uint64, k int) uint64 {
	h := uint64(0x9e3779b97f4a7c15)
	for w, x := range done {
		if w == k/64 {
			x |= 1 << (k % 64)
		}
		h = bits.RotateLeft64(h^x, 29) * 0xbf58476d1ce4e5b9
	}
	return h ^ h>>32
}
