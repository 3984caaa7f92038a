// Package publish is the machine that lays pointers: those of the objects that
// this node serves (JSAC §III-B, Fig. 2), and, as a hop of other nodes' publishes,
// those that it deposits and keeps.
//
// An object is published under several salted keys at once (design §8). Each
// request deposits a signed record at every hop and is acknowledged by the root; a
// publish succeeds when enough roots have acknowledged. Where the paper republishes
// only to survive faults, every record here runs out: it is laid again, under a
// higher sequence, long before. A withdrawal walks the same paths as a tombstone.
//
// A node whose own next hop for a pointer has changed passes the pointer on to the
// new one, with what is left of its life; departing from the paper nothing is
// deleted backwards along the old path, it runs out there.
//
// Invariants: a pointer is stored only if its record and its server's node record
// are of this network and agree; a sequence is never used twice; every job of the
// face ends exactly once; every attempt under way is in the queue of retries.
//
// The router may answer within the call of Route, so that every loop over the salts
// of a lay looks whether the lay is still the current one.
//
// Layer 5: imports routing's upcall, surrogate and pointers; node wires it. It is
// the only writer of pointers.Store and pointers.Served.
package publish
