package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/onnxcost/onnxcost/calibrate"
	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/plots"
	"github.com/onnxcost/onnxcost/specs"
)

type validateOptions struct {
	modelFlags
	backendFlags
	device    string
	runtime   string
	precision string
	threads   int
	batch     string
	length    time.Duration
	measured  string
	maxMAPE   string
	memory    bool
	by        string
	plot      string
	output    string
}

var (
	validateOutputs = []string{"table", "json", "ndjson", "csv", "markdown"}
	validateBy      = []string{"total", "kernel"}
)

func newValidate(s streams) *cobra.Command {
	var o validateOptions
	c := &cobra.Command{
		Use:   "validate MODEL... --device FILE",
		Short: "Compare predictions with measurements",
		Long: `Predict models on a device, measure them here or read what was measured elsewhere, and say how far the predictions are
off: the mean absolute error (MAPE), the share within 10 %, the rank correlation (Spearman), and the share of
measurements inside the predicted interval. Two baselines are judged on the same rows.

Measured here, a time is the lowest median of a model's bursts: other processes only ever add time. --measured reads a
CSV with the columns model,batch,measured_s and, if wanted, threads; a model of the file is a MODEL of the command line
with that name, or a MODEL itself. --plot draws predicted against measured times.`,
		Example: `  onnxcost validate zoo:resnet18 zoo:squeezenet1_1 --device here.yaml --backend ort
  onnxcost validate zoo:all --device here.yaml --backend ort --batch 1,8 --max-mape 10%
  onnxcost validate --measured times.csv --device jetson-tx1 --plot validate.png
  onnxcost validate zoo:all --memory --backend ort --batch 1,8`,
		RunE: func(cmd *cobra.Command, args []string) error { return runValidate(cmd.Context(), s, o, args) },
	}
	f := c.Flags()
	o.modelFlags.add(f)
	o.backendFlags.add(c, f, "")
	f.StringVar(&o.device, "device", "", "device `NAME|FILE` to predict for")
	f.StringVar(&o.runtime, "runtime", "", "runtime profile: "+strings.Join(runtimeNames(), ", ")+" (default: the device's)")
	f.StringVar(&o.precision, "precision", "", strings.Join(predictPrecisions, ", ")+" (default: the model's own)")
	f.IntVar(&o.threads, "threads", 1, "threads of the runtime")
	f.StringVar(&o.batch, "batch", "", "batch sizes, `1,2,4,8`")
	f.DurationVar(&o.length, "for", 3*time.Second, "time to measure each model and batch size")
	f.StringVar(&o.measured, "measured", "", "read the measurements from `FILE.csv`")
	f.StringVar(&o.maxMAPE, "max-mape", "", "exit 1 where the mean absolute error is above `SHARE`, such as 10%")
	f.BoolVar(&o.memory, "memory", false, "compare memory instead of time: the peak of what ONNX Runtime's nodes ask for")
	f.StringVar(&o.by, "by", "total", "rows: "+strings.Join(validateBy, ", ")+"; kernel asks the runtime's profiler")
	f.StringVar(&o.plot, "plot", "", "draw predicted against measured times to `FILE.png|svg|pdf`")
	f.StringVarP(&o.output, "output", "o", "table", strings.Join(validateOutputs, ", "))
	completeWords(c, "device", specs.DeviceNames())
	completeWords(c, "runtime", runtimeNames())
	completeWords(c, "precision", predictPrecisions)
	completeWords(c, "by", validateBy)
	completeWords(c, "output", validateOutputs)
	c.ValidArgsFunction = completeModels
	return c
}

// validateRow is one model and batch size. Times are seconds, errors relative.
type validateRow struct {
	Model     string         `json:"model"`
	Batch     int64          `json:"batch"`
	Threads   int            `json:"threads,omitempty"`
	MeasuredS float64        `json:"measured_s"`
	PredictS  float64        `json:"predicted_s"`
	LowS      float64        `json:"predicted_low_s"`
	HighS     float64        `json:"predicted_high_s"`
	Error     float64        `json:"error"`
	Inside    bool           `json:"inside"`
	Baselines baselineErrors `json:"baselines"`
	Kernels   []validateKind `json:"kernels,omitempty"`
	measuredEnergy
	PredictJ *float64 `json:"predicted_energy_j,omitempty"` // where the energy was measured and is of the same scope
	Warnings []string `json:"warnings,omitempty"`

	runtime   costmodel.Runtime
	precision specs.DType
}

// baselineErrors are what simpler models say of the row.
type baselineErrors struct {
	OpsS      float64 `json:"ops_s"`
	RooflineS float64 `json:"roofline_s"`
}

// validateKind is the kernels of one operator, by the runtime's name.
type validateKind struct {
	Op             string  `json:"op"`
	Nodes          int     `json:"nodes"`
	PredictedNodes int     `json:"predicted_nodes"`
	MeasuredS      float64 `json:"measured_s"`
	PredictedS     float64 `json:"predicted_s"`
}

func (o *validateOptions) check(args []string) (*specs.Device, costmodel.Options, float64, error) {
	fail := func(err error) (*specs.Device, costmodel.Options, float64, error) {
		return nil, costmodel.Options{}, 0, err
	}
	if err := oneOf("-o", o.output, validateOutputs); err != nil {
		return fail(err)
	}
	if err := oneOf("--by", o.by, validateBy); err != nil {
		return fail(err)
	}
	switch {
	case o.measured == "" && o.backend == "":
		return fail(misuse("validate: give --backend %s to measure here, or --measured FILE.csv", strings.Join(backends, "|")))
	case o.measured != "" && o.backend != "":
		return fail(misuse("validate: --measured and --backend exclude each other"))
	case o.measured != "" && o.by == "kernel":
		return fail(misuse("validate: --by kernel needs --backend: a file says nothing of kernels"))
	case o.measured == "" && len(args) == 0:
		return fail(misuse("validate: no model; give a path, - for stdin, or zoo:NAME"))
	}
	if o.plot != "" && !isPicture(o.plot) {
		return fail(misuse("--plot %s: want a file name that ends in .%s", o.plot, strings.Join(plots.Formats(), ", .")))
	}
	opt := costmodel.Options{Threads: o.threads, NoKernels: o.by != "kernel"}
	if o.precision != "" {
		if err := oneOf("--precision", o.precision, predictPrecisions); err != nil {
			return fail(err)
		}
		opt.Precision = specs.DType(o.precision)
	}
	if o.runtime != "" {
		rt, err := costmodel.ParseRuntime(o.runtime)
		if err != nil {
			return fail(misuse("--%v", err))
		}
		opt.Runtime = rt
	}
	limit := 0.0
	if o.maxMAPE != "" {
		q, err := specs.ParseQuantity(o.maxMAPE, specs.DimProportion)
		if err != nil || q.Value <= 0 {
			return fail(misuse("--max-mape %s: want a share such as 10%%", o.maxMAPE))
		}
		limit = q.Value
	}
	d, err := loadDevice(o.device)
	if err != nil {
		return fail(err)
	}
	if d.Class != specs.CPU {
		opt.Threads = 0
	}
	return d, opt, limit, nil
}

func runValidate(ctx context.Context, s streams, o validateOptions, args []string) error {
	if o.memory {
		return runValidateMemory(ctx, s, o, args)
	}
	d, opt, limit, err := o.check(args)
	if err != nil {
		return err
	}
	var truth []measurement
	var worst int
	if o.measured != "" {
		truth, err = readMeasured(o.measured, o.threads)
	} else {
		truth, worst, err = measureModels(ctx, s, &o.modelFlags, &o.backendFlags, o.threads, calibrate.CalmSeconds(d, o.threads), o.batch, o.length, args)
		for i := range truth {
			truth[i].MedianS = truth[i].BestS
		}
	}
	if err != nil {
		return err
	}
	// What had been measured before an interruption is judged all the same.
	rows, code := predictRows(context.WithoutCancel(ctx), s, o, d, opt, truth, args)
	worst = max(worst, code)
	if o.by == "kernel" {
		code, err := measureKernels(ctx, s, o, rows)
		if err != nil {
			return err
		}
		worst = max(worst, code)
	}
	judged, err := judge(rows)
	if err != nil {
		return &codedError{max(worst, exitInput), err}
	}
	if err := renderValidation(s, o, rows, judged); err != nil {
		return err
	}
	if err := o.drawPairs(d, rows); err != nil {
		return err
	}
	if limit > 0 && judged.MAPE > limit {
		fmt.Fprintf(s.err, "onnxcost: mean absolute error %s, want at most %s\n", percent(judged.MAPE, 1), percent(limit, 1))
		worst = max(worst, exitFindings)
	}
	if worst != exitDone {
		return &reported{worst}
	}
	return nil
}

// predictRows puts a prediction beside every measurement.
func predictRows(ctx context.Context, s streams, o validateOptions, d *specs.Device, opt costmodel.Options, truth []measurement, args []string) (rows []validateRow, worst int) {
	given := expandZoo(args)
	predictors := map[string]*costmodel.Predictor{}
	failed := map[string]bool{}
	for _, t := range truth {
		key := fmt.Sprint(t.Model, "\x00", t.Threads)
		if failed[key] {
			continue
		}
		p := predictors[key]
		var err error
		if p == nil {
			opt := opt
			if d.Class == specs.CPU {
				opt.Threads = t.Threads
			}
			p, err = compileModel(ctx, s, &o.modelFlags, d, opt, modelOf(t.Model, given))
			predictors[key] = p
		}
		var pred *costmodel.Prediction
		if err == nil {
			pred, err = p.At(t.Batch, nil)
		}
		if err != nil {
			failed[key] = p == nil
			fmt.Fprintf(s.err, "onnxcost: %s\n", describeError(t.Model, err))
			worst = max(worst, exitCode(err))
			continue
		}
		row := validateRow{Model: t.Model, Batch: t.Batch, Threads: opt.Threads, MeasuredS: t.MedianS, PredictS: pred.LatencyS,
			LowS: pred.LatencyLowS, HighS: pred.LatencyHighS, Error: pred.LatencyS/t.MedianS - 1,
			Baselines: baselineErrors{pred.Baselines.Ops.LatencyS, pred.Baselines.Roofline.LatencyS}, Warnings: t.Warnings,
			measuredEnergy: t.measuredEnergy, runtime: pred.Runtime, precision: pred.Precision}
		if e := float64(pred.EnergyJ); t.EnergyJ != nil && pred.EnergyJ.Known() && string(pred.PowerCovers) == t.Covers {
			row.PredictJ = &e
		}
		row.Inside = row.LowS <= row.MeasuredS && row.MeasuredS <= row.HighS
		if d.Class == specs.CPU {
			row.Threads = t.Threads
		}
		for _, k := range pred.Kernels {
			row.addKernel(k)
		}
		rows = append(rows, row)
	}
	return rows, worst
}

// addKernel adds a predicted kernel to its operator's row.
func (r *validateRow) addKernel(k costmodel.KernelPrediction) {
	op := k.Op[strings.LastIndexByte(k.Op, '.')+1:] // the profiler leaves the domain out
	i := slices.IndexFunc(r.Kernels, func(v validateKind) bool { return v.Op == op })
	if i < 0 {
		i = len(r.Kernels)
		r.Kernels = append(r.Kernels, validateKind{Op: op})
	}
	r.Kernels[i].PredictedNodes++
	r.Kernels[i].PredictedS += k.TimeS
}

// modelOf is the MODEL that a name in a file of measurements means: the argument that is called so, with or without its
// directory and extension, or the name itself.
func modelOf(name string, given []string) string {
	for _, match := range []func(string) string{func(a string) string { return a }, baseName} {
		for _, a := range given {
			if match(a) == match(name) {
				return a
			}
		}
	}
	return name
}

// baseName is a model's name without directory, extension and zoo:.
func baseName(a string) string {
	a = strings.TrimPrefix(a, "zoo:")
	if i := strings.LastIndexAny(a, `/\`); i >= 0 {
		a = a[i+1:]
	}
	return strings.TrimSuffix(a, ".onnx")
}

func compileModel(ctx context.Context, s streams, m *modelFlags, d *specs.Device, opt costmodel.Options, arg string) (*costmodel.Predictor, error) {
	if arg == "-" {
		return nil, errors.New("stdin has been read already; give a file")
	}
	r, _, err := m.analyze(ctx, s.in, arg)
	if err != nil {
		return nil, err
	}
	p, err := costmodel.Compile(ctx, r, d, opt)
	var bad *costmodel.OptionError
	if errors.As(err, &bad) {
		return nil, &codedError{exitMisuse, err}
	}
	return p, err
}

// measureKernels adds what the profiler sees of each row.
func measureKernels(ctx context.Context, s streams, o validateOptions, rows []validateRow) (worst int, err error) {
	lib, err := o.open()
	if err != nil {
		return 0, err
	}
	for i := range rows {
		r := &rows[i]
		job, err := loadJob(r.Model, &o.modelFlags, s.in)
		var seen []calibrate.KernelMeasurement
		if err == nil {
			runs := int(min(50, max(5, o.length.Seconds()/r.MeasuredS)))
			seen, err = calibrate.MeasureKernels(ctx, lib, job, r.Batch, o.threads, runs)
		}
		if errors.Is(err, context.Canceled) {
			return max(worst, exitMisuse), nil
		}
		if err != nil {
			fmt.Fprintf(s.err, "onnxcost: %s\n", describeError(r.Model, err))
			worst = max(worst, exitOfRun(err))
			continue
		}
		for _, k := range seen {
			at := slices.IndexFunc(r.Kernels, func(v validateKind) bool { return v.Op == k.Op })
			if at < 0 {
				at = len(r.Kernels)
				r.Kernels = append(r.Kernels, validateKind{Op: k.Op})
			}
			r.Kernels[at].Nodes, r.Kernels[at].MeasuredS = k.Nodes, k.Seconds
		}
		slices.SortStableFunc(r.Kernels, func(a, b validateKind) int { return cmp.Compare(b.MeasuredS, a.MeasuredS) })
	}
	return worst, nil
}
