package specs

import (
	"math"
	"strings"
)

// Suggest ends a message about a name that is none of the known ones: it asks
// for those that the name is a part of or, where there is none, for the one
// that it is a misspelling of, and else lists them all. Case does not matter.
func Suggest(have string, known []string) string {
	if len(known) == 0 {
		return ""
	}
	have = strings.ToLower(have)
	var begin, contain []string
	nearest, best := "", min(3, 1+len(have)/3)
	for _, k := range known {
		lower := strings.ToLower(k)
		switch {
		case len(have) > 2 && strings.HasPrefix(lower, have):
			begin = append(begin, k)
		case len(have) > 2 && strings.Contains(lower, have):
			contain = append(contain, k)
		}
		if dist := editDistance(have, lower); dist < best {
			nearest, best = k, dist
		}
	}
	const few = 6
	switch {
	case nearest != "" && best == 0:
		return "; did you mean " + nearest + "?"
	case len(begin) > 0 && len(begin) <= few:
		return "; did you mean " + strings.Join(begin, " or ") + "?"
	case nearest != "":
		return "; did you mean " + nearest + "?"
	case len(contain) > 0 && len(contain) <= few:
		return "; did you mean " + strings.Join(contain, " or ") + "?"
	}
	return "; want " + oneOf(known)
}

// editDistance counts the insertions, deletions and replacements between two
// words; texts too long to be a misspelling are far from everything.
func editDistance(a, b string) int {
	if len(a) > 40 || len(b) > 40 {
		return math.MaxInt
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
