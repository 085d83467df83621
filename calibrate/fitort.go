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
	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/specs"
)

// A Point is one microbenchmark with what was measured of it in all rounds.
type Point struct {
	Micro   Micro
	Threads int
	Seconds float64 // the lowest median of a round; see Timing.Best
	Rounds  int
	Runs    int
}

// Points gathers the samples of ONNX Runtime by microbenchmark and thread count, in the order of first appearance.
func Points(s *Samples) ([]Point, error) {
	var points []Point
	at := map[string]int{}
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
			points = append(points, Point{Micro: Micro{x.Class, x.Params}, Threads: int(threads), Seconds: math.Inf(1)})
		}
		p := &points[j]
		p.Seconds = math.Min(p.Seconds, sec)
		p.Rounds++
		p.Runs += x.Runs
	}
	return points, nil
}

// termKey names a coefficient.
type termKey struct{ group, name string }

func (k termKey) String() string { return k.group + "." + k.name }

// ortDesign is the linear problem of one thread count: a row per point, a column per coefficient.
type ortDesign struct {
	points []Point
	plans  []*costmodel.Plan
	keys   []termKey
	a      *mat.Dense
	b      []float64
	ops    []float64 // operations of each point, 2 per multiply-accumulate
}

// lowerPoints rebuilds the model behind every point and lowers it as the runtime does.
func lowerPoints(ctx context.Context, points []Point) (*ortDesign, error) {
	d := &ortDesign{points: points}
	for _, p := range points {
		m, err := p.Micro.Model()
		if err != nil {
			return nil, err
		}
		r, err := analyzer.Analyze(ctx, m, analyzer.Options{})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Micro.Sample().Name(), err)
		}
		plan, err := costmodel.Lower(r, costmodel.ORTCPU)
		if err != nil {
			return nil, err
		}
		ops, err := r.Totals().MACs.Eval(r.Dims)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Micro.Sample().Name(), err)
		}
		d.plans = append(d.plans, plan)
		d.b = append(d.b, p.Seconds)
		d.ops = append(d.ops, 2*float64(ops))
	}
	return d, nil
}

// fill evaluates the terms under cache sizes.
func (d *ortDesign) fill(cache costmodel.ORTCache) error {
	rows := make([]map[termKey]float64, len(d.plans))
	seen := map[termKey]bool{}
	for i, plan := range d.plans {
		terms, err := costmodel.ORTTerms(plan, plan.Report.Dims, cache)
		if err != nil {
			return fmt.Errorf("%s: %w", d.points[i].Micro.Sample().Name(), err)
		}
		rows[i] = map[termKey]float64{{runGroup, "runs"}: 1}
		for j, list := range terms {
			times, err := plan.Kernels[j].Times.Eval(plan.Report.Dims)
			if err != nil {
				return err
			}
			for _, t := range list {
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

// runGroup holds what one call of the runtime costs, however many kernels it runs.
const runGroup = "run"

// residualFloor is the relative error below which the robust fit takes points as equally good: the noise of a round.
const residualFloor = 0.01

// solve fits the coefficients on the rows that use says, all where it is nil.
func (d *ortDesign) solve(start []float64, use func(i int) bool) (x, residuals, weights []float64, rows []int, err error) {
	for i := range d.b {
		if use == nil || use(i) {
			rows = append(rows, i)
		}
	}
	a := mat.NewDense(len(rows), len(d.keys), nil)
	b := make([]float64, len(rows))
	for k, i := range rows {
		b[k] = d.b[i]
		for j := range d.keys {
			a.Set(k, j, d.a.At(i, j))
		}
	}
	x, residuals, weights, err = robustNNLS(a, b, start, residualFloor)
	return x, residuals, weights, rows, err
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

// cacheSizes takes the starting sizes from the machine that the samples name: half of the core's own cache, and a
// quarter of the outermost one, which others use too.
func cacheSizes(s *Samples) costmodel.ORTCache {
	size := func(key string, def float64) float64 {
		if v, err := strconv.ParseFloat(s.Get(key), 64); err == nil && v > 0 {
			return v
		}
		return def
	}
	l2 := size("cache-l2-bytes", 1<<20)
	l3 := size("cache-l3-bytes", size("cache-l2-bytes", 8<<20))
	return costmodel.ORTCache{Near: l2 / 2, Far: l3 / 4, ColdFrom: l3 / 5, ColdTo: 4 * l3 / 5}
}

// FitORT fits the samples of one thread count.
func FitORT(ctx context.Context, s *Samples, threads int) (*specs.Fit, error) {
	all, err := Points(s)
	if err != nil {
		return nil, err
	}
	points := slices.DeleteFunc(all, func(p Point) bool { return p.Threads != threads })
	if len(points) == 0 {
		return nil, fmt.Errorf("no samples of %d threads", threads)
	}
	d, err := lowerPoints(ctx, points)
	if err != nil {
		return nil, err
	}
	cache := cacheSizes(s)
	if err := d.fill(cache); err != nil {
		return nil, err
	}
	x, residuals, weights, rows, err := d.solve(nil, nil)
	if err != nil {
		return nil, err
	}
	_ = residuals
	_ = weights
	_ = rows
	held, err := d.crossValidate(x)
	if err != nil {
		return nil, err
	}
	return d.profile(x, held, cache, threads), nil
}

func (d *ortDesign) profile(x, held []float64, cache costmodel.ORTCache, threads int) *specs.Fit {
	f := &specs.Fit{Measure: specs.MeasureTime, Form: costmodel.FormORTCPU, Runtime: string(costmodel.ORTCPU), Threads: threads,
		Precision: specs.FP32, Groups: map[string]specs.Group{}}
	for j, k := range d.keys {
		g, ok := f.Groups[k.group]
		if !ok {
			g.Terms = map[string]specs.Coefficient{}
		}
		g.Terms[k.name] = specs.Coefficient{Value: x[j]}
		f.Groups[k.group] = g
	}
	return f
}
