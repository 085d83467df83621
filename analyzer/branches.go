package analyzer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/op"
)

// decider is what chooses the branch of an If.
type decider struct {
	dims   []string // symbols of dimensions
	inputs []string // graph inputs, by their elements
}

func (d *decider) add(list *[]string, name string) {
	if !slices.Contains(*list, name) {
		*list = append(*list, name)
	}
}

// undecidedIfs lists the Ifs of which either branch may run, those of branches that are not counted left out.
func (r *Report) undecidedIfs() (ifs []*Node) {
	r.Walk(func(n *Node, _ dim.Dim, _ int) {
		if n.Proto.OpType == "If" && len(n.Bodies) == 2 && !n.Bodies[0].invalid && !n.Bodies[1].invalid {
			ifs = append(ifs, n)
		}
	})
	return ifs
}

// noteBranches says, for Ifs that the same inputs decide at once, what was assumed and how to say otherwise.
func (r *Report) noteBranches() {
	ifs := r.undecidedIfs()
	if len(ifs) == 0 {
		return
	}
	makers := map[int]*Node{}
	remember := func(n *Node) {
		for _, o := range n.Outputs {
			if o != nil {
				makers[o.ID] = n
			}
		}
	}
	walkAll(r.Nodes, remember)
	walkAll(r.Folded, remember)
	type group struct {
		first *Node
		by    decider
		nodes int
	}
	var groups []*group
	index := map[string]*group{}
	for _, n := range ifs {
		var d decider
		if len(n.Inputs) > 0 && n.Inputs[0] != nil {
			r.trace(n.Inputs[0], makers, map[int]bool{}, &d)
		}
		key := fmt.Sprint(d, n.Bodies[0].branch(n))
		if index[key] == nil {
			index[key] = &group{first: n, by: d}
			groups = append(groups, index[key])
		}
		index[key].nodes++
	}
	for _, g := range groups {
		r.Diagnostics = append(r.Diagnostics, Diagnostic{SeverityNote, CodeBranch, g.first.Name, g.by.note(g.first, g.nodes)})
	}
}

// branch is the attribute of If node n that holds the body.
func (b *Body) branch(n *Node) string {
	for i := range n.Proto.Attributes {
		if n.Proto.Attributes[i].G == b.graph {
			return n.Proto.Attributes[i].Name
		}
	}
	return b.Name
}

// trace adds the inputs and dimensions that the elements of v depend on.
func (r *Report) trace(v *op.Value, makers map[int]*Node, seen map[int]bool, d *decider) {
	if v.Const || seen[v.ID] {
		return
	}
	seen[v.ID] = true
	if symbols, known := v.DecidedBy(); known {
		for _, s := range symbols {
			d.add(&d.dims, s)
		}
		return
	}
	for _, in := range r.Inputs {
		if in == v {
			d.add(&d.inputs, v.Name)
			return
		}
	}
	n := makers[v.ID]
	if n == nil {
		return
	}
	if n.Proto.OpType == "Shape" || n.Proto.OpType == "Size" {
		for _, x := range n.Inputs[0].Shape {
			for _, s := range x.Symbols() {
				d.add(&d.dims, s)
			}
		}
		return
	}
	uses(n, func(in *op.Value) { r.trace(in, makers, seen, d) })
}

// note is the finding about so many Ifs, the first of which is n.
func (d *decider) note(n *Node, nodes int) string {
	const most = 4
	quoted := func(names []string) []string {
		var out []string
		for _, x := range names[:min(len(names), most)] {
			out = append(out, fmt.Sprintf("%q", x))
		}
		if len(names) > most {
			out = append(out, fmt.Sprintf("%d more", len(names)-most))
		}
		return out
	}
	var by, how []string
	for _, s := range d.dims[:min(len(d.dims), most)] {
		by = append(by, "dimension "+s)
		how = append(how, "--dim "+s+"=N")
	}
	if len(d.inputs) > 0 {
		by = append(by, "input "+strings.Join(quoted(d.inputs), ", "))
		how = append(how, "--inputs DIR with its value")
	}
	taken, other := n.Bodies[0], n.Bodies[1]
	if taken.Alternative {
		taken, other = other, taken
	}
	what := "the costlier branch"
	for i, o := range n.Outputs {
		if o != nil && o.Ranked && i < len(other.Outputs) && other.Outputs[i].Ranked && len(other.Outputs[i].Shape) != len(o.Shape) {
			what = fmt.Sprintf("the branches differ in rank; the one that gives %v", o)
		}
	}
	who := "this If"
	if nodes > 1 {
		who = fmt.Sprintf("this and %d more Ifs", nodes-1)
	}
	why := "data decides " + who
	if len(by) > 0 {
		why = strings.Join(by, " and ") + " decides " + who
	}
	text := fmt.Sprintf("%s: %s, %s, is counted; the weights of both are resident, and the peak is of the branch that needs most", why, what, taken.branch(n))
	if len(how) > 0 {
		text += "; " + strings.Join(how, " or ") + " decides it"
	}
	return text
}
