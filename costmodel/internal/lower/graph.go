package lower

import (
	"cmp"
	"slices"
	"sync"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/op"
	"github.com/onnxcost/onnxcost/costmodel/plan"
)

// domainBroken is where nodes stand meanwhile whose inputs do not fit their operator, or that have a standard
// operator's name and no rule, so that no rewrite looks at them. Their kernels have the operator's own domain again.
const domainBroken = "broken"

// graph is the mutable form of one graph on which the rewrites of a runtime work: nodes with producer and consumer
// links. What a rewrite removes stays in nodes as dead, because positions are part of the execution order (order.go).
type graph struct {
	nodes   []*gnode
	live    map[string]int // live nodes per full operator name
	tensors []*tensor      // by op.Value.ID
	outputs []*tensor
	free    []*analyzer.Node // whose work nothing does any more
	// early says that generated constants are not there yet: the first round of rules runs before they are computed.
	// deferred notes that a rule waits for them.
	early, deferred bool
	block           int64 // channels that the blocked layout keeps together; 0 without such a layout
	signed          bool  // kernels of sums and products take signed bytes (QDQIsInt8Allowed: on arm64)
	onCPU           bool  // nodes are assigned to the CPU provider: rewrites may use what its kernels can do
	opset           int64 // of the standard operators

	ordered []*gnode // cached topological order; nil after a change
	stack   []visit
	stamp   uint32
	epoch   uint32 // counts the rounds of shape inference: what is known of extents holds within one
	// declared are the shapes that the file gives for values inside the graph; nil without any.
	declared map[string]*onnx.Type
	origins  *origins // nil where names do not tell

	nodeSlab   []gnode
	tensorSlab []tensor
	valueSlab  []op.Value
	list       []*tensor
	useSlab    []use // what is left of useUsed
	useUsed    []use
	packedSlab []packedTensor
	shapeSlab  []dim.Dim
	nextID     int
	firstOwn   int // values from here on are the graph's own
	fileNodes  int // nodes before this position are the file's, in topological order

	extentStack []extents
}

// gnode is a node of a graph under rewriting.
type gnode struct {
	index  int // position: nodes of the file first, added ones in the order of their making
	op     string
	domain string
	key    string // operator with its domain
	name   string
	rule   *op.Rule // of the operator that decides its kind; nil where it has none
	plan.Attributes
	in, out []*tensor // nil where absent
	// captured are values that bodies of the node take from this graph.
	captured []*tensor

	origin  *analyzer.Node   // the node that decides its kind; nil for added nodes
	src     []*analyzer.Node // whose work it does
	work    op.Work
	act     string // activation applied to the result
	sum     bool   // the last input is added to the result
	layout  string
	dead    bool
	mark    uint32
	inPlace bool   // its operands are written where its result is
	alike   *gnode // next with the same hash, while duplicates are merged
}

// tensor is a value of a graph under rewriting.
type tensor struct {
	val    *op.Value
	from   *gnode // nil for graph inputs, outer values and constants
	slot   int    // output of from
	uses   []use
	ident  *ident        // see graph.identity; nil while it is not known
	packed *packedTensor // the blocked form, once the packer has made one
	seen   extents       // see graph.extents
	epoch  uint32        // of the graph when seen was found
	output bool          // of the graph
	cut    bool          // made by a ReorderOutput of the packer
}

// use is one argument of one node; arg is -1 where a body of the node captures the value.
type use struct {
	node *gnode
	arg  int
}

// isConst reports whether the runtime has the value before the first run.
func (t *tensor) isConst() bool { return t.from == nil && t.val.Const }

// pinned reports whether something outside of the nodes' arguments needs the tensor: a graph output or a body.
func (t *tensor) pinned() bool {
	return t.output || slices.ContainsFunc(t.uses, func(u use) bool { return u.arg < 0 })
}

// rank is the number of axes; -1 where it is not known.
func (t *tensor) rank() int {
	if !t.val.Ranked {
		return -1
	}
	return len(t.val.Shape)
}

// is reports whether n is a standard operator with one of the names.
func (n *gnode) is(ops ...string) bool { return n.domain == "" && slices.Contains(ops, n.op) }

// keys are the full names of operators that runtimes add, so that making them allocates nothing.
var keys = func() map[[2]string]string {
	m := map[[2]string]string{}
	for domain, ops := range map[string][]string{
		plan.DomainMS: {"FusedConv", "FusedGemm", "FusedMatMul", "Gelu", "QuickGelu", "BiasGelu", "FastGelu", "SkipLayerNormalization"},
		plan.DomainNCHWc: {"Conv", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "Upsample", "ReorderInput",
			"ReorderOutput"},
	} {
		for _, o := range ops {
			m[[2]string{domain, o}] = domain + "." + o
		}
	}
	return m
}()

// keyOf is an operator with its domain.
func keyOf(opType, domain string) string {
	if domain == "" {
		return opType
	}
	if k, ok := keys[[2]string{domain, opType}]; ok {
		return k
	}
	return domain + "." + opType
}

// arg returns input i, nil where it is absent.
func (n *gnode) arg(i int) *tensor {
	if i < len(n.in) {
		return n.in[i]
	}
	return nil
}

// producer returns the node that makes input i, nil where none does.
func (n *gnode) producer(i int) *gnode {
	if t := n.arg(i); t != nil {
		return t.from
	}
	return nil
}

// Graphs holds graphs whose work is done, for their slabs. Nothing that outlives the lowering may point to the nodes and
// tensors in them: a Plan keeps values, sources and attributes, whose memory is never given back.
var Graphs = sync.Pool{New: func() any { return &graph{live: make(map[string]int, 16)} }}

// zeroed is a slice of n zero elements in the memory of s, where that is enough; what lies beyond them is not cleared.
func zeroed[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n+n/4)[:n]
	}
	s = s[:n]
	clear(s)
	return s
}

// release gives the slabs of g back.
func (g *graph) release() {
	clear(g.live)
	*g = graph{live: g.live, epoch: g.epoch, stamp: g.stamp, nodes: g.nodes[:0], tensors: g.tensors, stack: g.stack[:0],
		nodeSlab: g.nodeSlab, tensorSlab: g.tensorSlab, list: g.list, useSlab: g.useUsed, extentStack: g.extentStack[:0],
		packedSlab: g.packedSlab}
	Graphs.Put(g)
}

// newGraph makes the mutable form of nodes, which read inputs and make outputs. Nodes that inference folded although
// a runtime may have to execute them are put back where something uses them.
func newGraph(r *analyzer.Report, nodes []*analyzer.Node, outputs []*op.Value) *graph {
	nodes = withFolded(r, nodes)
	g := Graphs.Get().(*graph)
	g.epoch++ // not 0, which stands for never
	g.opset, _ = r.Model.Opset("")
	args := 0
	for _, n := range nodes {
		args += len(n.Inputs) + len(n.Outputs)
		for _, vs := range [2][]*op.Value{n.Inputs, n.Outputs} {
			for _, v := range vs {
				if v != nil {
					g.nextID = max(g.nextID, v.ID+1)
				}
			}
		}
	}
	for _, v := range outputs {
		g.nextID = max(g.nextID, v.ID+1)
	}
	g.firstOwn, g.fileNodes = g.nextID, len(nodes)
	g.tensors = zeroed(g.tensors, g.nextID)
	g.nodes = slices.Grow(g.nodes[:0], len(nodes)+len(nodes)/2)
	g.nodeSlab = zeroed(g.nodeSlab, 2*len(nodes))[:0]
	g.tensorSlab = zeroed(g.tensorSlab, args+args/2)[:0]
	g.list = slices.Grow(g.list[:0], 3*args)
	g.useSlab = zeroed(g.useSlab, 2*args)
	g.useUsed = g.useSlab
	src := make([]*analyzer.Node, len(nodes))
	copy(src, nodes)
	for i, n := range nodes {
		domain := n.Proto.Domain
		if domain == "ai.onnx" {
			domain = ""
		}
		if n.Invalid || n.Rule == nil && domain == "" || !complete(n) {
			domain = domainBroken
		}
		m := g.newNode(n.Proto.OpType, domain, n.Name)
		m.rule, m.Proto, m.origin, m.work = n.Rule, n.Proto, n, n.Work
		m.src = src[i : i+1 : i+1]
		m.in, m.out = g.newList(len(n.Inputs)), g.newList(len(n.Outputs))
		for i, v := range n.Inputs {
			if t := g.tensorOf(v); t != nil {
				m.in[i] = t
				g.addUse(t, use{m, i})
			}
		}
		for i, v := range n.Outputs {
			if t := g.tensorOf(v); t != nil {
				m.out[i], t.from, t.slot = t, m, i
			}
		}
		if len(n.Bodies) > 0 {
			g.capture(m, n)
		}
	}
	for _, v := range outputs {
		t := g.tensorOf(v)
		t.output = true
		g.outputs = append(g.outputs, t)
	}
	return g
}

// complete reports whether a node has its first output, which rewrites look at.
func complete(n *analyzer.Node) bool {
	return len(n.Bodies) > 0 || len(n.Outputs) > 0 && n.Outputs[0] != nil
}

// withFolded adds the nodes of Report.Folded that the given ones depend on, each in its place.
func withFolded(r *analyzer.Report, nodes []*analyzer.Node) []*analyzer.Node {
	if len(r.Folded) == 0 {
		return nodes
	}
	maker := make(map[*op.Value]*analyzer.Node, len(r.Folded))
	for _, n := range r.Folded {
		for _, o := range n.Outputs {
			maker[o] = n
		}
	}
	place := make(map[*onnx.Node]int, len(r.Model.Graph.Nodes))
	for i, p := range r.Model.Graph.Nodes {
		place[p] = i
	}
	type placed struct {
		node *analyzer.Node
		at   int
	}
	all := make([]placed, 0, len(nodes)+len(r.Folded))
	seen := make(map[*analyzer.Node]bool, len(r.Folded))
	at := 0
	var need func(n *analyzer.Node)
	need = func(n *analyzer.Node) {
		uses := func(v *op.Value) {
			if m := maker[v]; m != nil && !seen[m] {
				seen[m] = true
				need(m)
			}
		}
		for _, v := range n.Inputs {
			uses(v)
		}
		for _, b := range n.Bodies {
			captures(b.Nodes, uses)
		}
		if p, ok := place[n.Proto]; ok {
			at = p // nodes of inlined functions stay behind the node before them
		}
		all = append(all, placed{n, at})
	}
	for _, n := range nodes {
		need(n)
	}
	slices.SortStableFunc(all, func(a, b placed) int { return cmp.Compare(a.at, b.at) })
	out := make([]*analyzer.Node, len(all))
	for i := range all {
		out[i] = all[i].node
	}
	return out
}

// captures calls f for every value that nodes read, those of inner bodies included.
func captures(nodes []*analyzer.Node, f func(*op.Value)) {
	for _, n := range nodes {
		for _, v := range n.Inputs {
			if v != nil {
				f(v)
			}
		}
		for _, b := range n.Bodies {
			captures(b.Nodes, f)
		}
	}
}

// capture records what the bodies of n take from this graph.
func (g *graph) capture(m *gnode, n *analyzer.Node) {
	seen := map[*tensor]bool{}
	take := func(v *op.Value) {
		if v.ID < len(g.tensors) {
			if t := g.tensors[v.ID]; t != nil && t.from != nil && !seen[t] {
				seen[t] = true
				m.captured = append(m.captured, t)
				t.uses = append(t.uses, use{m, -1})
			}
		}
	}
	for _, b := range n.Bodies {
		captures(b.Nodes, take)
		for _, v := range b.Outputs {
			take(v)
		}
	}
}
