// Command summary reads go test -json on standard input and prints one line per package, the output of what failed,
// the name of every skipped test with its reason, and the count in the end. It exits 1 when a test or a package
// failed or none ran.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

type event struct {
	Action     string
	Package    string
	ImportPath string
	Test       string
	Output     string
	Elapsed    float64
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 16<<20)
	output := map[string][]string{}
	var passed, failed, skipped, brokenPackages int
	var skips []string
	for in.Scan() {
		var e event
		if err := json.Unmarshal(in.Bytes(), &e); err != nil {
			fmt.Println(in.Text()) // not an event: the go command itself speaks
			continue
		}
		key := e.Package + e.ImportPath + "\x00" + e.Test
		switch e.Action {
		case "output", "build-output":
			output[key] = append(output[key], e.Output)
			continue
		case "pass", "fail", "skip", "build-fail":
		default:
			continue
		}
		lines := output[key]
		delete(output, key)
		switch {
		case e.Action == "build-fail":
			fmt.Print(strings.Join(lines, ""))
		case e.Test == "":
			if e.Action == "fail" {
				brokenPackages++
				fmt.Print(strings.Join(lines, ""))
			}
			word := map[string]string{"pass": "ok  ", "fail": "FAIL", "skip": "none"}[e.Action]
			fmt.Printf("%s\t%s\t%.1fs\n", word, e.Package, e.Elapsed)
		case e.Action == "pass":
			passed++
		case e.Action == "fail":
			failed++
			fmt.Print(strings.Join(lines, ""))
		case e.Action == "skip":
			skipped++
			skips = append(skips, fmt.Sprintf("%s %s: %s", e.Package, e.Test, reason(lines)))
		}
	}
	if err := in.Err(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for _, s := range skips {
		fmt.Println("skipped:", s)
	}
	fmt.Printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped)
	if failed > 0 || brokenPackages > 0 || passed == 0 {
		os.Exit(1)
	}
}

// reason is what the test said when it skipped itself.
func reason(lines []string) string {
	for _, l := range lines {
		l = strings.TrimSpace(l)
		if l != "" && !strings.HasPrefix(l, "=== ") && !strings.HasPrefix(l, "--- ") {
			return l
		}
	}
	return "no reason given"
}
