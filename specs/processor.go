package specs

import (
	"math"
	"slices"
)

// A Feature is an instruction-set extension that CPU kernels choose by, spelled
// as Linux spells it in /proc/cpuinfo.
type Feature string

// The features by which ONNX Runtime's kernels choose (MLAS: platform.cpp;
// cpuid_info.cc), x86-64 first, then arm64.
const (
	SSE41      Feature = "sse4_1"
	AVX        Feature = "avx"
	AVX2       Feature = "avx2"
	FMA        Feature = "fma"
	F16C       Feature = "f16c"
	AVXVNNI    Feature = "avx_vnni"
	AVX512F    Feature = "avx512f"
	AVX512BW   Feature = "avx512bw"
	AVX512DQ   Feature = "avx512dq"
	AVX512VL   Feature = "avx512vl"
	AVX512VNNI Feature = "avx512_vnni"
	AVX512BF16 Feature = "avx512_bf16"
	AVX512FP16 Feature = "avx512_fp16"
	AMXTile    Feature = "amx_tile"
	AMXINT8    Feature = "amx_int8"
	AMXBF16    Feature = "amx_bf16"

	ASIMD   Feature = "asimd"
	ASIMDHP Feature = "asimdhp"
	ASIMDDP Feature = "asimddp"
	ARMI8MM Feature = "i8mm"
	ARMBF16 Feature = "bf16"
	SVE     Feature = "sve"
	SVE2    Feature = "sve2"
	SVEI8MM Feature = "svei8mm"
	SVEBF16 Feature = "svebf16"
	SME     Feature = "sme"
	SME2    Feature = "sme2"
)

var (
	x86Features = []Feature{SSE41, AVX, AVX2, FMA, F16C, AVXVNNI, AVX512F, AVX512BW, AVX512DQ, AVX512VL, AVX512VNNI, AVX512BF16, AVX512FP16,
		AMXTile, AMXINT8, AMXBF16}
	armFeatures = []Feature{ASIMD, ASIMDHP, ASIMDDP, ARMI8MM, ARMBF16, SVE, SVE2, SVEI8MM, SVEBF16, SME, SME2}
	features    = slices.Concat(x86Features, armFeatures)
)

// Features lists all features that a device file may name, in its order.
func Features() []Feature { return slices.Clone(features) }

// KnownFeatures are those of names that a device file may name, in the order of
// Features.
func KnownFeatures(names []string) []Feature {
	known := []Feature{}
	for _, f := range features {
		if slices.Contains(names, string(f)) {
			known = append(known, f)
		}
	}
	return known
}

func (Feature) allowed() []string {
	out := make([]string, len(features))
	for i, f := range features {
		out[i] = string(f)
	}
	return out
}

func (f Feature) arm() bool { return slices.Contains(armFeatures, f) }

// An Architecture is a family of instruction sets.
type Architecture string

// The architectures that features tell apart.
const (
	X8664 Architecture = "x86-64"
	ARM64 Architecture = "arm64"
)

// A Processor is what the graph, the memory and the kernels of a runtime choose
// by on a CPU. It holds for a build of the runtime on a processor.
type Processor struct {
	// Features are the extensions that the processor has and the operating
	// system allows.
	Features []Feature `spec:"features,required,flow"`
	// Source is where the features come from: a key of Device.Sources, "" for
	// the default source.
	Source string `spec:"source"`
	// Estimate is why the features are no stated fact; "" where they are.
	Estimate string `spec:"estimate"`
	// ChannelBlock is how many channels the runtime's blocked layout keeps
	// together: 8 or 16, and 0 where the build has no such layout.
	ChannelBlock *Figure `spec:"channel_block,flow" unit:"channels" range:">=0"`
}

// Has says whether the processor has a feature.
func (p *Processor) Has(f Feature) bool { return slices.Contains(p.Features, f) }

// Architecture is the family that the features belong to, x86-64 where there
// are none.
func (p *Processor) Architecture() Architecture {
	if slices.ContainsFunc(p.Features, Feature.arm) {
		return ARM64
	}
	return X8664
}

// Block is the channel block: the stated one, else the one that public builds
// of ONNX Runtime 1.30 have on such a processor: 16 with AVX-512, 8 on other
// x86-64 (MLAS: platform.cpp, NchwcBlockSize), none on arm64.
func (p *Processor) Block() int64 {
	switch {
	case p.ChannelBlock != nil:
		return int64(p.ChannelBlock.Value)
	case p.Architecture() == ARM64:
		return 0
	case p.Has(AVX512F):
		return 16
	}
	return 8
}

// AssumedProcessor is what a CPU is taken to be whose file does not say: x86-64
// with AVX2 and 8 channels in a block, as most desktops and servers are.
func AssumedProcessor() *Processor {
	return &Processor{Features: []Feature{SSE41, AVX, AVX2, FMA, F16C}, Estimate: "the file has no section cpu"}
}

func (d *Device) checkProcessor(r *report) {
	p := d.Processor
	if p == nil {
		return
	}
	if d.Class != CPU {
		r.at("cpu", "device class %s has no CPU kernels", d.Class)
	}
	families := map[bool]bool{}
	for i, f := range p.Features {
		families[f.arm()] = true
		if slices.Contains(p.Features[:i], f) {
			r.at("cpu.features", "%s is named twice", f)
		}
	}
	if len(families) > 1 {
		r.at("cpu.features", "want features of x86-64 or of arm64, have both")
	}
	if b := p.ChannelBlock; b != nil && b.Value != 0 && b.Value != 8 && b.Value != 16 && !math.IsNaN(b.Value) {
		r.at("cpu.channel_block", "want 16, 8 or 0, have %s", formatNumber(b.Value))
	}
	switch {
	case p.Source != "":
		d.checkSource(r, "cpu.source", p.Source)
	case p.Estimate == "" && d.Source == "":
		r.at("cpu.features", "no source: want source, a default source for the file, or estimate with the reason")
	}
}
