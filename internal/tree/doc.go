// Package tree keeps pointers where paths lead: what a server has published lies on a
// tree of links towards the roots of its objects, and every holder sees to the links that
// leave it (design §8).
//
// The paper has servers republish everything periodically, which is what repairs paths
// (JSAC §III-B). Here nothing is repeated: of each branch, the pointers of one server that
// one neighbor has laid at another, both ends keep a digest. Each period a holder tells
// those to whom it has laid something what the digests are, with a token that shows that the
// server lives (internal/lease); where they differ the two compare short prints, and only
// what is missing travels. A holder whose own next hop changes lays what goes there at the
// new one at once, and the old one learns from the digest that it is nobody's holder any more.
//
// Besides the copies on paths there are those at heirs, who become the root when the root
// dies, at backups of a server's first hops, and next to it. Nobody passes those on.
//
// Many objects that a server has signed as a batch go as parts of it. A deposit may ask when what
// came with it has arrived at the roots, and is answered when those below have answered. A batch is
// renewed by its header alone, which goes once over each link.
//
// A deposit is confirmed by the digest that follows it in the same packet, and one neighbor
// is sent no more before it has answered: links that are full are not filled further. What a
// neighbor has confirmed to know of a server is not said again.
//
// Invariants: what lies here for others runs out unless a token speaks for it; every pointer
// that has come along a path has gone on along it, or this node is its root; nothing is sent
// to a node that was not asked for it and is no neighbor.
//
// Layer 4: imports surrogate, links, pointers and lease. Publish hands it what routed
// requests bring, node the rest; it is the only writer of pointers.Store.
package tree
