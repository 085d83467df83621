package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/specs"
)

type predictOptions struct {
	modelFlags
	device    string
	runtime   string
	precision string
	threads   int
	batch     string
	by        string
	top       int
	trace     string
	pprof     string
	budget    string
	rate      string
	output    string

	batches   []int64
	budgetJ   float64 // 0 without a budget
	ratePerS  float64 // 0 without a rate
	loaded    *specs.Device
	isRuntime costmodel.Runtime
	profile   *profileBuilder // where --pprof asks for one
	sweep     bool            // more than one prediction is asked for
}

var (
	predictOutputs    = []string{"table", "json", "ndjson", "csv", "markdown"}
	predictBy         = []string{"kernel", "op", "scope", "total"}
	predictPrecisions = []string{"fp32", "tf32", "fp16", "bf16", "int8"}
)

func newPredict(s streams) *cobra.Command {
	var o predictOptions
	c := &cobra.Command{
		Use:   "predict MODEL... --device NAME|FILE",
		Short: "Predict time, energy, power and memory on a device",
		Long: `Predict what an inference costs on a device, kernel by kernel, with the interval that 90 % of measurements fall into
and what two simpler models say: ops (time linear in operations) and roofline (the data sheet alone).

A device is a name from 'onnxcost devices' or the path of a device file. Devices with fits are predicted from
measurements, the others from their data sheets and a short table of assumptions ('onnxcost devices show NAME').`,
		Example: `  onnxcost predict zoo:resnet50 --device jetson-tx1
  onnxcost predict zoo:resnet50 --device rtx-4090 --precision fp16 --batch 1,8,64
  onnxcost predict zoo:all --device jetson-tx1 --energy-budget 500mJ`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return misuse("predict: no model; give a path, - for stdin, or zoo:NAME")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return runPredict(cmd.Context(), s, o, args) },
	}
	f := c.Flags()
	o.add(f)
	f.StringVar(&o.device, "device", "", "device `NAME|FILE`; 'onnxcost devices' lists the built-in ones")
	f.StringVar(&o.runtime, "runtime", "", "runtime profile: "+strings.Join(runtimeNames(), ", ")+" (default: the device's)")
	f.StringVar(&o.precision, "precision", "", strings.Join(predictPrecisions, ", ")+" (default: the model's own)")
	f.IntVar(&o.threads, "threads", 0, "threads of the runtime on a CPU (default: those of the device's fits, or all cores)")
	f.StringVar(&o.batch, "batch", "", "batch sizes, `1,2,4,8`")
	f.StringVar(&o.by, "by", "", "rows: "+strings.Join(predictBy, ", ")+" (default op for one prediction, total for several)")
	f.IntVar(&o.top, "top", 0, "only the `N` slowest rows, the rest as one row")
	f.StringVar(&o.trace, "trace", "", "write the predicted timeline as Chrome trace events to `FILE` (Perfetto opens it)")
	f.StringVar(&o.pprof, "pprof", "", "write counts, time and energy to `FILE` as a profile for 'go tool pprof -http'")
	f.StringVar(&o.budget, "energy-budget", "", "rank the models that stay within `ENERGY` per sample, such as 500mJ, by accuracy")
	f.StringVar(&o.rate, "rate", "", "add the energy of a day at `RATE` samples per second, such as 10/s")
	f.StringVarP(&o.output, "output", "o", "table", strings.Join(predictOutputs, ", "))
	completeWords(c, "device", specs.DeviceNames())
	completeWords(c, "runtime", runtimeNames())
	completeWords(c, "precision", predictPrecisions)
	completeWords(c, "by", predictBy)
	completeWords(c, "output", predictOutputs)
	c.ValidArgsFunction = completeModels
	return c
}

func runtimeNames() []string {
	var names []string
	for _, r := range costmodel.Runtimes() {
		names = append(names, string(r.Name))
	}
	return names
}

// check turns the flags into values and loads the device.
func (o *predictOptions) check() error {
	if err := oneOf("-o", o.output, predictOutputs); err != nil {
		return err
	}
	if o.by != "" {
		if err := oneOf("--by", o.by, predictBy); err != nil {
			return err
		}
	}
	if o.precision != "" {
		if err := oneOf("--precision", o.precision, predictPrecisions); err != nil {
			return err
		}
	}
	if o.top < 0 {
		return misuse("--top %d: want at least 0", o.top)
	}
	if o.runtime != "" {
		rt, err := costmodel.ParseRuntime(o.runtime)
		if err != nil {
			return misuse("--%v", err)
		}
		o.isRuntime = rt
	}
	if o.batch != "" {
		for _, text := range strings.Split(o.batch, ",") {
			n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
			if err != nil || n < 1 {
				return misuse("--batch %s: want whole numbers of at least 1, such as 1,2,4,8", o.batch)
			}
			o.batches = append(o.batches, n)
		}
	} else {
		o.batches = []int64{0}
	}
	if o.budget != "" {
		q, err := specs.ParseQuantity(o.budget, specs.DimEnergy)
		if err != nil || q.Value <= 0 {
			return misuse("--energy-budget %s: want an energy such as 500mJ", o.budget)
		}
		o.budgetJ = q.Value
	}
	if o.rate != "" {
		q, err := specs.ParseQuantity(o.rate, specs.DimRate)
		if err != nil || q.Value <= 0 {
			return misuse("--rate %s: want samples per second such as 10/s", o.rate)
		}
		o.ratePerS = q.Value
	}
	d, err := loadDevice(o.device)
	o.loaded = d
	return err
}

// loadDevice loads a built-in device or a file.
func loadDevice(name string) (*specs.Device, error) {
	if name == "" {
		return nil, misuse("no device; give --device NAME or FILE, one of %s", strings.Join(specs.DeviceNames(), ", "))
	}
	d, err := specs.LoadDevice(name)
	var bad specs.Errors
	var path *fs.PathError
	switch {
	case errors.As(err, &bad), errors.As(err, &path):
		return nil, &codedError{exitInput, err}
	case err != nil:
		return nil, &codedError{exitMisuse, fmt.Errorf("--device: %w", err)}
	}
	return d, nil
}

// predicted is one prediction as the command renders it.
type predicted struct {
	*costmodel.Prediction
	Groups []kernelGroup `json:"groups,omitempty"`
	Day    *dayEnergy    `json:"day,omitempty"`
	Budget *budgetResult `json:"energy_budget,omitempty"`
}

// dayEnergy is the energy of a day at a rate.
type dayEnergy struct {
	RatePerS float64            `json:"rate_per_s"`
	EnergyJ  costmodel.Optional `json:"energy_j"` // null where the device cannot keep up
}

func runPredict(ctx context.Context, s streams, o predictOptions, args []string) error {
	if err := o.check(); err != nil {
		return err
	}
	models := expandZoo(args)
	o.sweep = len(models)*len(o.batches) > 1
	o.several(len(models))
	if o.by == "" {
		o.by = "total"
		if machine := o.output == "json" || o.output == "ndjson"; machine {
			o.by = "kernel"
		} else if !o.sweep && o.budgetJ == 0 {
			o.by = "op"
		}
	}
	if o.pprof != "" {
		o.profile = newProfile("time", slices.Concat(countTypes, timeTypes)...)
	}
	worst := exitDone
	var all []predicted
	p := newProgress(s.err, len(models))
	for i, arg := range models {
		p.show(i, arg)
		some, err := predictOne(ctx, s, &o, arg)
		if err != nil {
			p.clear()
			if errors.Is(err, context.Canceled) {
				return &codedError{exitMisuse, errors.New("interrupted")}
			}
			fmt.Fprintf(s.err, "onnxcost: %s\n", describeError(arg, err))
			worst = max(worst, exitCode(err))
			continue
		}
		for _, x := range some {
			if o.strict && slices.ContainsFunc(x.Diagnostics, func(d analyzer.Diagnostic) bool { return d.Code == costmodel.CodeNoTimeModel }) {
				worst = max(worst, exitFindings)
			}
		}
		all = append(all, some...)
	}
	p.clear()
	if o.profile != nil {
		if err := o.profile.write(o.pprof); err != nil {
			return err
		}
	}
	if o.trace != "" {
		if err := writeTrace(o.trace, all); err != nil {
			return err
		}
	}
	if err := renderPredictions(s, &o, all); err != nil {
		return err
	}
	if err := o.unused(); err != nil {
		return err
	}
	if worst != exitDone {
		return &reported{worst}
	}
	return nil
}

// predictOne compiles a model once and evaluates it for every batch size.
func predictOne(ctx context.Context, s streams, o *predictOptions, arg string) ([]predicted, error) {
	r, name, err := o.analyze(ctx, s.in, arg)
	if err != nil {
		return nil, err
	}
	c, err := costmodel.Compile(ctx, r, o.loaded, costmodel.Options{Runtime: o.isRuntime, Precision: specs.DType(o.precision),
		Threads: o.threads, NoKernels: o.by == "total" && o.trace == "" && o.pprof == ""})
	if err != nil {
		return nil, err
	}
	var out []predicted
	for _, b := range o.batches {
		p, err := c.At(b, nil)
		if err != nil {
			return nil, fault(r, err, b > 0 || len(o.dims) > 0)
		}
		p.Model = name
		for _, d := range r.Diagnostics {
			if d.Code != analyzer.CodeFreeDim && (d.Code != analyzer.CodeDefaultDim || b == 0) { // all dimensions have values here
				p.Diagnostics = append(p.Diagnostics, d)
			}
		}
		if o.profile != nil {
			o.profile.prediction(p, c.Plan)
		}
		x := predicted{Prediction: p}
		if o.by == "op" || o.by == "scope" {
			x.Groups = groupKernels(p.Kernels, o.by)
		}
		if o.ratePerS > 0 {
			x.Day = &dayEnergy{o.ratePerS, costmodel.Unknown()}
			if j, ok := p.EnergyPerDay(o.ratePerS); ok {
				x.Day.EnergyJ = costmodel.Optional(j)
			}
		}
		if o.budgetJ > 0 {
			x.Budget = judgeBudget(p, arg, o.budgetJ)
		}
		out = append(out, x)
	}
	return out, nil
}

// renderPredictions writes all predictions in the form asked for.
func renderPredictions(s streams, o *predictOptions, all []predicted) error {
	if o.budgetJ > 0 {
		rankBudget(all)
	}
	switch o.output {
	case "json":
		doc := struct {
			Schema      string      `json:"schema"`
			Predictions []predicted `json:"predictions"`
		}{costmodel.PredictSchema, append([]predicted{}, all...)}
		return writeJSON(s.out, doc)
	case "ndjson":
		e := json.NewEncoder(s.out)
		for _, x := range all {
			if err := e.Encode(x); err != nil {
				return err
			}
		}
		return nil
	case "csv":
		return csvPredictions(s, o, all)
	}
	if len(all) == 0 {
		return nil
	}
	if o.budgetJ > 0 {
		return renderBudget(s, o, all)
	}
	if o.sweep && o.by == "total" {
		return renderSweep(s, o, all)
	}
	for i, x := range all {
		if i > 0 {
			fmt.Fprintln(s.out)
		}
		if err := renderPrediction(s, o, x); err != nil {
			return err
		}
	}
	return nil
}
