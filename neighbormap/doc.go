// Package neighbormap is a node's neighbor map (JSAC §III-A): for every level l and
// digit d a slot with the nearest known nodes that share l digits with this node
// and have d next. The first of a slot is its primary, the others are its backups.
//
// Departures from the paper: a node's own digit has no slot, because the route
// passes on to the next level there without a hop; and a neighbor's state (suspected
// or not) is kept with it, so that the next hop is found by looking at slots alone.
//
// Invariants (Check): every neighbor is in the one slot that its digits name; a
// slot holds at most perSlot nodes, nearest first, ties in order of ID; the last
// level has a neighbor. A slot is empty only if no node for it is known: keeping
// that true of the world is membership's duty (design §6).
//
// Layer 2: imports idspace. Membership writes it; surrogate and the machines read it.
package neighbormap
