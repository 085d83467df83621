package main

import (
	"fmt"
	"math"
	"os"

	"io"

	"github.com/onnxcost/onnxcost/costmodel"
)

// Small quantities for people: three significant digits and the prefix that leaves a number of at least one.
var smallPrefixes = []struct {
	factor float64
	name   string
}{{1e15, "P"}, {1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}, {1, ""}, {1e-3, "m"}, {1e-6, "µ"}, {1e-9, "n"}, {1e-12, "p"}}

// scale prints 0.00241 s as "2.41 ms".
func scale(v float64, unit string) string {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return fmt.Sprintf("%g %s", v, unit)
	}
	for _, p := range smallPrefixes {
		if math.Abs(v) >= 0.9995*p.factor {
			return three(v/p.factor) + " " + p.name + unit
		}
	}
	return three(v*1e12) + " p" + unit
}

// three prints three significant digits, trailing zeros kept so that columns compare at a glance.
func three(v float64) string {
	digits := max(0, 2-int(math.Floor(math.Log10(math.Abs(v))+1e-4)))
	return fmt.Sprintf("%.*f", digits, v)
}

// optional prints a figure that may be unknown.
func optional(v costmodel.Optional, unit string) string {
	if !v.Known() {
		return "unknown"
	}
	return scale(float64(v), unit)
}

// progress shows which of many models is at work, on a terminal only.
type progress struct {
	w     io.Writer
	total int
	shown bool
}

func newProgress(w io.Writer, total int) *progress {
	p := &progress{total: total}
	if f, ok := w.(*os.File); ok && total > 3 {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			p.w = w
		}
	}
	return p
}

func (p *progress) show(i int, name string) {
	if p.w != nil {
		fmt.Fprintf(p.w, "\r\033[K%d of %d: %s", i+1, p.total, name)
		p.shown = true
	}
}

func (p *progress) clear() {
	if p.shown {
		fmt.Fprint(p.w, "\r\033[K")
		p.shown = false
	}
}
