// Package tapestry is a decentralized object location and routing overlay on
// libp2p. Nodes that hold a copy of an object publish it; anybody can locate the
// nearest copy, or route a message to it, knowing only the object's identifier.
// There is no server: every node keeps a few dozen links and answers for its part
// of the namespace.
//
// # Starting
//
// Attach a node to a libp2p host, join by any member, and wait until it is one:
//
//	host, _ := libp2p.New(tapestry.HostOptions(tapestry.DefaultMaxLinks))
//	node, _ := tapestry.New(host, tapestry.WithNetwork("example"))
//	defer node.Close()
//	_ = node.Join(ctx, seed) // without a seed: found an overlay
//	_ = node.WaitReady(ctx)
//
// # Verbs
//
//	PublishObject(s)                this node serves an object, or all of an iterator
//	UnpublishObject(s)              it no longer does
//	LocateObject                    who serves it, nearest first
//	RouteToObject                   a message to the nearest server, and its reply
//	RouteToNode                     a message to a node, or to the one that answers for an ID
//	OpenStream                      a stream to the nearest server, for bodies
//	Multicast                       a message to every node, or to all under a prefix
//	Handle                          what this node does with messages and streams
//	Explain, Status, Published      why, how, and what
//	Routing                         the same for what is built on libp2p's routing interfaces
//	Leave, Close                    goodbye, and the end
//
// An object has a GUID and belongs to an application, its AppID: the same GUID under
// two AppIDs is two objects. Publishing is a claim to serve and moves no bytes; a
// node keeps renewing what it published until it is unpublished, leaves or closes. With a
// datastore (WithDatastore) it publishes it again when it is started again, however it
// ended, until it is unpublished.
//
// # Three answers
//
// A search ends with found; with ErrNotFound, when the object's roots agree that
// there is none; or with ErrUnknown, when they could not be asked, as while much of
// the overlay has just failed. Only the second says that the object is absent.
//
// # Messages
//
// RouteToObject and RouteToNode deliver at most once. When it cannot be told whether
// a message arrived they return ErrMaybeDelivered, and whoever sends idempotent
// messages sends again. Payloads and replies hold up to MaxPayload bytes.
//
// # Contexts
//
// A context without a deadline gets DefaultTimeout, except in WaitReady, which waits
// as long as it is let. A canceled context returns at once and frees what the call
// held; what was under way may still happen.
//
// # Shutdown
//
// New starts nothing that outlives Close, and nothing at all if it fails. When Close
// returns, no goroutine of the node is left, and no handler runs. Leave before Close
// hands over what the node held for others and spares its neighbors the search.
//
// # Compatibility
//
// Until version 1.0 names may change with a note in CHANGELOG.md. Nodes speak the
// protocol /tapestry/NETWORK/1.0.0; docs/protocol.md says how versions and features
// are negotiated. The JSON of Status only gains fields.
package tapestry
