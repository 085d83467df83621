package op

import (
	"strings"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// BeamSearch, GreedySearch and Sampling of com.microsoft: a loop around a decoder that is stored as a subgraph. The
// encoder, or the decoder on the whole prompt, runs once; the decoder then runs once per generated token. Generation
// is counted to max_length: an end-of-sequence token may stop it earlier.

// generation says where an operator finds its operands.
type generation struct {
	beams, returned int  // inputs with the number of beams and of returned sequences; -1 where there are none
	scores          bool // outputs 1 and 2 are scores
}

func (g generation) shape(c *Call) error {
	prompt, known, err := c.wantRank(0, 2, 3)
	if err != nil {
		return err
	}
	if !known {
		prompt = c.freshShape("prompt", 2)
	}
	most, err := c.extentOf(1, "max_length")
	if err != nil {
		return err
	}
	batch := prompt[0]
	beams, returned := dim.Const(1), dim.Const(1)
	if g.beams >= 0 {
		if beams, err = c.extentOf(g.beams, "num_beams"); err != nil {
			return err
		}
		if returned, err = c.extentOf(g.returned, "num_return_sequences"); err != nil {
			return err
		}
		c.setOut(0, onnx.Int32, Shape{batch, returned, most}, true)
	} else {
		c.setOut(0, onnx.Int32, Shape{batch, most}, true)
	}
	steps, err := g.runs(c, prompt, batch.Mul(beams), most)
	if err != nil {
		return err
	}
	vocabulary := dim.Const(c.Int("vocab_size", 0))
	if c.Int("vocab_size", 0) <= 0 {
		vocabulary = c.fresh("vocabulary", dim.Dim{})
	}
	if g.scores {
		c.setOut(1, onnx.Float32, Shape{batch, returned}, true)
		c.setOut(2, onnx.Float32, Shape{steps, batch, beams, vocabulary}, true)
	} else {
		c.setOut(1, onnx.Float32, Shape{batch, vocabulary}, true)
	}
	return nil
}

// runs records the subgraphs and returns the number of generated tokens.
func (g generation) runs(c *Call, prompt Shape, rows, most dim.Dim) (steps dim.Dim, err error) {
	decoder, err := c.Graph("decoder")
	if err != nil {
		return steps, err
	}
	one := dim.Const(1)
	if a := c.Node.Attr("encoder"); a != nil && a.G != nil { // encoder and decoder: the output starts from nothing
		b, err := c.Engine.Infer(a.G, bindBody(c, a.G, prompt, dim.Dim{}, dim.Dim{}))
		if err != nil {
			return steps, err
		}
		c.Engine.Run(b, one)
		steps = most
	} else {
		first := decoder
		if a := c.Node.Attr("init_decoder"); a != nil && a.G != nil {
			first = a.G
		}
		b, err := c.Engine.Infer(first, bindBody(c, first, Shape{rows, prompt[len(prompt)-1]}, dim.Const(0), prompt[len(prompt)-1]))
		if err != nil {
			return steps, err
		}
		c.Engine.Run(b, one)
		steps = most.Sub(prompt[len(prompt)-1])
	}
	if v, ok := steps.Value(); ok && v < 1 {
		return dim.Const(0), nil
	}
	past := c.fresh("past_length", most)
	b, err := c.Engine.Infer(decoder, bindBody(c, decoder, Shape{rows, one}, past, past.AddInt(1)))
	if err != nil {
		return steps, err
	}
	c.Engine.Run(b, steps.AddInt(-1))
	return steps, nil
}

// bindBody makes the inputs of a subgraph from their declared types: the extents of the first input are ids, and the
// names that these extents have there stand for the same numbers everywhere. Names that speak of the past, or of the
// total, take the lengths given for them; a total of 0 leaves both open.
func bindBody(c *Call, g *onnx.Graph, ids Shape, past, total dim.Dim) []*Value {
	names := map[string]dim.Dim{}
	if len(g.Inputs) > 0 && g.Inputs[0].Type != nil && len(g.Inputs[0].Type.Shape) == len(ids) {
		for i, d := range g.Inputs[0].Type.Shape {
			if d.Param != "" {
				names[d.Param] = ids[i]
			}
		}
	}
	extent := func(d onnx.Dimension) dim.Dim {
		if d.HasValue {
			return dim.Const(d.Value)
		}
		if x, ok := names[d.Param]; ok && d.Param != "" {
			return x
		}
		var x dim.Dim
		switch low := strings.ToLower(d.Param); {
		case strings.Contains(low, "past") && !total.Is(0):
			x = past
		case strings.Contains(low, "total") && !total.Is(0):
			x = total
		default:
			hint := d.Param
			if hint == "" {
				hint = "extent"
			}
			x = c.fresh(hint, dim.Dim{})
		}
		if d.Param != "" {
			names[d.Param] = x
		}
		return x
	}
	in := make([]*Value, len(g.Inputs))
	for i, vi := range g.Inputs {
		if vi.Type == nil || vi.Type.Kind != onnx.KindTensor {
			continue
		}
		v := &Value{}
		v.SetUnranked(vi.Type.DType)
		if vi.Type.HasShape {
			s := make(Shape, len(vi.Type.Shape))
			for k, d := range vi.Type.Shape {
				s[k] = extent(d)
			}
			v.SetTensor(vi.Type.DType, s)
		}
		in[i] = v
	}
	if len(in) > 0 && in[0] != nil && len(g.Inputs[0].Type.Shape) == len(ids) {
		in[0].SetTensor(in[0].DType, ids)
	}
	return in
}

func generationRule(op string, g generation) Rule {
	return Rule{Domain: msDomain, Op: op, Since: 1, Shape: g.shape, Work: noWork, Memory: Control, Class: ControlFlow, HostInputs: inputsFrom(1),
		Doc: "the prompt once, then the decoder for each token up to max_length; scoring and re-ordering of beams are not counted"}
}

var generateRules = []Rule{
	generationRule("BeamSearch", generation{beams: 3, returned: 4, scores: true}),
	generationRule("WhisperBeamSearch", generation{beams: 3, returned: 4, scores: true}),
	generationRule("GreedySearch", generation{beams: -1, returned: -1}),
	generationRule("Sampling", generation{beams: -1, returned: -1}),
}
