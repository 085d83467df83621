package analyzer

// Lease is for the tests of the planners, which need no graph.
type Lease = lease

// PlaceLeases chooses an offset for every lease such that no two that share a step share a byte. Total is the highest
// end, bound what no choice can go below.
func PlaceLeases(leases []Lease, opt ArenaOptions) (offsets []int64, total, bound int64) {
	p := newPlacer(leases, opt.align())
	offsets, total, _ = p.plan(opt.Planner)
	return offsets, total, p.bound
}

// AskAll returns the options of an analysis that asks the rule of every node, whatever it said of the nodes before.
func AskAll(o Options) Options {
	o.askAll = true
	return o
}
