package calibrate

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"github.com/onnxcost/onnxcost/costmodel/form"
	"github.com/onnxcost/onnxcost/specs"
)

// powerPoint is a steady state of a device with its power.
type powerPoint struct {
	name    string
	dtype   specs.DType // of the operations; "" without any
	ops     float64     // of one run
	bytes   float64     // of one run; those of a cache as far as they cost like ones of main memory
	seconds float64     // of one run
	watts   float64     // idle power included
}

// powerFit is what a device draws above idle: active + (ε·operations + ε_mem·bytes)/t.
type powerFit struct {
	active, perByte float64
	perOp           map[specs.DType]float64
	se              map[string]float64 // by term; operations by format
	residuals       []float64          // ln(measured/predicted) of the net power, each point by a fit without it
	heldOut         string             // how points were set apart
	mape            float64
}

// looLimit is the number of points up to which each is left out by itself; more are left out in parts.
const looLimit = 40

// fitPower fits all points together: activity and bytes cost the same in every format. It is nil without an idle power
// or with fewer points than terms.
func fitPower(all []powerPoint, idleW float64) (*powerFit, error) {
	if idleW <= 0 {
		return nil, nil
	}
	var points []powerPoint
	var formats []specs.DType
	for _, p := range all {
		if p.watts <= idleW {
			continue // a loop that draws no more than idleness measured something else
		}
		points = append(points, p)
		if p.dtype != "" && !slices.Contains(formats, p.dtype) {
			formats = append(formats, p.dtype)
		}
	}
	slices.Sort(formats)
	if len(points) < len(formats)+2 || len(formats) == 0 {
		return nil, nil
	}
	f := &powerProblem{formats, idleW}
	x, se, err := f.solve(points)
	if err != nil {
		return nil, err
	}
	out := &powerFit{active: x[0], perByte: x[1], perOp: map[specs.DType]float64{}, se: map[string]float64{"active_w": se[0], "j_per_byte": se[1]}}
	for i, t := range formats {
		out.perOp[t], out.se[string(t)] = x[2+i], se[2+i]
	}
	for i := range points {
		out.mape += math.Abs(f.at(x, &points[i])/(points[i].watts-idleW)-1) / float64(len(points))
	}
	out.residuals, err = f.crossValidate(points)
	out.heldOut = "each state by a fit without it"
	if len(points) > looLimit {
		out.heldOut = fmt.Sprintf("cross-validation in %d parts", folds)
	}
	out.heldOut += "; errors of the power above idle"
	return out, err
}

// powerProblem is the linear problem: columns are activity, bytes and the operations of each format.
type powerProblem struct {
	formats []specs.DType
	idleW   float64
}

func (f *powerProblem) row(p *powerPoint) []float64 {
	r := make([]float64, 2+len(f.formats))
	r[0], r[1] = 1, p.bytes/p.seconds
	if i := slices.Index(f.formats, p.dtype); i >= 0 {
		r[2+i] = p.ops / p.seconds
	}
	return r
}

// at is the fitted net power.
func (f *powerProblem) at(x []float64, p *powerPoint) (w float64) {
	for j, v := range f.row(p) {
		w += v * x[j]
	}
	return w
}

func (f *powerProblem) solve(points []powerPoint) (x, se []float64, err error) {
	a, b := mat.NewDense(len(points), 2+len(f.formats), nil), make([]float64, len(points))
	for i := range points {
		a.SetRow(i, f.row(&points[i]))
		b[i] = points[i].watts - f.idleW
	}
	x, residuals, weights, err := robustNNLS(a, b, nil, nil, residualFloor)
	if err != nil {
		return nil, nil, err
	}
	return x, standardErrors(a, b, x, residuals, weights), nil
}

// condition is the condition number of the states' matrix with columns of length 1: how far they tell the terms apart.
func (f *powerProblem) condition(points []powerPoint) float64 {
	cols := 2 + len(f.formats)
	a := mat.NewDense(max(len(points), cols), cols, nil)
	for i := range points {
		a.SetRow(i, f.row(&points[i]))
	}
	for j := range cols {
		c := a.ColView(j).(*mat.VecDense)
		if n := mat.Norm(c, 2); n > 0 {
			c.ScaleVec(1/n, c)
		}
	}
	return mat.Cond(a, 2)
}

// crossValidate predicts points by fits that have not seen them. Points of the same name are trials of one measurement:
// they are left out together. Ones that a term rests on cannot be foretold from the others and say nothing here.
func (f *powerProblem) crossValidate(points []powerPoint) (residuals []float64, err error) {
	part := map[string]int{}
	for _, p := range points {
		if _, seen := part[p.name]; !seen {
			part[p.name] = len(part)
		}
	}
	parts := len(part)
	if parts > looLimit {
		parts = folds
	}
	whole := f.condition(points)
	for k := range parts {
		var rest, out []powerPoint
		for _, p := range points {
			if part[p.name]%parts == k {
				out = append(out, p)
			} else {
				rest = append(rest, p)
			}
		}
		if len(rest) == 0 || f.condition(rest) > 10*whole {
			continue
		}
		y, _, err := f.solve(rest)
		if err != nil {
			return nil, err
		}
		for i := range out {
			p := &out[i]
			if w := f.at(y, p); w > 0 {
				residuals = append(residuals, math.Log((p.watts-f.idleW)/w))
			}
		}
	}
	return residuals, nil
}

// fit writes the power of one format down.
func (p *powerFit) fit(f specs.DType) specs.Fit {
	out := specs.Fit{Measure: specs.MeasurePower, Form: form.FormPower, Precision: f, Groups: map[string]specs.Group{"net": {
		Terms: map[string]specs.Coefficient{
			"active_w":   {Value: p.active, SE: p.se["active_w"], Unit: "W"},
			"j_per_op":   {Value: p.perOp[f], SE: p.se[string(f)], Unit: "J/op"},
			"j_per_byte": {Value: p.perByte, SE: p.se["j_per_byte"], Unit: "J/B"},
		}}}}
	score := &specs.Score{MAPE: p.mape, HeldOutCount: len(p.residuals), HeldOut: p.heldOut}
	for _, r := range p.residuals {
		score.HeldOutMAPE += math.Abs(math.Exp(-r)-1) / float64(len(p.residuals))
	}
	out.Score = score
	if len(p.residuals) > 0 {
		out.Residuals = residualsOf(p.residuals)
	}
	return out
}
