// Package specs holds what onnxcost knows before it looks at a model: devices,
// the units people write quantities in, and the published data of
// arXiv:1605.07678. It reads and writes YAML, and it is the only package that
// does.
//
// A [Device] is one file. Every figure in it is a plain SI number (bytes,
// FLOP/s, B/s, seconds, watts, joules) with a citation, or with the reason why
// it is an estimate. A datasheet profile states what the vendor states. A
// calibrated profile is the same file with Fits: named sets of coefficients
// with standard errors, residual quantiles and the conditions they were
// measured under. What a coefficient means is the cost model's business; this
// package only guarantees that it is finite, named, unique and traceable.
//
// Reading is strict. Unknown and duplicate keys, a second document, unit
// strings where numbers are wanted, non-finite numbers, and references to
// missing sources are errors, and [ParseDevice] reports all of them at once as
// [Errors], each with file, line, column and the path of the value. Input is
// bounded: size, nesting and the expansion of aliases.
//
// The package refuses to guess. A figure that is not in the file is absent, not
// zero, and nothing here derives one figure from another.
package specs
