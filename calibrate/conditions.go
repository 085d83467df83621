package calibrate

import (
	"bufio"
	"bytes"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/onnxcost/onnxcost/specs"
)

// machine is what a run found itself on. Fields that the system does not tell are zero.
type machine struct {
	CPU      string // model name
	Vendor   string
	Cores    int // processors that this process may run on
	MemoryB  int64
	Caches   []cacheInfo // of the first processor, nearest first; data and unified caches only
	Features []string    // instruction sets that kernels choose by, such as avx2 and avx512f
	Governor string      // of the first processor's clock
	MaxHz    float64     // of the first processor
	Load1    float64     // load average of the last minute; -1 where unknown
	OS       string
}

// cacheInfo is one level of the processor's caches.
type cacheInfo struct {
	Level  int
	Bytes  int64
	Shared int // processors that share it
}

// thisMachine reads the conditions from the system: /proc and /sys on Linux; elsewhere only what the Go runtime knows.
func thisMachine() machine {
	m := machineFrom(os.DirFS("/").(fileReader), runtime.NumCPU())
	m.OS = runtime.GOOS + "/" + runtime.GOARCH
	return m
}

// fileReader is the part of a file system that machineFrom needs; names are slash-separated and relative to its root.
type fileReader interface {
	ReadFile(name string) ([]byte, error)
}

// readTrimmed is the text of a file without the space around it; empty where it cannot be read.
func readTrimmed(fsys fileReader, name string) string {
	b, err := fsys.ReadFile(name)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

func machineFrom(fsys fileReader, cores int) machine {
	m := machine{Cores: cores, Load1: -1}
	read := func(name string) string { return readTrimmed(fsys, name) }
	m.readCPUInfo([]byte(read("proc/cpuinfo")))
	if f := strings.Fields(read("proc/loadavg")); len(f) > 0 {
		if v, err := strconv.ParseFloat(f[0], 64); err == nil {
			m.Load1 = v
		}
	}
	for line := range strings.Lines(read("proc/meminfo")) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "MemTotal:" {
			kb, _ := strconv.ParseInt(f[1], 10, 64)
			m.MemoryB = kb << 10
		}
	}
	const cpu0 = "sys/devices/system/cpu/cpu0/"
	m.Governor = read(cpu0 + "cpufreq/scaling_governor")
	if khz, err := strconv.ParseFloat(read(cpu0+"cpufreq/cpuinfo_max_freq"), 64); err == nil {
		m.MaxHz = khz * 1e3
	}
	for i := range 8 {
		dir := cpu0 + "cache/index" + strconv.Itoa(i) + "/"
		level, err := strconv.Atoi(read(dir + "level"))
		if err != nil {
			break
		}
		if read(dir+"type") == "Instruction" {
			continue
		}
		m.Caches = append(m.Caches, cacheInfo{level, parseSize(read(dir + "size")), countList(read(dir + "shared_cpu_list"))})
	}
	return m
}

func (m *machine) readCPUInfo(text []byte) {
	sc := bufio.NewScanner(bytes.NewReader(text))
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		key, value, ok := strings.Cut(sc.Text(), ":")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "model name", "Model":
			if m.CPU == "" {
				m.CPU = value
			}
		case "vendor_id":
			m.Vendor = value
		case "flags", "Features":
			if m.Features != nil {
				continue
			}
			have := strings.Fields(value)
			for _, f := range specs.Features() {
				if slices.Contains(have, string(f)) {
					m.Features = append(m.Features, string(f))
				}
			}
		}
	}
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

// countList counts the members of a list such as 0-3,8; at least 1.
func countList(s string) int { return max(1, len(members(s))) }

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

// config writes the machine as configuration lines of a samples file.
func (m *machine) config() []Param {
	var c []Param
	add := func(key, value string) {
		if value != "" {
			c = append(c, Param{key, value})
		}
	}
	add("os", m.OS)
	add("cpu", m.CPU)
	add("vendor", m.Vendor)
	add("cores", strconv.Itoa(m.Cores))
	add(configFeatures, strings.Join(m.Features, " "))
	if m.MemoryB > 0 {
		add("memory-bytes", strconv.FormatInt(m.MemoryB, 10))
	}
	for _, cache := range m.Caches {
		key := "cache-l" + strconv.Itoa(cache.Level) + "-bytes"
		add(key, strconv.FormatInt(cache.Bytes, 10))
		add("cache-l"+strconv.Itoa(cache.Level)+"-shared", strconv.Itoa(cache.Shared))
	}
	add("governor", m.Governor)
	if m.MaxHz > 0 {
		add("max-hz", strconv.FormatFloat(m.MaxHz, 'f', -1, 64))
	}
	if m.Load1 >= 0 {
		add("load", strconv.FormatFloat(m.Load1, 'f', -1, 64))
	}
	return c
}
