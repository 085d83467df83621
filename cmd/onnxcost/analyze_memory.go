package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/dim"
)

// summarise evaluates a report in the order of execution that is asked for, with the plan proven where that is asked
// for.
func summarise(r *analyzer.Report, o analyzeOptions, name string, nodes bool) (analyzed, error) {
	numbers := func(what string, err error) error {
		var unbound *dim.UnboundError
		if errors.As(err, &unbound) {
			if missing := r.Missing(r.Dims); len(missing) > 0 {
				return analyzer.NeedDims(what, missing)
			}
			return analyzer.NeedDims(what, unbound.Symbols)
		}
		return err
	}
	var order *analyzer.OrderSummary
	if o.order == "min-memory" {
		sorted, sum, err := r.MinMemory()
		if err != nil {
			return analyzed{}, numbers("--order min-memory", err)
		}
		r, order = sorted, sum
	}
	a := analyzed{report: r, summary: r.Summary(name, nodes)}
	a.summary.Order = order
	if !o.verify && o.trace == "" {
		return a, nil
	}
	plan, err := r.Arena(nil, analyzer.ArenaOptions{})
	if err != nil {
		return analyzed{}, numbers("a memory plan", err)
	}
	a.arena = plan
	if o.verify {
		if err := plan.Verify(r, nil); err != nil {
			return analyzed{}, &codedError{exitFindings, err}
		}
		a.summary.Arena.Verified = true
	}
	return a, nil
}

// memoryRows adds the peak with the tensors that make it, and the plan.
func memoryRows(g *grid, a analyzed, atLeast string) {
	const tensors = 4
	sum, t := a.summary, a.summary.Totals
	switch {
	case t.PeakActivationBytes == nil:
		g.add("peak activations", "no single formula", "give a --dim for "+strings.Join(a.report.Missing(a.report.Dims), ", "))
	case sum.Peak == nil:
		g.add("peak activations", atLeast+dimBytes(*t.PeakActivationBytes), "")
	default:
		g.add("peak activations", atLeast+dimBytes(*t.PeakActivationBytes), "at "+shorten(sum.Peak.Node, 60))
		for i, x := range sum.Peak.Tensors {
			if i == tensors {
				g.add("", fmt.Sprintf("%d more", len(sum.Peak.Tensors)-tensors), "")
				break
			}
			dims := make([]string, len(x.Shape))
			for k, d := range x.Shape {
				dims[k] = d.String()
			}
			g.add("", byteSize(float64(x.Bytes)), shorten(x.Name, 40)+" ["+strings.Join(dims, ",")+"]")
		}
	}
	if t.ArenaBytes == nil {
		return
	}
	detail := "the lower bound"
	if over := *t.ArenaBytes - *t.ArenaBoundBytes; over > 0 {
		detail = fmt.Sprintf("%s above the lower bound", percent(float64(over), float64(*t.ArenaBoundBytes)))
	}
	if sum.Arena.Verified {
		detail += ", verified"
	}
	if o := sum.Order; o != nil {
		detail += "; " + orderText(o, *t.ArenaBytes)
	}
	g.add("arena", atLeast+byteSize(float64(*t.ArenaBytes)), detail)
}

func orderText(o *analyzer.OrderSummary, arena int64) string {
	if !o.Changed {
		if o.Optimal {
			return "no order needs less than the file's"
		}
		return "no better order than the file's was found"
	}
	return fmt.Sprintf("order %s saves %s (%s)", o.Name, byteSize(float64(o.FileArenaBytes-arena)),
		percent(float64(o.FileArenaBytes-arena), float64(o.FileArenaBytes)))
}

// writeMemoryTrace writes the memory timelines of all models.
func writeMemoryTrace(path string, all []analyzed) (err error) {
	var m analyzer.MemoryTrace
	for _, a := range all {
		if err := m.Add(a.report, a.summary.Model, a.arena, nil); err != nil {
			return err
		}
	}
	f, err := os.Create(path)
	if err != nil {
		return &codedError{exitInput, err}
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = m.WriteTo(f)
	return err
}
