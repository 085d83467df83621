package main

import (
	"fmt"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/onnxcost/onnxcost/calibrate"
	"github.com/onnxcost/onnxcost/calibrate/ort"
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
			env.Setenv(ort.EnvLibrary, os.Getenv(ort.EnvLibrary))
			env.Setenv("NO_COLOR", "1")
			return nil
		},
		// ort: this program can open ONNX Runtime; library: and the environment names one; rapl: energy can be read
		Condition: func(name string) (bool, error) {
			switch name {
			case "ort":
				return ort.Available, nil
			case "rapl":
				_, err := calibrate.OpenRAPL()
				return err == nil, nil
			case "library":
				return ort.Available && os.Getenv(ort.EnvLibrary) != "", nil
			}
			return false, fmt.Errorf("unknown condition %s", name)
		},
	})
}
