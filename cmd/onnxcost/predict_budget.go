package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/specs"
)

// The verdicts on an energy budget.
const (
	verdictFits      = "fits"      // the whole interval is within the budget
	verdictUncertain = "uncertain" // the interval straddles it
	verdictExceeds   = "exceeds"
)

// budgetResult is how a prediction stands to --energy-budget.
type budgetResult struct {
	LimitJ  float64 `json:"limit_j"` // per sample
	Verdict string  `json:"verdict"`
	// Top1Percent is the accuracy that the paper states for its networks; null for others.
	Top1Percent costmodel.Optional `json:"top1_percent"`
}

// judgeBudget compares the energy of one sample with the budget.
func judgeBudget(p *costmodel.Prediction, arg string, limit float64) *budgetResult {
	r := &budgetResult{LimitJ: limit, Top1Percent: costmodel.Unknown()}
	if name, ok := strings.CutPrefix(arg, "zoo:"); ok {
		if n, ok := specs.Paper().Network(name); ok {
			r.Top1Percent = costmodel.Optional(n.Top1Percent)
		}
	}
	n := float64(p.Batch)
	switch {
	case !p.EnergyJ.Known():
		r.Verdict = verdictUncertain
	case float64(p.EnergyHighJ)/n <= limit:
		r.Verdict = verdictFits
	case float64(p.EnergyLowJ)/n > limit:
		r.Verdict = verdictExceeds
	default:
		r.Verdict = verdictUncertain
	}
	return r
}

// rankBudget puts what stays within the budget first, the most accurate before the others and networks of unknown
// accuracy after them by energy; then what exceeds it, the nearest first. The predicted energy decides, the interval
// only the verdict.
func rankBudget(all []predicted) {
	slices.SortStableFunc(all, func(a, b predicted) int {
		if c := cmp.Compare(order(a), order(b)); c != 0 {
			return c
		}
		if order(a) == 0 {
			if c := cmp.Compare(b.Budget.Top1Percent, a.Budget.Top1Percent); c != 0 {
				return c
			}
		}
		return cmp.Compare(a.EnergyPerSampleJ, b.EnergyPerSampleJ)
	})
}

// order is 0 for what is within the budget with a known accuracy, 1 within without, 2 above it, 3 unknown.
func order(x predicted) int {
	switch {
	case !x.EnergyJ.Known():
		return 3
	case float64(x.EnergyPerSampleJ) > x.Budget.LimitJ:
		return 2
	case !x.Budget.Top1Percent.Known():
		return 1
	}
	return 0
}

// renderBudget is the ranking for people.
func renderBudget(s streams, o *predictOptions, all []predicted) error {
	p, md := all[0].Prediction, o.output == "markdown"
	title := fmt.Sprintf("%s within %s per sample  %s, %s, %s", p.Device, scale(o.budgetJ, "J"), p.Runtime, p.Precision, p.Provenance)
	if md {
		title = "### " + title
	}
	fmt.Fprintf(s.out, "%s\n\n", title)
	g := &grid{columns: []column{{title: "rank", right: true}, {title: "model", max: 40}, {title: "batch", right: true}, {title: "top-1", right: true}, {title: "J/sample", right: true},
		{title: "90 % interval", right: true}, {title: "verdict"}, {title: "latency", right: true}, {title: "power", right: true}}}
	rank, within := 0, 0
	for _, x := range all {
		place, accuracy := "", ""
		switch order(x) {
		case 0:
			rank++
			place = strconv.Itoa(rank)
			within++
		case 1:
			within++
		}
		if x.Budget.Top1Percent.Known() {
			accuracy = fmt.Sprintf("%.2f %%", float64(x.Budget.Top1Percent))
		}
		n := float64(x.Batch)
		g.add(place, x.Model, strconv.FormatInt(x.Batch, 10), accuracy, optional(x.EnergyPerSampleJ, "J"),
			scale(float64(x.EnergyLowJ)/n, "J")+" to "+scale(float64(x.EnergyHighJ)/n, "J"), x.Budget.Verdict, scale(x.LatencyS, "s"), optional(x.PowerW, "W"))
	}
	if err := writeGrid(s, g, md); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "\n%d of %d stay within the budget; accuracies are those of arXiv:1605.07678, one central crop.\n", within, len(all))
	return predictFootnotes(s, sharedDiagnostics(all))
}
