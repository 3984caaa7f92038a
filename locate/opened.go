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
	pointers.Deposit // no more of it than the records, and what proves that its object is of them
	node             *wire.NodeRecord
}

func (o opened) server() idspace.ID { return wire.ID(o.Record.Server) }

// open reads the records of a replica; they must be of key, and of this network.
func (l *Locator) open(key pointers.Key, f *wire.FoundReplica) (o opened, err error) {
	rec, err := f.Pointer.Batch()
	if err != nil {
		return o, err
	}
	if o.Deposit, err = pointers.Alone(l.cfg.Space, f.Pointer, rec, f.Under, f.Proof); err != nil {
		return o, err
	}
	if o.node, err = f.Server.Node(); err != nil {
		return o, err
	}
	switch {
	case rec.Network != l.cfg.Network || o.node.Network != l.cfg.Network:
		err = fmt.Errorf("records of networks %q and %q", rec.Network, o.node.Network)
	case o.Key() != key:
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
