package plots

import (
	"fmt"
	"math"
	"sort"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg/draw"

	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/specs"
)

// maxBars is how many bars a panel of Layers has at most; longer networks are drawn in runs of neighbouring kernels.
const maxBars = 360

// Layers shows time, operations and energy along the network, a bar for each kernel in the order in which they run.
func Layers(name string, p *costmodel.Prediction, d *specs.Device, s Style) *Figure {
	f := newFigure(s, "layers", "Cost along "+name, 1060, 760)
	f.Rows = true
	f.Subtitle = fmt.Sprintf("Kernels in running order on %s (%s, %s, batch %d).", deviceTitle(d), p.Runtime, p.Precision, p.Batch)
	run := (len(p.Kernels) + maxBars - 1) / maxBars
	if run > 1 {
		f.Notes = append(f.Notes, fmt.Sprintf("Each bar adds up %d neighbouring kernels; its colour is that of the slowest.", run))
	}
	var parts []share
	total := 0.0
	for _, k := range p.Kernels {
		parts = append(parts, share{k.Op, k.TimeS})
		total += k.TimeS
	}
	colors, keys := f.style.categorise(parts)
	energy := len(p.Kernels) > 0
	for _, k := range p.Kernels {
		energy = energy && k.EnergyJ.Known()
	}
	panels := []struct {
		what, unit string
		value      func(costmodel.KernelPrediction) float64
	}{
		{"Time", "s", func(k costmodel.KernelPrediction) float64 { return k.TimeS }},
		{"Operations", "FLOP", func(k costmodel.KernelPrediction) float64 { return k.FLOPs }},
		{"Energy", "J", func(k costmodel.KernelPrediction) float64 { return float64(k.EnergyJ) }},
	}
	if !energy {
		panels = panels[:2]
	}
	if !energy && len(p.Kernels) > 0 {
		f.Notes = append(f.Notes, noPower+" for this device: no energy is drawn.")
	}
	for i, q := range panels {
		bars := binned(p.Kernels, max(run, 1), q.value)
		most := 0.0
		for _, b := range bars {
			most = math.Max(most, b.sum)
		}
		factor, prefix := si(most)
		plt := newPlot(f.style, "", fmt.Sprintf("%s [%s%s]", q.what, prefix, q.unit))
		linearAxis(&plt.Y, 0, math.Max(most/factor, 1e-9)*1.08, 4)
		plt.X.Min, plt.X.Max = -0.5, float64(max(len(bars), 1))-0.5
		stageTicks(plt, p.Kernels, max(run, 1), i == len(panels)-1)
		plt.Add(grid{style: dashedGrid(f.style).style, noVertical: true})
		for j, b := range bars {
			plt.Add(&bar{x: float64(j), base: 0, top: b.sum / factor, width: 0.86, fill: colors[b.op]})
		}
		panel := Panel{Plot: plt, Right: keys.room()}
		if i == 0 {
			plt.Add(keys)
		}
		f.Panels = append(f.Panels, panel)
	}
	f.Panels[len(f.Panels)-1].Plot.X.Label.Text = "Kernels in running order, by the stage of the network"
	if len(p.Kernels) == 0 {
		f.Findings = append(f.Findings, "Nothing runs on the device.")
		f.provenance(p)
		return f
	}
	slowest := append([]costmodel.KernelPrediction(nil), p.Kernels...)
	sort.SliceStable(slowest, func(i, j int) bool { return slowest[i].TimeS > slowest[j].TimeS })
	var names []string
	for _, k := range slowest[:min(4, len(slowest))] {
		names = append(names, fmt.Sprintf("%s (%s) %s, %s", kernelName(k), k.Op, scaledText(k.TimeS, "s"), percentText(k.TimeS, total)))
	}
	f.Findings = append(f.Findings, fmt.Sprintf("%d kernels, %s. Slowest: %s.", len(p.Kernels), scaledText(p.LatencyS, "s"), strings.Join(names, "; ")))
	f.provenance(p)
	return f
}

// binnedBar is the sum over a run of kernels.
type binnedBar struct {
	sum float64
	op  string
}

func binned(ks []costmodel.KernelPrediction, run int, value func(costmodel.KernelPrediction) float64) []binnedBar {
	var out []binnedBar
	for i := 0; i < len(ks); i += run {
		b := binnedBar{}
		slow := -1.0
		for _, k := range ks[i:min(i+run, len(ks))] {
			b.sum += value(k)
			if k.TimeS > slow {
				slow, b.op = k.TimeS, k.Op
			}
		}
		out = append(out, b)
	}
	return out
}

// stageTicks marks where the stage of the network changes; names that would stand too near to the one before are left
// out, and panels above the last have ticks alone.
func stageTicks(p *plot.Plot, ks []costmodel.KernelPrediction, run int, named bool) {
	depth := stageDepth(ks)
	var t plot.ConstantTicks
	last, lastNamed := "", math.Inf(-1)
	gap := float64(len(ks)/run) / 22
	for i, k := range ks {
		stage := stageOf(k.Scope, depth)
		if stage == "" || stage == last {
			continue
		}
		last = stage
		x := float64(i / run)
		tick := plot.Tick{Value: x}
		if named && x-lastNamed >= gap {
			name := stage[strings.LastIndexByte(stage, '/')+1:]
			if r := []rune(name); len(r) > 16 {
				name = "…" + string(r[len(r)-15:])
			}
			tick.Label, lastNamed = clean(name), x
		}
		t = append(t, tick)
	}
	if len(t) < 2 {
		linearAxis(&p.X, p.X.Min, p.X.Max, 10)
		return
	}
	p.X.Tick.Marker = t
	p.X.Tick.Label.Rotation = math.Pi / 6
	p.X.Tick.Label.XAlign, p.X.Tick.Label.YAlign = draw.XRight, draw.YTop
}

// stageOf is the first parts of a scope.
func stageOf(scope string, depth int) string {
	parts := strings.Split(strings.Trim(scope, "/"), "/")
	return strings.Join(parts[:min(depth, len(parts))], "/")
}

// stageDepth is how many parts of the scope make a stage: as few as leave no stage with more than half of the kernels.
func stageDepth(ks []costmodel.KernelPrediction) int {
	const deepest = 5
	for depth := 1; depth < deepest; depth++ {
		count, most := map[string]int{}, 0
		for _, k := range ks {
			s := stageOf(k.Scope, depth)
			count[s]++
			most = max(most, count[s])
		}
		if 2*most <= len(ks) {
			return depth
		}
	}
	return 1
}
