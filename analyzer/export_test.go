package analyzer

// AskAll returns the options of an analysis that asks the rule of every node, whatever it said of the nodes before.
func AskAll(o Options) Options {
	o.askAll = true
	return o
}
