package zoo

import (
	"encoding/binary"
	"hash/fnv"
	"io"
	"math"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// seed selects the random weights of Fill. Exported files are compared between releases, so it never changes.
const seed = 0x160507678

// initializer says what a weight holds: constant where std is 0, else random numbers for Fill and constant for None.
type initializer struct {
	constant float32
	std      float64
}

func constant(v float32) initializer { return initializer{constant: v} }

// normal has mean 0; in models without weights it is filled with std.
func normal(std float64) initializer { return initializer{float32(std), std} }

// heNormal keeps the variance of activations through a layer with ReLU (He, Zhang, Ren, Sun, Delving Deep into
// Rectifiers, 2015, equation 10). In models without weights the layer averages its inputs.
func heNormal(fanIn int64) initializer {
	return initializer{constant: float32(1 / float64(fanIn)), std: math.Sqrt(2 / float64(fanIn))}
}

// tensor is the weight called name, generated at each use.
func (in initializer) tensor(name string, dims []int64) *onnx.Tensor {
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	return onnx.GeneratedTensor(name, onnx.Float32, dims, func(w io.Writer) error { return in.write(w, name, n) })
}

// write generates n little-endian float32 values. The stream depends on the weight's name alone.
func (in initializer) write(w io.Writer, name string, n int64) error {
	next := func() float32 { return in.constant }
	if in.std != 0 {
		h := fnv.New64a()
		io.WriteString(h, name)
		r := splitmix(h.Sum64() ^ seed)
		scale := in.std / latticeStd
		next = func() float32 { return float32(float64(r.lattice()) * scale) }
	}
	buf := make([]byte, 0, 16<<10)
	for n > 0 {
		buf = buf[:0]
		for ; n > 0 && len(buf) < cap(buf); n-- {
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(next()))
		}
		if _, err := w.Write(buf); err != nil {
			return err
		}
	}
	return nil
}

// splitmix is Vigna's SplitMix64.
type splitmix uint64

func (r *splitmix) next() uint64 {
	*r += 0x9e3779b97f4a7c15
	z := uint64(*r)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// lattice is close to normal: the sum of four uniform 16-bit integers, less its mean. Integers and the one
// multiplication that follows round alike on every processor, which logarithms and fused sums do not.
func (r *splitmix) lattice() int64 {
	u := r.next()
	sum := u&0xffff + u>>16&0xffff + u>>32&0xffff + u>>48
	return int64(sum) - 2*0xffff
}

// latticeStd is the standard deviation of lattice: √(4·(2³²−1)/12).
var latticeStd = math.Sqrt((1<<32 - 1) / 3.0)
