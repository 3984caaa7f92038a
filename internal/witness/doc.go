// Package witness is the last guard against a wrong root (design §3; findings A.7): before
// a node answers as the root of a key over an empty slot of its map that is not within its
// covered span, it asks the known node that is nearest to that slot on the ring, which may
// ask on, whether anybody lives there.
//
// Tapestry has nothing of the kind: there a hole is believed. The two differ only while a
// map is wrong.
//
// Who is named is not believed either: it goes to membership's gate, and the request goes
// on when the gate has admitted it. A hole that was found empty is not asked about again
// for a while, the longer the more often it was, and the less changes at its level.
//
// Invariants: one question per hole at a time; everything kept is bounded; a question ends,
// at the second silence at the latest.
//
// Layer 5: imports routing and below; node alone imports it.
package witness
