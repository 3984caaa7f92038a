//go:build !race

package overlaytest

// How many hosts the large overlays have, and how many come and go.
const (
	size       = 100
	churnHosts = 60
)
