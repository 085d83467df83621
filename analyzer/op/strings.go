package op

import (
	"slices"
	"strings"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// Operators on strings. Their work depends on the lengths of the strings, which no shape tells: it is not counted.

const stringDoc = "work on strings is not counted"

func stringConcatFold(c *Call) {
	if len(c.In) != 2 {
		return
	}
	a, b := c.In[0].Strs(), c.In[1].Strs()
	shape, ok := intShape(c.Out[0].Shape)
	if a == nil || b == nil || !ok || product(shape) > maxElems {
		return
	}
	var strides [2][]int64
	for i := range strides {
		s, ok := intShape(c.In[i].Shape)
		if !ok {
			return
		}
		strides[i] = broadcastStrides(s, len(shape))
	}
	out := make([]string, 0, product(shape))
	each(shape, product(shape), func(idx []int64) Num {
		var at [2]int64
		for k, i := range idx {
			at[0] += i * strides[0][k]
			at[1] += i * strides[1][k]
		}
		out = append(out, a[at[0]]+b[at[1]])
		return Num{}
	})
	c.Out[0].Data = &Data{Strs: out}
}

// stringSplitShape adds an axis for the substrings, as long as the longest split; the second output counts them.
func stringSplitShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	c.setOut(1, onnx.Int64, x.Shape, x.Ranked)
	if !x.Ranked {
		c.Out[0].SetUnranked(onnx.String)
		return nil
	}
	s := append(Shape{}, x.Shape...)
	strs := x.Strs()
	if strs == nil && !x.Shape.Elements().Is(0) {
		c.Out[0].SetTensor(onnx.String, append(s, c.fresh("substrings", dim.Dim{})))
		return nil
	}
	delimiter, limit := c.Str("delimiter", ""), int(c.Int("maxsplit", -1))
	most, counts := 0, make([]Num, len(strs))
	parts := make([][]string, len(strs))
	for i, str := range strs {
		parts[i] = splitString(str, delimiter, limit)
		counts[i] = IntOf(int64(len(parts[i])))
		most = max(most, len(parts[i]))
	}
	c.Out[0].SetTensor(onnx.String, append(s, dim.Const(int64(most))))
	if len(c.Out) > 1 {
		c.Out[1].keep(counts)
	}
	if most*len(strs) <= maxElems {
		var flat []string
		for _, p := range parts {
			flat = append(append(flat, p...), make([]string, most-len(p))...)
		}
		c.Out[0].Data = &Data{Strs: flat}
	}
	return nil
}

// splitString cuts s as the standard does: at each delimiter, or at runs of white space where it is empty, at most
// limit times (any number where negative).
func splitString(s, delimiter string, limit int) []string {
	if delimiter != "" {
		if limit < 0 {
			return strings.Split(s, delimiter)
		}
		return strings.SplitN(s, delimiter, limit+1)
	}
	const space = " \t\n\v\f\r"
	var parts []string
	for s = strings.TrimLeft(s, space); s != ""; s = strings.TrimLeft(s, space) {
		end := strings.IndexAny(s, space)
		if end < 0 || limit >= 0 && len(parts) == limit {
			parts = append(parts, s)
			break
		}
		parts = append(parts, s[:end])
		s = s[end:]
	}
	return parts
}

// stringNormalizerShape drops stop words from a vector, which may have a leading axis of 1. Where nothing is left one
// empty string is.
func stringNormalizerShape(c *Call) error {
	s, known, err := c.wantRank(0, 1, 2)
	if err != nil {
		return err
	}
	if !known {
		c.Out[0].SetUnranked(onnx.String)
		return nil
	}
	stop := c.Node.Attr("stopwords")
	if stop == nil || len(stop.Strings) == 0 {
		c.Out[0].SetTensor(onnx.String, s)
		return nil
	}
	out := append(Shape{}, s...)
	last := len(s) - 1
	strs := c.In[0].Strs()
	if strs == nil {
		out[last] = c.fresh("words", s[last])
		c.Out[0].SetTensor(onnx.String, out)
		return nil
	}
	same := func(a, b string) bool { return a == b }
	if c.Int("is_case_sensitive", 0) == 0 {
		same = strings.EqualFold
	}
	kept := slices.DeleteFunc(slices.Clone(strs), func(w string) bool {
		return slices.ContainsFunc(stop.Strings, func(sw string) bool { return same(w, sw) })
	})
	for i, w := range kept {
		switch c.Str("case_change_action", "NONE") {
		case "LOWER":
			kept[i] = strings.ToLower(w)
		case "UPPER":
			kept[i] = strings.ToUpper(w)
		}
	}
	if len(kept) == 0 {
		kept = []string{""}
	}
	out[last] = dim.Const(int64(len(kept)))
	c.Out[0].SetTensor(onnx.String, out)
	c.Out[0].Data = &Data{Strs: kept}
	return nil
}

// tfIdfShape: [C] or [N, C] → counts of the n-grams, as many as the largest index asks for.
func tfIdfShape(c *Call) error {
	s, known, err := c.wantRank(0, 1, 2)
	if err != nil {
		return err
	}
	if !known {
		c.Out[0].SetUnranked(onnx.Float32)
		return nil
	}
	most := int64(-1)
	for _, i := range c.Ints("ngram_indexes") {
		most = max(most, i)
	}
	out := append(Shape{}, s[:len(s)-1]...)
	c.Out[0].SetTensor(onnx.Float32, append(out, dim.Const(most+1)))
	return nil
}

// tokenizerShape is com.microsoft Tokenizer: one more axis, as long as the most tokens of a string.
func tokenizerShape(c *Call) error {
	s, known, err := c.wantRank(0, 1, 2)
	if err != nil {
		return err
	}
	if !known {
		c.Out[0].SetUnranked(onnx.String)
		return nil
	}
	c.Out[0].SetTensor(onnx.String, append(append(Shape{}, s...), c.fresh("tokens", dim.Dim{})))
	return nil
}

var stringRules = []Rule{
	{Op: "StringConcat", Since: 20, Shape: broadcastShape, Work: noWork, Memory: Stream, Class: Other, Fold: stringConcatFold, Uncounted: onStrings, Doc: stringDoc},
	{Op: "StringSplit", Since: 20, Shape: stringSplitShape, Work: noWork, Memory: Stream, Class: Other,
		Uncounted: onStrings, Doc: stringDoc + "; the number of substrings is exact for known strings, else a symbol"},
	{Op: "StringNormalizer", Since: 10, Shape: stringNormalizerShape, Work: noWork, Memory: Stream, Class: Other,
		Uncounted: onStrings, Doc: stringDoc + "; the number of words is exact for known strings, else a bounded symbol"},
	{Op: "RegexFullMatch", Since: 20, Shape: sameShapeAs(onnx.Bool), Work: noWork, Memory: Stream, Class: Other, Uncounted: onStrings, Doc: stringDoc},
	{Op: "TfIdfVectorizer", Since: 9, Shape: tfIdfShape, Work: perInput(0, 1, 0), Memory: Stream, Class: Other, Stored: storedLists,
		Doc: "a look-up per input element; skips and longer n-grams are not counted"},
	{Domain: msDomain, Op: "Tokenizer", Since: 1, Shape: tokenizerShape, Work: noWork, Memory: Stream, Class: Other,
		Uncounted: onStrings, Doc: stringDoc + "; the number of tokens is a symbol"},
}
