// Package envtest is a scripted world for the text stories of the machines: an
// env.Env that keeps virtual time and writes down, one line each, what a machine
// sends, posts, delivers and reports. The folder below it has a router to match.
//
// Peers and objects have names: the ID of a name is its hash, as a node's is of its
// peer ID, and lines show the name again.
//
// No layer: support for tests, which alone may import it.
package envtest
