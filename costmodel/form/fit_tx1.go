package form

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/zoo"
	"github.com/onnxcost/onnxcost/costmodel/plan"
	"github.com/onnxcost/onnxcost/specs"
)

// PaperFit is the board of arXiv:1605.07678 with coefficients fitted to the paper's Figures 3 and 4, and how well they
// reproduce the figures.
type PaperFit struct {
	Time   specs.Fit       `json:"-"`
	Power  specs.Fit       `json:"-"`
	Points []PaperFitPoint `json:"points"`
	// Errors over all points, fitted and with the point's network left out of the fit. Power errors use the predicted
	// time, as a prediction does.
	TimeMAPE     float64 `json:"time_mape"`
	TimeHeldOut  float64 `json:"time_held_out_mape"`
	PowerMAPE    float64 `json:"power_mape"`
	PowerHeldOut float64 `json:"power_held_out_mape"`
	// OpsMAPE and OpsHeldOut are those of the line through the operations that the graphs have; PublishedMAPE and
	// PublishedHeldOut of the line through those that the paper plots.
	OpsMAPE          float64 `json:"ops_mape"`
	OpsHeldOut       float64 `json:"ops_held_out_mape"`
	PublishedMAPE    float64 `json:"published_ops_mape"`
	PublishedHeldOut float64 `json:"published_ops_held_out_mape"`
	// ConstantPowerMAPE is the error of one number of watts for everything.
	ConstantPowerMAPE float64 `json:"constant_power_mape"`
}

// PaperFitPoint is one point of Figures 3 and 4. Predictions named HeldOut come from fits without the point's network.
type PaperFitPoint struct {
	Network   string  `json:"network"`
	Batch     int     `json:"batch"`
	MeasuredS float64 `json:"measured_s"` // of the whole batch
	FittedS   float64 `json:"fitted_s"`
	HeldOutS  float64 `json:"held_out_s"`
	OpsS      float64 `json:"ops_line_s"`
	MeasuredW float64 `json:"measured_net_w"`
	FittedW   float64 `json:"fitted_net_w"`
	HeldOutW  float64 `json:"held_out_net_w"`
}

// paperPoint is a point with what the forms need.
type paperPoint struct {
	PaperFitPoint
	features       torch7Features
	ops, published float64
	bytes          float64
}

// PaperTools turn a network into kernels and bind its batch, which packages above this one do.
type PaperTools struct {
	Lower func(*analyzer.Report) (*plan.Plan, error)
	Bind  func(r *analyzer.Report, batch int64) (dim.Env, int64, error)
}

// FitPaper fits the time and the power of device d, the paper's board, to the published figures. Nothing is random.
//
// Inception-v4 stands in the figures with the operations and parameters of the network without the long branch of its
// seven Inception-B modules (see the note in specs); the fit leaves those kernels out of the canonical graph, so that
// time is fitted against the network that was plotted.
func FitPaper(ctx context.Context, d *specs.Device, tools PaperTools) (*PaperFit, error) {
	pts, err := paperPoints(ctx, tools)
	if err != nil {
		return nil, err
	}
	f := &PaperFit{}
	forms := paperForms(d)
	coef := make([][]float64, len(forms))
	left := make([]map[string][]float64, len(forms))
	for i, form := range forms {
		if coef[i], err = fitRelative(form.rows(pts), form.floor); err != nil {
			return nil, err
		}
		left[i] = map[string][]float64{}
		for _, n := range networksOf(pts) {
			if left[i][n], err = fitRelative(form.rows(without(pts, n)), form.floor); err != nil {
				return nil, err
			}
		}
	}
	for i := range pts {
		p := &pts[i]
		p.FittedS, p.HeldOutS = forms[0].at(p, coef[0]), forms[0].at(p, left[0][p.Network])
		p.OpsS = forms[1].at(p, coef[1])
		p.FittedW = netPower(p, coef[3], p.FittedS)
		p.HeldOutW = netPower(p, left[3][p.Network], p.HeldOutS)
		f.Points = append(f.Points, p.PaperFitPoint)
	}
	mape := func(of func(p *paperPoint) (measured, predicted float64)) float64 {
		var sum float64
		for i := range pts {
			m, q := of(&pts[i])
			sum += math.Abs(q/m - 1)
		}
		return sum / float64(len(pts))
	}
	f.TimeMAPE = mape(func(p *paperPoint) (float64, float64) { return p.MeasuredS, p.FittedS })
	f.TimeHeldOut = mape(func(p *paperPoint) (float64, float64) { return p.MeasuredS, p.HeldOutS })
	f.PowerMAPE = mape(func(p *paperPoint) (float64, float64) { return p.MeasuredW, p.FittedW })
	f.PowerHeldOut = mape(func(p *paperPoint) (float64, float64) { return p.MeasuredW, p.HeldOutW })
	f.OpsMAPE = mape(func(p *paperPoint) (float64, float64) { return p.MeasuredS, p.OpsS })
	f.OpsHeldOut = mape(func(p *paperPoint) (float64, float64) { return p.MeasuredS, forms[1].at(p, left[1][p.Network]) })
	f.PublishedMAPE = mape(func(p *paperPoint) (float64, float64) { return p.MeasuredS, forms[2].at(p, coef[2]) })
	f.PublishedHeldOut = mape(func(p *paperPoint) (float64, float64) { return p.MeasuredS, forms[2].at(p, left[2][p.Network]) })
	watts := make([]float64, len(pts))
	for i := range pts {
		watts[i] = pts[i].MeasuredW
	}
	slices.Sort(watts)
	median := watts[len(watts)/2]
	f.ConstantPowerMAPE = mape(func(p *paperPoint) (float64, float64) { return p.MeasuredW, median })
	f.Time, f.Power = f.fits(pts, forms, coef, left)
	return f, nil
}

// paperForm is one linear form: features of a point, what it predicts, and the least its coefficients can be.
type paperForm struct {
	features func(p *paperPoint) []float64
	target   func(p *paperPoint) float64
	floor    []float64
}

func (f *paperForm) rows(pts []paperPoint) [][]float64 {
	rows := make([][]float64, len(pts))
	for i := range pts {
		x, y := f.features(&pts[i]), f.target(&pts[i])
		rows[i] = make([]float64, len(x))
		for j := range x {
			rows[i][j] = x[j] / y
		}
	}
	return rows
}

func (f *paperForm) at(p *paperPoint, coef []float64) float64 { return dot(f.features(p), coef) }

// paperForms are the kernels, the line through our operations, that through the published ones, and the power. Floors
// are the peak, the bandwidth and the gap of the data sheet: no fit may be faster.
func paperForms(d *specs.Device) []paperForm {
	peak, _ := d.PeakRate(specs.FP32)
	perMAC, perByte := 2/peak.Value, 1/d.Memory.BandwidthBytesPerS.Value
	seconds := func(p *paperPoint) float64 { return p.MeasuredS }
	return []paperForm{
		{func(p *paperPoint) []float64 { return p.features[:] }, seconds,
			[]float64{d.Overhead.GapS.Or(0), perMAC, perMAC, perByte, perByte}},
		{func(p *paperPoint) []float64 { return []float64{1, p.ops} }, seconds, []float64{0, 1 / peak.Value}},
		{func(p *paperPoint) []float64 { return []float64{1, p.published} }, seconds, []float64{0, 1 / peak.Value}},
		{func(p *paperPoint) []float64 { return []float64{1, p.ops / p.MeasuredS, p.bytes / p.MeasuredS} },
			func(p *paperPoint) float64 { return p.MeasuredW }, []float64{0, 0, 0}},
	}
}

// netPower is active + (ε_op·ops + ε_byte·bytes)/t.
func netPower(p *paperPoint, coef []float64, t float64) float64 {
	return coef[0] + (coef[1]*p.ops+coef[2]*p.bytes)/t
}

// paperPoints evaluates the networks of the figures at their batch sizes.
func paperPoints(ctx context.Context, tools PaperTools) ([]paperPoint, error) {
	paper := specs.Paper()
	var pts []paperPoint
	for i := range paper.Networks {
		n := &paper.Networks[i]
		forms, r, err := paperKernels(ctx, tools, n)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", n.Name, err)
		}
		for j, ms := range n.TimeMS {
			batch := paper.Batches[j]
			env, _, err := tools.Bind(r, int64(batch))
			if err != nil {
				return nil, err
			}
			pt := paperPoint{PaperFitPoint: PaperFitPoint{Network: n.Name, Batch: batch, MeasuredS: ms / 1e3 * float64(batch), MeasuredW: n.PowerW[j]},
				published: n.GOps * 1e9 * float64(batch)}
			for k := range forms {
				var l Demand
				if err := forms[k].Eval(env, &l); err != nil {
					return nil, err
				}
				for t, v := range torch7Kernel(&l) {
					pt.features[t] += v
				}
				pt.ops += 2 * l.MACs
				pt.bytes += l.Bytes()
			}
			pts = append(pts, pt)
		}
	}
	return pts, nil
}

// paperKernels are the kernels of a network as the figures have it.
func paperKernels(ctx context.Context, tools PaperTools, n *specs.PaperNetwork) ([]DemandFormula, *analyzer.Report, error) {
	m, err := zoo.Build(n.Zoo, zoo.None)
	if err != nil {
		return nil, nil, err
	}
	r, err := analyzer.Analyze(ctx, m, analyzer.Options{})
	if err != nil {
		return nil, nil, err
	}
	p, err := tools.Lower(r)
	if err != nil {
		return nil, nil, err
	}
	forms := make([]DemandFormula, len(p.Kernels))
	for i, k := range p.Kernels {
		forms[i] = NewDemandFormula(k, specs.FP32, specs.FP32)
	}
	if n.Mismatch {
		forms = slices.DeleteFunc(forms, func(f DemandFormula) bool { return longTower(f.Kernel.Name) })
	}
	return forms, r, nil
}

// longTower names the kernels that the plotted Inception-v4 lacks.
func longTower(name string) bool {
	return strings.HasPrefix(name, "/inception_b") && strings.Contains(name, "/branch3/")
}

func networksOf(pts []paperPoint) []string {
	var names []string
	for i := range pts {
		if !slices.Contains(names, pts[i].Network) {
			names = append(names, pts[i].Network)
		}
	}
	return names
}

func without(pts []paperPoint, network string) []paperPoint {
	return slices.DeleteFunc(slices.Clone(pts), func(p paperPoint) bool { return p.Network == network })
}

// fits writes the coefficients down as a device file holds them. Standard errors are the jackknife's over networks:
// points of one network err together, so that leaving single points out would understate them.
func (f *PaperFit) fits(pts []paperPoint, forms []paperForm, coef [][]float64, left []map[string][]float64) (time, power specs.Fit) {
	terms := func(form int, names, units []string) map[string]specs.Coefficient {
		out := map[string]specs.Coefficient{}
		for j := range names {
			c := coef[form][j]
			out[names[j]] = specs.Coefficient{Value: rounded(c), SE: rounded(jackknife(left[form], j)), Unit: units[j]}
		}
		return out
	}
	var names, units []string
	for _, t := range torch7Terms {
		names, units = append(names, t.name), append(units, t.unit)
	}
	time = specs.Fit{Measure: specs.MeasureTime, Form: FormTorch7, Runtime: string(plan.Torch7), Precision: specs.FP32,
		Groups: map[string]specs.Group{
			torch7Group: {Terms: terms(0, names, units), Samples: len(pts), Domain: map[string]specs.Range{
				domainBatch: rangeOf(pts, func(p *paperPoint) float64 { return float64(p.Batch) }),
				domainMACs:  rangeOf(pts, func(p *paperPoint) float64 { return p.ops / 2 })}},
			opsGroup: {Terms: terms(1, []string{"fixed_s", "s_per_op"}, []string{"s", "s/op"}), Samples: len(pts), Score: &specs.Score{MAPE: rounded(f.OpsMAPE), HeldOutMAPE: rounded(f.OpsHeldOut)}},
		},
		Residuals: residualsOf(pts, func(p *paperPoint) float64 { return math.Log(p.MeasuredS / p.HeldOutS) }),
		Score:     &specs.Score{MAPE: rounded(f.TimeMAPE), HeldOutMAPE: rounded(f.TimeHeldOut), HeldOutCount: len(pts), HeldOut: "each network by a fit to the other thirteen"},
		Samples:   &specs.Samples{Count: len(pts), Source: "paper"},
		Notes: []string{
			"made by FitPaper from the 82 points of Figure 3 as read from the published raster; bounded below by the peak, bandwidth and gap of the data sheet",
			"Inception-v4 without the long branch of its Inception-B modules, which is the network whose operations and parameters the paper plots",
			"VGG at batch 2 takes a third longer than fitted, less at 4 and 8, and draws less power there: most likely its FC layers (124 M weights) leave the matrix-vector routine of batch 1 for a matrix product whose tiles so few rows do not fill; AlexNet (59 M) shows it up to batch 16",
			"BN-NIN takes about a fifth less than fitted at every batch: its products are 1x1 convolutions and few kernels for their size",
		},
	}
	power = specs.Fit{Measure: specs.MeasurePower, Form: FormPower, Runtime: string(plan.Torch7), Precision: specs.FP32,
		Groups: map[string]specs.Group{
			"net": {Terms: terms(3, []string{"active_w", "j_per_op", "j_per_byte"}, []string{"W", "J/op", "J/B"}), Samples: len(pts)},
		},
		Residuals: residualsOf(pts, func(p *paperPoint) float64 { return math.Log(p.MeasuredW / p.HeldOutW) }),
		Score:     &specs.Score{MAPE: rounded(f.PowerMAPE), HeldOutMAPE: rounded(f.PowerHeldOut), HeldOutCount: len(pts), HeldOut: "each network by a fit to the other thirteen"},
		Samples:   &specs.Samples{Count: len(pts), Source: "paper"},
		Notes:     []string{"made by FitPaper from the 82 points of Figure 4, power above idle; errors at the predicted times"},
	}
	return time, power
}

// rangeOf is the range of a feature among the points.
func rangeOf(pts []paperPoint, of func(*paperPoint) float64) specs.Range {
	r := specs.Range{Min: math.Inf(1), Max: math.Inf(-1)}
	for i := range pts {
		v := of(&pts[i])
		r.Min, r.Max = math.Min(r.Min, v), math.Max(r.Max, v)
	}
	return r
}

// jackknife is the standard error of coefficient j over the fits with one network left out.
func jackknife(left map[string][]float64, j int) float64 {
	n := float64(len(left))
	var mean, ss float64
	names := make([]string, 0, len(left))
	for name := range left {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		mean += left[name][j] / n
	}
	for _, name := range names {
		ss += square(left[name][j] - mean)
	}
	return math.Sqrt((n - 1) / n * ss)
}

// residualsOf are the quantiles of held-out log-ratios.
func residualsOf(pts []paperPoint, of func(*paperPoint) float64) *specs.Residuals {
	r := &specs.Residuals{Count: len(pts), P: []float64{0.05, 0.25, 0.5, 0.75, 0.95}, HeldOut: true}
	xs := make([]float64, len(pts))
	for i := range pts {
		xs[i] = of(&pts[i])
	}
	slices.Sort(xs)
	for _, p := range r.P {
		at := p * float64(len(xs)-1)
		i := int(at)
		q := xs[i]
		if i+1 < len(xs) {
			q += (at - float64(i)) * (xs[i+1] - xs[i])
		}
		r.Q = append(r.Q, rounded(q))
	}
	return r
}

// rounded keeps four significant digits: more would be noise, and machines differ in the last bits.
func rounded(x float64) float64 {
	if x == 0 || math.IsInf(x, 0) || math.IsNaN(x) {
		return x
	}
	scale := math.Pow(10, 3-math.Floor(math.Log10(math.Abs(x))))
	return math.Round(x*scale) / scale
}
