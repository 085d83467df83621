package analyzer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/op"
)

// What must hold for dimensions that are free, in words. A requirement on one dimension is decided by trial: sizes are
// built of sums, products and divisions by small numbers, so that the values that fit repeat with a period, which the
// first few hundred values show.

const (
	trials      = 2048    // values of one dimension that are tried at most
	minTrials   = 128     // and at least
	trialBudget = 200_000 // evaluations of requirements in all
	maxTexts    = 64      // requirements that are put in words
)

// noteRequirements says once what free dimensions have to fulfil.
func (r *Report) noteRequirements(given map[string]int64) {
	var single []string // symbols that requirements hold alone
	by := map[string][]*Requirement{}
	var several []string
	first := ""
	note := func(q *Requirement, text string) {
		if len(several) < maxTexts && !slices.Contains(several, text) {
			several = append(several, text)
		}
		if first == "" {
			first = q.Node.Name
		}
	}
	for i := range r.Requirements {
		q := &r.Requirements[i]
		s := q.symbols()
		if !r.declared(s) || !slices.ContainsFunc(s, func(x string) bool { _, has := given[x]; return !has }) {
			continue
		}
		if len(s) == 1 {
			if by[s[0]] == nil {
				single = append(single, s[0])
			}
			by[s[0]] = append(by[s[0]], q)
		} else if !q.identity(s) {
			note(q, q.text())
		}
	}
	slices.Sort(single)
	for _, s := range single {
		if text := fitting(s, by[s]); text != "" {
			note(by[s][0], text)
		}
	}
	if len(several) == 0 {
		return
	}
	const most = 6
	if n := len(several); n > most {
		several = append(several[:most:most], fmt.Sprintf("%d more", n-most))
	}
	r.Diagnostics = append(r.Diagnostics, Diagnostic{SeverityNote, CodeRequires, first,
		"the model needs " + strings.Join(several, "; ")})
}

// declared reports whether all symbols are dimensions of inputs.
func (r *Report) declared(symbols []string) bool {
	for _, s := range symbols {
		if !slices.ContainsFunc(r.Symbols, func(x Symbol) bool { return x.Name == s && x.Input != "" }) {
			return false
		}
	}
	return true
}

// holds evaluates the requirement; what cannot be evaluated holds.
func (q *Requirement) holds(env dim.Env) bool {
	a, err1 := q.A.Eval(env)
	b, err2 := q.B.Eval(env)
	room, err3 := q.Room.Eval(env)
	return err1 != nil || err2 != nil || err3 != nil || q.Kind.Holds(a, b, room)
}

// identity reports whether the requirement holds for a few dozen values of its symbols, as one does whose two forms say
// the same.
func (q *Requirement) identity(symbols []string) bool {
	env := dim.Env{}
	for trial := range int64(48) {
		for i, s := range symbols {
			env[s] = 2 + (trial*int64(7+4*i)+int64(5*i))%61
		}
		if !q.holds(env) {
			return false
		}
	}
	return true
}

// text is the requirement on several symbols, solved for one of them where it can be.
func (q *Requirement) text() string {
	if q.Kind == op.Broadcast {
		return fmt.Sprintf("%v = %v, or 1 for either", q.A, q.B)
	}
	if s := q.candidates(); len(s) > 0 {
		start, step, _ := line(q.A.Sub(q.B), s[0])
		if step.Is(1) {
			start = start.Neg()
		}
		return fmt.Sprintf("%s = %v", s[0], start)
	}
	return fmt.Sprintf("%v = %v", q.A, q.B)
}

// fitting says which values of one symbol fulfil all requirements on it; "" where all do.
func fitting(s string, qs []*Requirement) string {
	n := min(trials, max(minTrials, trialBudget/len(qs)))
	fits := make([]bool, n+1) // by value
	var all []int
	env := dim.Env{}
	for v := 1; v <= n; v++ {
		env[s] = int64(v)
		fits[v] = !slices.ContainsFunc(qs, func(q *Requirement) bool { return !q.holds(env) })
		if fits[v] {
			all = append(all, v)
		}
	}
	switch {
	case len(all) == n:
		return ""
	case len(all) == 1:
		return fmt.Sprintf("%s = %d", s, all[0])
	case len(all) == 2 && all[0] == 1:
		return fmt.Sprintf("%s = %d or 1", s, all[1])
	}
	if len(all) == 0 {
		return "a " + s + " that no number is"
	}
	most := ""
	if last := all[len(all)-1]; n-last >= n/8 { // nothing fits beyond
		if n, most = last, fmt.Sprintf(" at most %d", last); len(all) == n {
			return s + most
		}
		most = " and" + most
	}
	half := n / 2
	for period := 1; period <= n/8; period++ {
		repeats := true
		for v := half; v+period <= n && repeats; v++ {
			repeats = fits[v] == fits[v+period]
		}
		if !repeats {
			continue
		}
		var rests []int
		for v := half; v < half+period; v++ {
			if fits[v] {
				rests = append(rests, v%period)
			}
		}
		slices.Sort(rests)
		least := 1
		for v := 2; v < half; v++ {
			if !fits[v] && slices.Contains(rests, v%period) {
				least = v + 1
			}
		}
		return periodic(s, period, rests, least) + most
	}
	var texts []string
	for _, q := range qs {
		texts = append(texts, fmt.Sprintf("%v = %v", q.A, q.B))
	}
	return strings.Join(texts, " and ")
}

// periodic is the condition that the rest of s by period is one of rests and s is at least least.
func periodic(s string, period int, rests []int, least int) string {
	atLeast := ""
	if least > 1 {
		atLeast = fmt.Sprintf("%s at least %d", s, least)
	}
	text := ""
	switch {
	case period == 1:
		return atLeast
	case len(rests) == 1 && rests[0] == 0:
		text = fmt.Sprintf("%s divisible by %d", s, period)
	default:
		text = fmt.Sprintf("%s with a rest of %s by %d", s, strings.Trim(strings.Join(strings.Fields(fmt.Sprint(rests)), " or "), "[]"), period)
	}
	if atLeast != "" {
		text += " and " + atLeast
	}
	return text
}
