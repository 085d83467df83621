package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/plots"
	"github.com/onnxcost/onnxcost/specs"
)

// plotRun is one run of the plot command.
type plotRun struct {
	s        streams
	o        plotOptions
	req      plotRequest
	style    plots.Style
	device   *specs.Device
	cost     costmodel.Options
	accuracy *userTable
	measured []timedRow
	subjects []*plots.Subject
	args     []string // of the subjects, as given
	worst    int
}

func runPlot(ctx context.Context, s streams, o plotOptions, args []string) error {
	if o.list {
		return listFigures(s)
	}
	r := &plotRun{s: s, o: o}
	var err error
	if r.style, err = o.style(); err != nil {
		return err
	}
	if r.req, err = parsePlotArgs(args); err != nil {
		return err
	}
	if r.device, err = loadDevice(o.device); err != nil {
		return err
	}
	if r.cost, err = o.costOptions(); err != nil {
		return err
	}
	if o.accuracy != "" {
		if r.accuracy, err = readUserTable(o.accuracy); err != nil {
			return &codedError{exitInput, err}
		}
	}
	if o.measured != "" {
		if r.measured, err = readMeasurements(o.measured); err != nil {
			return &codedError{exitInput, err}
		}
	}
	if err := r.loadModels(ctx); err != nil {
		return err
	}
	figures, err := r.draw(ctx)
	if err != nil {
		return err
	}
	if err := r.write(figures); err != nil {
		return err
	}
	if r.worst != exitDone {
		return &reported{r.worst}
	}
	return nil
}

// loadModels compiles the models for the device; one that fails does not stop the others.
func (r *plotRun) loadModels(ctx context.Context) error {
	r.o.several(len(r.req.models))
	p := newProgress(r.s.err, len(r.req.models))
	defer p.clear()
	for i, arg := range r.req.models {
		p.show(i, arg)
		sub, err := r.loadSubject(ctx, arg)
		if err != nil {
			p.clear()
			if errors.Is(err, context.Canceled) {
				return &codedError{exitMisuse, errors.New("interrupted")}
			}
			fmt.Fprintf(r.s.err, "onnxcost: %s\n", describeError(arg, err))
			r.worst = max(r.worst, exitCode(err))
			continue
		}
		if r.o.strict && sub.Report.LowerBound() {
			r.worst = max(r.worst, exitFindings)
		}
		r.subjects, r.args = append(r.subjects, sub), append(r.args, arg)
	}
	if len(r.subjects) == 0 && len(r.req.models) > 0 {
		return &reported{r.worst}
	}
	return r.o.unused()
}

func (r *plotRun) loadSubject(ctx context.Context, arg string) (*plots.Subject, error) {
	m, name, err := loadModel(arg, r.s.in)
	if err != nil {
		return nil, err
	}
	opt, err := r.o.options(m)
	if err != nil {
		return nil, err
	}
	sub, err := plots.NewSubject(ctx, shortModel(name), m, opt, r.device, r.cost)
	if err == nil {
		r.o.note(sub.Report)
	}
	return sub, err
}

// shortModel is how figures call a model: a file's base name, a network of the zoo without its prefix.
func shortModel(name string) string {
	if name == "-" {
		return "stdin"
	}
	return strings.TrimSuffix(filepath.Base(strings.TrimPrefix(name, "zoo:")), ".onnx")
}

// drawn is one figure with the stem of its files.
type drawn struct {
	stem string
	*plots.Figure
}

func (r *plotRun) draw(ctx context.Context) ([]drawn, error) {
	var out []drawn
	if len(r.req.figures) > 0 {
		d, err := r.dataset(ctx)
		if err != nil {
			return nil, err
		}
		for _, f := range r.req.figures {
			out = append(out, drawn{f.Name, f.Draw(d, r.style)})
		}
	}
	for _, c := range r.req.own {
		some, err := r.drawOwn(c)
		if err != nil {
			return nil, err
		}
		out = append(out, some...)
	}
	return out, nil
}

// dataset is what the paper's figures are drawn from.
func (r *plotRun) dataset(ctx context.Context) (*plots.Dataset, error) {
	var d *plots.Dataset
	switch r.o.source {
	case "paper":
		d = plots.PaperDataset()
	case "measured":
		var err error
		if d, err = r.measuredDataset(ctx); err != nil {
			return nil, err
		}
	default:
		model, err := plots.PredictPaper(ctx, r.device, r.cost)
		if err != nil {
			return nil, err
		}
		d = model
		if r.o.source == "both" {
			d = plots.Join(plots.PaperDataset(), model)
		}
	}
	for i, sub := range r.subjects {
		if slices.Contains(r.args[:i], r.args[i]) {
			continue
		}
		if paperNetwork(r.args[i]) != "" && r.o.source != "measured" {
			continue // it is in the figure already
		}
		if err := d.Add(sub, r.accuracy.value(r.args[i], "top1")); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// paperNetwork is the name in the paper of a network of the zoo.
func paperNetwork(arg string) string {
	if name, ok := strings.CutPrefix(arg, "zoo:"); ok {
		if n, ok := specs.Paper().Network(name); ok {
			return n.Name
		}
	}
	return ""
}

// drawOwn draws one of the tool's own charts.
func (r *plotRun) drawOwn(c ownChart) ([]drawn, error) {
	if c.all != nil {
		f, err := c.all(r)
		if err != nil {
			return nil, err
		}
		return []drawn{{c.name, f}}, nil
	}
	var out []drawn
	for _, sub := range r.subjects {
		f, err := c.each(r, sub)
		if err != nil {
			return nil, err
		}
		out = append(out, drawn{c.name + "-" + safeStem(sub.Name), f})
	}
	return out, nil
}

// predictedChart is a chart of a model's kernels at the batch size asked for.
func predictedChart(draw func(string, *costmodel.Prediction, *specs.Device, plots.Style) *plots.Figure) func(*plotRun, *plots.Subject) (*plots.Figure, error) {
	return func(r *plotRun, sub *plots.Subject) (*plots.Figure, error) {
		p, err := sub.Predictor.At(r.o.batch, nil)
		if err != nil {
			return nil, err
		}
		return draw(sub.Name, p, r.device, r.style), nil
	}
}

func (r *plotRun) memory(sub *plots.Subject) (*plots.Figure, error) {
	return plots.MemoryTimeline(sub.Name, sub.Report, r.style)
}

func (r *plotRun) batch() (*plots.Figure, error) {
	var sweeps []plots.Sweep
	for _, sub := range r.subjects {
		sw, err := sweep(sub)
		if err != nil {
			return nil, err
		}
		sweeps = append(sweeps, sw)
	}
	return plots.Batch(sweeps, r.device, r.style), nil
}

// sweep predicts a model at powers of two up to 256, or at its only batch size.
func sweep(sub *plots.Subject) (plots.Sweep, error) {
	sw := plots.Sweep{Name: sub.Name}
	var option *costmodel.OptionError
	for b := int64(1); b <= 256; b *= 2 {
		p, err := sub.Predictor.At(b, nil)
		if errors.As(err, &option) {
			base, err := sub.Predictor.At(0, nil)
			if err != nil {
				return sw, err
			}
			sw.Predictions = []*costmodel.Prediction{base}
			sw.Notes = append(sw.Notes, fmt.Sprintf("its input fixes the batch at %d", base.Batch))
			return sw, nil
		}
		if err != nil {
			return sw, err
		}
		sw.Predictions = append(sw.Predictions, p)
	}
	return sw, nil
}

func (r *plotRun) pareto() (*plots.Figure, error) {
	var ts []plots.Tradeoff
	axis := "Energy per sample [J]"
	if r.o.cost == "latency" {
		axis = "Latency per sample [ms]"
	}
	subtitle := ""
	for i, sub := range r.subjects {
		p, err := sub.Predictor.At(r.o.batch, nil)
		if err != nil {
			return nil, err
		}
		t := plots.Tradeoff{Name: sub.Name, Paper: paperNetwork(r.args[i]), Cost: float64(p.EnergyPerSampleJ), Value: r.accuracy.value(r.args[i], r.o.column)}
		if r.o.cost == "latency" {
			t.Cost = 1e3 * p.LatencyS / float64(p.Batch)
		}
		if t.Paper != "" && math.IsNaN(t.Value) && r.o.column == "top1" {
			n, _ := specs.Paper().Network(t.Paper)
			t.Name, t.Value = n.Name, n.Top1Percent
		}
		ts = append(ts, t)
		subtitle = fmt.Sprintf("Predicted for %s (%s, %s, batch %d).", r.device.Name, p.Runtime, p.Precision, p.Batch)
	}
	value := r.o.column
	if value == "top1" {
		value = "Top-1 accuracy [%]"
	}
	return plots.Pareto(ts, axis, value, subtitle, r.style), nil
}

// safeStem makes a model's name part of a file name.
func safeStem(name string) string {
	return strings.Map(func(c rune) rune {
		if strings.ContainsRune(`/\:*?"<>| `, c) || c < ' ' {
			return '_'
		}
		return c
	}, name)
}

// withFlags adds to notes about what is missing the flag that gives it.
func withFlags(notes []string) []string {
	list := make([]string, len(notes)) // not null in JSON
	for i, n := range notes {
		if list[i] = n; strings.HasPrefix(n, "No accuracy is known: ") || strings.HasPrefix(n, "No value is known: ") {
			list[i] += " --accuracy FILE gives it."
		}
	}
	return list
}

// plotEntry is one figure in JSON.
type plotEntry struct {
	Name     string   `json:"name"`
	Title    string   `json:"title"`
	Files    []string `json:"files"`
	Findings []string `json:"findings"`
	Notes    []string `json:"notes"`
}

// write saves the figures, several at a time, and tells what each says.
func (r *plotRun) write(figures []drawn) error {
	if err := os.MkdirAll(r.o.dir, 0o777); err != nil {
		return err
	}
	stems := map[string]int{}
	entries := make([]plotEntry, len(figures))
	errs := make([]error, len(figures))
	var wg sync.WaitGroup
	for i, f := range figures {
		stems[f.stem]++
		if n := stems[f.stem]; n > 1 {
			f.stem = fmt.Sprintf("%s-%d", f.stem, n)
		}
		entries[i] = plotEntry{f.stem, f.Title, []string{}, append([]string{}, f.Findings...), withFlags(f.Notes)}
		wg.Go(func() {
			for _, format := range r.o.formats {
				path := filepath.Join(r.o.dir, f.stem+"."+format)
				if errs[i] = writePicture(path, f.Figure); errs[i] != nil {
					return
				}
				entries[i].Files = append(entries[i].Files, path)
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return r.render(entries)
}

func (r *plotRun) render(entries []plotEntry) error {
	switch r.o.output {
	case "json":
		return writeJSON(r.s.out, struct {
			Schema  string      `json:"schema"`
			Figures []plotEntry `json:"figures"`
		}{"onnxcost/plot/v1", entries})
	case "ndjson":
		enc := json.NewEncoder(r.s.out)
		for _, e := range entries {
			if err := enc.Encode(e); err != nil {
				return err
			}
		}
		return nil
	}
	for _, e := range entries {
		fmt.Fprintln(r.s.out, strings.Join(e.Files, " "))
		for _, line := range append(e.Findings, e.Notes...) {
			fmt.Fprintf(r.s.out, "  %s\n", line)
		}
	}
	return nil
}
