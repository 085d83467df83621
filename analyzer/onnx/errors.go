package onnx

import (
	"errors"
	"fmt"
	"strings"
)

// ErrNoData is wrapped by the errors of Tensor accessors where the values are not there to read: external data that
// is absent, or an initializer that declares dims and carries no payload.
var ErrNoData = errors.New("tensor has no data")

// FormatError says where a file stops being an ONNX model.
type FormatError struct {
	Path   string // the file, or the name given to Decode or Read
	Offset int64  // byte of the file at which the faulty record begins; -1 where the file as a whole is meant
	Field  string // place in the message tree, such as graph.node[12].attribute[3].t
	Msg    string
	Err    error // cause, where there is one
}

// Error prints resnet50.onnx: offset 0x1a3f: graph.node[12].attribute[3]: truncated: want 96 bytes, have 17.
func (e *FormatError) Error() string {
	var parts []string
	if e.Path != "" {
		parts = append(parts, e.Path)
	}
	if e.Offset >= 0 {
		parts = append(parts, fmt.Sprintf("offset 0x%x", e.Offset))
	}
	if e.Field != "" {
		parts = append(parts, e.Field)
	}
	if e.Msg != "" {
		parts = append(parts, e.Msg)
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	return strings.Join(parts, ": ")
}

// Unwrap returns the cause.
func (e *FormatError) Unwrap() error { return e.Err }

// under returns e with the enclosing record's label in front of its field path.
func (e *FormatError) under(label string) *FormatError {
	switch {
	case e == nil || label == "":
	case e.Field == "":
		e.Field = label
	default:
		e.Field = label + "." + e.Field
	}
	return e
}
