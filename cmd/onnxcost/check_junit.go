package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/onnxcost/onnxcost/costmodel/budget"
)

// The JUnit report that CI systems read: a suite for each model, a case for each limit.

type junitReport struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Skipped  int          `xml:"skipped,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name    string        `xml:"name,attr"`
	Class   string        `xml:"classname,attr"`
	File    string        `xml:"file,attr,omitempty"`
	Line    int           `xml:"line,attr,omitempty"`
	Failure *junitOutcome `xml:"failure"`
	Error   *junitOutcome `xml:"error"`
	Skipped *junitOutcome `xml:"skipped"`
	Out     string        `xml:"system-out,omitempty"`
}

type junitOutcome struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

func junitOf(v *verdicts) *junitReport {
	r := &junitReport{Name: "onnxcost check " + v.Budget}
	suite := func(model string) *junitSuite {
		for i := range r.Suites {
			if r.Suites[i].Name == model {
				return &r.Suites[i]
			}
		}
		r.Suites = append(r.Suites, junitSuite{Name: model})
		return &r.Suites[len(r.Suites)-1]
	}
	for i := range v.Limits {
		l := &v.Limits[i]
		su := suite(l.Model)
		c := junitCase{Name: l.Limit, Class: l.Model, File: v.Budget, Line: l.Line}
		if u := settingOf(l); u != "" {
			c.Name += " on " + u
		}
		text := sentence(l)
		switch v.level(l) {
		case levelError:
			c.Failure = &junitOutcome{Message: text, Type: string(l.Verdict), Text: text}
			su.Failures++
			r.Failures++
		case levelWarning:
			c.Skipped = &junitOutcome{Message: text}
			su.Skipped++
			r.Skipped++
		default:
			c.Out = text
		}
		su.Tests++
		r.Tests++
		su.Cases = append(su.Cases, c)
	}
	for _, p := range v.Problems {
		su := suite(p.Model)
		su.Cases = append(su.Cases, junitCase{Name: "model", Class: p.Model, Error: &junitOutcome{Message: p.Text, Type: "input", Text: p.Text}})
		su.Tests, su.Errors = su.Tests+1, su.Errors+1
		r.Tests, r.Errors = r.Tests+1, r.Errors+1
	}
	return r
}

func writeJUnit(w io.Writer, v *verdicts) error {
	data, err := xml.MarshalIndent(junitOf(v), "", " ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, data)
	return err
}

// annotation is a workflow command of GitHub Actions, which shows a message at a line of a file.
func annotation(l level, file string, line, column int, title, message string) string {
	data := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	place := ""
	if file != "" {
		place = "file=" + property.Replace(file) + ","
		if line > 0 {
			place += fmt.Sprintf("line=%d,", line)
		}
		if column > 0 {
			place += fmt.Sprintf("col=%d,", column)
		}
	}
	return fmt.Sprintf("::%s %stitle=%s::%s", l, place, property.Replace(title), data.Replace(message))
}

// githubTable is the result for people who read the summary of a job.
func githubTable(w io.Writer, v *verdicts) error {
	fmt.Fprintf(w, "### onnxcost: %s\n\n%s\n\n", v.Budget, tally(v))
	g := &grid{columns: []column{{title: ""}, {title: "model"}, {title: "limit"}, {title: "bound", right: true}, {title: "value", right: true},
		{title: "90 % interval"}, {title: "under"}, {title: "what must go"}}}
	for i := range v.Limits {
		l := &v.Limits[i]
		todo := ""
		if l.Verdict != budget.Pass {
			todo = advice(l)
		}
		g.add(map[budget.Verdict]string{budget.Pass: "✅ pass", budget.Fail: "❌ fail", budget.Uncertain: "⚠️ uncertain"}[l.Verdict],
			l.Model, l.Limit, bound(l), figure(l.Value, l.Dimension), interval(l), settingOf(l), todo)
	}
	for _, p := range v.Problems {
		g.add("❌ error", p.Model, "", "", "", "", "", p.Text)
	}
	return g.markdown(w)
}
