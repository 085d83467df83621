// Package cuda drives an NVIDIA GPU for a calibration: memory, streams, events, graphs, kernels from embedded PTX,
// matrix products of every format through cuBLASLt, and power through NVML.
//
// Nothing of CUDA is needed to build: the driver and cuBLASLt are opened at run time by Open, NVML by OpenMeter. On a
// machine without them, and in builds without cgo or for systems other than Linux, both fail with an error that wraps
// errors.ErrUnsupported; a driver that is there and fails gives an *Error, which names the function and the code.
//
// The package measures nothing and fits nothing; what to run and what to make of it is the caller's. It never changes
// a setting of a card: clocks, limits, modes and persistence stay as they are found.
package cuda
