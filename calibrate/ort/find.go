package ort

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// EnvLibrary is the environment variable that names the library, or the directory that holds it.
const EnvLibrary = "ONNXRUNTIME_LIB"

var errNoCgo = fmt.Errorf("ONNX Runtime: this program was built without cgo and cannot open it: %w", errors.ErrUnsupported)

// ErrNotFound is wrapped by the error of Find where no library is anywhere.
var ErrNotFound = errors.New("ONNX Runtime's library not found")

// Find returns the path of ONNX Runtime's library: explicit where it is not empty, else what ONNXRUNTIME_LIB names,
// else the first of the loader's usual places, an onnxruntime-node package in the node_modules of the working directory
// or of a parent (also below .tools/npm), and Python's onnxruntime packages. The first two are never passed over: a
// name that leads nowhere is an error.
func Find(explicit string) (string, error) {
	for _, given := range []struct{ path, from string }{{explicit, "given"}, {os.Getenv(EnvLibrary), EnvLibrary}} {
		if given.path == "" {
			continue
		}
		return findGiven(given.path, given.from)
	}
	if path := here.find(); path != "" {
		return path, nil
	}
	if !Available {
		return "", errNoCgo
	}
	return "", fmt.Errorf("%w: set %s to its path, install the npm package onnxruntime-node or the Python package onnxruntime "+
		"in the working directory, or install the C library where the loader finds it", ErrNotFound, EnvLibrary)
}

// A system is what decides where packages put the library and how they call it.
type system struct{ goos, goarch string }

// here is the system that this program is built for.
var here = system{runtime.GOOS, runtime.GOARCH}

// find returns the first library of the places to look in, "" where there is none.
func (s system) find() string {
	home, _ := os.UserHomeDir()
	cwd, _ := os.Getwd()
	for _, dir := range slices.Concat(s.loaderDirs(os.Getenv), s.nodeDirs(cwd), s.pythonDirs(home, os.Getenv("VIRTUAL_ENV"), cwd)) {
		if path := s.libraryIn(dir); path != "" {
			return path
		}
	}
	return ""
}

// findGiven resolves a path that the user gave: a library, or a directory with one.
func findGiven(path, from string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("ONNX Runtime's library (%s): %w", from, err)
	}
	if !info.IsDir() {
		return path, nil
	}
	for _, dir := range []string{path, filepath.Join(path, "lib")} {
		if lib := here.libraryIn(dir); lib != "" {
			return lib, nil
		}
	}
	return "", fmt.Errorf("ONNX Runtime's library (%s): %s: no %s in it: %w", from, path, here.libraryPatterns()[0], ErrNotFound)
}

// libraryPatterns are the names that packages give the library, the plain name first.
func (s system) libraryPatterns() []string {
	switch s.goos {
	case "windows":
		return []string{"onnxruntime.dll"}
	case "darwin":
		return []string{"libonnxruntime.dylib", "libonnxruntime.*.dylib"}
	}
	return []string{"libonnxruntime.so", "libonnxruntime.so.*"}
}

// libraryIn returns the newest library in dir, "" where there is none.
func (s system) libraryIn(dir string) string {
	for _, pattern := range s.libraryPatterns() {
		found, err := filepath.Glob(filepath.Join(escapeGlob(dir), pattern))
		if err != nil || len(found) == 0 {
			continue
		}
		slices.SortFunc(found, func(a, b string) int { return compareNumbered(filepath.Base(b), filepath.Base(a)) })
		for _, f := range found {
			if info, err := os.Stat(f); err == nil && info.Mode().IsRegular() {
				return f
			}
		}
	}
	return ""
}

// escapeGlob keeps the characters of a directory's name from being read as a pattern.
func escapeGlob(dir string) string {
	if runtime.GOOS == "windows" {
		return dir // the backslash separates there and escapes nothing
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

// compareNumbered compares names whose runs of digits are numbers: 1.9.1 before 1.30.0.
func compareNumbered(a, b string) int {
	for a != "" && b != "" {
		na, nb := leadingDigits(a), leadingDigits(b)
		switch {
		case na > 0 && nb == 0:
			return 1 // 1.30.0.dylib says more than 1.dylib
		case na == 0 && nb > 0:
			return -1
		case na > 0:
			x, _ := strconv.Atoi(a[:na])
			y, _ := strconv.Atoi(b[:nb])
			if x != y {
				return x - y
			}
			a, b = a[na:], b[nb:]
			continue
		}
		if a[0] != b[0] {
			return int(a[0]) - int(b[0])
		}
		a, b = a[1:], b[1:]
	}
	return len(a) - len(b)
}

func leadingDigits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

// loaderDirs are the places where the system's loader looks, in its order.
func (s system) loaderDirs(getenv func(string) string) []string {
	var dirs []string
	add := func(list string) {
		for _, d := range filepath.SplitList(list) {
			if d != "" {
				dirs = append(dirs, d)
			}
		}
	}
	switch s.goos {
	case "windows":
		if exe, err := os.Executable(); err == nil {
			dirs = append(dirs, filepath.Dir(exe))
		}
		add(getenv("PATH"))
	case "darwin":
		add(getenv("DYLD_LIBRARY_PATH"))
		dirs = append(dirs, "/usr/local/lib", "/opt/homebrew/lib", "/opt/homebrew/opt/onnxruntime/lib")
	default:
		add(getenv("LD_LIBRARY_PATH"))
		multiarch := map[string]string{"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu", "arm": "arm-linux-gnueabihf"}[s.goarch]
		for _, root := range []string{"/usr/local/lib", "/usr/lib", "/lib"} {
			if multiarch != "" {
				dirs = append(dirs, root+"/"+multiarch)
			}
			dirs = append(dirs, root, root+"64")
		}
		dirs = append(dirs, "/opt/onnxruntime/lib")
	}
	return dirs
}

// nodeDirs are the library directories of onnxruntime-node packages at cwd and above it.
func (s system) nodeDirs(cwd string) []string {
	platform := cmp.Or(map[string]string{"windows": "win32"}[s.goos], s.goos)
	arch := cmp.Or(map[string]string{"amd64": "x64", "386": "ia32"}[s.goarch], s.goarch)
	var dirs []string
	for dir := cwd; dir != ""; {
		for _, modules := range []string{"node_modules", ".tools/npm/node_modules"} {
			bin := filepath.Join(dir, filepath.FromSlash(modules), "onnxruntime-node", "bin")
			found, err := filepath.Glob(filepath.Join(escapeGlob(bin), "napi-v*", platform, arch))
			if err != nil {
				continue
			}
			slices.SortFunc(found, func(a, b string) int { return compareNumbered(b, a) })
			dirs = append(dirs, found...)
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			break
		}
		dir = parent
	}
	return dirs
}

// pythonDirs are the capi directories of Python's onnxruntime packages: of the active virtual environment, of one
// beside the working directory, of the user and of the system.
func (s system) pythonDirs(home, virtualEnv, cwd string) []string {
	var roots []string
	for _, r := range []string{virtualEnv, join(cwd, ".venv"), join(cwd, "venv"), join(home, ".local"), "/usr/local", "/usr"} {
		if r != "" {
			roots = append(roots, r)
		}
	}
	if s.goos == "darwin" { // Homebrew's Python, the user's packages of Apple's and python.org's, and python.org's own
		roots = append(roots, "/opt/homebrew")
		for _, pattern := range []string{join(home, "Library/Python/3*"), "/Library/Frameworks/Python.framework/Versions/3*"} {
			found, err := filepath.Glob(pattern)
			if err != nil || pattern == "" {
				continue
			}
			slices.SortFunc(found, func(a, b string) int { return compareNumbered(b, a) })
			roots = append(roots, found...)
		}
	}
	var dirs []string
	for _, r := range roots {
		for _, pattern := range []string{"lib/python3*/site-packages", "lib/python3*/dist-packages", "lib64/python3*/site-packages", "lib/python/site-packages", "Lib/site-packages"} {
			found, err := filepath.Glob(filepath.Join(escapeGlob(r), filepath.FromSlash(pattern), "onnxruntime", "capi"))
			if err != nil {
				continue
			}
			slices.SortFunc(found, func(a, b string) int { return compareNumbered(b, a) })
			dirs = append(dirs, found...)
		}
	}
	return dirs
}

func join(dir, name string) string {
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, name)
}
