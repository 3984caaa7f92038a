//go:build !race

package sim

// runs is how many seeds of a scenario are played, of which many would do; more of them are
// played by tapestry sim explore.
func runs(many int) uint64 { return uint64(many+2) / 3 }
