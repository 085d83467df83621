package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/specs"
)

func newDevicesShow(s streams) *cobra.Command {
	output := "table"
	outputs := []string{"table", "json", "yaml", "markdown"}
	var fit bool
	c := &cobra.Command{
		Use:   "show NAME|FILE",
		Short: "Show a device: every figure with its source, its fits, or the assumptions that stand in for them",
		Example: `  onnxcost devices show rtx-4090
  onnxcost devices show jetson-tx1 --fit`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return misuse("devices show: want one device, one of %s or a file", strings.Join(specs.DeviceNames(), ", "))
			}
			return nil
		},
		ValidArgs: specs.DeviceNames(),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := oneOf("-o", output, outputs); err != nil {
				return err
			}
			d, err := loadDevice(args[0])
			if err != nil {
				return err
			}
			if fit {
				return showFit(cmd, s, d, output)
			}
			return showDevice(s, d, output)
		},
	}
	c.Flags().BoolVar(&fit, "fit", false, "fit the paper's board again and hold it to every point of Figures 3 and 4")
	c.Flags().StringVarP(&output, "output", "o", "table", strings.Join(outputs, ", "))
	completeWords(c, "output", outputs)
	return c
}

func showDevice(s streams, d *specs.Device, output string) error {
	switch output {
	case "yaml":
		data, err := specs.MarshalDevice(d)
		if err != nil {
			return err
		}
		_, err = s.out.Write(data)
		return err
	case "json":
		return writeJSON(s.out, d)
	}
	md := output == "markdown"
	head := ""
	if md {
		head = "### "
	}
	kind := []string{string(d.Class)}
	if d.Architecture != "" {
		kind = append(kind, d.Architecture)
	}
	if d.Year != 0 {
		kind = append(kind, fmt.Sprint(d.Year))
	}
	kind = append(kind, string(d.Kind))
	fmt.Fprintf(s.out, "%s%s  %s\n\n%s; %s\n\n", head, d.Name, d.Title, strings.Join(kind, ", "), d.Mode)
	if err := writeGrid(s, figureGrid(d), md); err != nil {
		return err
	}
	for _, n := range d.Notes {
		fmt.Fprintf(s.out, "\n%s\n", n)
	}
	for i := range d.Fits {
		fmt.Fprintln(s.out)
		if err := showOneFit(s, &d.Fits[i], md); err != nil {
			return err
		}
	}
	if d.Kind == specs.Calibrated {
		return nil
	}
	fmt.Fprintf(s.out, "\nAssumptions in place of measurements, with the range that 90 %% of devices are taken to be in\n\n")
	g := &grid{columns: []column{{title: "assumption"}, {title: "value", right: true}, {title: "range", right: true}, {title: "of"}}}
	for _, p := range costmodel.Priors() {
		g.add(p.Name, fmt.Sprintf("%.2f", p.Value), fmt.Sprintf("%.2f to %.2f", p.Low, p.High), strings.TrimPrefix(p.Unit, "of "))
	}
	if err := writeGrid(s, g, md); err != nil {
		return err
	}
	fmt.Fprintln(s.out)
	for _, p := range costmodel.Priors() {
		fmt.Fprintf(s.out, "%s: %s.\n", p.Name, p.Reason)
	}
	fmt.Fprintf(s.out, "power: %s.\n", costmodel.PowerReason)
	return nil
}

// figureGrid lists the figures of a device with their sources.
func figureGrid(d *specs.Device) *grid {
	g := &grid{columns: []column{{title: "figure"}, {title: "value", right: true}, {title: "source", max: 110}}}
	add := func(name string, f *specs.Figure, text func(float64) string) {
		if f != nil {
			g.add(name, text(f.Value), d.Citation(*f))
		}
	}
	unit := func(u string) func(float64) string { return func(v float64) string { return scale(v, u) } }
	add("units", &d.Compute.Units, func(v float64) string { return fmt.Sprint(v) })
	add("boost clock", d.Compute.BoostHz, unit("Hz"))
	if p := d.Processor; p != nil {
		names := make([]string, len(p.Features))
		for i, f := range p.Features {
			names[i] = string(f)
		}
		g.add("architecture", string(p.Architecture()), d.Citation(specs.Figure{Source: p.Source, Estimate: p.Estimate})+": "+strings.Join(names, " "))
		add("channel block", p.ChannelBlock, func(v float64) string { return fmt.Sprint(v) })
	}
	for _, m := range []struct {
		name  string
		rates map[specs.DType]specs.Rate
	}{{"peak", d.Peak}, {"peak, fp16 sums", d.PeakFP16Accumulate}, {"vector", d.PeakVector}} {
		for _, t := range []specs.DType{specs.FP64, specs.FP32, specs.TF32, specs.FP16, specs.BF16, specs.FP8, specs.FP4, specs.INT8, specs.INT4} {
			if r, ok := m.rates[t]; ok {
				g.add(m.name+" "+string(t), scale(r.Value, "FLOP/s"), d.Citation(r.Figure))
			}
		}
	}
	add("memory", &d.Memory.CapacityBytes, byteSize)
	add("memory bandwidth", &d.Memory.BandwidthBytesPerS, unit("B/s"))
	add("bandwidth of one core", d.Memory.UnitBandwidthBytesPerS, unit("B/s"))
	for i := range d.Caches {
		c := &d.Caches[i]
		per := ""
		if c.Scope == specs.PerUnit {
			per = " per unit"
		}
		add(c.Name+per, &c.CapacityBytes, byteSize)
		add(c.Name+" bandwidth"+per, c.BandwidthBytesPerS, unit("B/s"))
	}
	add("gap between kernels", d.Overhead.GapS, unit("s"))
	add("launch", d.Overhead.LaunchS, unit("s"))
	add("dispatch", d.Overhead.DispatchS, unit("s"))
	add("idle power", d.Power.IdleW, unit("W"))
	add("power limit", d.Power.LimitW, unit("W"))
	return g
}

// showOneFit prints the coefficients of a fit with their standard errors.
func showOneFit(s streams, f *specs.Fit, md bool) error {
	fmt.Fprintf(s.out, "Fit of %s, form %s", fitTitle(f), f.Form)
	if f.Score != nil {
		fmt.Fprintf(s.out, ": mean error %.1f %%", 100*f.Score.MAPE)
		if f.Score.HeldOutMAPE > 0 {
			fmt.Fprintf(s.out, ", held out %.1f %% (%s)", 100*f.Score.HeldOutMAPE, f.Score.HeldOut)
		}
	}
	fmt.Fprintf(s.out, "\n\n")
	g := &grid{columns: []column{{title: "group"}, {title: "term"}, {title: "value", right: true}, {title: "standard error", right: true}, {title: "unit"}}}
	for _, name := range slices.Sorted(maps.Keys(f.Groups)) {
		terms := f.Groups[name].Terms
		for _, term := range slices.Sorted(maps.Keys(terms)) {
			c := terms[term]
			se := ""
			if c.SE > 0 {
				se = fmt.Sprintf("%.3g", c.SE)
			}
			g.add(name, term, fmt.Sprintf("%.4g", c.Value), se, c.Unit)
		}
	}
	if err := writeGrid(s, g, md); err != nil {
		return err
	}
	for _, n := range f.Notes {
		fmt.Fprintf(s.out, "note: %s\n", n)
	}
	return nil
}

// showFit makes the fit of the paper's board anew and prints it beside the figures, point by point.
func showFit(cmd *cobra.Command, s streams, d *specs.Device, output string) error {
	board := specs.Paper().Board.Device
	if d.Name != board {
		return misuse("--fit: only %s, whose measurements are built in, can be fitted again; fits of %s are shown without it", board, d.Name)
	}
	f, err := costmodel.FitPaper(cmd.Context(), d)
	if err != nil {
		return err
	}
	switch output {
	case "json":
		return writeJSON(s.out, f)
	case "yaml":
		return misuse("-o yaml: --fit prints as table, json or markdown")
	}
	md := output == "markdown"
	g := &grid{columns: []column{{title: "network"}, {title: "batch", right: true}, {title: "measured", right: true}, {title: "fitted", right: true}, {title: "error", right: true},
		{title: "held out", right: true}, {title: "error", right: true}, {title: "ops line", right: true}, {title: "error", right: true}, {title: "net W", right: true}, {title: "fitted", right: true}, {title: "error", right: true}}}
	err100 := func(p, m float64) string { return fmt.Sprintf("%+.0f %%", 100*(p/m-1)) }
	for _, p := range f.Points {
		g.add(p.Network, fmt.Sprint(p.Batch), scale(p.MeasuredS, "s"), scale(p.FittedS, "s"), err100(p.FittedS, p.MeasuredS), scale(p.HeldOutS, "s"), err100(p.HeldOutS, p.MeasuredS),
			scale(p.OpsS, "s"), err100(p.OpsS, p.MeasuredS), fmt.Sprintf("%.2f", p.MeasuredW), fmt.Sprintf("%.2f", p.FittedW), err100(p.FittedW, p.MeasuredW))
	}
	if err := writeGrid(s, g, md); err != nil {
		return err
	}
	sum := &grid{columns: []column{{title: fmt.Sprintf("mean error of %d points", len(f.Points))}, {title: "fitted", right: true}, {title: "network held out", right: true}}}
	pct := func(v float64) string { return fmt.Sprintf("%.1f %%", 100*v) }
	sum.add("time, by kernels", pct(f.TimeMAPE), pct(f.TimeHeldOut))
	sum.add("time, line through operations", pct(f.OpsMAPE), pct(f.OpsHeldOut))
	sum.add("time, line through published operations", pct(f.PublishedMAPE), pct(f.PublishedHeldOut))
	sum.add("net power", pct(f.PowerMAPE), pct(f.PowerHeldOut))
	sum.add("net power, one number for all", pct(f.ConstantPowerMAPE), "")
	fmt.Fprintln(s.out)
	if err := writeGrid(s, sum, md); err != nil {
		return err
	}
	fmt.Fprintln(s.out)
	for _, fit := range []specs.Fit{f.Time, f.Power} {
		if err := showOneFit(s, &fit, md); err != nil {
			return err
		}
		fmt.Fprintln(s.out)
	}
	return nil
}
