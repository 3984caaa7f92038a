// Package p2p is the real world: it runs one node on a libp2p host (design §4).
//
// One goroutine, the loop, owns the node: it alone calls the machines, keeps their
// timers and implements env.World for them. Everything else reaches it through a
// bounded mailbox.
//
//	stream in -> reader -> checks -> mailbox -> loop: Step -> queue -> writer -> stream out
//	face: Do ------------------------> mailbox -> loop: Local -> Deliver -> waiter, handler
//
// A link is two unidirectional streams, one per direction and each opened by the
// side that writes on it, so that no two ends ever contend for one. The first frame
// of a stream is Hello. Frames of one step to one peer leave in one write.
//
// What the loop must not wait for happens elsewhere: signatures are checked in the
// goroutine that reads a peer's stream, which keeps that peer's order; dialing and
// writing have a goroutine per link; application handlers have one per message.
//
// It also finds the overlay again: it looks the seeds up anew when everybody is lost, keeps
// some neighbors and the generation in a datastore over restarts, and labels the network
// that a node is in for the diversity of the tables (design §6).
//
// Invariants: a message that reaches a machine has been decoded, checked and
// verified. A peer that sends more than it may is read more slowly, then cut off;
// it never delays another one by more than its credit. Only SendDial and
// OpenStream dial, and only addresses from a peer's own signed record, from the
// user, or from the host's own dealings with that peer. Close leaves no goroutine.
//
// Layer 7: imports node and what is below; only the root package and tests import it.
package p2p
