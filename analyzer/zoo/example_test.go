package zoo_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/zoo"
)

// The cost of a network of the zoo for any batch size.
func Example() {
	m, err := zoo.Build("resnet50", zoo.None)
	if err != nil {
		log.Fatal(err)
	}
	r, err := analyzer.Analyze(context.Background(), m, analyzer.Options{})
	if err != nil {
		log.Fatal(err)
	}
	t := r.Totals()
	fmt.Println("MACs:  ", t.MACs)
	fmt.Println("params:", t.TrainableParams)
	// Output:
	// MACs:   4089184256*batch
	// params: 25557032
}

// Writing a network with random weights to a file that a runtime can run.
func ExampleBuild() {
	m, err := zoo.Build("squeezenet1_1", zoo.Fill)
	if err != nil {
		log.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "zoo")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "squeezenet.onnx")
	if err := onnx.WriteFile(path, m); err != nil {
		log.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.1f MB\n", float64(info.Size())/1e6)
	// Output: 5.0 MB
}

func ExampleInfo() {
	e, ok := zoo.Info("Inception_V4")
	fmt.Println(ok, e.Name, e.Group, e.Input)
	// Output: true inception-v4 paper [3 299 299]
}
