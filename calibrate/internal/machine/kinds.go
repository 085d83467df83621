package machine

import (
	"cmp"
	"fmt"
	"slices"
)

// A processor is a logical processor with what tells kinds apart.
type processor struct {
	id       int
	identity string  // core by name, or x86's class; "" where the system tells none
	class    int     // of x86 processors with unlike cores: 0 performance, 1 efficiency, 2 low power
	capacity float64 // relative to the fastest core, 1024; 0 where the system does not tell
	maxHz    float64
	core     int // lowest logical processor of the same core
}

// classes are the kinds of cores of x86 processors that have several, by the names of their performance counters.
var classes = []struct{ dir, name string }{
	{"cpu_core", "performance"}, {"cpu_atom", "efficiency"}, {"cpu_lowpower", "low-power"},
}

// likeSpeed is the speed relative to the fastest of its kind down to which a core of the same make is like it. Clusters
// of one chip and cores that may be clocked higher than others differ by a tenth at most, compact cores by a quarter.
const likeSpeed = 0.85

// kindsOf sorts processors into kinds: by the make of the core (arm64: its identification; x86: its class), and within a
// make by what the system says of speed, cpu_capacity and the highest clock.
func kindsOf(r reader, info *cpuInfo, allowed []int) []Kind {
	class := map[int]int{}
	for i, c := range classes {
		for _, id := range members(r.text("sys/devices/" + c.dir + "/cpus")) {
			class[id] = i
		}
	}
	list := make([]processor, len(allowed))
	for i, id := range allowed {
		p := &list[i]
		*p = processor{id: id, core: coreOf(r, id), capacity: r.number(dirOf(id) + "cpu_capacity"), maxHz: 1e3 * r.number(dirOf(id)+"cpufreq/cpuinfo_max_freq")}
		if core := findARM(info.entries[id]); core != nil {
			p.identity = core.name
		} else if c, ok := class[id]; ok {
			p.identity, p.class = classes[c].name, c
		}
	}
	slices.SortStableFunc(list, func(a, b processor) int {
		return cmp.Or(cmp.Compare(b.capacity, a.capacity), cmp.Compare(a.class, b.class), cmp.Compare(b.maxHz, a.maxHz), cmp.Compare(a.id, b.id))
	})
	var leaders []processor
	var groups [][]processor
	for _, p := range list {
		at := slices.IndexFunc(leaders, func(l processor) bool { return l.identity == p.identity && p.like(&l) })
		if at < 0 {
			at = len(leaders)
			leaders, groups = append(leaders, p), append(groups, nil)
		}
		groups[at] = append(groups[at], p)
	}
	kinds := make([]Kind, len(groups))
	for i, g := range groups {
		kinds[i] = kindOf(g)
	}
	return kinds
}

// like reports whether a processor of the same make is about as fast as the first of its kind.
func (p *processor) like(leader *processor) bool {
	return p.capacity >= likeSpeed*leader.capacity && p.maxHz >= likeSpeed*leader.maxHz
}

// kindOf makes a kind of like processors: the first of every core in the system's order, then the others.
func kindOf(g []processor) Kind {
	slices.SortFunc(g, func(a, b processor) int { return cmp.Compare(a.id, b.id) })
	k := Kind{Name: g[0].identity}
	var second []int
	seen := map[int]bool{}
	for _, p := range g {
		k.MaxHz = max(k.MaxHz, p.maxHz)
		if seen[p.core] {
			second = append(second, p.id)
			continue
		}
		seen[p.core] = true
		k.CPUs = append(k.CPUs, p.id)
	}
	k.Cores = len(k.CPUs)
	k.CPUs = append(k.CPUs, second...)
	return k
}

// coreOf names the core of a logical processor by the lowest one on it.
func coreOf(r reader, id int) int {
	core := id
	for _, s := range members(r.text(dirOf(id) + "topology/thread_siblings_list")) {
		core = min(core, s)
	}
	return core
}

// readCaches takes the caches of a kind from its first processor. Where the system has none, or none with a size (device
// trees often leave them out), they are those that the core is usually built with, or the one that x86's
// /proc/cpuinfo states; a note says so.
func (m *Machine) readCaches(r reader, info *cpuInfo, k *Kind) {
	first := k.CPUs[0]
	unsized := false
	for i := range 8 {
		dir := fmt.Sprintf("%scache/index%d/", dirOf(first), i)
		level := int(r.number(dir + "level"))
		if level < 1 {
			break
		}
		if r.text(dir+"type") == "Instruction" {
			continue
		}
		size := parseSize(r.text(dir + "size"))
		if size == 0 {
			unsized = true
			continue
		}
		cores := map[int]bool{}
		for _, id := range members(r.text(dir + "shared_cpu_list")) {
			cores[coreOf(r, id)] = true
		}
		k.Caches = append(k.Caches, Cache{Level: level, Bytes: size, Cores: max(1, len(cores))})
	}
	if len(k.Caches) > 0 && !unsized {
		return
	}
	core := findARM(info.entries[first])
	for _, c := range core.caches() {
		if !slices.ContainsFunc(k.Caches, func(have Cache) bool { return have.Level == c.Level }) {
			k.Caches = append(k.Caches, c)
			m.note("L%d of the %s is taken to be %d KiB, as the core is usually built: the system does not say", c.Level, core.name, c.Bytes>>10)
		}
	}
	if e := info.entries[first]; len(k.Caches) == 0 && e != nil && e.cacheB > 0 {
		k.Caches = append(k.Caches, e.cache(k.Cores))
		m.note("only level %d of the caches is known, from /proc/cpuinfo", k.Caches[0].Level)
	}
	slices.SortFunc(k.Caches, func(a, b Cache) int { return cmp.Compare(a.Level, b.Level) })
	switch {
	case len(k.Caches) == 0:
		m.note("the sizes of the caches are not known: the system does not say, nor does the core's name")
	case k.Caches[len(k.Caches)-1].Level < 3 && core != nil:
		m.note("whether there is a third level of caches is not known")
	}
}
