package specs

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
)

// encode turns a struct into the tree of its file: fields in the order of the
// struct, map keys sorted, absent values left out. Reading the tree back gives
// an equal struct.
func encode(v any) *node { return encodeValue(reflect.ValueOf(v), field{}) }

func encodeValue(v reflect.Value, f field) *node {
	if q, ok := v.Interface().(Quantity); ok {
		return &node{kind: kindText, text: q.String()}
	}
	switch v.Kind() {
	case reflect.Pointer:
		return encodeValue(v.Elem(), f)
	case reflect.Struct:
		return encodeStruct(v, f)
	case reflect.Map:
		n := &node{kind: kindMap}
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return compareNatural(a.String(), b.String()) })
		for _, k := range keys {
			n.keys = append(n.keys, textNode(k.String()))
			n.vals = append(n.vals, encodeValue(v.MapIndex(k), f))
		}
		return n
	case reflect.Slice, reflect.Array:
		n := &node{kind: kindList, flow: f.flow}
		for i := range v.Len() {
			n.items = append(n.items, encodeValue(v.Index(i), f))
		}
		return n
	case reflect.String:
		return textNode(v.String())
	case reflect.Bool:
		text := "false"
		if v.Bool() {
			text = "true"
		}
		return &node{kind: kindBool, text: text}
	case reflect.Float64:
		return numberNode(v.Float())
	case reflect.Int, reflect.Int64:
		return numberNode(float64(v.Int()))
	}
	panic("specs: cannot encode " + v.Type().String())
}

func encodeStruct(v reflect.Value, from field) *node {
	fields := fieldsOf(v.Type())
	n := &node{kind: kindMap, flow: from.flow}
	for _, f := range fields {
		fv := v.FieldByIndex(f.index)
		if !f.required && isAbsent(fv) {
			continue
		}
		n.keys = append(n.keys, textNode(f.name))
		n.vals = append(n.vals, encodeValue(fv, f))
	}
	if short := shortField(fields); short != nil && len(n.keys) == 1 && n.keys[0].text == short.name {
		return n.vals[0]
	}
	return n
}

func isAbsent(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Map, reflect.Slice:
		return v.Len() == 0
	}
	return v.IsZero()
}

// compareNatural orders words with numbers in them as people do: fp8 before
// fp16. Words that differ only in leading zeros fall back to their bytes.
func compareNatural(a, b string) int {
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		if digit(a[i]) && digit(b[j]) {
			x, y := i, j
			for i < len(a) && digit(a[i]) {
				i++
			}
			for j < len(b) && digit(b[j]) {
				j++
			}
			for x < i && a[x] == '0' {
				x++
			}
			for y < j && b[y] == '0' {
				y++
			}
			if c := (i - x) - (j - y); c != 0 {
				return c
			}
			if c := bytes.Compare([]byte(a[x:i]), []byte(b[y:j])); c != 0 {
				return c
			}
			continue
		}
		if a[i] != b[j] {
			return int(a[i]) - int(b[j])
		}
		i, j = i+1, j+1
	}
	if c := (len(a) - i) - (len(b) - j); c != 0 {
		return c
	}
	return bytes.Compare([]byte(a), []byte(b))
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// json writes the tree as JSON with the keys in the tree's order.
func (n *node) json(b *bytes.Buffer) {
	switch n.kind {
	case kindNull:
		b.WriteString("null")
	case kindBool:
		b.WriteString(strings.ToLower(n.text))
	case kindNumber:
		out, _ := json.Marshal(n.num) // finite: every number was checked when read
		b.Write(out)
	case kindText:
		out, _ := json.Marshal(n.text)
		b.Write(out)
	case kindList:
		b.WriteByte('[')
		for i, item := range n.items {
			if i > 0 {
				b.WriteByte(',')
			}
			item.json(b)
		}
		b.WriteByte(']')
	case kindMap:
		b.WriteByte('{')
		for i, key := range n.keys {
			if i > 0 {
				b.WriteByte(',')
			}
			name, _ := json.Marshal(key.text)
			b.Write(name)
			b.WriteByte(':')
			n.vals[i].json(b)
		}
		b.WriteByte('}')
	}
}
