package form

import (
	"fmt"
	"math"
	"strings"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/costmodel/plan"
	"github.com/onnxcost/onnxcost/specs"
)

// ortModel predicts kernels from a fit of the form FormORTCPU.
type ortModel struct {
	plan  *plan.Plan
	fit   *specs.Fit
	cache ORTCache
	kinds map[plan.Kind]string // the group that stands in for an operator without one
}

func newORTModel(s Setup) (Model, error) {
	if s.Plan.Runtime != plan.ORTCPU {
		return nil, &OptionError{Msg: fmt.Sprintf("the fit %s is for runtime %s, not %s", s.Fit.Key(), plan.ORTCPU, s.Plan.Runtime)}
	}
	m := &ortModel{plan: s.Plan, fit: s.Fit, cache: CacheOfFit(s.Fit), kinds: map[plan.Kind]string{}}
	for _, k := range plan.Kinds() {
		if name := KindGroup(k); len(s.Fit.Groups[name].Terms) > 0 {
			m.kinds[k] = name
		}
	}
	return m, nil
}

// KindGroup names the group of a fit that stands in for operators of a kind that no microbenchmark had.
func KindGroup(k plan.Kind) string { return "any_" + k.String() }

// CacheOfFit reads the cache sizes of a fit.
func CacheOfFit(f *specs.Fit) ORTCache {
	g := f.Groups[groupCache]
	or := func(name string) float64 {
		if v, ok := g.Terms[name]; ok {
			return v.Value
		}
		return math.Inf(1)
	}
	return ORTCache{Near: or("near_bytes"), Far: or("far_bytes"), ColdFrom: or("cold_from_bytes"), ColdTo: or("cold_to_bytes")}
}

// Group writes the sizes as the group of a fit that CacheOfFit reads.
func (c ORTCache) Group() (name string, g specs.Group) {
	size := func(v float64) specs.Coefficient { return specs.Coefficient{Value: v, Unit: "bytes"} }
	return groupCache, specs.Group{Terms: map[string]specs.Coefficient{
		"near_bytes": size(c.Near), "far_bytes": size(c.Far), "cold_from_bytes": size(c.ColdFrom), "cold_to_bytes": size(c.ColdTo)}}
}

// RunGroup is the group of what one call of the runtime costs, whatever it runs; its term is "runs".
const RunGroup = "run"

// CalmTerm is the term of RunGroup that no prediction uses: the seconds of a small kernel in calm when the fit was measured,
// by which a later measurement tells whether the machine is as it was.
const CalmTerm = "calm"

// Times adds the terms up. The cost of the call itself falls on the first kernel.
func (m *ortModel) Times(loads []Demand, env dim.Env, out []KernelTime) error {
	terms, err := ORTTerms(m.plan, env, m.cache, m.fit.Threads)
	if err != nil {
		return err
	}
	for i := range loads {
		out[i] = m.kernel(terms[i], &loads[i])
		if i == 0 {
			if n := math.Max(1, loads[i].Executions); n > 0 {
				out[i].Seconds += m.fit.Groups[RunGroup].Term("runs") / n
			}
		}
	}
	return nil
}

// kernel is the time of one kernel, its largest group by time, and what bounds it.
func (m *ortModel) kernel(terms []Term, l *Demand) KernelTime {
	var t KernelTime
	var node, traffic, own float64
	for _, x := range terms {
		c, how := m.coefficient(x, l.Kernel.Kind)
		s := x.Value * c
		t.Seconds += s
		t.rests = max(t.rests, how)
		switch x.Group {
		case NodeGroup:
			node += s
		case TrafficGroup:
			traffic += s
		default:
			if own += s; t.Group == "" {
				t.Group = x.Group
			}
		}
	}
	if t.Group == "" {
		t.Group = NodeGroup
	}
	switch {
	case node > own+traffic:
		t.Bound = BoundOverhead
	case len(l.Products) > 0 && own > traffic:
		t.Bound = BoundCompute
	case l.Special > 0 && len(l.Products) == 0 && own > traffic:
		t.Bound = BoundCompute
	default:
		t.Bound = BoundMemory
	}
	return t
}

// knowledge says what a coefficient rests on.
type knowledge int

const (
	measured knowledge = iota // a microbenchmark of the group
	related                   // one of another mode of the operator
	likeKind                  // those of other operators of its kind
)

// coefficient is that of the term's group or, where no microbenchmark had it, of another mode of the operator or of the
// dear ones of its kind. Shared groups have no stand-in.
func (m *ortModel) coefficient(t Term, kind plan.Kind) (float64, knowledge) {
	if g, ok := m.fit.Groups[t.Group]; ok {
		return g.Term(t.Name), measured
	}
	if t.Group == NodeGroup || t.Group == TrafficGroup {
		return 0, measured
	}
	for name := t.Group; ; {
		i := strings.LastIndexByte(name, '_')
		if i < 0 {
			break
		}
		name = name[:i]
		if g, ok := m.fit.Groups[name]; ok {
			return termOrElements(g, t.Name), related
		}
	}
	return termOrElements(m.fit.Groups[m.kinds[kind]], t.Name), likeKind
}

// termOrElements is a coefficient of a group, and what an element costs there where it has none of that name: what is
// counted costs at least as much as an element.
func termOrElements(g specs.Group, name string) float64 {
	if c, ok := g.Terms[name]; ok {
		return c.Value
	}
	return g.Term("elements")
}

// unmeasuredBy is the factor by which a kernel may take more or less than what others tell of it: 3 where another mode of
// its operator was measured, 10 where nothing but other operators was. Modes of the operators that have microbenchmarks
// differ by up to 4 from each other (element-wise forms, Pad, Cast) and, where the algorithm is another, by up to 30
// (Resize); operators of a kind by up to 50.
var unmeasuredBy = [...]float64{measured: 1, related: 3, likeKind: 10}

// Host is nothing: the calling thread runs one kernel after the other.
func (m *ortModel) Host() (dispatchS, gapS float64) { return 0, 0 }

// sameGroup is how much of a group's error its kernels share: shapes of one network are alike. wholeNetwork is the
// standard deviation of what all kernels of a network share: a kernel among others does not find the caches and the
// memory as it does alone. Both are chosen on the exported networks, so that nine in ten of them lie within the interval;
// the zoo and the other networks are what coverage is reported on.
const (
	sameGroup    = 0.5
	wholeNetwork = 0.045
)

// Interval adds the errors of the groups up as independent ones. Within a group part of the error is common to all its
// kernels, and the rest averages out over kernels of similar time.
func (m *ortModel) Interval(loads []Demand, times []KernelTime) (low, high float64) {
	type sum struct {
		group         string
		total, square float64
	}
	var sums []sum // in the order of the kernels: a sum of floats depends on its order
	at := map[string]int{}
	var all, more, less float64
	for i := range times {
		s := times[i].Seconds * loads[i].Executions
		all += s
		if f := unmeasuredBy[times[i].rests]; f > 1 { // it may be another time altogether
			more += s * (f - 1)
			less += s * (1 - 1/f)
			continue
		}
		k, seen := at[times[i].Group]
		if !seen {
			k = len(sums)
			at[times[i].Group] = k
			sums = append(sums, sum{group: times[i].Group})
		}
		sums[k].total += s
		sums[k].square += s * times[i].Seconds
	}
	common := m.spread(m.fit.Residuals)
	if all == 0 {
		return residualInterval(m.fit.Residuals)
	}
	var v float64
	for _, g := range sums {
		sd := common
		if r := m.fit.Groups[g.group].Residuals; r != nil {
			sd = m.spread(r)
		}
		v += sd * sd * (sameGroup*g.total*g.total + (1-sameGroup)*g.square) / (all * all)
	}
	drift := m.fit.Groups[RunGroup].Term("drift")
	width := z90 * math.Sqrt(v+drift*drift+wholeNetwork*wholeNetwork)
	return math.Exp(-width) * (1 - less/all), math.Exp(width) * (1 + more/all)
}

// spread is the standard deviation of a normal distribution with the residuals' central 80 %.
func (m *ortModel) spread(r *specs.Residuals) float64 {
	if r == nil {
		return 0
	}
	const z80 = 1.2815515655446004
	return math.Max(math.Abs(r.Quantile(0.1)), math.Abs(r.Quantile(0.9))) / z80
}
