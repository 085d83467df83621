package onnx

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// External says where a tensor's values lie outside the model's file. The path is confined to the model's directory;
// a model that names another place is refused when it is read. Absent or short files are not: costs need no weights.
type External struct {
	Location string // as the model gives it: POSIX, relative to the model's directory
	Offset   int64
	Length   int64  // bytes; -1 where the model does not say
	Checksum string // SHA-1 of the file, in hex, as the model gives it; not verified
	Other    []StringPair

	Absent bool  // the file is not there
	Err    error // why the values cannot be read; nil where the file is there and long enough

	offsetGiven bool
	path        string // resolved
	roots       []string
}

// parseExternal reads external_data entries.
func parseExternal(keys []StringPair) (*External, error) {
	e := &External{Length: -1}
	for _, k := range keys {
		var err error
		switch k.Key {
		case "location":
			e.Location = k.Value
		case "offset":
			e.Offset, err = parseSize(k)
			e.offsetGiven = true
		case "length":
			e.Length, err = parseSize(k)
		case "checksum":
			e.Checksum = k.Value
		default:
			e.Other = append(e.Other, k)
		}
		if err != nil {
			return nil, err
		}
	}
	return e, checkLocation(e.Location)
}

func parseSize(k StringPair) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimSpace(k.Value), 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s is %q, want a number of bytes", k.Key, k.Value)
	}
	return n, nil
}

// checkLocation refuses a location that could leave the model's directory by its text alone.
func checkLocation(location string) error {
	switch {
	case location == "":
		return errors.New("no location")
	case strings.HasPrefix(location, "/") || filepath.IsAbs(filepath.FromSlash(location)) || filepath.VolumeName(location) != "":
		return fmt.Errorf("location %q is absolute, want a path inside the model's directory", location)
	}
	for _, part := range strings.FieldsFunc(location, func(r rune) bool { return r == '/' || r == '\\' }) {
		if part == ".." {
			return fmt.Errorf("location %q contains .., want a path inside the model's directory", location)
		}
	}
	if !filepath.IsLocal(filepath.FromSlash(location)) {
		return fmt.Errorf("location %q is not a path inside the model's directory", location)
	}
	return nil
}

// pairs is the inverse of parseExternal.
func (e *External) pairs() []StringPair {
	if e == nil {
		return nil
	}
	p := []StringPair{{"location", e.Location}}
	if e.Offset != 0 || e.offsetGiven {
		p = append(p, StringPair{"offset", strconv.FormatInt(e.Offset, 10)})
	}
	if e.Length >= 0 {
		p = append(p, StringPair{"length", strconv.FormatInt(e.Length, 10)})
	}
	if e.Checksum != "" {
		p = append(p, StringPair{"checksum", e.Checksum})
	}
	return append(p, e.Other...)
}

// resolver finds external data beside one model. Models name few files in many tensors, so answers are kept. Parts of one
// file may ask at the same time.
type resolver struct {
	model string   // its path, as the user gave it
	roots []string // real directories that data may lie in

	mu   sync.Mutex
	seen map[string]resolved // nil until the first question
}

// resolved is what became of a location. At most one of the errors is set.
type resolved struct {
	path    string
	size    int64
	refused error // it leads out of the model's directory
	missing error // the file is absent or cannot be read
}

// short returns the error of a file that does not hold n bytes at offset.
func (r *resolved) short(offset, n int64) error {
	if offset > r.size || n > r.size-offset {
		return fmt.Errorf("external file %s has %d bytes, want %d at offset %d", r.path, r.size, n, offset)
	}
	return nil
}

// prepare finds the directories that data may lie in: the real directory of the model's path, and that of the file
// the path links to, because caches keep both model and data as links into one store.
func (r *resolver) prepare() {
	r.seen = map[string]resolved{}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(r.model)); err == nil {
		r.roots = append(r.roots, absolute(dir))
	}
	if file, err := filepath.EvalSymlinks(r.model); err == nil {
		r.roots = append(r.roots, absolute(filepath.Dir(file)))
	}
}

func absolute(path string) string {
	if a, err := filepath.Abs(path); err == nil {
		return a
	}
	return path
}

var errNoDirectory = fmt.Errorf("%w: the model was not read from a file, so external data has no directory", ErrNoData)

// resolve fills in e.Absent and e.Err for the data of t, and fails where the location is refused. A nil resolver
// knows no directory.
func (r *resolver) resolve(e *External, t *Tensor) error {
	if r == nil {
		e.Absent, e.Err = true, errNoDirectory
		return nil
	}
	file := r.find(e.Location)
	if file.refused != nil {
		return fmt.Errorf("location %q %w", e.Location, file.refused)
	}
	e.path, e.roots = file.path, r.roots
	if file.missing != nil {
		e.Absent, e.Err = errors.Is(file.missing, ErrNoData), file.missing
		return nil
	}
	want := e.Length
	if want < 0 {
		want, _ = t.wantBytes() // type and dims that make no size are the accessors' to report
	}
	e.Err = file.short(e.Offset, want)
	return nil
}

// find says what became of a location.
func (r *resolver) find(location string) resolved {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen == nil {
		r.prepare()
	}
	file, ok := r.seen[location]
	if !ok {
		file = lookUp(filepath.Join(filepath.Dir(r.model), filepath.FromSlash(location)), r.roots)
		r.seen[location] = file
	}
	return file
}

// lookUp finds the file at path, which must really lie in one of the roots.
func lookUp(path string, roots []string) resolved {
	r := resolved{path: path}
	real, err := filepath.EvalSymlinks(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.missing = fmt.Errorf("%w: external file %s is absent", ErrNoData, path)
		return r
	case err != nil:
		r.missing = fmt.Errorf("external file: %w", err)
		return r
	case !inside(absolute(real), roots):
		r.refused = errors.New("is a link that leads out of the model's directory")
		return r
	}
	info, err := os.Stat(real)
	switch {
	case err != nil:
		r.missing = fmt.Errorf("external file: %w", err)
	case !info.Mode().IsRegular():
		r.missing = fmt.Errorf("external file %s is not a regular file", path)
	default:
		r.size = info.Size()
	}
	return r
}

func inside(path string, roots []string) bool {
	for _, root := range roots {
		rel, err := filepath.Rel(root, path)
		if err == nil && filepath.IsLocal(rel) {
			return true
		}
	}
	return false
}

// read returns want bytes of values. The path is looked up again: links may have changed since the model was read.
func (e *External) read(want int64) ([]byte, error) {
	if e.path == "" {
		if e.Err != nil {
			return nil, e.Err
		}
		return nil, errNoDirectory
	}
	if e.Length >= 0 && e.Length != want {
		return nil, fmt.Errorf("external data has length %d, want %d for type and dims", e.Length, want)
	}
	file := lookUp(e.path, e.roots)
	switch {
	case file.refused != nil:
		return nil, fmt.Errorf("location %q %w", e.Location, file.refused)
	case file.missing != nil:
		return nil, file.missing
	}
	if err := file.short(e.Offset, want); err != nil {
		return nil, err
	}
	f, err := os.Open(e.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw := make([]byte, want)
	_, err = f.ReadAt(raw, e.Offset)
	return raw, err
}
