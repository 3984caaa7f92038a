// Package pointers holds the tables of the object side: the pointers that this
// node keeps for others (Store), and what it serves itself (Served); JSAC §III-B,
// design §8.
//
// A pointer says that a server holds an object for an application. It lies on branches:
// links of the tree that the server's pointers make on their way to the roots of its objects,
// one for each neighbor and kind of copy. Of every branch, those that come in and those that
// go out, there is a digest of what lies on it, kept while it changes, by which both ends see
// whether they agree.
//
// A pointer is soft state: it lives as long as a branch that brought it, whose deadline the
// tokens of the server's lease put off, and no longer than its record, counted from reception.
// Only a record of a higher sequence renews that. Where the paper keeps pointers for ever until
// they are unpublished, ours run out, and a withdrawn one stays as a tombstone, so that a late
// copy cannot bring it back. The pointers of a server found dead are buried, that is hidden, for
// the same reason; those of one that a neighbor says to be dead, who may err or lie, are doubted:
// offered last. A later sign of life, a token or its answer to this node, takes back both.
//
// The pointers of a batch of several objects share its newest header, so that renewing it changes one
// term of a branch's digest (header.go). What came at once of a batch is a lot: its pointers share what
// proves them, and count for their share of it.
//
// What others can make a node keep is bounded altogether, for each server, for each object, and for
// each neighbor, which brings no more than it leaves free (share.go).
//
// Invariants, which Check verifies: one pointer per object, application and server, and it lies
// on a branch that comes in; live ones first, nearest first; none is live whose server is
// buried; the digest of a branch is the sum of what lies on it, headers too; an empty branch goes out, and its
// peer is still to hear that it is empty; no limit exceeded by what others deposited; the queues
// and the list of each server name every pointer, and every branch that comes in, once.
//
// Layer 2: imports idspace, lease, mono and wire. The tree is the only writer of Store, publish
// of Served; locate and messages read.
package pointers
