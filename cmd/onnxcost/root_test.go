package main

import (
	"os"
	"regexp"
	"slices"
	"strconv"
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

// TestStartIsLight bounds what the packages of this module allocate before the program knows what is asked of it:
// tables, patterns and texts that a command may not need are made when one needs them.
func TestStartIsLight(t *testing.T) {
	const most = 2500
	cmd := command(t, "version")
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	total := 0
	for _, m := range regexp.MustCompile(`(?m)^init github.com/onnxcost/.* (\d+) allocs$`).FindAllStringSubmatch(string(out), -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		total += n
	}
	if total == 0 || total > most {
		t.Errorf("%d allocations before main, want at most %d:\n%s", total, most, out)
	}
}
