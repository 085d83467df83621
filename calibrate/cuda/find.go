package cuda

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Options steer Open.
type Options struct {
	// LibDir is a directory with cuBLASLt, looked at first; "" for the usual places.
	LibDir string
}

// cublasNames are the library's names, newest first.
var cublasNames = []string{"libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so.11"}

// cublasCandidates are what to try to open, in this order: libraries in dir alone where it is given; else those on
// LD_LIBRARY_PATH, where the loader finds them by name, in a toolkit, and where Python packages put them. Paths exist;
// plain names are the loader's business.
func cublasCandidates(dir string, getenv func(string) string) []string {
	var out []string
	in := func(dirs ...string) {
		for _, name := range cublasNames {
			for _, d := range dirs {
				if p := filepath.Join(d, name); d != "" && isFile(p) && !slices.Contains(out, p) {
					out = append(out, p)
				}
			}
		}
	}
	if dir != "" {
		in(dir, filepath.Join(dir, "lib"), filepath.Join(dir, "lib64"), filepath.Join(dir, "nvidia", "cu13", "lib"), filepath.Join(dir, "nvidia", "cublas", "lib"))
		return out
	}
	in(filepath.SplitList(getenv("LD_LIBRARY_PATH"))...)
	out = append(out, cublasNames...)
	toolkit := []string{getenv("CUDA_HOME"), getenv("CUDA_PATH"), "/usr/local/cuda"}
	var libs []string
	for _, t := range toolkit {
		if t != "" {
			libs = append(libs, filepath.Join(t, "lib64"), filepath.Join(t, "lib"), filepath.Join(t, "targets", "x86_64-linux", "lib"))
		}
	}
	in(libs...)
	in(pythonDirs(getenv)...)
	return out
}

// pythonDirs are the library directories of NVIDIA's Python packages: of the active environment, of those whose python
// is on the PATH, and of the user and the system.
func pythonDirs(getenv func(string) string) []string {
	var roots []string
	add := func(r string) {
		if r != "" && !slices.Contains(roots, r) {
			roots = append(roots, r)
		}
	}
	add(getenv("VIRTUAL_ENV"))
	add(getenv("CONDA_PREFIX"))
	for _, d := range filepath.SplitList(getenv("PATH")) {
		for _, python := range []string{"python3", "python"} {
			p := filepath.Join(d, python)
			if !isFile(p) {
				continue
			}
			// An environment's python is a link to the system's: its packages lie beside the link, whose own directory may be
			// linked to in turn.
			add(filepath.Dir(d))
			for range 4 {
				to, err := os.Readlink(p)
				if err != nil {
					break
				}
				if !filepath.IsAbs(to) {
					to = filepath.Join(filepath.Dir(p), to)
				}
				p = to
				add(filepath.Dir(filepath.Dir(p)))
			}
		}
	}
	if home := getenv("HOME"); home != "" {
		add(filepath.Join(home, ".local"))
	}
	add("/usr/local")
	add("/usr")
	var dirs []string
	for _, r := range roots {
		for _, pattern := range []string{"lib/python3*/site-packages", "lib/python3*/dist-packages", "lib/python3/dist-packages"} {
			sites, err := filepath.Glob(filepath.Join(escapeGlob(r), pattern))
			if err != nil {
				continue
			}
			slices.Sort(sites)
			slices.Reverse(sites)
			for _, site := range sites {
				for _, sub := range []string{"nvidia/cu13/lib", "nvidia/cu12/lib", "nvidia/cublas/lib"} {
					if d := filepath.Join(site, sub); isDir(d) && !slices.Contains(dirs, d) {
						dirs = append(dirs, d)
					}
				}
			}
		}
	}
	return dirs
}

// escapeGlob keeps the characters of a directory's name from being read as a pattern.
func escapeGlob(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

func isFile(p string) bool {
	info, err := os.Stat(p)
	return err == nil && info.Mode().IsRegular()
}

func isDir(p string) bool {
	info, err := os.Stat(p)
	return err == nil && info.IsDir()
}
