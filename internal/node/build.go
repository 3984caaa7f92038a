package node

import (
	"github.com/tapestry-dolr/tapestry/heartbeat"
	"github.com/tapestry-dolr/tapestry/internal/membership"
	"github.com/tapestry-dolr/tapestry/internal/messages"
	"github.com/tapestry-dolr/tapestry/internal/multicast"
	"github.com/tapestry-dolr/tapestry/internal/tree"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/internal/witness"
	"github.com/tapestry-dolr/tapestry/locate"
	"github.com/tapestry-dolr/tapestry/publish"
	"github.com/tapestry-dolr/tapestry/routing"
)

// build makes the machines over the tables and names who serves which kind of body.
func (n *Node) build() (err error) {
	n.router = routing.New(n.cfg.Routing, n.tables, n.links)
	n.heartbeat = heartbeat.New(n.cfg.Heartbeat, n.links)
	n.membership, err = membership.New(n.cfg.Membership, membership.Deps{
		Tables: n.tables, Links: n.links, Router: n.router, Own: n.cfg.Record, Group: n.cfg.Group, Same: n.cfg.Same,
	})
	if err != nil {
		return err
	}
	n.tree = tree.New(n.cfg.Tree, tree.Deps{Router: n.router, Tables: n.tables, Links: n.links, Store: n.store})
	n.publish = publish.New(n.cfg.Publish, publish.Deps{Router: n.router, Tree: n.tree, Store: n.store, Served: n.served})
	n.tree.Heed(n.publish)
	n.locate = locate.New(n.cfg.Locate, locate.Deps{Router: n.router, Links: n.links, Store: n.store, Tree: n.tree})
	n.messages = messages.New(n.cfg.Messages, messages.Deps{Router: n.router, Links: n.links, Served: n.served, Store: n.store, Cache: n.locate})
	n.multicast = multicast.New(n.cfg.Multicast, multicast.Deps{Tables: n.tables, Links: n.links, Router: n.router})

	n.witness = witness.New(n.cfg.Witness, n.tables, n.membership.Record)
	n.router.Heed(n.witness)

	n.router.Serve(wire.BodyKind_BODY_JOIN, n.membership)
	n.router.Serve(wire.BodyKind_BODY_SELF_PROBE, n.membership.SelfProbes())
	n.router.Serve(wire.BodyKind_BODY_PUBLISH, n.publish)
	n.router.Serve(wire.BodyKind_BODY_LOCATE, n.locate)
	n.router.Serve(wire.BodyKind_BODY_MESSAGE, n.messages)
	return nil
}
