package costmodel

// Permutation is the order that a Transpose gives the axes of its operand.
func Permutation(k *Kernel) []int64 { return k.permutation(len(k.Inputs[0].Shape)) }
