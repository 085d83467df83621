package form

import "slices"

// convClass sorts convolutions by what decides their rate.
type convClass uint8

const (
	convPointwise convClass = iota // 1x1: a matrix product
	convDense                      // 3x3 and larger windows over many channels
	convNarrow                     // few input channels per group: stems and grouped convolutions
	convDepthwise                  // one input channel per group: no product worth the name
)

var convClassNames = [...]string{"conv-1x1", "conv", "conv-narrow", "conv-depthwise"}

// String returns the name that fits use for the class.
func (c convClass) String() string { return convClassNames[c] }

// narrowChannels is the number of input channels per group below which a window's rows are short.
const narrowChannels = 16

// convClassOf classifies a convolution by its geometry.
func convClassOf(p product) convClass {
	taps := 1.0
	for _, w := range p.Window {
		taps *= float64(w)
	}
	channels := p.K / taps
	switch {
	case p.Groups > 1 && channels <= 1:
		return convDepthwise
	case channels < narrowChannels:
		return convNarrow
	case !slices.ContainsFunc(p.Window, func(w int64) bool { return w != 1 }):
		return convPointwise
	}
	return convDense
}
