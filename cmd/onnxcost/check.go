package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/costmodel/budget"
	"github.com/onnxcost/onnxcost/specs"
)

type checkOptions struct {
	modelFlags
	budget    string
	uncertain string
	output    string
	schema    bool
}

var (
	checkOutputs   = []string{"text", "json", "junit", "sarif", "github"}
	checkUncertain = []string{"fail", "warn", "pass"}
)

func newCheck(s streams) *cobra.Command {
	var o checkOptions
	c := &cobra.Command{
		Use:   "check [MODEL...] --budget FILE",
		Short: "Hold models to a budget of energy, time, memory and size",
		Long: `Judge models by the limits of a budget file. Each limit passes, fails, or is uncertain where the interval of the
prediction straddles it. MODEL limits the check to these models of the budget; without one it checks all of them.

Exit codes: 0 all limits hold, 1 one does not, 2 misuse, 3 the budget or a model could not be read. An uncertain limit is
a warning; --uncertain fail makes it a failure.`,
		Example: `  onnxcost check --budget budget.yaml
  onnxcost check models/detector.onnx --budget budget.yaml --uncertain fail -o github
  onnxcost check --print-schema > budget.schema.json`,
		RunE: func(cmd *cobra.Command, args []string) error { return runCheck(cmd.Context(), s, o, args) },
	}
	f := c.Flags()
	o.add(f)
	f.StringVar(&o.budget, "budget", "", "budget `FILE`")
	f.StringVar(&o.uncertain, "uncertain", "warn", "what an uncertain limit is: "+strings.Join(checkUncertain, ", "))
	f.StringVarP(&o.output, "output", "o", "text", strings.Join(checkOutputs, ", "))
	f.BoolVar(&o.schema, "print-schema", false, "print the JSON Schema of budget files")
	completeWords(c, "uncertain", checkUncertain)
	completeWords(c, "output", checkOutputs)
	c.ValidArgsFunction = completeModels
	return c
}

func runCheck(ctx context.Context, s streams, o checkOptions, args []string) error {
	if o.schema {
		_, err := s.out.Write(specs.BudgetSchema())
		return err
	}
	if err := oneOf("-o", o.output, checkOutputs); err != nil {
		return err
	}
	if err := oneOf("--uncertain", o.uncertain, checkUncertain); err != nil {
		return err
	}
	if o.budget == "" {
		return misuse("check: no budget; give --budget FILE")
	}
	b, err := budget.LoadBudget(o.budget)
	if err != nil {
		return budgetError(s, &o, err)
	}
	lowerBound := false
	o.several(2) // as many as the budget's patterns match
	res, err := budget.Check(ctx, b, budget.CheckOptions{Models: args, Analyzed: o.note, Analyze: func(m *onnx.Model) (analyzer.Options, error) {
		return o.options(m)
	}})
	var opt *costmodel.OptionError
	switch {
	case errors.Is(err, context.Canceled):
		return &codedError{exitMisuse, errors.New("interrupted")}
	case errors.As(err, &opt):
		return misuse("%v", err)
	case err != nil:
		return err
	}
	if err := o.unused(); err != nil {
		return err
	}
	v := &verdicts{CheckResult: res, uncertain: o.uncertain}
	if err := renderCheck(s, &o, v); err != nil {
		return err
	}
	worst := exitDone
	for _, p := range res.Problems {
		fmt.Fprintf(s.err, "onnxcost: %s\n", describeError(p.Model, p.Err))
		worst = max(worst, problemCode(p.Err))
	}
	for _, l := range res.Limits {
		lowerBound = lowerBound || strings.HasPrefix(l.Note, "a lower bound")
		if v.level(&l) == levelError {
			worst = max(worst, exitFindings)
		}
	}
	if o.strict && lowerBound {
		worst = max(worst, exitFindings)
	}
	if worst != exitDone {
		return &reported{worst}
	}
	return nil
}

// problemCode is the exit code of a model that could not be judged: what the budget says of it does not fit, or it could
// not be read; both are inputs.
func problemCode(err error) int {
	var coded *codedError
	if errors.As(err, &coded) {
		return coded.code
	}
	return exitInput
}

// budgetError reports a budget that could not be read; in a workflow, also at the lines that are wrong.
func budgetError(s streams, o *checkOptions, err error) error {
	var all specs.Errors
	if errors.As(err, &all) {
		for _, e := range all {
			if o.output == "github" {
				fmt.Fprintln(s.out, annotation(levelError, e.File, e.Line, e.Column, "budget", strings.TrimPrefix(e.Path+": "+e.Msg, ": ")))
			}
			fmt.Fprintln(s.err, e)
		}
		return &reported{exitInput}
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		return &codedError{exitInput, fmt.Errorf("--budget: %w", err)}
	}
	return err
}

// level is what a verdict is for the one who asked.
type level string

const (
	levelNone    level = "none"
	levelWarning level = "warning"
	levelError   level = "error"
)

// verdicts are a check's result under --uncertain.
type verdicts struct {
	*budget.CheckResult
	uncertain string
}

func (v *verdicts) level(l *budget.LimitVerdict) level {
	switch {
	case l.Verdict == budget.Fail, l.Verdict == budget.Uncertain && v.uncertain == "fail":
		return levelError
	case l.Verdict == budget.Uncertain && v.uncertain == "warn":
		return levelWarning
	}
	return levelNone
}

func renderCheck(s streams, o *checkOptions, v *verdicts) error {
	switch o.output {
	case "json":
		return writeJSON(s.out, v.CheckResult)
	case "junit":
		return writeJUnit(s.out, v)
	case "sarif":
		return writeJSON(s.out, sarifLog(v))
	case "github":
		return writeGitHub(s.out, v, os.Getenv("GITHUB_STEP_SUMMARY"))
	}
	return writeCheckText(s, v)
}
