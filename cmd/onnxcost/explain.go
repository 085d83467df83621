package main

import (
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/specs"
)

func newExplain(s streams) *cobra.Command {
	names := func() []string {
		var out []string
		for _, m := range analyzer.Metrics() {
			out = append(out, m.Name)
		}
		return out
	}
	var schema bool
	c := &cobra.Command{
		Use:   "explain METRIC",
		Short: "Say exactly what a figure means, and how a file of operators is written",
		Example: `  onnxcost explain peak_activation_bytes
  onnxcost explain ops
  onnxcost explain ops --print-schema > ops.schema.json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return misuse("explain: want ops or one metric of %s", strings.Join(names(), ", "))
			}
			if schema && args[0] != "ops" {
				return misuse("--print-schema: want explain ops, have explain %s", args[0])
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			switch {
			case schema:
				_, err := s.out.Write(specs.OperatorsSchema())
				return err
			case args[0] == "ops":
				_, err := fmt.Fprintf(s.out, "%s\n%s", opsText, specs.OperatorsExample())
				return err
			}
			m, ok := analyzer.Explain(args[0])
			if !ok {
				return misuse("explain %s: no such metric%s", args[0], specs.Suggest(args[0], names()))
			}
			return renderMetric(s, m)
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return append(names(), "ops"), cobra.ShellCompDirectiveNoFileComp
		},
	}
	c.Flags().BoolVar(&schema, "print-schema", false, "print the JSON Schema of files of operators")
	return c
}

func renderMetric(s streams, m analyzer.Metric) error {
	const width = 100
	out := fmt.Sprintf("%s (%s)\n\n%s\n", m.Name, m.Unit, text.WrapSoft(m.Definition, width))
	for _, part := range []struct{ title, body string }{{"formula", m.Formula}, {"elsewhere", m.Differs}} {
		if part.body != "" {
			out += "\n" + text.WrapSoft(part.title+": "+part.body, width) + "\n"
		}
	}
	for _, line := range strings.Split(strings.TrimSuffix(out, "\n"), "\n") {
		if _, err := fmt.Fprintln(s.out, strings.TrimRight(line, " ")); err != nil {
			return err
		}
	}
	return nil
}
