package op

import (
	"slices"

	"github.com/onnxcost/onnxcost/analyzer/dim"
)

// A bool that dimensions decide, such as Less(i, T), has no value before they are bound. What it depends on is kept, so
// that a Loop can solve its condition for the number of trips and an If can say which dimension decides it.

type predicateKind uint8

const (
	atLeastOne  predicateKind = iota // d ≥ 1
	isZero                           // d = 0
	notZero                          // d ≠ 0
	allHold                          // every one of parts
	anyHolds                         // one of parts
	dependsData                      // decided by elements, not by dimensions
)

type predicate struct {
	kind  predicateKind
	d     dim.Dim
	parts []*predicate
}

// open is the predicate of which nothing is known.
var open = &predicate{kind: dependsData}

// holdsIf is the bool element that p decides: a plain one where p is decided.
func holdsIf(p *predicate) Num {
	if v, known := p.value(); known {
		return boolOf(v)
	}
	if p.kind == dependsData {
		return Num{}
	}
	return Num{kind: numPredicate, p: p}
}

// value decides p where it is provable for every value of its symbols.
func (p *predicate) value() (v, known bool) {
	switch p.kind {
	case atLeastOne:
		s, known := Int(p.d).compare(IntOf(1))
		return s >= 0, known
	case isZero, notZero:
		s, known := Int(p.d).compare(IntOf(0))
		return (s == 0) == (p.kind == isZero), known
	case allHold, anyHolds:
		known = true
		for _, q := range p.parts {
			v, ok := q.value()
			if ok && v == (p.kind == anyHolds) {
				return v, true
			}
			known = known && ok
		}
		return p.kind == allHold, known
	}
	return false, false
}

// not is the opposite of p.
func (p *predicate) not() *predicate {
	switch p.kind {
	case atLeastOne:
		return &predicate{d: dim.Const(1).Sub(p.d)}
	case isZero:
		return &predicate{kind: notZero, d: p.d}
	case notZero:
		return &predicate{kind: isZero, d: p.d}
	case allHold, anyHolds:
		q := &predicate{kind: allHold + anyHolds - p.kind}
		for _, x := range p.parts {
			q.parts = append(q.parts, x.not())
		}
		return q
	}
	return open
}

// predicateOf is the predicate of a bool element.
func predicateOf(n Num) *predicate {
	if n.kind == numPredicate {
		return n.p
	}
	if v, ok := toBool(n).Int64(); ok {
		return &predicate{d: dim.Const(v)}
	}
	return open
}

// joinPredicates is the bool that holds where both do (allHold) or where one does (anyHolds).
func joinPredicates(kind predicateKind, a, b Num) Num {
	return holdsIf(&predicate{kind: kind, parts: []*predicate{predicateOf(a), predicateOf(b)}})
}

// difference is b - a over a positive denominator, which does not matter for its sign.
func difference(a, b Num) (d dim.Dim, ok bool) {
	an, ad, ok1 := a.rational()
	bn, bd, ok2 := b.rational()
	if !ok1 || !ok2 || ad > maxDivisor || bd > maxDivisor {
		return d, false
	}
	d = bn.MulInt(ad).Sub(an.MulInt(bd))
	return d, d.Err() == nil
}

// lessThan is a < b.
func lessThan(a, b Num) Num {
	if s, known := a.compare(b); known {
		return boolOf(s < 0)
	}
	d, ok := difference(a, b)
	if !ok {
		return Num{}
	}
	return holdsIf(&predicate{d: d})
}

// logicFold is And and Or. Where only one side is known it says as much as that side decides.
func logicFold(kind predicateKind) func(*Call) {
	return func(c *Call) {
		fold2(func(a, b Num) Num { return joinPredicates(kind, a, b) })(c)
		if c.Out[0].Data != nil || len(c.In) != 2 || !c.Out[0].Ranked || !c.Out[0].Shape.Elements().Is(1) {
			return
		}
		for i := range 2 {
			if n, ok := scalar(c.In[i]); ok {
				if n = joinPredicates(kind, n, Num{}); n.Known() {
					c.Out[0].Data = &Data{Nums: []Num{n}}
				}
			}
		}
	}
}

// symbols lists the symbols that p depends on; data says that elements decide it, too.
func (p *predicate) symbols() (names []string, data bool) {
	names, data = p.d.Symbols(), p.kind == dependsData
	for _, q := range p.parts {
		more, open := q.symbols()
		names, data = append(names, more...), data || open
	}
	slices.Sort(names)
	return slices.Compact(names), data
}

// at decides p with every symbol at the given value, ok where elements do not decide it.
func (p *predicate) at(v int64) (holds, ok bool) {
	names, _ := p.symbols()
	env := dim.Env{}
	for _, s := range names {
		env[s] = v
	}
	return p.bind(env).value()
}

// bind replaces symbols by their values.
func (p *predicate) bind(env dim.Env) *predicate {
	q := &predicate{kind: p.kind, d: p.d.Bind(env)}
	for _, x := range p.parts {
		q.parts = append(q.parts, x.bind(env))
	}
	return q
}

// equal reports whether two predicates are written the same.
func (p *predicate) equal(q *predicate) bool {
	return p.kind == q.kind && p.kind != dependsData && p.d.Equal(q.d) && slices.EqualFunc(p.parts, q.parts, (*predicate).equal)
}

// DecidedBy lists the symbols that known elements of v depend on; known is false where some element is not known or
// depends on data.
func (v *Value) DecidedBy() (symbols []string, known bool) {
	if v.Data == nil || len(v.Data.Nums) == 0 {
		return nil, false
	}
	for _, n := range v.Data.Nums {
		if !n.Known() {
			return nil, false
		}
		symbols = append(symbols, n.d.Symbols()...)
		if n.p != nil {
			more, data := n.p.symbols()
			if data {
				return nil, false
			}
			symbols = append(symbols, more...)
		}
	}
	slices.Sort(symbols)
	return slices.Compact(symbols), true
}
