package specs

import (
	"fmt"
	"slices"
	"strings"
)

// An Error is one problem in a file, at a place a person can go to.
type Error struct {
	File   string // name as given to the loader
	Line   int    // 1-based; 0 when the problem has no place in a file
	Column int    // 1-based, in characters; 0 when unknown
	Path   string // the value's path, such as peak.fp16 or fits[0].groups.gemm
	Msg    string // what was wanted and what is there
}

// Error formats the problem as file:line:column: path: message, leaving out
// what is unknown.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
		if e.Column > 0 {
			fmt.Fprintf(&b, ":%d", e.Column)
		}
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	if e.Path != "" {
		b.WriteString(e.Path)
		b.WriteString(": ")
	}
	b.WriteString(e.Msg)
	return b.String()
}

// Errors are all problems of one file, in the order of the file. A loader that
// fails returns this type, never empty.
type Errors []*Error

// Error joins the problems, one a line.
func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the single problems to errors.Is and errors.As.
func (es Errors) Unwrap() []error {
	out := make([]error, len(es))
	for i, e := range es {
		out[i] = e
	}
	return out
}

// maxErrors is where a report stops growing: a file with more problems than
// this is not the kind of file it was taken for.
const maxErrors = 200

// A report collects problems and remembers where each value of the file stands,
// so that checks made after decoding can still point at it.
type report struct {
	file  string
	errs  Errors
	seen  map[Error]bool
	pos   map[string]position
	extra int // problems beyond maxErrors
}

type position struct{ line, col int }

func newReport(file string) *report {
	return &report{file: file, seen: map[Error]bool{}, pos: map[string]position{}}
}

func (r *report) add(p position, path, format string, args ...any) {
	e := Error{File: r.file, Line: p.line, Column: p.col, Path: path, Msg: fmt.Sprintf(format, args...)}
	// A value reached through several aliases is one problem, not several.
	key := e
	if e.Line > 0 {
		key.Path = ""
	}
	if r.seen[key] {
		return
	}
	if r.full() {
		r.extra++
		return
	}
	r.seen[key] = true
	r.errs = append(r.errs, &e)
}

// full says that further problems are only counted.
func (r *report) full() bool { return len(r.errs) >= maxErrors }

// at reports a problem with the value at path; a value that is not in the file
// is placed at its nearest ancestor that is.
func (r *report) at(path, format string, args ...any) { r.inside(path, 0, format, args...) }

// inside is at for a place some bytes into a text. A text that stands for a whole mapping or list is where that is.
func (r *report) inside(path string, offset int, format string, args ...any) {
	p, at := position{}, path
	for {
		var ok bool
		if p, ok = r.pos[at]; ok || at == "" {
			break
		}
		at = at[:max(0, strings.LastIndexAny(at, ".["))]
	}
	p.col += offset
	r.add(p, path, format, args...)
}

// err gives all problems in file order, or nil.
func (r *report) err() error {
	if len(r.errs) == 0 {
		return nil
	}
	slices.SortStableFunc(r.errs, func(a, b *Error) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	if r.extra > 0 {
		r.errs = append(r.errs, &Error{File: r.file, Msg: fmt.Sprintf("and %d more problems", r.extra)})
	}
	return r.errs
}
