package calibrate

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize"

	"github.com/onnxcost/onnxcost/calibrate/cuda"
	"github.com/onnxcost/onnxcost/costmodel/form"
	"github.com/onnxcost/onnxcost/specs"
)

// alike is the log error below which points weigh less and less: a smooth least-absolute-deviation.
const alike = 0.02

func robust(logError float64) float64 { return math.Sqrt(logError*logError+alike*alike) - alike }

// formula is a form with positive parameters to be fitted to durations.
type formula struct {
	low, high []float64 // bounds of the parameters
	predict   func(x []float64, i int) float64
	seconds   []float64
}

// loss is the mean robust error over rows; parameters beyond a bound are punished in proportion.
func (f *formula) loss(x []float64, rows []int) float64 {
	var outside float64
	in := make([]float64, len(x))
	for j, v := range x {
		in[j] = math.Min(math.Log(f.high[j]), math.Max(math.Log(f.low[j]), v))
		outside += math.Abs(in[j] - v)
		in[j] = math.Exp(in[j])
	}
	var sum float64
	for _, i := range rows {
		sum += robust(math.Log(f.predict(in, i) / f.seconds[i]))
	}
	return sum/float64(len(rows)) + outside
}

// fit minimises the loss over rows by the simplex method of Nelder and Mead, in the logarithms of the parameters, begun
// anew where it stopped until that helps no more. It is deterministic.
func (f *formula) fit(start []float64, rows []int) ([]float64, float64, error) {
	x := make([]float64, len(start))
	for j, v := range start {
		x[j] = math.Log(math.Min(f.high[j], math.Max(f.low[j], v)))
	}
	best := f.loss(x, rows)
	for range 6 {
		r, err := optimize.Minimize(optimize.Problem{Func: func(x []float64) float64 { return f.loss(x, rows) }}, x,
			&optimize.Settings{FuncEvaluations: 1500, Converger: &optimize.FunctionConverge{Absolute: 1e-7, Iterations: 150}},
			&optimize.NelderMead{SimplexSize: 0.25})
		if err != nil && r == nil {
			return nil, 0, err
		}
		better := best - r.F
		if better > 0 {
			x, best = r.X, r.F
		}
		if better < 1e-5 {
			break
		}
	}
	out := make([]float64, len(x))
	for j := range x {
		out[j] = math.Min(f.high[j], math.Max(f.low[j], math.Exp(x[j])))
	}
	return out, best, nil
}

func (f *formula) all() []int {
	rows := make([]int, len(f.seconds))
	for i := range rows {
		rows[i] = i
	}
	return rows
}

// errors are standard errors of the parameters from the curvature at x: σ²·(JᵀJ)⁻¹ with J the derivative of the log
// predictions by the log parameters; 0 for parameters that the samples say nothing of, or that lie at a bound.
func (f *formula) errors(x []float64) []float64 {
	n, k := len(f.seconds), len(x)
	out := make([]float64, k)
	var used []int
	jac := mat.NewDense(n, k, nil)
	var ss float64
	for i := range n {
		ss += math.Pow(math.Log(f.predict(x, i)/f.seconds[i]), 2)
	}
	for j := range x {
		const h = 1e-3
		if x[j] <= f.low[j]*(1+h) || x[j] >= f.high[j]*(1-h) {
			continue
		}
		up, down := slices.Clone(x), slices.Clone(x)
		up[j] *= 1 + h
		down[j] *= 1 - h
		moved := false
		for i := range n {
			v := math.Log(f.predict(up, i)/f.predict(down, i)) / (2 * h)
			jac.Set(i, j, v)
			moved = moved || v != 0
		}
		if moved {
			used = append(used, j)
		}
	}
	if len(used) == 0 || n <= len(used) {
		return out
	}
	gram := mat.NewSymDense(len(used), nil)
	for a, i := range used {
		for b := a; b < len(used); b++ {
			gram.SetSym(a, b, mat.Dot(jac.ColView(i), jac.ColView(used[b])))
		}
	}
	var chol mat.Cholesky
	if !chol.Factorize(gram) {
		return out
	}
	var inverse mat.SymDense
	if chol.InverseTo(&inverse) != nil {
		return out
	}
	sigma := ss / float64(n-len(used))
	for a, j := range used {
		if v := sigma * inverse.At(a, a); v > 0 && !math.IsInf(v, 0) {
			out[j] = x[j] * math.Sqrt(v)
		}
	}
	return out
}

// gpuFolds is the number of parts of the cross-validation.
const gpuFolds = 4

// heldOut gives ln(measured/predicted) of every point by a fit that has not seen it. The parts are drawn by seed; each
// fit begins at start, which must not rest on the points.
func (f *formula) heldOut(seed uint64, start []float64) ([]float64, error) {
	n := len(f.seconds)
	perm := rand.New(rand.NewPCG(seed, 0x666f6c64)).Perm(n)
	out := make([]float64, n)
	for part := range gpuFolds {
		var in, held []int
		for at, i := range perm {
			if at%gpuFolds == part {
				held = append(held, i)
			} else {
				in = append(in, i)
			}
		}
		x, _, err := f.fit(start, in)
		if err != nil {
			return nil, err
		}
		for _, i := range held {
			out[i] = math.Log(f.seconds[i] / f.predict(x, i))
		}
	}
	return out, nil
}

// score sums errors up: fitted and held out.
func (f *formula) score(x, held []float64) *specs.Score {
	s := &specs.Score{HeldOutCount: len(held), HeldOut: fmt.Sprintf("cross-validation in %d parts drawn by seed", gpuFolds)}
	n := float64(len(held))
	within := 0
	var predicted []float64
	for i, h := range held {
		s.MAPE += math.Abs(f.predict(x, i)/f.seconds[i]-1) / n
		e := math.Abs(math.Exp(-h) - 1)
		s.HeldOutMAPE += e / n
		if e <= 0.1 {
			within++
		}
		predicted = append(predicted, f.seconds[i]/math.Exp(h))
	}
	s.Within10 = float64(within) / n
	s.Spearman = spearman(predicted, f.seconds)
	return s
}

// minGPUPoints is the number of samples below which a form is not fitted.
const minGPUPoints = 10

// fitMemory fits the bandwidths of kernels; the driver's own copies follow another law and are left to themselves.
func fitMemory(d *gpuData, l2 float64, seed uint64) (*form.GPUMemory, specs.Group, error) {
	points := slices.DeleteFunc(slices.Clone(d.streams), func(p gpuStreamPoint) bool { return p.kind == streamMemcpy })
	if len(points) < minGPUPoints {
		return nil, specs.Group{}, fmt.Errorf("%d samples of bandwidth, want at least %d", len(points), minGPUPoints)
	}
	if l2 <= 0 {
		l2 = 4 << 20
	}
	of := func(x []float64) *form.GPUMemory {
		return &form.GPUMemory{StartS: x[0], DRAM: x[1], Cache: x[2], CacheBytes: x[3]}
	}
	f := &formula{low: []float64{1e-7, 1e9, 1e9, l2 / 8}, high: []float64{1e-4, 1e14, 1e15, l2 * 4},
		predict: func(x []float64, i int) float64 { return of(x).Seconds(points[i].bytes, points[i].warm) }}
	start := []float64{math.Inf(1), 1e9, 1e9, l2}
	for _, p := range points {
		f.seconds = append(f.seconds, p.seconds)
		start[0] = math.Min(start[0], p.seconds)
		if rate := p.bytes / p.seconds; !p.warm {
			start[1] = math.Max(start[1], rate)
		} else {
			start[2] = math.Max(start[2], rate)
		}
	}
	start[2] = math.Max(start[2], 1.5*start[1])
	x, _, err := f.fit(start, f.all())
	if err != nil {
		return nil, specs.Group{}, err
	}
	held, err := f.heldOut(seed, start)
	if err != nil {
		return nil, specs.Group{}, err
	}
	m := of(x)
	m.Cache = math.Max(m.Cache, m.DRAM)
	g := m.Group()
	withErrors(g, []string{"start_s", "dram_bytes_per_s", "cache_bytes_per_s", "cache_bytes"}, f.errors(x))
	g.Residuals, g.Score, g.Samples = residualsOf(held), f.score(x, held), len(points)
	return m, g, nil
}

// withErrors adds the standard errors to terms.
func withErrors(g specs.Group, names []string, se []float64) {
	for j, name := range names {
		c := g.Terms[name]
		c.SE = digits(se[j], 3)
		g.Terms[name] = c
	}
}

// tileSets are the sets of tiles that a fit chooses from: what vendor libraries ship differs from format to format.
func tileSets() [][][2]float64 {
	all := form.DefaultTiles()
	pick := func(ok func(m, n float64) bool) (out [][2]float64) {
		for _, t := range all {
			if ok(t[0], t[1]) {
				out = append(out, t)
			}
		}
		return out
	}
	return [][][2]float64{
		all,
		pick(func(m, n float64) bool { return m*n <= 128*128 }),
		pick(func(m, n float64) bool { return m >= 64 && n >= 64 }),
		append(slices.Clone(all), [2]float64{256, 256}),
		append(slices.Clone(all), [2]float64{192, 128}, [2]float64{128, 192}, [2]float64{96, 128}, [2]float64{128, 96}),
		append(slices.Clone(all), [2]float64{16, 64}, [2]float64{64, 16}, [2]float64{128, 16}, [2]float64{16, 128}),
	}
}

// fitProducts fits the products of one format: every set of tiles and alignment is tried, the best kept.
func fitProducts(points []gpuProductPoint, units float64, m *form.GPUMemory, seed uint64) (*form.GPUProducts, specs.Group, error) {
	if len(points) < minGPUPoints {
		return nil, specs.Group{}, fmt.Errorf("%d products, want at least %d", len(points), minGPUPoints)
	}
	start := []float64{math.Inf(1), 0, 16, 64, 1, 0.9}
	traffic := make([]float64, len(points))
	f := &formula{low: []float64{1e-7, 1e9, 0.1, 0.1, 0.02, 0.3}, high: []float64{1e-3, 1e17, 400, 4000, 50, 1.5}}
	for i := range points {
		p := &points[i]
		f.seconds = append(f.seconds, p.seconds)
		traffic[i] = m.TrafficS(p.bytes(), p.warm)
		start[0] = math.Min(start[0], p.seconds)
		start[1] = math.Max(start[1], 1.1*p.gemm.FLOPs()/p.seconds)
	}
	start[0] *= 0.8
	type choice struct {
		tiles [][2]float64
		align float64
	}
	of := func(x []float64, c choice) *form.GPUProducts {
		return form.NewGPUProducts(form.GPUProducts{Units: units, StartS: x[0], Rate: x[1], Edge: x[2], Fill: x[3], Tail: x[4],
			TrafficShare: x[5], Align: c.align, Tiles: c.tiles})
	}
	with := func(c choice) *formula {
		g := *f
		// One form for all calls: only the numbers change.
		p := of(start, c)
		g.predict = func(x []float64, i int) float64 {
			p.StartS, p.Rate, p.Edge, p.Fill, p.Tail, p.TrafficShare = x[0], x[1], x[2], x[3], x[4], x[5]
			s := &points[i].gemm
			return p.Seconds(float64(s.Batch), float64(s.M), float64(s.N), float64(s.K), traffic[i], m.DRAM)
		}
		return &g
	}
	var best choice
	var x []float64
	least := math.Inf(1)
	for _, tiles := range tileSets() {
		for _, align := range []float64{1, 4, 8, 16} {
			c := choice{tiles, align}
			got, loss, err := with(c).fit(start, f.all())
			if err != nil {
				return nil, specs.Group{}, err
			}
			if loss < least-1e-4 { // the simpler choice comes first and wins ties
				best, x, least = c, got, loss
			}
		}
	}
	if x == nil {
		return nil, specs.Group{}, errors.New("no form fits the products")
	}
	chosen := with(best)
	held, err := chosen.heldOut(seed, start)
	if err != nil {
		return nil, specs.Group{}, err
	}
	p := of(x, best)
	g := p.Group()
	withErrors(g, []string{"start_s", "flops_per_s", "edge", "fill", "tail", "traffic_share"}, chosen.errors(x))
	g.Residuals, g.Score, g.Samples = residualsOf(held), chosen.score(x, held), len(points)
	g.Domain = map[string]specs.Range{}
	for name, of := range map[string]func(*cuda.GEMM) int64{"batch": func(g *cuda.GEMM) int64 { return g.Batch }, "m": func(g *cuda.GEMM) int64 { return g.M },
		"n": func(g *cuda.GEMM) int64 { return g.N }, "k": func(g *cuda.GEMM) int64 { return g.K }} {
		r := specs.Range{Min: math.Inf(1), Max: math.Inf(-1)}
		for i := range points {
			v := float64(of(&points[i].gemm))
			r.Min, r.Max = math.Min(r.Min, v), math.Max(r.Max, v)
		}
		g.Domain[name] = r
	}
	return p, g, nil
}

// gpuOps is the ops baseline on the same products.
func gpuOps(points []gpuProductPoint) specs.Group {
	a, b := mat.NewDense(len(points), 2, nil), make([]float64, len(points))
	for i := range points {
		a.Set(i, 0, 1)
		a.Set(i, 1, points[i].gemm.FLOPs())
		b[i] = points[i].seconds
	}
	g := specs.Group{Terms: map[string]specs.Coefficient{}, Samples: len(points)}
	x, residuals, weights, err := robustNNLS(a, b, nil, nil, residualFloor)
	if err != nil {
		return g
	}
	se := standardErrors(a, b, x, residuals, weights)
	g.Terms["fixed_s"] = specs.Coefficient{Value: x[0], SE: se[0], Unit: "s"}
	g.Terms["s_per_op"] = specs.Coefficient{Value: x[1], SE: se[1], Unit: "s/op"}
	return g
}
