package onnx

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestDTypeBytes(t *testing.T) {
	for _, c := range []struct {
		dt   DType
		n    int64
		want int64 // -1: no size
	}{
		{Float32, 3, 12}, {Float32, 0, 0}, {Uint4, 3, 2}, {Int4, 4, 2}, {Uint2, 5, 2}, {Int2, 1, 1}, {Bool, 7, 7},
		{Complex128, 2, 32}, {Float32, -1, -1}, {String, 1, -1}, {Undefined, 1, -1}, {DType(99), 1, -1}, {DType(-1), 1, -1},
		{Float64, math.MaxInt64 / 8, math.MaxInt64 / 8 * 8}, {Float64, math.MaxInt64/8 + 1, -1}, {Complex128, math.MaxInt64, -1},
		{Uint8, math.MaxInt64, math.MaxInt64}, {Uint4, math.MaxInt64, math.MaxInt64/2 + 1},
	} {
		got, ok := c.dt.Bytes(c.n)
		if !ok {
			got = -1
		}
		if got != c.want {
			t.Errorf("%s.Bytes(%d): got %d, want %d", c.dt, c.n, got, c.want)
		}
	}
}

func TestElements(t *testing.T) {
	for _, c := range []struct {
		dims []int64
		want int64
		err  string
	}{
		{nil, 1, ""}, {[]int64{2, 3}, 6, ""}, {[]int64{1 << 40, 0, 1 << 40}, 0, ""}, {[]int64{1 << 31, 1 << 31}, 1 << 62, ""},
		{[]int64{1 << 32, 1 << 31}, 0, "more than 2^63-1"}, {[]int64{1 << 32, 1 << 32}, 0, "more than 2^63-1"},
		{[]int64{1 << 62, 4, 1 << 60, 3}, 0, "more than 2^63-1"}, {[]int64{2, -1}, 0, "dims[1] is -1"}, {[]int64{0, -1}, 0, "dims[1] is -1"},
	} {
		got, err := VirtualTensor("w", Float32, c.dims).Elements()
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%v: got %d, %v, want %d, %q", c.dims, got, err, c.want, c.err)
		}
	}
}

// TestMinifloats checks the codes that the types' definitions list: largest and smallest numbers, infinities, NaN.
func TestMinifloats(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, c := range []struct {
		dt   DType
		code uint16
		want float64
	}{
		{Float8E4M3FN, 0x7e, 448}, {Float8E4M3FN, 0xfe, -448}, {Float8E4M3FN, 0x7f, nan}, {Float8E4M3FN, 0xff, nan},
		{Float8E4M3FN, 0x78, 256}, {Float8E4M3FN, 0x01, 0x1p-9}, {Float8E4M3FN, 0x08, 0x1p-6}, {Float8E4M3FN, 0x38, 1},
		{Float8E4M3FNUZ, 0x7f, 240}, {Float8E4M3FNUZ, 0x80, nan}, {Float8E4M3FNUZ, 0x01, 0x1p-10}, {Float8E4M3FNUZ, 0x40, 1},
		{Float8E5M2, 0x7b, 57344}, {Float8E5M2, 0x7c, inf}, {Float8E5M2, 0xfc, -inf}, {Float8E5M2, 0x7d, nan}, {Float8E5M2, 0x01, 0x1p-16}, {Float8E5M2, 0x3c, 1},
		{Float8E5M2FNUZ, 0x7f, 57344}, {Float8E5M2FNUZ, 0x80, nan}, {Float8E5M2FNUZ, 0x01, 0x1p-17}, {Float8E5M2FNUZ, 0x40, 1},
		{Float8E8M0, 0, 0x1p-127}, {Float8E8M0, 127, 1}, {Float8E8M0, 254, 0x1p127}, {Float8E8M0, 255, nan},
		{Float16, 0x7bff, 65504}, {Float16, 0x0001, 0x1p-24}, {Float16, 0xfc00, -inf}, {Float16, 0x7e00, nan}, {Float16, 0x3555, 0.333251953125},
		{BFloat16, 0x3f80, 1}, {BFloat16, 0xc049, -3.140625}, {BFloat16, 0x7f80, inf},
	} {
		raw := binary.LittleEndian.AppendUint16(nil, c.code)
		if c.dt.Bits() == 8 {
			raw = raw[:1]
		}
		v, err := NewTensor("", c.dt, nil, raw).Float64s()
		if err != nil || v[0] != c.want && !(math.IsNaN(v[0]) && math.IsNaN(c.want)) {
			t.Errorf("%s 0x%02x: got %v (%v), want %v", c.dt, c.code, v, err, c.want)
		}
	}
	v, err := NewTensor("", Float4E2M1, []int64{15}, []byte{0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0x0e}).Float64s()
	want := []float64{0, 0.5, 1, 1.5, 2, 3, 4, 6, 0, -0.5, -1, -1.5, -2, -3, -4}
	if err != nil || !slices.Equal(v, want) {
		t.Errorf("float4e2m1: got %v (%v), want %v", v, err, want)
	}
	// Every float16 agrees with an independent conversion through float32 bits.
	for code := range 1 << 16 {
		got, want := minifloats[Float16].value(uint16(code)), float16ByBits(uint16(code))
		if got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Fatalf("float16 0x%04x: got %v, want %v", code, got, want)
		}
	}
}

// float16ByBits shifts the bits into a float32 with the exponent rebased by a multiplication, which treats numbers,
// subnormals and zeros alike.
func float16ByBits(h uint16) float64 {
	bits := uint32(h&0x7fff) << 13
	if h&0x7c00 == 0x7c00 {
		bits |= 0xff << 23
	}
	f := float64(math.Float32frombits(bits))
	if h&0x7c00 != 0x7c00 {
		f *= 0x1p112
	}
	if h&0x8000 != 0 {
		return -f
	}
	return f
}

func TestIntegers(t *testing.T) {
	raw := []byte{0xfe, 0x01, 0x00, 0x80, 0xff, 0xff, 0xff, 0x7f}
	for _, c := range []struct {
		dt   DType
		n    int64
		want []int64
	}{
		{Int8, 8, []int64{-2, 1, 0, -128, -1, -1, -1, 127}},
		{Uint8, 8, []int64{254, 1, 0, 128, 255, 255, 255, 127}},
		{Bool, 8, []int64{1, 1, 0, 1, 1, 1, 1, 1}},
		{Int16, 4, []int64{0x1fe, -0x8000, -1, 0x7fff}},
		{Uint16, 4, []int64{0x1fe, 0x8000, 0xffff, 0x7fff}},
		{Int32, 2, []int64{-0x7ffffe02, 0x7fffffff}},
		{Uint32, 2, []int64{0x800001fe, 0x7fffffff}},
		{Int64, 1, []int64{0x7fffffff800001fe}},
		{Uint64, 1, []int64{0x7fffffff800001fe}},
		{Uint4, 15, []int64{14, 15, 1, 0, 0, 0, 0, 8, 15, 15, 15, 15, 15, 15, 15}},
		{Int4, 16, []int64{-2, -1, 1, 0, 0, 0, 0, -8, -1, -1, -1, -1, -1, -1, -1, 7}},
		{Uint2, 30, []int64{2, 3, 3, 3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3}},
		{Int2, 32, []int64{-2, -1, -1, -1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -2, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 1}},
	} {
		x := NewTensor("x", c.dt, []int64{c.n}, raw)
		got, err := x.Int64s()
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v (%v), want %v", c.dt, got, err, c.want)
		}
		floats, err := x.Float64s()
		if err != nil || len(floats) != len(c.want) || floats[0] != float64(c.want[0]) {
			t.Errorf("%s: got %v (%v) as floats, want %v", c.dt, floats, err, c.want)
		}
	}
}

func TestConstructors(t *testing.T) {
	ints, err := Int64Tensor("shape", []int64{2}, 3, -1).Int64s()
	if err != nil || !slices.Equal(ints, []int64{3, -1}) {
		t.Errorf("got %v (%v)", ints, err)
	}
	floats, err := Float32Tensor("scalar", nil, 0.25).Float64s()
	if err != nil || !slices.Equal(floats, []float64{0.25}) {
		t.Errorf("got %v (%v)", floats, err)
	}
	words, err := StringTensor("words", []int64{1, 2}, "", "ab").Strings()
	if err != nil || !slices.Equal(words, []string{"", "ab"}) {
		t.Errorf("got %q (%v)", words, err)
	}
	z, err := NewTensor("z", Complex64, nil, Float32Tensor("", []int64{2}, 1, -2).data).Complex()
	if err != nil || !slices.Equal(z, []complex128{1 - 2i}) {
		t.Errorf("got %v (%v)", z, err)
	}
	empty := VirtualTensor("empty", Float32, []int64{4, 0})
	if v, err := empty.Float64s(); err != nil || len(v) != 0 || !empty.HasData() {
		t.Errorf("a tensor without elements: got %v (%v), want no values and no error", v, err)
	}
}

// TestAccessorErrors checks that payloads which do not fit are named.
func TestAccessorErrors(t *testing.T) {
	get := func(f func(*Tensor) error) func(*Tensor) error { return f }
	ints := get(func(x *Tensor) error { _, err := x.Int64s(); return err })
	floats := get(func(x *Tensor) error { _, err := x.Float64s(); return err })
	words := get(func(x *Tensor) error { _, err := x.Strings(); return err })
	numbers := get(func(x *Tensor) error { _, err := x.Complex(); return err })
	typed := func(records ...[]byte) *Tensor {
		x, err := ReadTensor(join(append(records, text8(tensorName, "x"))...))
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	segment := Int64Tensor("x", nil, 1)
	segment.Segment = &Segment{0, 1}
	for _, c := range []struct {
		x    *Tensor
		get  func(*Tensor) error
		want string
	}{
		{NewTensor("x", Int64, []int64{2}, make([]byte, 15)), ints, `tensor "x": raw_data has 15 bytes of values, want 16 for int64[2]`},
		{NewTensor("", Uint4, []int64{5}, make([]byte, 4)), ints, "tensor: raw_data has 4 bytes of values, want 3 for uint4[5]"},
		{NewTensor("x", Int8, []int64{-1}, make([]byte, 4)), ints, "dims[0] is -1"},
		{NewTensor("x", Float32, nil, make([]byte, 4)), ints, `tensor "x": has type float32, want integers or bools`},
		{NewTensor("x", String, nil, make([]byte, 4)), floats, `tensor "x": has type string, want real numbers`},
		{NewTensor("x", DType(77), nil, make([]byte, 4)), floats, "has type dtype(77), want real numbers"},
		{NewTensor("x", Float32, nil, make([]byte, 4)), words, "has type float32, want strings"},
		{NewTensor("x", Float32, nil, make([]byte, 4)), numbers, "has type float32, want complex numbers"},
		{NewTensor("x", String, nil, make([]byte, 4)), words, "strings in raw_data, want string_data"},
		{StringTensor("x", []int64{3}, "a", "b"), words, "string_data has 2 strings, want 3 for dims [3]"},
		{NewTensor("x", Uint64, nil, []byte("\xff\xff\xff\xff\xff\xff\xff\xff")), ints, "element 0 is 18446744073709551615, which exceeds int64"},
		{typed(varint(tensorDType, 7), fixed32(tensorFloat, 1)), ints, `float_data cannot hold int64`},
		{typed(varint(tensorDType, 3), varint(tensorInt32, 256)), ints, "int32_data: 256 does not fit int8"},
		{typed(varint(tensorDType, 5), varint(tensorInt32, -32769)), ints, "int32_data: -32769 does not fit int16"},
		{typed(varint(tensorDType, 12), varint(tensorUint64, 1<<32)), ints, "uint64_data: 4294967296 does not fit uint32"},
		{typed(varint(tensorDType, 7), record(tensorInt64, []byte{0x80})), ints, "truncated varint"},
		{typed(varint(tensorDType, 1), record(tensorFloat, []byte{1, 2, 3})), floats, "float_data has 3 bytes of values, want 4"},
		{segment, ints, "segment 0..1 of a chunked tensor"},
	} {
		if err := c.get(c.x); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
	for _, x := range []*Tensor{VirtualTensor("w", Float32, []int64{2}), VirtualTensor("w", Float32, nil)} {
		if err := floats(x); !errors.Is(err, ErrNoData) || x.HasData() {
			t.Errorf("got %v, want ErrNoData", err)
		}
	}
	if err := words(VirtualTensor("w", String, nil)); !errors.Is(err, ErrNoData) {
		t.Errorf("got %v, want ErrNoData", err)
	}
}
