package op

import (
	"github.com/onnxcost/onnxcost/analyzer/dim"
)

const treeDoc = "a comparison per level and an addition per tree, to the deepest leaf of each tree: an upper bound"

// treeEnsembleShape is TreeEnsemble (opset 5): [N, n_targets] of the input's type.
func treeEnsembleShape(c *Call) error {
	rows, _, known, err := wantRows(c)
	if err != nil {
		return err
	}
	if !known {
		rows = c.fresh("rows", dim.Dim{})
	}
	c.rowsOut(0, c.In[0].DType, rows, max(c.Int("n_targets", 1), 1))
	return nil
}

// treeWork counts TreeEnsembleClassifier and -Regressor, which list nodes by tree and by number in the tree.
func treeWork(c *Call) Work {
	trees, ids := c.Ints("nodes_treeids"), c.Ints("nodes_nodeids")
	yes, no, modes := c.Ints("nodes_truenodeids"), c.Ints("nodes_falsenodeids"), c.strings("nodes_modes")
	n := len(ids)
	if len(trees) != n || len(yes) != n || len(no) != n || len(modes) != n {
		return Work{}
	}
	type key struct{ tree, id int64 }
	at := make(map[key]int, n)
	for i := range ids {
		at[key{trees[i], ids[i]}] = i
	}
	children := make([][2]int, n)
	isChild := make([]bool, n)
	for i := range ids {
		children[i] = [2]int{-1, -1}
		if modes[i] == "LEAF" {
			continue
		}
		for k, id := range [2]int64{yes[i], no[i]} {
			if j, ok := at[key{trees[i], id}]; ok && j != i {
				children[i][k] = j
				isChild[j] = true
			}
		}
	}
	var roots []int
	for i := range ids {
		if !isChild[i] {
			roots = append(roots, i)
		}
	}
	return forestWork(c, roots, children, true)
}

// treeEnsembleWork counts TreeEnsemble, which lists inner nodes and leaves apart.
func treeEnsembleWork(c *Call) Work {
	yes, no := c.Ints("nodes_truenodeids"), c.Ints("nodes_falsenodeids")
	yesLeaf, noLeaf := c.Ints("nodes_trueleafs"), c.Ints("nodes_falseleafs")
	n := len(yes)
	if len(no) != n || len(yesLeaf) != n || len(noLeaf) != n {
		return Work{}
	}
	children := make([][2]int, n)
	for i := range children {
		children[i] = [2]int{-1, -1}
		for k, child := range [2]struct{ id, leaf int64 }{{yes[i], yesLeaf[i]}, {no[i], noLeaf[i]}} {
			if child.leaf == 0 && child.id >= 0 && child.id < int64(n) {
				children[i][k] = int(child.id)
			}
		}
	}
	var roots []int
	for _, r := range c.Ints("tree_roots") {
		if r >= 0 && r < int64(n) {
			roots = append(roots, int(r))
		}
	}
	return forestWork(c, roots, children, false)
}

// forestWork multiplies the comparisons and the addition of each tree by the rows. Nodes without children are leaves
// where the lists hold leaves too.
func forestWork(c *Call, roots []int, children [][2]int, leavesListed bool) Work {
	rows, _, known, err := wantRows(c)
	if !known || err != nil {
		return Work{}
	}
	var total int64
	for _, r := range roots {
		total += levels(r, children) + 1
		if leavesListed {
			total-- // the last level compares nothing
		}
	}
	return Work{Vector: rows.MulInt(total)}
}

// levels is the number of levels of listed nodes below and with a root. A walk that meets more nodes than there are
// has found a cycle, and ends.
func levels(root int, children [][2]int) int64 {
	level, met := []int{root}, 0
	var n int64
	for len(level) > 0 {
		n++
		if met += len(level); met > len(children) {
			break
		}
		var next []int
		for _, i := range level {
			for _, j := range children[i] {
				if j >= 0 {
					next = append(next, j)
				}
			}
		}
		level = next
	}
	return n
}
