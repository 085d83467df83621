package machine

import (
	"os"

	"golang.org/x/sys/unix"
)

func host() *Machine { return FromLinux(os.DirFS("/"), allowed()) }

// allowed are the logical processors that this thread may run on; nil where the system does not say.
func allowed() []int {
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) != nil {
		return nil
	}
	var list []int
	for i := range len(set) * 64 {
		if set.IsSet(i) {
			list = append(list, i)
		}
	}
	return list
}

// Pin keeps the calling thread, to which the goroutine has to be locked, on a processor until restore is called. A
// system that does not allow it is no error: times are then as the system's choice makes them.
func Pin(cpu int) (restore func()) {
	var before, only unix.CPUSet
	only.Set(cpu)
	if unix.SchedGetaffinity(0, &before) != nil || unix.SchedSetaffinity(0, &only) != nil {
		return func() {}
	}
	return func() { _ = unix.SchedSetaffinity(0, &before) }
}
