//go:build !cgo || !linux

package cuda

// Open fails: this build has no way to call the driver.
func Open(Options) (Driver, error) {
	return nil, lacking("no NVIDIA driver: this program calls CUDA only when built for Linux with cgo")
}

// OpenMeter fails: this build has no way to call NVML.
func OpenMeter(string) (Meter, error) {
	return nil, lacking("no NVML: this program calls it only when built for Linux with cgo")
}
