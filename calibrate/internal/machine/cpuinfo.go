package machine

import (
	"slices"
	"strconv"
	"strings"

	"github.com/onnxcost/onnxcost/specs"
)

// A cpuEntry is what /proc/cpuinfo says of one logical processor.
type cpuEntry struct {
	name, vendor      string   // x86
	implementer, part int      // arm64: fields of the main identification register; -1 where not told
	flags             []string // nil where not told
	cacheB            int64    // x86: "cache size"; see cache
}

// cache is the one level that x86's /proc/cpuinfo states: the last one on Intel's processors, which cores share, the second
// on others. (Linux: x86_cache_size, set by cpu/cacheinfo.c, cpu_detect_cache_sizes.)
func (e *cpuEntry) cache(cores int) Cache {
	if e.vendor == "GenuineIntel" {
		return Cache{Level: 3, Bytes: e.cacheB, Cores: cores}
	}
	return Cache{Level: 2, Bytes: e.cacheB, Cores: 1}
}

// cpuInfo is /proc/cpuinfo: the entries by number, and the board's name where the file ends with one.
type cpuInfo struct {
	entries map[int]*cpuEntry
	board   string
}

// parseCPUInfo reads the files of x86 and of arm64 kernels, which differ in their keys.
func parseCPUInfo(text string) cpuInfo {
	info := cpuInfo{entries: map[int]*cpuEntry{}}
	var e *cpuEntry
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if key == "processor" {
			if n, err := strconv.Atoi(value); err == nil && n >= 0 {
				e = &cpuEntry{implementer: -1, part: -1}
				info.entries[n] = e
			}
			continue
		}
		if key == "Model" { // of the board, as the kernels for Raspberry Pi add it
			info.board = value
			continue
		}
		if e == nil {
			continue
		}
		switch key {
		case "model name":
			e.name = value
		case "vendor_id":
			e.vendor = value
		case "flags", "Features":
			e.flags = strings.Fields(value)
		case "cache size":
			e.cacheB = parseSize(strings.Replace(value, " KB", "K", 1))
		case "CPU implementer":
			e.implementer = parseHex(value)
		case "CPU part":
			e.part = parseHex(value)
		}
	}
	return info
}

// parseHex reads 0xd0b; -1 for anything else.
func parseHex(s string) int {
	n, err := strconv.ParseUint(s, 0, 32)
	if err != nil {
		return -1
	}
	return int(n)
}

// known keeps the features that kernels choose by, in the order of specs.Features.
func known(have func(string) bool) []string {
	var out []string
	for _, f := range specs.Features() {
		if have(string(f)) {
			out = append(out, string(f))
		}
	}
	return out
}

// features are those that all the processors named have.
func (c *cpuInfo) features(cpus []int) []string {
	return known(func(f string) bool {
		told := false
		for _, id := range cpus {
			e := c.entries[id]
			if e == nil || e.flags == nil {
				continue // the system lists processors that are running, and some lists end early
			}
			if !slices.Contains(e.flags, f) {
				return false
			}
			told = true
		}
		return told
	})
}

// parseSize reads 32K, 1024K, 32M as bytes; 0 for anything else.
func parseSize(s string) int64 {
	shift := 0
	switch {
	case strings.HasSuffix(s, "K"):
		shift = 10
	case strings.HasSuffix(s, "M"):
		shift = 20
	case strings.HasSuffix(s, "G"):
		shift = 30
	}
	n, err := strconv.ParseInt(strings.TrimRight(s, "KMG"), 10, 64)
	if err != nil || n < 0 || n > 1<<62>>shift {
		return 0
	}
	return n << shift
}

// members are the numbers of a list such as 0-3,8; what is no number is left out.
func members(s string) []int {
	var out []int
	for part := range strings.SplitSeq(s, ",") {
		lo, hi, isRange := strings.Cut(part, "-")
		if !isRange {
			hi = lo
		}
		a, err1 := strconv.ParseUint(lo, 10, 16)
		b, err2 := strconv.ParseUint(hi, 10, 16)
		for i := a; err1 == nil && err2 == nil && i <= b; i++ {
			out = append(out, int(i))
		}
	}
	return out
}
