package plots

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/onnxcost/onnxcost/specs"
)

// Fitted sets what was measured in a calibration beside what the fitted profile says of it.
type Fitted struct {
	Points []FittedPoint
	Power  []FittedPower
	Roofs  []FittedRoof
	Notes  []string // samples that have no place here, and why
}

// A FittedPoint is a microbenchmark.
type FittedPoint struct {
	Name  string
	Group string // its format, or the sort of its kernels
	// MeasuredS and FittedS are seconds of one run.
	MeasuredS, FittedS float64
	// FLOPs and Bytes are those of one run; 0 without arithmetic.
	FLOPs, Bytes float64
	Warm         bool // the bytes were touched just before and may have come out of a cache
}

// A FittedPower is a steady loop, or idleness, with the power of the board in watts.
type FittedPower struct {
	Name               string
	Group              string
	MeasuredW, FittedW float64
}

// A FittedRoof bounds points: their rate stays below FLOPs per second and below bytes per second times their intensity.
type FittedRoof struct {
	Name           string // a format, or a number of threads
	Group          string // of the points below it; "" for all
	FLOPs          float64
	BytesPerS      float64
	CacheBytesPerS float64 // for warm points; 0 where unknown
	SheetFLOPs     float64 // what the data sheet of the device states; 0 where it states nothing of its own
	Source         string  // what FLOPs and BytesPerS are
}

// Calibration draws what a calibration rests on: fitted against measured time of every microbenchmark ("fit"), the
// microbenchmarks under the roofs of the device ("roofline"), and fitted against measured power where it was measured
// ("fit-power"). d is the profile that f was evaluated with.
func Calibration(f *Fitted, d *specs.Device, s Style) []*Figure {
	subtitle := calibrationOf(d)
	pairs := make([]Pair, len(f.Points))
	for i, p := range f.Points {
		pairs[i] = Pair{p.Name, p.Group, p.MeasuredS, p.FittedS}
	}
	fit := Fit(pairs, subtitle, s)
	fit.heldOut(d, specs.MeasureTime)
	fit.Notes = append(fit.Notes, sentences(f.Notes)...)
	out := []*Figure{fit, sampleRoofline(f, subtitle, s)}
	if len(f.Power) > 0 {
		pairs = make([]Pair, len(f.Power))
		for i, p := range f.Power {
			pairs[i] = Pair{p.Name, p.Group, p.MeasuredW, p.FittedW}
			if slices.ContainsFunc(f.Power[:i], func(q FittedPower) bool { return q.Name == p.Name }) {
				pairs[i].Name = "" // a further trial
			}
		}
		power := fitPower(pairs, subtitle+" Power of the board, idleness included.", s)
		power.heldOut(d, specs.MeasurePower)
		out = append(out, power)
	}
	return out
}

// calibrationOf names a device and the day of its calibration.
func calibrationOf(d *specs.Device) string {
	s := deviceTitle(d)
	for i := range d.Fits {
		if c := d.Fits[i].Conditions; c != nil && c.Date != "" {
			return s + ", " + c.Date + "."
		}
	}
	return s + "."
}

// heldOut states the errors of points that the fits had not seen.
func (f *Figure) heldOut(d *specs.Device, m specs.Measure) {
	var parts []string
	for i := range d.Fits {
		x := &d.Fits[i]
		if x.Measure != m || x.Score == nil || x.Score.HeldOutCount == 0 {
			continue
		}
		name := string(x.Precision) + " "
		switch {
		case x.Threads > 0:
			name = counted(x.Threads, "thread") + " "
		case m == specs.MeasurePower: // one fit of all formats together
			name = ""
		}
		t := fmt.Sprintf("%s%.1f %% (%d)", name, 100*x.Score.HeldOutMAPE, x.Score.HeldOutCount)
		if !slices.Contains(parts, t) {
			parts = append(parts, t)
		}
	}
	if len(parts) > 0 {
		f.Findings = append(f.Findings, "Mean absolute error of points by fits that had not seen them: "+strings.Join(parts, ", ")+".")
	}
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func sentences(notes []string) []string {
	out := make([]string, len(notes))
	for i, n := range notes {
		out[i] = sentenceCase(n) + "."
	}
	return out
}

// sampleRoofline puts the microbenchmarks of a calibration that compute under the roofs of the device, one roof for each
// format or number of threads. Hollow marks are warm.
func sampleRoofline(f *Fitted, subtitle string, s Style) *Figure {
	fig := newFigure(s, "roofline", "Roofline of the calibration", 1060, 720)
	fig.Subtitle = subtitle + " Each mark is a microbenchmark."
	var all []share
	var xs, ys []float64
	drawn := map[string]bool{}
	var idle, warm int
	for _, p := range f.Points {
		all = append(all, share{p.Group, 1})
		if !computes(p) {
			idle++
			continue
		}
		drawn[p.Group] = true
		xs, ys = append(xs, p.FLOPs/p.Bytes), append(ys, p.FLOPs/p.MeasuredS)
		if p.Warm {
			warm++
		}
	}
	if warm > 0 {
		fig.Subtitle += " Hollow: its operands were in use just before, so that a cache may hold them."
	}
	colors, all7 := fig.style.categorise(all) // as in the chart of the fit
	k := &key{style: fig.style}
	for _, e := range all7.entries {
		if e.name == "" || drawn[e.name] {
			k.entries = append(k.entries, e)
		}
	}
	roofs := make([]roof, len(f.Roofs))
	for i, r := range f.Roofs {
		roofs[i] = roof{flops: r.FLOPs, bytesPerS: r.BytesPerS, cachePerS: r.CacheBytesPerS, color: fig.style.Theme.Ink}
		if c, ok := colors[r.Group]; ok {
			roofs[i].color = c
		}
	}
	for _, r := range f.Roofs {
		ys = append(ys, 2*r.FLOPs) // room for the names of roofs
	}
	c := newRoofChart(fig, roofs, xs, ys, 9)
	texts := c.addSlopes()
	for i, r := range f.Roofs {
		ridge, _ := c.addRoof(i, func(ridge float64) string {
			return fmt.Sprintf("%s %s, ridge %s", r.Name, scaledText(r.FLOPs, "FLOP/s"), three(ridge))
		})
		t := fmt.Sprintf("%s %s, ridge at %s FLOP/byte", r.Name, scaledText(r.FLOPs, "FLOP/s"), three(ridge))
		if r.SheetFLOPs > 0 {
			t += fmt.Sprintf(" (%s of the data sheet's %s)", percentText(r.FLOPs, r.SheetFLOPs), scaledText(r.SheetFLOPs, "FLOP/s"))
		}
		texts = append(texts, t)
	}
	above, marks := 0, 0
	for _, p := range f.Points {
		if !computes(p) {
			continue
		}
		m := &blob{fixed: 3, fill: fade(colors[p.Group], 0.8), edge: fig.style.Theme.Background, width: 0.4}
		if p.Warm {
			m.hollow, m.edge, m.width = true, colors[p.Group], 0.9
		}
		c.addMark(m, p.FLOPs, p.Bytes, p.MeasuredS)
		marks++
		if beyond(p, f.Roofs) {
			above++
		}
	}
	fig.Panels = []Panel{c.panel(k)}
	if len(texts) > 0 {
		fig.Findings = append(fig.Findings, fmt.Sprintf("Roofs, %s: %s.", f.Roofs[0].Source, strings.Join(texts, "; ")))
	}
	if marks == 0 {
		fig.Notes = append(fig.Notes, "No microbenchmark that computes: nothing to draw.")
	}
	if above > 0 {
		fig.Findings = append(fig.Findings, fmt.Sprintf("%d of %d marks lie more than 2 %% above the slope of memory: caches served them.", above, marks))
	}
	fig.Notes = append(fig.Notes, sentences(f.Notes)...)
	if idle > 0 {
		fig.Notes = append(fig.Notes, fmt.Sprintf("%d microbenchmarks without arithmetic have no place on a roofline.", idle))
	}
	return fig
}

func computes(p FittedPoint) bool {
	return p.FLOPs > 0 && p.Bytes > 0 && p.MeasuredS > 0
}

// beyond says that a point is faster than main memory could feed it, under every roof that may be its own.
func beyond(p FittedPoint, roofs []FittedRoof) bool {
	fastest := 0.0
	for _, r := range roofs {
		fastest = math.Max(fastest, r.BytesPerS)
	}
	return fastest > 0 && p.Bytes/p.MeasuredS > 1.02*fastest
}
