//go:build race

package sim

// runs is how many seeds of a scenario are played: the race detector takes ten times as long.
func runs(int) uint64 { return 1 }
