// Package content serves files by the hash of their bytes over the overlay, and
// fetches them from the nearest server. The daemon and the demo use it; it is also
// an example of an application: it sees the root package only.
//
// An object is a file; its GUID is the SHA-256 of its bytes, cut to the width of a
// GUID. A request is a message whose payload is the word "get" and the GUID's bytes; it
// goes to the object, that is to its nearest server, or to a server by name once
// another has failed. The reply is
//
//	0x00 | the bytes            a file that fits into a reply
//	0x01 | size as a uvarint    a larger one: open a stream and read that many bytes
//
// On the stream the server sends the bytes and closes. Whoever fetches checks the
// hash, so that no server can hand out anything else. Any other payload is a
// message for people: the server shows it and answers who it is.
package content
