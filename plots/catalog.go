package plots

import (
	"fmt"
	"strings"
)

// A PaperFigure is one of the ten figures.
type PaperFigure struct {
	Name  string
	Alias string // its number in the paper: fig1 to fig10
	Title string // a line for lists
	Draw  func(*Dataset, Style) *Figure
}

// PaperFigures lists the ten figures in the paper's order.
func PaperFigures() []PaperFigure {
	return []PaperFigure{
		{"top1", "fig1", "top-1 accuracy of each network", paperTop1},
		{"top1-ops", "fig2", "accuracy against operations, area by parameters", paperTop1Ops},
		{"time-batch", "fig3", "forward time per image against batch size", paperTimeBatch},
		{"power-batch", "fig4", "net power against batch size, with its mean and spread", paperPowerBatch},
		{"memory-batch", "fig5", "maximum net memory against batch size", paperMemoryBatch},
		{"memory-params", "fig6", "maximum net memory against parameters, with the fitted line", paperMemoryParams},
		{"ops-time", "fig7", "operations against time at batch 1 and 16, with the fitted lines", paperOpsTime},
		{"ops-power", "fig8", "operations against power at batch 1 and 16", paperOpsPower},
		{"top1-throughput", "fig9", "accuracy against throughput at batch 1 and 16, with the bound", paperTop1Throughput},
		{"density", "fig10", "accuracy per million parameters", paperDensity},
	}
}

// PaperFigureByName finds a figure by its name or number.
func PaperFigureByName(name string) (PaperFigure, error) {
	var names []string
	for _, f := range PaperFigures() {
		if f.Name == name || f.Alias == strings.ToLower(name) {
			return f, nil
		}
		names = append(names, f.Name)
	}
	return PaperFigure{}, fmt.Errorf("figure %q: want one of %s, or fig1 to fig10", name, strings.Join(names, ", "))
}
