package calibrate

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/onnxcost/onnxcost/calibrate/ort"
	"github.com/onnxcost/onnxcost/specs"
)

// The configuration lines of a samples file that describe the processor.
const (
	configFeatures = "cpu-features"
	configBlock    = "channel-block"
)

// HostProcessor describes the processor of this machine as the library meets it: its features as the system states them,
// and the channel block that the library itself packs by, which depends on its build too.
func HostProcessor(lib *ort.Library) (*specs.Processor, error) {
	block, err := lib.ChannelBlock()
	if err != nil {
		return nil, fmt.Errorf("channel block of ONNX Runtime: %w", err)
	}
	return processor(cores().Features, strconv.Itoa(block))
}

// processor is the description by features, of which those that no kernel chooses by are left out, and a channel block,
// "" where it is not known.
func processor(names []string, block string) (*specs.Processor, error) {
	p := &specs.Processor{Estimate: "as the operating system states them", Features: specs.KnownFeatures(names)}
	if block == "" {
		return p, nil
	}
	n, err := strconv.ParseInt(block, 10, 64)
	if err != nil || n != 0 && n != 8 && n != 16 {
		return nil, fmt.Errorf("samples: %s %q: want 16, 8 or 0", configBlock, block)
	}
	p.ChannelBlock = &specs.Figure{Value: float64(n), Estimate: "as the runtime packs a convolution"}
	if n == 8 { // the runtime was kept from wider vectors, whatever the processor has
		p.Features = slices.DeleteFunc(p.Features, func(f specs.Feature) bool {
			return strings.HasPrefix(string(f), "avx512") || strings.HasPrefix(string(f), "amx")
		})
	}
	return p, nil
}

// processor is the one that the samples were measured on.
func (s *Samples) processor() (*specs.Processor, error) {
	return processor(strings.Fields(s.Get(configFeatures)), s.Get(configBlock))
}
