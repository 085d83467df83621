package specs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Glob lists the files that a pattern matches, sorted. Segments are those of path.Match; a segment ** stands for any
// number of folders, none included, and does not follow links. Names that begin with a dot are matched only by segments
// that do. A relative pattern starts in dir. Folders do not match, and files that cannot be listed are an error.
func Glob(dir, pattern string) ([]string, error) {
	if err := validPattern(pattern); err != nil {
		return nil, err
	}
	pattern = slashes(pattern)
	root := dir
	if vol := filepath.VolumeName(filepath.FromSlash(pattern)); vol != "" || strings.HasPrefix(pattern, "/") {
		root = vol + string(filepath.Separator)
		pattern = strings.TrimLeft(pattern[len(vol):], "/")
	}
	g := &globber{found: map[string]bool{}}
	if err := g.walk(root, segments(pattern)); err != nil {
		return nil, err
	}
	out := make([]string, 0, len(g.found))
	for f := range g.found {
		out = append(out, f)
	}
	slices.Sort(out)
	return out, nil
}

// HasGlob says whether a path is a pattern.
func HasGlob(p string) bool { return strings.ContainsAny(p, "*?[") }

func validPattern(p string) error {
	for _, s := range segments(slashes(p)) {
		if _, err := path.Match(s, ""); err != nil {
			return fmt.Errorf("%s is no pattern: %s is malformed", quote(p), quote(s))
		}
	}
	return nil
}

// slashes lets patterns be written with the separators of the system where those are no escapes.
func slashes(p string) string {
	if runtime.GOOS == "windows" {
		return strings.ReplaceAll(p, `\`, "/")
	}
	return p
}

// segments splits a pattern, leaving out what says nothing: empty parts, single dots, and ** after **.
func segments(p string) []string {
	var out []string
	for _, s := range strings.Split(p, "/") {
		if s == "" || s == "." || s == "**" && len(out) > 0 && out[len(out)-1] == "**" {
			continue
		}
		out = append(out, s)
	}
	return out
}

type globber struct{ found map[string]bool }

func (g *globber) walk(dir string, rest []string) error {
	if len(rest) == 0 {
		return nil
	}
	s, rest := rest[0], rest[1:]
	switch {
	case s == "**":
		return g.anyDepth(dir, rest)
	case !strings.ContainsAny(s, `*?[\`):
		return g.step(filepath.Join(dir, s), rest)
	}
	entries, err := list(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if ok, _ := path.Match(s, e.Name()); !ok || hidden(e.Name()) && !hidden(s) {
			continue
		}
		if err := g.step(filepath.Join(dir, e.Name()), rest); err != nil {
			return err
		}
	}
	return nil
}

// step goes on below name, or takes it where the pattern ends and it is a file.
func (g *globber) step(name string, rest []string) error {
	if len(rest) > 0 {
		return g.walk(name, rest)
	}
	if info, err := os.Stat(name); err == nil && !info.IsDir() {
		g.found[name] = true
	}
	return nil
}

// anyDepth matches rest in dir and in every folder below it.
func (g *globber) anyDepth(dir string, rest []string) error {
	if len(rest) == 0 {
		rest = []string{"*"}
	}
	if err := g.walk(dir, rest); err != nil {
		return err
	}
	entries, err := list(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() && !hidden(e.Name()) {
			if err := g.anyDepth(filepath.Join(dir, e.Name()), rest); err != nil {
				return err
			}
		}
	}
	return nil
}

func hidden(name string) bool { return strings.HasPrefix(name, ".") }

// list gives the entries of a folder; what is no folder, or is not there, has none.
func list(dir string) ([]fs.DirEntry, error) {
	info, err := os.Stat(dir)
	if err != nil || !info.IsDir() {
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return nil, err
	}
	return os.ReadDir(dir)
}
