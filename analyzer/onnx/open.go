package onnx

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
)

// Open reads the model at path. The file is mapped while it is decoded and closed before Open returns; payloads above
// InlineLimit are read from it again when an accessor asks for them. A pipe is read to its end instead.
func Open(path string) (*Model, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	switch {
	case info.IsDir():
		return nil, &FormatError{Path: path, Offset: -1, Msg: "is a directory, want an ONNX model"}
	case !info.Mode().IsRegular():
		return Read(f, path)
	case info.Size() == 0:
		return nil, emptyFile(path)
	}
	data, unmap, err := mapFile(f, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	d := newDecoder(data, path)
	d.file = &source{path: path, size: info.Size(), modTime: info.ModTime()}
	d.ext = &resolver{model: path}
	m, err := d.mappedModel()
	if e := unmap(); err == nil && e != nil {
		return nil, fmt.Errorf("%s: %w", path, e)
	}
	return m, err
}

// Read reads a model from r, which it reads to its end. name stands for the path in messages. External data counts as
// absent, because a stream has no directory.
func Read(r io.Reader, name string) (*Model, error) {
	data, err := readAll(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return Decode(data, name)
}

// readAll reads r to its end: a file that has been opened as a stream into memory of its size, anything else into memory
// that grows to about twice as much.
func readAll(r io.Reader) ([]byte, error) {
	b := new(bytes.Buffer)
	if f, ok := r.(*os.File); ok {
		info, err := f.Stat()
		at, seekErr := f.Seek(0, io.SeekCurrent)
		if err == nil && seekErr == nil && info.Mode().IsRegular() && info.Size() > at {
			left := info.Size() - at
			if int64(int(left)) != left {
				return nil, errors.New("too large for this platform's address space")
			}
			b = bytes.NewBuffer(make([]byte, 0, left+bytes.MinRead)) // ReadFrom wants room to find the end
		}
	}
	_, err := b.ReadFrom(r)
	return b.Bytes(), err
}

// Decode reads a model from data. name stands for the path in messages. Payloads remain parts of data, which must not
// change while the model is in use. External data counts as absent, because bytes have no directory.
func Decode(data []byte, name string) (*Model, error) {
	if len(data) == 0 {
		return nil, emptyFile(name)
	}
	return newDecoder(data, name).wholeFile()
}

// mappedModel decodes mapped bytes. Where the file shrinks meanwhile, touching the pages that are gone raises a memory
// fault, which becomes an error here instead of ending the process.
func (d *decoder) mappedModel() (m *Model, err error) {
	gone := d.guard(func() { m, err = d.wholeFile() })
	if gone {
		return nil, &FormatError{Path: d.path, Offset: -1, Msg: "changed while it was being read"}
	}
	return m, err
}

// guard runs f and reports whether it touched a part of d.data that is not there any more.
func (d *decoder) guard(f func()) (gone bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			fault, ok := r.(interface {
				error
				Addr() uintptr
			})
			if !ok || !within(fault.Addr(), d.data) {
				panic(r)
			}
			gone = true
		}
	}()
	f()
	return false
}

// wholeFile decodes a whole file that is not empty.
func (d *decoder) wholeFile() (*Model, error) {
	m := &Model{Path: d.path, FileBytes: int64(len(d.data))}
	err := d.model(m, span{0, len(d.data)})
	if err == nil && m.Graph != nil {
		return m, nil
	}
	if d.empty { // another look at the bytes would take as much again
		return nil, err
	}
	if what := identify(d.data); what != "" {
		return nil, &FormatError{Path: d.path, Offset: -1, Msg: what + ", want an ONNX model"}
	}
	if err == nil {
		what := "is a ModelProto without a graph"
		if m.IRVersion == 0 && len(m.Opsets) == 0 {
			what = "is a protobuf message of another kind" // with fields that happen to fit, or none
		}
		err = &FormatError{Path: d.path, Offset: -1, Msg: what + ", want an ONNX model"}
	}
	return nil, err
}

func emptyFile(path string) error {
	return &FormatError{Path: path, Offset: -1, Msg: "is empty, want an ONNX model"}
}
