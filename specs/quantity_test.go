package specs

import (
	"errors"
	"math"
	"strings"
	"testing"
)

func TestParseQuantity(t *testing.T) {
	for _, tc := range []struct {
		text string
		dim  Dimension
		want float64
	}{
		{"250 mJ", DimEnergy, 0.25},
		{"1.1 kJ", DimEnergy, 1100},
		{"1.5 kWh", DimEnergy, 5.4e6},
		{"3.6e3 J", DimEnergy, 3600},
		{"33 ms", DimTime, 0.033},
		{"18.61 ms", DimTime, 0.01861},
		{"1 min", DimTime, 60},
		{"7 us", DimTime, 7e-6},
		{"7 µs", DimTime, 7e-6},
		{"12W", DimPower, 12},
		{" 700  mW ", DimPower, 0.7},
		{"512 MiB", DimBytes, 512 << 20},
		{"1.5 GB", DimBytes, 1.5e9},
		{"0 B", DimBytes, 0},
		{"5 G", DimMACs, 5e9},
		{"1.5 GMACs", DimMACs, 1.5e9},
		{"4089184256", DimMACs, 4089184256},
		{"8 GFLOPs", DimFLOPs, 8e9},
		{"30 M", DimParams, 30e6},
		{"30 /s", DimRate, 30},
		{"5 /min", DimRate, 5.0 / 60},
		{"10%", DimProportion, 0.1},
		{"+5 %", DimProportion, 0.05},
		{"-2.5 %", DimProportion, -0.025},
		{"2 k", DimCount, 2000},
		{".5 J", DimEnergy, 0.5},
		{"1e-3 J", DimEnergy, 1e-3},
	} {
		q, err := ParseQuantity(tc.text, tc.dim)
		if err != nil {
			t.Errorf("%q as %s: %v", tc.text, tc.dim, err)
			continue
		}
		if q.Value != tc.want || q.Dim != tc.dim {
			t.Errorf("%q as %s = %v %s, want %v", tc.text, tc.dim, q.Value, q.Dim, tc.want)
		}
	}
}

func TestParseQuantityErrors(t *testing.T) {
	for _, tc := range []struct {
		text   string
		dim    Dimension
		offset int
		want   string // part of the message
	}{
		{"5 GB", DimEnergy, 2, "want an energy such as 250 mJ or 1.1 kJ, have \"5 GB\", which is a size in bytes"},
		{"33", DimTime, 2, "which has no unit"},
		{"", DimTime, 0, "want a time"},
		{"fast", DimTime, 0, "have \"fast\""},
		{"12 mX", DimEnergy, 3, "\"mX\" is no unit"},
		{"12 mj", DimEnergy, 3, "\"mj\" is no unit"},
		{"1,5 J", DimEnergy, 1, "decimal point"},
		{"1_000 J", DimEnergy, 1, "without separators"},
		{"64 KB", DimBytes, 3, "KiB (1024)"},
		{"-3 W", DimPower, 0, "with a sign"},
		{"1e999 W", DimPower, 0, "out of range"},
		{"1e99999999999999999999 W", DimPower, 0, "out of range"},
		{"NaN W", DimPower, 0, "want a power"},
		{".inf W", DimPower, 0, "want a power"},
		{"0.1", DimProportion, 3, "no unit"},
		{"12 J", DimPower, 3, "which is an energy"},
		{"30 M", DimRate, 3, "which is a number of MACs"},
	} {
		_, err := ParseQuantity(tc.text, tc.dim)
		var qe *QuantityError
		if !errors.As(err, &qe) {
			t.Errorf("%q as %s: got %v, want a QuantityError", tc.text, tc.dim, err)
			continue
		}
		if !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%q as %s: %q lacks %q", tc.text, tc.dim, err, tc.want)
		}
		// "12 mX": the message may point at the unit or just before it.
		if d := qe.Offset - tc.offset; d < -1 || d > 0 || d != 0 && tc.text[qe.Offset] != ' ' {
			t.Errorf("%q as %s: offset %d, want %d", tc.text, tc.dim, qe.Offset, tc.offset)
		}
	}
	if _, err := ParseQuantity("1 J", "mass"); err == nil {
		t.Error("unknown dimension: no error")
	}
}

func TestQuantityString(t *testing.T) {
	for _, tc := range []struct {
		q           Quantity
		exact, nice string
	}{
		{Quantity{0.012, DimEnergy}, "12 mJ", "12 mJ"},
		{Quantity{0.01861, DimTime}, "18.61 ms", "18.6 ms"},
		{Quantity{1234.5678, DimPower}, "1.2345678 kW", "1.23 kW"},
		{Quantity{64 << 20, DimBytes}, "64 MiB", "64 MiB"},
		{Quantity{1e6, DimBytes}, "976.5625 KiB", "977 KiB"},
		{Quantity{1023, DimBytes}, "1023 B", "1023 B"},
		{Quantity{4089184256, DimMACs}, "4.089184256 GMACs", "4.09 GMACs"},
		{Quantity{25.557032e6, DimParams}, "25.557032 M", "25.6 M"},
		{Quantity{30, DimRate}, "30 /s", "30 /s"},
		{Quantity{0.1, DimProportion}, "10 %", "10 %"},
		{Quantity{0, DimTime}, "0 s", "0 s"},
		{Quantity{3e-13, DimTime}, "0.0003 ns", "0.0003 ns"},
		{Quantity{7200, DimTime}, "7200 s", "7200 s"},
	} {
		if got := tc.q.String(); got != tc.exact {
			t.Errorf("String(%v %s) = %q, want %q", tc.q.Value, tc.q.Dim, got, tc.exact)
		}
		if got := tc.q.Short(); got != tc.nice {
			t.Errorf("Short(%v %s) = %q, want %q", tc.q.Value, tc.q.Dim, got, tc.nice)
		}
	}
}

// FuzzQuantity: any text is a quantity or an error that points into it, and
// what String writes reads back as the same number.
func FuzzQuantity(f *testing.F) {
	for _, s := range []string{"12 mJ", "5 GB", "30 /s", "1e-320 J", "-5 %", "1_0 W", "5.e3 k", "9007199254740993 B"} {
		for i := range dimensions() {
			f.Add(s, i)
		}
	}
	f.Fuzz(func(t *testing.T, s string, i int) {
		all := dimensions()
		dim := all[((i%len(all))+len(all))%len(all)].dim
		q, err := ParseQuantity(s, dim)
		if err != nil {
			var qe *QuantityError
			if !errors.As(err, &qe) || qe.Offset < 0 || qe.Offset > len(s) {
				t.Fatalf("%q: %v has no place in the text", s, err)
			}
			return
		}
		if math.IsInf(q.Value, 0) || math.IsNaN(q.Value) {
			t.Fatalf("%q = %v", s, q.Value)
		}
		back, err := ParseQuantity(q.String(), dim)
		if err != nil || back != q {
			t.Fatalf("%q → %v → %q → %v, %v", s, q.Value, q.String(), back.Value, err)
		}
	})
}
