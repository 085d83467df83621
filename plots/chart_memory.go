package plots

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/dim"
)

// MemoryTimeline shows the live bytes of activations while the nodes of the main graph run, with the peak named.
func MemoryTimeline(name string, r *analyzer.Report, s Style) (*Figure, error) {
	live, err := r.Liveness(nil)
	var unbound *dim.UnboundError
	switch {
	case errors.As(err, &unbound):
		return nil, analyzer.NeedDims("a chart of memory", unbound.Symbols)
	case err != nil:
		return nil, err
	}
	f := newFigure(s, "memory", "Live activations of "+name, 960, 600)
	f.Subtitle = "Bytes that live while each node runs, in the order of the graph, no buffer shared; constants apart."
	factor, unit := binary(float64(live.PeakBytes))
	p := newPlot(f.style, "Node", fmt.Sprintf("Live activations [%s]", unit))
	n := len(live.Timeline)
	linearAxis(&p.X, 0, float64(max(n, 1)), 10)
	linearAxis(&p.Y, 0, math.Max(float64(live.PeakBytes)/factor, 1e-9)*1.18, 6)
	p.Add(grid{style: dashedGrid(f.style).style, noVertical: true})
	color := f.style.markColor(hex(categories[0]))
	pts := []xy{{0, 0}}
	for i, b := range live.Timeline {
		v := float64(b) / factor
		if last := pts[len(pts)-1]; last.y != v || i == 0 {
			pts = append(pts, xy{float64(i), last.y}, xy{float64(i), v})
		}
	}
	end := xy{float64(n), pts[len(pts)-1].y}
	top := append(pts[1:], end)
	p.Add(&area{pts: append(append([]xy{}, pts...), end, xy{float64(n), 0}), fill: fade(color, 0.35)}, &curve{pts: top, style: stroke(color, 1.4)})
	names := &labels{style: f.style, paths: [][]xy{top}, right: 4}
	if live.PeakStep >= 0 && live.PeakStep < len(r.Nodes) {
		node := r.Nodes[live.PeakStep]
		at := xy{float64(live.PeakStep) + 0.5, float64(live.PeakBytes) / factor}
		mark := &blob{x: at.x, y: at.y, fixed: 3.5, fill: f.style.Theme.Ink}
		p.Add(&curve{pts: []xy{{at.x, 0}, at}, style: stroke(f.style.Theme.Soft, 0.8, 4, 3)}, mark)
		names.blobs = append(names.blobs, mark)
		st := bold(ink(sizeLabel, f.style.Theme.Ink))
		text := fmt.Sprintf("peak %s %s at %s (%s)", three(float64(live.PeakBytes)/factor), unit, node.Name, node.Op())
		names.items = append(names.items, label{Text: fit(st, text, 320), X: at.x, Y: at.y, Radius: 3.5, Style: st, Angle: math.Pi / 2})
		var tensors []string
		for _, v := range live.Live[:min(4, len(live.Live))] {
			tf, tu := binary(float64(v.Bytes))
			tensors = append(tensors, fmt.Sprintf("%s %s %s", v.Value.Name, three(float64(v.Bytes)/tf), tu))
		}
		f.Findings = append(f.Findings, fmt.Sprintf("Peak of %s %s at node %d, %s (%s). Alive there, largest first: %s%s.", three(float64(live.PeakBytes)/factor), unit,
			live.PeakStep, node.Name, node.Op(), strings.Join(tensors, ", "), more(len(live.Live)-len(tensors))))
	}
	p.Add(names)
	if live.Partial {
		f.Notes = append(f.Notes, "Some tensors have an unknown size: the figures are lower bounds.")
	}
	if n == 0 {
		f.Notes = append(f.Notes, "The graph executes no node.")
	}
	f.Panels = []Panel{{Plot: p, Right: 8, Top: 4}}
	return f, nil
}

func more(n int) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf(" and %d more", n)
}
