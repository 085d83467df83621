package specs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A BudgetCheck adds what another package knows about a budget: at places a problem at the value of a path.
type BudgetCheck func(b *Budget, at func(path, format string, args ...any))

// ParseBudget reads a budget file's text. It looks at no other file: patterns and device names stay as they are
// written. All problems are reported at once, as [Errors].
func ParseBudget(data []byte, name string) (*Budget, error) {
	b, r := parseBudget(data, name)
	if err := r.err(); err != nil {
		return nil, err
	}
	return b, nil
}

// ReadBudget reads a budget, loads its devices and finds its models, both relative to the budget file; checks see it
// before problems are reported. Problems are [Errors], all at once; a budget that cannot be opened is an error of
// package os.
func ReadBudget(name string, checks ...BudgetCheck) (*Budget, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, err
	}
	b, r := parseBudget(data, name)
	if b == nil {
		return nil, r.err()
	}
	dir := filepath.Dir(name)
	r.beyond(func(more *report) {
		b.loadDevices(more, dir)
		b.findModels(more, dir)
		for _, check := range checks {
			check(b, more.at)
		}
	})
	if err := r.err(); err != nil {
		return nil, err
	}
	return b, nil
}

// parseBudget gives a budget that may have problems, and nil where it has no shape at all.
func parseBudget(data []byte, name string) (*Budget, *report) {
	b := &Budget{file: name}
	r, ok := decodeAs(BudgetSchemaID, name, data, b)
	b.pos = r.pos
	if !ok {
		return nil, r
	}
	b.misspelt = slices.ContainsFunc(r.errs, func(e *Error) bool {
		key := e.Path[strings.LastIndexByte(e.Path, '.')+1:]
		return editDistance(key, "device") <= 3 || strings.HasPrefix(key, "device")
	})
	r.beyond(b.validate)
	return b, r
}

// beyond runs checks on values some of which may have been refused, leaving out what only follows from that.
func (r *report) beyond(check func(more *report)) {
	more := newReport(r.file)
	more.pos = r.pos
	check(more)
	refused := slices.Clone(r.errs)
	for _, e := range more.errs {
		if e.File != r.file {
			r.errs = append(r.errs, e)
			continue
		}
		if !slices.ContainsFunc(refused, func(f *Error) bool { return within(e.Path, f.Path) || within(f.Path, e.Path) }) {
			r.add(position{e.Line, e.Column}, e.Path, "%s", e.Msg)
		}
	}
}

func (b *Budget) entry(i int) string { return fmt.Sprintf("models[%d]", i) }

func (b *Budget) validate(r *report) {
	both := func(path string, s *BudgetSettings) {
		if s.Device != "" && len(s.Devices) > 0 {
			r.at(join(path, "devices"), "stands beside device: want one of the two")
		}
		repeated(r, join(path, "devices"), s.Devices)
		repeated(r, join(path, "batch"), s.Batch)
	}
	both("", &BudgetSettings{Device: b.Device, Devices: b.Devices})
	both("defaults", &b.Defaults)
	if len(b.Models) == 0 {
		r.at("models", "want at least one model")
	}
	for i := range b.Models {
		m, path := &b.Models[i], b.entry(i)
		both(path, &m.BudgetSettings)
		b.validateMatch(r, m, join(path, "match"))
		b.validateLimits(r, m, path)
	}
}

// repeated refuses a value that a list has twice.
func repeated[T comparable](r *report, path string, list []T) {
	for i, x := range list {
		if first := slices.Index(list, x); first < i {
			r.at(fmt.Sprintf("%s[%d]", path, i), "%v stands in the list twice", x)
		}
	}
}

func (b *Budget) validateMatch(r *report, m *BudgetModel, path string) {
	if len(m.Match) == 0 {
		r.at(path, "want a path, a pattern or zoo:NAME")
	}
	for i, p := range m.Match {
		at := matchPath(m, path, i)
		if strings.TrimSpace(p) == "" {
			r.at(at, "empty: want a path, a pattern or zoo:NAME")
		} else if err := validPattern(p); err != nil {
			r.at(at, "%v", err)
		}
	}
	repeated(r, path, m.Match)
}

// matchPath is the path of pattern i: a single one may stand without a list.
func matchPath(m *BudgetModel, path string, i int) string {
	if len(m.Match) == 1 {
		return path
	}
	return fmt.Sprintf("%s[%d]", path, i)
}

func (b *Budget) validateLimits(r *report, m *BudgetModel, path string) {
	limits, any := join(path, "limits"), false
	m.Limits.each(func(key string, q Quantity) {
		any = true
		switch {
		case q.Dim == "": // refused while reading
		case q.Value <= 0:
			r.at(join(limits, key), "want more than 0, have %s", q)
		case key == "coverage" && q.Value > 1:
			r.at(join(limits, key), "want at most 100 %%, have %s", q)
		}
	})
	if !any {
		r.at(limits, "want at least one limit")
	}
	if s := b.settings(m); len(s.Devices) == 0 && !b.misspelt {
		for _, key := range m.Limits.onDevice() {
			r.at(join(limits, key), "needs a device: give device at the top of the file or to this model")
		}
	}
}

// loadDevices loads every device that the budget names, once.
func (b *Budget) loadDevices(r *report, dir string) {
	b.devices = map[string]*Device{}
	failed := map[string]error{}
	load := func(path, name string) {
		if name == "" || b.devices[name] != nil {
			return
		}
		err, known := failed[name]
		if !known {
			file := name
			if looksLikePath(name) && !filepath.IsAbs(name) {
				file = filepath.Join(dir, filepath.FromSlash(name))
			}
			var d *Device
			if d, err = LoadDevice(file); err == nil {
				b.devices[name] = d
				return
			}
			failed[name] = err
		}
		var bad Errors
		var missing *fs.PathError
		switch {
		case errors.As(err, &bad):
			r.at(path, "%s is no valid device file", name)
			if !known {
				r.errs = append(r.errs, bad...)
			}
		case errors.As(err, &missing):
			r.at(path, "%s: %v", name, missing.Err)
		default:
			r.at(path, "%v", err)
		}
	}
	all := func(path string, device string, devices []string) {
		load(join(path, "device"), device)
		for i, name := range devices {
			load(fmt.Sprintf("%s[%d]", join(path, "devices"), i), name)
		}
	}
	all("", b.Device, b.Devices)
	all("defaults", b.Defaults.Device, b.Defaults.Devices)
	for i := range b.Models {
		all(b.entry(i), b.Models[i].Device, b.Models[i].Devices)
	}
}

// findModels expands the patterns. Names in the zoo stay as they are: whether they exist is not known here.
func (b *Budget) findModels(r *report, dir string) {
	for i := range b.Models {
		m := &b.Models[i]
		for k, p := range m.Match {
			if strings.HasPrefix(p, "zoo:") {
				m.files = append(m.files, p)
				continue
			}
			if validPattern(p) != nil {
				continue
			}
			at := matchPath(m, join(b.entry(i), "match"), k)
			found, err := Glob(dir, p)
			switch {
			case err != nil:
				r.at(at, "%s: %v", p, err)
			case len(found) == 0:
				r.at(at, "%s matches no file in %s", quote(p), filepath.ToSlash(dir))
			}
			for _, f := range found {
				if !slices.Contains(m.files, f) {
					m.files = append(m.files, f)
				}
			}
		}
	}
}
