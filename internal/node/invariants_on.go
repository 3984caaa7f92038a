//go:build invariants

package node

// invariants says whether every step checks the tables.
const invariants = true
