package machine

import (
	"cmp"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// reader reads the small text files of /proc and /sys, whose names are relative to the root.
type reader struct{ fs.FS }

// text is a file without the space and the zero bytes around it; empty where it cannot be read.
func (r reader) text(name string) string {
	b, err := fs.ReadFile(r.FS, name)
	if err != nil {
		return ""
	}
	return strings.Trim(string(b), " \t\r\n\x00")
}

// number is a file that holds one; 0 where it does not.
func (r reader) number(name string) float64 {
	v, err := strconv.ParseFloat(r.text(name), 64)
	if err != nil || v < 0 {
		return 0
	}
	return v
}

const cpuDir = "sys/devices/system/cpu/"

func dirOf(cpu int) string { return cpuDir + "cpu" + strconv.Itoa(cpu) + "/" }

// FromLinux reads a Linux system below root. allowed are the logical processors that the process may run on; nil is all.
func FromLinux(root fs.FS, allowed []int) *Machine {
	r := reader{root}
	m := &Machine{Load1: -1}
	info := parseCPUInfo(r.text("proc/cpuinfo"))
	if allowed == nil {
		allowed = members(r.text(cpuDir + "online"))
	}
	if len(allowed) == 0 {
		for id := range info.entries {
			allowed = append(allowed, id)
		}
		slices.Sort(allowed)
	}
	if len(allowed) == 0 {
		allowed = []int{0}
		m.note("the system lists no processors: one is assumed")
	}
	m.Features = info.features(allowed)
	m.Kinds = kindsOf(r, &info, allowed)
	for i := range m.Kinds {
		m.readCaches(r, &info, &m.Kinds[i])
	}
	m.nameCPU(r, &info)
	m.readMemory(r)
	m.Governor = r.text(dirOf(m.Like().CPUs[0]) + "cpufreq/scaling_governor")
	m.readQuota(r)
	return m
}

// nameCPU takes the processor's name from x86's own, from the core and the board for arm64.
func (m *Machine) nameCPU(r reader, info *cpuInfo) {
	e := info.entries[m.Like().CPUs[0]]
	if e == nil {
		return
	}
	m.CPU, m.Vendor = e.name, e.vendor
	core := findARM(e)
	if core == nil {
		return
	}
	m.Vendor = implementers[core.implementer]
	board := cmp.Or(r.text("proc/device-tree/model"), r.text("sys/firmware/devicetree/base/model"), info.board)
	if board == "" {
		board = strings.TrimSpace(r.text("sys/class/dmi/id/sys_vendor") + " " + r.text("sys/class/dmi/id/product_name"))
	}
	m.CPU = core.name
	if board != "" {
		m.CPU += ", " + board
	}
}

func (m *Machine) readMemory(r reader) {
	if f := strings.Fields(r.text("proc/loadavg")); len(f) > 0 {
		if v, err := strconv.ParseFloat(f[0], 64); err == nil {
			m.Load1 = v
		}
	}
	for line := range strings.Lines(r.text("proc/meminfo")) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "MemTotal:" {
			if kb, err := strconv.ParseInt(f[1], 10, 64); err == nil && kb > 0 && kb < 1<<53 {
				m.MemoryB = kb << 10
			}
		}
	}
}

// readQuota notes where a container may use less than its processors: threads are then stopped for a part of the time,
// and no placement helps. (Linux, control groups version 2, cpu.max: microseconds of a period.)
func (m *Machine) readQuota(r reader) {
	f := strings.Fields(r.text("sys/fs/cgroup/cpu.max"))
	if len(f) != 2 {
		return
	}
	quota, err1 := strconv.ParseFloat(f[0], 64)
	period, err2 := strconv.ParseFloat(f[1], 64)
	if err1 != nil || err2 != nil || period <= 0 {
		return // "max" is no limit
	}
	if share := quota / period; share < float64(m.Processors()) {
		m.note("the container may use %.3g of its %d processors", share, m.Processors())
	}
}
