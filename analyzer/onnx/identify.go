package onnx

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
	"unsafe"
)

// signatures are the leading bytes of files that people take for ONNX models.
var signatures = []struct {
	offset int
	magic  string
	what   string
}{
	{0, "PK\x03\x04", "is a zip archive (PyTorch .pt, NumPy .npz and Keras files are ones)"},
	{0, "PK\x05\x06", "is an empty zip archive"},
	{0, "\x1f\x8b", "is gzip-compressed"},
	{0, "BZh", "is bzip2-compressed"},
	{0, "\xfd7zXZ\x00", "is xz-compressed"},
	{0, "\x28\xb5\x2f\xfd", "is zstd-compressed"},
	{257, "ustar", "is a tar archive"},
	{4, "ORTM", "is an ONNX Runtime .ort flatbuffer"},
	{4, "TFL3", "is a TensorFlow Lite flatbuffer"},
	{0, "\x89HDF\r\n\x1a\n", "is an HDF5 file (older Keras models are ones)"},
	{0, "\x93NUMPY", "is a NumPy array"},
	{0, "GGUF", "is a GGUF file"},
	{0, "\x7fELF", "is an ELF binary"},
	{0, "MZ", "is a Windows executable"},
	{0, "version https://git-lfs.github.com/spec/", "is a Git LFS pointer (git lfs pull fetches the file)"},
}

// identify says what bytes are that did not decode as a model; "" where it cannot tell.
func identify(data []byte) string {
	for _, s := range signatures {
		if s.offset < len(data) && bytes.HasPrefix(data[s.offset:], []byte(s.magic)) {
			return s.what
		}
	}
	if isSafetensors(data) {
		return "is a safetensors file"
	}
	if what := textKind(data); what != "" {
		return what
	}
	if len(data) > 2 && data[0] == 0x80 && data[1] >= 2 && data[1] <= 5 && (data[2] == '}' || data[2] == 0x8a || data[2] == 0x95) {
		return "is a Python pickle (PyTorch's old .pt files are ones)"
	}
	if isTensor(data) {
		return "is a TensorProto (a tensor of test data, say)"
	}
	return ""
}

// isSafetensors looks for the header: its length in eight bytes, then JSON.
func isSafetensors(data []byte) bool {
	if len(data) < 10 || data[8] != '{' {
		return false
	}
	n := binary.LittleEndian.Uint64(data)
	return n >= 2 && n <= uint64(len(data)-8) && bytes.IndexByte([]byte("\"} \n"), data[9]) >= 0
}

// textKind recognises text by its first kilobyte.
func textKind(data []byte) string {
	head := bytes.TrimPrefix(data[:min(len(data), 1024)], []byte("\xef\xbb\xbf"))
	for _, c := range head {
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' && c != '\f' {
			return ""
		}
	}
	for cut := 0; cut < 4 && !utf8.Valid(head); cut++ { // the kilobyte may end within a character
		head = head[:max(0, len(head)-1)]
	}
	head = bytes.TrimSpace(head)
	lower := bytes.ToLower(head)
	switch {
	case len(head) == 0 || !utf8.Valid(head):
		return ""
	case bytes.HasPrefix(lower, []byte("<!doctype html")), bytes.HasPrefix(lower, []byte("<html")):
		return "is an HTML page (a download that failed, perhaps)"
	case bytes.HasPrefix(lower, []byte("<?xml")):
		return "is XML text"
	case head[0] == '{' || head[0] == '[':
		return "is JSON text"
	case bytes.HasPrefix(head, []byte("ir_version:")), bytes.HasPrefix(head, []byte("graph {")):
		return "is a model in protobuf text form"
	}
	return "is plain text"
}

// isTensor reports whether data is a TensorProto with a type of the standard and values that fit type and dims.
func isTensor(data []byte) bool {
	d := newDecoder(data, "")
	t := new(Tensor)
	if d.tensor(t, span{0, len(data)}) != nil || !t.DType.Known() {
		return false
	}
	if t.External != nil {
		_, err := t.Elements()
		return err == nil
	}
	var err error
	if t.DType == String {
		_, err = t.Strings()
	} else {
		_, err = t.Bytes()
	}
	return err == nil
}

// within reports whether addr lies in b.
func within(addr uintptr, b []byte) bool {
	if len(b) == 0 {
		return false
	}
	first := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	return addr >= first && addr-first < uintptr(len(b))
}
