package calibrate

import (
	"strconv"
	"strings"
	"sync"

	"github.com/onnxcost/onnxcost/calibrate/internal/machine"
)

// The configuration lines of a samples file that describe the cores and what was assumed of them.
const (
	configKinds   = "core-kinds"
	configAssumed = "assumed"
)

// conditions are the configuration lines of a samples file that describe a machine. Cores and caches are those of the
// fastest kind of cores, which threads are kept on.
func conditions(m *machine.Machine) []Param {
	var c []Param
	add := func(key, value string) {
		if value != "" {
			c = append(c, Param{key, value})
		}
	}
	like := m.Like()
	add("os", m.OS)
	add("cpu", m.CPU)
	add("vendor", m.Vendor)
	add("cores", strconv.Itoa(like.Cores))
	add("processors", strconv.Itoa(m.Processors()))
	add(configKinds, m.Describe())
	add(configFeatures, strings.Join(m.Features, " "))
	if m.MemoryB > 0 {
		add("memory-bytes", strconv.FormatInt(m.MemoryB, 10))
	}
	for _, cache := range like.Caches {
		key := "cache-l" + strconv.Itoa(cache.Level)
		add(key+"-bytes", strconv.FormatInt(cache.Bytes, 10))
		add(key+"-shared", strconv.Itoa(cache.Cores))
		if cache.Usual {
			add(key+"-usual", "1")
		}
	}
	add("governor", m.Governor)
	if like.MaxHz > 0 {
		add("max-hz", strconv.FormatFloat(like.MaxHz, 'f', -1, 64))
	}
	if m.Load1 >= 0 {
		add("load", strconv.FormatFloat(m.Load1, 'f', -1, 64))
	}
	add(configAssumed, strings.Join(m.Notes, "; "))
	return c
}

// cores is this machine's, read once: sessions ask for places before threads are pinned, and often.
var cores = sync.OnceValue(machine.This)
