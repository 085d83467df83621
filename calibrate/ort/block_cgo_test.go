//go:build cgo

package ort

import "testing"

func TestX(t *testing.T) {
	b, err := library(t).ChannelBlock()
	t.Log(b, err)
}
