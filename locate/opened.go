package locate

import (
	"errors"
	"fmt"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// opened is a replica as its records say, which the world has checked the signatures of.
type opened struct {
	rec  *wire.BatchRecord
	node *wire.NodeRecord
}

func (o opened) server() idspace.ID { return wire.ID(o.rec.Server) }

func (o opened) sequence() pointers.Sequence {
	return pointers.Sequence{Generation: o.rec.Generation, Counter: o.rec.Counter}
}

// open reads the records of a replica; they must be of key, and of this network.
func (l *Locator) open(key pointers.Key, f *wire.FoundReplica) (o opened, err error) {
	if o.rec, err = f.Pointer.Pointer(); err != nil {
		return o, err
	}
	if o.node, err = f.Server.Node(); err != nil {
		return o, err
	}
	switch {
	case o.rec.Network != l.cfg.Network || o.node.Network != l.cfg.Network:
		err = fmt.Errorf("records of networks %q and %q", o.rec.Network, o.node.Network)
	case wire.ID(o.rec.Guid) != key.GUID || o.rec.App != key.App:
		err = errors.New("not what was asked for")
	case l.cfg.Space.Truncate(o.node.ID()) != o.server():
		err = errors.New("the node record is not the server's")
	}
	return o, err
}

// trip is the round trip to a replica that an answer claims.
func trip(f *wire.FoundReplica) time.Duration {
	return time.Duration(min(f.RttUs, 2*maxSpent)) * time.Microsecond
}
