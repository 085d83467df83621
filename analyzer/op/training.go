package op

import (
	"github.com/onnxcost/onnxcost/analyzer/dim"
)

// Losses, and the optimizer steps of the training preview.

// lossShape: target holds a class for every place of the scores (batch, classes, places…); the loss is one number per
// place, or one in all.
func lossShape(c *Call) error {
	x, known, err := c.wantRank(0, 2, -1)
	if err != nil {
		return err
	}
	target, err := c.want(1)
	if err != nil {
		return err
	}
	dt := c.In[0].DType
	switch r := c.Str("reduction", "mean"); r {
	case "mean", "sum":
		c.Out[0].SetTensor(dt, Shape{})
	case "none":
		c.setOut(0, dt, target.Shape, target.Ranked)
	default:
		return c.errorf("attribute reduction is %q, want none, mean or sum", r)
	}
	if known && target.Ranked {
		if want := append(Shape{x[0]}, x[2:]...); !c.mayEqual(target.Shape, want) {
			return c.errorf("input 1 has shape %v, want %v", target.Shape, want)
		}
		return checkVector(c, 2, x[1])
	}
	return nil
}

// nllWork: per place the negation, the weight, and where reduced the sum (of the weights too); a mean divides once.
func nllWork(c *Call) Work {
	n, ok := c.In[1].Elements()
	if !ok {
		return Work{}
	}
	per := int64(1)
	if c.Has(2) {
		per++
	}
	w := Work{}
	if r := c.Str("reduction", "mean"); r != "none" {
		per++
		if r == "mean" {
			w.Special = dim.Const(1)
			if c.Has(2) {
				per++
			}
		}
	}
	w.Vector = n.MulInt(per)
	return w
}

// crossEntropyShape adds the optional log probabilities, shaped like the scores.
func crossEntropyShape(c *Call) error {
	if err := lossShape(c); err != nil {
		return err
	}
	x := c.In[0]
	c.setOut(1, x.DType, x.Shape, x.Ranked)
	return nil
}

// crossEntropyWork is LogSoftmax over the classes (4 per score and an exponential, a logarithm per place), then the
// negative log likelihood.
func crossEntropyWork(c *Call) Work {
	w := nllWork(c)
	n, ok := c.In[0].Elements()
	places, ok2 := c.In[1].Elements()
	if !ok || !ok2 {
		return w
	}
	return w.plus(n.MulInt(4), n.Add(places))
}

// optimizer is a step over k tensors at once: inputs are rate, step count, then k each of the tensors, their gradients
// and states; outputs are the new tensors and states.
type optimizer struct {
	states          int // states of each tensor
	vector, special int64
	nesterov        int64 // vector operations more with mode nesterov
}

func (o optimizer) shape(c *Call) error {
	kinds := 2 + o.states // tensor, gradient, states
	k := (len(c.In) - 2) / kinds
	if k < 1 || len(c.In) != 2+k*kinds {
		return c.errorf("%d inputs, want 2 and a multiple of %d", len(c.In), kinds)
	}
	if len(c.Out) != k*(1+o.states) {
		return c.errorf("%d outputs, want %d", len(c.Out), k*(1+o.states))
	}
	for i, out := range c.Out {
		from := 2 + i
		if i >= k {
			from += k // the gradients have no output
		}
		v, err := c.want(from)
		if err != nil {
			return err
		}
		out.SetType(v)
	}
	return nil
}

func (o optimizer) work(c *Call) Work {
	k := len(c.Out) / (1 + o.states)
	per := o.vector
	if c.Str("mode", "") == "nesterov" {
		per += o.nesterov
	}
	var w Work
	for _, out := range c.Out[:k] {
		e := perElement(out, per, o.special)
		w = w.plus(e.Vector, e.Special)
	}
	return w
}

var (
	// regularised gradient 2, squared sum 2, root (special) and epsilon 1, step 2 and a division
	adagrad = optimizer{states: 1, vector: 7, special: 2}
	// regularised gradient 2, both moments 3 and 4, root (special) and epsilon 1, step 2 and a division, decay 1
	adam = optimizer{states: 2, vector: 13, special: 2}
	// regularised gradient 2, momentum 3, step 2; nesterov adds the look-ahead, 2
	momentum = optimizer{states: 1, vector: 7, nesterov: 2}
)

const trainingDomain = "ai.onnx.preview.training"

var trainingRules = []Rule{
	{Op: "NegativeLogLikelihoodLoss", Since: 12, Shape: lossShape, Work: nllWork, Memory: Stream, Class: Other,
		Doc: "per place negation, weight and sums: 1 each; a mean divides once"},
	{Op: "SoftmaxCrossEntropyLoss", Since: 12, Shape: crossEntropyShape, Work: crossEntropyWork, Memory: Stream, Class: Other,
		Doc: "log-softmax over the classes (4 and exp per score, log per place), then negative log likelihood"},
	{Domain: trainingDomain, Op: "Adagrad", Since: 1, Shape: adagrad.shape, Work: adagrad.work, Memory: Stream, Class: Other,
		Doc: "7 per element; root and division special"},
	{Domain: trainingDomain, Op: "Adam", Since: 1, Shape: adam.shape, Work: adam.work, Memory: Stream, Class: Other,
		Doc: "13 per element; root and division special"},
	{Domain: trainingDomain, Op: "Momentum", Since: 1, Shape: momentum.shape, Work: momentum.work, Memory: Stream, Class: Other,
		Doc: "7 per element, 9 with mode nesterov"},
}
