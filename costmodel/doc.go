// Package costmodel turns a Report into what a runtime launches and says what that costs on a device.
//
// Lower makes the Plan of a runtime profile: the kernels, which graph nodes each does, and what crosses its boundary.
// Everything in it stays a formula in the free dimensions.
//
// Compile joins a Plan with a device: numbers, a time model, power. Predictor.At evaluates it for a batch size in some
// tens of microseconds. A device with fits (specs.Fit) is predicted by the form that the fit names, all others by their
// data sheet and Priors, a short table of stated assumptions. Every kernel says what bounds it, every prediction has an
// interval and two baselines, and the parts add up to the whole.
//
// It is the door to the packages below it: plan describes kernels, internal/lower makes them, internal/memory says what
// an allocator holds, form gives seconds and joules. Package budget judges what comes out.
//
// The package measures nothing and hides nothing: a kernel without a time model is a diagnostic, counts what is known of
// it and widens the interval; a precision that a device has no peak for is an error; unknown power is null, not 0.
package costmodel
