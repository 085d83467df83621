package ort

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// maxInputBytes bounds one generated input: a wrong binding should be an error and not the end of the machine.
const maxInputBytes = 4 << 30

// A Tensor is a value to feed or a place for a result: packed little-endian elements in row-major order.
type Tensor struct {
	DType onnx.DType
	Dims  []int64
	Data  []byte
}

// NewTensor returns a tensor of zeros.
func NewTensor(dt onnx.DType, dims []int64) (*Tensor, error) {
	n, err := byteSize(dt, dims)
	if err != nil {
		return nil, err
	}
	return &Tensor{DType: dt, Dims: dims, Data: make([]byte, n)}, nil
}

// RandomTensor returns a tensor to time a model with:
//
//   - floating point: normal, mean 0, deviation 1. Zeros would be faster than real data on some devices, and denormal
//     numbers slower.
//   - integers: uniform in [0, below), for token ids, indices and lengths; below is at least 1 and is kept within the
//     type. 2 suits masks and small tables, and no index of a table with two rows is out of range.
//   - bool: true, so that masks hide nothing.
//
// Strings cannot be generated.
func RandomTensor(dt onnx.DType, dims []int64, below int64, r *rand.Rand) (*Tensor, error) {
	t, err := NewTensor(dt, dims)
	if err != nil {
		return nil, err
	}
	switch {
	case dt == onnx.Bool:
		for i := range t.Data {
			t.Data[i] = 1
		}
	case dt.IsFloat() || dt == onnx.Complex64 || dt == onnx.Complex128:
		return t, t.fillNormal(r)
	case dt.IsInteger():
		t.fillIntegers(below, r)
	default:
		return nil, fmt.Errorf("no random values of type %s", dt)
	}
	return t, nil
}

func (t *Tensor) fillNormal(r *rand.Rand) error {
	d := t.Data
	switch t.DType {
	case onnx.Float32, onnx.Complex64:
		for i := 0; i+4 <= len(d); i += 4 {
			binary.LittleEndian.PutUint32(d[i:], math.Float32bits(float32(r.NormFloat64())))
		}
	case onnx.Float64, onnx.Complex128:
		for i := 0; i+8 <= len(d); i += 8 {
			binary.LittleEndian.PutUint64(d[i:], math.Float64bits(r.NormFloat64()))
		}
	case onnx.Float16:
		for i := 0; i+2 <= len(d); i += 2 {
			binary.LittleEndian.PutUint16(d[i:], float16(float32(r.NormFloat64())))
		}
	case onnx.BFloat16:
		for i := 0; i+2 <= len(d); i += 2 {
			binary.LittleEndian.PutUint16(d[i:], uint16(math.Float32bits(float32(r.NormFloat64()))>>16))
		}
	default:
		return fmt.Errorf("no random values of type %s", t.DType)
	}
	return nil
}

func (t *Tensor) fillIntegers(below int64, r *rand.Rand) {
	bits := t.DType.Bits()
	limit := int64(math.MaxInt64)
	if bits < 64 {
		limit = 1 << (bits - 1) // half of the unsigned range, all of the positive signed one
	}
	below = max(1, min(below, limit))
	d := t.Data
	for i := 0; i < len(d); {
		v := uint64(r.Int64N(below))
		switch bits {
		case 64:
			binary.LittleEndian.PutUint64(d[i:], v)
			i += 8
		case 32:
			binary.LittleEndian.PutUint32(d[i:], uint32(v))
			i += 4
		case 16:
			binary.LittleEndian.PutUint16(d[i:], uint16(v))
			i += 2
		default:
			d[i] = byte(v)
			i++
		}
	}
}

// TensorOf turns a stored tensor into one to feed.
func TensorOf(t *onnx.Tensor) (*Tensor, error) {
	if t.DType == onnx.String {
		return nil, fmt.Errorf("tensor %q: strings cannot be fed", t.Name)
	}
	raw, err := t.Bytes()
	if err != nil {
		return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
	}
	return &Tensor{DType: t.DType, Dims: t.Dims, Data: append([]byte(nil), raw...)}, nil
}

// byteSize is the packed size of a tensor that is small enough to make.
func byteSize(dt onnx.DType, dims []int64) (int64, error) {
	elems := int64(1)
	for _, d := range dims {
		if d < 0 {
			return 0, fmt.Errorf("dims %v: negative extent", dims)
		}
		if d > 0 && elems > maxInputBytes/d {
			return 0, fmt.Errorf("dims %v: more than %d elements", dims, int64(maxInputBytes))
		}
		elems *= d
	}
	n, ok := dt.Bytes(elems)
	if !ok {
		return 0, fmt.Errorf("type %s has no fixed size", dt)
	}
	if n > maxInputBytes {
		return 0, fmt.Errorf("dims %v of %s: %d bytes, want at most %d", dims, dt, n, int64(maxInputBytes))
	}
	return n, nil
}

// float16 rounds to IEEE 754 half precision, to nearest with ties to even. Values of a normal distribution neither
// overflow it nor are NaN; small ones become subnormal or 0.
func float16(f float32) uint16 {
	b := math.Float32bits(f)
	sign := uint16(b >> 16 & 0x8000)
	exp := int(b>>23&0xff) - 127
	frac := b & 0x7fffff
	switch {
	case exp > 15:
		return sign | 0x7c00
	case exp >= -14:
		half := uint32(exp+15)<<10 | frac>>13
		if rest := frac & 0x1fff; rest > 0x1000 || rest == 0x1000 && half&1 == 1 {
			half++
		}
		return sign | uint16(half)
	case exp >= -25:
		frac |= 0x800000
		shift := uint(-exp - 14 + 13)
		half := frac >> shift
		if rest, mid := frac&(1<<shift-1), uint32(1)<<(shift-1); rest > mid || rest == mid && half&1 == 1 {
			half++
		}
		return sign | uint16(half)
	}
	return sign
}
