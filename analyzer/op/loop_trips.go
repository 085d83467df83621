package op

import (
	"fmt"
	"math"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// The trip count of a loop that ends by its condition. Exporters write "for i in range(start, bound, step)" as a carried
// counter and a comparison. Where every step is the same, an element is start + step·(k-1) in trip k, and the comparison
// is a straight line in k, which is solved for the trip after which it fails.

// maxCounted bounds the elements of one carried value that are followed.
const maxCounted = 16

// The names of the symbols of this file begin with a byte that no exporter writes.
const (
	tripSymbol    = "\x00trip"
	elementSymbol = "\x00element"
)

// counters are the carried elements that move by the same step in every trip.
type counters struct {
	first, start, step [][]dim.Dim // by carried value and element; start is first once the step is known
	ok                 [][]bool
}

// in returns the elements of carried value i in trip k (from 1), those that do not move included; nil where none is
// known.
func (c *counters) in(i int, k dim.Dim, still *Data) *Data {
	var nums []Num
	if still != nil {
		nums = append(nums, still.Nums...)
	}
	for e, ok := range c.ok[i] {
		if nums == nil {
			nums = make([]Num, len(c.ok[i]))
		}
		if ok {
			nums[e] = Int(c.start[i][e].Add(c.step[i][e].Mul(k.AddInt(-1))))
		}
	}
	if nums == nil {
		return nil
	}
	return &Data{Nums: nums}
}

// after returns the elements of carried value i after the last trip; nil where not all of them are counters.
func (c *counters) after(i int, trips dim.Dim) *Data {
	if c == nil || len(c.ok[i]) == 0 {
		return nil
	}
	for _, ok := range c.ok[i] {
		if !ok {
			return nil
		}
	}
	return c.in(i, trips.AddInt(1), nil)
}

// trips is the trip count: exact where it does not depend on data, else a symbol with the bound that is known.
func (l *loop) trips(f *fixpoint) (n dim.Dim, c *counters, err error) {
	limit := ending{never: true, exact: true}
	if l.bounded {
		limit.exact = l.maxKnown
		if v, isConst := l.max.Value(); l.maxKnown && (!isConst || v < math.MaxInt32) { // "no limit" as exporters write it
			limit.never, limit.trip = false, l.max
		}
	}
	first := predicateOf(l.cond)
	next, _ := scalar(f.body.Outputs[0])
	goOn := predicateOf(next)
	if v, known := goOn.value(); !known || !v {
		if c, goOn, err = l.follow(f); err != nil {
			return n, nil, err
		}
	}
	end := earlier(limit, goOn.end(first))
	if end.exact && !end.never {
		return end.trip, c, nil
	}
	reason := "its condition depends on data"
	_, data1 := first.symbols()
	_, data2 := goOn.symbols()
	switch {
	case l.bounded && !l.maxKnown:
		reason = "it depends on data"
	case end.exact && end.never:
		reason = "neither a count nor the condition ends the loop"
	case !data1 && !data2:
		reason = "its condition has no closed form"
	}
	t := l.fresh("trips", end.trip)
	l.Engine.Diagnose("trip-count", fmt.Sprintf("the trip count is the symbol %v: %s", t, reason))
	return t, c, nil
}

// follow finds the counters among the carried values and the condition for another trip after trip k.
func (l *loop) follow(f *fixpoint) (*counters, *predicate, error) {
	c, moving := l.candidates(f)
	k := dim.Symbol(tripSymbol)
	if moving {
		b, err := l.trip(Num{}, l.placed(f, func(i int) *Data { return c.in(i, dim.Const(1), f.carried[i].Data) }))
		if err != nil {
			return nil, nil, err
		}
		c.steps(b.Outputs[1:])
	}
	for range 3 { // a step may be the same only where another element is a counter, too
		b, err := l.trip(Int(k.AddInt(-1)), l.placed(f, func(i int) *Data { return c.in(i, k, f.carried[i].Data) }))
		if err != nil {
			return nil, nil, err
		}
		if c.keep(b.Outputs[1:], k.AddInt(1)) {
			n, _ := scalar(b.Outputs[0])
			return c, predicateOf(n), nil
		}
	}
	return nil, open, nil
}

// placed are the carried values with other elements.
func (l *loop) placed(f *fixpoint, data func(i int) *Data) []*Value {
	out := typesOf(f.carried)
	for i := range out {
		if out[i].Data = f.carried[i].Data; out[i].Kind == onnx.KindTensor {
			out[i].Data = data(i)
		}
	}
	return out
}

// candidates are the elements that are known before the first trip and change later. Each stands for itself: a symbol of
// its own as the start.
func (l *loop) candidates(f *fixpoint) (c *counters, any bool) {
	n := len(l.initial)
	c = &counters{first: make([][]dim.Dim, n), start: make([][]dim.Dim, n), step: make([][]dim.Dim, n), ok: make([][]bool, n)}
	for i, v := range l.initial {
		nums := v.Elems()
		if len(nums) == 0 || len(nums) > maxCounted || !v.DType.IsInteger() || !f.carried[i].Ranked || !f.carried[i].Shape.Equal(v.Shape) {
			continue
		}
		still := f.carried[i].Data
		c.first[i], c.start[i], c.step[i] = make([]dim.Dim, len(nums)), make([]dim.Dim, len(nums)), make([]dim.Dim, len(nums))
		c.ok[i] = make([]bool, len(nums))
		for e, x := range nums {
			if d, isInt := x.Dim(); isInt && (still == nil || !still.Nums[e].Known()) {
				c.first[i][e] = d
				c.start[i][e], c.ok[i][e], any = dim.Symbol(fmt.Sprint(elementSymbol, i, ".", e)), true, true
			}
		}
	}
	return c, any
}

// steps turns candidates into counters that start where the loop does, given what one trip makes of them.
func (c *counters) steps(out []*Value) {
	for i := range c.ok {
		nums := out[i].Elems()
		for e, ok := range c.ok[i] {
			if !ok {
				continue
			}
			c.ok[i][e] = false
			if e >= len(nums) {
				continue
			}
			d, isInt := nums[e].Dim()
			step := d.Sub(c.start[i][e])
			if isInt && step.Err() == nil && !internal(step) {
				c.start[i][e], c.step[i][e], c.ok[i][e] = c.first[i][e], step, true
			}
		}
	}
}

// internal reports whether d depends on a symbol of this file.
func internal(d dim.Dim) bool {
	for _, s := range d.Symbols() {
		if s[0] == 0 {
			return true
		}
	}
	return false
}

// keep drops the counters that a trip does not leave as they have to be in trip k, and reports whether all stay.
func (c *counters) keep(out []*Value, k dim.Dim) (all bool) {
	all = true
	for i := range c.ok {
		nums := out[i].Elems()
		for e, ok := range c.ok[i] {
			if ok && (e >= len(nums) || !nums[e].Equal(Int(c.start[i][e].Add(c.step[i][e].Mul(k.AddInt(-1)))))) {
				c.ok[i][e], all = false, false
			}
		}
	}
	return all
}

// ending is the trip after which a loop stops.
type ending struct {
	trip  dim.Dim // where not never: exact, or a bound where not exact
	never bool    // nothing known stops it
	exact bool
}

// earlier is the end of a loop that stops where either says so.
func earlier(a, b ending) ending {
	e := ending{exact: a.exact && b.exact}
	switch {
	case a.never && b.never:
		e.never = true
	case a.never:
		e.trip = b.trip
	case b.never:
		e.trip = a.trip
	default:
		e.trip = dim.Min(a.trip, b.trip)
	}
	if z, ok := e.trip.Value(); ok && z <= 0 && !e.never { // nothing comes before the first trip
		e.trip, e.exact = dim.Const(0), true
	}
	return e
}

// end solves the condition after trip k for the trip after which the loop stops; first is the condition before the first
// trip.
func (p *predicate) end(first *predicate) ending {
	if holds, known := first.value(); known && holds {
		return p.fails(1)
	}
	if p.bind(dim.Env{tripSymbol: 0}).equal(first) { // the same condition, asked of the start
		return p.fails(0)
	}
	e := p.fails(1)
	e.exact = false
	return e
}

// fails is the first k, from the given one on, for which p does not hold.
func (p *predicate) fails(from int64) ending {
	if holds, known := p.value(); known {
		return ending{never: holds, trip: dim.Const(from), exact: true}
	}
	switch p.kind {
	case allHold:
		e := ending{never: true, exact: true}
		for _, q := range p.parts {
			e = earlier(e, q.fails(from))
		}
		return e
	case anyHolds:
		e := ending{trip: dim.Const(from), exact: true}
		for _, q := range p.parts {
			x := q.fails(from)
			if x.never || !x.exact || q.kind != atLeastOne { // what fails once may hold again
				return ending{never: true}
			}
			e.trip = dim.Max(e.trip, x.trip)
		}
		return e
	case dependsData:
		return ending{never: true}
	}
	start, step, ok := p.line(from)
	if !ok {
		return ending{never: true}
	}
	down := step.Neg()
	falls, known := dim.Const(1).LessEq(down)
	switch {
	case p.kind == atLeastOne && known && falls:
		return ending{trip: dim.Max(dim.Const(0), start.CeilDiv(down)).AddInt(from), exact: true}
	case p.kind == atLeastOne:
		if starts, known := dim.Const(1).LessEq(start); known && starts && !falls {
			if rises, known := dim.Const(0).LessEq(step); known && rises {
				return ending{never: true, exact: true}
			}
		}
	case p.kind == notZero && !step.Is(0):
		q := start.FloorDiv(down)
		if reached, known := dim.Const(0).LessEq(q); q.Err() == nil && q.Mul(down).Equal(start) && known && reached {
			return ending{trip: q.AddInt(from), exact: true}
		}
	}
	return ending{never: true}
}

// line is p.d as start + step·(k - from); ok is false where it is no straight line in k.
func (p *predicate) line(from int64) (start, step dim.Dim, ok bool) {
	at := func(k int64) dim.Dim { return p.d.Bind(dim.Env{tripSymbol: k}) }
	start = at(from)
	step = at(from + 1).Sub(start)
	whole := start.Add(step.Mul(dim.Symbol(tripSymbol).AddInt(-from)))
	return start, step, whole.Err() == nil && whole.Equal(p.d)
}
