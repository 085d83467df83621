package specs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// Bounds on what a file may ask of the reader. The largest profile known, with
// a fit per thread count and precision, is below 200 KB.
const (
	maxFileBytes = 4 << 20
	maxDepth     = 64      // nesting, aliases followed
	maxPairs     = 1 << 18 // key-value pairs that merge keys may produce
)

// parseYAML reads the one document of data. On failure the report has at least
// one problem and the result is nil.
func parseYAML(data []byte, r *report) *node {
	if len(data) > maxFileBytes {
		r.add(position{}, "", "%d bytes: want at most %d", len(data), maxFileBytes)
		return nil
	}
	docs, err := yamlDocuments(data, 2)
	if err != nil {
		p, msg := syntaxError(data, err)
		r.add(p, "", "not YAML: %s", msg)
		return nil
	}
	if len(docs) == 0 || len(docs[0].Content) == 0 {
		r.add(position{1, 1}, "", "empty: want a mapping")
		return nil
	}
	if len(docs) > 1 {
		second := docs[1]
		if len(second.Content) > 0 {
			second = second.Content[0]
		}
		r.add(position{second.Line, second.Column}, "", "a second document begins here: want one document per file")
	}
	c := &converter{r: r, lines: bytes.Split(data, []byte("\n")), done: map[*yaml.Node]*node{}}
	root := c.convert(docs[0].Content[0], 0)
	if c.failed {
		return nil
	}
	return root
}

// yamlDocuments parses up to limit documents. The parser is third-party code
// that reports bad input by panicking and recovering; one it fails to recover
// is still bad input.
func yamlDocuments(data []byte, limit int) (docs []*yaml.Node, err error) {
	defer func() {
		if p := recover(); p != nil {
			docs, err = nil, fmt.Errorf("%v", p)
		}
	}()
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for len(docs) < limit {
		var n yaml.Node
		err := dec.Decode(&n)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		docs = append(docs, &n)
	}
	return docs, nil
}

// syntaxError finds the line of a syntax error. The parser gives the line where
// the surrounding construct began, so the place is the first line whose
// addition makes the file fail in the same way; where no such line exists, the
// parser's own.
func syntaxError(data []byte, err error) (position, string) {
	line, msg := splitSyntaxError(err)
	ends := lineEnds(data)
	good, bad := 0, len(ends) // the first good lines parse, the first bad lines do not
	for bad-good > 1 {
		mid := (good + bad) / 2
		if _, err := yamlDocuments(data[:ends[mid-1]], 2); err == nil {
			good = mid
		} else {
			bad = mid
		}
	}
	if bad > 0 {
		if _, err := yamlDocuments(data[:ends[bad-1]], 2); err != nil {
			if _, m := splitSyntaxError(err); m == msg {
				line = bad
			}
		}
	}
	if line == 0 {
		return position{}, msg
	}
	start := 0
	if line > 1 && line-2 < len(ends) {
		start = ends[line-2]
	}
	rest := data[min(start, len(data)):]
	col := 1 + len(rest) - len(bytes.TrimLeft(rest, " \t"))
	return position{line, col}, msg
}

func splitSyntaxError(err error) (line int, msg string) {
	msg = strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, ok := strings.CutPrefix(msg, "line "); ok {
		if number, text, ok := strings.Cut(rest, ": "); ok {
			if n, err := strconv.Atoi(number); err == nil {
				return n, text
			}
		}
	}
	return 0, msg
}

// lineEnds gives the offset just after each line.
func lineEnds(data []byte) []int {
	var ends []int
	for i, b := range data {
		if b == '\n' {
			ends = append(ends, i+1)
		}
	}
	if len(data) > 0 && data[len(data)-1] != '\n' {
		ends = append(ends, len(data))
	}
	return ends
}

// converter turns the parser's nodes into ours, each once, following aliases
// and expanding merge keys.
type converter struct {
	r      *report
	lines  [][]byte
	done   map[*yaml.Node]*node // nil value: being converted
	pairs  int
	failed bool // the graph cannot be decoded at all
}

func (c *converter) fatal(p position, format string, args ...any) *node {
	c.failed = true
	c.r.add(p, "", format, args...)
	return &node{kind: kindNull, pos: p}
}

func (c *converter) convert(y *yaml.Node, depth int) *node {
	p := position{y.Line, y.Column}
	if depth > maxDepth {
		return c.fatal(p, "nested more than %d levels deep", maxDepth)
	}
	if y.Kind == yaml.AliasNode {
		if n, ok := c.done[y.Alias]; ok && n == nil {
			return c.fatal(p, "alias *%s stands inside the value it names", clip(y.Value))
		}
		return c.convert(y.Alias, depth)
	}
	if n, ok := c.done[y]; ok {
		return n
	}
	c.done[y] = nil
	if y.Anchor != "" || y.Style&yaml.TaggedStyle != 0 {
		p = c.afterProperties(p)
	}
	n := &node{pos: p}
	if y.Style&yaml.TaggedStyle != 0 {
		c.r.add(position{y.Line, y.Column}, "", "tag %s: want no tags", clip(y.Tag))
	}
	switch y.Kind {
	case yaml.ScalarNode:
		n.text = y.Value
		n.quoted = y.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0
		if n.kind = kindText; !n.quoted {
			n.kind, n.num = scalar(y.Value)
		}
	case yaml.SequenceNode:
		n.kind = kindList
		for _, item := range y.Content {
			n.items = append(n.items, c.convert(item, depth+1))
		}
	case yaml.MappingNode:
		n.kind = kindMap
		c.mapping(y, n, depth)
	}
	c.done[y] = n
	return n
}

// mapping converts the pairs of y, refuses keys that appear twice, and adds
// what merge keys (<<) bring in beneath what stands there itself.
func (c *converter) mapping(y *yaml.Node, n *node, depth int) {
	first := map[string]position{}
	var merged []*node
	for i := 0; i+1 < len(y.Content); i += 2 {
		ky := y.Content[i]
		key := c.convert(ky, depth+1)
		val := c.convert(y.Content[i+1], depth+1)
		switch key.kind {
		case kindList, kindMap:
			c.r.add(key.pos, "", "want a name as key, have %s", key.describe())
			continue
		}
		if key.text == "<<" && !key.quoted {
			merged = append(merged, c.mergeable(val)...)
			continue
		}
		if p, ok := first[key.text]; ok {
			c.r.add(key.pos, "", "key %s appears twice, first on line %d", quote(key.text), p.line)
			continue
		}
		first[key.text] = key.pos
		n.keys, n.vals = append(n.keys, key), append(n.vals, val)
	}
	for _, m := range merged {
		for i, key := range m.keys {
			if c.pairs++; c.pairs > maxPairs {
				c.fatal(n.pos, "merge keys expand to more than %d pairs", maxPairs)
				return
			}
			if _, ok := first[key.text]; ok {
				continue
			}
			first[key.text] = key.pos
			n.keys, n.vals = append(n.keys, key), append(n.vals, m.vals[i])
		}
	}
}

// mergeable gives the mappings that a merge key's value names.
func (c *converter) mergeable(n *node) []*node {
	list := []*node{n}
	if n.kind == kindList {
		list = n.items
	}
	var out []*node
	for _, m := range list {
		if m.kind != kindMap {
			c.r.add(m.pos, "<<", "want a mapping to merge, have %s", m.describe())
			continue
		}
		out = append(out, m)
	}
	return out
}

// afterProperties moves a position from a value's anchor or tag to the value
// itself where both stand on one line, so that columns are exact.
func (c *converter) afterProperties(p position) position {
	if p.line < 1 || p.line > len(c.lines) {
		return p
	}
	rest := []rune(string(c.lines[p.line-1]))
	i := p.col - 1
	for i >= 0 && i < len(rest) && (rest[i] == '&' || rest[i] == '!') {
		for i < len(rest) && rest[i] != ' ' && rest[i] != '\t' {
			i++
		}
		for i < len(rest) && (rest[i] == ' ' || rest[i] == '\t') {
			i++
		}
	}
	if i < 0 || i >= len(rest) || rest[i] == '#' || rest[i] == '\r' {
		return p
	}
	return position{p.line, i + 1}
}

// formatYAML writes a tree in one canonical form: two-space indents, keys in
// the order of the tree, quotes only where a text would read as something else.
func formatYAML(n *node) ([]byte, error) {
	y, err := yamlNode(n)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(y); err != nil {
		return nil, err
	}
	if err := enc.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func yamlNode(n *node) (*yaml.Node, error) {
	y := &yaml.Node{}
	if n.flow {
		y.Style = yaml.FlowStyle
	}
	switch n.kind {
	case kindList:
		y.Kind = yaml.SequenceNode
		for _, item := range n.items {
			c, err := yamlNode(item)
			if err != nil {
				return nil, err
			}
			y.Content = append(y.Content, c)
		}
	case kindMap:
		y.Kind = yaml.MappingNode
		for i, key := range n.keys {
			k, err := yamlNode(key)
			if err != nil {
				return nil, err
			}
			v, err := yamlNode(n.vals[i])
			if err != nil {
				return nil, err
			}
			y.Content = append(y.Content, k, v)
		}
	default:
		if !utf8.ValidString(n.text) {
			return nil, fmt.Errorf("text %q is not UTF-8", clip(n.text))
		}
		y.Kind, y.Value = yaml.ScalarNode, n.text
		if n.kind == kindText {
			y.Tag = "!!str"
			// A merge key or a number in quotes stays a text only in quotes;
			// line breaks survive only in double quotes.
			if n.quoted || n.text == "<<" || strings.ContainsFunc(n.text, func(r rune) bool {
				return r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 || r == 0xfeff
			}) {
				y.Style = yaml.DoubleQuotedStyle
			}
		}
	}
	return y, nil
}
