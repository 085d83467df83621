package specs

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

var (
	deviceName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`) })
	digest     = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^sha256:[0-9a-f]{64}$`) })
)

// Validate checks what the shape of a device cannot express: that figures are
// cited, ranges are ordered, fits are unique. Devices from [ParseDevice] have
// passed; those built in Go have no places, so the errors carry paths only.
// A non-nil result is of type [Errors].
func (d *Device) Validate() error {
	r := newReport(d.Name)
	if d.Schema != DeviceSchemaID {
		r.at("schema", "want %s, have %s", DeviceSchemaID, quote(d.Schema))
	}
	// The writer and the reader see the same tree, so types, bounds and
	// vocabularies are checked by reading what would be written.
	check := &decoder{report: r}
	check.rebuild(encode(d))
	if len(r.errs) == 0 {
		d.validate(r)
	}
	return r.err()
}

func (d *Device) validate(r *report) {
	if !deviceName().MatchString(d.Name) {
		r.at("name", "want lower-case letters, digits and . _ -, at most 64, have %s", quote(d.Name))
	}
	if d.Year != 0 && (d.Year < 1990 || d.Year > 2100) {
		r.at("year", "want a year, have %d", d.Year)
	}
	d.checkSources(r)
	d.checkFigures(r)
	d.checkPeaks(r)
	d.checkCaches(r)
	d.checkOrder(r)
	d.checkProcessor(r)
	switch {
	case d.Kind == Calibrated && len(d.Fits) == 0:
		r.at("kind", "calibrated, but there are no fits")
	case d.Kind == Datasheet && len(d.Fits) > 0:
		r.at("kind", "datasheet, but there are fits; want calibrated")
	}
	seen := map[FitKey]int{}
	for i := range d.Fits {
		path := fmt.Sprintf("fits[%d]", i)
		key := d.Fits[i].Key()
		if first, ok := seen[key]; ok {
			r.at(path, "the same combination as fits[%d]: %s", first, key)
		} else {
			seen[key] = i
		}
		d.Fits[i].validate(d, r, path)
	}
}

func (d *Device) checkSources(r *report) {
	for key, s := range d.Sources {
		path := join("sources", key)
		if strings.TrimSpace(s.Title) == "" {
			r.at(join(path, "title"), "empty")
		}
		if s.Year != 0 && (s.Year < 1970 || s.Year > 2100) {
			r.at(join(path, "year"), "want a year, have %d", s.Year)
		}
	}
	if d.Source != "" {
		d.checkSource(r, "source", d.Source)
	}
}

func (d *Device) checkSource(r *report, path, key string) {
	if _, ok := d.Sources[key]; !ok {
		r.at(path, "no source %s%s", quote(key), Suggest(key, sortedKeys(d.Sources)))
	}
}

// checkFigures demands a citation or a reason for every figure.
func (d *Device) checkFigures(r *report) {
	d.eachFigure(func(path string, f Figure) {
		switch {
		case f.Source != "":
			d.checkSource(r, join(path, "source"), f.Source)
		case f.Estimate == "" && d.Source == "":
			r.at(path, "no source: want source, a default source for the file, or estimate with the reason")
		}
	})
}

// eachFigure visits the figures in the order of the file.
func (d *Device) eachFigure(visit func(path string, f Figure)) {
	optional := func(path string, f *Figure) {
		if f != nil {
			visit(path, *f)
		}
	}
	c, m, o := &d.Compute, &d.Memory, &d.Overhead
	visit("compute.units", c.Units)
	optional("compute.lanes_per_unit", c.LanesPerUnit)
	optional("compute.base_hz", c.BaseHz)
	optional("compute.boost_hz", c.BoostHz)
	optional("compute.matrix_hz", c.MatrixHz)
	optional("compute.threads_per_unit", c.ThreadsPerUnit)
	d.eachPeak(func(path string, _ DType, rate Rate) { visit(path, rate.Figure) })
	visit("memory.capacity_bytes", m.CapacityBytes)
	visit("memory.bandwidth_bytes_per_s", m.BandwidthBytesPerS)
	optional("memory.unit_bandwidth_bytes_per_s", m.UnitBandwidthBytesPerS)
	for i := range d.Caches {
		path := fmt.Sprintf("caches[%d]", i)
		visit(path+".capacity_bytes", d.Caches[i].CapacityBytes)
		optional(path+".bandwidth_bytes_per_s", d.Caches[i].BandwidthBytesPerS)
	}
	optional("overhead.gap_s", o.GapS)
	optional("overhead.launch_s", o.LaunchS)
	optional("overhead.dispatch_s", o.DispatchS)
	optional("power.idle_w", d.Power.IdleW)
	optional("power.limit_w", d.Power.LimitW)
	if d.Processor != nil {
		optional("cpu.channel_block", d.Processor.ChannelBlock)
	}
}

func (d *Device) eachPeak(visit func(path string, t DType, rate Rate)) {
	for _, group := range []struct {
		name  string
		rates map[DType]Rate
	}{
		{"peak", d.Peak},
		{"peak_fp16_accumulate", d.PeakFP16Accumulate},
		{"peak_vector", d.PeakVector},
	} {
		for _, t := range sortedKeys(group.rates) {
			visit(join(group.name, string(t)), t, group.rates[t])
		}
	}
}

func (d *Device) checkPeaks(r *report) {
	if len(d.Peak) == 0 {
		r.at("peak", "want the rate of at least one format")
	}
	d.eachPeak(func(path string, t DType, rate Rate) {
		acc := rate.Accumulate
		if acc.Integer() != t.Integer() || acc == TF32 || acc.Bits() < min(t.Bits(), 32) && t != TF32 {
			r.at(join(path, "accumulate"), "sums of %s products cannot be kept in %s", t, acc)
		}
		if strings.HasPrefix(path, "peak_fp16_accumulate") && acc != FP16 {
			r.at(join(path, "accumulate"), "want fp16, have %s", acc)
		}
		if strings.HasPrefix(path, "peak_vector") && rate.Path != Vector {
			r.at(join(path, "path"), "want vector, have %s", rate.Path)
		}
	})
}

func (d *Device) checkCaches(r *report) {
	var names []string
	for i, c := range d.Caches {
		path := fmt.Sprintf("caches[%d]", i)
		if slices.Contains(names, c.Name) {
			r.at(path+".name", "a second cache %s", quote(c.Name))
		}
		names = append(names, c.Name)
		if i > 0 && d.TotalBytes(&d.Caches[i]) < d.Caches[i-1].CapacityBytes.Value {
			r.at(path+".capacity_bytes", "smaller than %s: want the caches in order, nearest to the arithmetic first", d.Caches[i-1].Name)
		}
	}
}

// checkOrder checks pairs of figures of which one bounds the other.
func (d *Device) checkOrder(r *report) {
	ordered := func(path string, low, high *Figure, highName string) {
		if low != nil && high != nil && high.Value > 0 && low.Value > high.Value {
			r.at(path, "%s is above %s, %s", formatNumber(low.Value), highName, formatNumber(high.Value))
		}
	}
	c := &d.Compute
	ordered("compute.base_hz", c.BaseHz, c.BoostHz, "boost_hz")
	ordered("compute.matrix_hz", c.MatrixHz, c.BoostHz, "boost_hz")
	ordered("power.idle_w", d.Power.IdleW, d.Power.LimitW, "limit_w")
	ordered("memory.unit_bandwidth_bytes_per_s", d.Memory.UnitBandwidthBytesPerS, &d.Memory.BandwidthBytesPerS, "bandwidth_bytes_per_s")
	for _, whole := range []struct {
		path string
		f    *Figure
	}{
		{"compute.units", &c.Units},
		{"compute.lanes_per_unit", c.LanesPerUnit},
		{"compute.threads_per_unit", c.ThreadsPerUnit},
		{"memory.capacity_bytes", &d.Memory.CapacityBytes},
	} {
		if whole.f != nil && whole.f.Value != float64(int64(whole.f.Value)) {
			r.at(whole.path, "want a whole number, have %s", formatNumber(whole.f.Value))
		}
	}
}

func (f *Fit) validate(d *Device, r *report, path string) {
	if f.Form == "" {
		r.at(join(path, "form"), "empty")
	}
	if len(f.Groups) == 0 {
		r.at(join(path, "groups"), "want at least one group")
	}
	f.Residuals.validate(r, join(path, "residuals"))
	f.Score.validate(r, join(path, "score"))
	for _, name := range sortedKeys(f.Groups) {
		g, gpath := f.Groups[name], join(join(path, "groups"), name)
		if len(g.Terms)+len(g.Lists) == 0 {
			r.at(gpath, "want terms or lists")
		}
		for _, key := range sortedKeys(g.Domain) {
			g.Domain[key].validate(r, join(join(gpath, "domain"), key))
		}
		g.Residuals.validate(r, join(gpath, "residuals"))
		g.Score.validate(r, join(gpath, "score"))
	}
	if s := f.Samples; s != nil {
		if s.Digest != "" && !digest().MatchString(s.Digest) {
			r.at(path+".samples.digest", "want sha256: and 64 hexadecimal digits, have %s", quote(s.Digest))
		}
		if s.Source != "" {
			d.checkSource(r, path+".samples.source", s.Source)
		}
	}
	if c := f.Conditions; c != nil {
		if _, err := time.Parse(time.DateOnly, c.Date); c.Date != "" && err != nil {
			r.at(path+".conditions.date", "want a date such as 2026-11-30, have %s", quote(c.Date))
		}
		if c.TemperatureC != nil {
			c.TemperatureC.validate(r, path+".conditions.temperature_c")
		}
	}
}

func (x Range) validate(r *report, path string) {
	if x.Min > x.Max {
		r.at(path, "min %s is above max %s", formatNumber(x.Min), formatNumber(x.Max))
	}
}

func (x *Residuals) validate(r *report, path string) {
	if x == nil {
		return
	}
	switch {
	case len(x.P) == 0:
		r.at(join(path, "p"), "want at least one probability")
	case len(x.P) != len(x.Q):
		r.at(join(path, "q"), "want %d quantiles, one for each probability, have %d", len(x.P), len(x.Q))
	}
	for i, p := range x.P {
		if p <= 0 || p >= 1 || i > 0 && p <= x.P[i-1] {
			r.at(join(path, "p"), "want probabilities between 0 and 1 in ascending order")
			break
		}
	}
	if !slices.IsSorted(x.Q) {
		r.at(join(path, "q"), "want quantiles in ascending order")
	}
}

func (s *Score) validate(r *report, path string) {
	if s == nil {
		return
	}
	if s.Within10 > 1 {
		r.at(join(path, "within_10"), "want a share between 0 and 1, have %s", formatNumber(s.Within10))
	}
	if s.Spearman < -1 || s.Spearman > 1 {
		r.at(join(path, "spearman"), "want a correlation between -1 and 1, have %s", formatNumber(s.Spearman))
	}
}

func sortedKeys[K ~string, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b K) int { return compareNatural(string(a), string(b)) })
	return keys
}
