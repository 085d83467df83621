package op

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// The tables of operators that other tools write are Definitions in a short form:
//
//	inputs      name[shape] and marks: ? optional, * any number, = its values steer, ~ steers, # quantised weights, ' scale
//	attributes  name=default, name=1,1 for a list, name=word{word:number,...}, name|other; without a default a node must have it
//	sizes       NAME = formula; NAME <= bound of what is known only when it runs; NAME <= ? for no bound
//	outputs     type[shape], or type like input; the type may be left out; ! for one that a node must list
//
// Fields are separated by blanks, sizes by semicolons.

// defined is a definition of the short form. Whatever is wrong in it is a broken program.
func defined(domain, name, in, attrs, sizes, out string, more Definition) Rule {
	d := more
	d.Domain, d.Op = domain, name
	for _, f := range textFields(in) {
		d.Inputs = append(d.Inputs, textInput(f))
	}
	for _, f := range textFields(attrs) {
		d.Attributes = append(d.Attributes, textAttribute(f))
	}
	for _, f := range strings.Split(sizes, ";") {
		if name, is, ok := strings.Cut(f, "<="); ok {
			d.Let = append(d.Let, DefinedSize{Name: strings.TrimSpace(name), AtMost: strings.Trim(is, " ?")})
		} else if name, is, ok := strings.Cut(f, "="); ok {
			d.Let = append(d.Let, DefinedSize{Name: strings.TrimSpace(name), Is: strings.TrimSpace(is)})
		}
	}
	fields := textFields(out)
	for i := 0; i < len(fields); i++ {
		var o DefinedOutput
		var shape string
		if fields[i] == "like" || i+1 < len(fields) && fields[i+1] == "like" {
			if fields[i] != "like" {
				o.Type = fields[i]
				i++
			}
			i++
			o.Like = fields[i]
		} else {
			text, required := strings.CutSuffix(fields[i], "!")
			o.Type, shape, _ = strings.Cut(text, "[")
			o.Shape, o.Required = textShape(shape), required
		}
		d.Outputs = append(d.Outputs, o)
	}
	r, errs := d.Compile()
	if errs != nil {
		panic(fmt.Sprintf("op: definition of %s %s: %v", domain, name, errs))
	}
	if domain == msDomain { // which gains operands without a new version
		r.arities[0].in.most, r.arities[0].out.most = math.MaxInt, math.MaxInt
	}
	return *r
}

// textFields splits at blanks outside brackets.
func textFields(s string) []string {
	depth := 0
	return strings.FieldsFunc(s, func(r rune) bool {
		switch r {
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		}
		return depth == 0 && r == ' '
	})
}

// textShape splits "a, b]" at the commas outside parentheses.
func textShape(s string) []string {
	s = strings.TrimSuffix(s, "]")
	if s == "" {
		return []string{}
	}
	depth := 0
	parts := []string{""}
	for _, r := range s {
		switch {
		case r == '(':
			depth++
		case r == ')':
			depth--
		case r == ',' && depth == 0:
			parts = append(parts, "")
			continue
		}
		parts[len(parts)-1] += string(r)
	}
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

func textInput(f string) DefinedInput {
	marks := f[len(strings.TrimRight(f, "?*=~#'")):]
	name, shape, has := strings.Cut(strings.TrimSuffix(f, marks), "[")
	in := DefinedInput{Name: name, Optional: strings.Contains(marks, "?"), Variadic: strings.Contains(marks, "*"), Values: strings.Contains(marks, "="),
		Steers: strings.Contains(marks, "~"), Quantised: strings.Contains(marks, "#"), Scale: strings.Contains(marks, "'")}
	if has {
		in.Shape = textShape(shape)
	}
	return in
}

func textAttribute(f string) DefinedAttribute {
	name, value, has := strings.Cut(f, "=")
	names := strings.Split(name, "|")
	a := DefinedAttribute{Name: names[0], Also: names[1:]}
	value, words, hasWords := strings.Cut(value, "{")
	if hasWords {
		a.Words = map[string]int64{}
		for _, w := range strings.Split(strings.TrimSuffix(words, "}"), ",") {
			word, n, _ := strings.Cut(w, ":")
			a.Words[word], _ = strconv.ParseInt(n, 10, 64)
		}
	}
	if !has {
		return a
	}
	a.Default = []float64{}
	for _, v := range slices.DeleteFunc(strings.Split(value, ","), func(v string) bool { return v == "" }) {
		x, err := strconv.ParseFloat(v, 64)
		if n, isWord := a.Words[v]; isWord {
			x, err = float64(n), nil
		}
		if err != nil {
			panic(fmt.Sprintf("op: attribute %q of a definition: %v", f, err))
		}
		a.Default = append(a.Default, x)
	}
	return a
}
