package calibrate

import "math"

// fusedClasses are activations that the runtime puts together or into what is before them. They stand behind the other
// classes, whose shapes a class in between would change.
var fusedClasses = []microClass{
	elementClass("fastgelu", (*micro).tanhGelu),
	rowClass("biasfastgelu", 5, func(m *micro, x arg) arg {
		return m.tanhGelu(m.op("Add", x.dims, []arg{x, m.weight(1, x.dims[2])}))
	}),
	convClass("convhardswish", 8, 1e5, 6e7, func(d *draw) convDraw {
		c := d.channels(16, 128)
		v := convDraw{cin: c, cout: c, h: d.log(14, 120), act: 2, depth: d.pick(2, 3, 4)}
		v.kh = d.pick(1, 1, 3)
		if v.kw = v.kh; v.kh == 3 {
			v.g = c
		}
		return v
	}),
}

// tanhGelu is x/2·(1+tanh(√(2/π)(x+0.044715x³))).
func (m *micro) tanhGelu(x arg) arg {
	op := func(op string, a, b arg) arg { return m.op(op, x.dims, []arg{a, b}) }
	inner := op("Add", x, op("Mul", op("Pow", x, m.scalar(3)), m.scalar(0.044715)))
	t := m.unary("Tanh", op("Mul", inner, m.scalar(float32(math.Sqrt(2/math.Pi)))))
	return op("Mul", op("Mul", x, m.scalar(0.5)), op("Add", t, m.scalar(1)))
}
