//go:build !cgo

package ort

// Available reports whether this program can open ONNX Runtime at all.
const Available = false

// Library is the loaded ONNX Runtime.
type Library struct{ Path, Version string }

// Open fails: the program was built without cgo.
func Open(string) (*Library, error) { return nil, errNoCgo }

// Session is a model that is ready to run.
type Session struct{}

// NewSession fails: the program was built without cgo.
func (*Library) NewSession(Source, Options) (*Session, error) { return nil, errNoCgo }

// Bind fails: the program was built without cgo.
func (*Session) Bind(map[string]*Tensor, map[string]*Tensor) error { return errNoCgo }

// Run fails: the program was built without cgo.
func (*Session) Run() error { return errNoCgo }

// Close does nothing.
func (*Session) Close() error { return nil }

// CloseProfile fails: the program was built without cgo.
func (*Session) CloseProfile() (*Profile, error) { return nil, errNoCgo }

// CheckProvider fails: the program was built without cgo.
func (*Library) CheckProvider(Source, Options, map[string]*Tensor, map[string]*Tensor) error {
	return errNoCgo
}
