package calibrate

import (
	"strconv"
	"strings"
	"time"

	"github.com/onnxcost/onnxcost/calibrate/ort"
)

// Threads that are timed stay on a processor each: where the system moves them, two may share one for many runs, and a
// session then takes as long as with a single thread. They are on like cores where there are enough (package machine). The
// calling thread has the first processor, the runtime's the others.

// affinities is a placement as the runtime wants it for the threads that it starts itself: logical processors from 1.
func affinities(cpus []int) string {
	parts := make([]string, len(cpus)-1)
	for i, c := range cpus[1:] {
		parts[i] = strconv.Itoa(c + 1)
	}
	return strings.Join(parts, ";")
}

// spinTime is how long idle threads of a session look for work before they sleep. They go on looking for a while, as they
// do for every user of the runtime who calls it in a loop, but not for the runtime's own tens of milliseconds: they would
// take the processors from the session whose turn comes next. Releases of the runtime that do not know the entry ignore it.
const spinTime = 2 * time.Millisecond

// settleTime is the pause between two sessions of some threads, after which those of the first one sleep.
func settleTime(threads int) time.Duration {
	if threads < 2 {
		return 0
	}
	return spinTime + spinTime/10
}

// runOptions are those of every session that is timed.
func runOptions(threads int, provider string) ort.Options {
	return timedOptions(threads, provider, spinTime)
}

// probeOptions are those of the probe's session, whose threads have to be asleep when the burst after it begins.
func probeOptions(threads int, provider string) ort.Options {
	return timedOptions(threads, provider, 50*time.Microsecond)
}

func timedOptions(threads int, provider string, spin time.Duration) ort.Options {
	o := ort.Options{Threads: threads, Provider: provider}
	if threads > 1 {
		o.Config = map[string]string{"session.intra_op.spin_duration_us": strconv.FormatInt(spin.Microseconds(), 10)}
		if cpus := cores().Place(threads); cpus != nil {
			o.Config["session.intra_op_thread_affinities"] = affinities(cpus)
		}
	}
	return o
}
