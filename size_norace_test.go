//go:build !race

package tapestry_test

// many is how many objects a node has that publishes a lot.
const many = 500
