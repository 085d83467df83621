package onnx

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/bits"
	"os"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// InlineLimit is the size in bytes up to which Open copies a tensor's payload. It covers what shape arithmetic reads
// (axes, shapes, slices) with room to spare; weights lie above it.
const InlineLimit = 64 << 10

// Tensor is a TensorProto: a type, dims and the place of the values, which stay where they are until an accessor asks
// for them.
//
// A tensor read by Open whose payload exceeds InlineLimit reads it from the file again, and fails if the file has
// changed since. Accessors are safe for concurrent use.
type Tensor struct {
	Name      string
	DocString string
	DType     DType
	Dims      []int64
	External  *External // where the values lie in another file; nil where they are in the model
	Segment   *Segment  // set where the tensor is one chunk of a larger one; accessors refuse those
	Metadata  []StringPair

	payload
}

// Segment says which part of a chunked tensor a TensorProto holds.
type Segment struct{ Begin, End int64 }

// form says how a payload is stored. Its values are the field numbers of TensorProto.
type form uint8

const (
	formNone   form = 0
	formFloat  form = tensorFloat
	formInt32  form = tensorInt32
	formString form = tensorString
	formInt64  form = tensorInt64
	formRaw    form = tensorRaw
	formDouble form = tensorDouble
	formUint64 form = tensorUint64
)

// wireOf is the wire type of one unpacked element.
var wireOf = [...]protowire.Type{
	formFloat: protowire.Fixed32Type, formDouble: protowire.Fixed64Type, formInt32: protowire.VarintType,
	formInt64: protowire.VarintType, formUint64: protowire.VarintType, formString: protowire.BytesType,
}

func (f form) String() string { return strings.TrimSuffix(tensorMessage[f], "[]") }

// payload is the values as the file stores them: for raw_data the content, for the other forms whole records of the
// field. At most one of data, file and write is set.
type payload struct {
	form   form
	data   []byte
	file   *source
	offset int64 // in file
	size   int64
	write  func(io.Writer) error // generates raw_data of size bytes
}

// source is the file that a model was decoded from, as it was then.
type source struct {
	path    string
	size    int64
	modTime time.Time
}

// NewTensor returns a tensor with the values in raw: packed, little-endian, row-major, as raw_data has them. The
// tensor keeps raw.
func NewTensor(name string, dt DType, dims []int64, raw []byte) *Tensor {
	t := VirtualTensor(name, dt, dims)
	if len(raw) > 0 {
		t.payload = payload{form: formRaw, data: raw, size: int64(len(raw))}
	}
	return t
}

// Int64Tensor returns an int64 tensor of v; nil dims make a scalar.
func Int64Tensor(name string, dims []int64, v ...int64) *Tensor {
	raw := make([]byte, 0, 8*len(v))
	for _, x := range v {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(x))
	}
	return NewTensor(name, Int64, dims, raw)
}

// Float32Tensor returns a float32 tensor of v; nil dims make a scalar.
func Float32Tensor(name string, dims []int64, v ...float32) *Tensor {
	raw := make([]byte, 0, 4*len(v))
	for _, x := range v {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
	}
	return NewTensor(name, Float32, dims, raw)
}

// StringTensor returns a string tensor of v; nil dims make a scalar.
func StringTensor(name string, dims []int64, v ...string) *Tensor {
	t := VirtualTensor(name, String, dims)
	var b []byte
	for _, s := range v {
		b = protowire.AppendString(protowire.AppendTag(b, tensorString, protowire.BytesType), s)
	}
	if len(b) > 0 {
		t.payload = payload{form: formString, data: b, size: int64(len(b))}
	}
	return t
}

// GeneratedTensor returns a tensor whose values write produces whenever they are needed, so that large weights can be
// written without being held. write must produce the same bytes at each call, as many as dt and dims ask for.
func GeneratedTensor(name string, dt DType, dims []int64, write func(io.Writer) error) *Tensor {
	t := VirtualTensor(name, dt, dims)
	if size, err := t.wantBytes(); err != nil || size > 0 { // without a size, whatever write produces is too much
		t.payload = payload{form: formRaw, size: size, write: write}
	}
	return t
}

// VirtualTensor returns a weight that has a type and dims and no values: accessors fail with ErrNoData.
func VirtualTensor(name string, dt DType, dims []int64) *Tensor {
	return &Tensor{Name: name, DType: dt, Dims: dims}
}

// Elements returns the product of the dims: 1 for a scalar. Negative dims and a product beyond int64 are errors.
func (t *Tensor) Elements() (int64, error) {
	n, zero, over := uint64(1), false, false
	for i, d := range t.Dims {
		if d < 0 {
			return 0, fmt.Errorf("%s: dims[%d] is %d, want at least 0", t.label(), i, d)
		}
		zero = zero || d == 0
		hi, lo := bits.Mul64(n, uint64(d))
		over = over || hi != 0 || lo > math.MaxInt64
		n = lo
	}
	if zero {
		return 0, nil
	}
	if over {
		return 0, fmt.Errorf("%s: dims %v have more than 2^63-1 elements", t.label(), t.Dims)
	}
	return int64(n), nil
}

// PayloadBytes returns the bytes that the values take where they are stored: raw_data its length, the typed fields
// their encoding, external data its declared length (or, without one, what type and dims ask for). It is 0 for a
// tensor without values. The size of the values in memory is DType.Bytes of Elements.
func (t *Tensor) PayloadBytes() int64 {
	if t.External == nil {
		return t.size
	}
	if t.External.Length >= 0 {
		return t.External.Length
	}
	size, err := t.wantBytes()
	if err != nil {
		return 0
	}
	return size
}

// HasData reports whether the values can be read, as far as is known without reading them.
func (t *Tensor) HasData() bool {
	if t.External != nil {
		return t.External.Err == nil
	}
	if t.form != formNone {
		return true
	}
	n, err := t.Elements()
	return err == nil && n == 0
}

// Equal reports whether both tensors declare the same and store the same payload in the same form. Payloads are read
// where they are not in memory; one that cannot be read equals nothing. External data is compared by reference.
func (t *Tensor) Equal(u *Tensor) bool {
	if t == nil || u == nil {
		return t == u
	}
	if t.Name != u.Name || t.DocString != u.DocString || t.DType != u.DType || !slices.Equal(t.Dims, u.Dims) ||
		!slices.Equal(t.Metadata, u.Metadata) || !slices.Equal(t.External.pairs(), u.External.pairs()) ||
		(t.Segment == nil) != (u.Segment == nil) || t.Segment != nil && *t.Segment != *u.Segment ||
		t.form != u.form || t.size != u.size {
		return false
	}
	a, errA := t.bytes()
	b, errB := u.bytes()
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

// label names the tensor in messages.
func (t *Tensor) label() string {
	if t.Name == "" {
		return "tensor"
	}
	return fmt.Sprintf("tensor %q", t.Name)
}

// wantBytes is the size of the values as raw_data.
func (t *Tensor) wantBytes() (int64, error) {
	n, err := t.Elements()
	if err != nil {
		return 0, err
	}
	size, ok := t.DType.Bytes(n)
	if !ok {
		return 0, fmt.Errorf("%s: %d elements of type %s have no size in bytes", t.label(), n, t.DType)
	}
	return size, nil
}

// writeTo writes the payload as it is stored.
func (p *payload) writeTo(w io.Writer) (int64, error) {
	count := &countingWriter{w: w}
	var err error
	switch {
	case p.write != nil:
		err = p.write(count)
	case p.file != nil:
		err = p.file.copy(count, p.offset, p.size)
	default:
		_, err = count.Write(p.data)
	}
	if err == nil && count.n != p.size {
		err = fmt.Errorf("payload has %d bytes, want %d", count.n, p.size)
	}
	return count.n, err
}

// bytes returns the payload as it is stored.
func (p *payload) bytes() ([]byte, error) {
	switch {
	case p.write != nil:
		var b bytes.Buffer
		_, err := p.writeTo(&b)
		return b.Bytes(), err
	case p.file != nil:
		f, err := p.file.open()
		if err != nil {
			return nil, err
		}
		defer f.Close()
		raw := make([]byte, p.size) // the file held as many when it was decoded, and has not changed
		_, err = f.ReadAt(raw, p.offset)
		return raw, err
	}
	return p.data, nil
}

// open opens the file again, if it is still the one that was decoded.
func (s *source) open() (*os.File, error) {
	f, err := os.Open(s.path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && (info.Size() != s.size || !info.ModTime().Equal(s.modTime)) {
		err = fmt.Errorf("%s: changed since the model was read", s.path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// copy writes n bytes at offset to w.
func (s *source) copy(w io.Writer, offset, n int64) error {
	f, err := s.open()
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, io.NewSectionReader(f, offset, n))
	return err
}

type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}
