package analyzer

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Metric is the definition of one figure of a Report.
type Metric struct {
	Name       string `json:"name"`
	Unit       string `json:"unit"`
	Definition string `json:"definition"`
	Formula    string `json:"formula"`
	// Differs says how the figure that other tools give by this name, or for this purpose, differs.
	Differs string `json:"differs"`
}

// conventionPrefix begins the metric name of a Convention.
const conventionPrefix = "convention:"

// Metrics returns the definitions of all figures, those of a Report first, then one for each Convention as
// "convention:NAME".
func Metrics() []Metric {
	all := slices.Clone(metrics)
	for _, c := range Conventions() {
		all = append(all, c.metric())
	}
	return all
}

// Explain finds a definition by name. Case does not matter, and "-" may stand for "_".
func Explain(name string) (Metric, bool) {
	plain := func(s string) string { return strings.ReplaceAll(strings.ToLower(s), "-", "_") }
	for _, m := range Metrics() {
		if plain(m.Name) == plain(name) {
			return m, true
		}
	}
	return Metric{}, false
}

// metric makes the definition of a convention from its table.
func (c Convention) metric() Metric {
	m := Metric{
		Name: conventionPrefix + c.Name,
		Unit: c.Unit,
		Definition: fmt.Sprintf("The figure that %s gives for the same graph (source: %s). A multiply-accumulate counts %d. It counts %s; "+
			"every other operator counts 0.", c.Title, c.Source, c.PerMAC, strings.Join(c.operators(), ", ")),
		Formula: "Σ over executed nodes of executions · table(operator)",
		Differs: c.Note,
	}
	if c.rules == nil {
		m.Definition = "Our own count, the same as macs. It counts every operator that has multiply-accumulates by our rules, and every " +
			"other operator 0."
		m.Formula = "Σ over executed nodes of executions · macs"
	}
	return m
}

// operators lists the operators of the convention's table, sorted; nil where the convention has none and follows our
// rules.
func (c Convention) operators() []string { return slices.Sorted(maps.Keys(c.rules)) }

var metrics = []Metric{
	{
		Name: "macs",
		Unit: "multiply-accumulates",
		Definition: "The multiply-accumulates of contractions in one inference: convolutions, matrix products, einsum, attention (scores " +
			"and weighted values) and recurrent layers, in their floating-point, integer, quantised and fused forms. Each product of a " +
			"weight or activation with an activation that is added into a sum counts 1. Places of a convolution's window that lie in the " +
			"padding count, as in the papers. A bias addition is not a MAC. Of an If the costlier branch counts, and the body of a Loop or " +
			"Scan counts once for each trip.",
		Formula: "Conv: N·OH·OW·Cout·(Cin/groups)·kh·kw; ConvTranspose: N·IH·IW·Cin·(Cout/groups)·kh·kw; MatMul and Gemm: batch·M·N·K; " +
			"attention: batch·heads·queries·keys·(head size + value size); RNN, GRU, LSTM: " +
			"steps·batch·directions·gates·hidden·(input + hidden)",
		Differs: "Papers often call this figure FLOPs. thop, ptflops and onnx-tool print MACs that also count normalisation, pooling or " +
			"activations; torch's counter and calflops print about twice this figure. See convention:NAME for each.",
	},
	{
		Name: "flops",
		Unit: "floating-point operations",
		Definition: "Every arithmetic operation of one inference, special ones apart: two for each MAC (a product and a sum), and one for " +
			"each further addition, multiplication, comparison or maximum. A bias adds 1 per output element, Relu 1, BatchNormalization " +
			"2 (one scale and one shift, however it is stored), a pooling window k² per output element. Every operator's weights stand " +
			"in its rule. Moving data counts nothing.",
		Formula: "2·macs + vector operations",
		Differs: "Tools that say FLOPs mean this, or MACs (fvcore and most papers), or 2·MACs of contractions alone (torch's counter). " +
			"Exponentials, roots and divisions are not in it: see special.",
	},
	{
		Name: "special",
		Unit: "evaluations",
		Definition: "Evaluations of functions that cost many instructions: exponential, logarithm, error function, hyperbolic tangent, " +
			"sine, square root, power and division. They are counted apart from flops, because what one of them costs depends on the " +
			"processor and the library. A softmax over n elements has n exponentials and n divisions.",
		Formula: "Σ over executed nodes of executions · special operations",
		Differs: "Most counters leave them out or count 1 each. onnx-tool gives each a weight in instructions (32 for an exponential) and " +
			"adds it to its MACs.",
	},
	{
		Name: "params",
		Unit: "elements",
		Definition: "Elements of the distinct weight tensors that executed nodes read. Weights are floating-point constants with at least " +
			"one axis, and integer constants that enter a quantised operand. Constants that a node of the graph makes and any runtime " +
			"folds (Constant, ConstantOfShape of a constant) are weights just as initializers are, counted where they are generated. A " +
			"tensor that several nodes share counts once, also when one of them reads it through a Transpose. Literals of a formula (an " +
			"epsilon, a clip bound: constants without axes), scales and zero points, index tables and shape arithmetic are not parameters.",
		Formula: "Σ over distinct weights of their elements",
		Differs: "It includes BatchNormalization's running mean and variance; frameworks call those buffers and leave them out: see " +
			"trainable_params. Tools that add up all initializers also count shapes, scales and weights that nothing reads, and miss what " +
			"Constant nodes hold. Sub-byte weights count logical elements, not packed bytes.",
	},
	{
		Name: "trainable_params",
		Unit: "elements",
		Definition: "The params that training changes by gradients: all of them but the running mean and variance of " +
			"BatchNormalization. This is the figure that a framework reports for the model and that papers print.",
		Formula: "params − elements of running means and variances",
		Differs: "BatchNormalization folded into a convolution before export leaves a bias in place of scale and shift, so an exported graph " +
			"can have fewer parameters than the framework's model.",
	},
	{
		Name: "constant_bytes",
		Unit: "bytes",
		Definition: "Size of all constants that executed nodes read as data, as they are stored: weights, literals, scales, zero points and " +
			"index tables, packed, sub-byte types rounded up to whole bytes. Each stored tensor counts once. What only steers an operator " +
			"(a target shape, axes) is not data.",
		Formula: "Σ over distinct constants of ⌈elements · bits / 8⌉",
		Differs: "Other than the size of the file: tensors that nothing reads are left out, generated constants are in, and the encoding of " +
			"the file does not matter. Files with external data may be absent; declared shapes are enough.",
	},
	{
		Name: "peak_activation_bytes",
		Unit: "bytes",
		Definition: "The largest sum of tensors that live at one time when the nodes run one after the other in the stated order, which is " +
			"the file's wherever it is topological. A node's inputs and outputs live together; a tensor dies after its last use; graph " +
			"inputs live from the start and graph outputs to the end. No two tensors share memory, not even those that a runtime would " +
			"update in place or view. Constants, and what is dequantised from constants alone, are apart.",
		Formula: "max over nodes of Σ bytes of live tensors",
		Differs: "It is a property of the graph, and a runtime may stay below it (results in place, views, fusion) or go above it " +
			"(workspaces, fragmentation, several streams). Adding up all activations, as other tools do, gives several times as much.",
	},
	{
		Name: "arena_bytes",
		Unit: "bytes",
		Definition: "Size of one block of memory in which every activation of the main graph has an offset, for the stated order of " +
			"execution. Views share their input's place, and an element-wise result takes the place of an input that dies at the node " +
			"and has its size; graph inputs and constants are never written over by a result. Offsets are multiples of 64 bytes. The plan " +
			"is made by searching placement orders until it meets arena_bound_bytes or a fixed budget of work is spent, so it is the same " +
			"on every machine. The bodies of control flow get a workspace of their own beside the node's inputs and outputs.",
		Formula: "max over buffers of offset + bytes",
		Differs: "It is a plan that can be executed, and --verify proves it by running marks through it. A runtime with a dynamic " +
			"allocator needs more, and one that fuses nodes needs less.",
	},
	{
		Name: "arena_bound_bytes",
		Unit: "bytes",
		Definition: "What no plan for the same buffers and the same order can go below. It is the largest sum of live buffers, each but one " +
			"rounded up to 64 bytes. Another order of execution can have a lower bound: see analyze --order min-memory.",
		Formula: "max over nodes of Σ rounded bytes of live buffers − largest rounding among them",
		Differs: "Planners of inference engines report what they reached, not how far from the optimum that is.",
	},
	{
		Name: "bytes_read",
		Unit: "bytes",
		Definition: "Bytes that the nodes of one inference must read, each operand of a node once: activations and weights. An operator " +
			"that touches part of an operand reads that part (a Gather the rows that it takes); a view (Reshape) reads nothing. Every " +
			"node is charged alone, so a tensor that two nodes read counts for both.",
		Formula: "Σ over executed nodes of executions · bytes of distinct operands read",
		Differs: "It is what leaves the operands with a perfect cache within a node and none between nodes. Fusion and caches reduce it; " +
			"reading a convolution's input once for each tile adds to it.",
	},
	{
		Name: "bytes_written",
		Unit: "bytes",
		Definition: "Bytes that the nodes of one inference must write: every output that somebody asks for, once for each execution. A view " +
			"(Reshape, Flatten) writes nothing.",
		Formula: "Σ over executed nodes of executions · bytes of outputs",
		Differs: "See bytes_read: fusion keeps intermediate results in registers and saves both their writing and their reading.",
	},
	{
		Name: "nodes",
		Unit: "nodes",
		Definition: "Nodes that execute. Constants that any runtime folds before the first run are left out, and so are nodes whose " +
			"results nobody uses; calls of local functions are inlined and count as what they hold. The nodes of a body count once, " +
			"however often it runs, and a branch that is not taken counts nothing.",
		Formula: "number of executed nodes",
		Differs: "Viewers count every node of the file, Constant and shape arithmetic included.",
	},
	{
		Name: "coverage",
		Unit: "share from 0 to 1",
		Definition: "The share of the model's nodes, folded ones included, whose operator has a rule and whose work could be counted. " +
			"Below 1 every total is a lower bound and says so, and the operators without a rule are listed. An operator that is not known " +
			"is never taken to be free.",
		Formula: "nodes counted in full / nodes",
		Differs: "Other tools count what they do not know as 0, some with a warning.",
	},
	{
		Name: "lower_bounds",
		Unit: "true or false",
		Definition: "Whether some node could not be counted in full: its operator has no rule, or the rank of an operand is not known. Then " +
			"every total is a lower bound.",
		Formula: "some executed node is partial",
		Differs: "Other tools do not say.",
	},
	{
		Name: "formulas",
		Unit: "text",
		Definition: "The totals that depend on a free dimension, as exact formulas in the free dimensions: sums of integer multiples of " +
			"products of symbols, floor quotients, minima and maxima. A dimension stands for a positive integer. The numbers beside them " +
			"are these formulas under the values in dims, so another batch size or sequence length is an evaluation and not another " +
			"analysis.",
		Formula: "for example 9216*batch*seq^2 + 42467328*batch*seq",
		Differs: "Other tools ask for numbers before they start.",
	},
	{
		Name: "free_dims",
		Unit: "names",
		Definition: "Dimensions without a value that an input's shape or a total depends on: named dimensions of the inputs, and extents " +
			"that only the data decides (the number of detections). The leading dimension of the inputs is taken as 1 with a note unless " +
			"--dim gives it; the others stay symbols until --dim NAME=VALUE binds them.",
		Formula: "symbols of inputs and totals − dims",
		Differs: "Other tools put 1 for an unknown dimension, or fail.",
	},
}
