// Package leafset is a node's leaf set: the nodes next to it on the ring of IDs,
// perSide on either side (Pastry; Bamboo [4] of design §6). Tapestry as published
// has none; here it repairs the neighbor map, confirms who is a member and holds
// copies. It never decides who is the root of a key (design §3).
//
// With few nodes one node may be on both sides.
//
// The members nearest to self that other nodes vouch for are its covered span: an arc on
// which nobody else lives, as far as leaf-set messages tell (Vouch).
//
// Invariants (Check): a side holds the perSide nearest members of its direction,
// nearest first; self is no member; only members are suspected; the covered span ends at
// a member, or at self, on either side.
//
// Layer 2: imports idspace. Membership writes it; surrogate and the machines read it.
package leafset
