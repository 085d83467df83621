package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/costmodel"
)

// kernelGroup is kernels that share a row.
type kernelGroup struct {
	Name    string             `json:"name"`
	Kernels int                `json:"kernels"`
	TimeS   float64            `json:"time_s"`
	FLOPs   float64            `json:"flops"`
	Bytes   float64            `json:"bytes"`
	EnergyJ costmodel.Optional `json:"energy_j"`
	// BoundS divides the time among what bounds the kernels.
	BoundS map[costmodel.Bound]float64 `json:"bound_s"`
}

// groupKernels adds kernels up by operator, scope or each on its own, in order of first appearance.
func groupKernels(ks []costmodel.KernelPrediction, by string) []kernelGroup {
	index := map[string]int{}
	var out []kernelGroup
	for i, k := range ks {
		key, name := strconv.Itoa(i), k.Name
		switch by {
		case "op":
			key, name = k.Op, k.Op
		case "scope":
			key, name = k.Scope, k.Scope
			if name == "" {
				name = "(none)"
			}
		}
		at, ok := index[key]
		if !ok {
			at = len(out)
			index[key] = at
			out = append(out, kernelGroup{Name: name, BoundS: map[costmodel.Bound]float64{}})
		}
		out[at].add(k.TimeS, k.FLOPs, k.Bytes, k.EnergyJ, 1)
		out[at].BoundS[k.Bound] += k.TimeS
	}
	return out
}

func (g *kernelGroup) add(timeS, flops, bytes float64, energy costmodel.Optional, n int) {
	g.Kernels += n
	g.TimeS, g.FLOPs, g.Bytes, g.EnergyJ = g.TimeS+timeS, g.FLOPs+flops, g.Bytes+bytes, g.EnergyJ+energy
}

// bound names what bounds most of the group's time, with its share where it is not all.
func (g *kernelGroup) bound() string {
	var best costmodel.Bound
	for _, b := range []costmodel.Bound{costmodel.BoundCompute, costmodel.BoundMemory, costmodel.BoundOverhead} {
		if best == "" || g.BoundS[b] > g.BoundS[best] {
			best = b
		}
	}
	if share := g.BoundS[best] / g.TimeS; share < 0.995 && g.TimeS > 0 {
		return fmt.Sprintf("%s %.0f %%", best, 100*share)
	}
	return string(best)
}

// topKernels keeps the n slowest groups, slowest first, and adds the rest up; n = 0 keeps all. Kernels on their own stay
// in the order of execution.
func topKernels(gs []kernelGroup, by string, n int) []kernelGroup {
	if by == "kernel" && n == 0 {
		return gs
	}
	gs = slices.Clone(gs)
	slices.SortStableFunc(gs, func(a, b kernelGroup) int { return cmp.Compare(b.TimeS, a.TimeS) })
	if n == 0 || len(gs) <= n {
		return gs
	}
	rest := kernelGroup{Name: fmt.Sprintf("(%d others)", len(gs)-n), BoundS: map[costmodel.Bound]float64{}}
	for _, g := range gs[n:] {
		rest.add(g.TimeS, g.FLOPs, g.Bytes, g.EnergyJ, g.Kernels)
		for b, t := range g.BoundS {
			rest.BoundS[b] += t
		}
	}
	return append(gs[:n:n], rest)
}

// setting is what a prediction is for, in a line.
func setting(p *costmodel.Prediction) string {
	parts := []string{string(p.Runtime), string(p.Precision)}
	if p.Threads > 0 {
		parts = append(parts, threadCount(p.Threads))
	}
	return strings.Join(append(parts, fmt.Sprintf("batch %d", p.Batch), string(p.Provenance)), ", ")
}

// powerOf says where the power comes from and what it is of.
func powerOf(p *costmodel.Prediction) string {
	if p.PowerCovers == "" {
		return string(p.PowerProvenance)
	}
	return string(p.PowerProvenance) + ", of the " + scopeText(string(p.PowerCovers))
}

// scopeText writes package+dram for people.
func scopeText(scope string) string { return strings.ReplaceAll(scope, "+", " and ") }

// span prints an interval with its level.
func span(low, high, level float64, unit string) string {
	return fmt.Sprintf("%.0f %%: %s to %s", 100*level, scale(low, unit), scale(high, unit))
}

// renderPrediction writes one prediction for people.
func renderPrediction(s streams, o *predictOptions, x predicted) error {
	md, p := o.output == "markdown", x.Prediction
	title := fmt.Sprintf("%s on %s  %s", p.Model, p.Device, setting(p))
	if md {
		title = fmt.Sprintf("### %s on %s\n\n%s", p.Model, p.Device, setting(p))
	}
	fmt.Fprintf(s.out, "%s\n\n", title)
	g := &grid{columns: []column{{title: "total"}, {title: "value", right: true}, {title: "detail"}}}
	g.add("latency", scale(p.LatencyS, "s"), span(p.LatencyLowS, p.LatencyHighS, p.IntervalLevel, "s"))
	if p.LatencyS > 0 {
		g.add("throughput", scale(p.ThroughputPS, "samples/s"), "")
	} else {
		g.add("throughput", "unlimited", "nothing runs on the device")
	}
	if p.EnergyJ.Known() {
		g.add("energy", optional(p.EnergyJ, "J"), span(float64(p.EnergyLowJ), float64(p.EnergyHighJ), p.IntervalLevel, "J"))
		g.add("per million samples", optional(p.EnergyPerMillion(), "J"), fmt.Sprintf("%.3g kWh", float64(p.EnergyPerMillion())/3.6e6))
		g.add("power", optional(p.PowerW, "W"), fmt.Sprintf("idle %s included (%s)", optional(p.IdleW, "W"), powerOf(p)))
	} else {
		g.add("energy", "unknown", "the device states no power")
	}
	if x.Day != nil {
		g.add(fmt.Sprintf("a day at %s/s", three(x.Day.RatePerS)), optional(x.Day.EnergyJ, "J"), dayDetail(x))
	}
	g.add("peak memory", byteSize(float64(p.PeakMemoryBytes)), memoryText(p))
	g.add("ops baseline", scale(p.Baselines.Ops.LatencyS, "s"), ratioTo(p.Baselines.Ops.LatencyS, p.LatencyS)+"time linear in operations")
	g.add("roofline baseline", scale(p.Baselines.Roofline.LatencyS, "s"), ratioTo(p.Baselines.Roofline.LatencyS, p.LatencyS)+"data sheet alone")
	if err := writeGrid(s, g, md); err != nil {
		return err
	}
	if o.by != "total" {
		fmt.Fprintln(s.out)
		if err := writeGrid(s, kernelGrid(o, p), md); err != nil {
			return err
		}
	}
	return predictFootnotes(s, sharedDiagnostics([]predicted{x}))
}

func dayDetail(x predicted) string {
	if !x.Day.EnergyJ.Known() {
		return fmt.Sprintf("the device manages %s", scale(x.ThroughputPS, "samples/s"))
	}
	return fmt.Sprintf("%.3g kWh, busy %.3g %% of the time", float64(x.Day.EnergyJ)/3.6e6, 100*x.Day.RatePerS*x.LatencyS/float64(x.Batch))
}

func ratioTo(baseline, latency float64) string {
	if latency == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f of the prediction: ", baseline/latency)
}

// kernelGrid lists kernels or their groups.
func kernelGrid(o *predictOptions, p *costmodel.Prediction) *grid {
	gs := topKernels(groupKernels(p.Kernels, o.by), o.by, o.top)
	g := &grid{columns: []column{{title: o.by, max: 60}, {title: "kernels", right: true}, {title: "time", right: true}, {title: "share", right: true},
		{title: "bound"}, {title: "FLOPs", right: true}, {title: "traffic", right: true}, {title: "energy", right: true}}}
	var flops, bytes float64
	for i := range gs {
		x := &gs[i]
		flops, bytes = flops+x.FLOPs, bytes+x.Bytes
		g.add(x.Name, strconv.Itoa(x.Kernels), scale(x.TimeS, "s"), percent(x.TimeS, p.LatencyS), x.bound(), count(x.FLOPs), byteSize(x.Bytes), optional(x.EnergyJ, "J"))
	}
	g.footer = []string{"total", strconv.Itoa(len(p.Kernels)), scale(p.LatencyS, "s"), "", "", count(flops), byteSize(bytes), optional(p.EnergyJ, "J")}
	return g
}

// renderSweep is one row per model and batch size.
func renderSweep(s streams, o *predictOptions, all []predicted) error {
	p := all[0].Prediction
	md := o.output == "markdown"
	title := fmt.Sprintf("%s  %s, %s, %s", p.Device, p.Runtime, p.Precision, p.Provenance)
	if md {
		title = "### " + title
	}
	fmt.Fprintf(s.out, "%s\n\n", title)
	g := &grid{columns: []column{{title: "model", max: 40}, {title: "batch", right: true}, {title: "latency", right: true}, {title: "90 % interval", right: true},
		{title: "samples/s", right: true}, {title: "J/sample", right: true}, {title: "power", right: true}, {title: "memory", right: true}, {title: "ops", right: true}, {title: "roofline", right: true}}}
	if o.ratePerS > 0 {
		g.columns = append(g.columns, column{title: fmt.Sprintf("day at %s/s", three(o.ratePerS)), right: true})
	}
	for _, x := range all {
		row := []string{x.Model, strconv.FormatInt(x.Batch, 10), scale(x.LatencyS, "s"), scale(x.LatencyLowS, "s") + " to " + scale(x.LatencyHighS, "s"),
			three(x.ThroughputPS), optional(x.EnergyPerSampleJ, "J"), optional(x.PowerW, "W"), byteSize(float64(x.PeakMemoryBytes)),
			scale(x.Baselines.Ops.LatencyS, "s"), scale(x.Baselines.Roofline.LatencyS, "s")}
		if x.Day != nil {
			row = append(row, optional(x.Day.EnergyJ, "J"))
		}
		g.add(row...)
	}
	if err := writeGrid(s, g, md); err != nil {
		return err
	}
	return predictFootnotes(s, sharedDiagnostics(all))
}

// sharedDiagnostics are those of all predictions, each once, with the model before those that not all have. That the
// batch is 1 by default is left out: the table says the batch.
func sharedDiagnostics(all []predicted) []analyzer.Diagnostic {
	var out []analyzer.Diagnostic
	everywhere := func(d analyzer.Diagnostic) bool {
		return !slices.ContainsFunc(all, func(x predicted) bool { return x.Model != all[0].Model && !slices.Contains(x.Diagnostics, d) })
	}
	for _, x := range all {
		for _, d := range x.Diagnostics {
			if d.Severity == analyzer.SeverityNote && d.Code == analyzer.CodeDefaultDim {
				continue
			}
			if !everywhere(d) || !slices.Contains(all[0].Diagnostics, d) {
				d.Node = strings.TrimSuffix(x.Model+" "+d.Node, " ")
			}
			if !slices.Contains(out, d) {
				out = append(out, d)
			}
		}
	}
	return out
}

// predictFootnotes prints findings, at most three of a code.
func predictFootnotes(s streams, ds []analyzer.Diagnostic) error {
	return footnotes(s, analyzed{summary: &analyzer.Summary{Diagnostics: ds}})
}

func csvPredictions(s streams, o *predictOptions, all []predicted) error {
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	maybe := func(v costmodel.Optional) string {
		if !v.Known() {
			return ""
		}
		return number(float64(v))
	}
	var rows [][]string
	if o.by == "total" {
		header := []string{"model", "device", "runtime", "precision", "batch", "latency_s", "latency_low_s", "latency_high_s", "throughput_per_s", "energy_j",
			"power_w", "peak_memory_bytes", "ops_latency_s", "roofline_latency_s", "provenance"}
		for _, x := range all {
			rows = append(rows, []string{x.Model, x.Device, string(x.Runtime), string(x.Precision), strconv.FormatInt(x.Batch, 10), number(x.LatencyS),
				number(x.LatencyLowS), number(x.LatencyHighS), number(x.ThroughputPS), maybe(x.EnergyJ), maybe(x.PowerW), strconv.FormatInt(x.PeakMemoryBytes, 10),
				number(x.Baselines.Ops.LatencyS), number(x.Baselines.Roofline.LatencyS), string(x.Provenance)})
		}
		return writeCSV(s.out, header, rows)
	}
	header := []string{"model", "batch", o.by, "kernels", "time_s", "bound", "flops", "bytes", "energy_j"}
	for _, x := range all {
		gs := topKernels(groupKernels(x.Kernels, o.by), o.by, o.top)
		for i := range gs {
			g := &gs[i]
			b, _, _ := strings.Cut(g.bound(), " ")
			rows = append(rows, []string{x.Model, strconv.FormatInt(x.Batch, 10), g.Name, strconv.Itoa(g.Kernels), number(g.TimeS), b, number(g.FLOPs), number(g.Bytes), maybe(g.EnergyJ)})
		}
	}
	return writeCSV(s.out, header, rows)
}

// memoryText is what a prediction's memory is made of.
func memoryText(p *costmodel.Prediction) string {
	text := fmt.Sprintf("weights %s, activations %s", byteSize(float64(p.WeightMemoryBytes)), byteSize(float64(p.ActivationMemoryBytes)))
	if p.ActivationMemoryLowBytes < p.ActivationMemoryHighBytes {
		text += fmt.Sprintf(" (%s … %s)", byteSize(float64(p.ActivationMemoryLowBytes)), byteSize(float64(p.ActivationMemoryHighBytes)))
	}
	return text
}
