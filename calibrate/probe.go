package calibrate

import (
	"context"
	"math"
	"slices"
	"time"
)

// A probe is a subject of some microseconds that is asked before and after every burst whether the machine is
// undisturbed: by its fastest run out of a few, relative to what it took in calm. Virtual processors that the host moves
// apart, or has share a core, take up to three times as long for the same work, in phases of seconds that a burst alone
// cannot tell from its own cost. A nil probe finds everything calm.
type probe struct {
	run func() error
	// patience is the time that is left for waiting for calm; a machine that stays disturbed is measured as it is.
	patience time.Duration
	known    float64 // seconds in calm, from an earlier measurement; 0 where there is none

	readings []float64 // seconds, of all bursts so far
	err      error     // of the run that failed; the probe is silent from then on
}

// probeMicro is what the probe runs: the smallest kernel that all threads take part in and hand memory to each other for.
var probeMicro = Micro{"maxpool", []Param{{"c", "112"}, {"h", "15"}, {"w", "15"}, {"k", "3"}, {"s", "2"}, {"blocked", "1"}}}

// disturbed is the ratio from which on a reading is not calm. Undisturbed readings lie within a few percent, and what
// disturbs costs a quarter and more.
const disturbed = 1.12

// probeRuns is the number of runs of a reading.
const probeRuns = 8

// read is the fastest of some runs, in seconds; 0 where there is no probe.
func (p *probe) read(clock hostClock) float64 {
	if p == nil || p.err != nil {
		return 0
	}
	best := math.Inf(1)
	for range probeRuns {
		start := clock.Now()
		if p.err = p.run(); p.err != nil {
			return 0
		}
		best = min(best, clock.Now().Sub(start).Seconds())
	}
	return best
}

// level is what a reading is in calm: not the lowest of all, which may be a moment that does not come back, but one that
// a part of all readings is below.
func (p *probe) level() float64 {
	if p == nil {
		return 0
	}
	level := p.known
	if len(p.readings) > 0 {
		if v := quantile(p.readings, 0.05); level == 0 || v < level {
			level = v
		}
	}
	return level
}

// await reads until the machine is calm, for as long as patience lasts. It returns the first reading and the last, which
// alone counts for the level.
func (p *probe) await(ctx context.Context, clock hostClock) (first, last float64) {
	first = p.read(clock)
	last = first
	for level := p.level(); level > 0 && last > disturbed*level && p.patience > 0 && ctx.Err() == nil; {
		begin := clock.Now()
		clock.Sleep(probePause)
		last = p.read(clock)
		p.patience -= clock.Now().Sub(begin)
	}
	if last > 0 {
		p.readings = append(p.readings, last)
	}
	return first, last
}

// probePause is the time between two readings while waiting.
const probePause = 2 * time.Millisecond

// judge sets each burst's Disturbance, by the level at the end.
func (p *probe) judge(bursts []Burst) {
	level := p.level()
	if level == 0 {
		return
	}
	for i := range bursts {
		bursts[i].Around = math.Sqrt(bursts[i].before*bursts[i].after) / level
		bursts[i].Disturbance = slices.Max([]float64{1, bursts[i].before / level, bursts[i].after / level})
	}
}
