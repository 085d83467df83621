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
	"github.com/spf13/pflag"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/specs"
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
	root := newRoot(s, args)
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

// commands are the commands by name, in the order of the help.
var commands = []struct {
	name string
	make func(streams) *cobra.Command
}{
	{"analyze", newAnalyze}, {"predict", newPredict}, {"calibrate", newCalibrate}, {"measure", newMeasure}, {"validate", newValidate},
	{"devices", newDevices}, {"plot", newPlot}, {"zoo", newZoo}, {"explain", newExplain}, {"version", newVersion}, {"check", newCheck}, {"compare", newCompare},
}

// newRoot is the program with the command that args ask for, or with all where these ask for none, for help or for a
// command that is not there: what no one asks for takes no time to set up.
func newRoot(s streams, args []string) *cobra.Command {
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
		return misuse("%s; see '%s --help'", flagError(cmd, err), cmd.CommandPath())
	})
	for _, c := range commands {
		if len(args) > 0 && c.name == args[0] {
			root.AddCommand(c.make(s))
			root.SetHelpCommand(&cobra.Command{Hidden: true})
			root.CompletionOptions.DisableDefaultCmd = true
			return root
		}
	}
	for _, c := range commands {
		root.AddCommand(c.make(s))
	}
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "help":
			c.Args = func(_ *cobra.Command, topic []string) error {
				if found, _, err := root.Find(topic); err != nil || found == root && len(topic) > 0 {
					return misuse("help %s: no such command; run 'onnxcost help' for the list", strings.Join(topic, " "))
				}
				return nil
			}
		case "completion":
			c.Args = func(_ *cobra.Command, args []string) error {
				if len(args) > 0 {
					return misuse("completion %s: want one of bash, fish, powershell, zsh", args[0])
				}
				return nil
			}
			c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
		}
	}
	return root
}

// flagError says of a flag what the command would have taken.
func flagError(c *cobra.Command, err error) string {
	var value *pflag.InvalidValueError
	if errors.As(err, &value) {
		want := map[string]string{"int": "a whole number", "int64": "a whole number", "uint64": "a whole number of at least 0",
			"bool": "true or false", "float64": "a number", "duration": "a time such as 60s or 2m"}
		if w := want[value.GetFlag().Value.Type()]; w != "" {
			return fmt.Sprintf("--%s %s: want %s", value.GetFlag().Name, value.GetValue(), w)
		}
	}
	var missing *pflag.NotExistError
	if errors.As(err, &missing) && missing.GetSpecifiedShortnames() == "" {
		var known []string
		c.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, "--"+f.Name) })
		name := missing.GetSpecifiedName()
		if hint := specs.Suggest("--"+name, known); strings.HasPrefix(hint, "; did you mean") {
			return err.Error() + hint
		}
		if name == "batch" && c.Flags().Lookup("dim") != nil {
			return err.Error() + "; --dim batch=N binds the dimension of that name"
		}
	}
	return err.Error()
}
