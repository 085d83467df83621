package plots

import (
	"fmt"
	"math"
	"sort"

	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/specs"
)

// Roofline puts the kernels of a prediction under the roofs of the device: attained rate against arithmetic intensity,
// both logarithmic, area proportional to time. The roofs are the data sheet's peak for the precision and the memory
// bandwidth (Williams, Waterman and Patterson 2009).
func Roofline(name string, p *costmodel.Prediction, d *specs.Device, s Style) *Figure {
	f := newFigure(s, "roofline", "Roofline of "+name, 1060, 680)
	f.Subtitle = fmt.Sprintf("Kernels on %s (%s, %s, batch %d). Area: time.", deviceTitle(d), p.Runtime, p.Precision, p.Batch)
	bandwidth := d.Memory.BandwidthBytesPerS.Value
	peak := 0.0
	if r, ok := d.PeakRate(p.Precision); ok {
		peak = r.Value
	} else {
		f.Notes = append(f.Notes, fmt.Sprintf("The device states no peak for %s: only the memory roof is drawn.", p.Precision))
	}
	var xs, ys, parts = []float64{}, []float64{}, []share{}
	total, outside, count := 0.0, 0.0, 0
	for _, k := range p.Kernels {
		total += k.TimeS
		if k.FLOPs > 0 && k.Bytes > 0 && k.TimeS > 0 {
			xs, ys = append(xs, k.FLOPs/k.Bytes), append(ys, k.FLOPs/k.TimeS)
			parts = append(parts, share{k.Op, k.TimeS})
		} else {
			outside += k.TimeS
			count++
		}
	}
	c := newRoofChart(f, []roof{{flops: peak, bytesPerS: bandwidth, color: f.style.Theme.Ink}}, xs, ys, 6)
	colors, k := f.style.categorise(parts)
	if ridge, ok := c.addRoof(0, func(ridge float64) string {
		return fmt.Sprintf("ridge %s FLOP/byte, %s", three(ridge), scaledText(peak, "FLOP/s"))
	}); ok {
		f.Findings = append(f.Findings, fmt.Sprintf("Roofs: %s in %s and %s of memory; ridge at %s FLOP/byte.", scaledText(peak, "FLOP/s"), p.Precision, scaledText(bandwidth, "B/s"), three(ridge)))
	}
	order := make([]int, 0, len(p.Kernels))
	for i, q := range p.Kernels {
		if q.FLOPs > 0 && q.Bytes > 0 && q.TimeS > 0 {
			order = append(order, i)
		}
	}
	sort.SliceStable(order, func(a, b int) bool { return p.Kernels[order[a]].TimeS > p.Kernels[order[b]].TimeS })
	for rank, i := range order {
		q := p.Kernels[i]
		m := &blob{share: math.Max(0.003, 0.05*math.Sqrt(q.TimeS/total)), fill: fade(colors[q.Op], 0.75), edge: f.style.Theme.Background, width: 0.6}
		c.addMark(m, q.FLOPs, q.Bytes, q.TimeS)
		if rank < 5 {
			st := ink(sizeLabel, f.style.textColor(colors[q.Op]))
			c.names.items = append(c.names.items, label{Text: fit(st, kernelName(q), 150), X: m.x, Y: m.y, Style: st})
		}
	}
	f.Panels = []Panel{c.panel(k)}
	bounds := map[costmodel.Bound]float64{}
	for _, q := range p.Kernels {
		bounds[q.Bound] += q.TimeS
	}
	if p.LatencyS <= 0 {
		f.Findings = append(f.Findings, "Nothing runs on the device.")
		f.provenance(p)
		return f
	}
	f.Findings = append(f.Findings, fmt.Sprintf("Time of %s: %s bound by compute, %s by memory, %s by overhead.", scaledText(p.LatencyS, "s"),
		percentText(bounds[costmodel.BoundCompute], total), percentText(bounds[costmodel.BoundMemory], total), percentText(bounds[costmodel.BoundOverhead], total)))
	if count > 0 {
		f.Notes = append(f.Notes, fmt.Sprintf("%d kernels without arithmetic or traffic (%s of the time) have no place on a roofline.", count, percentText(outside, total)))
	}
	f.provenance(p)
	return f
}

func maxOf(v []float64) float64 {
	m := 0.0
	for _, x := range v {
		m = math.Max(m, x)
	}
	return m
}

func kernelName(k costmodel.KernelPrediction) string {
	if k.Name != "" {
		return k.Name
	}
	return k.Op
}

// provenance says what a prediction rests on.
func (f *Figure) provenance(p *costmodel.Prediction) {
	if p.Provenance == specs.Datasheet {
		f.Notes = append(f.Notes, "Predicted from the data sheet and a table of assumptions, not from measurements of this device.")
	}
}
