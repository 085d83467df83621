package op

import "github.com/onnxcost/onnxcost/analyzer/dim"

// Quantised forms of single operators of com.microsoft that belong to no family here.

// dynamicLSTM is DynamicQuantizeLSTM: LSTM with 8-bit weights.
var dynamicLSTM = cell{gates: 4, states: 2, initial: []int{5, 6}, turned: true, activations: lstmCell.activations, apply: lstmCell.apply,
	pointwise: lstmPointwise}

// dynamicLSTMWork adds what DynamicQuantizeLinear counts (5 and a division) for every element of the input and of the
// state of every step, and a product per gate for the scale of each of the two results.
func dynamicLSTMWork(c *Call) Work {
	w := dynamicLSTM.work(c)
	g, known, err := dynamicLSTM.geometry(c)
	if err != nil || !known {
		return w
	}
	perStep := dim.Prod(g.steps, g.batch)
	quantised := perStep.Mul(g.input).Add(perStep.Mul(g.hidden).MulInt(g.directions))
	return w.plus(quantised.MulInt(5), quantised).plus(perStep.Mul(g.hidden).MulInt(2*dynamicLSTM.gates*g.directions), dim.Dim{})
}

// qlinearReduceShape hides the scales, which stand where ReduceMean has its axes from opset 18 on.
func qlinearReduceShape(c *Call) error {
	if _, err := c.Want(0); err != nil {
		return err
	}
	return reduceShape(&Call{Node: c.Node, Opset: 13, In: c.In[:1], Out: c.Out, Engine: c.Engine})
}

var msMiscRules = []Rule{
	ms(Rule{Op: "DynamicQuantizeLSTM", Shape: dynamicLSTM.shape, Work: dynamicLSTMWork, Class: Contract, QuantInputs: inputs(1, 2),
		Scales: inputs(8, 9, 10, 11), Doc: docRecurrent + "; 5 and a division per element of input and state to quantise it"}),
	ms(Rule{Op: "QLinearReduceMean", Shape: qlinearReduceShape, Work: requantized(perInput(0, 1, 0)), Class: Reduction, Scales: inputsFrom(1),
		Doc: "1 per input element; " + docRequantize}),
}
