package main

import (
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
)

// The part of SARIF 2.1.0 (OASIS Standard, 2020) that a check needs: one run, a rule for each limit, a result for each
// limit that does not hold, at its line of the budget, with the model as logical location.

const (
	sarifVersion = "2.1.0"
	sarifSchema  = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)

type sarifFile struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool struct {
		Driver sarifDriver `json:"driver"`
	} `json:"tool"`
	Invocations []sarifInvocation `json:"invocations"`
	ColumnKind  string            `json:"columnKind"`
	Results     []sarifResult     `json:"results"`
}

type sarifDriver struct {
	Name    string      `json:"name"`
	Version string      `json:"version,omitempty"`
	Rules   []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID    string    `json:"id"`
	Short sarifText `json:"shortDescription"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifInvocation struct {
	Successful    bool                `json:"executionSuccessful"`
	Notifications []sarifNotification `json:"toolExecutionNotifications,omitempty"`
}

type sarifNotification struct {
	Level   level     `json:"level"`
	Message sarifText `json:"message"`
}

type sarifResult struct {
	RuleID       string            `json:"ruleId"`
	RuleIndex    int               `json:"ruleIndex"`
	Level        level             `json:"level"`
	Message      sarifText         `json:"message"`
	Locations    []sarifLocation   `json:"locations"`
	Fingerprints map[string]string `json:"partialFingerprints"`
	Properties   map[string]any    `json:"properties,omitempty"`
}

type sarifLocation struct {
	Physical sarifPhysical  `json:"physicalLocation"`
	Logical  []sarifLogical `json:"logicalLocations"`
}

type sarifPhysical struct {
	Artifact sarifArtifact `json:"artifactLocation"`
	Region   *sarifRegion  `json:"region,omitempty"`
}

type sarifArtifact struct {
	URI string `json:"uri"`
}

type sarifRegion struct {
	StartLine   int `json:"startLine"`
	StartColumn int `json:"startColumn,omitempty"`
}

type sarifLogical struct {
	Name string `json:"fullyQualifiedName"`
	Kind string `json:"kind"`
}

func sarifLog(v *verdicts) *sarifFile {
	run := sarifRun{ColumnKind: "unicodeCodePoints", Results: []sarifResult{}}
	run.Tool.Driver = sarifDriver{Name: "onnxcost", Version: buildVersion(), Rules: []sarifRule{}}
	rules := map[string]int{}
	for i := range v.Limits {
		l := &v.Limits[i]
		lv := v.level(l)
		if lv == levelNone {
			continue
		}
		at, ok := rules[l.Limit]
		if !ok {
			at = len(run.Tool.Driver.Rules)
			rules[l.Limit] = at
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{l.Limit, sarifText{"The budget's limit on " + strings.ReplaceAll(l.Limit, "_", " ")}})
		}
		loc := sarifLocation{Physical: sarifPhysical{Artifact: sarifArtifact{fileURI(v.Budget)}}, Logical: []sarifLogical{{l.Model, "module"}}}
		if l.Line > 0 {
			loc.Physical.Region = &sarifRegion{l.Line, l.Column}
		}
		run.Results = append(run.Results, sarifResult{RuleID: l.Limit, RuleIndex: at, Level: lv, Message: sarifText{sentence(l)}, Locations: []sarifLocation{loc},
			Fingerprints: map[string]string{"limit/v1": strings.Join([]string{l.Model, l.Limit, l.Device, string(l.Runtime), string(l.Precision), fmt.Sprint(l.Batch)}, "|")},
			Properties:   map[string]any{"verdict": l.Verdict, "value": l.Value, "bound": l.Bound, "low": l.Low, "high": l.High}})
	}
	inv := sarifInvocation{Successful: len(v.Problems) == 0}
	for _, p := range v.Problems {
		inv.Notifications = append(inv.Notifications, sarifNotification{levelError, sarifText{describeError(p.Model, p.Err)}})
	}
	run.Invocations = []sarifInvocation{inv}
	return &sarifFile{Schema: sarifSchema, Version: sarifVersion, Runs: []sarifRun{run}}
}

// buildVersion is the version of the program, "devel" where it was built from a working tree.
func buildVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}

// fileURI writes a path as a relative reference, or as a file URI where it is absolute.
func fileURI(path string) string {
	slash := filepath.ToSlash(path)
	if !filepath.IsAbs(path) {
		return (&url.URL{Path: strings.TrimPrefix(slash, "./")}).String()
	}
	return (&url.URL{Scheme: "file", Path: "/" + strings.TrimPrefix(slash, "/")}).String()
}

// writeGitHub annotates the lines of the budget that do not hold, and adds the table to the summary of the job where
// there is one.
func writeGitHub(w io.Writer, v *verdicts, summary string) error {
	for i := range v.Limits {
		l := &v.Limits[i]
		if lv := v.level(l); lv != levelNone {
			title := fmt.Sprintf("%s of %s: %s", l.Limit, l.Model, l.Verdict)
			if _, err := fmt.Fprintln(w, annotation(lv, filepath.ToSlash(v.Budget), l.Line, l.Column, title, sentence(l))); err != nil {
				return err
			}
		}
	}
	for _, p := range v.Problems {
		if _, err := fmt.Fprintln(w, annotation(levelError, filepath.ToSlash(p.Model), 0, 0, "model not judged", describeError(p.Model, p.Err))); err != nil {
			return err
		}
	}
	if summary == "" {
		return githubTable(w, v)
	}
	f, err := os.OpenFile(summary, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return misuse("GITHUB_STEP_SUMMARY: %v", err)
	}
	err = githubTable(f, v)
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}
