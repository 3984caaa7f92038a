// Package published records what a node publishes, so that a restart neither loses an object
// nor brings one back that was withdrawn, and lays it again without a burst (design §8).
//
// The Ledger is the record: one entry for each object, written before the machines are
// asked to publish or to withdraw it. Whoever changes what is recorded of an object takes
// its Turn, and asks the machines before the turn ends, so that both see the same order.
// Writes of different objects that come together are committed together.
//
// The Resumption lays what an earlier life of the node has left, in batches where there is enough: in random order, because
// in that of their GUIDs all would go to the same part of the overlay at once, and no more
// at a time than come through.
//
// In the datastore everything is below /tapestry/NETWORK/NODE/published:
//
//	version                 the format, "1"
//	objects/GUID/APP        APP in base32; a letter, 'p' published or 'w' withdrawn and not yet
//	                        known to the roots, and the CRC-32C of the key from objects on and the letter
//	tally                   how many records there are, and which of them a write was last begun for
//
// Invariants: what a publish was acknowledged for is recorded as published until a withdrawal
// is asked for, and from before that is sent no longer is; at most two batches and a window's objects are laid
// at once; the window grows by one per round and is halved when something fails.
//
// It is in layer 7: the root package joins it to the node's world.
package published
