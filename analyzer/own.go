package analyzer

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/op"
)

// define takes the user's operators.
func (e *engine) define(own []op.Definition) error {
	for i, d := range own {
		r, errs := d.Compile()
		if errs != nil {
			return &OptionError{Msg: fmt.Sprintf("operator %d (%s): %v", i, opName(d.Domain, d.Op), errs[0]), Err: errs[0]}
		}
		k := funcKey{domain: r.Domain, name: r.Op}
		if slices.ContainsFunc(e.own[k], func(o *op.Rule) bool { return o.Since == r.Since }) {
			return &OptionError{Msg: fmt.Sprintf("operator %d (%s): a second one since opset %d", i, opName(d.Domain, d.Op), r.Since)}
		}
		if e.own == nil {
			e.own = map[funcKey][]*op.Rule{}
		}
		e.own[k] = append(e.own[k], r)
		slices.SortFunc(e.own[k], func(a, b *op.Rule) int { return cmp.Compare(b.Since, a.Since) })
	}
	return nil
}

func opName(domain, name string) string {
	if domain == "" {
		return name
	}
	return domain + "." + name
}

// ownRules are the user's rules of a node's operator.
func (e *engine) ownRules(p *onnx.Node) []*op.Rule {
	if e.own == nil {
		return nil
	}
	d := p.Domain
	if d == "ai.onnx" {
		d = ""
	}
	return e.own[funcKey{domain: d, name: p.OpType}]
}

// rule is what is known of a node's operator: by the user first.
func (e *engine) rule(p *onnx.Node, opset int64) *op.Rule {
	for _, r := range e.ownRules(p) {
		if r.Since <= opset {
			return r
		}
	}
	return op.Find(p.Domain, p.OpType, opset)
}

// noteUncounted says once for an operator what it does that no figure has.
func (e *engine) noteUncounted(n *Node) {
	if n.Rule == nil || n.Rule.Uncounted == "" || e.uncounted[n.Rule] {
		return
	}
	if e.uncounted == nil {
		e.uncounted = map[*op.Rule]bool{}
	}
	e.uncounted[n.Rule] = true
	e.diagnose(Diagnostic{SeverityNote, CodeUncounted, n.Name, fmt.Sprintf("%s: %s is not counted", n.Op(), n.Rule.Uncounted)})
}
