package calibrate

import (
	"context"
	"fmt"
	"strings"

	"github.com/onnxcost/onnxcost/specs"
)

// Fitted sets what was measured beside what a profile says of it.
type Fitted struct {
	Points []FittedPoint
	Power  []FittedPower
	Roofs  []FittedRoof
	Notes  []string // samples that have no place here, and why
}

// A FittedPoint is a microbenchmark; what was measured several times is one point, with the value that fits take.
type FittedPoint struct {
	Name  string
	Group string // its format, or the sort of its kernels
	// MeasuredS and FittedS are seconds of one run.
	MeasuredS, FittedS float64
	// FLOPs and Bytes are those of one run; 0 without arithmetic.
	FLOPs, Bytes float64
	Warm         bool // the bytes were touched just before and may have come out of a cache
}

// A FittedPower is a steady loop, or idleness, with the power of the board.
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

// FitPoints evaluates the fits of a profile at the samples. The profile need not have been made from the same samples:
// another machine's, or an older one's, shows how far they have moved apart.
func FitPoints(ctx context.Context, s *Samples, d *specs.Device) (*Fitted, error) {
	if IsGPU(s) {
		return fitPointsGPU(s, d)
	}
	return fitPointsORT(ctx, s, d)
}

func (f *Fitted) note(format string, args ...any) {
	f.Notes = append(f.Notes, fmt.Sprintf(format, args...))
}

// shortName is a sample's name for a picture: the class and the parameters' values that tell it from others.
func shortName(class string, params []Param) string {
	var b strings.Builder
	b.WriteString(class)
	for _, p := range params {
		if p.Key != "threads" {
			b.WriteString(" " + p.Key + p.Value)
		}
	}
	return b.String()
}
