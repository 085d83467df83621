//go:build !unix

package bound

import "time"

var start = time.Now()

// processorTime is the time since the process started, where its processor time has no common call.
func processorTime() time.Duration { return time.Since(start) }
