package calibrate

import (
	"os"

	"golang.org/x/sys/unix"
)

// place chooses processors of this machine for n threads; nil leaves them alone.
func place(n int) []int {
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) != nil {
		return nil
	}
	var allowed []int
	for i := range len(set) * 64 {
		if set.IsSet(i) {
			allowed = append(allowed, i)
		}
	}
	return placement(os.DirFS("/").(fileReader), allowed, n)
}

// pin keeps the calling thread, to which the goroutine has to be locked, on a processor until restore is called. A
// system that does not allow it is no error: times are then as the system's choice makes them.
func pin(cpu int) (restore func()) {
	var before, only unix.CPUSet
	only.Set(cpu)
	if unix.SchedGetaffinity(0, &before) != nil || unix.SchedSetaffinity(0, &only) != nil {
		return func() {}
	}
	return func() { _ = unix.SchedSetaffinity(0, &before) }
}
