package ort

import (
	"debug/elf"
	"debug/macho"
	"fmt"
	"strconv"
	"strings"
)

// minMinor is the oldest 1.x release of ONNX Runtime that offers the version of the C interface that the binding asks
// for: interface version N came with release 1.N, and later releases keep offering it.
const minMinor = 29

// A VersionError is a library of a release that the binding cannot use.
type VersionError struct {
	Path string
	Have string // release of the library, such as 1.17.0; "" where the file does not say
	Want string // oldest release that serves
}

func (e *VersionError) Error() string {
	have := "does not offer the C interface that is needed"
	if e.Have != "" {
		have = "is ONNX Runtime " + e.Have
	}
	return fmt.Sprintf("%s: the library %s; want %s or later", e.Path, have, e.Want)
}

// checkVersion reads the release from the file before anything of it is loaded: an unsuitable library that is loaded
// first leaves its threads and its messages behind. version is "" where the file does not say.
func checkVersion(path string) (version string, err error) {
	version = fileVersion(path)
	major, minor, ok := splitVersion(version)
	if ok && (major < 1 || major == 1 && minor < minMinor) {
		return version, &VersionError{Path: path, Have: version, Want: wantVersion()}
	}
	return version, nil
}

func wantVersion() string { return fmt.Sprintf("1.%d", minMinor) }

// fileVersion is the release that a library's file states: in the version definitions of an ELF file (VERS_1.30.0), in
// the identity of a Mach-O file; "" in others.
func fileVersion(path string) string {
	if f, err := elf.Open(path); err == nil {
		defer f.Close()
		defs, err := f.DynamicVersions()
		if err != nil {
			return ""
		}
		for _, d := range defs {
			if v, ok := strings.CutPrefix(d.Name, "VERS_"); ok {
				return v
			}
		}
		return ""
	}
	if f, err := macho.Open(path); err == nil {
		defer f.Close()
		return machoVersion(f)
	}
	return ""
}

// machoVersion reads the current version of LC_ID_DYLIB: 16.8.8 bits after the offset of the name and the time stamp.
func machoVersion(f *macho.File) string {
	const idDylib = 0xd
	for _, l := range f.Loads {
		raw := l.Raw()
		if len(raw) < 20 || f.ByteOrder.Uint32(raw) != idDylib {
			continue
		}
		v := f.ByteOrder.Uint32(raw[16:])
		return fmt.Sprintf("%d.%d.%d", v>>16, v>>8&0xff, v&0xff)
	}
	return ""
}

// splitVersion reads the first two numbers of 1.30.0.
func splitVersion(v string) (major, minor int, ok bool) {
	parts := strings.SplitN(v, ".", 3)
	if len(parts) < 2 {
		return 0, 0, false
	}
	major, err1 := strconv.Atoi(parts[0])
	minor, err2 := strconv.Atoi(parts[1])
	return major, minor, err1 == nil && err2 == nil
}
