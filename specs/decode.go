package specs

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// The decoder fills Go structs from nodes, strictly. A struct says with tags
// what its file looks like, and the encoder reads the same tags:
//
//	spec:"name"        the key; fields without the tag are not part of the file
//	  ,required        must be present, and is always written
//	  ,flow            written on one line
//	  ,short           a value that is no mapping stands for this field alone;
//	                   the path of this field is its parent's
//	  ,single          for lists: a value that is no list stands for a list of it
//	unit:"FLOP/s"      what a number counts, for messages
//	range:">0"         or ">=0": which numbers are allowed
//	dim:"energy"       for Quantity: the dimension it must have
//
// Embedded structs lend their fields. Maps have string keys. A type with a
// method allowed() []string is one of those words. Pointers to structs and
// *bool are optional values.

// wordList is implemented by string types that have a fixed vocabulary.
type wordList interface{ allowed() []string }

// manyWords is the length from which a vocabulary is not listed in an error.
const manyWords = 16

// maxValues bounds how many values a document decodes to, aliases expanded.
const maxValues = 1 << 20

type decoder struct {
	*report
	values int
}

// schemaOf reads only the document's schema identifier, so that a file of
// another kind is refused with one sentence instead of a hundred.
func schemaOf(root *node) (id string, at position, ok bool) {
	for i, k := range root.keys {
		if k.text == "schema" && root.vals[i].kind == kindText {
			return root.vals[i].text, root.vals[i].pos, true
		}
	}
	return "", root.pos, false
}

// decodeAs reads the one document of data into out, a pointer to a struct, if
// it declares the given schema; ok says that it did. All problems are in the
// report, which also keeps the places of the values.
func decodeAs(schema, file string, data []byte, out any) (r *report, ok bool) {
	r = newReport(file)
	root := parseYAML(data, r)
	if root == nil {
		return r, false
	}
	if root.kind != kindMap {
		r.add(root.pos, "", "want a mapping that begins with schema: %s, have %s", schema, root.describe())
		return r, false
	}
	if id, at, ok := schemaOf(root); ok && id != schema {
		r.add(at, "schema", "want %s, have %s", schema, quote(id))
		return r, false
	}
	d := &decoder{report: r}
	d.value(root, reflect.ValueOf(out).Elem(), "", field{})
	return r, true
}

// field is one field of a struct as its tags describe it.
type field struct {
	name     string
	index    []int
	required bool
	flow     bool
	short    bool
	single   bool
	unit     string
	bounds   string
	dim      Dimension
}

func fieldsOf(t reflect.Type) []field {
	var out []field
	for i := range t.NumField() {
		sf := t.Field(i)
		if sf.Anonymous {
			for _, f := range fieldsOf(sf.Type) {
				f.index = append([]int{i}, f.index...)
				out = append(out, f)
			}
			continue
		}
		tag, ok := sf.Tag.Lookup("spec")
		if !ok {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		f := field{
			name: name, index: []int{i},
			unit: sf.Tag.Get("unit"), bounds: sf.Tag.Get("range"), dim: Dimension(sf.Tag.Get("dim")),
		}
		for _, o := range strings.Split(options, ",") {
			switch o {
			case "":
			case "required":
				f.required = true
			case "flow":
				f.flow = true
			case "short":
				f.short = true
			case "single":
				f.single = true
			default:
				panic("specs: unknown tag option " + o + " on " + t.Name() + "." + sf.Name)
			}
		}
		out = append(out, f)
	}
	return out
}

func shortField(fields []field) *field {
	for i := range fields {
		if fields[i].short {
			return &fields[i]
		}
	}
	return nil
}

func (d *decoder) value(n *node, v reflect.Value, path string, f field) {
	if d.values++; d.values > maxValues {
		if d.values == maxValues+1 {
			d.add(n.pos, path, "more than %d values: aliases expand too far", maxValues)
		}
		return
	}
	d.pos[path] = n.pos
	if q, ok := v.Addr().Interface().(*Quantity); ok {
		d.quantity(n, q, path, f)
		return
	}
	if t, ok := v.Addr().Interface().(*Formula); ok {
		d.formula(n, t, path)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, v.Elem(), path, f)
	case reflect.Struct:
		d.structure(n, v, path, f)
	case reflect.Map:
		d.mapping(n, v, path, f)
	case reflect.Slice, reflect.Array:
		d.list(n, v, path, f)
	case reflect.String:
		d.text(n, v, path)
	case reflect.Bool:
		if n.kind != kindBool {
			d.add(n.pos, path, "want true or false, have %s", n.describe())
			return
		}
		v.SetBool(strings.EqualFold(n.text, "true"))
	case reflect.Float64, reflect.Int, reflect.Int64:
		d.number(n, v, path, f)
	default:
		panic("specs: cannot decode into " + v.Type().String())
	}
}

func (d *decoder) structure(n *node, v reflect.Value, path string, from field) {
	fields := fieldsOf(v.Type())
	short := shortField(fields)
	present := make([]bool, len(fields))
	if n.kind != kindMap {
		if short == nil {
			d.add(n.pos, path, "want a mapping with %s, have %s", names(fields), n.describe())
			return
		}
		if !d.shorthand(n, v, path, from, *short) {
			return
		}
		for i := range fields {
			present[i] = fields[i].short
		}
	}
	for i, key := range n.keys {
		at := slices.IndexFunc(fields, func(f field) bool { return f.name == key.text })
		if at < 0 && d.full() {
			d.extra++
			continue
		}
		if at < 0 {
			d.add(key.pos, join(path, key.text), "unknown key%s", Suggest(key.text, fieldNames(fields)))
			continue
		}
		f := fields[at]
		present[at] = true
		p := join(path, f.name)
		if f.short {
			p = path
			f = inherit(f, from)
		}
		d.value(n.vals[i], v.FieldByIndex(f.index), p, f)
	}
	for i, f := range fields {
		if f.required && !present[i] {
			d.add(n.pos, join(path, f.name), "missing%s", f.wanted(v.FieldByIndex(f.index).Type()))
		}
	}
}

// shorthand reads a plain value as the struct's short field and says whether
// that worked.
func (d *decoder) shorthand(n *node, v reflect.Value, path string, from, short field) bool {
	before := len(d.errs) + d.extra
	f := inherit(short, from)
	d.value(n, v.FieldByIndex(f.index), path, f)
	return len(d.errs)+d.extra == before
}

// inherit gives a short field the unit that its parent states: the same type
// holds FLOP/s in one place and bytes in another.
func inherit(short, from field) field {
	if from.unit != "" {
		short.unit = from.unit
	}
	if from.bounds != "" {
		short.bounds = from.bounds
	}
	return short
}

func (d *decoder) mapping(n *node, v reflect.Value, path string, f field) {
	if n.kind != kindMap {
		d.add(n.pos, path, "want a mapping, have %s", n.describe())
		return
	}
	t := v.Type()
	m := reflect.MakeMapWithSize(t, min(len(n.keys), 64))
	for i, key := range n.keys {
		k := reflect.New(t.Key()).Elem()
		k.SetString(key.text)
		p := join(path, key.text)
		if w, ok := k.Interface().(wordList); ok && !slices.Contains(w.allowed(), key.text) {
			d.add(key.pos, p, "unknown key%s", Suggest(key.text, w.allowed()))
			continue
		}
		e := reflect.New(t.Elem()).Elem()
		d.value(n.vals[i], e, p, f)
		m.SetMapIndex(k, e)
	}
	if m.Len() > 0 {
		v.Set(m)
	}
}

func (d *decoder) list(n *node, v reflect.Value, path string, f field) {
	if f.single && n.kind != kindList {
		e := reflect.New(v.Type().Elem()).Elem()
		d.value(n, e, path, f)
		v.Set(reflect.Append(v, e))
		return
	}
	if n.kind != kindList {
		d.add(n.pos, path, "want a list, have %s", n.describe())
		return
	}
	if v.Kind() == reflect.Array {
		if len(n.items) != v.Len() {
			d.add(n.pos, path, "want %d values, have %d", v.Len(), len(n.items))
			return
		}
	} else if len(n.items) > 0 {
		v.Set(reflect.MakeSlice(v.Type(), 0, min(len(n.items), 64)))
	}
	for i, item := range n.items {
		// Lists hold many plain numbers: no place is kept for each of them.
		if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Float64 && f.bounds == "" &&
			item.kind == kindNumber && !math.IsNaN(item.num) && !math.IsInf(item.num, 0) && d.values < maxValues {
			d.values++
			v.Set(reflect.Append(v, reflect.ValueOf(item.num).Convert(v.Type().Elem())))
			continue
		}
		p := path + "[" + strconv.Itoa(i) + "]"
		if v.Kind() == reflect.Array {
			d.value(item, v.Index(i), p, f)
			continue
		}
		e := reflect.New(v.Type().Elem()).Elem()
		d.value(item, e, p, f)
		v.Set(reflect.Append(v, e))
	}
}

func (d *decoder) text(n *node, v reflect.Value, path string) {
	w, isWord := v.Interface().(wordList)
	switch {
	case n.kind != kindText && isWord:
		d.add(n.pos, path, "want %s, have %s", oneOf(w.allowed()), n.describe())
	case n.kind != kindText && (n.kind == kindNumber || n.kind == kindBool):
		d.add(n.pos, path, "want a text, have %s; write it in quotes", n.describe())
	case n.kind != kindText:
		d.add(n.pos, path, "want a text, have %s", n.describe())
	case isWord && len(w.allowed()) > manyWords && !slices.Contains(w.allowed(), n.text):
		d.add(n.pos, path, "unknown word %s%s", n.describe(), Suggest(n.text, w.allowed()))
	case isWord && !slices.Contains(w.allowed(), n.text):
		d.add(n.pos, path, "want %s, have %s", oneOf(w.allowed()), n.describe())
	default:
		v.SetString(n.text)
	}
}

func (d *decoder) number(n *node, v reflect.Value, path string, f field) {
	integer := v.Kind() != reflect.Float64
	want := "a number"
	if integer {
		want = "a whole number"
	}
	switch f.bounds {
	case ">0":
		want += " above 0"
	case ">=0":
		want += ", 0 or more"
	}
	if f.unit != "" {
		want = f.unit + " as " + want
	}
	x := n.num
	switch {
	case n.kind == kindText && isQuantity(n.text):
		d.add(n.pos, path, "want %s, have %s; write plain SI without a unit", shorten(want), n.describe())
	case n.kind != kindNumber:
		d.add(n.pos, path, "want %s, have %s", shorten(want), n.describe())
	case math.IsNaN(x) || math.IsInf(x, 0):
		d.add(n.pos, path, "want %s, have %s, which is not finite", shorten(want), n.describe())
	case f.bounds == ">0" && x <= 0, f.bounds == ">=0" && x < 0:
		d.add(n.pos, path, "want %s, have %s", want, n.describe())
	case !integer:
		v.SetFloat(x)
	case x != math.Trunc(x) || math.Abs(x) >= 1<<53:
		d.add(n.pos, path, "want %s, have %s", want, n.describe())
	default:
		v.SetInt(int64(x))
	}
}

// shorten drops the bounds from a wish when the value is not even a number.
func shorten(want string) string {
	want, _, _ = strings.Cut(want, " above")
	want, _, _ = strings.Cut(want, ",")
	return want
}

// quantity reads a number with its unit written out, and places an error at the
// character that is wrong.
func (d *decoder) quantity(n *node, q *Quantity, path string, f field) {
	switch n.kind {
	case kindText, kindNumber:
	default:
		d.add(n.pos, path, "%s, have %s", f.dim.wanted(), n.describe())
		return
	}
	v, err := ParseQuantity(n.text, f.dim)
	if err != nil {
		at := n.pos
		if qe, ok := err.(*QuantityError); ok {
			at.col += len([]rune(n.text[:qe.Offset]))
			if n.quoted {
				at.col++
			}
		}
		d.add(at, path, "%s", err)
		return
	}
	*q = v
}

func (f field) wanted(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if w, ok := reflect.Zero(t).Interface().(wordList); ok {
		return ": want " + oneOf(w.allowed())
	}
	if f.dim != "" {
		return ": " + f.dim.wanted()
	}
	if f.unit != "" {
		return ": want " + f.unit
	}
	return ""
}

func fieldNames(fields []field) []string {
	out := make([]string, len(fields))
	for i, f := range fields {
		out[i] = f.name
	}
	return out
}

// names lists the required keys, or all where none is required.
func names(fields []field) string {
	var out []string
	for _, f := range fields {
		if f.required {
			out = append(out, f.name)
		}
	}
	if len(out) == 0 {
		out = fieldNames(fields)
	}
	return strings.Join(out, ", ")
}

// join appends a key to a path, quoting keys that would make it ambiguous.
func join(path, key string) string {
	plain := key != "" && !strings.ContainsFunc(key, func(r rune) bool {
		return !(r == '_' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z')
	})
	switch {
	case !plain:
		return fmt.Sprintf("%s[%s]", path, quote(key))
	case path == "":
		return key
	}
	return path + "." + key
}

func oneOf(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	return "one of " + strings.Join(words, ", ")
}
