package costmodel

import (
	"cmp"
	"math"
	"slices"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/op"
)

// The operator domains of ONNX Runtime.
const (
	domainMS    = "com.microsoft"
	domainNCHWc = "com.microsoft.nchwc"
	// domainBroken is where nodes stand meanwhile whose inputs do not fit their operator, or that have a standard
	// operator's name and no rule, so that no rewrite looks at them. Their kernels have the operator's own domain again.
	domainBroken = "broken"
)

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
	useSlab    []use
	srcSlab    []*analyzer.Node
	shapeSlab  []dim.Dim
	nextID     int
	firstOwn   int // values from here on are the graph's own
	fileNodes  int // nodes before this position are the file's, in topological order

	extentStack []extents
}

// gnode is a node of a graph under rewriting.
type gnode struct {
	index   int // position: nodes of the file first, added ones in the order of their making
	op      string
	domain  string
	key     string // operator with its domain
	name    string
	rule    *op.Rule         // of the operator that decides its kind; nil where it has none
	proto   *onnx.Node       // attributes, unless overridden; nil for added nodes
	attrs   []onnx.Attribute // override proto's
	in, out []*tensor        // nil where absent
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
		domainMS: {"FusedConv", "FusedGemm", "FusedMatMul", "Gelu", "QuickGelu", "BiasGelu", "FastGelu", "SkipLayerNormalization"},
		domainNCHWc: {"Conv", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "Upsample", "ReorderInput",
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

func (n *gnode) attr(name string) *onnx.Attribute {
	for i := range n.attrs {
		if n.attrs[i].Name == name {
			return &n.attrs[i]
		}
	}
	if n.proto != nil {
		return n.proto.Attr(name)
	}
	return nil
}

func (n *gnode) intAttr(name string, def int64) int64 {
	if a := n.attr(name); a != nil {
		return a.I
	}
	return def
}

func (n *gnode) floatAttr(name string, def float32) float32 {
	if a := n.attr(name); a != nil {
		return a.F
	}
	return def
}

func (n *gnode) strAttr(name, def string) string {
	if a := n.attr(name); a != nil {
		return a.S
	}
	return def
}

// intsAttr returns a list of integers; nil where the attribute is absent.
func (n *gnode) intsAttr(name string) []int64 {
	if a := n.attr(name); a != nil {
		return a.Ints
	}
	return nil
}

func (n *gnode) setAttr(a onnx.Attribute) {
	for i := range n.attrs {
		if n.attrs[i].Name == a.Name {
			n.attrs[i] = a
			return
		}
	}
	n.attrs = append(n.attrs, a)
}

func (n *gnode) setInts(name string, v []int64) {
	n.setAttr(onnx.Attribute{Name: name, Type: onnx.AttrInts, Ints: v})
}

func (n *gnode) setInt(name string, v int64) {
	n.setAttr(onnx.Attribute{Name: name, Type: onnx.AttrInt, I: v})
}

// newGraph makes the mutable form of nodes, which read inputs and make outputs. Nodes that inference folded although
// a runtime may have to execute them are put back where something uses them.
func newGraph(r *analyzer.Report, nodes []*analyzer.Node, outputs []*op.Value) *graph {
	nodes = withFolded(r, nodes)
	g := &graph{live: make(map[string]int, 16), epoch: 1}
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
	g.tensors = make([]*tensor, g.nextID)
	g.nodes = make([]*gnode, 0, len(nodes)+len(nodes)/2)
	g.nodeSlab = make([]gnode, 0, len(nodes))
	g.tensorSlab = make([]tensor, 0, args*3/4)
	g.list = make([]*tensor, 0, 2*args)
	g.useSlab = make([]use, args+args/2)
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
		m.rule, m.proto, m.origin, m.work = n.Rule, n.Proto, n, n.Work
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

// operands is how many first inputs must be there for rewrites to look at a node; 1 for operators not listed.
var operands = map[string]int{
	"Add": 2, "Sub": 2, "Mul": 2, "Div": 2, "Pow": 2, "Mod": 2, "Where": 3, "CastLike": 2, "PRelu": 2,
	"MatMul": 2, "Gemm": 2, "Conv": 2, "ConvTranspose": 2, "BatchNormalization": 5, "LayerNormalization": 2,
	"MatMulInteger": 2, "QuantizeLinear": 2, "DequantizeLinear": 2, "Gather": 2, "Expand": 2, "Tile": 2, "Range": 3,
	"LSTM": 3, "GRU": 3, "RNN": 3,
}

// complete reports whether a node has the inputs that its operator cannot do without, and its first output.
func complete(n *analyzer.Node) bool {
	if len(n.Inputs) == 0 { // a generator
		return len(n.Outputs) > 0
	}
	need := max(operands[n.Proto.OpType], 1)
	if len(n.Inputs) < need || slices.Contains(n.Inputs[:need], nil) {
		return len(n.Bodies) > 0
	}
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
	take := func(v *op.Value) {
		if v.ID < len(g.tensors) {
			if t := g.tensors[v.ID]; t != nil && t.from != nil && !slices.Contains(m.captured, t) {
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

// tensorOf returns the tensor of a value of the report.
func (g *graph) tensorOf(v *op.Value) *tensor {
	if v == nil {
		return nil
	}
	if t := g.tensors[v.ID]; t != nil {
		return t
	}
	t := g.allocTensor()
	t.val = v
	g.tensors[v.ID] = t
	return t
}

func (g *graph) allocTensor() *tensor {
	if len(g.tensorSlab) == cap(g.tensorSlab) {
		g.tensorSlab = make([]tensor, 0, 64)
	}
	g.tensorSlab = append(g.tensorSlab, tensor{})
	return &g.tensorSlab[len(g.tensorSlab)-1]
}

// newTensor makes a tensor that the report does not have.
func (g *graph) newTensor(name string, like *op.Value, shape op.Shape) *tensor {
	if len(g.valueSlab) == cap(g.valueSlab) {
		g.valueSlab = make([]op.Value, 0, 32)
	}
	g.valueSlab = append(g.valueSlab, op.Value{Name: name, Kind: onnx.KindTensor, DType: like.DType,
		Ranked: shape != nil || like.Ranked && len(like.Shape) == 0, Shape: shape, ID: g.nextID})
	t := g.allocTensor()
	t.val = &g.valueSlab[len(g.valueSlab)-1]
	g.nextID++
	return t
}

// addUse records a reader. Most tensors have one, so that one comes from the slab.
func (g *graph) addUse(t *tensor, u use) {
	if cap(t.uses) == 0 {
		if len(g.useSlab) == 0 {
			g.useSlab = make([]use, 64)
		}
		t.uses, g.useSlab = g.useSlab[:0:1], g.useSlab[1:]
	}
	t.uses = append(t.uses, u)
}

// newShape is a copy of s that may be changed.
func (g *graph) newShape(s op.Shape) op.Shape {
	if len(g.shapeSlab) < len(s) {
		g.shapeSlab = make([]dim.Dim, 128+len(s))
	}
	out := op.Shape(g.shapeSlab[:len(s):len(s)])
	g.shapeSlab = g.shapeSlab[len(s):]
	copy(out, s)
	return out
}

// newList returns n absent tensors.
func (g *graph) newList(n int) []*tensor {
	if len(g.list)+n > cap(g.list) {
		g.list = make([]*tensor, 0, max(n, 128))
	}
	at := len(g.list)
	g.list = g.list[:at+n]
	return g.list[at : at+n : at+n]
}

// newConst makes a constant that the runtime computes from v before the first run.
func (g *graph) newConst(v *op.Value, shape op.Shape) *tensor {
	t := g.newTensor(v.Name, v, shape)
	t.val.Const, t.val.Roots = true, v.Roots
	return t
}

func (g *graph) newNode(opType, domain, name string) *gnode {
	if len(g.nodeSlab) == cap(g.nodeSlab) {
		g.nodeSlab = make([]gnode, 0, 64)
	}
	g.nodeSlab = append(g.nodeSlab, gnode{index: len(g.nodes), op: opType, domain: domain, key: keyOf(opType, domain),
		name: name, layout: LayoutNCHW})
	n := &g.nodeSlab[len(g.nodeSlab)-1]
	g.nodes = append(g.nodes, n)
	g.live[n.key]++
	g.ordered = nil
	return n
}

// add makes a node of the runtime's own, without outputs.
func (g *graph) add(opType, domain, name string, in ...*tensor) *gnode {
	n := g.newNode(opType, domain, name)
	if n.rule = op.Lookup(domain, opType, g.opset); n.rule == nil { // the runtime knows operators newer than the file's opset
		n.rule = op.Lookup(domain, opType, math.MaxInt64)
	}
	n.in = g.newList(len(in))
	copy(n.in, in)
	for i, t := range n.in {
		if t != nil {
			g.addUse(t, use{n, i})
		}
	}
	return n
}

// output gives n a further output.
func (g *graph) addOutput(n *gnode, t *tensor) {
	t.from, t.slot = n, len(n.out)
	if cap(n.out) == 0 {
		n.out = g.newList(1)[:0]
	}
	n.out = append(n.out, t)
}

// setOp gives n another operator.
func (g *graph) setOp(n *gnode, opType, domain string) {
	g.live[n.key]--
	n.op, n.domain, n.key = opType, domain, keyOf(opType, domain)
	g.live[n.key]++
}

func (t *tensor) dropUse(n *gnode, arg int) {
	if i := slices.Index(t.uses, use{n, arg}); i >= 0 {
		t.uses = slices.Delete(t.uses, i, i+1)
	}
}

// setInput makes t input i of n; nil takes the input away.
func (g *graph) setInput(n *gnode, i int, t *tensor) {
	if len(n.in) <= i {
		in := g.newList(i + 1)
		copy(in, n.in)
		n.in = in
	}
	if old := n.in[i]; old != nil {
		old.dropUse(n, i)
	}
	n.in[i] = t
	if t != nil {
		g.addUse(t, use{n, i})
	}
	g.ordered = nil
}

// redirect makes every argument that reads from read to. Bodies that capture from keep it alive under its name.
func (g *graph) redirect(from, to *tensor) {
	for _, u := range slices.Clone(from.uses) {
		if u.arg >= 0 {
			g.setInput(u.node, u.arg, to)
			continue
		}
		u.node.captured[slices.Index(u.node.captured, from)] = to
		from.dropUse(u.node, -1)
		to.uses = append(to.uses, use{u.node, -1})
	}
	g.ordered = nil
}

// moveOutput makes output i of from output j of to: the tensor keeps its name and its readers. from gets a new, unread
// tensor in its place.
func (g *graph) moveOutput(from *gnode, i int, to *gnode, j int) {
	t := from.out[i]
	from.out[i] = g.newTensor(t.val.Name, t.val, t.val.Shape)
	from.out[i].from, from.out[i].slot = from, i
	for len(to.out) <= j {
		to.out = append(to.out, nil)
	}
	to.out[j] = t
	t.from, t.slot = to, j
	g.ordered = nil
}

// handOver makes output i of from output j of to, which takes its place; from is left without.
func (g *graph) handOver(from *gnode, i int, to *gnode, j int) {
	t := from.out[i]
	from.out[i] = nil
	if len(to.out) <= j {
		out := g.newList(j + 1)
		copy(out, to.out)
		to.out = out
	}
	to.out[j] = t
	t.from, t.slot = to, j
	g.ordered = nil
}

// remove takes n out of the graph. Its sources become free unless another node has taken them over.
func (g *graph) remove(n *gnode) {
	for i, t := range n.in {
		if t != nil {
			t.dropUse(n, i)
		}
	}
	for _, t := range n.captured {
		t.dropUse(n, -1)
	}
	n.dead = true
	g.live[n.key]--
	g.free = append(g.free, n.src...)
	n.src = nil
	g.ordered = nil
}

// absorb makes n do the work of m, which the caller removes.
func (g *graph) absorb(n, m *gnode) {
	g.fold(n, m)
	n.work = addWork(n.work, m.work)
}

// fold makes n stand for m too, whose work went into constants before the first run.
func (g *graph) fold(n, m *gnode) {
	switch {
	case len(m.src) == 0:
	case len(n.src) == 0:
		n.src = m.src
	default:
		need := len(n.src) + len(m.src)
		if len(g.srcSlab) < need {
			g.srcSlab = make([]*analyzer.Node, 128+need)
		}
		out := g.srcSlab[:need:need]
		g.srcSlab = g.srcSlab[need:]
		copy(out[copy(out, n.src):], m.src)
		n.src = out
	}
	m.src = nil
}

func addWork(a, b op.Work) op.Work {
	a.MACs, a.Vector, a.Special = a.MACs.Add(b.MACs), a.Vector.Add(b.Vector), a.Special.Add(b.Special)
	switch {
	case len(a.Contraction) == 0:
		a.Contraction = b.Contraction
	case len(b.Contraction) > 0:
		a.Contraction = append(slices.Clip(a.Contraction), b.Contraction...)
	}
	return a
}

// only returns the single node that reads t, nil where there is none, more than one, or t is pinned.
func (t *tensor) only() *gnode {
	if len(t.uses) != 1 || t.pinned() {
		return nil
	}
	return t.uses[0].node
}

// next returns the single reader of a node with one used output, nil otherwise.
func (n *gnode) next() *gnode {
	var next *gnode
	for _, t := range n.out {
		if t == nil || len(t.uses) == 0 && !t.output {
			continue
		}
		m := t.only()
		if m == nil || next != nil {
			return nil
		}
		next = m
	}
	return next
}

// bypass removes n and lets the readers of its first output read t instead. It reports false, changing nothing, where
// that would rename a graph output.
func (g *graph) bypass(n *gnode, t *tensor) bool {
	out := n.out[0]
	if out.output {
		return false
	}
	g.redirect(out, t)
	g.remove(n)
	return true
}
