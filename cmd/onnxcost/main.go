// Command onnxcost says what an ONNX model costs before anyone runs it.
//
// Each command is one file: it parses flags into an options struct, calls one library function and renders the
// result. Results go to stdout, everything else to stderr; exit codes are 0 done, 1 findings, 2 misuse, 3 an input
// could not be read.
package main

import (
	"os"
	"runtime/debug"
)

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectPercent)
	}
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
