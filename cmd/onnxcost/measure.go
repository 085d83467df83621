package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/onnxcost/onnxcost/calibrate"
	"github.com/onnxcost/onnxcost/specs"
)

type measureOptions struct {
	modelFlags
	backendFlags
	threads int
	batch   string
	length  time.Duration
	output  string
}

var measureOutputs = []string{"table", "json", "ndjson", "csv", "markdown"}

func newMeasure(s streams) *cobra.Command {
	var o measureOptions
	c := &cobra.Command{
		Use:   "measure MODEL...",
		Short: "Run models on this machine and say how long they take",
		Long: `Run models and report the median time of one inference with its spread. Several models take turns in random order, so
that drift hits all alike. Inputs are random numbers of the right type and shape unless --inputs gives them. A model
that does not run is reported and does not stop the others.

Where the energy counters of the processor can be read (RAPL, on Linux), rows also have the energy of one inference, of the
whole package and above idle, and the mean power; where they cannot, a line says why.`,
		Example: `  onnxcost measure model.onnx --backend ort
  onnxcost measure zoo:resnet18 zoo:squeezenet1_1 --batch 1,8 --threads 2`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return misuse("measure: no model; give a path, - for stdin, or zoo:NAME")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return runMeasure(cmd.Context(), s, o, args) },
	}
	f := c.Flags()
	o.modelFlags.add(f)
	o.backendFlags.add(c, f, "ort")
	f.IntVar(&o.threads, "threads", 1, "threads of the runtime")
	f.StringVar(&o.batch, "batch", "", "batch sizes, `1,2,4,8`")
	f.DurationVar(&o.length, "for", 3*time.Second, "time for each model and batch size")
	f.StringVarP(&o.output, "output", "o", "table", strings.Join(measureOutputs, ", "))
	completeWords(c, "output", measureOutputs)
	c.ValidArgsFunction = completeModels
	return c
}

// measurement is one row of the measure command. Times are seconds.
type measurement struct {
	Model   string  `json:"model"`
	Batch   int64   `json:"batch"`
	Threads int     `json:"threads"`
	MedianS float64 `json:"median_s"`
	P10S    float64 `json:"p10_s"`
	P90S    float64 `json:"p90_s"`
	Runs    int     `json:"runs"`
	BestS   float64 `json:"best_s"`    // lowest median of a burst
	LowS    float64 `json:"ci95_lo_s"` // of the median
	HighS   float64 `json:"ci95_hi_s"`
	measuredEnergy
	Warnings []string `json:"warnings,omitempty"`
}

// measuredEnergy is what RAPL showed; all fields are nil, and no keys, where it could not be read. Joules are of one
// inference of the batch.
type measuredEnergy struct {
	EnergyJ    *float64 `json:"energy_j,omitempty"`     // idle power included
	NetEnergyJ *float64 `json:"net_energy_j,omitempty"` // above idle
	PowerW     *float64 `json:"power_w,omitempty"`      // idle power included
	NetPowerW  *float64 `json:"net_power_w,omitempty"`
	Covers     string   `json:"power_covers,omitempty"`
}

func newMeasuredEnergy(e *calibrate.Energy, of specs.PowerScope) measuredEnergy {
	if e == nil {
		return measuredEnergy{}
	}
	return measuredEnergy{&e.Joules, &e.NetJoules, &e.Watts, &e.NetWatts, string(of)}
}

// energyColumns are the names in CSV of what cells gives.
var energyColumns = []string{"energy_j", "net_energy_j", "power_w", "net_power_w"}

func (m *measuredEnergy) cells() []string {
	var out []string
	for _, v := range []*float64{m.EnergyJ, m.NetEnergyJ, m.PowerW, m.NetPowerW} {
		text := ""
		if v != nil {
			text = strconv.FormatFloat(*v, 'g', 6, 64)
		}
		out = append(out, text)
	}
	return out
}

// withEnergy reports whether any row has energy: only then there are columns for it.
func withEnergy(rows []measurement) bool {
	return slices.ContainsFunc(rows, func(r measurement) bool { return r.EnergyJ != nil })
}

func runMeasure(ctx context.Context, s streams, o measureOptions, args []string) error {
	if err := oneOf("-o", o.output, measureOutputs); err != nil {
		return err
	}
	rows, worst, err := measureModels(ctx, s, &o.modelFlags, &o.backendFlags, o.threads, 0, o.batch, o.length, args)
	if err != nil {
		return err
	}
	if err := renderMeasurements(s, o.output, rows); err != nil {
		return err
	}
	if worst != exitDone {
		return &reported{worst}
	}
	return nil
}

// measureModels runs the models of the arguments; calmS is as in calibrate.MeasureOptions. Models that fail are reported on the way.
func measureModels(ctx context.Context, s streams, m *modelFlags, b *backendFlags, threads int, calmS float64, batch string, length time.Duration, args []string) ([]measurement, int, error) {
	batches, err := parseCounts("--batch", batch)
	if err != nil {
		return nil, 0, err
	}
	if threads < 1 {
		return nil, 0, misuse("--threads %d: want at least 1", threads)
	}
	if length < 10*time.Millisecond || length > time.Hour {
		return nil, 0, misuse("--for %s: want 10ms to 1h", length)
	}
	lib, err := b.open()
	if err != nil {
		return nil, 0, err
	}
	jobs, worst := loadJobs(s, args, m)
	rules := calibrate.DefaultRules(length, b.seed)
	rules.RAPL = b.counters(s)
	got, err := calibrate.MeasureORT(ctx, lib, jobs, calibrate.MeasureOptions{Threads: threads, Batches: batches,
		Rules: rules, Provider: b.provider, CalmS: calmS, Progress: progressLine(s.err, "measure")})
	if err != nil && !errors.Is(err, context.Canceled) {
		return nil, 0, err
	}
	if err != nil {
		fmt.Fprintln(s.err, "onnxcost: interrupted; what follows had been measured")
		worst = max(worst, exitMisuse)
	}
	var scope specs.PowerScope
	if r := rules.RAPL; r != nil {
		scope = r.Covers()
		for _, n := range r.Notes() {
			fmt.Fprintf(s.err, "onnxcost: %s\n", n)
		}
		if err := r.Err(); err != nil {
			fmt.Fprintf(s.err, "onnxcost: energy is unavailable: %v\n", err)
		}
	}
	var rows []measurement
	for _, x := range got {
		if x.Err != nil {
			fmt.Fprintf(s.err, "onnxcost: %s\n", describeError(x.Model, x.Err))
			worst = max(worst, exitOfRun(x.Err))
			continue
		}
		if x.Runs == 0 {
			continue
		}
		rows = append(rows, measurement{Model: x.Model, Batch: x.Batch, Threads: x.Threads, MedianS: x.Median, P10S: x.P10, P90S: x.P90,
			Runs: x.Runs, BestS: x.Best, LowS: x.Lo, HighS: x.Hi, Warnings: x.Warnings,
			measuredEnergy: newMeasuredEnergy(x.Energy, scope)})
	}
	return rows, worst, nil
}

func renderMeasurements(s streams, form string, rows []measurement) error {
	switch form {
	case "json":
		if rows == nil {
			rows = []measurement{}
		}
		return writeJSON(s.out, struct {
			Schema       string        `json:"schema"`
			Measurements []measurement `json:"measurements"`
		}{"onnxcost/measure/v1", rows})
	case "ndjson":
		for _, r := range rows {
			if err := json.NewEncoder(s.out).Encode(r); err != nil {
				return err
			}
		}
		return nil
	case "csv":
		var cells [][]string
		header := []string{"model", "batch", "measured_s", "threads", "p10_s", "p90_s", "best_s", "runs"}
		energy := withEnergy(rows)
		if energy {
			header = append(header, energyColumns...)
		}
		for _, r := range rows {
			num := func(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
			cells = append(cells, []string{r.Model, strconv.FormatInt(r.Batch, 10), num(r.MedianS), strconv.Itoa(r.Threads), num(r.P10S),
				num(r.P90S), num(r.BestS), strconv.Itoa(r.Runs)})
			if energy {
				cells[len(cells)-1] = append(cells[len(cells)-1], r.cells()...)
			}
		}
		for _, r := range rows { // CSV has no place for them
			warnOf(s.err, "onnxcost: ", r.Model, r.Batch, r.Warnings)
		}
		return writeCSV(s.out, header, cells)
	}
	g := grid{columns: []column{{"model", false, 40}, {"batch", true, 0}, {"threads", true, 0}, {"median", true, 0}, {"p10", true, 0},
		{"p90", true, 0}, {"runs", true, 0}}}
	energy := withEnergy(rows)
	if energy {
		g.columns = append(g.columns, column{"energy", true, 0}, column{"above idle", true, 0}, column{"power", true, 0})
	}
	of := ""
	for _, r := range rows {
		cells := []string{r.Model, fmt.Sprint(r.Batch), fmt.Sprint(r.Threads), durationText(r.MedianS), durationText(r.P10S), durationText(r.P90S), fmt.Sprint(r.Runs)}
		switch {
		case r.EnergyJ != nil:
			cells = append(cells, scale(*r.EnergyJ, "J"), scale(*r.NetEnergyJ, "J"), scale(*r.PowerW, "W"))
			of = r.Covers
		case energy:
			cells = append(cells, "", "", "")
		}
		g.add(cells...)
	}
	if form == "markdown" {
		return g.markdown(s.out)
	}
	if err := g.render(s.out); err != nil {
		return err
	}
	if energy {
		fmt.Fprintf(s.out, "energy and power: of the %s by RAPL, over whole bursts\n", scopeText(of))
	}
	for _, r := range rows {
		warnOf(s.out, "", r.Model, r.Batch, r.Warnings)
	}
	return nil
}

// warnOf says what is wrong with a measurement.
func warnOf(w io.Writer, prefix, model string, batch int64, warnings []string) {
	for _, text := range warnings {
		fmt.Fprintf(w, "%s%s, batch %d: %s\n", prefix, model, batch, text)
	}
}
