package form

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/onnxcost/onnxcost/analyzer"
)

// CodeUnmeasured marks operators that no microbenchmark of the device's fit has run.
const CodeUnmeasured = "unmeasured"

// Unmeasured says which operators' times rest on others', and how much of the time that is. The interval is wider by what
// they could take.
func Unmeasured(loads []Demand, times []KernelTime) []analyzer.Diagnostic {
	var all float64
	by := map[string]float64{}
	for i := range times {
		t := times[i].Seconds * loads[i].Executions
		if all += t; times[i].rests > measured {
			by[times[i].Group] += t
		}
	}
	if len(by) == 0 || all == 0 {
		return nil
	}
	names := make([]string, 0, len(by))
	var sum float64
	for name, t := range by {
		names = append(names, name)
		sum += t
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(by[b], by[a]), strings.Compare(a, b)) })
	const most = 5
	list := strings.Join(names[:min(most, len(names))], ", ")
	if len(names) > most {
		list += fmt.Sprintf(" and %d more", len(names)-most)
	}
	return []analyzer.Diagnostic{{Severity: analyzer.SeverityNote, Code: CodeUnmeasured,
		Message: fmt.Sprintf("no microbenchmark has run %s: %.2g %% of the time rests on like operators, and the interval is wider by what they could take", list, 100*sum/all)}}
}
