//go:build unix && !linux

package onnx

// prefault returns the flags that make mmap map all pages of a small file at once; only Linux has one.
func prefault(int64) int { return 0 }
