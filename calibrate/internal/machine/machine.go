// Package machine describes the computer that a measurement runs on: its kinds of cores with their caches and clocks, the
// instruction sets that kernels choose by, its memory and its load. It reads /proc and /sys on Linux, sysctl on macOS,
// and elsewhere knows what the Go runtime and the CPUID instruction tell.
//
// Readers take a file system or a function in place of the system, so that machines that are not at hand are tested from
// recorded layouts. What the system does not tell is left out or, where a stated assumption takes its place, named in
// Notes; the package measures nothing.
package machine

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
)

// A Machine is what a program found itself on. Fields that the system does not tell are zero.
type Machine struct {
	OS       string // GOOS/GOARCH
	CPU      string // name of the processor, for arm64 of its fastest cores and the board
	Vendor   string
	Kinds    []Kind // of cores that this process may run on, the fastest kind first; at least one
	MemoryB  int64
	Features []string // that all of these cores have, in the order of specs.Features and spelled like them
	Governor string   // of the clock of the first core of the fastest kind
	Load1    float64  // load average of the last minute; -1 where unknown
	Notes    []string // what was assumed, and what could not be told
}

// A Kind is a set of like cores.
type Kind struct {
	Name   string // "Cortex-A76", "Performance"; "" where the system tells none
	CPUs   []int  // logical processors, one of every core before the second of any; nil where the system has no numbers
	Cores  int    // physical cores
	MaxHz  float64
	Caches []Cache // of the first core, nearest first; data and unified caches only
}

// A Cache is one level of a core's caches.
type Cache struct {
	Level int
	Bytes int64
	Cores int  // physical cores that share it
	Usual bool // the system does not tell: as the core is usually built
}

// Like is the fastest kind of cores: the one that times are of as long as there are no more threads than it has cores.
func (m *Machine) Like() *Kind { return &m.Kinds[0] }

// Processors is the number of logical processors that this process may run on.
func (m *Machine) Processors() int {
	n := 0
	for i := range m.Kinds {
		n += max(len(m.Kinds[i].CPUs), m.Kinds[i].Cores)
	}
	return n
}

// Place chooses logical processors for n threads: those of the fastest kind first, one on every core of the machine before
// any core has two. It is nil where there are not enough or the system has no numbers for them, and threads are then left
// alone.
func (m *Machine) Place(n int) []int {
	var list []int
	for first := true; ; first = false {
		for i := range m.Kinds {
			k := &m.Kinds[i]
			own := min(k.Cores, len(k.CPUs))
			if first {
				list = append(list, k.CPUs[:own]...)
			} else {
				list = append(list, k.CPUs[own:]...)
			}
		}
		if !first {
			break
		}
	}
	if n < 1 || len(list) < n {
		return nil
	}
	return slices.Clone(list[:n])
}

// Unlike says in words why times of n threads are not those of like cores; "" where they are.
func (m *Machine) Unlike(n int) string {
	like := m.Like()
	switch {
	case n <= like.Cores:
		return ""
	case len(m.Kinds) == 1 && m.Processors() > like.Cores:
		return fmt.Sprintf("%d threads on %d cores: some cores have two", n, like.Cores)
	case len(m.Kinds) == 1:
		return fmt.Sprintf("%d threads on %d cores", n, like.Cores)
	}
	return fmt.Sprintf("%d threads on unlike cores: %s", n, m.Describe())
}

// Describe lists the kinds of cores: "4 Cortex-A76 at up to 2.4 GHz, 4 Cortex-A55 at up to 1.8 GHz".
func (m *Machine) Describe() string {
	parts := make([]string, len(m.Kinds))
	for i := range m.Kinds {
		k := &m.Kinds[i]
		parts[i] = strings.TrimRight(fmt.Sprintf("%d %s", k.Cores, k.Name), " ")
		if k.MaxHz > 0 {
			parts[i] += fmt.Sprintf(" at up to %.4g GHz", k.MaxHz/1e9)
		}
		if len(k.CPUs) > k.Cores {
			parts[i] += fmt.Sprintf(" with %d threads", len(k.CPUs))
		}
	}
	return strings.Join(parts, ", ")
}

func (m *Machine) note(format string, args ...any) {
	m.Notes = append(m.Notes, fmt.Sprintf(format, args...))
}

// This reads the machine that the program runs on.
func This() *Machine {
	m := host()
	m.OS = runtime.GOOS + "/" + runtime.GOARCH
	return m
}
