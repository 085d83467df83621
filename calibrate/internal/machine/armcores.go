package machine

import "fmt"

// An armCore is what is known of a core by the fields of its main identification register.
type armCore struct {
	implementer, part int
	name              string
	l1B, l2B          int64 // data cache and second level as the core is usually built; 0 where builds differ much
	l2Cores           int   // that share the second level
}

// armCores has the cores that ONNX Runtime is met on. Numbers are those of Linux (arch/arm64/include/asm/cputype.h); cache
// sizes are from the technical reference manuals of the cores, of several the one that products have.
var armCores = []armCore{
	{0x41, 0xd03, "Cortex-A53", 32 << 10, 512 << 10, 4},
	{0x41, 0xd05, "Cortex-A55", 32 << 10, 128 << 10, 1},
	{0x41, 0xd07, "Cortex-A57", 32 << 10, 2 << 20, 4},
	{0x41, 0xd08, "Cortex-A72", 32 << 10, 1 << 20, 4},
	{0x41, 0xd09, "Cortex-A73", 0, 0, 0},
	{0x41, 0xd0a, "Cortex-A75", 64 << 10, 512 << 10, 1},
	{0x41, 0xd0b, "Cortex-A76", 64 << 10, 512 << 10, 1},
	{0x41, 0xd0c, "Neoverse-N1", 64 << 10, 1 << 20, 1},
	{0x41, 0xd0d, "Cortex-A77", 64 << 10, 512 << 10, 1},
	{0x41, 0xd0e, "Cortex-A76AE", 64 << 10, 512 << 10, 1},
	{0x41, 0xd40, "Neoverse-V1", 64 << 10, 1 << 20, 1},
	{0x41, 0xd41, "Cortex-A78", 64 << 10, 512 << 10, 1},
	{0x41, 0xd42, "Cortex-A78AE", 64 << 10, 256 << 10, 1},
	{0x41, 0xd44, "Cortex-X1", 64 << 10, 1 << 20, 1},
	{0x41, 0xd46, "Cortex-A510", 0, 0, 0},
	{0x41, 0xd47, "Cortex-A710", 64 << 10, 512 << 10, 1},
	{0x41, 0xd48, "Cortex-X2", 64 << 10, 1 << 20, 1},
	{0x41, 0xd49, "Neoverse-N2", 64 << 10, 1 << 20, 1},
	{0x41, 0xd4b, "Cortex-A78C", 64 << 10, 512 << 10, 1},
	{0x41, 0xd4d, "Cortex-A715", 64 << 10, 512 << 10, 1},
	{0x41, 0xd4e, "Cortex-X3", 64 << 10, 1 << 20, 1},
	{0x41, 0xd4f, "Neoverse-V2", 64 << 10, 2 << 20, 1},
	{0x41, 0xd80, "Cortex-A520", 0, 0, 0},
	{0x41, 0xd81, "Cortex-A720", 64 << 10, 512 << 10, 1},
	{0x41, 0xd82, "Cortex-X4", 64 << 10, 2 << 20, 1},
	{0x41, 0xd84, "Neoverse-V3", 64 << 10, 2 << 20, 1},
	{0x41, 0xd8e, "Neoverse-N3", 64 << 10, 2 << 20, 1},
	{0x46, 0x001, "A64FX", 64 << 10, 8 << 20, 12},
	{0x48, 0xd01, "TSV110", 64 << 10, 512 << 10, 1},
	{0x4e, 0x003, "Denver 2", 0, 0, 0},
	{0x4e, 0x004, "Carmel", 64 << 10, 2 << 20, 2},
	{0x51, 0x001, "Oryon", 96 << 10, 12 << 20, 4},
	{0x61, 0x022, "Icestorm (M1)", 64 << 10, 4 << 20, 4},
	{0x61, 0x023, "Firestorm (M1)", 128 << 10, 12 << 20, 4},
	{0x61, 0x032, "Blizzard (M2)", 64 << 10, 4 << 20, 4},
	{0x61, 0x033, "Avalanche (M2)", 128 << 10, 16 << 20, 4},
	{0xc0, 0xac3, "Ampere-1", 64 << 10, 2 << 20, 1},
	{0xc0, 0xac4, "Ampere-1A", 64 << 10, 2 << 20, 1},
}

// implementers are the makers of cores by the register's field.
var implementers = map[int]string{0x41: "Arm", 0x42: "Broadcom", 0x43: "Cavium", 0x46: "Fujitsu", 0x48: "HiSilicon", 0x4e: "NVIDIA", 0x50: "APM",
	0x51: "Qualcomm", 0x53: "Samsung", 0x61: "Apple", 0x6d: "Microsoft", 0xc0: "Ampere"}

// findARM is the core that an entry names; one with only a name by its numbers where the table lacks it, nil where the
// entry names none.
func findARM(e *cpuEntry) *armCore {
	if e == nil || e.implementer < 0 || e.part < 0 {
		return nil
	}
	for i := range armCores {
		if c := &armCores[i]; c.implementer == e.implementer && c.part == e.part {
			return c
		}
	}
	return &armCore{implementer: e.implementer, part: e.part, name: fmt.Sprintf("core 0x%02x/0x%03x", e.implementer, e.part)}
}

// caches are those that the core is usually built with; nil where that is not known.
func (c *armCore) caches() []Cache {
	if c == nil || c.l1B == 0 {
		return nil
	}
	return []Cache{{1, c.l1B, 1, true}, {2, c.l2B, c.l2Cores, true}}
}
