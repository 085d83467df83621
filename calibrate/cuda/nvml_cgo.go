//go:build cgo && linux

package cuda

import (
	"encoding/binary"
	"fmt"
	"math"
	"sync"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

type meter struct {
	mu     sync.Mutex
	device nvml.Device
	closed bool
}

// OpenMeter opens NVML and finds the card at a PCI address. Without NVML the error wraps errors.ErrUnsupported.
func OpenMeter(pci string) (Meter, error) {
	if r := nvml.Init(); r != nvml.SUCCESS {
		if r == nvml.ERROR_LIBRARY_NOT_FOUND || r == nvml.ERROR_DRIVER_NOT_LOADED {
			return nil, lacking("no NVML: nvmlInit: %s", text(r))
		}
		return nil, fmt.Errorf("nvmlInit: %s", text(r))
	}
	d, r := nvml.DeviceGetHandleByPciBusId(pci)
	if r != nvml.SUCCESS {
		nvml.Shutdown()
		return nil, fmt.Errorf("nvmlDeviceGetHandleByPciBusId(%s): %s", pci, text(r))
	}
	return &meter{device: d}, nil
}

// text is a code in words. NVML's own words need the library, which may be what is missing.
func text(r nvml.Return) string {
	switch r {
	case nvml.ERROR_LIBRARY_NOT_FOUND:
		return "libnvidia-ml.so.1 not found"
	case nvml.ERROR_DRIVER_NOT_LOADED:
		return "driver not loaded"
	}
	return r.Error()
}

// The value types of nvmlFieldValue_t, nvmlValueType_t in nvml.h.
const (
	valueDouble, valueUint32, valueUint64 = 0, 1, 3
	valueUlong, valueInt64, valueInt32    = 2, 4, 5
)

// fieldNumber reads the union of nvmlFieldValue_t, little-endian as all of NVML's platforms are.
func fieldNumber(valueType uint32, b [8]byte) (float64, bool) {
	u := binary.LittleEndian.Uint64(b[:])
	switch valueType {
	case valueDouble:
		return math.Float64frombits(u), true
	case valueUint32:
		return float64(uint32(u)), true
	case valueUlong, valueUint64:
		return float64(u), true
	case valueInt64:
		return float64(int64(u)), true
	case valueInt32:
		return float64(int32(u)), true
	}
	return 0, false
}

func (m *meter) EnergyJ() (float64, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return 0, false
	}
	mj, r := m.device.GetTotalEnergyConsumption()
	return float64(mj) / 1e3, r == nvml.SUCCESS
}

func (m *meter) PowerW() (w float64, instant, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return 0, false, false
	}
	f := []nvml.FieldValue{{FieldId: nvml.FI_DEV_POWER_INSTANT}} // milliwatts
	if r := m.device.GetFieldValues(f); r == nvml.SUCCESS && nvml.Return(f[0].NvmlReturn) == nvml.SUCCESS {
		if mw, known := fieldNumber(f[0].ValueType, f[0].Value); known && mw > 0 {
			return mw / 1e3, true, true
		}
	}
	mw, r := m.device.GetPowerUsage()
	return float64(mw) / 1e3, false, r == nvml.SUCCESS
}

func (m *meter) State() (s State) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return s
	}
	if v, r := m.device.GetTemperature(nvml.TEMPERATURE_GPU); r == nvml.SUCCESS {
		s.TemperatureC = float64(v)
	}
	if v, r := m.device.GetClockInfo(nvml.CLOCK_SM); r == nvml.SUCCESS {
		s.SMClockHz = 1e6 * float64(v)
	}
	if v, r := m.device.GetClockInfo(nvml.CLOCK_MEM); r == nvml.SUCCESS {
		s.MemoryHz = 1e6 * float64(v)
	}
	if v, r := m.device.GetEnforcedPowerLimit(); r == nvml.SUCCESS {
		s.LimitW = float64(v) / 1e3
	}
	// The name that every NVML since 2016 has; the newer one for the same bits is missing in older libraries, and calling
	// a missing one ends the process.
	if v, r := m.device.GetCurrentClocksThrottleReasons(); r == nvml.SUCCESS {
		s.Throttle = throttleNames(v)
	}
	return s
}

func (m *meter) DriverVersion() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ""
	}
	v, r := nvml.SystemGetDriverVersion()
	if r != nvml.SUCCESS {
		return ""
	}
	return v
}

func (m *meter) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil
	}
	m.closed = true
	if r := nvml.Shutdown(); r != nvml.SUCCESS {
		return fmt.Errorf("nvmlShutdown: %s", text(r))
	}
	return nil
}
