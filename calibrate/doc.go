// Package calibrate measures a machine and turns the measurements into a device profile.
//
// It has two halves that meet in one file. Gathering runs microbenchmarks on the target (tiny ONNX models in ONNX
// Runtime, see GatherORT; matrix products on a GPU, see package calibrate/cuda) and writes samples in the Go benchmark
// format, so that benchstat compares two machines. Fitting turns samples into the coefficients of a specs.Device
// anywhere, without the machine; both are deterministic in a recorded seed.
//
// The microbenchmarks are described by class and parameters alone: Microbenchmark builds the same model again from the
// name of its sample, which is how a fit knows the kernels behind a duration.
//
// While times are taken, threads stay on a processor each, where the system can be told so, and a probe of some microseconds
// tells the bursts of a calm machine from others: a host may move virtual processors apart for seconds, and whatever hands
// memory from one to another then takes up to three times as long.
//
// The package refuses to call a number good that is not: durations come with their spread and with warnings (too few
// runs, drift, another process), and coefficients with standard errors and the error on samples that were set apart.
package calibrate
