// Package batch puts many objects under one signature, and proves for any of them that they
// were (design §8; docs/protocol.md §4.7).
//
// A server that publishes many objects signs one header for all. Under each salt their salted
// keys make a trie of hashes, whose root stands in the header:
//
//	key   H(0 ‖ key)
//	node  H(1 ‖ bit ‖ left ‖ right)     bit: the first one in which the keys below differ
//
// What travels is a Part: the header, and for each salt a list, in the order of keys, of objects
// and of the hashes of subtrees that were cut off. A node that gets a part splits it by next hop:
// what does not go there shrinks to hashes, and what remains proves itself as before. So every
// object takes its own bytes at every hop, and a share of some hashes, instead of a signature.
//
//	p, err := batch.Build(space, guids, 4)                            // at the server
//	rec := &wire.BatchRecord{App: …}                                  // to be signed: the header
//	p.Commit(rec)
//	parts := p.Split(hops, func(l batch.Leaf) int { return … })       // one for each next hop
//	lists := parts[i].Lists()                                         // to be sent with the header
//	p, err = batch.Open(space, rec, lists)                            // at the hop; then Split again
//	runs := p.Runs()                                                  // what the hop keeps
//
// A single object is a batch of one. Its header names the object itself, from which its roots would
// follow; it travels without lists, and is opened by OpenOne.
//
// What a node keeps of a part are Runs, one for each salt: the lists as they travel, in which it finds
// its objects by their place, and from which it proves one of them to whoever asks.
//
// A list is written in one way only, so that a part may be compared by its bytes. A batch never
// changes: more objects are another batch, and an object is taken back by a tombstone of a higher
// sequence, which is a batch of one. A header that says the same later renews all that is
// held under the old one (wire.BatchRecord.Name); a server must not renew a batch of which it
// has taken anything back, for the higher sequence would bring it to life again.
//
// Departure from the literature: a crit-bit trie instead of a binary tree over positions, because
// its shape follows from the keys alone and a cut therefore needs no positions; one trie per salt,
// because a tree over GUIDs would cost several hashes for each key that went its own way.
//
// Invariants: whatever is a Part proves itself, there is no other way to come by one; a cut of a
// cut is the cut made at once; Open costs time and memory in proportion to the bytes that it is
// given.
//
// Layer 1: imports idspace and wire; for whoever publishes, verifies, keeps or forwards.
package batch
