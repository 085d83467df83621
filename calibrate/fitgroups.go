package calibrate

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"github.com/onnxcost/onnxcost/costmodel/form"
	"github.com/onnxcost/onnxcost/costmodel/plan"
	"github.com/onnxcost/onnxcost/specs"
)

// What a solved problem says, as the groups of a fit: coefficients, stand-ins for operators that no microbenchmark has,
// residuals and scores, and the baseline.

// coefficients writes the groups.
func (d *ortDesign) coefficients(f *specs.Fit, x, se []float64) {
	rows, cols := d.a.Dims()
	for j, k := range d.keys {
		g, ok := f.Groups[k.group]
		if !ok {
			g.Terms = map[string]specs.Coefficient{}
			for i := range rows {
				for l := range cols {
					if d.keys[l].group == k.group && d.a.At(i, l) > 0 {
						g.Samples++
						break
					}
				}
			}
		}
		g.Terms[k.name] = specs.Coefficient{Value: digits(x[j], 6), SE: digits(se[j], 2), Unit: "s/" + k.name}
		f.Groups[k.group] = g
	}
}

// dear is the quantile of the coefficients of a kind that stands for operators that no microbenchmark has: what nobody
// measured is not taken to be cheap.
const dear = 0.8

// standIns gives operators that no microbenchmark has coefficients of the dear ones of their kind. Kinds without a group of
// their own take those of element-wise arithmetic.
func (d *ortDesign) standIns(f *specs.Fit) {
	values := map[plan.Kind]map[string][]float64{}
	for group, kind := range d.kinds {
		if kind == plan.KindContraction {
			continue // products are described by their geometry, whatever the operator
		}
		if values[kind] == nil {
			values[kind] = map[string][]float64{}
		}
		for name, c := range f.Groups[group].Terms {
			values[kind][name] = append(values[kind][name], c.Value)
		}
	}
	for _, k := range []plan.Kind{plan.KindElementwise, plan.KindNormalization, plan.KindReduction, plan.KindPooling,
		plan.KindMovement, plan.KindQuantization, plan.KindOther} {
		of := values[k]
		if of == nil {
			of = values[plan.KindElementwise]
		}
		g := specs.Group{Terms: map[string]specs.Coefficient{}}
		for name, v := range of {
			g.Terms[name] = specs.Coefficient{Value: digits(quantile(v, dear), 6), Unit: "s/" + name}
		}
		if len(g.Terms) > 0 {
			f.Groups[form.KindGroup(k)] = g
		}
	}
}

// residualP are the probabilities at which residuals are kept.
var residualP = []float64{0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95}

func residualsOf(v []float64) *specs.Residuals {
	r := &specs.Residuals{Count: len(v), P: residualP, HeldOut: true}
	for _, p := range residualP {
		r.Q = append(r.Q, digits(quantile(v, p), 4))
	}
	return r
}

// heldOut writes the residuals and the scores. A point's residual counts for the group that most of its time goes to.
func (d *ortDesign) heldOut(f *specs.Fit, x, residuals, held []float64) {
	byGroup := map[string][]float64{}
	var fitted, predicted, measured []float64
	score := &specs.Score{HeldOut: fmt.Sprintf("cross-validation in %d parts", folds), HeldOutCount: len(held)}
	for i, h := range held {
		shares := map[string]float64{}
		for j, k := range d.keys {
			if !shared(k.group) {
				shares[k.group] += d.a.At(i, j) * x[j]
			}
		}
		most := ""
		for _, g := range sortedNames(shares) {
			if most == "" || shares[g] > shares[most] {
				most = g
			}
		}
		if most != "" {
			byGroup[most] = append(byGroup[most], h)
		}
		fitted = append(fitted, math.Abs(residuals[i]))
		predicted = append(predicted, d.b[i]/math.Exp(h))
		measured = append(measured, d.b[i])
		e := math.Abs(math.Exp(-h) - 1)
		score.HeldOutMAPE += e / float64(len(held))
		if e <= 0.1 {
			score.Within10 += 1 / float64(len(held))
		}
	}
	score.MAPE = digits(mean(fitted), 4)
	score.HeldOutMAPE, score.Within10 = digits(score.HeldOutMAPE, 4), digits(score.Within10, 4)
	score.Spearman = digits(spearman(predicted, measured), 6)
	f.Score = score
	f.Residuals = residualsOf(held)
	for name, v := range byGroup {
		if len(v) < 5 {
			continue
		}
		g := f.Groups[name]
		g.Residuals = residualsOf(v)
		f.Groups[name] = g
	}
}

func mean(v []float64) float64 {
	var s float64
	for _, x := range v {
		s += x
	}
	return s / float64(len(v))
}

func sortedNames[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// opsLine is the ops baseline on the same samples: seconds = fixed_s + s_per_op·operations, over the points that have
// operations to speak of.
func (d *ortDesign) opsLine() specs.Group {
	var rows []int
	for i, o := range d.ops {
		if o > 1e5 {
			rows = append(rows, i)
		}
	}
	g := specs.Group{Terms: map[string]specs.Coefficient{}, Samples: len(rows)}
	if len(rows) == 0 {
		return g
	}
	a, b := mat.NewDense(len(rows), 2, nil), make([]float64, len(rows))
	for k, i := range rows {
		a.Set(k, 0, 1)
		a.Set(k, 1, d.ops[i])
		b[k] = d.b[i]
	}
	x, residuals, weights, err := robustNNLS(a, b, nil, nil, residualFloor)
	if err != nil {
		return g
	}
	se := standardErrors(a, b, x, residuals, weights)
	g.Terms["fixed_s"] = specs.Coefficient{Value: digits(x[0], 6), SE: digits(se[0], 2), Unit: "s"}
	g.Terms["s_per_op"] = specs.Coefficient{Value: digits(x[1], 6), SE: digits(se[1], 2), Unit: "s/op"}
	return g
}
