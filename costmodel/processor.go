package costmodel

import (
	"fmt"
	"strings"

	"github.com/onnxcost/onnxcost/specs"
)

// CodeProcessor marks what a prediction assumed of a processor whose device file does not describe it.
const CodeProcessor = "processor"

// processorOf is the processor of a device as CPU runtimes see it, and what was assumed of it; "" where the file says.
// Profiles from before files had a section for it named the features in the conditions of their fits.
func processorOf(d *specs.Device) (cpu *specs.Processor, assumed string) {
	if d.Processor != nil {
		return d.Processor, ""
	}
	for i := range d.Fits {
		if c := d.Fits[i].Conditions; c != nil {
			for _, note := range c.Notes {
				if list, ok := strings.CutPrefix(note, "cpu-features: "); ok {
					cpu = &specs.Processor{Features: specs.KnownFeatures(strings.Fields(list))}
					return cpu, fmt.Sprintf("device %s has no section cpu: taken from the notes of its fit as %s", d.Name, describe(cpu))
				}
			}
		}
	}
	cpu = specs.AssumedProcessor()
	return cpu, fmt.Sprintf("device %s has no section cpu: taken as %s", d.Name, describe(cpu))
}

// describe is a processor in words.
func describe(p *specs.Processor) string {
	widest := "without AVX"
	switch {
	case p.Architecture() == specs.ARM64:
		widest = ""
	case p.Has(specs.AVX512F):
		widest = "with AVX-512"
	case p.Has(specs.AVX2):
		widest = "with AVX2"
	case p.Has(specs.AVX):
		widest = "with AVX"
	}
	layout := "no blocked layout"
	if b := p.Block(); b > 0 {
		layout = fmt.Sprintf("%d channels in a block", b)
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s", p.Architecture(), widest)) + ", " + layout
}
