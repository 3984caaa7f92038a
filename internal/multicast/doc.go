// Package multicast carries one message to every node under a prefix, and the word back
// that they have it: JSAC's acknowledged multicast (§III-C; Hildrum et al. §4.1), by
// which a joining node becomes known to those that need to know it, and a verb of its own.
//
// A node that has the prefix passes the message to one node of every slot of its rows
// from a level on; each of those does the same from the level after that slot's. So every
// node is reached once, by as many messages as there are nodes, as long as no hole of a map
// is false. A branch that does not acknowledge is given to another node of its slot. When
// all branches have answered and this node's own part is done, the sum goes back to
// where the message came from.
//
// It departs from JSAC in that a receiver acknowledges twice, at once and when its whole
// tree is done, so that a dead branch is told from a slow one; and in that nodes that are
// being inserted (neighbormap.Pin) get a copy of what is under their prefix but pass
// nothing on: their maps are not full yet.
//
// Invariants: a call is taken once; every call is answered, at its deadline at the latest;
// the calls under way, in all and from one neighbor, are bounded.
//
// Layer 5: imports surrogate and below; node alone imports it.
package multicast
