package main

import (
	"bytes"
	"encoding/json"
	"testing"
)

// TestJSONLines breaks documents into lines and takes the lines out again.
func TestJSONLines(t *testing.T) {
	for _, c := range []struct {
		in    string
		depth int
		want  string
	}{
		{`{"a":1,"b":[1,{"c":[]}],"d":{}}`, 0, `{"a": 1, "b": [1, {"c": []}], "d": {}}`},
		{`{"a":1,"b":[1,{"c":[]}],"d":{}}`, 1, "{\n  \"a\": 1,\n  \"b\": [1, {\"c\": []}],\n  \"d\": {}\n }"},
		{`{"a":[1,{"c":2}]}`, 2, "{\n  \"a\": [\n   1,\n   {\"c\": 2}\n  ]\n }"},
		{`["}\",[{:\\",{"\\":"a,b:c"}]`, 1, "[\n  \"}\\\",[{:\\\\\",\n  {\"\\\\\": \"a,b:c\"}\n ]"},
		{`[[],{},[[1],[2,3]]]`, 3, "[\n  [],\n  {},\n  [\n   [\n    1\n   ],\n   [\n    2,\n    3\n   ]\n  ]\n ]"},
	} {
		got := string(appendJSONLines(nil, []byte(c.in), " ", c.depth))
		if got != c.want {
			t.Errorf("%s to depth %d:\n%s\nwant\n%s", c.in, c.depth, got, c.want)
		}
		var back bytes.Buffer
		if err := json.Compact(&back, []byte(got)); err != nil || back.String() != c.in {
			t.Errorf("%s to depth %d is %s again: %v", c.in, c.depth, back.String(), err)
		}
	}
}
