package calibrate

import (
	"cmp"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// crashing are the published graphs with which ONNX Runtime 1.30 itself crashes when it makes a session.
var crashing = []string{"poolformerv2_s24", "poolformerv2_s36"}

// publishedSeed drew the halves of the published graphs, on 2026-11-30, before any of their times was measured here.
const publishedSeed = 20261130

// unseenPublished are the published graphs that are looked at once, at the end, and reported whole: half of those that the
// runtime takes, drawn by a seed. The other half may be looked at.
func unseenPublished(names []string) map[string]bool {
	names = slices.DeleteFunc(slices.Sorted(slices.Values(names)), func(n string) bool { return slices.Contains(crashing, n) })
	r := rand.New(rand.NewPCG(publishedSeed, 0))
	r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	unseen := map[string]bool{}
	for _, n := range names[:len(names)/2] {
		unseen[n] = true
	}
	return unseen
}

// TestExportNetworks writes the networks of the recordings as files for onnxcost measure into the directory that
// ONNXCOST_EXPORT names, by set: recorded, published, unseen.
func TestExportNetworks(t *testing.T) {
	dir := os.Getenv("ONNXCOST_EXPORT")
	if dir == "" {
		t.Skip("needs ONNXCOST_EXPORT, a directory")
	}
	write := func(set, name string, m *onnx.Model) {
		path := filepath.Join(dir, set, name+".onnx")
		if err := cmp.Or(os.MkdirAll(filepath.Dir(path), 0o755), onnx.WriteFile(path, m)); err != nil {
			t.Fatal(err)
		}
	}
	for name, build := range otherNetworks {
		write("recorded", "other:"+name, build())
	}
	for name, n := range unseenNetworks {
		write("recorded", "unseen:"+name, n.model())
	}
	graphs := publishedGraphs(t)
	unseen := unseenPublished(sortedNames(graphs))
	for name, path := range graphs {
		set := "published"
		switch {
		case slices.Contains(crashing, name):
			continue
		case unseen[name]:
			set = "unseen"
		}
		m, err := onnx.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		write(set, "timm:"+name, m)
	}
}
