package main

import (
	"slices"
	"strings"
	"testing"
)

// TestOneCommandIsSetUp wants a run to set up the command that it asks for and no other, under its right name; where it
// asks for none, all.
func TestOneCommandIsSetUp(t *testing.T) {
	names := func(args ...string) (list []string) {
		for _, c := range newRoot(streams{}, args).Commands() {
			list = append(list, c.Name())
		}
		return list
	}
	all := names()
	for _, c := range commands {
		if got := names(c.name, "x"); len(got) != 1 || got[0] != c.name {
			t.Errorf("%s sets up %v", c.name, got)
		}
		if !slices.Contains(all, c.name) {
			t.Errorf("without a command, %v are set up, want %s too", all, c.name)
		}
	}
	for _, args := range [][]string{{"help", "plot"}, {"__complete", "an"}, {"anaylze"}, {"--help"}} {
		if got := names(args...); len(got) < len(commands) {
			t.Errorf("%s sets up %v, want all", strings.Join(args, " "), got)
		}
	}
}
