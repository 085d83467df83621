package costmodel

import (
	"github.com/onnxcost/onnxcost/costmodel/plan"
	"github.com/onnxcost/onnxcost/specs"
)

// setup is what a fitted form gets to prepare itself for one plan on one device.
type setup struct {
	plan      *plan.Plan
	device    *specs.Device
	fit       *specs.Fit
	precision specs.DType
	threads   int // 0 where the device is not divided
}

// timeForms are the fitted forms of kernel time by Fit.Form. A fit whose form is not here is not used.
var timeForms = map[string]func(setup) (timeModel, error){
	FormTorch7: newTorch7Model,
	FormORTCPU: newORTModel,
	FormGPU:    newGPUModel,
}

// newFitted is the model of the setup's fit, which has one of the known forms.
func newFitted(s setup) (timeModel, error) { return timeForms[s.fit.Form](s) }

// findTimeFit gives the fit that serves the runtime, threads and precision among the forms that the model knows.
func findTimeFit(d *specs.Device, rt plan.Runtime, p specs.DType, threads int) *specs.Fit {
	for i := range d.Fits {
		form := d.Fits[i].Form
		if _, known := timeForms[form]; !known || d.Fits[i].Measure != specs.MeasureTime {
			continue
		}
		fit := d.FindFit(specs.FitKey{Measure: specs.MeasureTime, Form: form, Runtime: string(rt), Threads: threads, Precision: p})
		if fit != nil {
			return fit
		}
	}
	return nil
}
