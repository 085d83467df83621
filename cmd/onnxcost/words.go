package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/zoo"
)

// oneOf checks that a flag has one of the values it takes.
func oneOf(flag, value string, want []string) error {
	if slices.Contains(want, value) {
		return nil
	}
	return misuse("%s %s: want one of %s", flag, value, strings.Join(want, ", "))
}

func conventionNames() string {
	var names []string
	for _, c := range analyzer.Conventions() {
		names = append(names, c.Name)
	}
	return strings.Join(names, ", ")
}

// completeWords offers fixed values for a flag to the shell.
func completeWords(c *cobra.Command, flag string, words []string) {
	err := c.RegisterFlagCompletionFunc(flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return words, cobra.ShellCompDirectiveNoFileComp
	})
	if err != nil {
		panic(err) // the flag is missing: a broken program
	}
}

// completeModels offers the zoo's names once "zoo:" has been begun, files otherwise.
func completeModels(_ *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	if prefix == "" || !strings.HasPrefix(prefix, "zoo:") && !strings.HasPrefix("zoo:", prefix) {
		return nil, cobra.ShellCompDirectiveDefault
	}
	out := []string{"zoo:all"}
	for _, n := range zoo.Names() {
		out = append(out, "zoo:"+n)
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}
