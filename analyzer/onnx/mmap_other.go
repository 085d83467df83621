//go:build !unix && !windows

package onnx

import (
	"io"
	"os"
)

// mapFile reads the file where the platform cannot map it.
func mapFile(f *os.File, size int64) (data []byte, unmap func() error, err error) {
	data, err = io.ReadAll(io.LimitReader(f, size))
	return data, func() error { return nil }, err
}
