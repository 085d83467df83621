package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/onnxcost/onnxcost/plots"
)

// pictureFormat is the format that the ending of a file name asks for.
func pictureFormat(path string) string {
	return strings.ToLower(strings.TrimPrefix(filepath.Ext(path), "."))
}

func isPicture(path string) bool { return slices.Contains(plots.Formats(), pictureFormat(path)) }

// writePicture draws a figure whole before it touches the file.
func writePicture(path string, f *plots.Figure) error {
	var b bytes.Buffer
	if err := f.Write(&b, pictureFormat(path)); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o666)
}
