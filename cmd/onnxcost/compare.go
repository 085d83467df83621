package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/costmodel/budget"
	"github.com/onnxcost/onnxcost/specs"
)

type compareOptions struct {
	modelFlags
	device    string
	runtime   string
	precision string
	threads   int
	batch     int64
	failOn    string
	top       int
	output    string
}

var compareOutputs = []string{"table", "json", "markdown"}

func newCompare(s streams) *cobra.Command {
	var o compareOptions
	c := &cobra.Command{
		Use:   "compare OLD NEW",
		Short: "Say what a change of a model costs, in total and layer by layer",
		Long: `Compare two models: totals, and the layers that make the difference. Layers are matched by name and by what they do, so
a layer that was renamed, fused with its neighbours or split is told from one that was added or removed.

With --device also time, energy and memory on it. --fail-on macs=+5%,energy=+2% exits 1 where a figure grew by more;
throughput=-5% where it fell by more.`,
		Example: `  onnxcost compare old.onnx new.onnx
  onnxcost compare zoo:resnet18 zoo:resnet34 --device jetson-tx1 -o markdown
  onnxcost compare main.onnx branch.onnx --fail-on macs=+5%,params=+0%`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return misuse("compare: want two models, OLD and NEW; have %d", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return runCompare(cmd.Context(), s, o, args[0], args[1])
		},
	}
	f := c.Flags()
	o.add(f)
	f.StringVar(&o.device, "device", "", "compare also on this device, `NAME|FILE`")
	f.StringVar(&o.runtime, "runtime", "", "runtime profile: "+strings.Join(runtimeNames(), ", ")+" (default: the device's)")
	f.StringVar(&o.precision, "precision", "", strings.Join(predictPrecisions, ", ")+" (default: the model's own)")
	f.IntVar(&o.threads, "threads", 0, "threads of the runtime on a CPU")
	f.Int64Var(&o.batch, "batch", 0, "batch size (default 1)")
	f.StringVar(&o.failOn, "fail-on", "", "exit 1 where a figure changes by more, `METRIC=+5%,…`")
	f.IntVar(&o.top, "top", 10, "the `N` layers that change most in each figure; 0 for all")
	f.StringVarP(&o.output, "output", "o", "table", strings.Join(compareOutputs, ", "))
	completeWords(c, "device", specs.DeviceNames())
	completeWords(c, "runtime", runtimeNames())
	completeWords(c, "precision", predictPrecisions)
	completeWords(c, "output", compareOutputs)
	c.ValidArgsFunction = completeModels
	return c
}

// gate is one part of --fail-on: a metric and the change that is still allowed.
type gate struct {
	metric string
	share  float64 // 0.05 allows five percent more, -0.05 five percent less
	falls  bool    // the change that matters is downwards
}

func parseGates(text string) ([]gate, error) {
	var out []gate
	for _, part := range strings.Split(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, value, ok := strings.Cut(part, "=")
		q, err := specs.ParseQuantity(strings.TrimSpace(value), specs.DimProportion)
		value = strings.TrimSpace(value)
		if !ok || err != nil || !strings.HasPrefix(value, "+") && !strings.HasPrefix(value, "-") {
			return nil, misuse("--fail-on %s: want METRIC=+5%% or METRIC=-5%%", part)
		}
		out = append(out, gate{strings.TrimSpace(name), q.Value, value[0] == '-'})
	}
	return out, nil
}

// broken says whether a change goes beyond the gate; an unknown figure always does.
func (g gate) broken(c budget.Change) bool {
	r := c.Relative()
	if g.falls {
		return !(r >= g.share)
	}
	return !(r <= g.share)
}

// outcome is a gate with what became of it.
type outcome struct {
	Metric string             `json:"metric"`
	Limit  float64            `json:"limit"`  // share of the old value
	Change costmodel.Optional `json:"change"` // null where it is unknown or infinite
	OK     bool               `json:"ok"`
	text   string
}

func runCompare(ctx context.Context, s streams, o compareOptions, before, after string) error {
	if err := oneOf("-o", o.output, compareOutputs); err != nil {
		return err
	}
	if o.precision != "" {
		if err := oneOf("--precision", o.precision, predictPrecisions); err != nil {
			return err
		}
	}
	if o.top < 0 || o.batch < 0 {
		return misuse("--top %d, --batch %d: want at least 0", o.top, o.batch)
	}
	gates, err := parseGates(o.failOn)
	if err != nil {
		return err
	}
	var d *specs.Device
	if o.device != "" {
		if d, err = loadDevice(o.device); err != nil {
			return err
		}
	}
	opt := costmodel.Options{Precision: specs.DType(o.precision), Threads: o.threads, Batch: o.batch}
	if o.runtime != "" {
		if opt.Runtime, err = costmodel.ParseRuntime(o.runtime); err != nil {
			return misuse("--%v", err)
		}
	}
	o.several(2)
	a, _, err := o.analyze(ctx, s.in, before)
	if err != nil {
		return err
	}
	b, _, err := o.analyze(ctx, s.in, after)
	if err != nil {
		return err
	}
	if err := o.unused(); err != nil {
		return err
	}
	c, err := budget.Compare(ctx, a, b, d, opt)
	var unbound *dim.UnboundError
	if errors.As(err, &unbound) {
		missing := append(a.Missing(a.Dims), b.Missing(b.Dims)...)
		slices.Sort(missing)
		if missing = slices.Compact(missing); len(missing) > 0 {
			return analyzer.NeedDims("a comparison", missing)
		}
	}
	if err != nil {
		return smaller(err)
	}
	c.Old, c.New = before, after
	outcomes, err := judgeGates(c, gates)
	if err != nil {
		return err
	}
	if err := renderCompare(s, &o, c, outcomes); err != nil {
		return err
	}
	code := exitDone
	for _, x := range outcomes {
		if !x.OK {
			fmt.Fprintf(s.err, "onnxcost: %s\n", x.text)
			code = exitFindings
		}
	}
	if o.strict && (a.LowerBound() || b.LowerBound()) {
		code = exitFindings
	}
	if code != exitDone {
		return &reported{code}
	}
	return nil
}

func judgeGates(c *budget.Comparison, gates []gate) ([]outcome, error) {
	var out []outcome
	for _, g := range gates {
		m, ok := c.Metric(g.metric)
		if !ok {
			var names []string
			for _, t := range c.Totals {
				names = append(names, t.Metric)
			}
			hint := ""
			if c.Device == "" {
				hint = "; times and energies need --device"
			}
			return nil, misuse("--fail-on %s: want one of %s%s", g.metric, strings.Join(names, ", "), hint)
		}
		x := outcome{Metric: g.metric, Limit: g.share, Change: costmodel.Unknown(), OK: !g.broken(m)}
		if r := m.Relative(); !math.IsInf(r, 0) {
			x.Change = costmodel.Optional(r)
		}
		x.text = fmt.Sprintf("%s changes by %s, from %s to %s; the limit is %+.4g %%", g.metric, relative(m), figure(m.Old, m.Dimension), figure(m.New, m.Dimension), 100*g.share)
		out = append(out, x)
	}
	return out, nil
}

// relative prints a change with its sign.
func relative(c budget.Change) string {
	r := c.Relative()
	switch {
	case math.IsNaN(r):
		return "unknown"
	case math.IsInf(r, 0):
		return "from nothing"
	case r == 0:
		return "0 %"
	case math.Abs(r) < 5e-5:
		return fmt.Sprintf("%+.1g %%", 100*r)
	}
	return fmt.Sprintf("%+.2f %%", 100*r)
}
