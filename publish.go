package tapestry

import (
	"context"
	"iter"
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/node"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
)

// PublishObject tells the overlay that this node serves the object g for app, and
// keeps telling it until UnpublishObject, Leave or Close. It returns nil when the
// roots asked for have acknowledged. Publishing again what is published refreshes it.
// A first publish that ends with ErrLimit leaves nothing behind.
// With a datastore (WithDatastore) the object is written down first, and published again
// whenever the node is started again, until UnpublishObject.
func (n *Node) PublishObject(ctx context.Context, g GUID, app AppID) error {
	key := pointers.Key{GUID: g, App: string(app)}
	if err := checkApp("publish", key); err != nil {
		return err
	}
	if n.kept != nil {
		return n.kept.publish(ctx, key)
	}
	_, err := n.do(ctx, "publish", g, publishRequest(key, env.PublishRequest{}))
	return err
}

func publishRequest(key pointers.Key, how env.PublishRequest) func(env.Call, mono.Time) env.Local {
	return func(c env.Call, until mono.Time) env.Local {
		how.Call, how.GUID, how.App, how.Deadline = c, key.GUID, key.App, until
		return &how
	}
}

// Published lists what this node serves. That includes what it published before it was started
// and has still to publish again (Status.Resume).
func (n *Node) Published() iter.Seq2[GUID, AppID] {
	return func(yield func(GUID, AppID) bool) {
		keys := n.kept.left()
		n.world.Inspect(func(core *node.Node) { keys = append(keys, core.Published()...) })
		slices.SortFunc(keys, pointers.Key.Compare)
		for _, k := range slices.Compact(keys) {
			if !yield(k.GUID, AppID(k.App)) {
				return
			}
		}
	}
}

// UnpublishObject takes the object g of app back: when it returns nil the roots, and
// the nodes on the way to them, have forgotten that this node serves it. A node that
// was on the way when it was published and is no longer may still name this node until
// it forgets what nobody vouches for, within two minutes; this node refuses what it is sent.
// Unpublishing what is not published does nothing. With a datastore that is written down
// before anybody is told: whatever happens then, the object is not published again.
func (n *Node) UnpublishObject(ctx context.Context, g GUID, app AppID) error {
	key := pointers.Key{GUID: g, App: string(app)}
	if err := checkApp("unpublish", key); err != nil {
		return err
	}
	if n.kept != nil {
		return n.kept.unpublish(ctx, key)
	}
	_, err := n.do(ctx, "unpublish", g, unpublishRequest(key))
	return err
}

func unpublishRequest(key pointers.Key) func(env.Call, mono.Time) env.Local {
	return func(c env.Call, until mono.Time) env.Local {
		return &env.UnpublishRequest{Call: c, GUID: key.GUID, App: key.App, Deadline: until}
	}
}
