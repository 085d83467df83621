package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"onnxcost": main})
}

// TestScripts runs the commands as a user would; -update rewrites the outputs that scripts compare with.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			env.Setenv("ONNXCOST_SHARED", os.Getenv("ONNXCOST_SHARED"))
			env.Setenv("NO_COLOR", "1")
			return nil
		},
	})
}
