package op

import (
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// ONNX Runtime Extensions: tokenizers, strings, images, audio and a little arithmetic. Sources: docs/custom_ops.md and
// operators/ of microsoft/onnxruntime-extensions. Sizes that depend on text or coded data are symbols, and the work on them is
// named as not counted.

const (
	contribDomain    = "ai.onnx.contrib"
	extensionsDomain = "com.microsoft.extensions" // the same operators
)

const (
	tokenising = "tokenising text"
	onStrings  = "work on strings"
	coding     = "decoding or encoding images and sound"
)

// uncounted is an operator of the domain whose work is no arithmetic.
func uncounted(name, in, attrs, sizes, out, what string) Rule {
	return defined(contribDomain, name, in, attrs, sizes, out, Definition{Uncounted: what, Doc: what + " is not counted"})
}

// bytePair is a tokenizer of text of any shape: ids, and what is padded, with one more axis; where asked for, the places in
// the text. An attribute may give the length.
func bytePair(name string) Rule {
	return Rule{Domain: contribDomain, Op: name, Since: 1, Shape: bytePairShape, Work: noWork, Memory: Stream, Class: Other, Uncounted: tokenising,
		Doc: tokenising + " is not counted; the length is attribute padding_length or a symbol"}
}

func bytePairShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	var s Shape
	if x.Ranked {
		length := dim.Const(c.Int("padding_length", -1))
		if n, _ := length.Value(); n < 1 {
			length = c.fresh("tokens", dim.Dim{})
		}
		s = append(append(Shape{}, x.Shape...), length)
	}
	c.setOut(0, onnx.Int64, s, x.Ranked)
	c.setOut(1, onnx.Int64, s, x.Ranked)
	c.setOut(2, onnx.Int64, append(append(Shape{}, s...), dim.Const(2)), x.Ranked)
	return nil
}

// stringJoinShape drops the axis that input 2 gives.
func stringJoinShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	n, ok := scalar(c.Input(2))
	if !x.Ranked {
		c.setOut(0, onnx.String, nil, false)
		return nil
	}
	if len(x.Shape) == 0 {
		return c.errorf("input 0 has rank 0, want at least 1")
	}
	at, isInt := n.Int64()
	if !ok || !isInt {
		c.setOut(0, onnx.String, c.freshShape("joined", len(x.Shape)-1), true)
		return nil
	}
	a, err := axis(at, len(x.Shape))
	if err != nil {
		return err
	}
	c.setOut(0, onnx.String, append(append(Shape{}, x.Shape[:a]...), x.Shape[a+1:]...), true)
	return nil
}

// stftNormShape: signal (1, L), length of the transform, step, window, length of the frame → squared magnitudes (1, bins,
// frames), or with norm false complex values (1, bins, frames, 2). Frames are centred: floor(L/step) + 1.
func stftNormShape(norm bool) func(*Call) error {
	return func(c *Call) error {
		s, known, err := c.wantRank(0, 2, 2)
		if err != nil {
			return err
		}
		n, err := c.extentOf(1, "n_fft")
		if err != nil {
			return err
		}
		step, err := c.extentOf(2, "hop_length")
		if err != nil {
			return err
		}
		if step.Is(0) {
			return c.errorf("input 2 is 0, want at least 1")
		}
		if c.Int("onesided", 0) != 0 {
			n = bins(n)
		}
		frames := c.fresh("frames", dim.Dim{})
		if known {
			frames = s[1].FloorDiv(step).AddInt(1)
		}
		out := Shape{dim.Const(1), n, frames}
		if !norm {
			out = append(out, dim.Const(2))
		}
		c.setOut(0, onnx.Float32, out, true)
		return nil
	}
}

// stftNormWork: the window, a transform, and where norm is true 3 for each value, for every frame.
func stftNormWork(norm bool) func(*Call) Work {
	return func(c *Call) Work {
		out := c.Out[0].Shape
		if len(out) < 3 {
			return Work{}
		}
		n := transformLength(c, 1, out[1], c.Int("onesided", 0) != 0)
		w := fftWork(c, n, true).Add(n)
		if norm {
			w = w.Add(out[1].MulInt(3))
		}
		return Work{Vector: out[2].Mul(w)}
	}
}

func extensionRules() []Rule {
	return []Rule{
		bytePair("GPT2Tokenizer"), bytePair("CLIPTokenizer"), bytePair("RobertaTokenizer"), bytePair("SpmTokenizer"), bytePair("HfJsonTokenizer"),
		uncounted("BertTokenizer", "text", "", "tokens <= ?", "int64[tokens] int64[tokens] int64[tokens] int64[tokens,2]", tokenising),
		uncounted("HfBertTokenizer", "text", "", "tokens <= ?", "int64[1,tokens] int64[1,tokens] int64[1,tokens]", tokenising),
		uncounted("BasicTokenizer", "text", "", "tokens <= ?", "string[tokens]", tokenising),
		uncounted("SentencepieceTokenizer", "text nbest~? alpha~? bos~? eos~? reverse~? fairseq~?", "", "tokens <= ?", "int32[tokens] int64[text.elements + 1] int32[tokens]", tokenising),
		uncounted("WordpieceTokenizer", "words rows[R]", "", "tokens <= ?", "string[tokens] int32[tokens] int64[R] int64[tokens,2]", tokenising),
		uncounted("TrieTokenizer", "text[N]", "", "tokens <= ?", "int64[N,tokens]", tokenising),
		uncounted("BlingFireSentenceBreaker", "text", "", "sentences <= ?", "string[sentences]", tokenising),
		uncounted("BertTokenizerDecoder", "ids places~?", "", "sentences <= ?", "string[sentences]", onStrings),
		uncounted("BpeDecoder", "ids[..., _]", "", "", "string[...]", onStrings),
		uncounted("TrieDetokenizer", "ids[..., _]", "", "", "string[...]", onStrings),
		uncounted("SentencepieceDecoder", "ids fairseq~?", "", "", "string[1]", onStrings),

		uncounted("StringEqual", "x y", "", "", "bool like x", onStrings),
		uncounted("StringHash", "x buckets~?", "", "", "int64 like x", onStrings),
		uncounted("StringHashFast", "x buckets~?", "", "", "int64 like x", onStrings),
		uncounted("StringLower", "x", "", "", "x like x", onStrings),
		uncounted("StringUpper", "x", "", "", "x like x", onStrings),
		uncounted("StringStrip", "x", "", "", "x like x", onStrings),
		uncounted("StringMapping", "x", "", "", "x like x", onStrings),
		uncounted("StringLength", "x", "", "", "int64 like x", onStrings),
		uncounted("StringConcat", "x y", "", "", "x like x", onStrings),
		uncounted("StringSlice", "x starts~ ends~ steps~?", "", "", "x like x", onStrings),
		uncounted("StringRegexReplace", "x pattern~ rewrite~", "", "", "x like x", onStrings),
		uncounted("StringECMARegexReplace", "x pattern~ rewrite~", "", "", "x like x", onStrings),
		uncounted("StringRegexSplitWithOffsets", "x[N] pattern~ keep~?", "", "words <= ?", "string[words] int64[words,3] int64[N + 1]", onStrings),
		uncounted("StringECMARegexSplitWithOffsets", "x[N] pattern~ keep~?", "", "words <= ?", "string[words] int64[words,3] int64[N + 1]", onStrings),
		uncounted("StringSplit", "x[N] separator~ skip~?", "", "words <= ?", "int64[words,2] string[words] int64[2]", onStrings),
		{Domain: contribDomain, Op: "StringJoin", Since: 1, Shape: stringJoinShape, Work: noWork, Memory: Stream, Class: Other, HostInputs: inputs(1, 2), Uncounted: onStrings,
			Doc: stringDoc},
		uncounted("StringToVector", "x[...]", "unmapping_value", "", "int64[...,unmapping_value.count]", onStrings),
		uncounted("VectorToString", "x[..., _]", "", "", "string[...]", onStrings),
		uncounted("MaskedFill", "x mask", "", "kept <= x.elements", "x[kept]", onStrings),
		uncounted("StringRaggedTensorToDense", "shape x indices default", "", "rows <= ?; columns <= ?", "string[rows,columns]", onStrings),

		uncounted("DecodeImage", "bytes[n]", "", "height <= ?; width <= ?", "uint8[height,width,3]", coding),
		uncounted("ImageDecoder", "bytes[n]", "", "height <= ?; width <= ?", "uint8[height,width,3]", coding),
		uncounted("ImageReader", "path", "", "height <= ?; width <= ?", "uint8[1,height,width,3]", coding),
		uncounted("EncodeImage", "image[H,W,C]", "", "size <= ?", "uint8[size]", coding),
		uncounted("AudioDecoder", "bytes format~?", "", "samples <= ?", "float32[1,samples]", coding),
		uncounted("DrawBoundingBoxes", "image[H,W,C] boxes[N,_]", "", "", "image like image", "drawing"),
		defined(contribDomain, "GaussianBlur", "x[N,H,W,C] size= sigma~", "", "", "x like x", Definition{Class: Pooling, Vector: "2*x.elements*(size.value.0 + size.value.1)",
			Doc: "a product and a sum per element and tap, rows and columns apart"}),

		{Domain: contribDomain, Op: "StftNorm", Since: 1, Shape: stftNormShape(true), Work: stftNormWork(true), Memory: Stream, Class: Other, HostInputs: inputs(1, 2, 4),
			Doc: fftDoc + "; the window, and 3 per value for its squared magnitude"},
		{Domain: contribDomain, Op: "STFT", Since: 1, Shape: stftNormShape(false), Work: stftNormWork(false), Memory: Stream, Class: Other, HostInputs: inputs(1, 2, 4),
			Doc: fftDoc + "; the window"},
		defined(contribDomain, "NegPos", "x", "", "", "x like x x like x", Definition{Class: Elementwise, Vector: "2*x.elements", Doc: "2 comparisons per element"}),
		defined(contribDomain, "Inverse", "x[N,N]", "", "", "x like x", Definition{Vector: "2*N^3", Doc: "2·n³ operations per matrix"}),
		defined(contribDomain, "SegmentSum", "x[N,...] ids[N]", "", "segments <= N", "x[segments,...]", Definition{Class: Reduction, Vector: "x.elements", Doc: "Σx"}),
		defined(contribDomain, "SegmentExtraction", "x", "", "segments <= x.elements", "int64[segments,2] int64[segments]", Definition{Class: Reduction, Vector: "2*x.elements", Doc: "2 comparisons per element"}),
		defined(contribDomain, "RaggedTensorToSparse", "starts[N]", "", "values <= ?", "int64[values,2] int64[2]", Definition{Class: Movement, Doc: movesDoc}),
		defined(contribDomain, "RaggedTensorToDense", "shape values[V] missing~ starts[N]", "", "columns <= V", "int64[N - 1,columns]", Definition{Class: Movement, Doc: movesDoc}),
	}
}
