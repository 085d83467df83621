package calibrate

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/specs"
)

// gpuPower is what a card draws above idle: active + (ε·operations + ε_mem·bytes)/t.
type gpuPower struct {
	active, perByte float64
	perOp           map[specs.DType]float64
	se              map[string]float64 // by term; operations by format
	residuals       []float64          // ln(measured/predicted) of the net power, each state by a fit without it
	mape            float64
}

// fitPower fits all power states together: activity and bytes cost the same in every format. It is nil without an idle
// power or with fewer states than terms.
func fitPower(d *gpuData, m *costmodel.GPUMemory) (*gpuPower, error) {
	if d.idleW <= 0 {
		return nil, nil
	}
	var points []gpuPowerPoint
	var formats []specs.DType
	for _, p := range d.power {
		if p.watts <= d.idleW {
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
	row := func(p *gpuPowerPoint) []float64 {
		r := make([]float64, 2+len(formats))
		r[0] = 1
		r[1] = p.moved(m) / p.seconds
		if i := slices.Index(formats, p.dtype); i >= 0 {
			r[2+i] = p.ops / p.seconds
		}
		return r
	}
	solve := func(points []gpuPowerPoint) (x, se []float64, err error) {
		a, b := mat.NewDense(len(points), 2+len(formats), nil), make([]float64, len(points))
		for i := range points {
			a.SetRow(i, row(&points[i]))
			b[i] = points[i].watts - d.idleW
		}
		x, residuals, weights, err := robustNNLS(a, b, nil, nil, residualFloor)
		if err != nil {
			return nil, nil, err
		}
		return x, standardErrors(a, b, x, residuals, weights), nil
	}
	// condition is the condition number of the states' matrix with columns of length 1: how far they tell the terms apart.
	condition := func(points []gpuPowerPoint) float64 {
		a := mat.NewDense(max(len(points), 2+len(formats)), 2+len(formats), nil)
		for i := range points {
			a.SetRow(i, row(&points[i]))
		}
		for j := range 2 + len(formats) {
			c := a.ColView(j).(*mat.VecDense)
			if n := mat.Norm(c, 2); n > 0 {
				c.ScaleVec(1/n, c)
			}
		}
		return mat.Cond(a, 2)
	}
	whole := condition(points)
	at := func(x []float64, p *gpuPowerPoint) float64 {
		var w float64
		for j, v := range row(p) {
			w += v * x[j]
		}
		return w
	}
	x, se, err := solve(points)
	if err != nil {
		return nil, err
	}
	out := &gpuPower{active: x[0], perByte: x[1], perOp: map[specs.DType]float64{}, se: map[string]float64{"active_w": se[0], "j_per_byte": se[1]}}
	for i, f := range formats {
		out.perOp[f], out.se[string(f)] = x[2+i], se[2+i]
	}
	for i := range points {
		out.mape += math.Abs(at(x, &points[i])/(points[i].watts-d.idleW)-1) / float64(len(points))
		// States of the same name are trials of one measurement: they are left out together. One that a term rests on
		// cannot be foretold from the others and says nothing here.
		rest := slices.DeleteFunc(slices.Clone(points), func(p gpuPowerPoint) bool { return p.name == points[i].name })
		if condition(rest) > 10*whole {
			continue
		}
		y, _, err := solve(rest)
		if err != nil {
			return nil, err
		}
		if w := at(y, &points[i]); w > 0 {
			out.residuals = append(out.residuals, math.Log((points[i].watts-d.idleW)/w))
		}
	}
	return out, nil
}

// fit writes the power of one format down.
func (p *gpuPower) fit(f specs.DType) specs.Fit {
	out := specs.Fit{Measure: specs.MeasurePower, Form: costmodel.FormPower, Precision: f, Groups: map[string]specs.Group{"net": {
		Terms: map[string]specs.Coefficient{
			"active_w":   {Value: p.active, SE: p.se["active_w"], Unit: "W"},
			"j_per_op":   {Value: p.perOp[f], SE: p.se[string(f)], Unit: "J/op"},
			"j_per_byte": {Value: p.perByte, SE: p.se["j_per_byte"], Unit: "J/B"},
		}}}}
	score := &specs.Score{MAPE: p.mape, HeldOutCount: len(p.residuals), HeldOut: "each state by a fit without it; errors of the power above idle"}
	for _, r := range p.residuals {
		score.HeldOutMAPE += math.Abs(math.Exp(-r)-1) / float64(len(p.residuals))
	}
	out.Score = score
	if len(p.residuals) > 0 {
		out.Residuals = residualsOf(p.residuals)
	}
	return out
}
