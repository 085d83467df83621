package main

import (
	"bytes"
	"math/rand/v2"

	"google.golang.org/protobuf/encoding/protowire"
)

// record is one protobuf record. Where its body reads as a message, kids are the message's records and body is nil.
type record struct {
	num  protowire.Number
	typ  protowire.Type
	body []byte // of a length-delimited record without the length; of the others as in the file
	kids []*record
}

// parseRecords reads a message to a depth of nested ones; ok is false where b is none.
func parseRecords(b []byte, depth int) (list []*record, ok bool) {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 || typ == protowire.StartGroupType || typ == protowire.EndGroupType {
			return nil, false
		}
		b = b[n:]
		if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
			return nil, false
		}
		r := &record{num: num, typ: typ, body: b[:n]}
		if typ == protowire.BytesType {
			r.body, _ = protowire.ConsumeBytes(b)
			if depth > 0 && len(r.body) > 1 {
				if kids, ok := parseRecords(r.body, depth-1); ok {
					r.kids, r.body = kids, nil
				}
			}
		}
		list = append(list, r)
		b = b[n:]
	}
	return list, true
}

func appendRecords(b []byte, list []*record) []byte {
	for _, r := range list {
		b = protowire.AppendTag(b, r.num, r.typ)
		switch {
		case r.kids != nil:
			b = protowire.AppendBytes(b, appendRecords(nil, r.kids))
		case r.typ == protowire.BytesType:
			b = protowire.AppendBytes(b, r.body)
		default:
			b = append(b, r.body...)
		}
	}
	return b
}

// recordDepth reaches the values of attributes and types: model, graph, node, attribute, tensor, and one more.
const recordDepth = 6

// place is a record in the list that holds it.
type place struct {
	list *[]*record
	i    int
}

func (p place) record() *record { return (*p.list)[p.i] }

func places(list *[]*record, out []place) []place {
	for i, r := range *list {
		out = append(out, place{list, i})
		out = places(&r.kids, out)
	}
	return out
}

// mutate damages data in one of the ways that break readers. The first ones leave lengths and structure broken, the
// others change what a well-formed file says.
func mutate(r *rand.Rand, data, other []byte) (mutant []byte, how string) {
	if len(data) == 0 {
		return data, "nothing"
	}
	b := bytes.Clone(data)
	switch r.IntN(10) {
	case 0:
		for range 1 + r.IntN(8) {
			b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		}
		return b, "bits"
	case 1:
		return b[:r.IntN(len(b))], "truncation"
	case 2:
		from, at := r.IntN(len(other)), r.IntN(len(b))
		piece := other[from:min(len(other), from+1+r.IntN(64))]
		return append(append(b[:at:at], piece...), data[min(len(data), at+r.IntN(64)):]...), "splice"
	case 3:
		at := r.IntN(len(b))
		_, n := protowire.ConsumeVarint(data[at:])
		return append(protowire.AppendVarint(b[:at:at], hugeNumber(r)), data[at+max(n, 0):]...), "large varint"
	}
	root, ok := parseRecords(data, recordDepth)
	foreign, _ := parseRecords(other, recordDepth)
	all, theirs := places(&root, nil), places(&foreign, nil)
	if !ok || len(all) == 0 || len(theirs) == 0 {
		return b[:len(b)-1], "truncation"
	}
	how = mutateRecord(r, all, theirs)
	return appendRecords(nil, root), how
}

func hugeNumber(r *rand.Rand) uint64 {
	return []uint64{1 << 31, 1<<31 - 1, 1 << 32, 1 << 40, 1 << 62, 1<<63 - 1, 1 << 63, 1<<64 - 1}[r.IntN(8)]
}

// mutateRecord changes one record, or a few, in place.
func mutateRecord(r *rand.Rand, all, theirs []place) string {
	pick := func(typ protowire.Type) *record {
		for range 64 {
			if x := all[r.IntN(len(all))].record(); x.typ == typ {
				return x
			}
		}
		return all[0].record()
	}
	at := all[r.IntN(len(all))]
	x := at.record()
	switch r.IntN(9) {
	case 0:
		*at.list = append((*at.list)[:at.i:at.i], (*at.list)[at.i+1:]...)
		return "record removed"
	case 1:
		*at.list = append(*at.list, x)
		return "record twice"
	case 2:
		*at.list = append(*at.list, theirs[r.IntN(len(theirs))].record())
		return "foreign record"
	case 3:
		y := all[r.IntN(len(all))].record()
		x.typ, x.body, x.kids, y.typ, y.body, y.kids = y.typ, y.body, y.kids, x.typ, x.body, x.kids
		if holds(x, x) || holds(y, y) { // one lay within the other
			x.kids, x.body, x.typ = nil, nil, protowire.BytesType
			y.kids, y.body, y.typ = nil, nil, protowire.BytesType
		}
		return "bodies exchanged"
	case 4:
		x.num = protowire.Number(1 + r.IntN(26))
		return "field number"
	case 5:
		y := pick(protowire.VarintType)
		if y.typ == protowire.VarintType {
			y.body = protowire.AppendVarint(nil, hugeNumber(r))
		}
		return "large number"
	case 6:
		for range 1 + r.IntN(4) {
			if y := pick(protowire.VarintType); y.typ == protowire.VarintType {
				y.body = []byte{byte(r.IntN(128))}
			}
		}
		return "small number"
	case 7:
		x, y := pick(protowire.BytesType), pick(protowire.BytesType)
		if x.kids == nil && y.kids == nil && x.typ == y.typ {
			x.body = y.body
		}
		return "text of another record"
	default:
		j := r.IntN(len(*at.list))
		(*at.list)[at.i], (*at.list)[j] = (*at.list)[j], x
		return "order of records"
	}
}

// holds reports whether x lies somewhere below in.
func holds(in, x *record) bool {
	for _, kid := range in.kids {
		if kid == x || holds(kid, x) {
			return true
		}
	}
	return false
}
