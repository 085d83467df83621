package form

import (
	"github.com/onnxcost/onnxcost/costmodel/plan"
	"github.com/onnxcost/onnxcost/specs"
)

// Setup is what a fitted form gets to prepare itself for one plan on one device.
type Setup struct {
	Plan      *plan.Plan
	Device    *specs.Device
	Fit       *specs.Fit
	Precision specs.DType
	Threads   int // 0 where the device is not divided
}

// timeForms are the fitted forms of kernel time by Fit.Form. A fit whose form is not here is not used.
var timeForms = map[string]func(Setup) (Model, error){
	FormTorch7: newTorch7Model,
	FormORTCPU: newORTModel,
	FormGPU:    newGPUModel,
}

// NewFitted is the model of the setup's fit, which has one of the known forms.
func NewFitted(s Setup) (Model, error) { return timeForms[s.Fit.Form](s) }

// FindFit gives the fit that serves the runtime, threads and precision among the forms that the model knows.
func FindFit(d *specs.Device, rt plan.Runtime, p specs.DType, threads int) *specs.Fit {
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
