package onnx

import "golang.org/x/sys/unix"

// prefaultLimit is the size in bytes up to which a file is mapped page by page at once. Most of such a file is graph,
// and one call costs less than a fault for every few pages; of a larger one only the pages that are looked at count.
const prefaultLimit = 8 << 20

func prefault(size int64) int {
	if size > prefaultLimit {
		return 0
	}
	return unix.MAP_POPULATE
}
