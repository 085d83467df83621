package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/plots"
	"github.com/onnxcost/onnxcost/specs"
)

type plotOptions struct {
	modelFlags
	source    string
	device    string
	runtime   string
	precision string
	threads   int
	batch     int64
	formats   []string
	dir       string
	accuracy  string
	column    string
	cost      string
	measured  string
	theme     string
	palette   string
	size      string
	list      bool
	output    string
}

var (
	plotSources = []string{"both", "paper", "model", "measured"}
	plotCosts   = []string{"energy", "latency"}
	plotOutputs = []string{"table", "json", "ndjson"}
)

func newPlot(s streams) *cobra.Command {
	var o plotOptions
	c := &cobra.Command{
		Use:   "plot FIGURE...|all [MODEL...]",
		Short: "Draw the paper's figures and a model's own charts",
		Long: `Draw the ten figures of arXiv:1605.07678 from the published points, from predictions for any device, or from both, and
charts of any model's cost. Models named after the figures join them; accuracy comes from --accuracy, as it cannot be
predicted. What is missing is said on the figure. 'onnxcost plot --list' describes the figures.

'all' is the ten figures, and with models also their own charts.`,
		Example: `  onnxcost plot all --dir figures
  onnxcost plot top1-ops my.onnx --accuracy accuracy.csv --format svg
  onnxcost plot roofline layers memory zoo:resnet50 --device rtx-4090 --theme dark
  onnxcost plot all --source measured --measured measured.csv --dir figures
  onnxcost plot pareto zoo:all --device jetson-tx1 --accuracy accuracy.csv --column top1`,
		RunE: func(cmd *cobra.Command, args []string) error { return runPlot(cmd.Context(), s, o, args) },
	}
	f := c.Flags()
	o.add(f)
	f.StringVar(&o.source, "source", "both", "points of the paper's figures: paper (published), model (predicted), both, or measured (--measured FILE)")
	f.StringVar(&o.device, "device", specs.Paper().Board.Device, "device `NAME|FILE` of predictions")
	f.StringVar(&o.runtime, "runtime", "", "runtime profile: "+strings.Join(runtimeNames(), ", ")+" (default: the device's)")
	f.StringVar(&o.precision, "precision", "", strings.Join(predictPrecisions, ", ")+" (default: the model's own)")
	f.IntVar(&o.threads, "threads", 0, "threads of the runtime on a CPU (default: those of the device's fits, or all cores)")
	f.Int64Var(&o.batch, "batch", 0, "batch size of roofline, layers and pareto (default: the model's, or 1)")
	f.StringSliceVar(&o.formats, "format", []string{"png"}, "formats, `png,svg,pdf`")
	f.StringVar(&o.dir, "dir", ".", "`DIR` to write to; made where it does not exist")
	f.StringVar(&o.accuracy, "accuracy", "", "CSV `FILE` with a column model and others such as top1, in percent")
	f.StringVar(&o.column, "column", "top1", "the column of --accuracy that pareto draws")
	f.StringVar(&o.cost, "cost", "energy", "what pareto draws it against: "+strings.Join(plotCosts, ", "))
	f.StringVar(&o.measured, "measured", "", "CSV `FILE` of measurements: model,batch,measured_s and optionally net_power_w (or power_w, above idle),memory_bytes,predicted_s,group")
	f.StringVar(&o.theme, "theme", "light", "light or dark")
	f.StringVar(&o.palette, "palette", "paper", "colours: paper (as published) or safe (for colour-blind readers)")
	f.StringVar(&o.size, "size", "", "`WxH` in pixels of 1/96 inch; PNG files have two dots to a pixel")
	f.BoolVar(&o.list, "list", false, "describe the figures and stop")
	f.StringVarP(&o.output, "output", "o", "table", strings.Join(plotOutputs, ", "))
	completeWords(c, "source", plotSources)
	completeWords(c, "device", specs.DeviceNames())
	completeWords(c, "runtime", runtimeNames())
	completeWords(c, "precision", predictPrecisions)
	completeWords(c, "format", plots.Formats())
	completeWords(c, "cost", plotCosts)
	completeWords(c, "theme", []string{"light", "dark"})
	completeWords(c, "palette", []string{"paper", "safe"})
	completeWords(c, "output", plotOutputs)
	c.ValidArgsFunction = func(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
		if strings.HasPrefix(prefix, "zoo:") || strings.ContainsAny(prefix, "./") {
			return completeModels(cmd, args, prefix)
		}
		return append(figureNames(), "zoo:"), cobra.ShellCompDirectiveDefault
	}
	return c
}

// ownChart is one of the tool's own charts: each draws one figure for a model, all one for every model together.
type ownChart struct {
	name, title string
	measured    bool // needs --measured and no model
	each        func(*plotRun, *plots.Subject) (*plots.Figure, error)
	all         func(*plotRun) (*plots.Figure, error)
}

var ownCharts = []ownChart{
	{name: "roofline", title: "kernels under the roofs of the device, sized by time", each: predictedChart(plots.Roofline)},
	{name: "layers", title: "time, operations and energy along the network", each: predictedChart(plots.Layers)},
	{name: "memory", title: "live activations over the run, with the peak named", each: (*plotRun).memory},
	{name: "batch", title: "latency, throughput and energy against batch size", all: (*plotRun).batch},
	{name: "pareto", title: "accuracy, or a column of --accuracy, against energy or latency, with the frontier", all: (*plotRun).pareto},
	{name: "fit", title: "fitted against measured times by group (--measured with predicted_s and group)", measured: true,
		all: func(r *plotRun) (*plots.Figure, error) { return r.pairs("fit") }},
	{name: "validate", title: "predicted against measured times with the ±10 % band (--measured)", measured: true,
		all: func(r *plotRun) (*plots.Figure, error) { return r.pairs("validate") }},
}

func figureNames() []string {
	var out []string
	for _, f := range plots.PaperFigures() {
		out = append(out, f.Name)
	}
	for _, c := range ownCharts {
		out = append(out, c.name)
	}
	return append(out, "all")
}

// plotRequest is what the arguments ask for.
type plotRequest struct {
	figures []plots.PaperFigure
	own     []ownChart
	models  []string
}

// parse tells figures from models: a model has a path separator, an extension or the prefix zoo:, is "-", or is a file.
func parsePlotArgs(args []string) (plotRequest, error) {
	var r plotRequest
	all := false
	for _, a := range args {
		if f, err := plots.PaperFigureByName(a); err == nil {
			r.figures = append(r.figures, f)
			continue
		}
		if a == "all" {
			all = true
			continue
		}
		if c, ok := ownChartByName(a); ok {
			r.own = append(r.own, c)
			continue
		}
		if a == "-" || strings.ContainsAny(a, `./\:`) {
			r.models = append(r.models, a)
			continue
		}
		if _, err := os.Stat(a); err == nil {
			r.models = append(r.models, a)
			continue
		}
		return r, misuse("plot %s: no such figure and no such file%s", a, specs.Suggest(a, figureNames()))
	}
	r.models = expandZoo(r.models)
	if all {
		r.figures = plots.PaperFigures()
		if len(r.models) > 0 {
			for _, c := range ownCharts {
				if !c.measured {
					r.own = append(r.own, c)
				}
			}
		}
	}
	if len(r.figures)+len(r.own) == 0 {
		return r, misuse("plot: no figure; want one of %s", strings.Join(figureNames(), ", "))
	}
	for _, c := range r.own {
		if len(r.models) == 0 && !c.measured {
			return r, misuse("plot %s: no model; give a path, - for stdin, or zoo:NAME", c.name)
		}
	}
	return r, nil
}

func ownChartByName(name string) (ownChart, bool) {
	for _, c := range ownCharts {
		if c.name == name {
			return c, true
		}
	}
	return ownChart{}, false
}

// style turns the flags into a style, and checks the others that have fixed values.
func (o *plotOptions) style() (plots.Style, error) {
	var st plots.Style
	for _, w := range []struct {
		flag, value string
		want        []string
	}{{"--source", o.source, plotSources}, {"--cost", o.cost, plotCosts}, {"-o", o.output, plotOutputs}} {
		if err := oneOf(w.flag, w.value, w.want); err != nil {
			return st, err
		}
	}
	for _, f := range o.formats {
		if err := oneOf("--format", f, plots.Formats()); err != nil {
			return st, err
		}
	}
	if o.precision != "" {
		if err := oneOf("--precision", o.precision, predictPrecisions); err != nil {
			return st, err
		}
	}
	if o.batch < 0 {
		return st, misuse("--batch %d: want at least 1", o.batch)
	}
	var err error
	if st.Theme, err = plots.ThemeByName(o.theme); err != nil {
		return st, misuse("--%v", err)
	}
	if st.Palette, err = plots.PaletteByName(o.palette); err != nil {
		return st, misuse("--%v", err)
	}
	if o.size != "" {
		if st.Width, st.Height, err = plots.ParseSize(o.size); err != nil {
			return st, misuse("--%v", err)
		}
	}
	if o.source == "measured" && o.measured == "" {
		return st, misuse("--source measured: give the measurements with --measured FILE.csv")
	}
	return st, nil
}

// costOptions are the flags that predictions take.
func (o *plotOptions) costOptions() (costmodel.Options, error) {
	c := costmodel.Options{Precision: specs.DType(o.precision), Threads: o.threads}
	if o.runtime != "" {
		rt, err := costmodel.ParseRuntime(o.runtime)
		if err != nil {
			return c, misuse("--%v", err)
		}
		c.Runtime = rt
	}
	return c, nil
}

// listFigures describes what can be drawn.
func listFigures(s streams) error {
	g := &grid{columns: []column{{title: "figure"}, {title: "in the paper"}, {title: "shows"}}}
	for _, f := range plots.PaperFigures() {
		g.add(f.Name, f.Alias, f.Title)
	}
	for _, c := range ownCharts {
		g.add(c.name, "", c.title)
	}
	g.add("all", "", "the ten figures of the paper; with models also their own charts")
	if err := g.render(s.out); err != nil {
		return err
	}
	_, err := fmt.Fprintln(s.out, "\nsources of the paper's figures: paper (published points), model (predicted for --device), both, measured (--measured)")
	return err
}
