package specs

import (
	"bytes"
)

// DeviceSchemaID is the value of the schema key in device files.
const DeviceSchemaID = "onnxcost/device/v1"

// A Device is what the cost model knows about one processor at one operating
// point. Absent figures are nil, never zero.
type Device struct {
	Schema       string `spec:"schema,required" unit:"onnxcost/device/v1"`
	Name         string `spec:"name,required"` // how --device names it
	Title        string `spec:"title"`         // product name with what distinguishes the variant
	Vendor       string `spec:"vendor"`
	Architecture string `spec:"architecture"`
	Year         int    `spec:"year" range:">0"`
	Class        Class  `spec:"class,required"`
	Kind         Kind   `spec:"kind,required"`
	// Mode is the operating point that the figures hold for: power mode,
	// clocks, number of cores.
	Mode string `spec:"mode"`
	// Source is the citation of all figures that name none of their own.
	Source  string            `spec:"source"`
	Sources map[string]Source `spec:"sources,flow"`

	// Processor is what kernels of CPU runtimes choose by; nil for other devices
	// and where the file does not say.
	Processor *Processor `spec:"cpu"`

	Compute Compute `spec:"compute,required"`
	// Peak holds the dense rates of contractions, with the accumulate type that
	// frameworks use unasked: FP32 for floating point, INT32 for integers.
	Peak map[DType]Rate `spec:"peak,required,flow" unit:"FLOP/s" range:">0"`
	// PeakFP16Accumulate holds the rates with FP16 accumulation where they
	// differ: twice the others on GeForce cards. Some inference compilers use it.
	PeakFP16Accumulate map[DType]Rate `spec:"peak_fp16_accumulate,flow" unit:"FLOP/s" range:">0"`
	// PeakVector holds the rates of element-wise arithmetic, outside matrix units.
	PeakVector map[DType]Rate `spec:"peak_vector,flow" unit:"FLOP/s" range:">0"`

	Memory   Memory   `spec:"memory,required"`
	Caches   []Cache  `spec:"caches"` // nearest to the arithmetic first
	Overhead Overhead `spec:"overhead"`
	Power    Power    `spec:"power"`
	Notes    []string `spec:"notes"`
	Fits     []Fit    `spec:"fits"`
}

// A Source is a document that figures are cited from, without an address:
// documents move, titles do not.
type Source struct {
	Title string `spec:"title,required"`
	By    string `spec:"by"` // publisher or authors
	Year  int    `spec:"year" range:">0"`
	Where string `spec:"where"` // table, section or page for all figures cited
}

// A Figure is one number with its provenance. In a file it is a plain number,
// cited by the device's default source, or a mapping.
type Figure struct {
	Value  float64 `spec:"value,required,short"`
	Source string  `spec:"source"` // key of Device.Sources; "" is the default source
	Where  string  `spec:"where"`  // place in the source
	// Estimate is why the number is not a stated fact; "" where it is one.
	Estimate string `spec:"estimate"`
}

// Or gives the figure's value, and fallback where the figure is absent.
func (f *Figure) Or(fallback float64) float64 {
	if f == nil {
		return fallback
	}
	return f.Value
}

// A Rate is a peak: operations a second, a multiply-add counting as two, dense.
type Rate struct {
	Figure
	Accumulate DType `spec:"accumulate,required"` // what sums are kept in
	Path       Path  `spec:"path,required"`       // the unit that reaches it
}

// Compute is the arithmetic of a device.
type Compute struct {
	// Units is the number of streaming multiprocessors or cores: what work is
	// spread over.
	Units Figure `spec:"units,required,flow" unit:"units" range:">0"`
	// LanesPerUnit is how many FP32 multiply-adds one unit starts per cycle.
	LanesPerUnit *Figure `spec:"lanes_per_unit,flow" unit:"lanes" range:">0"`
	// BaseHz, BoostHz: the guaranteed and the usual top clock. Vector peaks are
	// stated at BoostHz.
	BaseHz  *Figure `spec:"base_hz,flow" unit:"Hz" range:">0"`
	BoostHz *Figure `spec:"boost_hz,flow" unit:"Hz" range:">0"`
	// MatrixHz is the clock that matrix peaks are stated at, where it differs.
	MatrixHz *Figure `spec:"matrix_hz,flow" unit:"Hz" range:">0"`
	// ThreadsPerUnit is the number of hardware threads of a core.
	ThreadsPerUnit *Figure `spec:"threads_per_unit,flow" unit:"threads" range:">0"`
}

// Memory is the main memory that a device computes from.
type Memory struct {
	Technology string `spec:"technology"`
	// CapacityBytes counts what the vendor calls GB as 2^30 bytes.
	CapacityBytes      Figure `spec:"capacity_bytes,required,flow" unit:"bytes" range:">0"`
	BandwidthBytesPerS Figure `spec:"bandwidth_bytes_per_s,required,flow" unit:"B/s" range:">0"`
	// UnitBandwidthBytesPerS is what a single core can draw.
	UnitBandwidthBytesPerS *Figure `spec:"unit_bandwidth_bytes_per_s,flow" unit:"B/s" range:">0"`
	Shared                 bool    `spec:"shared"` // with the host
}

// A Cache is one level between arithmetic and memory. Capacity and bandwidth
// are those of one instance.
type Cache struct {
	Name               string  `spec:"name,required"`
	Scope              Scope   `spec:"scope,required"`
	CapacityBytes      Figure  `spec:"capacity_bytes,required,flow" unit:"bytes" range:">0"`
	BandwidthBytesPerS *Figure `spec:"bandwidth_bytes_per_s,flow" unit:"B/s" range:">0"`
}

// Overhead is time that no operation or byte accounts for.
type Overhead struct {
	// GapS is what one more kernel in a stream costs beyond its execution.
	GapS *Figure `spec:"gap_s,flow" unit:"seconds" range:">=0"`
	// LaunchS is the host's time for one launch call.
	LaunchS *Figure `spec:"launch_s,flow" unit:"seconds" range:">=0"`
	// DispatchS is the host's time per operator in an eager framework, launch
	// included; on a CPU, the runtime's time per node.
	DispatchS *Figure `spec:"dispatch_s,flow" unit:"seconds" range:">=0"`
}

// Power bounds what a device draws.
type Power struct {
	// IdleW is drawn with the device initialised and nothing running.
	IdleW *Figure `spec:"idle_w,flow" unit:"watts" range:">=0"`
	// LimitW is the sustained limit of the board, module or package.
	LimitW *Figure `spec:"limit_w,flow" unit:"watts" range:">0"`
	// Covers says what these figures and the fits of power are of; "" where the
	// sources do not say.
	Covers PowerScope `spec:"covers"`
}

// PeakRate gives the dense rate of contractions in a format: from Peak, else
// from PeakVector, where a device without matrix units does its contractions.
func (d *Device) PeakRate(t DType) (Rate, bool) {
	if r, ok := d.Peak[t]; ok {
		return r, true
	}
	r, ok := d.PeakVector[t]
	return r, ok
}

// TotalBytes is the capacity of all instances of a cache on a device.
func (d *Device) TotalBytes(c *Cache) float64 { return c.CapacityBytes.Value * d.instances(c) }

// TotalBandwidth is the bandwidth of all instances of a cache in B/s, and false
// where the file has none.
func (d *Device) TotalBandwidth(c *Cache) (float64, bool) {
	if c.BandwidthBytesPerS == nil {
		return 0, false
	}
	return c.BandwidthBytesPerS.Value * d.instances(c), true
}

func (d *Device) instances(c *Cache) float64 {
	if c.Scope == PerUnit {
		return d.Compute.Units.Value
	}
	return 1
}

// Citation writes where a figure comes from: the source with its year and
// place, or the reason of an estimate.
func (d *Device) Citation(f Figure) string {
	var b bytes.Buffer
	if f.Estimate != "" {
		b.WriteString("estimate: " + f.Estimate)
	}
	key := f.Source
	if key == "" && f.Estimate == "" {
		key = d.Source
	}
	if s, ok := d.Sources[key]; ok {
		if b.Len() > 0 {
			b.WriteString("; after ")
		}
		b.WriteString(s.cite(f.Where))
	}
	return b.String()
}

// MarshalJSON writes the device with the keys of its file, in the file's order.
func (d *Device) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	encode(d).json(&b)
	return b.Bytes(), nil
}
