package specs

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"reflect"
	"slices"
	"strings"
)

//go:embed devices/*.yaml
var deviceFiles embed.FS

//go:embed schema/device-v1.schema.json
var deviceSchema []byte

// DeviceSchema is the JSON Schema (draft 2020-12) of device files. It accepts
// every file that [ParseDevice] accepts; citations and the order of figures
// are checked by the loader alone.
func DeviceSchema() []byte { return slices.Clone(deviceSchema) }

// DeviceNames lists the built-in devices, sorted.
func DeviceNames() []string {
	entries, err := deviceFiles.ReadDir("devices")
	if err != nil {
		panic("specs: " + err.Error())
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = strings.TrimSuffix(e.Name(), ".yaml")
	}
	slices.SortFunc(names, compareNatural)
	return names
}

// LoadDevice gives the built-in device of a name, or reads a device file: any
// argument with a path separator or a .yaml or .yml ending is a path. Problems
// in a file are [Errors]; a file that cannot be opened is an error of package
// os.
func LoadDevice(nameOrPath string) (*Device, error) {
	if looksLikePath(nameOrPath) {
		return loadFile(nameOrPath)
	}
	data, err := deviceFiles.ReadFile(path.Join("devices", nameOrPath+".yaml"))
	if err == nil {
		return ParseDevice(data, nameOrPath+".yaml")
	}
	if _, err := os.Stat(nameOrPath); err == nil {
		return loadFile(nameOrPath)
	}
	return nil, fmt.Errorf("unknown device %s%s (or give the path of a device file)", quote(nameOrPath), Suggest(nameOrPath, DeviceNames()))
}

func looksLikePath(s string) bool {
	return strings.ContainsAny(s, `/\`) || strings.HasSuffix(s, ".yaml") || strings.HasSuffix(s, ".yml")
}

func loadFile(name string) (*Device, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, &os.PathError{Op: "read", Path: name, Err: errors.New("is a directory, want a device file")}
	}
	// One byte more than allowed, so that the parser sees that it is too much.
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, err
	}
	return ParseDevice(data, name)
}

// ParseDevice reads a device file. The name is used in errors only. All
// problems are reported at once, as [Errors].
func ParseDevice(data []byte, name string) (*Device, error) {
	d := new(Device)
	r, ok := decodeAs(DeviceSchemaID, name, data, d)
	if ok {
		r.beyond(d.validate)
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	return d, nil
}

// within says whether the value at path is the one at outer or part of it. The
// empty path belongs to problems of the file as such, not to a value.
func within(path, outer string) bool {
	rest, ok := strings.CutPrefix(path, outer)
	return ok && outer != "" && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// MarshalDevice writes a device file: the same bytes for equal devices, and
// [ParseDevice] gives an equal device back. A device that would not load is an
// error.
func MarshalDevice(d *Device) ([]byte, error) {
	if err := d.Validate(); err != nil {
		return nil, err
	}
	return formatYAML(encode(d))
}

// rebuild decodes a tree that was made by encode, for its checks alone.
func (d *decoder) rebuild(root *node) {
	d.value(root, reflect.ValueOf(new(Device)).Elem(), "", field{})
}

// cite writes a source for people: "NVIDIA, Title, 2022, Table 3".
func (s Source) cite(where string) string {
	var parts []string
	if s.By != "" {
		parts = append(parts, s.By)
	}
	parts = append(parts, s.Title)
	if s.Year != 0 {
		parts = append(parts, fmt.Sprint(s.Year))
	}
	if where == "" {
		where = s.Where
	}
	if where != "" {
		parts = append(parts, where)
	}
	return strings.Join(parts, ", ")
}
