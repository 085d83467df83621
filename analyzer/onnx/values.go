package onnx

import (
	"encoding/binary"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// Bytes returns the values as raw_data would hold them, whatever the form they are stored in: packed, little-endian,
// row-major. The result must not be changed. It fails where the payload does not fit type and dims, and with
// ErrNoData where there is none.
func (t *Tensor) Bytes() ([]byte, error) {
	want, err := t.wantBytes()
	if err != nil {
		return nil, err
	}
	if t.Segment != nil {
		return nil, fmt.Errorf("%s: is the segment %d..%d of a chunked tensor, want a whole one", t.label(), t.Segment.Begin, t.Segment.End)
	}
	var raw []byte
	switch {
	case t.External != nil:
		raw, err = t.External.read(want)
	case t.form == formNone:
		if want > 0 {
			return nil, fmt.Errorf("%s: %w", t.label(), ErrNoData)
		}
		return nil, nil
	default:
		if raw, err = t.bytes(); err == nil && t.form != formRaw {
			raw, err = t.unpack(raw, want)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.label(), err)
	}
	if int64(len(raw)) != want {
		return nil, fmt.Errorf("%s: %s has %d bytes of values, want %d for %s%v", t.label(), t.where(), len(raw), want, t.DType, t.Dims)
	}
	return raw, nil
}

func (t *Tensor) where() string {
	if t.External != nil {
		return t.External.Location
	}
	return t.form.String()
}

// unpack turns the records of a typed field into raw_data.
func (t *Tensor) unpack(records []byte, want int64) ([]byte, error) {
	if !t.form.holds(t.DType) {
		return nil, fmt.Errorf("%s cannot hold %s", t.form, t.DType)
	}
	width := max(t.DType.Bits(), 8) / 8 // bytes of raw_data per stored number; several 4-bit values share one
	raw := make([]byte, 0, min(want, int64(len(records))*int64(width)))
	err := eachRecord(records, func(f *fields, content []byte) error {
		switch wireOf[t.form] {
		case protowire.VarintType:
			for i := 0; len(content) > 0; i++ {
				v, n := protowire.ConsumeVarint(content)
				if n < 0 {
					return fmt.Errorf("%s: truncated varint", t.form)
				}
				content = content[n:]
				var ok bool
				if raw, ok = appendNumber(raw, v, t.form, width); !ok {
					return fmt.Errorf("%s: %d does not fit %s", t.form, int64(v), t.DType)
				}
			}
		default:
			raw = append(raw, content...) // fixed32 and fixed64 are laid out as in raw_data
		}
		return nil
	})
	return raw, err
}

// appendNumber appends the low width bytes of v. A number may be stored signed or as the bits of an unsigned one.
func appendNumber(raw []byte, v uint64, in form, width int) ([]byte, bool) {
	if in == formInt32 {
		v = uint64(int64(int32(v)))
	}
	if width == 8 {
		return binary.LittleEndian.AppendUint64(raw, v), true
	}
	limit := int64(1) << (8 * width)
	if s := int64(v); s < -limit/2 || s >= limit {
		return raw, false
	}
	for range width {
		raw = append(raw, byte(v))
		v >>= 8
	}
	return raw, true
}

// holds reports whether the standard stores dt in the typed field.
func (f form) holds(dt DType) bool {
	switch f {
	case formFloat:
		return dt == Float32 || dt == Complex64
	case formDouble:
		return dt == Float64 || dt == Complex128
	case formInt64:
		return dt == Int64
	case formUint64:
		return dt == Uint64 || dt == Uint32
	case formString:
		return dt == String
	case formInt32:
		switch dt {
		case Float32, Float64, Int64, Uint64, Uint32, Complex64, Complex128, String:
			return false
		}
		return dt.Known()
	}
	return f == formRaw
}

// eachRecord calls fn with the content of each record: the body of a packed or length-delimited one, the number of an
// unpacked one.
func eachRecord(records []byte, fn func(f *fields, content []byte) error) error {
	d := decoder{data: records}
	f := d.fields(span{0, len(records)}, tensorMessage)
	for f.next() {
		content := f.body
		if f.typ != protowire.BytesType {
			content = span{f.start + protowire.SizeTag(f.num), f.pos}
		}
		if err := fn(&f, records[content.lo:content.hi]); err != nil {
			return err
		}
	}
	if f.err != nil {
		return f.err
	}
	return nil
}

// Int64s returns the values of a tensor of any integer type, or of bools as 0 and 1. A uint64 beyond int64 is an error.
func (t *Tensor) Int64s() ([]int64, error) {
	if !t.DType.IsInteger() && t.DType != Bool {
		return nil, fmt.Errorf("%s: has type %s, want integers or bools", t.label(), t.DType)
	}
	raw, err := t.Bytes()
	if err != nil {
		return nil, err
	}
	n, err := t.Elements()
	if err != nil {
		return nil, err
	}
	v := make([]int64, n)
	for i := range v {
		v[i] = integerAt(raw, i, t.DType)
		if t.DType == Uint64 && v[i] < 0 {
			return nil, fmt.Errorf("%s: element %d is %d, which exceeds int64", t.label(), i, uint64(v[i]))
		}
	}
	return v, nil
}

// integerAt returns element i of packed values of an integer type or bool.
func integerAt(raw []byte, i int, dt DType) int64 {
	switch dt {
	case Int8:
		return int64(int8(raw[i]))
	case Uint8:
		return int64(raw[i])
	case Bool:
		if raw[i] != 0 {
			return 1
		}
		return 0
	case Int16:
		return int64(int16(binary.LittleEndian.Uint16(raw[2*i:])))
	case Uint16:
		return int64(binary.LittleEndian.Uint16(raw[2*i:]))
	case Int32:
		return int64(int32(binary.LittleEndian.Uint32(raw[4*i:])))
	case Uint32:
		return int64(binary.LittleEndian.Uint32(raw[4*i:]))
	case Int64, Uint64:
		return int64(binary.LittleEndian.Uint64(raw[8*i:]))
	case Uint4:
		return int64(nibble(raw, i))
	case Int4:
		return int64(int8(nibble(raw, i)<<4) >> 4)
	case Uint2:
		return int64(raw[i/4] >> (2 * (i % 4)) & 3)
	default: // Int2
		return int64(int8(raw[i/4]>>(2*(i%4))<<6) >> 6)
	}
}

// nibble returns 4-bit element i: the first of a pair is in the low half.
func nibble(raw []byte, i int) uint8 { return raw[i/2] >> (4 * (i % 2)) & 15 }

// Float64s returns the values of a tensor of any floating-point, integer or bool type. Integers beyond 2^53 are
// rounded.
func (t *Tensor) Float64s() ([]float64, error) {
	integer := t.DType.IsInteger() || t.DType == Bool
	if !integer && !t.DType.IsFloat() {
		return nil, fmt.Errorf("%s: has type %s, want real numbers", t.label(), t.DType)
	}
	raw, err := t.Bytes()
	if err != nil {
		return nil, err
	}
	n, err := t.Elements()
	if err != nil {
		return nil, err
	}
	v := make([]float64, n)
	for i := range v {
		switch {
		case !integer:
			v[i] = floatAt(raw, i, t.DType)
		case t.DType == Uint64:
			v[i] = float64(uint64(integerAt(raw, i, Uint64)))
		default:
			v[i] = float64(integerAt(raw, i, t.DType))
		}
	}
	return v, nil
}

// Complex returns the values of a complex64 or complex128 tensor.
func (t *Tensor) Complex() ([]complex128, error) {
	part := map[DType]DType{Complex64: Float32, Complex128: Float64}[t.DType]
	if part == Undefined {
		return nil, fmt.Errorf("%s: has type %s, want complex numbers", t.label(), t.DType)
	}
	raw, err := t.Bytes()
	if err != nil {
		return nil, err
	}
	v := make([]complex128, len(raw)/(t.DType.Bits()/8))
	for i := range v {
		v[i] = complex(floatAt(raw, 2*i, part), floatAt(raw, 2*i+1, part))
	}
	return v, nil
}

// Strings returns the values of a string tensor.
func (t *Tensor) Strings() ([]string, error) {
	if t.DType != String {
		return nil, fmt.Errorf("%s: has type %s, want strings", t.label(), t.DType)
	}
	n, err := t.Elements()
	if err != nil {
		return nil, err
	}
	switch {
	case t.External != nil:
		return nil, fmt.Errorf("%s: strings in external data, want string_data", t.label())
	case t.form == formNone && n > 0:
		return nil, fmt.Errorf("%s: %w", t.label(), ErrNoData)
	case t.form != formNone && t.form != formString:
		return nil, fmt.Errorf("%s: strings in %s, want string_data", t.label(), t.form)
	}
	records, err := t.bytes()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.label(), err)
	}
	var v []string
	err = eachRecord(records, func(_ *fields, content []byte) error {
		v = append(v, string(content))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.label(), err)
	}
	if int64(len(v)) != n {
		return nil, fmt.Errorf("%s: string_data has %d strings, want %d for dims %v", t.label(), len(v), n, t.Dims)
	}
	return v, nil
}
