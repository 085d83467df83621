package onnx

import (
	"runtime"
	"sync"
)

// A large graph is decoded in parts beside each other. Its records stand one after the other and do not refer to each
// other, so that the parts' lists in a row are the graph's.

const (
	partRecords = 8192 // least records of a part
	mostParts   = 8
)

// tally counts records by field number, up to the highest number of a list.
type tally [graphMetadata + 1]int

// mark is a place between two records, with the records before it.
type mark struct {
	pos    int
	before tally
}

// count tallies the records of a message, so that its lists are allocated once at their final size; marks are every
// partRecords records, without the ends. A malformed message ends the count; decoding it reports the error.
func (d *decoder) count(s span) (n tally, marks []mark) {
	f := d.fields(s, nil)
	for i := 0; f.next(); i++ {
		if i > 0 && i%partRecords == 0 {
			marks = append(marks, mark{f.start, n})
		}
		if int(f.num) < len(n) {
			n[f.num]++
		}
	}
	return n, marks
}

// grow makes room for as many entries of the lists as n counts.
func (g *Graph) grow(n *tally) {
	g.Nodes = grown(g.Nodes, n[graphNode])
	g.Initializers = grown(g.Initializers, n[graphInitializer])
	g.Inputs = grown(g.Inputs, n[graphInput])
	g.Outputs = grown(g.Outputs, n[graphOutput])
	g.ValueInfo = grown(g.ValueInfo, n[graphValueInfo])
}

// part is a run of records of a graph with what they say.
type part struct {
	span
	n     tally
	graph Graph
	share int64 // bytes that its records may take
	spent int64 // bytes that they took
	ok    bool
}

// graphParts decodes the records of a graph in s, which n counts, into g, in parts between some of the marks. It leaves g alone and
// returns false where there is too little to do, where something is wrong or where a part takes more memory than its
// share: decoding from the start to the end says what is to be said.
func (d *decoder) graphParts(g *Graph, s span, n *tally, marks []mark) (ok bool) {
	count := min(runtime.GOMAXPROCS(0), mostParts, len(marks))
	if count < 2 || !d.spent.afford(d.spent.limit/2) {
		return false
	}
	parts := make([]part, count)
	var beside sync.WaitGroup
	lo := mark{pos: s.lo}
	for i := range parts {
		p := &parts[i]
		hi := mark{s.hi, *n}
		if i+1 < count {
			hi = marks[(i+1)*len(marks)/count]
		}
		for k := range p.n {
			p.n[k] = hi.before[k] - lo.before[k]
		}
		p.span = span{lo.pos, hi.pos}
		p.share = budgetBase/int64(2*count) + budgetPerByte/2*int64(p.len())
		lo = hi
		beside.Go(func() { p.ok = d.part(p) })
	}
	beside.Wait()
	for i := range parts {
		if !parts[i].ok {
			return false
		}
	}
	for i := range parts {
		g.join(&parts[i].graph)
		d.spent.used += parts[i].spent
	}
	return true
}

// part decodes one part with slabs of its own.
func (d *decoder) part(p *part) (ok bool) {
	own := &decoder{data: d.data, path: d.path, file: d.file, ext: d.ext, depth: d.depth, spent: budget{limit: p.share}}
	own.prepare()
	var err *FormatError
	gone := own.guard(func() {
		p.graph.grow(&p.n)
		err = own.graphFields(&p.graph, p.span)
	})
	p.spent = own.spent.used
	return !gone && err == nil && p.spent <= p.share
}

// join adds what a later part of the same graph says.
func (g *Graph) join(p *Graph) {
	if p.Name != "" {
		g.Name = p.Name
	}
	if p.DocString != "" {
		g.DocString = p.DocString
	}
	g.Nodes = append(g.Nodes, p.Nodes...)
	g.Initializers = append(g.Initializers, p.Initializers...)
	g.SparseInitializers = append(g.SparseInitializers, p.SparseInitializers...)
	g.Inputs = append(g.Inputs, p.Inputs...)
	g.Outputs = append(g.Outputs, p.Outputs...)
	g.ValueInfo = append(g.ValueInfo, p.ValueInfo...)
	g.QuantAnnotations = append(g.QuantAnnotations, p.QuantAnnotations...)
	g.Metadata = append(g.Metadata, p.Metadata...)
}
