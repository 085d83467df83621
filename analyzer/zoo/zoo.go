package zoo

import (
	"fmt"
	"strings"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// Weights says what the weights of a built model hold; see the package comment.
type Weights int

const (
	None Weights = iota // dims only: constants that a runtime generates
	Fill                // random values
)

// Group says why a network is in the zoo.
type Group string

const (
	Paper   Group = "paper"   // one of the fourteen of arXiv:1605.07678
	Variant Group = "variant" // another form of one of those
	Modern  Group = "modern"  // a network of today to compare with
)

// Entry describes a network.
type Entry struct {
	Name   string   // as Names lists it
	Title  string   // as papers print it
	Group  Group    //
	Input  [3]int64 // channels, height, width; one sample
	Source string   // the definition that the graph follows
	Note   string   // what a reader of its figures should know; may be empty

	build func(g net, x tensor) tensor
}

// Names lists the networks: the paper's fourteen first, then variants, then modern ones.
func Names() []string {
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name
	}
	return names
}

// Info returns the entry of a network. Case, '-', '_' and '.' do not matter in name: ResNet_50 is resnet50.
func Info(name string) (Entry, bool) {
	for _, e := range entries {
		if plain(e.Name) == plain(name) {
			return e, true
		}
	}
	return Entry{}, false
}

var dashes = strings.NewReplacer("-", "", "_", "", ".", "")

func plain(name string) string { return dashes.Replace(strings.ToLower(name)) }

// Build returns a network as a model, for any name that Info accepts. Weights are generated when the model is written
// (onnx.Encode, onnx.WriteFile), so even a filled VGG-19 takes kilobytes.
func Build(name string, w Weights) (*onnx.Model, error) {
	e, ok := Info(name)
	if !ok {
		return nil, fmt.Errorf("zoo: no network %q; there are %s", name, strings.Join(Names(), ", "))
	}
	if w != None && w != Fill {
		return nil, fmt.Errorf("zoo: %s: weights %d: want None or Fill", e.Name, w)
	}
	g := newNet(e.Name, w)
	g.output(e.build(g, g.input(e.Input[:]...)))
	doc := e.Title + ": " + e.Source
	if e.Note != "" {
		doc += " " + e.Note
	}
	return &onnx.Model{
		Path: "zoo:" + e.Name, IRVersion: irVersion, ProducerName: "onnxcost", DocString: doc,
		Opsets: []onnx.OpsetID{{Version: opset}}, Graph: g.onnx,
	}, nil
}
