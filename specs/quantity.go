package specs

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// A Dimension is what a quantity measures. The zero Dimension is none.
type Dimension string

// The dimensions that budgets and flags use, with the unit of the plain number.
const (
	DimEnergy     Dimension = "energy"     // joules
	DimTime       Dimension = "time"       // seconds
	DimPower      Dimension = "power"      // watts
	DimBytes      Dimension = "bytes"      // bytes
	DimMACs       Dimension = "macs"       // multiply-accumulates
	DimFLOPs      Dimension = "flops"      // floating-point operations
	DimParams     Dimension = "params"     // elements
	DimRate       Dimension = "rate"       // per second
	DimProportion Dimension = "proportion" // 1 is 100 %
	DimCount      Dimension = "count"      // pieces
)

// A Quantity is a number of SI base units of a dimension: 12 mJ is
// {0.012, DimEnergy}.
type Quantity struct {
	Value float64
	Dim   Dimension
}

// A unit is one way to write a dimension. Its factor is exact: ten to a power
// or a ratio of small integers.
type unit struct {
	name     string
	exponent int     // the decimal prefix, applied to the text before rounding
	factor   float64 // what remains; 1 for decimal prefixes
}

func decimal(base string, prefixes string) []unit {
	var out []unit
	for _, p := range strings.Split(prefixes, " ") {
		if p == "-" {
			p = ""
		}
		out = append(out, unit{name: p + base, exponent: prefixExponent(p), factor: 1})
	}
	return out
}

func prefixExponent(p string) int {
	switch p {
	case "n":
		return -9
	case "u", "µ", "μ":
		return -6
	case "m":
		return -3
	case "k", "K":
		return 3
	case "M":
		return 6
	case "G":
		return 9
	case "T":
		return 12
	case "P":
		return 15
	}
	return 0
}

// counted gives a count's units: a bare prefix, and the prefix before each noun.
func counted(nouns ...string) []unit {
	units := decimal("", "- k K M G T P")
	for _, n := range nouns {
		units = append(units, decimal(n, "- k K M G T P")...)
	}
	return units
}

// dimension is a Dimension with its units.
type dimension struct {
	dim   Dimension
	what  string // in errors: what a unit of another dimension is
	wants string // in errors: how to write one
	units []unit
}

// dimensions lists the units of each dimension. The first spelling of a size is
// the one that String writes; a bare number is allowed only where the empty
// name is listed.
var dimensions = sync.OnceValue(func() []dimension {
	return []dimension{
		{DimEnergy, "an energy", "an energy such as 250 mJ or 1.1 kJ", append(
			decimal("J", "- m k u M G n µ μ"),
			unit{name: "Wh", factor: 3600}, unit{name: "mWh", factor: 3.6}, unit{name: "kWh", factor: 3.6e6})},
		{DimTime, "a time", "a time such as 33 ms or 2 s", append(
			decimal("s", "- m u n µ μ"),
			unit{name: "min", factor: 60}, unit{name: "h", factor: 3600}, unit{name: "d", factor: 86400})},
		{DimPower, "a power", "a power such as 15 W or 700 mW", decimal("W", "- m k M u µ μ")},
		{DimBytes, "a size in bytes", "a size such as 64 MiB or 1.5 GB", append(
			decimal("B", "- k M G T"),
			unit{name: "KiB", factor: 1 << 10}, unit{name: "MiB", factor: 1 << 20},
			unit{name: "GiB", factor: 1 << 30}, unit{name: "TiB", factor: 1 << 40})},
		{DimMACs, "a number of MACs", "a number of multiply-accumulates such as 5 G or 1.5 GMACs", counted("MACs", "MAC")},
		{DimFLOPs, "a number of FLOPs", "a number of operations such as 8 G or 8 GFLOPs", counted("FLOPs", "FLOP")},
		{DimParams, "a number of parameters", "a number of parameters such as 30 M", counted("params", "param")},
		{DimRate, "a rate", "a rate such as 30 /s or 5 /min", []unit{
			{name: "/s", factor: 1}, {name: "k/s", exponent: 3, factor: 1}, {name: "M/s", exponent: 6, factor: 1},
			{name: "/min", factor: 1.0 / 60}, {name: "/h", factor: 1.0 / 3600}, {name: "/d", factor: 1.0 / 86400},
			{name: "Hz", factor: 1}, {name: "kHz", exponent: 3, factor: 1}}},
		{DimProportion, "a percentage", "a percentage such as 10 %", []unit{{name: "%", exponent: -2, factor: 1}}},
		{DimCount, "a count", "a count such as 128 or 2 k", decimal("", "- k K M G")},
	}
})

func (d Dimension) units() []unit {
	for _, row := range dimensions() {
		if row.dim == d {
			return row.units
		}
	}
	return nil
}

// wanted says how a quantity of the dimension is written.
func (d Dimension) wanted() string {
	for _, row := range dimensions() {
		if row.dim == d {
			return "want " + row.wants
		}
	}
	return "want a quantity"
}

// A QuantityError says what is wrong with a written quantity, and where.
type QuantityError struct {
	Text   string
	Offset int // bytes into Text where the trouble starts
	Msg    string
}

func (e *QuantityError) Error() string { return e.Msg }

// ParseQuantity reads a number with its unit, such as "250 mJ", "64MiB", "30 M"
// or "+5 %", and checks that it is of the wanted dimension. The space is
// optional. Units are case-sensitive: mW is not MW. A failure is a
// *QuantityError.
func ParseQuantity(text string, want Dimension) (Quantity, error) {
	units := want.units()
	if units == nil {
		return Quantity{}, fmt.Errorf("no dimension %q", string(want))
	}
	fail := func(offset int, format string, args ...any) (Quantity, error) {
		return Quantity{}, &QuantityError{Text: text, Offset: offset, Msg: want.wanted() + ", have " + quote(text) + fmt.Sprintf(format, args...)}
	}
	trimmed := strings.TrimLeft(text, " ")
	start := len(text) - len(trimmed)
	digits := numberPrefix(trimmed)
	if digits == "" {
		return fail(start, "")
	}
	rest := trimmed[len(digits):]
	name := strings.TrimRight(strings.TrimLeft(rest, " "), " ")
	at := len(text) - len(strings.TrimLeft(rest, " "))
	if name == "" {
		at = len(strings.TrimRight(text, " "))
	}
	u, ok := findUnit(units, name)
	if !ok {
		switch other := ownerOf(name); {
		case name == "":
			return fail(at, ", which has no unit")
		case strings.HasPrefix(name, ",") || strings.HasPrefix(name, "_"):
			return fail(at, "; write the number with a decimal point and without separators")
		case name == "KB":
			return fail(at, "; write kB (1000 bytes) or KiB (1024)")
		case other != "":
			return fail(at, ", which is %s", other)
		default:
			return fail(at, ", and %s is no unit", quote(name))
		}
	}
	if (digits[0] == '-' || digits[0] == '+') && want != DimProportion {
		return fail(start, ", with a sign")
	}
	v, err := u.scale(digits)
	if err != nil {
		return fail(start, ", which is out of range")
	}
	return Quantity{Value: v, Dim: want}, nil
}

// scale applies the unit to the written number. Decimal prefixes are applied to
// the text, so that 18.61 ms is the float64 nearest to 0.01861.
func (u unit) scale(digits string) (float64, error) {
	mantissa, exponent := digits, 0
	if i := strings.IndexAny(digits, "eE"); i >= 0 {
		mantissa = digits[:i]
		e, err := strconv.Atoi(digits[i+1:])
		if err != nil {
			return 0, err
		}
		exponent = e
	}
	v, err := strconv.ParseFloat(mantissa+"e"+strconv.Itoa(exponent+u.exponent), 64)
	if err != nil {
		return 0, err
	}
	v *= u.factor
	if math.IsInf(v, 0) {
		return 0, strconv.ErrRange
	}
	return v, nil
}

// numberPrefix gives the longest prefix of s that is a decimal number. An
// exponent needs digits: in "5 E" and "3eV" the letters are the unit's.
func numberPrefix(s string) string {
	i, digits := 0, 0
	if i < len(s) && (s[i] == '+' || s[i] == '-') {
		i++
	}
	for ; i < len(s) && digit(s[i]); i++ {
		digits++
	}
	if i < len(s) && s[i] == '.' {
		for i++; i < len(s) && digit(s[i]); i++ {
			digits++
		}
	}
	if digits == 0 {
		return ""
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		j := i + 1
		if j < len(s) && (s[j] == '+' || s[j] == '-') {
			j++
		}
		first := j
		for j < len(s) && digit(s[j]) {
			j++
		}
		if j > first {
			i = j
		}
	}
	return s[:i]
}

func findUnit(units []unit, name string) (unit, bool) {
	for _, u := range units {
		if u.name == name {
			return u, true
		}
	}
	return unit{}, false
}

// ownerOf says what a unit of another dimension measures.
func ownerOf(name string) string {
	if name == "" {
		return ""
	}
	for _, row := range dimensions() {
		if _, ok := findUnit(row.units, name); ok && row.dim != DimCount {
			return row.what
		}
	}
	return ""
}

// isQuantity says whether a text looks like a number with a unit.
func isQuantity(s string) bool {
	digits := numberPrefix(s)
	if digits == "" {
		return false
	}
	name := strings.TrimSpace(s[len(digits):])
	if ownerOf(name) != "" {
		return true
	}
	switch {
	case strings.HasSuffix(name, "FLOP/s"), strings.HasSuffix(name, "FLOPS"), strings.HasSuffix(name, "OPS"),
		strings.HasSuffix(name, "B/s"), strings.HasSuffix(name, "Hz"):
		return utf8.RuneCountInString(name) < 10
	}
	return false
}

// String writes the quantity exactly, in the largest unit that leaves a number
// of at least one. Reading it back gives the same quantity.
func (q Quantity) String() string {
	u := q.bestUnit()
	var num string
	if u.factor == 1 {
		num = shiftDecimal(q.Value, -u.exponent)
	} else {
		num = formatNumber(q.Value / u.factor)
	}
	return strings.TrimSpace(num + " " + u.name)
}

// Short writes the quantity for people: three significant digits and the best
// unit, such as "12.3 mJ" or "97.5 MiB".
func (q Quantity) Short() string {
	u := q.bestUnit()
	x := q.Value / u.size()
	text := strconv.FormatFloat(x, 'g', 3, 64)
	if a := math.Abs(x); a >= 1000 || strings.Contains(text, "e") && a >= 1 {
		text = strconv.FormatFloat(x, 'f', 0, 64)
	}
	return strings.TrimSpace(text + " " + u.name)
}

// bestUnit picks the unit that String and Short use: the largest that leaves a
// number of at least one, else the smallest. Bytes go by powers of 1024, the
// rest by decimal prefixes; spellings that are only alternatives are passed by.
func (q Quantity) bestUnit() unit {
	a := math.Abs(q.Value)
	if a == 0 {
		a = 1
	}
	best := unit{factor: 1}
	first := true
	for _, u := range q.Dim.units() {
		if !u.canonical(q.Dim) {
			continue
		}
		size, fits := u.size(), best.size() <= a
		switch {
		case first, size <= a && (!fits || size > best.size()), !fits && size < best.size():
			best, first = u, false
		}
	}
	return best
}

// size is the unit in base units.
func (u unit) size() float64 { return u.factor * math.Pow10(u.exponent) }

func (u unit) canonical(d Dimension) bool {
	switch d {
	case DimBytes:
		return u.name == "B" || u.factor != 1
	case DimMACs:
		return strings.HasSuffix(u.name, "MACs") && !strings.HasPrefix(u.name, "K")
	case DimFLOPs:
		return strings.HasSuffix(u.name, "FLOPs") && !strings.HasPrefix(u.name, "K")
	case DimRate:
		return strings.HasSuffix(u.name, "/s")
	}
	return u.factor == 1 && !strings.HasPrefix(u.name, "K") && !strings.HasPrefix(u.name, "µ") &&
		!strings.HasPrefix(u.name, "μ") && !strings.HasSuffix(u.name, "param") && !strings.HasSuffix(u.name, "params")
}

// shiftDecimal writes v·10^shift exactly, as decimal text.
func shiftDecimal(v float64, shift int) string {
	if v == 0 {
		return "0"
	}
	s := strconv.FormatFloat(v, 'e', -1, 64)
	mantissa, exponent, _ := strings.Cut(s, "e")
	e, _ := strconv.Atoi(exponent)
	e += shift
	r, ok := new(big.Rat).SetString(mantissa + "e" + strconv.Itoa(e))
	if !ok {
		return s
	}
	digits := len(strings.NewReplacer("-", "", ".", "").Replace(mantissa))
	if places := digits - 1 - e; e > -7 && e < 21 {
		return r.FloatString(max(0, places))
	}
	return mantissa + "e" + strconv.Itoa(e)
}
