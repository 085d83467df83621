package op

import (
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

const mlDomain = "ai.onnx.ml"

// The classic machine-learning operators. Their coefficients are attributes; see Stored.

// wantRows is input 0 as rows of features: [C] counts as one row. known is false where the rank is not known.
func wantRows(c *Call) (rows, features dim.Dim, known bool, err error) {
	s, known, err := c.wantRank(0, 1, 2)
	if err != nil || !known {
		return rows, features, false, err
	}
	if len(s) == 1 {
		return dim.Const(1), s[0], true, nil
	}
	return s[0], s[1], true, nil
}

// rowsOut gives output i [N, columns], or [N] for no columns.
func (c *Call) rowsOut(i int, dt onnx.DType, rows dim.Dim, columns int64) {
	if columns == 0 {
		c.setOut(i, dt, Shape{rows}, true)
		return
	}
	c.setOut(i, dt, Shape{rows, dim.Const(columns)}, true)
}

// strings and floats list attributes.
func (c *Call) strings(name string) []string {
	if a := c.Node.Attr(name); a != nil {
		return a.Strings
	}
	return nil
}

func (c *Call) floats(name string) []float32 {
	if a := c.Node.Attr(name); a != nil {
		return a.Floats
	}
	return nil
}

// labels is the element type of class labels and their number.
func labels(c *Call) (dt onnx.DType, n int64) {
	for _, name := range []string{"classlabels_strings", "classlabels_ints", "classlabels_int64s"} {
		if s := c.strings(name); len(s) > 0 {
			return onnx.String, int64(len(s))
		}
		if is := c.Ints(name); len(is) > 0 {
			return onnx.Int64, int64(len(is))
		}
	}
	return onnx.Int64, 0
}

// classifierShape gives a label per row and scores [N, columns].
func classifierShape(columns func(*Call) int64) func(*Call) error {
	return func(c *Call) error {
		rows, _, known, err := wantRows(c)
		if err != nil {
			return err
		}
		if !known {
			rows = c.fresh("rows", dim.Dim{})
		}
		dt, _ := labels(c)
		c.rowsOut(0, dt, rows, 0)
		c.rowsOut(1, onnx.Float32, rows, max(columns(c), 1))
		return nil
	}
}

// regressorShape is [N, columns].
func regressorShape(columns func(*Call) int64) func(*Call) error {
	return func(c *Call) error {
		rows, _, known, err := wantRows(c)
		if err != nil {
			return err
		}
		if !known {
			rows = c.fresh("rows", dim.Dim{})
		}
		c.rowsOut(0, onnx.Float32, rows, max(columns(c), 1))
		return nil
	}
}

// linearColumns: a score per intercept; a single one for two classes becomes two.
func linearColumns(c *Call) int64 {
	n := int64(len(c.floats("intercepts")))
	_, classes := labels(c)
	if n == 0 || n == 1 && classes == 2 {
		return classes
	}
	return n
}

// linearModelWork: rows × features × outputs multiply-accumulates, as many outputs as the coefficients have rows.
func linearModelWork(c *Call) Work {
	rows, features, known, err := wantRows(c)
	if !known || err != nil {
		return Work{}
	}
	n := dim.Const(int64(len(c.floats("coefficients")))).FloorDiv(dim.Max(features, dim.Const(1)))
	w := contractions(Contraction{Kind: MatMulKind, Batch: dim.Const(1), Groups: dim.Const(1), M: rows, N: n, K: features, Weight: -1})
	if len(c.floats("intercepts")) > 0 {
		return w.plus(rows.Mul(n), dim.Dim{})
	}
	return w
}

// svmColumns: a probability per class, else a decision per pair of classes.
func svmColumns(c *Call) int64 {
	_, n := labels(c)
	if len(c.floats("prob_a")) > 0 || len(c.Ints("vectors_per_class")) == 0 {
		return n
	}
	if n > 2 {
		return n * (n - 1) / 2
	}
	return 2
}

// svmWork: the kernel is a dot product with each support vector.
func svmWork(c *Call) Work {
	rows, features, known, err := wantRows(c)
	if !known || err != nil {
		return Work{}
	}
	stored := len(c.floats("support_vectors"))
	if stored == 0 {
		stored = len(c.floats("coefficients"))
	}
	n := dim.Const(int64(stored)).FloorDiv(dim.Max(features, dim.Const(1)))
	w := contractions(Contraction{Kind: MatMulKind, Batch: dim.Const(1), Groups: dim.Const(1), M: rows, N: n, K: features, Weight: -1})
	if c.Str("kernel_type", "LINEAR") != "LINEAR" {
		return w.plus(dim.Dim{}, rows.Mul(n)) // the exponential, tanh or power of each kernel value
	}
	return w
}

func one(*Call) int64 { return 1 }

func targets(name string) func(*Call) int64 { return func(c *Call) int64 { return c.Int(name, 1) } }

func classes(c *Call) int64 { _, n := labels(c); return n }

// labelEncoderShape: the element type is that of the values the attributes list; opset 1 maps strings to int64 and
// back.
func labelEncoderShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	dt := onnx.Undefined
	switch {
	case c.Node.Attr("values_tensor") != nil && c.Node.Attr("values_tensor").T != nil:
		dt = c.Node.Attr("values_tensor").T.DType
	case c.HasAttr("values_strings"):
		dt = onnx.String
	case c.HasAttr("values_int64s"):
		dt = onnx.Int64
	case c.HasAttr("values_floats"):
		dt = onnx.Float32
	default:
		dt = otherLabel(x.DType)
	}
	c.setOut(0, dt, x.Shape, x.Ranked)
	return nil
}

// otherLabel is int64 for strings and strings for int64.
func otherLabel(dt onnx.DType) onnx.DType {
	if dt == onnx.String {
		return onnx.Int64
	}
	return onnx.String
}

func categoryMapperShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	c.setOut(0, otherLabel(x.DType), x.Shape, x.Ranked)
	return nil
}

// castMapShape: one row, as long as max_map for sparse maps, else as the map.
func castMapShape(c *Call) error {
	if _, err := c.want(0); err != nil {
		return err
	}
	dt := map[string]onnx.DType{"TO_FLOAT": onnx.Float32, "TO_STRING": onnx.String, "TO_INT64": onnx.Int64}[c.Str("cast_to", "TO_FLOAT")]
	n := dim.Const(c.Int("max_map", 1))
	if c.Str("map_form", "DENSE") != "SPARSE" {
		n = c.fresh("map", dim.Dim{})
	}
	c.Out[0].SetTensor(dt, Shape{dim.Const(1), n})
	return nil
}

// dictVectorizerShape: one row with a column per entry of the vocabulary.
func dictVectorizerShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	dt := onnx.Undefined
	if x.Elem != nil {
		dt = x.Elem.DType
	}
	n := len(c.strings("string_vocabulary")) + len(c.Ints("int64_vocabulary"))
	c.Out[0].SetTensor(dt, Consts(1, int64(n)))
	return nil
}

// featureVectorizerShape joins the columns of all inputs as floats. The first axis is the rows, as in ONNX Runtime, which
// takes inputs of any rank and a vector for one row.
func featureVectorizerShape(c *Call) error {
	s, known, err := c.wantRank(0, 1, -1)
	if err != nil {
		return err
	}
	rows := dim.Const(1)
	switch {
	case !known:
		rows = c.fresh("rows", dim.Dim{})
	case len(s) > 1:
		rows = s[0]
	}
	var n int64
	for _, d := range c.Ints("inputdimensions") {
		n += d
	}
	c.Out[0].SetTensor(onnx.Float32, Shape{rows, dim.Const(n)})
	return nil
}

func oneHotEncoderShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	n := int64(max(len(c.strings("cats_strings")), len(c.Ints("cats_int64s"))))
	c.setOut(0, onnx.Float32, append(append(Shape{}, x.Shape...), dim.Const(n)), x.Ranked)
	return nil
}

// zipMapShape: a map from class label to score for each row.
func zipMapShape(c *Call) error {
	if _, err := c.want(0); err != nil {
		return err
	}
	dt, _ := labels(c)
	score := &Value{}
	score.SetTensor(onnx.Float32, Shape{})
	c.Out[0].SetSequence(&Value{Kind: onnx.KindMap, DType: dt, Elem: score})
	return nil
}

// mlRule is a row of the domain.
func mlRule(op string, shape func(*Call) error, work func(*Call) Work, doc string) Rule {
	return Rule{Domain: mlDomain, Op: op, Since: 1, Shape: shape, Work: work, Memory: Stream, Class: Other, Stored: storedLists, Doc: doc}
}

// dense is a row whose operator reads all of its coefficients.
func dense(r Rule) Rule {
	r.Traffic = storedTraffic
	return r
}

// statistics is a row whose coefficients describe the data.
func statistics(r Rule) Rule {
	r.Stored = storedStatistics
	return dense(r)
}

const lookUpDoc = "a look-up per element"

var mlRules = []Rule{
	mlRule("Binarizer", sameShape, perOutput(1, 0), "a comparison per element"),
	mlRule("CastMap", castMapShape, noWork, "copies the map's values"),
	mlRule("CategoryMapper", categoryMapperShape, perOutput(1, 0), lookUpDoc),
	mlRule("DictVectorizer", dictVectorizerShape, perOutput(1, 0), lookUpDoc),
	mlRule("FeatureVectorizer", featureVectorizerShape, noWork, "copies its inputs"),
	statistics(mlRule("Imputer", sameShape, perOutput(1, 0), "a comparison per element")),
	mlRule("LabelEncoder", labelEncoderShape, perOutput(1, 0), lookUpDoc),
	dense(mlRule("LinearClassifier", classifierShape(linearColumns), linearModelWork, "rows·features·scores MACs and the intercepts; the post-transform is not counted")),
	dense(mlRule("LinearRegressor", regressorShape(targets("targets")), linearModelWork, "rows·features·targets MACs and the intercepts; the post-transform is not counted")),
	mlRule("Normalizer", sameShapeAs(onnx.Float32), perOutput(2, 1), "a norm (2 operations) and a division per element"),
	mlRule("OneHotEncoder", oneHotEncoderShape, perOutput(1, 0), "a comparison per output element"),
	dense(mlRule("SVMClassifier", classifierShape(svmColumns), svmWork, "a dot product with each support vector; votes and probabilities are not counted")),
	dense(mlRule("SVMRegressor", regressorShape(one), svmWork, "a dot product with each support vector; the weighted sum is not counted")),
	statistics(mlRule("Scaler", sameShapeAs(onnx.Float32), perOutput(2, 0), "(x - offset)·scale: 2 operations per element")),
	mlRule("TreeEnsembleClassifier", classifierShape(classes), treeWork, treeDoc),
	mlRule("TreeEnsembleRegressor", regressorShape(targets("n_targets")), treeWork, treeDoc),
	{Domain: mlDomain, Op: "TreeEnsemble", Since: 5, Shape: treeEnsembleShape, Work: treeEnsembleWork, Memory: Stream, Class: Other, Stored: storedLists, Doc: treeDoc},
	mlRule("ZipMap", zipMapShape, noWork, "copies the scores"),
}
