package budget

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/zoo"
	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/costmodel/plan"
	"github.com/onnxcost/onnxcost/specs"
)

// CheckSchema names the form of a CheckResult.
const CheckSchema = "onnxcost/check/v1"

// Verdict is how a figure stands to its limit.
type Verdict string

// The verdicts. A figure without an interval is Pass or Fail.
const (
	Pass      Verdict = "pass"      // the whole interval keeps to the limit
	Fail      Verdict = "fail"      // none of it does
	Uncertain Verdict = "uncertain" // it straddles the limit, or the figure is unknown
)

// CheckResult is every limit of a budget with its verdict, in the order of the budget.
type CheckResult struct {
	Schema   string         `json:"schema"`
	Budget   string         `json:"budget"`
	Pass     int            `json:"pass"`
	Fail     int            `json:"fail"`
	Unsure   int            `json:"uncertain"`
	Limits   []LimitVerdict `json:"limits"`
	Problems []CheckProblem `json:"problems"` // models that could not be judged
}

// CheckProblem is a model that could not be judged under a setting.
type CheckProblem struct {
	Model string `json:"model"`
	Err   error  `json:"-"` // a *specs.Error where the budget is at fault
	Text  string `json:"message"`
}

// LimitVerdict is one limit on one model under one setting. Figures are in the SI units of their dimension: joules,
// seconds, watts, bytes, per second, pieces, shares.
type LimitVerdict struct {
	Model     string             `json:"model"`
	Device    string             `json:"device,omitempty"`
	Runtime   plan.Runtime       `json:"runtime,omitempty"`
	Precision specs.DType        `json:"precision,omitempty"`
	Threads   int                `json:"threads,omitempty"`
	Batch     int64              `json:"batch,omitempty"` // 0 where the figure does not depend on it
	Limit     string             `json:"limit"`           // the key in the budget
	Dimension specs.Dimension    `json:"dimension"`
	AtLeast   bool               `json:"at_least,omitempty"` // the bound is a lower one
	Bound     float64            `json:"bound"`
	RatePerS  float64            `json:"rate_per_s,omitempty"` // of energy_per_day
	Value     costmodel.Optional `json:"value"`
	Low       costmodel.Optional `json:"low"`  // null where it is not bounded below
	High      costmodel.Optional `json:"high"` // null where it is not bounded above
	Verdict   Verdict            `json:"verdict"`
	// Gap is by how much the value misses the bound, and CertainGap by how much the far end of its interval does: what must
	// go to be as likely as not, and to be sure. 0 where it does not miss, null where it is unknown.
	Gap          costmodel.Optional `json:"gap"`
	CertainGap   costmodel.Optional `json:"certain_gap"`
	Note         string             `json:"note,omitempty"`
	Contributors []Contributor      `json:"contributors,omitempty"` // the largest; for failed and uncertain limits
	// Where the limit stands in the budget, 1-based.
	Line   int `json:"line"`
	Column int `json:"column"`
}

// Contributor is a part of a figure.
type Contributor struct {
	Name      string          `json:"name"`
	Op        string          `json:"op,omitempty"`
	Value     float64         `json:"value"`
	Dimension specs.Dimension `json:"dimension"`
	Share     float64         `json:"share"` // of the sum over all parts
}

// CheckOptions steer a check. The zero value checks all of the budget.
type CheckOptions struct {
	// Models limits the check to these models of the budget.
	Models []string
	// Open reads a model; nil opens files and builds those of the zoo.
	Open func(name string) (*onnx.Model, error)
	// Analyze gives the options of an analysis; dimensions in it go before those of the budget.
	Analyze func(m *onnx.Model) (analyzer.Options, error)
	// Analyzed, where it is not nil, sees the report of every model, such as to learn which dimensions it has.
	Analyzed func(r *analyzer.Report)
}

// LoadBudget reads a budget file, with all problems at once as specs.Errors: runtimes and networks of the zoo that do
// not exist are among them.
func LoadBudget(name string) (*specs.Budget, error) { return specs.ReadBudget(name, checkNames) }

func checkNames(b *specs.Budget, at func(path, format string, args ...any)) {
	settings := func(path string, s *specs.BudgetSettings) {
		if s.Runtime == "" {
			return
		}
		if _, err := plan.ParseRuntime(s.Runtime); err != nil {
			at(path+".runtime", "%s", strings.TrimPrefix(err.Error(), fmt.Sprintf("runtime %q: ", s.Runtime))+fmt.Sprintf(", have %q", s.Runtime))
		}
	}
	settings("defaults", &b.Defaults)
	for i := range b.Models {
		path := fmt.Sprintf("models[%d]", i)
		settings(path, &b.Models[i].BudgetSettings)
		for k, p := range b.Models[i].Match {
			if name, ok := strings.CutPrefix(p, "zoo:"); ok {
				if _, known := zoo.Info(name); !known {
					where := path + ".match"
					if len(b.Models[i].Match) > 1 {
						where += fmt.Sprintf("[%d]", k)
					}
					at(where, "no network %q%s", p, specs.Suggest(name, zoo.Names()))
				}
			}
		}
	}
}

// openModel reads a path or builds zoo:NAME.
func openModel(name string) (*onnx.Model, error) {
	if network, ok := strings.CutPrefix(name, "zoo:"); ok {
		return zoo.Build(network, zoo.None)
	}
	return onnx.Open(name)
}

// Check judges the models of a budget by its limits. A model that cannot be read or does not fit its settings is a
// problem in the result and does not stop the others. The error is ctx's, or an *OptionError for a model that the budget
// does not name.
func Check(ctx context.Context, b *specs.Budget, o CheckOptions) (*CheckResult, error) {
	if o.Open == nil {
		o.Open = openModel
	}
	if o.Analyze == nil {
		o.Analyze = func(*onnx.Model) (analyzer.Options, error) { return analyzer.Options{}, nil }
	}
	cases, err := choose(b, o.Models)
	if err != nil {
		return nil, err
	}
	res := &CheckResult{Schema: CheckSchema, Budget: b.File(), Limits: []LimitVerdict{}, Problems: []CheckProblem{}}
	c := &checker{budget: b, opt: o, judged: map[string]bool{}}
	for i := range cases {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		limits, err := c.judge(ctx, &cases[i])
		if err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			res.problem(cases[i].Model, err)
			continue
		}
		for _, l := range limits {
			switch l.Verdict {
			case Pass:
				res.Pass++
			case Fail:
				res.Fail++
			default:
				res.Unsure++
			}
		}
		res.Limits = append(res.Limits, limits...)
	}
	return res, nil
}

// problem adds one that is not there yet: a model that cannot be read fails in all of its settings.
func (res *CheckResult) problem(model string, err error) {
	p := CheckProblem{model, err, err.Error()}
	if !slices.ContainsFunc(res.Problems, func(q CheckProblem) bool { return q.Model == p.Model && q.Text == p.Text }) {
		res.Problems = append(res.Problems, p)
	}
}

// choose limits the cases to the models asked for.
func choose(b *specs.Budget, models []string) ([]specs.BudgetCase, error) {
	cases := b.Cases()
	if len(models) == 0 {
		return cases, nil
	}
	wanted := map[string]bool{}
	for _, m := range models {
		id := identity(m)
		if !slices.ContainsFunc(cases, func(c specs.BudgetCase) bool { return identity(c.Model) == id }) {
			return nil, &costmodel.OptionError{Msg: fmt.Sprintf("model %s: %s has no entry that matches it", m, b.File())}
		}
		wanted[id] = true
	}
	return slices.DeleteFunc(cases, func(c specs.BudgetCase) bool { return !wanted[identity(c.Model)] }), nil
}

// identity is what two ways to write a model have in common.
func identity(model string) string {
	if name, ok := strings.CutPrefix(model, "zoo:"); ok {
		if e, ok := zoo.Info(name); ok {
			return "zoo:" + e.Name
		}
		return model
	}
	if abs, err := filepath.Abs(model); err == nil {
		return abs
	}
	return filepath.Clean(model)
}

// checker keeps what neighbouring cases share: a model's analysis and what is compiled for a device.
type checker struct {
	budget *specs.Budget
	opt    CheckOptions

	analysed  string // model and dimensions of report
	report    *analyzer.Report
	err       error
	compiled  string // setting of predictor
	predictor *costmodel.Predictor
	judged    map[string]bool // limits that need no device, by entry, model and batch
}

// again says whether a limit that the device has no part in was judged on another device already, and one that the
// batch has no part in at another batch size.
func (c *checker) again(m *limitKind, k *specs.BudgetCase, samples int64) bool {
	if m.device {
		return false
	}
	key := fmt.Sprint(k.Path, "\x00", k.Model, "\x00", m.key)
	if m.batch {
		key += fmt.Sprint("\x00", samples)
	}
	was := c.judged[key]
	c.judged[key] = true
	return was
}

func (c *checker) judge(ctx context.Context, k *specs.BudgetCase) ([]LimitVerdict, error) {
	key := fmt.Sprint(k.Model, "\x00", k.Dims, k.DefaultDims)
	if key != c.analysed {
		c.analysed, c.compiled = key, ""
		c.report, c.err = c.analyse(ctx, k)
	}
	if c.err != nil {
		return nil, c.err
	}
	s := &subject{report: c.report, inBudget: true}
	var err error
	if k.Device != nil {
		if err = c.compile(ctx, k); err != nil {
			return nil, c.located(k.Path, k, err)
		}
		if s.prediction, err = c.predictor.At(k.Batch, nil); err == nil {
			s.env, s.samples = s.prediction.Dims, s.prediction.Batch
		}
	} else {
		s.env, s.samples, err = costmodel.BindBatch(c.report, k.Batch)
	}
	if err != nil {
		path := k.Path + ".dims"
		if k.Batch > 0 && strings.HasPrefix(err.Error(), "batch ") {
			path = k.Path + ".batch"
		}
		return nil, c.located(path, k, err)
	}
	var out []LimitVerdict
	for i := range limitKinds {
		m := &limitKinds[i]
		bound := m.bound(k.Limits)
		if bound == nil || c.again(m, k, s.samples) {
			continue
		}
		v := LimitVerdict{Model: k.Model, Limit: m.key, Dimension: m.dim, AtLeast: m.atLeast, Bound: bound.Value}
		if m.device || m.batch {
			v.Batch = s.samples
		}
		if m.key == limitEnergyPerDay {
			s.ratePerS = k.Limits.EnergyPerDay.At.Value
			v.RatePerS = s.ratePerS
		}
		if m.device {
			p := s.prediction
			v.Device, v.Runtime, v.Precision, v.Threads = p.Device, p.Runtime, p.Precision, p.Threads
		}
		path := k.Path + ".limits." + m.key
		e, err := m.measure(s)
		if err != nil {
			return nil, c.located(path, k, err)
		}
		v.settle(e)
		if v.Verdict != Pass && m.parts != nil {
			v.Contributors = top(m.parts(s), 3)
		}
		v.Line, v.Column = c.budget.Line(path)
		out = append(out, v)
	}
	return out, nil
}

// located says where in the budget an option stands that does not fit; other errors stay as they are.
func (c *checker) located(path string, k *specs.BudgetCase, err error) error {
	var ours *costmodel.OptionError
	var theirs *analyzer.OptionError
	if errors.As(err, &ours) || errors.As(err, &theirs) {
		return c.budget.ErrorAt(path, "%s: %v", k.Model, err)
	}
	return err
}

// analyse reads and analyses a model. Dimensions of the defaults hold where the model has them.
func (c *checker) analyse(ctx context.Context, k *specs.BudgetCase) (*analyzer.Report, error) {
	m, err := c.opt.Open(k.Model)
	if err != nil {
		return nil, err
	}
	opt, err := c.opt.Analyze(m)
	if err != nil {
		return nil, err
	}
	dims := maps.Clone(k.Dims)
	if dims == nil {
		dims = map[string]int64{}
	}
	maps.Copy(dims, opt.Dims)
	opt.Dims = dims
	r, err := analyzer.Analyze(ctx, m, opt)
	if err != nil {
		path := k.Path + ".dims"
		for name := range k.Dims {
			if strings.Contains(err.Error(), fmt.Sprintf("%q", name)) {
				path = k.Path + ".dims." + name
			}
		}
		return nil, c.located(path, k, err)
	}
	if c.opt.Analyzed != nil {
		c.opt.Analyzed(r)
	}
	for name := range k.Dims { // those of the budget are this model's, whatever the options let pass
		if slices.Contains(r.UnusedDims, name) {
			return nil, c.located(k.Path+".dims."+name, k, &analyzer.OptionError{Msg: fmt.Sprintf("the model has no free dimension %q", name)})
		}
	}
	more := false
	for name, v := range k.DefaultDims {
		if _, set := dims[name]; !set && slices.ContainsFunc(r.Symbols, func(s analyzer.Symbol) bool { return s.Name == name }) {
			dims[name], more = v, true
		}
	}
	if !more {
		return r, nil
	}
	if r, err = analyzer.Analyze(ctx, m, opt); err != nil {
		return nil, c.located("defaults.dims", k, err)
	}
	return r, nil
}

func (c *checker) compile(ctx context.Context, k *specs.BudgetCase) (err error) {
	key := fmt.Sprint(k.Device.Name, "\x00", k.Runtime, k.Precision, k.Threads)
	if key == c.compiled {
		return nil
	}
	c.compiled = ""
	c.predictor, err = costmodel.Compile(ctx, c.report, k.Device, costmodel.Options{Runtime: plan.Runtime(k.Runtime), Precision: k.Precision, Threads: k.Threads})
	if err == nil {
		c.compiled = key
	}
	return err
}

// estimate is a figure with the interval that it lies in; NaN where something is unknown, infinite where an end is open.
type estimate struct {
	value, low, high float64
	note             string
}

func exactly(v float64) estimate { return estimate{value: v, low: v, high: v} }

func noFigure(note string) estimate { return estimate{math.NaN(), math.Inf(-1), math.Inf(1), note} }

// settle writes the figure down and judges it.
func (v *LimitVerdict) settle(e estimate) {
	end := func(x float64) costmodel.Optional {
		if math.IsInf(x, 0) {
			return costmodel.Unknown()
		}
		return costmodel.Optional(x)
	}
	v.Value, v.Low, v.High, v.Note = end(e.value), end(e.low), end(e.high), e.note
	over := func(x float64) float64 { return x - v.Bound }
	near, far := e.low, e.high
	if v.AtLeast {
		over = func(x float64) float64 { return v.Bound - x }
		near, far = e.high, e.low
	}
	switch {
	case math.IsNaN(near) || math.IsNaN(far):
		v.Verdict = Uncertain
	case over(far) <= 0:
		v.Verdict = Pass
	case over(near) > 0:
		v.Verdict = Fail
	default:
		v.Verdict = Uncertain
	}
	v.Gap, v.CertainGap = end(math.Max(0, over(e.value))), end(math.Max(0, over(far)))
}

// top keeps the n largest parts, ties in their order.
func top(parts []Contributor, n int) []Contributor {
	var sum float64
	for _, p := range parts {
		sum += p.Value
	}
	parts = slices.DeleteFunc(parts, func(p Contributor) bool { return !(p.Value > 0) })
	slices.SortStableFunc(parts, func(a, b Contributor) int {
		switch {
		case a.Value > b.Value:
			return -1
		case a.Value < b.Value:
			return 1
		}
		return 0
	})
	parts = parts[:min(n, len(parts))]
	for i := range parts {
		parts[i].Share = parts[i].Value / sum
	}
	return parts
}
