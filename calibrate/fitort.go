package calibrate

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"

	"gonum.org/v1/gonum/mat"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/costmodel/form"
	"github.com/onnxcost/onnxcost/costmodel/plan"
	"github.com/onnxcost/onnxcost/specs"
)

// An ortPoint is one microbenchmark with what was measured of it in all rounds.
type ortPoint struct {
	Micro   Micro
	Threads int
	Seconds float64 // the lowest median of a round, of the calm ones where there are any; see Timing.Best
	Calm    bool    // a round was calm, or no round says
	Rounds  int
	Runs    int
}

// ortPoints gathers the samples of ONNX Runtime by microbenchmark and thread count, in the order of first appearance.
func ortPoints(s *Samples) ([]ortPoint, error) {
	var points []ortPoint
	at := map[string]int{}
	var bursts [][]observed // of each point
	for i := range s.Samples {
		x := &s.Samples[i]
		if x.Backend != BackendORT {
			continue
		}
		sec, ok := x.Value(UnitSeconds)
		threads, hasThreads := x.Int("threads")
		if !ok || !hasThreads || threads < 1 {
			return nil, fmt.Errorf("sample %s: want %s and a parameter threads", x.Name(), UnitSeconds)
		}
		name := x.Name()
		j, seen := at[name]
		if !seen {
			j = len(points)
			at[name] = j
			points = append(points, ortPoint{Micro: Micro{x.Class, x.Params}, Threads: int(threads)})
			bursts = append(bursts, nil)
		}
		d, _ := x.Value(UnitDisturbance)
		around, _ := x.Value(UnitAround)
		bursts[j] = append(bursts[j], observed{sec, d, around})
		points[j].Rounds++
		points[j].Runs += x.Runs
	}
	follow := map[int]float64{} // by the number of threads
	for j := range points {
		t := points[j].Threads
		if _, known := follow[t]; !known {
			var same [][]observed
			for k := range points {
				if points[k].Threads == t {
					same = append(same, bursts[k])
				}
			}
			follow[t] = elasticity(same)
		}
		points[j].Seconds, points[j].Calm = undisturbed(bursts[j], follow[t])
	}
	return points, nil
}

// termKey names a coefficient.
type termKey struct{ group, name string }

func (k termKey) String() string { return k.group + "." + k.name }

// ortDesign is the linear problem of one thread count: a row per point, a column per coefficient.
type ortDesign struct {
	points []ortPoint
	plans  []*costmodel.Plan
	keys   []termKey
	a      *mat.Dense
	b      []float64
	kinds  map[string]plan.Kind // of the kernels in each group
	prior  []float64            // of each coefficient; nil or 0 for none
	weight []float64            // of each prior
	like   *specs.Fit           // of another number of threads; nil for none
	ops    []float64            // operations of each point, 2 per multiply-accumulate
}

// lowerPoints rebuilds the model behind every point and lowers it as the runtime does.
func lowerPoints(ctx context.Context, points []ortPoint, cpu *specs.Processor) (*ortDesign, error) {
	d := &ortDesign{points: points}
	for _, p := range points {
		m, err := p.Micro.Model()
		if err != nil {
			return nil, err
		}
		r, err := analyzeMicro(ctx, m)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Micro.name(), err)
		}
		plan, err := costmodel.Lower(r, costmodel.ORTCPU, cpu)
		if err != nil {
			return nil, err
		}
		ops, err := r.Totals().MACs.Eval(r.Dims)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Micro.name(), err)
		}
		d.plans = append(d.plans, plan)
		d.b = append(d.b, p.Seconds)
		d.ops = append(d.ops, 2*float64(ops))
	}
	return d, nil
}

// analyzeMicro analyses the model of a microbenchmark. Dimensions that depend on data are at their bounds: the data of a
// microbenchmark see to it.
func analyzeMicro(ctx context.Context, m *onnx.Model) (*analyzer.Report, error) {
	r, err := analyzer.Analyze(ctx, m, analyzer.Options{})
	if err != nil {
		return nil, err
	}
	for _, s := range r.Symbols {
		if n, err := s.Upper.Eval(r.Dims); err == nil && s.Input == "" {
			r.Dims[s.Name] = n
		}
	}
	return r, nil
}

// fill evaluates the terms under cache sizes.
func (d *ortDesign) fill(cache form.ORTCache) error {
	rows := make([]map[termKey]float64, len(d.plans))
	seen := map[termKey]bool{}
	d.kinds = map[string]plan.Kind{}
	for i, plan := range d.plans {
		terms, err := form.ORTTerms(plan, plan.Report.Dims, cache, d.points[i].Threads)
		if err != nil {
			return fmt.Errorf("%s: %w", d.points[i].Micro.name(), err)
		}
		rows[i] = map[termKey]float64{{form.RunGroup, "runs"}: 1}
		for j, list := range terms {
			times, err := plan.Kernels[j].Times.Eval(plan.Report.Dims)
			if err != nil {
				return err
			}
			for _, t := range list {
				if _, known := d.kinds[t.Group]; !known && !shared(t.Group) {
					d.kinds[t.Group] = plan.Kernels[j].Kind
				}
				rows[i][termKey{t.Group, t.Name}] += t.Value * float64(times)
			}
		}
		for k := range rows[i] {
			seen[k] = true
		}
	}
	d.keys = d.keys[:0]
	for k := range seen {
		d.keys = append(d.keys, k)
	}
	sort.Slice(d.keys, func(i, j int) bool { return d.keys[i].String() < d.keys[j].String() })
	d.a = mat.NewDense(len(rows), len(d.keys), nil)
	for i, row := range rows {
		for j, k := range d.keys {
			d.a.Set(i, j, row[k])
		}
	}
	return nil
}

// shared reports whether a group belongs to no kind of kernel.
func shared(group string) bool {
	return group == form.RunGroup || group == form.NodeGroup || group == form.TrafficGroup
}

// residualFloor is the relative error below which the robust fit takes points as equally good: the noise of a round.
const residualFloor = 0.01

// priorWeight is what a coefficient's distance from its prior counts beside one observation of the same relative error.
// It decides only what observations leave open.
const priorWeight = 0.002

// callsWeight is the same for what calling a kernel costs, which hardly depends on the operator: points that each do much
// say little about it.
const callsWeight = 0.03

// likeWeight is the same for a coefficient that another number of threads has been fitted with. Terms count the work of
// the busiest thread, so that a coefficient means the same; what differs is how threads share caches and memory, which has
// terms of its own. Two threads are disturbed more often than one, and this holds what they measured together. The weight
// is chosen on the networks by which the form was chosen.
const likeWeight = 0.2

// setPrior takes the median coefficients of a kind of kernel, as x has them, for the prior of all its operators: of some
// there are five points only, and what these do not tell is more likely usual than nothing or anything.
func (d *ortDesign) setPrior(x []float64) {
	of := func(j int) (plan.Kind, bool) {
		kind, ok := d.kinds[d.keys[j].group]
		return kind, ok && kind != plan.KindContraction
	}
	values := map[plan.Kind]map[string][]float64{}
	var calls []float64 // what calling a kernel costs hardly depends on what it computes
	for j, k := range d.keys {
		if kind, ok := of(j); ok && x[j] > 0 {
			if k.name == "calls" {
				calls = append(calls, x[j])
				continue
			}
			if values[kind] == nil {
				values[kind] = map[string][]float64{}
			}
			values[kind][k.name] = append(values[kind][k.name], x[j])
		}
	}
	d.prior, d.weight = make([]float64, len(d.keys)), make([]float64, len(d.keys))
	for j, k := range d.keys {
		kind, ok := of(j)
		usual := values[kind][k.name]
		if k.name == "calls" {
			usual = calls
		}
		if ok && len(usual) >= 3 {
			d.prior[j], d.weight[j] = median(usual), priorWeight
			if k.name == "calls" {
				d.weight[j] = callsWeight
			}
		}
		if d.like != nil && !shared(k.group) {
			if c, ok := d.like.Groups[k.group].Terms[k.name]; ok && c.Value > 0 {
				d.prior[j], d.weight[j] = c.Value, likeWeight
			}
		}
	}
}

// solve fits the coefficients on the rows that use says, all where it is nil, and under the prior where there is one.
// Residuals and weights are those of the rows.
func (d *ortDesign) solve(start []float64, use func(i int) bool) (x, residuals, weights []float64, rows []int, err error) {
	for i := range d.b {
		if use == nil || use(i) {
			rows = append(rows, i)
		}
	}
	var priors []int
	for j, p := range d.prior {
		if p > 0 {
			priors = append(priors, j)
		}
	}
	n := len(rows) + len(priors)
	a := mat.NewDense(n, len(d.keys), nil)
	b, base := make([]float64, n), make([]float64, n)
	for k, i := range rows {
		b[k], base[k] = d.b[i], 1
		for j := range d.keys {
			a.Set(k, j, d.a.At(i, j))
		}
	}
	for k, j := range priors {
		b[len(rows)+k], base[len(rows)+k] = 1, d.weight[j]
		a.Set(len(rows)+k, j, 1/d.prior[j])
	}
	x, residuals, weights, err = robustNNLS(a, b, base, start, residualFloor)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	return x, residuals[:len(rows)], weights[:len(rows)], rows, nil
}

// predict is the fitted time of row i.
func (d *ortDesign) predict(x []float64, i int) float64 {
	var t float64
	for j := range d.keys {
		t += d.a.At(i, j) * x[j]
	}
	return t
}

// folds is the number of parts of the cross-validation.
const folds = 5

// crossValidate fits on all parts but one and predicts that one, for each part: ln(measured/predicted) of every point.
// Parts are the points by position within their class, so that every class is in every fit.
func (d *ortDesign) crossValidate(start []float64) ([]float64, error) {
	part := make([]int, len(d.points))
	count := map[string]int{}
	for i, p := range d.points {
		part[i] = count[p.Micro.Class] % folds
		count[p.Micro.Class]++
	}
	out := make([]float64, len(d.points))
	for f := range folds {
		x, _, _, _, err := d.solve(start, func(i int) bool { return part[i] != f })
		if err != nil {
			return nil, err
		}
		for i := range d.points {
			if part[i] == f {
				out[i] = math.Log(d.b[i] / d.predict(x, i))
			}
		}
	}
	return out, nil
}

// cacheSizes takes the sizes to start from out of the machine that the samples name: half of the core's own cache, and
// parts of the outermost one, which others use too.
func cacheSizes(s *Samples) form.ORTCache {
	size := func(key string, def float64) float64 {
		if v, err := strconv.ParseFloat(s.Get(key), 64); err == nil && v > 0 {
			return v
		}
		return def
	}
	l2 := size("cache-l2-bytes", 1<<20)
	l3 := size("cache-l3-bytes", math.Max(l2, 8<<20))
	return form.ORTCache{Near: l2 / 2, Far: l3 / 4, ColdFrom: l3 / 5, ColdTo: 3 * l3 / 5}
}

// searchCache tries other sizes one after the other and keeps what lowers the sum of absolute relative errors.
func (d *ortDesign) searchCache(c form.ORTCache) (form.ORTCache, []float64, error) {
	loss := func(c form.ORTCache, start []float64) (float64, []float64, error) {
		if c.ColdTo <= c.ColdFrom {
			return math.Inf(1), nil, nil
		}
		if err := d.fill(c); err != nil {
			return 0, nil, err
		}
		if len(start) != len(d.keys) {
			start = nil
		}
		d.prior = nil // coefficients may have come and gone
		x, residuals, _, _, err := d.solve(start, nil)
		var sum float64
		for _, r := range residuals {
			sum += math.Abs(r)
		}
		return sum, x, err
	}
	best, x, err := loss(c, nil)
	if err != nil {
		return c, nil, err
	}
	for _, size := range []func(*form.ORTCache) *float64{
		func(c *form.ORTCache) *float64 { return &c.ColdTo }, func(c *form.ORTCache) *float64 { return &c.ColdFrom },
		func(c *form.ORTCache) *float64 { return &c.Far }, func(c *form.ORTCache) *float64 { return &c.Near },
	} {
		from := *size(&c)
		for _, factor := range []float64{0.25, 0.5, 0.71, 1.41, 2, 4} {
			try := c
			*size(&try) = from * factor
			l, tx, err := loss(try, x)
			if err != nil {
				return c, nil, err
			}
			if l < best {
				best, c, x = l, try, tx
			}
		}
	}
	if err := d.fill(c); err != nil {
		return c, nil, err
	}
	d.prior = nil
	if len(x) != len(d.keys) {
		if x, _, _, _, err = d.solve(nil, nil); err != nil {
			return c, nil, err
		}
	}
	return c, x, nil
}

// fitORT fits the samples of one thread count: coefficients that are not negative, in the sense of least absolute
// relative errors, with cache sizes chosen by the same measure; residuals, by group and in all, are those of points that
// a fit had not seen. It says what the microbenchmarks reached, too. like is the fit of another number of threads, if there
// is one.
func fitORT(ctx context.Context, s *Samples, all []ortPoint, threads int, like *specs.Fit) (*specs.Fit, reached, error) {
	points := slices.DeleteFunc(slices.Clone(all), func(p ortPoint) bool { return p.Threads != threads })
	if len(points) < minFitPoints {
		return nil, reached{}, fmt.Errorf("%d microbenchmarks of %d threads, want at least %d", len(points), threads, minFitPoints)
	}
	cpu, err := s.processor()
	if err != nil {
		return nil, reached{}, err
	}
	d, err := lowerPoints(ctx, points, cpu)
	if err != nil {
		return nil, reached{}, err
	}
	cache, x, err := d.searchCache(cacheSizes(s))
	if err != nil {
		return nil, reached{}, err
	}
	d.like = like
	d.setPrior(x)
	x, residuals, weights, _, err := d.solve(x, nil)
	if err != nil {
		return nil, reached{}, err
	}
	held, err := d.crossValidate(x)
	if err != nil {
		return nil, reached{}, err
	}
	f := &specs.Fit{Measure: specs.MeasureTime, Form: form.FormORTCPU, Runtime: string(costmodel.ORTCPU), Threads: threads,
		Precision: specs.FP32, Groups: map[string]specs.Group{}, Samples: &specs.Samples{Count: len(points), Digest: s.Digest()}}
	d.coefficients(f, x, standardErrors(d.a, d.b, x, residuals, weights))
	d.standIns(f)
	d.heldOut(f, x, residuals, held)
	name, group := cache.Group()
	f.Groups[name] = group
	f.Groups["ops"] = d.opsLine()
	if v, err := strconv.ParseFloat(s.Get("anchor-spread"), 64); err == nil && v > 0 {
		f.Groups[form.RunGroup].Terms["drift"] = specs.Coefficient{Value: v / 2, Unit: "1"}
	}
	for _, p := range points {
		if p.Micro.itself().name() == probeMicro.name() {
			f.Groups[form.RunGroup].Terms[form.CalmTerm] = specs.Coefficient{Value: p.Seconds, Unit: "s"}
		}
	}
	best, err := d.reached(cache.Far)
	return f, best, err
}

// minFitPoints is the number of microbenchmarks below which a fit says nothing: about five per class of the heavy ones.
const minFitPoints = 100
