package specs

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// kind is what a value of a file is, decided from its spelling alone.
type kind uint8

const (
	kindNull kind = iota
	kindBool
	kindNumber // decimal; num may be ±Inf or NaN, which no field accepts
	kindText
	kindList
	kindMap
)

// A node is one value of a YAML file with its place. Aliases are already
// followed, so nodes form a directed acyclic graph and may be shared.
type node struct {
	kind   kind
	text   string  // scalars: the text, without quotes
	num    float64 // kindNumber
	pos    position
	quoted bool

	items []*node // kindList
	keys  []*node // kindMap: texts, each once
	vals  []*node // kindMap

	flow bool // when written: on one line
}

// number is YAML's decimal notation: what JSON writes, plus a leading sign or
// point. Octal, hexadecimal and sexagesimal forms are texts here, so that no
// figure means something else than it looks like.
var number = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`)
})

// scalar classifies an unquoted text as YAML 1.2's core schema does.
func scalar(text string) (kind, float64) {
	switch text {
	case "", "~", "null", "Null", "NULL":
		return kindNull, 0
	case "true", "True", "TRUE", "false", "False", "FALSE":
		return kindBool, 0
	case ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF":
		return kindNumber, math.Inf(1)
	case "-.inf", "-.Inf", "-.INF":
		return kindNumber, math.Inf(-1)
	case ".nan", ".NaN", ".NAN":
		return kindNumber, math.NaN()
	}
	if !number().MatchString(text) {
		return kindText, 0
	}
	// Out of range gives ±Inf, which is refused later like any other infinity.
	v, _ := strconv.ParseFloat(text, 64)
	return kindNumber, v
}

// describe names a value in an error: what is there instead.
func (n *node) describe() string {
	switch n.kind {
	case kindNull:
		return "nothing"
	case kindList:
		return "a list"
	case kindMap:
		return "a mapping"
	case kindText:
		return quote(n.text)
	}
	return clip(n.text)
}

func quote(s string) string { return strconv.Quote(clip(s)) }

// clip shortens a text to what fits into an error message.
func clip(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

func textNode(s string) *node {
	k, _ := scalar(s)
	return &node{kind: kindText, text: s, quoted: k != kindText}
}

func numberNode(v float64) *node {
	return &node{kind: kindNumber, text: formatNumber(v), num: v}
}

// formatNumber writes v so that it reads back as the same number: integers as
// they are, large round figures with an exponent that is a multiple of three
// (989.4e12), everything else in the shortest form.
func formatNumber(v float64) string {
	if v == 0 || math.IsInf(v, 0) || math.IsNaN(v) {
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	s := strconv.FormatFloat(v, 'e', -1, 64)
	mantissa, exponent, _ := strings.Cut(s, "e")
	e, _ := strconv.Atoi(exponent)
	sign := ""
	if mantissa[0] == '-' {
		sign, mantissa = "-", mantissa[1:]
	}
	digits := strings.Replace(mantissa, ".", "", 1)
	zeros := e + 1 - len(digits) // trailing zeros of an integer
	if zeros < 6 && e >= -3 && e < 18 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	third := e - ((e%3)+3)%3
	whole := e - third + 1
	for len(digits) < whole {
		digits += "0"
	}
	out := sign + digits[:whole]
	if rest := digits[whole:]; rest != "" {
		out += "." + rest
	}
	return fmt.Sprintf("%se%d", out, third)
}
