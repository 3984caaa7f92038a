//go:build !race

package overlaytest

// How many hosts the large overlays have, how many come and go, and how many join at once.
const (
	size       = 100
	churnHosts = 60
	atOnce     = 60
)
