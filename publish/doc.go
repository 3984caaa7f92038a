// Package publish is the machine that publishes the objects that this node serves (JSAC
// §III-B, Fig. 2), and, as a hop of other nodes' publishes, hands what passes to the tree.
//
// An object is published under several salted keys at once (design §8). Each
// request deposits a signed record at every hop and is acknowledged by the root; a
// publish succeeds when enough roots have acknowledged. A withdrawal walks the same
// paths as a tombstone. Many objects at once are signed as one batch, which no requests
// follow: the tree lays it, and says of each object whether it has arrived. What keeps
// pointers where paths lead meanwhile, and at nodes beside them, is internal/tree's;
// records are signed anew, under a higher sequence, only before they run out: of a batch
// from which nothing was taken the header alone.
//
// Invariants: a sequence is never used twice; every job of the face ends exactly once;
// every attempt under way is in the queue of retries.
//
// The router may answer within the call of Route, so that every loop over the salts
// of a lay looks whether the lay is still the current one.
//
// Layer 5: imports routing's upcall, tree and pointers; node wires it. It is the only
// writer of pointers.Served.
package publish
