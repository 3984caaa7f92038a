//go:build race

package tapestry_test

// many is how many objects a node has that publishes a lot: the race detector takes ten times as long.
const many = 100
