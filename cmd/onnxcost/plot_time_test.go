//go:build unix

package main

import (
	"bytes"
	"strings"
	"syscall"
	"testing"
	"time"
)

// processTime is the processor time that this process has used.
func processTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestPlotAllTime holds 'plot all' to five seconds of processor time, which bounds the time that a user waits and does not
// depend on what else the machine does.
func TestPlotAllTime(t *testing.T) {
	const limit = 5 * time.Second
	var stdout, stderr bytes.Buffer
	before := processTime(t)
	if code := run([]string{"plot", "all", "--dir", t.TempDir()}, strings.NewReader(""), &stdout, &stderr); code != exitDone {
		t.Fatalf("exit %d\n%s", code, stderr.String())
	}
	used := processTime(t) - before
	if used > limit {
		t.Errorf("plot all takes %v of processor time, want at most %v", used, limit)
	}
	t.Logf("plot all: %v of processor time", used)
}
