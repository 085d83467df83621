package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// The exit codes of the contract.
const (
	exitDone     = 0
	exitFindings = 1
	exitMisuse   = 2
	exitInput    = 3
)

// codedError is an error with the exit code that it means.
type codedError struct {
	code int
	err  error
}

func (e *codedError) Error() string { return e.err.Error() }
func (e *codedError) Unwrap() error { return e.err }

func misuse(format string, args ...any) error {
	return &codedError{exitMisuse, fmt.Errorf(format, args...)}
}

// reported is an error whose text the user has already seen.
type reported struct{ code int }

func (e *reported) Error() string { return fmt.Sprintf("exit %d", e.code) }

// exitCode says how the process ends after err.
func exitCode(err error) int {
	var coded *codedError
	var rep *reported
	var opt *analyzer.OptionError
	var format *onnx.FormatError
	var graph *analyzer.GraphError
	var path *fs.PathError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &rep):
		return rep.code
	case errors.As(err, &coded):
		return coded.code
	case errors.As(err, &opt):
		return exitMisuse
	case errors.As(err, &format), errors.As(err, &graph), errors.As(err, &path):
		return exitInput
	}
	return exitMisuse
}

// streams are the standard streams of one run.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// run is the whole program.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s := streams{stdin, stdout, stderr}
	root := newRoot(s)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var rep *reported
	if err != nil && !errors.As(err, &rep) {
		fmt.Fprintf(stderr, "onnxcost: %v\n", err)
	}
	return exitCode(err)
}

func newRoot(s streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "onnxcost",
		Short: "Say what an ONNX model costs before anyone runs it",
		Long: `onnxcost says what an ONNX model costs before anyone runs it: exact operations, parameters and peak memory from
the graph alone.

  onnxcost analyze zoo:resnet50`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				hint := "run 'onnxcost help' for the list"
				if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
					hint = fmt.Sprintf("did you mean %s?", strings.Join(near, " or "))
				}
				return misuse("unknown command %q; %s", args[0], hint)
			}
			return cmd.Help()
		},
		SuggestionsMinimumDistance: 2,
		// flags of a misspelt command are not the mistake to name
		FParseErrWhitelist: cobra.FParseErrWhitelist{UnknownFlags: true},
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return misuse("%v; see '%s --help'", err, cmd.CommandPath())
	})
	root.AddCommand(newAnalyze(s), newPredict(s), newCalibrate(s), newMeasure(s), newValidate(s), newDevices(s), newPlot(s), newZoo(s), newExplain(s), newVersion(s))
	root.AddCommand(newCheck(s), newCompare(s))
	root.CompletionOptions.DisableDefaultCmd = false
	return root
}
