//go:build race

package overlaytest

// size is how many hosts the large overlays have: the race detector takes ten times as long.
const size = 24
