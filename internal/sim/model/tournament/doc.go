// Package tournament plays a scenario of internal/sim with a model in the place of this
// overlay: the same delays and places, the same load, the same comings and goings,
// and the same report, so that the two can be laid side by side.
//
// The overlay of a model always begins settled. Its requests may take as long as it
// lets them, up to a minute after the scenario; this overlay's end after ten seconds.
// An answer is true if it was the root when it was asked for, or is when it comes back.
// Packets are neither duplicated nor, beyond what jitter does, reordered.
//
// Where a report says something that a model does not have, it says 0: pointers and
// refreshing are not told apart, and nobody takes others for dead aloud. There is no
// raced message beside the one that is sent at most once, which stands for both, and
// nobody measures replicas. What publishing costs is what was sent while it went on,
// less what was sent in as long a time before.
//
// Invariants: the same Config gives the same trace hash.
//
// Layer 7, part of the room internal/sim: imports sim, the models and their stage.
package tournament
