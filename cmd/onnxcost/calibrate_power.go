package main

import (
	"fmt"

	"github.com/onnxcost/onnxcost/specs"
)

// statedPower is what the user says that the data sheet says, in watts; 0 where nothing was given.
type statedPower struct{ idleW, limitW float64 }

func (o *calibrateOptions) statedPower() (p statedPower, err error) {
	for _, f := range []struct {
		flag, text string
		to         *float64
	}{{"--idle-power", o.idle, &p.idleW}, {"--max-power", o.maximum, &p.limitW}} {
		if f.text == "" {
			continue
		}
		q, err := specs.ParseQuantity(f.text, specs.DimPower)
		if err != nil || !(q.Value > 0) {
			return p, misuse("%s %s: want watts above 0, such as 10W", f.flag, f.text)
		}
		*f.to = q.Value
	}
	if p.idleW > 0 && p.limitW > 0 && p.idleW >= p.limitW {
		return p, misuse("--idle-power %s: want less than --max-power %s", o.idle, o.maximum)
	}
	return p, nil
}

// stated is the key of the source of figures that the user gives.
const stated = "datasheet"

// complete fills in what was not measured, and says where a prediction would have no power.
func (p statedPower) complete(s streams, d *specs.Device) {
	set := func(to **specs.Figure, watts float64, flag string) {
		switch {
		case watts == 0:
		case *to != nil:
			fmt.Fprintf(s.err, "onnxcost: %s is not needed: the calibration has %.4g W\n", flag, (*to).Value)
		default:
			if d.Sources == nil {
				d.Sources = map[string]specs.Source{}
			}
			if _, ok := d.Sources[stated]; !ok {
				d.Sources[stated] = specs.Source{Title: "the data sheet, as the user of calibrate stated it"}
			}
			*to = &specs.Figure{Value: watts, Source: stated, Where: flag}
		}
	}
	set(&d.Power.IdleW, p.idleW, "--idle-power")
	set(&d.Power.LimitW, p.limitW, "--max-power")
	if d.Power.IdleW != nil && d.Power.LimitW != nil && d.Power.IdleW.Value >= d.Power.LimitW.Value {
		fmt.Fprintf(s.err, "onnxcost: idle power of %.4g W and a limit of %.4g W contradict each other; what was measured stays\n", d.Power.IdleW.Value, d.Power.LimitW.Value)
		if d.Power.LimitW.Source == stated {
			d.Power.LimitW = nil
		} else {
			d.Power.IdleW = nil
		}
	}
	fitted := d.FindFit(specs.FitKey{Measure: specs.MeasurePower}) != nil
	if d.Power.IdleW == nil || d.Power.LimitW == nil && !fitted {
		fmt.Fprintln(s.err, "onnxcost: the profile has no power: predictions will have no energy; --idle-power 10W --max-power 65W takes the data sheet's")
	}
}
