//go:build unix

package bound

import (
	"time"

	"golang.org/x/sys/unix"
)

// processorTime is the time that the process has kept processors busy: a paused or crowded machine does not count.
func processorTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err) // the arguments are constants
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
