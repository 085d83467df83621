package onnx

import (
	"math/bits"
	"strconv"
)

// DType is TensorProto.DataType.
type DType int32

// The element types of onnx.proto (through IR version 13).
const (
	Undefined      DType = 0
	Float32        DType = 1
	Uint8          DType = 2
	Int8           DType = 3
	Uint16         DType = 4
	Int16          DType = 5
	Int32          DType = 6
	Int64          DType = 7
	String         DType = 8
	Bool           DType = 9
	Float16        DType = 10
	Float64        DType = 11
	Uint32         DType = 12
	Uint64         DType = 13
	Complex64      DType = 14
	Complex128     DType = 15
	BFloat16       DType = 16
	Float8E4M3FN   DType = 17
	Float8E4M3FNUZ DType = 18
	Float8E5M2     DType = 19
	Float8E5M2FNUZ DType = 20
	Uint4          DType = 21
	Int4           DType = 22
	Float4E2M1     DType = 23
	Float8E8M0     DType = 24
	Uint2          DType = 25
	Int2           DType = 26
)

// dtypes holds, per DType, its name and the bits of one packed element. A string has no fixed size: 0.
var dtypes = [...]struct {
	name string
	bits int
}{
	Undefined: {"undefined", 0}, Float32: {"float32", 32}, Uint8: {"uint8", 8}, Int8: {"int8", 8},
	Uint16: {"uint16", 16}, Int16: {"int16", 16}, Int32: {"int32", 32}, Int64: {"int64", 64},
	String: {"string", 0}, Bool: {"bool", 8}, Float16: {"float16", 16}, Float64: {"float64", 64},
	Uint32: {"uint32", 32}, Uint64: {"uint64", 64}, Complex64: {"complex64", 64}, Complex128: {"complex128", 128},
	BFloat16: {"bfloat16", 16}, Float8E4M3FN: {"float8e4m3fn", 8}, Float8E4M3FNUZ: {"float8e4m3fnuz", 8},
	Float8E5M2: {"float8e5m2", 8}, Float8E5M2FNUZ: {"float8e5m2fnuz", 8}, Uint4: {"uint4", 4}, Int4: {"int4", 4},
	Float4E2M1: {"float4e2m1", 4}, Float8E8M0: {"float8e8m0", 8}, Uint2: {"uint2", 2}, Int2: {"int2", 2},
}

// Known reports whether d is an element type of the standard, Undefined excepted.
func (d DType) Known() bool { return d > 0 && int(d) < len(dtypes) }

// String returns the lower-case name, such as "float32".
func (d DType) String() string {
	if d < 0 || int(d) >= len(dtypes) {
		return "dtype(" + strconv.Itoa(int(d)) + ")"
	}
	return dtypes[d].name
}

// Bits returns the bits that one packed element takes; 0 for strings and unknown types.
func (d DType) Bits() int {
	if d < 0 || int(d) >= len(dtypes) {
		return 0
	}
	return dtypes[d].bits
}

// Bytes returns the bytes that n packed elements take, rounded up to whole bytes. ok is false where n is negative, d
// has no fixed size (strings, unknown types) or the result exceeds an int64.
func (d DType) Bytes(n int64) (size int64, ok bool) {
	width := d.Bits()
	if n < 0 || width == 0 {
		return 0, false
	}
	hi, lo := bits.Mul64(uint64(n), uint64(width))
	if hi >= 8 { // 2^67 bits and more are 2^64 bytes and more
		return 0, false
	}
	whole := hi<<61 | lo>>3
	if lo&7 != 0 {
		whole++
	}
	return int64(whole), int64(whole) >= 0
}

// IsFloat reports whether d is a real floating-point type of any width.
func (d DType) IsFloat() bool {
	switch d {
	case Float32, Float64, Float16, BFloat16, Float8E4M3FN, Float8E4M3FNUZ, Float8E5M2, Float8E5M2FNUZ, Float4E2M1, Float8E8M0:
		return true
	}
	return false
}

// IsInteger reports whether d is an integer type of any width; bool is not.
func (d DType) IsInteger() bool {
	switch d {
	case Int8, Int16, Int32, Int64, Uint8, Uint16, Uint32, Uint64, Int4, Uint4, Int2, Uint2:
		return true
	}
	return false
}

// DTypeByName is the inverse of String.
func DTypeByName(name string) (DType, bool) {
	for i, t := range dtypes {
		if t.name == name && i != 0 {
			return DType(i), true
		}
	}
	return Undefined, false
}
