//go:build !cgo || !linux

package cuda

import (
	"errors"
	"fmt"
)

// Available reports whether this program can open a driver at all.
const Available = false

// Open fails: this build has no way to call the driver.
func Open(Options) (Driver, error) {
	return nil, fmt.Errorf("no NVIDIA driver: this program calls CUDA only when built for Linux with cgo: %w", errors.ErrUnsupported)
}

// OpenMeter fails: this build has no way to call NVML.
func OpenMeter(string) (Meter, error) {
	return nil, fmt.Errorf("no NVML: this program calls it only when built for Linux with cgo: %w", errors.ErrUnsupported)
}
