package plots

import (
	"fmt"
	"math"

	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/specs"
)

// A Sweep is one model predicted at ascending batch sizes.
type Sweep struct {
	Name        string
	Predictions []*costmodel.Prediction
	Notes       []string
}

// Batch shows latency, throughput and energy per sample against the batch size. Latency has its interval shaded. Batches
// beyond the device's memory are left out and named.
func Batch(sweeps []Sweep, d *specs.Device, s Style) *Figure {
	f := newFigure(s, "batch", "Cost against batch size", 1240, 560)
	if len(sweeps) == 1 {
		f.Title = "Cost of " + sweeps[0].Name + " against batch size"
	}
	f.Rows = f.width < 1000 // three panels side by side need room
	ns := make([]*Network, len(sweeps))
	last := 1
	latency, rate, energy := make([][]xy, len(sweeps)), make([][]xy, len(sweeps)), make([][]xy, len(sweeps))
	band := make([][]xy, len(sweeps))
	var all [3][]float64
	capacity := d.Memory.CapacityBytes.Value
	for i, sw := range sweeps {
		ns[i] = &Network{Name: sw.Name, Origin: Predicted}
		var low []xy
		for _, p := range sw.Predictions {
			f.Subtitle = fmt.Sprintf("Predicted for %s (%s, %s). Shaded: %.0f %% of measurements.", deviceTitle(d), p.Runtime, p.Precision, 100*p.IntervalLevel)
			b := float64(p.Batch)
			if float64(p.PeakMemoryBytes) > capacity {
				f.Notes = append(f.Notes, fmt.Sprintf("%s: batch %d does not fit: %.1f GiB of %.1f GiB.", sw.Name, p.Batch, float64(p.PeakMemoryBytes)/(1<<30), capacity/(1<<30)))
				break
			}
			if p.LatencyS <= 0 {
				f.Notes = append(f.Notes, fmt.Sprintf("%s: nothing runs on the device at batch %d, which takes no time.", sw.Name, p.Batch))
				continue
			}
			last = max(last, int(p.Batch))
			latency[i] = append(latency[i], xy{b, 1e3 * p.LatencyS})
			band[i], low = append(band[i], xy{b, 1e3 * p.LatencyHighS}), append(low, xy{b, 1e3 * p.LatencyLowS})
			rate[i] = append(rate[i], xy{b, p.ThroughputPS})
			all[0] = append(all[0], 1e3*p.LatencyLowS, 1e3*p.LatencyHighS)
			all[1] = append(all[1], p.ThroughputPS)
			if p.EnergyPerSampleJ > 0 {
				energy[i] = append(energy[i], xy{b, 1e3 * float64(p.EnergyPerSampleJ)})
				all[2] = append(all[2], 1e3*float64(p.EnergyPerSampleJ))
			}
		}
		for j := len(low) - 1; j >= 0; j-- {
			band[i] = append(band[i], low[j])
		}
		if n := len(rate[i]); n == 1 {
			f.Findings = append(f.Findings, fmt.Sprintf("%s: %s a sample at batch %.0f.", sw.Name, scaledText(1/rate[i][0].y, "s"), rate[i][0].x))
		} else if n > 1 {
			best := 0
			for j := range rate[i] {
				if rate[i][j].y > 1.1*rate[i][best].y {
					best = j
				}
			}
			f.Findings = append(f.Findings, fmt.Sprintf("%s: %s a sample at batch %.0f and %s at batch %.0f; past batch %.0f throughput grows by less than 10 %% more.", sw.Name,
				scaledText(1/rate[i][0].y, "s"), rate[i][0].x, scaledText(1/rate[i][n-1].y, "s"), rate[i][n-1].x, rate[i][best].x))
		}
		for _, note := range sw.Notes {
			f.Notes = append(f.Notes, sw.Name+": "+note+".")
		}
	}
	looks := f.style.looks(ns)
	titles := []string{"Latency of the batch [ms]", "Throughput [samples per second]", "Energy per sample [mJ]"}
	series := [][][]xy{latency, rate, energy}
	if len(all[2]) == 0 && len(all[0]) > 0 {
		series, titles = series[:2], titles[:2]
		f.Notes = append(f.Notes, noPower+" for this device: no energy is drawn.")
	}
	for k, lines := range series {
		p := newPlot(f.style, "Batch size", titles[k])
		log2Axis(&p.X, 1, max(2, last))
		lo, hi := logRange(all[k], 0.06)
		logAxis(&p.Y, lo, math.Max(hi, lo*1.5), number)
		if f.Rows && hi > 10*lo {
			decadesOnly(&p.Y)
		}
		p.Add(dottedGrid(f.style))
		names := &endNames{style: f.style}
		for i, n := range ns {
			if len(lines[i]) == 0 {
				continue
			}
			if k == 0 && len(band[i]) > 2 {
				p.Add(&area{pts: band[i], fill: fade(looks[n].mark, 0.16)})
			}
			p.Add(&curve{pts: lines[i], style: stroke(looks[n].mark, 1.8, looks[n].dashes...)})
			for _, q := range lines[i] {
				p.Add(&blob{x: q.x, y: q.y, fixed: 2.4, fill: looks[n].mark})
			}
			if len(ns) > 1 {
				end := lines[i][len(lines[i])-1]
				st := ink(sizeLabel, looks[n].text)
				names.items = append(names.items, endName{fit(st, n.Name, 84), end.x, end.y, st, looks[n].mark})
			}
		}
		p.Add(names)
		panel := Panel{Plot: p, Right: 6, Top: 4}
		if len(ns) > 1 {
			panel.Right = 104
		}
		f.Panels = append(f.Panels, panel)
	}
	return f
}
