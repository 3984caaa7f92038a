//go:build !race

package overlaytest

// size is how many hosts the large overlays have.
const size = 100
