//go:build race

package overlaytest

// How many hosts the large overlays have, and how many come and go: the race detector
// takes ten times as long.
const (
	size       = 24
	churnHosts = 21
)
