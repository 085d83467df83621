package op

import (
	_ "embed"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

//go:embed arity.txt
var arityText string

// arity is how many inputs and outputs an operator takes from opset since on.
type arity struct {
	since   int64
	in, out argCount
}

// argCount is how many arguments a node lists.
type argCount struct {
	least, most int
	required    uint64 // those that may not be absent; bit i for argument i
}

// arityKnown is the newest opset of a domain that the table of arities knows all changes of. A later one may have added
// arguments.
var arityKnown = map[string]int64{"": 26, "ai.onnx.ml": 5}

// parseArities reads arity.txt.
func parseArities(text string) (map[ruleKey][]arity, error) {
	t := map[ruleKey][]arity{}
	n := 0
	for line := range strings.Lines(text) {
		n++
		f := strings.Fields(line)
		if len(f) == 0 || f[0] == "#" {
			continue
		}
		if len(f) != 5 {
			return nil, fmt.Errorf("op: arity.txt:%d: %d fields, want 5", n, len(f))
		}
		since, err := strconv.ParseInt(f[2], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("op: arity.txt:%d: opset %q, want a number", n, f[2])
		}
		a := arity{since: since}
		for i, count := range []*argCount{&a.in, &a.out} {
			if *count, err = parseArgCount(f[3+i]); err != nil {
				return nil, fmt.Errorf("op: arity.txt:%d: %w", n, err)
			}
		}
		k := ruleKey{f[0], f[1]}
		if k.domain == "ai.onnx" {
			k.domain = ""
		}
		if rows := t[k]; len(rows) > 0 && rows[len(rows)-1].since >= since {
			return nil, fmt.Errorf("op: arity.txt:%d: opset %d, want one after %d", n, since, rows[len(rows)-1].since)
		}
		t[k] = append(t[k], a)
	}
	return t, nil
}

func parseArgCount(text string) (argCount, error) {
	var a argCount
	for i, c := range text {
		switch c {
		case 'x':
			a.required |= 1 << i
			a.least, a.most = i+1, i+1
		case '_':
			a.least, a.most = i+1, i+1
		case '?':
			a.most = i + 1
		case '*':
			a.most = math.MaxInt
		case '-':
		default:
			return a, fmt.Errorf("arguments %q: want x, _, ?, * or -", text)
		}
	}
	return a, nil
}

// CheckArity compares what a node lists with what its operator takes at an opset. The error says which is wrong.
func (r *Rule) CheckArity(n *onnx.Node, opset int64) error {
	i := len(r.arities) - 1
	for i > 0 && r.arities[i].since > opset {
		i--
	}
	a := r.arities[i]
	newest, listed := arityKnown[r.Domain]
	if listed && opset > newest {
		a.in.most, a.out.most = math.MaxInt, math.MaxInt
	}
	if err := a.in.check("input", n.Inputs); err != nil {
		return err
	}
	return a.out.check("output", n.Outputs)
}

func (a argCount) check(what string, names []string) error {
	n := len(names)
	for n > a.least && names[n-1] == "" { // absent ones at the end are none
		n--
	}
	if n < a.least || n > a.most {
		return fmt.Errorf("has %s, want %s", plural(n, what), a)
	}
	if what == "output" {
		return nil // one that nobody asks for may go without a name
	}
	for i, name := range names[:min(n, 64)] {
		if name == "" && a.required&(1<<i) != 0 {
			return fmt.Errorf("%s %d is absent, want one", what, i)
		}
	}
	return nil
}

func plural(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprint(n, " ", what)
}

// String prints the numbers allowed, such as "2" or "1 to 3".
func (a argCount) String() string {
	switch a.most {
	case a.least:
		return fmt.Sprint(a.least)
	case math.MaxInt:
		return fmt.Sprintf("at least %d", a.least)
	}
	return fmt.Sprintf("%d to %d", a.least, a.most)
}

// joinArities gives every rule its rows of the table. A rule without one, or a row without a rule, is a broken program.
func joinArities(t map[ruleKey][]*Rule) error {
	rows, err := parseArities(arityText)
	if err != nil {
		return err
	}
	used := map[ruleKey]bool{}
	for k, rules := range t {
		if rules[0].arities != nil { // a Definition says so itself
			continue
		}
		if len(rows[k]) == 0 && (k.domain == nhwcDomain || k.domain == channelsLastDomain) { // as the operator that it lays out differently
			if k.domain = ""; len(rows[k]) == 0 {
				k.domain = msDomain
			}
		}
		if len(rows[k]) == 0 {
			return fmt.Errorf("op: rule %s %q has no line in arity.txt", k.domain, k.op)
		}
		for _, r := range rules {
			r.arities = rows[k]
		}
		used[k] = true
	}
	for k := range rows {
		if used[k] {
			continue
		}
		return fmt.Errorf("op: arity.txt has %s %q, for which there is no rule", k.domain, k.op)
	}
	return nil
}
