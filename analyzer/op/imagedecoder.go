package op

import (
	"bytes"
	endian "encoding/binary"
	"strconv"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// imageDecoderShape decodes no pixels: the header of a known stream says height and width.
func imageDecoderShape(c *Call) error {
	if _, _, err := c.wantRank(0, 1, 1); err != nil {
		return err
	}
	channels := int64(3)
	if c.Str("pixel_format", "RGB") == "Grayscale" {
		channels = 1
	}
	if nums, _, ok := c.In[0].scan(); ok {
		if stream, ok := byteString(nums); ok {
			if w, h, ok := imageSize(stream); ok {
				c.Out[0].SetTensor(onnx.Uint8, Consts(h, w, channels))
				return nil
			}
		}
	}
	c.Out[0].SetTensor(onnx.Uint8, Shape{c.fresh("height", dim.Dim{}), c.fresh("width", dim.Dim{}), dim.Const(channels)})
	return nil
}

func byteString(nums []Num) ([]byte, bool) {
	out := make([]byte, len(nums))
	for i, n := range nums {
		v, ok := n.Int64()
		if !ok || v < 0 || v > 255 {
			return nil, false
		}
		out[i] = byte(v)
	}
	return out, true
}

// imageSize reads width and height from the header of the formats that the standard names: BMP, JPEG, JPEG 2000, TIFF,
// PNG, WebP and portable any-map.
func imageSize(b []byte) (w, h int64, ok bool) {
	switch {
	case bytes.HasPrefix(b, []byte("\x89PNG\r\n\x1a\n")) && len(b) >= 24:
		return be32(b, 16), be32(b, 20), true
	case bytes.HasPrefix(b, []byte("\xff\xd8")):
		return jpegSize(b)
	case bytes.HasPrefix(b, []byte("BM")) && len(b) >= 26:
		h := int64(int32(endian.LittleEndian.Uint32(b[22:])))
		return le32(b, 18), max(h, -h), true // a negative height is a bottom-up flag
	case bytes.HasPrefix(b, []byte("II*\x00")):
		return tiffSize(b, endian.LittleEndian)
	case bytes.HasPrefix(b, []byte("MM\x00*")):
		return tiffSize(b, endian.BigEndian)
	case bytes.HasPrefix(b, []byte("RIFF")) && len(b) >= 30 && string(b[8:12]) == "WEBP":
		return webpSize(b)
	case bytes.HasPrefix(b, []byte("\x00\x00\x00\x0cjP  ")):
		if i := bytes.Index(b, []byte("ihdr")); i >= 0 && len(b) >= i+12 { // the image header box: height, then width
			return be32(b, i+8), be32(b, i+4), true
		}
	case bytes.HasPrefix(b, []byte("\xff\x4f\xff\x51")) && len(b) >= 24: // bare codestream: SIZ, extent less offset
		return be32(b, 8) - be32(b, 16), be32(b, 12) - be32(b, 20), true
	case len(b) > 2 && b[0] == 'P' && b[1] >= '1' && b[1] <= '6':
		return pnmSize(b[2:])
	}
	return 0, 0, false
}

func be32(b []byte, at int) int64 { return int64(endian.BigEndian.Uint32(b[at:])) }

func le32(b []byte, at int) int64 { return int64(endian.LittleEndian.Uint32(b[at:])) }

// jpegSize walks the segments up to the frame header (any SOF marker).
func jpegSize(b []byte) (w, h int64, ok bool) {
	for at := 2; at+9 <= len(b) && b[at] == 0xff; {
		marker := b[at+1]
		switch {
		case marker == 0xff: // fill byte
			at++
			continue
		case marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc:
			return int64(endian.BigEndian.Uint16(b[at+7:])), int64(endian.BigEndian.Uint16(b[at+5:])), true
		case marker == 0x01 || marker >= 0xd0 && marker <= 0xd8: // no payload
			at += 2
			continue
		}
		at += 2 + int(endian.BigEndian.Uint16(b[at+2:]))
	}
	return 0, 0, false
}

// tiffSize reads tags 256 (width) and 257 (height) of the first directory.
func tiffSize(b []byte, order endian.ByteOrder) (w, h int64, ok bool) {
	if len(b) < 8 {
		return 0, 0, false
	}
	at := int64(order.Uint32(b[4:]))
	if at+2 > int64(len(b)) {
		return 0, 0, false
	}
	for i := range int64(order.Uint16(b[at:])) {
		e := at + 2 + 12*i
		if e+12 > int64(len(b)) {
			break
		}
		v := int64(order.Uint32(b[e+8:]))
		if order.Uint16(b[e+2:]) == 3 { // a short fills the first half of the value
			v = int64(order.Uint16(b[e+8:]))
		}
		switch order.Uint16(b[e:]) {
		case 256:
			w = v
		case 257:
			h = v
		}
	}
	return w, h, w > 0 && h > 0
}

// webpSize reads the three forms of the first chunk.
func webpSize(b []byte) (w, h int64, ok bool) {
	switch string(b[12:16]) {
	case "VP8 ": // 14 bits each, after the frame tag and the start code
		return int64(endian.LittleEndian.Uint16(b[26:]) & 0x3fff), int64(endian.LittleEndian.Uint16(b[28:]) & 0x3fff), true
	case "VP8L": // 14 bits each, less 1, after the signature byte
		v := le32(b, 21)
		return v&0x3fff + 1, v>>14&0x3fff + 1, true
	case "VP8X": // 24 bits each, less 1, after the flags
		return le32(b, 24)&0xffffff + 1, le32(b, 26)>>8 + 1, true
	}
	return 0, 0, false
}

// pnmSize reads two decimal numbers; # starts a comment that runs to the end of the line.
func pnmSize(b []byte) (w, h int64, ok bool) {
	var v [2]int64
	for i := range v {
		for len(b) > 0 && (b[0] == '#' || b[0] <= ' ') {
			if b[0] == '#' {
				n := bytes.IndexByte(b, '\n')
				if n < 0 {
					return 0, 0, false
				}
				b = b[n:]
			}
			b = b[1:]
		}
		n := 0
		for n < len(b) && b[n] >= '0' && b[n] <= '9' {
			n++
		}
		var err error
		if v[i], err = strconv.ParseInt(string(b[:n]), 10, 32); err != nil {
			return 0, 0, false
		}
		b = b[n:]
	}
	return v[0], v[1], true
}

var imageDecoderRules = []Rule{
	{Op: "ImageDecoder", Since: 20, Shape: imageDecoderShape, Work: noWork, Memory: Stream, Class: Other,
		Uncounted: coding, Doc: "decoding is not counted; height and width come from the header of a known stream, else they are symbols"},
}
