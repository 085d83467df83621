package cuda_test

import (
	"errors"
	"fmt"

	"github.com/onnxcost/onnxcost/calibrate/cuda"
)

// Where there is no driver, Open says so with an error of its own; a driver that fails gives an *Error.
func ExampleOpen() {
	d, err := cuda.Open(cuda.Options{})
	if errors.Is(err, errors.ErrUnsupported) {
		fmt.Println("no NVIDIA GPU here:", err)
		return
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	defer d.Close()
	ctx, err := d.Open(0)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer ctx.Close()
	fmt.Printf("%+v\n", ctx.Info())
}
