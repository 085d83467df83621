package cuda

import "os"

// A Meter reads the sensors of one card through NVML: the board, not the machine. It only reads.
type Meter interface {
	// EnergyJ is the total energy counter, which moves about every 100 ms; ok is false where the card has none.
	EnergyJ() (j float64, ok bool)
	// PowerW is the power now; instant says that it is the instantaneous field and not an average over up to a second. ok
	// is false where the card has no sensor.
	PowerW() (w float64, instant, ok bool)
	State() State
	// DriverVersion is that of the kernel driver, "" where unknown.
	DriverVersion() string
	Close() error
}

// State is what a card says of itself at a moment. Figures that it does not tell are 0.
type State struct {
	TemperatureC float64
	SMClockHz    float64
	MemoryHz     float64
	LimitW       float64 // enforced power limit
	// Throttle names why the clocks are below their highest, such as sw-power-cap; idleness is no reason.
	Throttle []string
}

// throttleReasons are the bits of nvmlClocksEventReasons in nvml.h that say something about a measurement. A card
// without work reports gpu-idle, which is left out.
var throttleReasons = []struct {
	bit  uint64
	name string
}{
	{0x2, "applications-clocks"}, {0x4, "sw-power-cap"}, {0x8, "hw-slowdown"}, {0x10, "sync-boost"}, {0x20, "sw-thermal"},
	{0x40, "hw-thermal"}, {0x80, "hw-power-brake"}, {0x100, "display-clocks"},
}

// throttleNames lists the reasons of a mask.
func throttleNames(mask uint64) []string {
	var out []string
	for _, r := range throttleReasons {
		if mask&r.bit != 0 {
			out = append(out, r.name)
		}
	}
	return out
}

func getenv(key string) string { return os.Getenv(key) }
