package calibrate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/onnxcost/onnxcost/specs"
)

// powercap is where Linux shows the energy counters of processors (Documentation/power/powercap in the kernel's sources):
// a directory for each zone, intel-rapl:0 a package and intel-rapl:0:1 a part of it, for AMD's processors too.
const powercap = "sys/class/powercap"

// raplControls are the interfaces to the counters, the usual one first. Both show the same counters, so that one counts.
var raplControls = []string{"intel-rapl:", "intel-rapl-mmio:"}

// raplUpdate is how often the counters move: about every millisecond (Intel SDM, volume 3, RAPL interfaces).
const raplUpdate = time.Millisecond

// raplStill is the time after which a counter that has not moved is taken for none: virtual machines show such ones.
const raplStill = 100 * raplUpdate

// leastBurst is the length of a burst below which its energy is not taken: the counters move in steps.
const leastBurst = 5 * raplUpdate

// pollRAPL is the time after which the counters are read within a burst, so that none runs through its range unseen.
const pollRAPL = 30 * time.Second

// RAPL adds up the energy counters of all processor packages and of the memory that is attached to them, where that has
// counters of its own. It sees neither the rest of the board nor the losses of the power supply. It is for one goroutine.
type RAPL struct {
	fsys   powercapFS
	zones  []raplZone
	joules float64 // of packages
	dramJ  float64
	err    error // of the first reading that failed; later ones fail alike
	limitW float64
	notes  []string
}

// powercapFS is the part of a file system that RAPL needs; names are relative to its root.
type powercapFS interface {
	ReadFile(name string) ([]byte, error)
	ReadDir(name string) ([]fs.DirEntry, error)
}

// raplZone is one counter.
type raplZone struct {
	dir  string
	dram bool
	span uint64 // microjoules at which it starts again from 0
	last uint64
}

// OpenRAPL finds the counters of this machine. An error says why there is no energy to be had: errors.ErrUnsupported
// where the system has no counters, fs.ErrPermission where this user may not read them.
func OpenRAPL() (*RAPL, error) { return openRAPL(os.DirFS("/").(powercapFS)) }

func openRAPL(fsys powercapFS) (*RAPL, error) {
	r := &RAPL{fsys: fsys}
	entries, err := fsys.ReadDir(powercap)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("/%s: %w", powercap, err)
	}
	for _, control := range raplControls {
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), control) {
				if err := r.add(powercap + "/" + e.Name()); err != nil {
					return nil, err
				}
			}
		}
		if r.packages() > 0 {
			break
		}
		r.zones, r.limitW = nil, 0
	}
	if r.packages() == 0 {
		return nil, fmt.Errorf("the system shows no counter of a processor package in /%s: %w", powercap, errors.ErrUnsupported)
	}
	return r, nil
}

// add takes a zone in if it is a package or its memory. Cores and graphics are parts of the package, and psys, the
// platform, holds it: they would count twice.
func (r *RAPL) add(dir string) error {
	name, err := r.fsys.ReadFile(dir + "/name")
	if err != nil {
		return nil // no zone
	}
	text := strings.TrimSpace(string(name))
	z := raplZone{dir: dir, dram: text == "dram"}
	if !z.dram && !strings.HasPrefix(text, "package") {
		return nil
	}
	z.span, err = r.number(dir + "/max_energy_range_uj")
	if err == nil && z.span == 0 {
		err = fmt.Errorf("/%s/max_energy_range_uj: want the range of the counter, have 0", dir)
	}
	if err == nil {
		z.last, err = r.number(dir + "/energy_uj")
	}
	switch {
	case err != nil && z.dram:
		r.notes = append(r.notes, fmt.Sprintf("the energy of the memory is unavailable: %v", err))
		return nil
	case err != nil:
		return err
	}
	r.zones = append(r.zones, z)
	if !z.dram {
		// Constraint 0 is the long-term one, which the package keeps to in the end. 0 and absence alike say nothing.
		uw, err := r.number(dir + "/constraint_0_power_limit_uw")
		switch {
		case err != nil || uw == 0:
			r.limitW = math.NaN()
		default:
			r.limitW += float64(uw) / 1e6
		}
	}
	return nil
}

func (r *RAPL) number(name string) (uint64, error) {
	b, err := r.fsys.ReadFile(name)
	if errors.Is(err, fs.ErrPermission) {
		return 0, fmt.Errorf("/%s needs permission: %w (the kernel lets only root read it)", name, fs.ErrPermission)
	}
	if err != nil {
		return 0, fmt.Errorf("/%s: %w", name, err)
	}
	v, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("/%s: %q: want a whole number", name, strings.TrimSpace(string(b)))
	}
	return v, nil
}

func (r *RAPL) packages() (n int) {
	for _, z := range r.zones {
		if !z.dram {
			n++
		}
	}
	return n
}

// Covers says what the joules are of.
func (r *RAPL) Covers() specs.PowerScope {
	if r.packages() < len(r.zones) {
		return specs.ScopePackageDRAM
	}
	return specs.ScopePackage
}

// LimitW is the sustained power limit of all packages in watts; 0 where the system does not state it. Memory is not
// bound by it.
func (r *RAPL) LimitW() float64 {
	if math.IsNaN(r.limitW) {
		return 0
	}
	return r.limitW
}

// Notes say what is not counted.
func (r *RAPL) Notes() []string { return r.notes }

// Err is why the counters cannot be read any more; nil as long as they can.
func (r *RAPL) Err() error { return r.err }

// Joules is the energy that the processors, and memory where it is counted, have taken since the counters were opened.
// A counter that starts again from 0 goes on; one that does so twice between two readings, which takes many minutes,
// would lose its range.
func (r *RAPL) Joules() (float64, error) {
	if r.err != nil {
		return 0, r.err
	}
	for i := range r.zones {
		z := &r.zones[i]
		now, err := r.number(z.dir + "/energy_uj")
		if err != nil {
			r.err = err
			return 0, err
		}
		step := now - z.last
		if now < z.last {
			step = now + z.span - min(z.span, z.last)
		}
		z.last = now
		if z.dram {
			r.dramJ += float64(step) / 1e6
		} else {
			r.joules += float64(step) / 1e6
		}
	}
	return r.joules + r.dramJ, nil
}

// idle is the mean power in watts over a while in which the program does nothing. Threads of a runtime that wait for
// work go on spinning for a moment, for which settle makes room.
func (r *RAPL) idle(ctx context.Context, clock hostClock, settle, length time.Duration) (float64, error) {
	clock.Sleep(settle)
	begin := clock.Now()
	from, err := r.Joules()
	if err != nil {
		return 0, err
	}
	length = max(length, raplStill)
	for {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		left := length - clock.Now().Sub(begin)
		if left <= 0 {
			break
		}
		clock.Sleep(min(left, 100*time.Millisecond))
	}
	to, err := r.Joules()
	seconds := clock.Now().Sub(begin).Seconds()
	switch {
	case err != nil:
		return 0, err
	case to <= from:
		r.err = fmt.Errorf("the counter stands still: /%s/energy_uj did not move in %.2g s", r.zones[0].dir, seconds)
		return 0, r.err
	}
	return (to - from) / seconds, nil
}

// counting is the counters over a burst; nil counts nothing.
type counting struct {
	r     *RAPL
	from  float64
	begin time.Time
	read  time.Time
}

// count begins a burst.
func (r *RAPL) count(clock hostClock) *counting {
	if r == nil {
		return nil
	}
	from, err := r.Joules()
	if err != nil {
		return nil
	}
	now := clock.Now()
	return &counting{r, from, now, now}
}

// poll reads the counters where that was long ago, so that none runs through its range unseen. An error shows at the end.
func (c *counting) poll(now time.Time) {
	if c != nil && now.Sub(c.read) > pollRAPL {
		c.read = now
		c.r.Joules()
	}
}

// window ends a burst of so many runs; nil where it was too short for the counters.
func (c *counting) window(clock hostClock, runs int) *Window {
	if c == nil {
		return nil
	}
	to, err := c.r.Joules()
	length := clock.Now().Sub(c.begin)
	if err != nil || length < leastBurst || to <= c.from {
		return nil
	}
	return &Window{to - c.from, length.Seconds(), runs}
}
