package specs

import (
	"reflect"
	"slices"
)

// allKeys lists every key that a device file can have.
func allKeys() []string {
	seen := map[reflect.Type]bool{}
	var keys []string
	var walk func(t reflect.Type)
	walk = func(t reflect.Type) {
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			walk(t.Elem())
		case reflect.Struct:
			if seen[t] {
				return
			}
			seen[t] = true
			for _, f := range fieldsOf(t) {
				keys = append(keys, f.name)
				walk(t.FieldByIndex(f.index).Type)
			}
		}
	}
	walk(reflect.TypeFor[Device]())
	slices.Sort(keys)
	return slices.Compact(keys)
}
