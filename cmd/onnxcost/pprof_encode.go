package main

import "google.golang.org/protobuf/encoding/protowire"

// The field numbers of profile.proto (github.com/google/pprof/proto) that a profile needs. All texts stand in one table,
// whose first is empty, and are named by their place in it.
const (
	profileSampleType  = 1
	profileSample      = 2
	profileLocation    = 4
	profileFunction    = 5
	profileString      = 6
	profilePeriodType  = 11
	profilePeriod      = 12
	profileDefaultType = 14

	valueTypeName, valueTypeUnit                 = 1, 2
	sampleLocation, sampleValue, sampleLabel     = 1, 2, 3
	labelKey, labelText                          = 1, 2
	locationID, locationLine, lineFunction       = 1, 4, 1
	functionID, functionName, functionSystemName = 1, 2, 3
)

// message is a message of the wire format under construction.
type message []byte

func (m *message) number(field protowire.Number, v uint64) {
	*m = protowire.AppendVarint(protowire.AppendTag(*m, field, protowire.VarintType), v)
}

func (m *message) bytes(field protowire.Number, v []byte) {
	*m = protowire.AppendBytes(protowire.AppendTag(*m, field, protowire.BytesType), v)
}

func (m *message) numbers(field protowire.Number, list []uint64) {
	var packed []byte
	for _, v := range list {
		packed = protowire.AppendVarint(packed, v)
	}
	m.bytes(field, packed)
}

// texts is the table of a profile's texts.
type texts struct {
	list  []string
	place map[string]uint64
}

func (t *texts) of(s string) uint64 {
	n, ok := t.place[s]
	if !ok {
		n = uint64(len(t.list))
		t.list, t.place[s] = append(t.list, s), n
	}
	return n
}

// encode is the profile as a message. A function stands at one location, which has its number.
func (b *profileBuilder) encode() []byte {
	t := &texts{[]string{""}, map[string]uint64{"": 0}}
	valueType := func(v sampleType) (m message) {
		m.number(valueTypeName, t.of(v.name))
		m.number(valueTypeUnit, t.of(v.unit))
		return m
	}
	var p message
	for _, v := range b.types {
		p.bytes(profileSampleType, valueType(v))
	}
	for _, s := range b.samples {
		var m, label message
		var functions, values []uint64
		for _, f := range s.functions {
			functions = append(functions, uint64(f))
		}
		for _, v := range s.values {
			values = append(values, uint64(v))
		}
		label.number(labelKey, t.of("op"))
		label.number(labelText, t.of(s.op))
		m.numbers(sampleLocation, functions)
		m.numbers(sampleValue, values)
		m.bytes(sampleLabel, label)
		p.bytes(profileSample, m)
	}
	for i, name := range b.names {
		var line, location, function message
		id := uint64(i + 1)
		line.number(lineFunction, id)
		location.number(locationID, id)
		location.bytes(locationLine, line)
		p.bytes(profileLocation, location)
		function.number(functionID, id)
		function.number(functionName, t.of(name))
		function.number(functionSystemName, t.of(name))
		p.bytes(profileFunction, function)
	}
	p.bytes(profilePeriodType, valueType(b.types[0]))
	p.number(profilePeriod, 1)
	p.number(profileDefaultType, t.of(b.chosen))
	for _, s := range t.list {
		p.bytes(profileString, []byte(s))
	}
	return p
}
