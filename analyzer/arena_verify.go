package analyzer

import (
	"fmt"
	"slices"
	"sort"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/op"
)

// VerifyError is a plan under which a node would not find what it reads.
type VerifyError struct {
	Node string // "" for the graph's inputs and outputs
	Msg  string
}

func (e *VerifyError) Error() string {
	if e.Node == "" {
		return "arena: " + e.Msg
	}
	return fmt.Sprintf("arena: node %q: %s", e.Node, e.Msg)
}

// Verify runs the main graph over the plan with marks in place of numbers: every node must find the marks of what it
// reads on all bytes of its operands, and leaves its own on its results. It knows offsets, the graph and the rules, and
// nothing of lifetimes or of how the plan was made. A result may lie on an operand only where it is a view of it or
// where the rule lets it take that operand's place. env is the one that the plan was made under. The error is a
// *VerifyError, or names a dimension without a value.
func (a *Arena) Verify(r *Report, env dim.Env) error {
	if env == nil {
		env, _ = r.Bounded(r.Dims)
	}
	v := &verifier{arena: a, sizes: liveness{env: env, scale: r.scale}, at: map[*op.Value]region{}, workspaces: map[int][]region{}}
	for _, b := range a.Buffers {
		if err := v.register(b); err != nil {
			return err
		}
	}
	for _, in := range r.Inputs {
		if err := v.write("", in); err != nil {
			return err
		}
	}
	for i, n := range r.Nodes {
		if err := v.step(i, n); err != nil {
			return err
		}
	}
	for _, out := range r.Outputs {
		if err := v.read("", out); err != nil {
			return err
		}
	}
	return nil
}

// region is a part of the arena.
type region struct{ from, to int64 }

func (a region) overlaps(b region) bool { return a.from < b.to && b.from < a.to }

// stretch is a region whose bytes all hold the same content.
type stretch struct {
	region
	content *op.Value // the tensor that was written there; nil for a workspace's leavings
}

type verifier struct {
	arena      *Arena
	sizes      liveness
	at         map[*op.Value]region
	workspaces map[int][]region
	memory     []stretch               // by address, without overlap
	content    map[*op.Value]*op.Value // what a view shows
}

func (v *verifier) register(b Placed) error {
	if b.Offset < 0 || b.Offset%v.arena.Align != 0 || b.Offset+b.Bytes > v.arena.Bytes {
		return &VerifyError{Msg: fmt.Sprintf("a buffer of %d bytes at offset %d: want a multiple of %d, and its end within %d", b.Bytes, b.Offset,
			v.arena.Align, v.arena.Bytes)}
	}
	if b.Values == nil {
		v.workspaces[b.First] = append(v.workspaces[b.First], region{b.Offset, b.Offset + b.Bytes})
	}
	for _, t := range b.Values {
		size, err := v.sizes.bytes(t)
		if err != nil {
			return err
		}
		if _, twice := v.at[t]; twice || size > b.Bytes {
			return &VerifyError{Msg: fmt.Sprintf("tensor %q of %d bytes: want one place, with at least as many bytes; have %d", t.Name, size, b.Bytes)}
		}
		v.at[t] = region{b.Offset, b.Offset + size}
	}
	return nil
}

// place returns where a tensor lies; ok is false for what needs no place.
func (v *verifier) place(node string, t *op.Value) (reg region, ok bool, err error) {
	if t == nil || t.Resident() {
		return region{}, false, nil
	}
	reg, ok = v.at[t]
	if !ok {
		return region{}, false, &VerifyError{node, fmt.Sprintf("tensor %q has no place", t.Name)}
	}
	return reg, reg.to > reg.from, nil
}

func (v *verifier) step(i int, n *Node) error {
	var inner map[*op.Value]bool
	if len(n.Bodies) > 0 {
		inner = made(n.Bodies)
	}
	reads := map[*op.Value]region{}
	var err error
	uses(n, func(t *op.Value) {
		if err != nil || inner[t] {
			return
		}
		if err = v.read(n.Name, t); err == nil {
			if reg, ok := v.at[t]; ok && !t.Resident() {
				reads[t] = reg
			}
		}
	})
	if err != nil {
		return err
	}
	var busy []region // workspaces and results written so far
	for _, w := range v.workspaces[i] {
		for t, reg := range reads {
			if w.overlaps(reg) {
				return &VerifyError{n.Name, fmt.Sprintf("the workspace lies on %q, which the node reads", t.Name)}
			}
		}
		v.mark(stretch{w, nil})
		busy = append(busy, w)
	}
	for k, out := range n.Outputs {
		reg, ok, err := v.place(n.Name, out)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if slices.ContainsFunc(busy, reg.overlaps) {
			return &VerifyError{n.Name, fmt.Sprintf("result %q lies on another result or on the workspace", out.Name)}
		}
		busy = append(busy, reg)
		if k == 0 && n.views() && !n.Inputs[0].Resident() && reads[n.Inputs[0]] == reg {
			v.show(out, n.Inputs[0])
			continue
		}
		for t, in := range reads {
			if reg.overlaps(in) && !(k == 0 && reg == in && overwrites(n, t, reads)) {
				return &VerifyError{n.Name, fmt.Sprintf("result %q lies on %q, which the node reads", out.Name, t.Name)}
			}
		}
		if err := v.write(n.Name, out); err != nil {
			return err
		}
	}
	return nil
}

// made lists the tensors that bodies bring themselves.
func made(bodies []*Body) map[*op.Value]bool {
	m := map[*op.Value]bool{}
	var walk func(bodies []*Body)
	walk = func(bodies []*Body) {
		for _, b := range bodies {
			for _, t := range b.Inputs {
				m[t] = true
			}
			for _, n := range b.Nodes {
				for _, t := range n.Outputs {
					m[t] = true
				}
				walk(n.Bodies)
			}
		}
	}
	walk(bodies)
	return m
}

// overwrites reports whether the rule lets the first result take the place of operand t. An operator that is not
// element-wise must not read the place by another operand too.
func overwrites(n *Node, t *op.Value, reads map[*op.Value]region) bool {
	if n.Rule.Class != op.Elementwise {
		for other, reg := range reads {
			if other != t && reg.overlaps(reads[t]) {
				return false
			}
		}
	}
	allowed, times := false, 0
	for i, in := range n.Inputs {
		if in == t {
			times++
			allowed = allowed || n.mayOverwrite(i)
		}
	}
	// In an element-wise operator every operand on the place is read at the element that is written.
	return allowed && (times == 1 || n.Rule.Class == op.Elementwise) || n.Rule.Class == op.Elementwise && sharesAllowed(n, t, reads)
}

// sharesAllowed reports whether t lies exactly on another operand whose place the first result may take.
func sharesAllowed(n *Node, t *op.Value, reads map[*op.Value]region) bool {
	for i, in := range n.Inputs {
		if in != nil && in != t && reads[in] == reads[t] && n.mayOverwrite(i) {
			return true
		}
	}
	return false
}

// read checks that all bytes of a tensor hold its content.
func (v *verifier) read(node string, t *op.Value) error {
	reg, ok, err := v.place(node, t)
	if err != nil || !ok {
		return err
	}
	want := t
	if c := v.content[t]; c != nil {
		want = c
	}
	at := sort.Search(len(v.memory), func(i int) bool { return v.memory[i].to > reg.from })
	for from := reg.from; from < reg.to; at++ {
		switch {
		case at == len(v.memory) || v.memory[at].from > from:
			return &VerifyError{node, fmt.Sprintf("%q is read before byte %d has been written", t.Name, from)}
		case v.memory[at].content != want:
			by := "a workspace"
			if c := v.memory[at].content; c != nil {
				by = fmt.Sprintf("%q", c.Name)
			}
			return &VerifyError{node, fmt.Sprintf("%q is needed, but byte %d holds %s", t.Name, from, by)}
		}
		from = v.memory[at].to
	}
	return nil
}

func (v *verifier) write(node string, t *op.Value) error {
	reg, ok, err := v.place(node, t)
	if err == nil && ok {
		v.mark(stretch{reg, t})
	}
	return err
}

// show makes t another name of the content of shown.
func (v *verifier) show(t, shown *op.Value) {
	if c := v.content[shown]; c != nil {
		shown = c
	}
	if v.content == nil {
		v.content = map[*op.Value]*op.Value{}
	}
	v.content[t] = shown
}

// mark replaces the content of a region.
func (v *verifier) mark(s stretch) {
	i := sort.Search(len(v.memory), func(i int) bool { return v.memory[i].to > s.from })
	k := i
	var parts []stretch
	if i < len(v.memory) && v.memory[i].from < s.from {
		parts = append(parts, stretch{region{v.memory[i].from, s.from}, v.memory[i].content})
	}
	parts = append(parts, s)
	for ; k < len(v.memory) && v.memory[k].from < s.to; k++ {
		if v.memory[k].to > s.to {
			parts = append(parts, stretch{region{s.to, v.memory[k].to}, v.memory[k].content})
		}
	}
	v.memory = slices.Replace(v.memory, i, k, parts...)
}
