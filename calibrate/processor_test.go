package calibrate

import (
	"slices"
	"testing"

	"github.com/onnxcost/onnxcost/specs"
)

// TestChannelBlock asks the runtime for its channel block and compares it with what public builds have by the features
// that the system states: 16 with AVX-512, 8 on other x86-64, none on arm64.
func TestChannelBlock(t *testing.T) {
	lib := library(t)
	got, err := lib.ChannelBlock()
	if err != nil {
		t.Fatal(err)
	}
	stated := &specs.Processor{Features: specs.KnownFeatures(cores().Features)}
	if want := stated.Block(); int64(got) != want {
		t.Errorf("got %d, want %d with %v", got, want, stated.Features)
	}
	host, err := HostProcessor(lib)
	if err != nil {
		t.Fatal(err)
	}
	if host.Block() != int64(got) || !slices.Equal(host.Features, stated.Features) {
		t.Errorf("processor: got block %d, features %v; want %d, %v", host.Block(), host.Features, got, stated.Features)
	}
	t.Logf("%d channels in a block, %v", got, host.Features)
}
