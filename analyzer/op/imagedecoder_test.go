package op

import (
	"bytes"
	endian "encoding/binary"
	"image"
	"image/jpeg"
	"image/png"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// imageHeaders are streams of a picture 300 wide and 200 high, cut after the header where no encoder is at hand.
func imageHeaders(t testing.TB) map[string][]byte {
	picture := image.NewRGBA(image.Rect(0, 0, 300, 200))
	var p, j bytes.Buffer
	if err := png.Encode(&p, picture); err != nil {
		t.Fatal(err)
	}
	if err := jpeg.Encode(&j, picture, nil); err != nil {
		t.Fatal(err)
	}
	le32 := func(v uint32) string { return string(endian.LittleEndian.AppendUint32(nil, v)) }
	be32 := func(v uint32) string { return string(endian.BigEndian.AppendUint32(nil, v)) }
	le16 := func(v uint16) string { return string(endian.LittleEndian.AppendUint16(nil, v)) }
	entry := func(tag, kind uint16, v string) string { return le16(tag) + le16(kind) + le32(1) + v }
	top := -200 // rows stored from the top
	lossless := uint32(300-1) | uint32(200-1)<<14
	s := map[string]string{
		"png":            p.String(),
		"jpeg":           j.String(),
		"bmp":            "BM" + le32(1000) + le32(0) + le32(54) + le32(40) + le32(300) + le32(200) + le32(0),
		"bmp top down":   "BM" + le32(1000) + le32(0) + le32(54) + le32(40) + le32(300) + le32(uint32(int32(top))) + le32(0),
		"pnm":            "P6\n# a comment\n300 200\n255\n",
		"tiff":           "II*\x00" + le32(8) + le16(2) + entry(256, 3, le16(300)+le16(0)) + entry(257, 4, le32(200)),
		"webp lossy":     "RIFF" + le32(100) + "WEBPVP8 " + le32(80) + "\x00\x00\x00\x9d\x01\x2a" + le16(300) + le16(200),
		"webp lossless":  "RIFF" + le32(100) + "WEBPVP8L" + le32(80) + "\x2f" + le32(lossless) + "\x00\x00\x00\x00\x00",
		"webp extended":  "RIFF" + le32(100) + "WEBPVP8X" + le32(10) + le32(0) + le32(299)[:3] + le32(199)[:3],
		"jpeg 2000":      "\x00\x00\x00\x0cjP  \r\n\x87\n" + be32(22) + "ihdr" + be32(200) + be32(300) + "\x00\x03\x07\x07",
		"jpeg 2000 bare": "\xff\x4f\xff\x51\x00\x2f\x00\x00" + be32(310) + be32(205) + be32(10) + be32(5),
	}
	out := map[string][]byte{}
	for name, b := range s {
		out[name] = []byte(b)
	}
	return out
}

func TestImageSize(t *testing.T) {
	for name, b := range imageHeaders(t) {
		if w, h, ok := imageSize(b); w != 300 || h != 200 || !ok {
			t.Errorf("%s: got %d x %d, %v", name, w, h, ok)
		}
	}
	stream := tensorOf(onnx.Uint8, "bytes")
	c, _ := apply(t, "ImageDecoder", latest, 1, attributes{"pixel_format": "Grayscale"}, stream)
	if got := types(c); got != "uint8[height_1,width_2,1]" {
		t.Errorf("unknown stream: got %s", got)
	}
}

// FuzzImageSize: any bytes give a size or none, and never a panic.
func FuzzImageSize(f *testing.F) {
	for _, b := range imageHeaders(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { imageSize(b) })
}
