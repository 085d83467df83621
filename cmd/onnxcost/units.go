package main

import (
	"fmt"
	"math"
	"strconv"

	"github.com/onnxcost/onnxcost/analyzer/dim"
)

// Scaled numbers for people: four significant digits, decimal prefixes for counts, binary ones for bytes.

var siPrefixes = []struct {
	factor float64
	name   string
}{{1e18, "E"}, {1e15, "P"}, {1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}}

// count prints 4089184256 as "4.089 G".
func count(v float64) string {
	for _, p := range siPrefixes {
		if math.Abs(v) >= p.factor {
			return significant(v/p.factor) + " " + p.name
		}
	}
	return significant(v)
}

// bytes prints 102760448 as "98 MiB".
func byteSize(v float64) string {
	for i, name := range []string{"EiB", "PiB", "TiB", "GiB", "MiB", "KiB"} {
		if f := math.Exp2(float64(60 - 10*i)); math.Abs(v) >= f {
			return significant(v/f) + " " + name
		}
	}
	return significant(v) + " B"
}

// significant prints four significant digits without trailing zeros or an exponent.
func significant(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1e4 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	digits := max(0, 3-int(math.Floor(math.Log10(math.Abs(v)))))
	s := strconv.FormatFloat(v, 'f', digits, 64)
	f, _ := strconv.ParseFloat(s, 64)
	return strconv.FormatFloat(f, 'f', -1, 64)
}

// dimCount and dimBytes scale a figure that is a number and print a formula as it is.
func dimCount(d dim.Dim) string { return scaled(d, count) }

func dimBytes(d dim.Dim) string {
	if _, ok := d.Value(); ok {
		return scaled(d, byteSize)
	}
	return scaled(d, nil) + " B"
}

// longFormula is the longest formula that a table cell shows in full; JSON and CSV have all of it.
const longFormula = 60

func scaled(d dim.Dim, f func(float64) string) string {
	v, ok := d.Value()
	if !ok {
		return shorten(d.String(), longFormula)
	}
	return f(float64(v))
}

// percent prints a share; shares that round to 0 but are not say so.
func percent(part, whole float64) string {
	if whole == 0 {
		return ""
	}
	p := 100 * part / whole
	if p == 0 {
		return "0 %"
	}
	if p > 0 && p < 0.05 {
		return "<0.1 %"
	}
	return fmt.Sprintf("%.1f %%", p)
}

// threadCount is "1 thread" or "8 threads".
func threadCount(n int) string {
	if n == 1 {
		return "1 thread"
	}
	return fmt.Sprintf("%d threads", n)
}
