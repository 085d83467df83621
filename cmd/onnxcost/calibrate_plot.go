package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/onnxcost/onnxcost/calibrate"
	"github.com/onnxcost/onnxcost/plots"
	"github.com/onnxcost/onnxcost/specs"
)

// drawFit writes the pictures of a fit: path itself, and those that path with -roofline or -power before its ending
// names. Their findings go to w.
func drawFit(ctx context.Context, w io.Writer, path string, samples *calibrate.Samples, d *specs.Device) error {
	f, err := calibrate.FitPoints(ctx, samples, d)
	if err != nil {
		return err
	}
	ext := filepath.Ext(path)
	for _, fig := range plots.Calibration(drawnFit(f), d, plots.Style{}) {
		name := path
		if fig.Name != "fit" {
			name = strings.TrimSuffix(path, ext) + "-" + strings.TrimPrefix(fig.Name, "fit-") + ext
		}
		if err := writePicture(name, fig); err != nil {
			return err
		}
		fmt.Fprintln(w, name)
		for _, line := range append(slices.Clone(fig.Findings), fig.Notes...) {
			fmt.Fprintf(w, "  %s\n", line)
		}
	}
	return nil
}

// drawnFit is a fit as plots takes it.
func drawnFit(f *calibrate.Fitted) *plots.Fitted {
	d := &plots.Fitted{Notes: f.Notes}
	for _, p := range f.Points {
		d.Points = append(d.Points, plots.FittedPoint(p))
	}
	for _, p := range f.Power {
		d.Power = append(d.Power, plots.FittedPower(p))
	}
	for _, r := range f.Roofs {
		d.Roofs = append(d.Roofs, plots.FittedRoof(r))
	}
	return d
}
