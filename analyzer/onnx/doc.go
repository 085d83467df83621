// Package onnx reads and writes ONNX models: the graph, its types and attributes, and where each weight lies.
//
// The reader walks the protobuf wire format over memory-mapped bytes. A weight is a place in a file, not a slice: a
// payload of at most [InlineLimit] bytes is copied so that shape arithmetic can be folded, a larger one is neither
// read nor allocated until an accessor such as [Tensor.Float64s] asks for it, and external data may be absent. A
// message that occurs twice is merged, a scalar that occurs twice takes its last value, and packed and unpacked
// repeats mean the same, as protobuf has it.
//
// The package refuses: files that are not an ONNX model (and says what they are), protobuf groups, a known field of
// the wrong wire type, graphs or types nested more than 200 deep, a tensor that stores its values in two ways, and
// external data outside the model's directory. It does not check that a graph makes sense (that is the analyzer's
// work) and it does not decode training graphs or multi-device annotations.
//
// Memory is proportional to the records a file holds. No length in a file sizes an allocation before it has been
// compared with the bytes that are there.
//
// Field numbers and the meaning of fields are those of onnx.proto and onnx-data.proto of the ONNX standard, through
// IR version 13.
package onnx
