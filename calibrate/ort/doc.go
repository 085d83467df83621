// Package ort runs ONNX models in ONNX Runtime, whose C library it opens at run time: sessions with the options that
// decide time and memory, inputs of the right type and shape, and the runtime's own profile node by node.
//
// Nothing of ONNX Runtime is needed to build. Find looks for the library where people have it; Open loads it once per
// process. Without cgo every call that would need the library fails with an error that wraps errors.ErrUnsupported.
//
// The package measures nothing and keeps no statistics: Run is one inference, and what to make of its duration is the
// caller's business. It returns no output values, refuses a library of a version that it was not built for, and refuses
// an execution provider that leaves the work to the CPU.
package ort
