package onnx

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// span is a range of the decoder's bytes: the body of one message.
type span struct{ lo, hi int }

func (s span) len() int { return s.hi - s.lo }

// fields iterates over the records of one message. After next has returned true, num and typ describe the record and
// u or body hold its value; the typed getters check the wire type. The first error ends the iteration and stays in
// err. Positions are positions in the whole file, so that an error's offset is the file's.
type fields struct {
	d     *decoder
	names message
	b     []byte // the file up to the end of the message
	lo    int    // where the message begins
	pos   int    // behind the current record
	start int    // the current record's tag
	num   protowire.Number
	typ   protowire.Type
	u     uint64 // value of a varint, fixed32 or fixed64 record
	body  span   // value of a length-delimited record
	err   *FormatError
}

// fields begins to iterate over the message in s, whose field names are names.
func (d *decoder) fields(s span, names message) fields {
	f := fields{d: d, names: names, b: d.data[:s.hi], lo: s.lo, pos: s.lo}
	if names != nil && d.spent.used > d.spent.limit {
		f.err = d.tooMuch(s)
	}
	return f
}

// next moves to the next record; false at the end of the message and after an error.
func (f *fields) next() bool {
	b, p := f.b, f.pos
	if p >= len(b) || f.err != nil {
		return false
	}
	f.start = p
	// Most records are short strings and messages: a tag of one byte, a length of one byte.
	if t := b[p]; t < 0x80 && t >= 8 && t&7 == byte(protowire.BytesType) && p+1 < len(b) && b[p+1] < 0x80 {
		if end := p + 2 + int(b[p+1]); end <= len(b) {
			f.num, f.typ, f.body, f.pos = protowire.Number(t>>3), protowire.BytesType, span{p + 2, end}, end
			return true
		}
	}
	return f.nextLong()
}

// nextLong is next for all records.
func (f *fields) nextLong() bool {
	f.num = 0
	tag, ok := f.varint()
	if !ok {
		return false
	}
	if tag>>3 == 0 || tag>>3 > uint64(protowire.MaxValidNumber) {
		return f.failf("field number %d is outside 1..%d", tag>>3, protowire.MaxValidNumber)
	}
	f.num, f.typ = protowire.Number(tag>>3), protowire.Type(tag&7)
	switch f.typ {
	case protowire.BytesType:
		n, ok := f.varint()
		if !ok {
			return false
		}
		if n > uint64(len(f.b)-f.pos) {
			return f.truncated(n)
		}
		f.body = span{f.pos, f.pos + int(n)}
		f.pos = f.body.hi
		return true
	case protowire.VarintType:
		f.u, ok = f.varint()
		return ok
	case protowire.Fixed32Type:
		if len(f.b)-f.pos < 4 {
			return f.truncated(4)
		}
		f.u = uint64(binary.LittleEndian.Uint32(f.b[f.pos:]))
		f.pos += 4
		return true
	case protowire.Fixed64Type:
		if len(f.b)-f.pos < 8 {
			return f.truncated(8)
		}
		f.u = binary.LittleEndian.Uint64(f.b[f.pos:])
		f.pos += 8
		return true
	case protowire.StartGroupType, protowire.EndGroupType:
		return f.failf("field %d is a protobuf group, which ONNX does not use", f.num)
	}
	return f.failf("field %d has the reserved wire type %d", f.num, f.typ)
}

// varint reads a varint at pos and moves behind it. Nearly all are one byte long.
func (f *fields) varint() (uint64, bool) {
	if f.pos < len(f.b) {
		if v := f.b[f.pos]; v < 0x80 {
			f.pos++
			return uint64(v), true
		}
	}
	return f.longVarint()
}

func (f *fields) longVarint() (uint64, bool) {
	v, n := protowire.ConsumeVarint(f.b[f.pos:])
	if n < 0 {
		if len(f.b)-f.pos < protowire.SizeVarint(math.MaxUint64) {
			return 0, f.failf("truncated: a varint does not end within the message")
		}
		return 0, f.failf("a varint is longer than 64 bits")
	}
	f.pos += n
	return v, true
}

func (f *fields) truncated(want uint64) bool {
	return f.failf("truncated: want %d bytes, have %d", want, len(f.b)-f.pos)
}

// failf ends the iteration with an error at the current record. It returns false, for callers to return.
func (f *fields) failf(format string, args ...any) bool {
	if f.err == nil {
		f.err = &FormatError{Path: f.d.path, Offset: int64(f.start), Field: f.label(), Msg: fmt.Sprintf(format, args...)}
	}
	return false
}

// check takes the error of decoding the current record's body, if there is one, as the iteration's.
func (f *fields) check(err *FormatError) {
	if err != nil && f.err == nil {
		f.err = err.under(f.label())
	}
}

// label names the current record. The index of a repeated field is counted only here, when an error is printed.
func (f *fields) label() string {
	if int(f.num) >= len(f.names) || f.names[f.num] == "" {
		return ""
	}
	name, repeated := strings.CutSuffix(f.names[f.num], "[]")
	if !repeated {
		return name
	}
	before := f.d.fields(span{f.lo, f.start}, nil)
	i := 0
	for before.next() {
		if before.num == f.num {
			i++
		}
	}
	return fmt.Sprintf("%s[%d]", name, i)
}

var wireNames = [...]string{
	protowire.VarintType: "varint", protowire.Fixed64Type: "fixed64", protowire.BytesType: "length-delimited",
	protowire.Fixed32Type: "fixed32",
}

// is checks the wire type of the current record.
func (f *fields) is(want protowire.Type) bool {
	return f.typ == want ||
		f.failf("field %d has wire type %s, want %s", f.num, wireNames[f.typ], wireNames[want])
}

func (f *fields) int64() int64 {
	if !f.is(protowire.VarintType) {
		return 0
	}
	return int64(f.u)
}

// int32 truncates like protobuf: a negative int32 is written as ten bytes.
func (f *fields) int32() int32 { return int32(f.int64()) }

func (f *fields) float32() float32 {
	if !f.is(protowire.Fixed32Type) {
		return 0
	}
	return math.Float32frombits(uint32(f.u))
}

// span returns the body of a length-delimited record; it is empty after an error.
func (f *fields) span() span {
	if !f.is(protowire.BytesType) {
		return span{f.pos, f.pos}
	}
	return f.body
}

func (f *fields) str() string {
	if f.typ != protowire.BytesType {
		f.is(protowire.BytesType)
		return ""
	}
	return f.d.text.add(f.b[f.body.lo:f.body.hi])
}

// strLike is str, but shares the bytes of a string in list that begins with the value: PyTorch's exporter names the
// outputs of node "x" "x_output_0" and so on, which is half of all text in its graphs.
func (f *fields) strLike(list []string) string {
	if len(list) > 0 && f.typ == protowire.BytesType {
		if n := f.body.len(); n <= len(list[0]) && list[0][:n] == string(f.b[f.body.lo:f.body.hi]) {
			return list[0][:n]
		}
	}
	return f.str()
}

// int64s appends the record, packed or not, to dst.
func (f *fields) int64s(dst []int64) []int64 {
	if f.typ == protowire.VarintType {
		*f.d.ints.push(&dst) = int64(f.u)
		return dst
	}
	s := f.span()
	switch n := varints(f.b[s.lo:s.hi]); {
	case s.len() == 0:
		return dst
	case dst == nil:
		dst = f.d.ints.take(n)
	default:
		dst = grown(dst, n)
	}
	p := *f
	p.b, p.pos = f.b[:s.hi], s.lo
	for p.pos < s.hi {
		v, ok := p.varint()
		if !ok {
			f.err = p.err
			return dst
		}
		dst = append(dst, int64(v))
	}
	return dst
}

// float32s appends the record, packed or not, to dst.
func (f *fields) float32s(dst []float32) []float32 {
	if f.typ == protowire.Fixed32Type {
		*f.d.floats.push(&dst) = math.Float32frombits(uint32(f.u))
		return dst
	}
	s := f.span()
	if s.len()%4 != 0 {
		f.failf("packed floats take %d bytes, which is no multiple of 4", s.len())
		return dst
	}
	dst = grown(dst, s.len()/4)
	for b := f.b[s.lo:s.hi]; len(b) > 0; b = b[4:] {
		dst = append(dst, math.Float32frombits(binary.LittleEndian.Uint32(b)))
	}
	return dst
}

// varints counts the varints in b.
func varints(b []byte) (n int) {
	for _, c := range b {
		if c < 0x80 {
			n++
		}
	}
	return n
}
