//go:build race

package overlaytest

// How many hosts the large overlays have, how many come and go, and how many join at once: the
// race detector takes ten times as long.
const (
	size       = 24
	churnHosts = 21
	atOnce     = 21
)
