package op

import (
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// Operators of com.microsoft that move, pick, reduce or transform, as ONNX Runtime's ContribOperators.md has them.

// contrib is a row of com.microsoft.
func contrib(op string, class Class, m Memory, shape func(*Call) error, work func(*Call) Work, doc string) Rule {
	return Rule{Domain: msDomain, Op: op, Since: 1, Shape: shape, Work: work, Memory: m, Class: class, Doc: doc}
}

// inDomain is a standard row under com.microsoft, where the operator behaves the same.
func inDomain(r Rule) Rule {
	r.Domain, r.Since = msDomain, 1
	return r
}

// expandDimsShape inserts one axis at the scalar input 1.
func expandDimsShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	n, ok := scalar(c.Input(1))
	if !x.Ranked {
		c.Out[0].SetUnranked(x.DType)
		return nil
	}
	at, isInt := n.Int64()
	if !ok || !isInt {
		c.Out[0].SetTensor(x.DType, c.freshShape("expand", len(x.Shape)+1))
		return nil
	}
	a, err := axis(at, len(x.Shape)+1)
	if err != nil {
		return err
	}
	s := append(append(Shape{}, x.Shape[:a]...), dim.Const(1))
	c.Out[0].SetTensor(x.DType, append(s, x.Shape[a:]...))
	return nil
}

// contribRangeShape is Range with an optional step.
func contribRangeShape(c *Call) error {
	if c.Has(2) {
		return rangeShape(c)
	}
	one := &Value{}
	one.SetTensor(onnx.Int64, Shape{})
	one.Data = &Data{Nums: []Num{IntOf(1)}}
	d := *c
	d.In = append(append([]*Value{}, c.In[:min(len(c.In), 2)]...), one)
	return rangeShape(&d)
}

// contribUniqueShape is Unique of a vector: values, inverse, counts.
func contribUniqueShape(c *Call) error {
	s, known, err := c.wantRank(0, 1, 1)
	if err != nil {
		return err
	}
	if !known {
		s = c.freshShape("flat", 1)
	}
	count := c.fresh("unique", s[0])
	if nums, _, ok := c.In[0].scan(); ok {
		seen, all := map[float64]bool{}, true
		for _, n := range nums {
			f, ok := n.Float64()
			all = all && ok
			seen[f] = true
		}
		if all {
			count = dim.Const(int64(len(seen)))
		}
	}
	c.Out[0].SetTensor(c.In[0].DType, Shape{count})
	c.setOut(1, onnx.Int64, s, true)
	c.setOut(2, onnx.Int64, Shape{count}, true)
	return nil
}

// cropAndResizeShape: rois [R, 4] of X [N, C, H, W] at crop_size → [R, C, height, width].
func cropAndResizeShape(c *Call) error {
	s, known, err := c.wantRank(0, 4, 4)
	if err != nil {
		return err
	}
	if !known {
		s = c.freshShape("nchw", 4)
	}
	rois, known, err := c.wantRank(1, 2, 2)
	if err != nil {
		return err
	}
	if !known {
		rois = c.freshShape("rois", 2)
	}
	size, known, err := c.targetShape(3, "crop")
	if err != nil {
		return err
	}
	if !known || len(size) != 2 {
		size = c.freshShape("crop", 2)
	}
	c.Out[0].SetTensor(c.In[0].DType, append(Shape{rois[0], s[1]}, size...))
	return nil
}

func cropAndResizeWork(c *Call) Work {
	if c.Str("mode", "bilinear") == "nearest" {
		return Work{}
	}
	return perElement(c.Out[0], 8, 0)
}

// cdistShape: A [M, K], B [N, K] → [M, N].
func cdistShape(c *Call) error {
	a, known, err := c.wantRank(0, 2, 2)
	if err != nil {
		return err
	}
	if !known {
		a = c.freshShape("cdist_a", 2)
	}
	b, known, err := c.wantRank(1, 2, 2)
	if err != nil {
		return err
	}
	if !known {
		b = c.freshShape("cdist_b", 2)
	}
	c.Out[0].SetTensor(c.In[0].DType, Shape{a[0], b[0]})
	return nil
}

func cdistWork(c *Call) Work {
	if !c.In[0].Ranked {
		return Work{}
	}
	pairs := c.Out[0].Shape.Elements()
	w := Work{Vector: pairs.Mul(c.In[0].Shape[1]).MulInt(3)}
	if c.Str("metric", "sqeuclidean") == "euclidean" {
		w.Special = pairs
	}
	return w
}

// rfftShape: [..., n] → [..., floor(n/2)+1, 2]; irfft the other way, for an even n.
func rfftShape(c *Call) error {
	s, known, err := c.wantRank(0, 1, -1)
	if err != nil {
		return err
	}
	if !known {
		c.Out[0].SetUnranked(c.In[0].DType)
		return nil
	}
	last := len(s) - 1
	n := s[last]
	if c.Int("onesided", 1) != 0 {
		n = bins(n)
	}
	c.Out[0].SetTensor(c.In[0].DType, append(append(Shape{}, s[:last]...), n, dim.Const(2)))
	return nil
}

func irfftShape(c *Call) error {
	s, known, err := c.wantRank(0, 2, -1)
	if err != nil {
		return err
	}
	if !known {
		c.Out[0].SetUnranked(c.In[0].DType)
		return nil
	}
	last := len(s) - 2
	n := s[last]
	if c.Int("onesided", 1) != 0 {
		n = n.AddInt(-1).MulInt(2)
	}
	c.Out[0].SetTensor(c.In[0].DType, append(append(Shape{}, s[:last]...), n))
	return nil
}

// rfftWork counts the transforms along the last signal_ndim axes of the real side.
func rfftWork(real func(*Call) *Value) func(*Call) Work {
	return func(c *Call) Work {
		v := real(c)
		if !v.Ranked {
			return Work{}
		}
		total := v.Shape.Elements()
		var sum dim.Dim
		for k := range min(int(c.Int("signal_ndim", 1)), len(v.Shape)) {
			n := v.Shape[len(v.Shape)-1-k]
			sum = sum.Add(fftWork(c, n, true).Mul(total.FloorDiv(n)))
		}
		return Work{Vector: sum}
	}
}

// unfoldShape is UnfoldTensor: windows of size along dim become a last axis.
func unfoldShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	if !x.Ranked {
		c.Out[0].SetUnranked(x.DType)
		return nil
	}
	a, err := axis(c.Int("dim", -1), len(x.Shape))
	if err != nil {
		return err
	}
	size, step := c.Int("size", 1), c.Int("step", 1)
	if size < 1 || step < 1 {
		return c.errorf("windows of %d every %d, want at least 1", size, step)
	}
	s := append(Shape{}, x.Shape...)
	s[a] = s[a].AddInt(-size).FloorDiv(dim.Const(step)).AddInt(1)
	c.Out[0].SetTensor(x.DType, append(s, dim.Const(size)))
	return nil
}

// reduceSumIntegerShape sums int8 as int32 and uint8 as uint32.
func reduceSumIntegerShape(c *Call) error {
	if err := reduceShape(c); err != nil {
		return err
	}
	c.Out[0].DType = onnx.Int32
	if !isSigned(c.In[0].DType) {
		c.Out[0].DType = onnx.Uint32
	}
	return nil
}

// torchEmbeddingShape: rows of the weight [V, D] at the indices.
func torchEmbeddingShape(c *Call) error {
	w, known, err := c.wantRank(0, 2, 2)
	if err != nil {
		return err
	}
	idx, err := c.want(1)
	if err != nil {
		return err
	}
	if !known || !idx.Ranked {
		c.Out[0].SetUnranked(c.In[0].DType)
		return nil
	}
	c.Out[0].SetTensor(c.In[0].DType, append(append(Shape{}, idx.Shape...), w[1]))
	return nil
}

// gatherBlockQuantizedShape is Gather from a weight of bits-wide integers, dequantised with a scale per block. Several
// values may be packed in a byte of the last axis.
func gatherBlockQuantizedShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	idx, err := c.want(1)
	if err != nil {
		return err
	}
	scale, err := c.want(2)
	if err != nil {
		return err
	}
	if !x.Ranked || !idx.Ranked || len(x.Shape) == 0 {
		c.Out[0].SetUnranked(scale.DType)
		return nil
	}
	a, err := axis(c.Int("gather_axis", 0), len(x.Shape))
	if err != nil {
		return err
	}
	s := append(Shape{}, x.Shape...)
	s[len(s)-1] = s[len(s)-1].MulInt(packedPerElement(c))
	out := append(append(Shape{}, s[:a]...), idx.Shape...)
	c.Out[0].SetTensor(scale.DType, append(out, s[a+1:]...))
	return nil
}

// packedPerElement is the number of values in a stored element of GatherBlockQuantized's data: bytes hold 8/bits.
func packedPerElement(c *Call) int64 {
	if bits := c.Int("bits", 4); c.typeOf(0) == onnx.Uint8 && (bits == 2 || bits == 4) {
		return 8 / bits
	}
	return 1
}

// gatherBlockQuantizedTraffic reads the gathered rows as they are stored, and their share of scales and zero points.
func gatherBlockQuantizedTraffic(c *Call) (read, written dim.Dim) {
	read, written = streamed(c, inputs(0, 2, 3))
	out, ok1 := c.Out[0].Elements()
	all, ok2 := c.Input(0).Elements()
	if !ok1 || !ok2 || all.Is(0) {
		return read, written
	}
	stored := out.CeilDiv(dim.Const(packedPerElement(c)))
	read = read.Add(stored.MulInt(int64(c.In[0].DType.Bits())).CeilDiv(dim.Const(8)))
	for _, i := range []int{2, 3} {
		if v := c.Input(i); v != nil {
			if b, ok := v.Bytes(); ok {
				read = read.Add(b.Mul(stored).CeilDiv(all))
			}
		}
	}
	return read, written
}

// gatherBlockQuantizedParams counts the values that the data packs.
func gatherBlockQuantizedParams(c *Call, i int) (dim.Dim, bool) {
	n, ok := c.Input(0).Elements()
	return n.MulInt(packedPerElement(c)), ok && i == 0
}

// bifurcationShape is BifurcationDetector: the accepted tokens and the next match.
func bifurcationShape(c *Call) error {
	var upper dim.Dim
	for _, i := range []int{1, 3} { // current and predicted tokens
		if v := c.Input(i); v != nil && v.Ranked && len(v.Shape) == 1 {
			upper = upper.Add(v.Shape[0])
		}
	}
	c.setOut(0, onnx.Int64, Shape{c.fresh("tokens", upper)}, true)
	c.setOut(1, onnx.Int64, Shape{}, true)
	return nil
}

func isAllFiniteShape(c *Call) error {
	if _, err := c.want(0); err != nil {
		return err
	}
	c.Out[0].SetTensor(onnx.Bool, Shape{})
	return nil
}

// perAllInputs counts vector operations per element of every input.
func perAllInputs(vector int64) func(*Call) Work {
	return func(c *Call) Work {
		var w Work
		for _, v := range c.In {
			if v != nil {
				w.Vector = w.Vector.Add(perElement(v, vector, 0).Vector)
			}
		}
		return w
	}
}

// murmurShape hashes to uint32, or int32 without attribute positive.
func murmurShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	dt := onnx.Uint32
	if c.Int("positive", 1) == 0 {
		dt = onnx.Int32
	}
	c.setOut(0, dt, x.Shape, x.Ranked)
	return nil
}

// timeWarpingShape is DynamicTimeWarping of costs [1, M, N] or [M, N]: a path of two rows, at most M+N-1 long.
func timeWarpingShape(c *Call) error {
	s, known, err := c.wantRank(0, 2, 3)
	if err != nil {
		return err
	}
	var upper dim.Dim
	if known {
		upper = s[len(s)-2].Add(s[len(s)-1]).AddInt(-1)
	}
	c.Out[0].SetTensor(onnx.Int32, Shape{dim.Const(2), c.fresh("path", upper)})
	return nil
}

// scoresShape gives the output the type of input 1, the scores.
func scoresShape(c *Call) error {
	v, err := c.want(1)
	if err != nil {
		return err
	}
	c.Out[0].SetType(v)
	return nil
}

const movesDoc = "moves elements; no arithmetic"

var contribRules = []Rule{
	inDomain(padRule(11, inputsFrom(1))),
	inDomain(Rule{Op: "Trilu", Shape: sameShape, Work: noWork, Memory: Stream, Class: Movement, HostInputs: inputs(1), InPlace: inputs(0),
		Fold: triluFold, Doc: movesDoc}),
	inDomain(Rule{Op: "GatherND", Shape: gatherNDShape, Work: noWork, Memory: Indexed, Class: Movement, Fold: gatherNDFold,
		Traffic: touchedAndIndices(1), Doc: movesDoc}),
	inDomain(Rule{Op: "GridSample", Shape: gridSampleShape, Work: gridSampleWork, Memory: Stream, Class: Movement,
		Doc: "2 operations per tap: 2 taps an axis for linear, 4 for cubic, none for nearest"}),
	inDomain(Rule{Op: "ExpandDims", Shape: expandDimsShape, Work: noWork, Memory: View, Class: Movement, HostInputs: inputs(1),
		Fold: sameElementsFold, Doc: "a view"}),
	inDomain(Rule{Op: "Range", Shape: contribRangeShape, Work: perOutput(2, 0), Memory: Stream, Class: Movement,
		HostInputs: inputsFrom(0), Doc: "start + i·delta: 2 operations per element"}),
	inDomain(Rule{Op: "GatherBlockQuantized", Shape: gatherBlockQuantizedShape, Work: perOutput(2, 0), Memory: Indexed, Class: Quantization,
		QuantInputs: inputs(0), Scales: inputs(2, 3), Traffic: gatherBlockQuantizedTraffic, Params: gatherBlockQuantizedParams,
		KeepsWeights: true, Doc: "(x - zero)·scale of the gathered rows: 2 operations per element"}),
	inDomain(Rule{Op: "TorchEmbedding", Shape: torchEmbeddingShape, Work: noWork, Memory: Indexed, Class: Movement, HostInputs: inputsFrom(2),
		Traffic: touchedAndIndices(1), Doc: movesDoc}),
	contrib("Unique", Reduction, Stream, contribUniqueShape, perInput(0, 1, 0), "one comparison per element, sorting not counted"),
	inDomain(Rule{Op: "CropAndResize", Shape: cropAndResizeShape, Work: cropAndResizeWork, Memory: Stream, Class: Movement, HostInputs: inputs(3),
		Doc: "bilinear: 4 taps of 2 operations per output element"}),
	contrib("Inverse", Other, Stream, sameShape, matrixWork(2, 1), "2·n³ operations per matrix"),
	contrib("CDist", Other, Stream, cdistShape, cdistWork, "a difference, a product and a sum per element of each pair; a root per pair for euclidean"),
	contrib("Rfft", Other, Stream, rfftShape, rfftWork(func(c *Call) *Value { return c.In[0] }), fftDoc),
	contrib("Irfft", Other, Stream, irfftShape, rfftWork(func(c *Call) *Value { return c.Out[0] }), fftDoc),
	contrib("UnfoldTensor", Movement, Stream, unfoldShape, noWork, movesDoc),
	inDomain(Rule{Op: "ReduceSumInteger", Shape: reduceSumIntegerShape, Work: perInput(0, 1, 0), Memory: Stream, Class: Reduction, Doc: "Σx"}),
	contrib("NGramRepeatBlock", Other, Stream, scoresShape, perInput(0, 1, 0), "a comparison per token"),
	contrib("BifurcationDetector", Other, Stream, bifurcationShape, perInput(0, 1, 0), "a comparison per token; the number of tokens is a bounded symbol"),
	contrib("MurmurHash3", Other, Stream, murmurShape, perInput(0, 8, 0), "about 8 operations per element; strings by their number, not their length"),
	contrib("DynamicTimeWarping", Other, Stream, timeWarpingShape, perInput(0, 3, 0), "two minima and an addition per cell; the path's length is a bounded symbol"),
	contrib("IsAllFinite", Reduction, Stream, isAllFiniteShape, perAllInputs(1), "a test per element"),
}
