//go:build invariants

package node

// invariants says whether steps check the tables.
const invariants = true
