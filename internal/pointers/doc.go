// Package pointers holds the tables of the object side: the pointers that this
// node keeps for others (Store), and what it serves itself (Served); JSAC §III-B,
// design §8.
//
// A pointer says that a server holds an object for an application. It is soft
// state: it lives for what is left of its record's life, counted from reception,
// and only a record of a higher sequence renews it. Where the paper keeps pointers
// for ever until they are unpublished, ours run out, and a withdrawn one stays as a
// tombstone for its record's life, so that a late copy cannot bring it back. The
// pointers of a server found dead are only hidden, for the same reason.
//
// Invariants, which Check verifies: one pointer per object, application and server;
// live ones first, nearest first; no limit exceeded by what others deposited; the
// deadline queue and the list of each server name every pointer once.
//
// Layer 2: imports idspace, mono and wire. Publish writes it; locate and messages
// read it.
package pointers
