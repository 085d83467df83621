package machine

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// A Sysctl returns the bytes of a name of macOS's sysctl; false where there is no such name.
type Sysctl func(name string) ([]byte, bool)

// number is a value of four or eight bytes; 0 where there is none.
func (s Sysctl) number(name string) int64 {
	b, ok := s(name)
	switch {
	case ok && len(b) == 4:
		return int64(int32(binary.LittleEndian.Uint32(b)))
	case ok && len(b) == 8:
		return int64(binary.LittleEndian.Uint64(b))
	}
	return 0
}

// text is a string without the zero byte that ends it.
func (s Sysctl) text(name string) string {
	b, _ := s(name)
	return strings.Trim(string(b), " \x00")
}

// sysctlFeatures are macOS's names of the features, in Linux's spelling. The Advanced SIMD of arm64 is part of the system's
// baseline. (Apple: Determining instruction set characteristics; for Intel xnu, bsd/kern/kern_mib.c.)
var sysctlFeatures = map[string][]string{
	"asimd":    {"hw.optional.arm.AdvSIMD", "hw.optional.AdvSIMD", "hw.optional.neon"},
	"asimdhp":  {"hw.optional.arm.FEAT_FP16", "hw.optional.neon_fp16"},
	"asimddp":  {"hw.optional.arm.FEAT_DotProd"},
	"i8mm":     {"hw.optional.arm.FEAT_I8MM"},
	"bf16":     {"hw.optional.arm.FEAT_BF16"},
	"sme":      {"hw.optional.arm.FEAT_SME"},
	"sme2":     {"hw.optional.arm.FEAT_SME2"},
	"sse4_1":   {"hw.optional.sse4_1"},
	"avx":      {"hw.optional.avx1_0"},
	"avx2":     {"hw.optional.avx2_0"},
	"fma":      {"hw.optional.fma"},
	"f16c":     {"hw.optional.f16c"},
	"avx512f":  {"hw.optional.avx512f"},
	"avx512bw": {"hw.optional.avx512bw"},
	"avx512dq": {"hw.optional.avx512dq"},
	"avx512vl": {"hw.optional.avx512vl"},
}

// FromSysctl reads a macOS system. It gives logical processors no numbers, and threads no place: that is the system's
// business there.
func FromSysctl(s Sysctl) *Machine {
	m := &Machine{Load1: -1, CPU: s.text("machdep.cpu.brand_string"), MemoryB: s.number("hw.memsize")}
	if strings.HasPrefix(m.CPU, "Apple") {
		m.Vendor = "Apple"
	} else {
		m.Vendor = s.text("machdep.cpu.vendor")
	}
	m.Features = known(func(f string) bool {
		for _, name := range sysctlFeatures[f] {
			if s.number(name) == 1 {
				return true
			}
		}
		return false
	})
	for level := range s.number("hw.nperflevels") {
		if k := s.kind(fmt.Sprintf("hw.perflevel%d.", level)); k.Cores > 0 {
			m.Kinds = append(m.Kinds, k)
		}
	}
	if len(m.Kinds) == 0 { // Intel, and systems before macOS 12
		k := s.kind("hw.")
		if k.Cores = max(k.Cores, 1); s.number("hw.physicalcpu") < 1 {
			m.note("the system does not say how many cores there are: one is assumed")
		}
		m.Kinds = []Kind{k}
	}
	if hz := s.number("hw.cpufrequency_max"); hz > 0 { // Intel only
		m.Kinds[0].MaxHz = float64(hz)
	}
	if len(m.Kinds[0].Caches) == 0 {
		m.note("the sizes of the caches are not known: the system does not say")
	}
	m.note("threads are not kept on processors: macOS has no way to")
	m.readLoad(s)
	return m
}

// kind reads the cores and caches below a prefix.
func (s Sysctl) kind(prefix string) Kind {
	k := Kind{Name: s.text(prefix + "name"), Cores: int(s.number(prefix + "physicalcpu"))}
	perCore := max(1, s.number(prefix+"logicalcpu")/max(1, int64(k.Cores)))
	for i, name := range []string{"l1dcachesize", "l2cachesize", "l3cachesize"} {
		bytes := s.number(prefix + name)
		if bytes <= 0 {
			continue
		}
		shared := int64(1)
		if i > 0 {
			shared = max(1, s.number(fmt.Sprintf("%scpusperl%d", prefix, i+1))/perCore)
		}
		k.Caches = append(k.Caches, Cache{Level: i + 1, Bytes: bytes, Cores: int(shared)})
	}
	return k
}

// readLoad reads struct loadavg: three averages as 32-bit integers, and, aligned to eight bytes, their scale.
func (m *Machine) readLoad(s Sysctl) {
	b, ok := s("vm.loadavg")
	if !ok || len(b) < 24 {
		return
	}
	if scale := binary.LittleEndian.Uint64(b[16:]); scale > 0 {
		m.Load1 = float64(binary.LittleEndian.Uint32(b)) / float64(scale)
	}
}
