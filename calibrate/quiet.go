package calibrate

import (
	"math"
)

// A shared machine may never be quiet: other tenants of its cores slow everything down by a third or a half, now more, now
// less. What a burst took is then its own cost times what the machine did to it, and the probe beside it shows most of
// that. Bursts of one subject at several levels of disturbance tell how far its time follows the probe's; with that, each
// can be taken back to quiet.

// observed is one burst: the median of its runs in seconds, and how much longer than in quiet the probe took beside it, at
// the worse of its ends and on the average of both; 0 without a probe.
type observed struct{ seconds, disturbance, around float64 }

// slow is what the burst is taken back by.
func (b observed) slow() float64 {
	if b.around > 0 {
		return math.Max(1, b.around)
	}
	return math.Max(1, b.disturbance)
}

// leastObserved is the number of bursts below which nothing is said of how times follow the probe.
const leastObserved = 40

// elasticity is by how many percent a burst takes longer for each percent that the probe does, over the bursts of all
// subjects, each compared with the others of its own: least squares on logarithms, a second time without those that lie
// far off. It is 0, which corrects nothing, where there are few bursts or none was disturbed, and never above 1.
func elasticity(subjects [][]observed) float64 {
	type pair struct{ x, y float64 }
	var all []pair
	for _, bursts := range subjects {
		var x, y, n float64
		for _, b := range bursts {
			if b.disturbance > 0 && b.seconds > 0 {
				x, y, n = x+math.Log(b.slow()), y+math.Log(b.seconds), n+1
			}
		}
		if n < 2 {
			continue
		}
		for _, b := range bursts {
			if b.disturbance > 0 && b.seconds > 0 {
				all = append(all, pair{math.Log(b.slow()) - x/n, math.Log(b.seconds) - y/n})
			}
		}
	}
	if len(all) < leastObserved {
		return 0
	}
	slope, limit := 0.0, math.Inf(1)
	for range 3 {
		var xx, xy float64
		var off []float64
		for _, p := range all {
			r := math.Abs(p.y - slope*p.x)
			off = append(off, r)
			if r <= limit {
				xx, xy = xx+p.x*p.x, xy+p.x*p.y
			}
		}
		if xx == 0 {
			return 0
		}
		slope = xy / xx
		limit = 3 * median(off)
	}
	return math.Max(0, math.Min(1, slope))
}

// undisturbed is what the bursts of a subject say of its time in quiet: the lowest of those beside which the probe was
// quiet; where there is none, the median of all, each taken back by the probe. quiet says which.
func undisturbed(bursts []observed, elasticity float64) (seconds float64, quiet bool) {
	least := math.Inf(1)
	var back []float64
	for _, b := range bursts {
		if b.disturbance <= disturbed {
			least = math.Min(least, b.seconds)
		}
		back = append(back, b.seconds/math.Pow(b.slow(), elasticity))
	}
	if !math.IsInf(least, 1) || len(bursts) == 0 {
		return least, true
	}
	if elasticity == 0 { // nothing to go by: other tenants only ever add time
		for _, b := range bursts {
			least = math.Min(least, b.seconds)
		}
		return least, false
	}
	return median(back), false
}
