package bound

import (
	"os"
	"path/filepath"
	"testing"
)

// maxSeed is the size in bytes up to which real models are seeds; fuzzing long inputs covers less in the same time.
const maxSeed = 1 << 14

// Seeds are the files of the shared data, below the directory that ONNXCOST_SHARED names, that match a pattern and are not
// too long for fuzzing. Without the directory there are none.
func Seeds(t testing.TB, patterns ...string) (list [][]byte) {
	t.Helper()
	dir := os.Getenv("ONNXCOST_SHARED")
	if dir == "" {
		return nil
	}
	for _, pattern := range patterns {
		paths, err := filepath.Glob(filepath.Join(dir, filepath.FromSlash(pattern)))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if len(data) <= maxSeed {
				list = append(list, data)
			}
		}
	}
	return list
}
